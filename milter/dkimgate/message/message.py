"""What arrived: the connection, the envelope and the header, as the MTA hands them over. Nothing is judged here."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TypeVar

Found = TypeVar("Found")

_set = object.__setattr__
"""For a frozen value that is being made."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The SMTP session, or Postfix's simulation of one for mail that came through sendmail(1).

    `ip` is the client's address without brackets, or None where there is none (a unix-domain client). `auth` is the
    SASL login name of an authenticated client, `daemon` the value of the macro {daemon_name}. `tls` is the version of
    TLS and the cipher, as in "TLSv1.3 TLS_AES_256_GCM_SHA384"; None where the session is not encrypted.

    An empty text tells nothing, whoever gives it: it becomes None. So an empty login is no login.
    """

    ip: str | None = None
    name: str | None = None
    helo: str | None = None
    auth: str | None = None
    daemon: str | None = None
    tls: str | None = None

    def __post_init__(self) -> None:
        if "" in (self.ip, self.name, self.helo, self.auth, self.daemon, self.tls):
            for name in ("ip", "name", "helo", "auth", "daemon", "tls"):
                _set(self, name, getattr(self, name) or None)


@dataclass(frozen=True, slots=True)
class Envelope:
    """RFC 5321 sender and recipients, without angle brackets; the null sender is the empty string."""

    sender: str = ""
    recipients: tuple[str, ...] = ()


@functools.lru_cache(maxsize=1024)
def _key(name: bytes) -> str:
    return name.strip(b" \t\r\n\0").decode("latin-1").lower()


_USUAL_NAME = 64
"""Octets: longer names would only fill the memory of those that come again."""


@dataclass(frozen=True, slots=True, init=False)
class HeaderField:
    """One header field as raw bytes.

    `value` is everything behind the colon: leading white space included, folds as LF and white space (the milter
    protocol's form), no line end at its end. `name` may carry white space behind it (`From : x`), and in what an
    attacker sends any other octet. `key` is the name as receivers compare it: without white space around it, in lower
    case.
    """

    name: bytes
    value: bytes
    key: str = field(init=False, repr=False, compare=False)

    def __init__(self, name: bytes, value: bytes) -> None:
        _set(self, "name", name)
        _set(self, "value", value)
        _set(self, "key", _key(name) if len(name) <= _USUAL_NAME else _key.__wrapped__(name))

    @property
    def text(self) -> str:
        """The value unfolded (RFC 5322 section 2.2.3) and stripped; octets that are not UTF-8 become surrogates."""
        raw = self.value
        if b"\n" in raw:
            raw = raw.replace(b"\r\n", b"\n").replace(b"\n ", b" ").replace(b"\n\t", b"\t")
        return raw.strip(b" \t\r\n").decode("utf-8", "surrogateescape")


_key_of = attrgetter("key")


def names_of(header: Iterable[HeaderField]) -> tuple[str, ...]:
    """The names of all fields, from the top, in lower case."""
    return tuple(map(_key_of, header))


_LONGEST_FORM = 1000
"""Characters of all names of a header of which something is kept: strangers choose them."""


def kept_by_names(find: Callable[[tuple[str, ...]], Found]) -> Callable[[tuple[str, ...]], Found]:
    """The same function of the names of a header, which keeps what it found: mail programs write the same fields in the
    same order each time."""
    known = functools.lru_cache(maxsize=1024)(find)
    return lambda names: known(names) if sum(map(len, names)) <= _LONGEST_FORM else find(names)


@kept_by_names
def _index_of(names: tuple[str, ...]) -> Mapping[str, Sequence[int]]:
    index: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        index.setdefault(name, []).append(position)
    return index


@dataclass(frozen=True, slots=True)
class Message:
    """All of a message but its body. `header` is in order of appearance: the newest trace field comes first.

    `problem` says why the message could not be collected whole (a header beyond all bounds), or is None. With a problem
    there is no author domain, so no aligned signature. `role` is that of the listener that it came by, "gate" or
    "border".
    """

    connection: Connection = field(default_factory=Connection)
    envelope: Envelope = field(default_factory=Envelope)
    header: tuple[HeaderField, ...] = ()
    queue_id: str | None = None
    problem: str | None = None
    role: str = "gate"
    _index: Mapping[str, Sequence[int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _set(self, "_index", _index_of(names_of(self.header)))

    @property
    def keys(self) -> Collection[str]:
        """The names of all fields, each once, in lower case."""
        return self._index.keys()

    def positions(self, key: str) -> Sequence[int]:
        """Where the fields of that name stand, from the top of the header; `key` in lower case."""
        return self._index.get(key, ())

    def fields(self, key: str) -> list[HeaderField]:
        """Every field of that name, in order; `key` in lower case."""
        return [self.header[position] for position in self.positions(key)]


def split_message(raw: bytes) -> tuple[tuple[HeaderField, ...], bytes]:
    """Take a stored message (LF or CRLF line ends) apart into header fields and body (with CRLF line ends).

    What Postfix does with the same input is done here: the header ends at the first line that is neither a field
    nor the continuation of one; an mbox `From ` line at the top is skipped.
    """
    lines = raw.replace(b"\r\n", b"\n").split(b"\n")
    if lines and lines[0].startswith(b"From "):
        lines = lines[1:]
    fields: list[tuple[bytes, list[bytes]]] = []
    at = 0
    for at, line in enumerate(lines):  # noqa: B007
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1][1].append(line)
            continue
        name, colon, value = line.partition(b":")
        if not colon or not name.strip(b" \t") or b" " in name.rstrip(b" \t"):
            break
        fields.append((name, [value]))
    else:
        at = len(lines)
    rest = lines[at:]
    if rest and rest[0] == b"":
        rest = rest[1:]
    header = tuple(HeaderField(name, b"\n".join(value)) for name, value in fields)
    return header, b"\r\n".join(rest)
