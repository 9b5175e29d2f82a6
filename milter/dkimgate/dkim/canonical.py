"""Canonicalization: of header fields at once, relaxed (RFC 6376 section 3.4.2), of bodies as a stream, in both forms
(3.4.3, 3.4.4)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Self

from dkimgate.message.message import HeaderField

_TABS = bytes.maketrans(b"\t", b" ")
# long runs first: what is left of one of 64 KB takes three more steps, and each step reads all of the text again
_RUNS = tuple(b" " * length for length in (64, 16, 4))
_BLOCK = 4096  # line ends made at a time, so that ten million of them take no memory


def collapse(data: bytes) -> bytes:
    """Every run of spaces and tabs becomes one space (the WSP of RFC 5234; no other octet counts as white space)."""
    if b"\t" in data:
        data = data.translate(_TABS)
    if b"  " not in data:
        return data
    # not by `re`, which takes 100 ns for each run
    for run in _RUNS:
        data = data.replace(run, b" ")
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data


def relaxed_field(field: HeaderField) -> bytes:
    """A header field in relaxed form, without a line end (RFC 6376 section 3.4.2).

    Folds may be LF or CRLF. A CR alone, and VT or FF, are no white space to the RFC and stay. Verifiers differ on them
    (OpenDKIM takes them for spaces), so a field with one may not verify everywhere; Postfix replaces a CR alone by a
    space.
    """
    value = field.value
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    return field.name.strip(b" \t").lower() + b":" + collapse(value).strip(b" ")


class _Streamed:
    """SHA-256 over a body that comes in pieces, cut anywhere, without the line ends at its end: those are counted until
    more follows."""

    __slots__ = ("_empty_lines", "_hash", "_hashed", "_held")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._held = b""  # what can't be hashed yet: the next piece may turn it into the end of a line
        self._empty_lines = 0  # line ends seen and not hashed: the last ones of a body don't count
        self._hashed = 0  # octets

    def copy(self) -> Self:
        """Another one over the same octets so far."""
        twin = type(self)()
        twin._hash, twin._held = self._hash.copy(), self._held
        twin._empty_lines, twin._hashed = self._empty_lines, self._hashed
        return twin

    def _write(self, text: bytes) -> None:
        """Hash canonical text up to its last line ends, which are counted."""
        content = text[: content_length(text)]
        if content:
            _add_line_ends(self._hash, self._empty_lines)
            self._hash.update(content)
            self._hashed, self._empty_lines = self._hashed + 2 * self._empty_lines + len(content), 0
        self._empty_lines += (len(text) - len(content)) // 2


class BodyHash(_Streamed):
    """SHA-256 over the relaxed form of a body that comes in pieces (RFC 6376 section 3.4.4).

    Pieces may be cut anywhere. Memory does not grow with the message: of what can't be hashed yet (it may stand at the
    end of a line, or of the body) at most two octets are kept, and empty lines are counted.

    Only CRLF ends a line, as the RFC has it and as Postfix sends it. A bare LF is an octet like any other, to us as to
    dkimpy and OpenDKIM. So is a bare CR: dkimpy does the same, while OpenDKIM loses the CR, so that its verdict on such
    a body is `fail` whatever the signer does by the book. Postfix turns both into spaces before a milter sees them
    (cleanup_replace_stray_cr_lf, on by default from 3.9). A body without CRLF at its end is hashed as if it had one:
    SMTP would add it.
    """

    __slots__ = ()

    def update(self, chunk: bytes) -> None:
        """Take the next piece."""
        data = self._held + chunk
        end = data[-1:] if data.endswith(b"\r") else b""
        text = data[: len(data) - len(end)]
        kept = text.rstrip(b" \t")
        self._held = b" " + end if len(kept) < len(text) else end
        self._write(collapse(kept).replace(b" \r\n", b"\r\n"))

    def digest(self) -> bytes:
        """The hash of all so far, 32 octets. An empty body, or one of empty lines, hashes as the empty string."""
        whole = self._hash.copy()
        if self._held.endswith(b"\r"):
            _add_line_ends(whole, self._empty_lines)
            whole.update(self._held + b"\r\n")
        elif self._hashed:
            whole.update(b"\r\n")
        return whole.digest()

    @property
    def length(self) -> int:
        """Octets of the relaxed form of all so far: what l= counts (section 3.5)."""
        if self._held.endswith(b"\r"):
            return self._hashed + 2 * self._empty_lines + len(self._held) + 2
        return self._hashed + 2 if self._hashed else 0


class SimpleHash(_Streamed):
    """SHA-256 over the simple form of a body that comes in pieces (RFC 6376 section 3.4.3). Line ends are those of
    BodyHash."""

    __slots__ = ()

    def update(self, chunk: bytes) -> None:
        """Take the next piece."""
        data = self._held + chunk if self._held else chunk
        self._held = b"\r" if data.endswith(b"\r") else b""
        self._write(data[:-1] if self._held else data)

    def digest(self) -> bytes:
        """The hash of all so far, 32 octets. An empty body too is one line end."""
        whole = self._hash.copy()
        if self._held:
            _add_line_ends(whole, self._empty_lines)
        whole.update(self._held + b"\r\n")
        return whole.digest()

    @property
    def length(self) -> int:
        """Octets of the simple form of all so far: what l= counts (section 3.5)."""
        return self._hashed + (2 * self._empty_lines + 1 if self._held else 0) + 2


@dataclass(frozen=True, slots=True)
class BodyForm:
    """SHA-256 and length in octets of a body in one canonical form."""

    digest: bytes
    length: int


@dataclass(frozen=True, slots=True)
class BodyForms:
    """All that signatures are compared with of a body, which itself nobody keeps.

    `octets` is its length as it came. `simple` is None where no signature in the header asks for it, and it was not
    made.
    """

    octets: int
    relaxed: BodyForm
    simple: BodyForm | None

    def form(self, name: str) -> BodyForm:
        """The body in that form, "simple" or "relaxed". Raises ValueError where it was not made."""
        found = self.relaxed if name == "relaxed" else self.simple
        if found is None:
            raise ValueError("the simple form of this body was not hashed")
        return found


def _add_line_ends(to: hashlib._Hash, count: int) -> None:
    for _ in range(count // _BLOCK):
        to.update(b"\r\n" * _BLOCK)
    to.update(b"\r\n" * (count % _BLOCK))


def content_length(text: bytes) -> int:
    """The length of a text without the CRLFs at its end. A bare CR or LF before them is content, and so is a CR at the
    very end."""
    if text.endswith(b"\r"):
        return len(text)
    start = len(text.rstrip(b"\r\n"))
    # behind `start` stand only CR and LF: they pair up from the last place where two of a kind meet
    start = max(start, text.rfind(b"\r\r", start) + 1, text.rfind(b"\n\n", start) + 1)
    return start + 1 if text.startswith(b"\n", start) else start
