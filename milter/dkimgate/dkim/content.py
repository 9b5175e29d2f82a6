"""What a signature covers: the body's hash in either canonical form, and the signed header (RFC 6376 sections 3.4, 3.7
and 5.4.2).

Both forms of the body are hashed as it streams by, the simple one only if a signature in the header may ask for it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from dkimgate.dkim import tag_list
from dkimgate.dkim.canonical import BodyForm, BodyForms, relaxed_field
from dkimgate.dkim.signature import without_signature
from dkimgate.message.message import HeaderField

MOST_READ = 200
"""Signatures of a message that are looked at; an ARC chain has 50 (RFC 8617 section 4.2.1)."""

SIGNATURES = ("dkim-signature", "arc-message-signature")
"""The fields that a body is compared with."""


def asks_simple(header: Sequence[HeaderField]) -> bool:
    """May a signature in the header want the simple form of the body? Those that say `c=.../relaxed` don't; in doubt it
    does."""
    values = [field.value for field in header if field.key in SIGNATURES]
    return len(values) > MOST_READ or any(not _is_relaxed(value) for value in values)


def _is_relaxed(value: bytes) -> bool:
    """The first c= says so; a second one makes the field invalid, and so does more of it than anybody reads."""
    forms = next((tag.value for tag in tag_list.loose(value) or () if tag.name == "c"), b"")
    return forms.lower().endswith(b"/relaxed")


class Content:
    """A message as its signatures see it, those of DKIM and ARC. `body` is None where none is looked at. What several
    signatures cover is made canonical once. Not for several threads."""

    def __init__(self, header: Sequence[HeaderField], body: BodyForms | None) -> None:
        self._header = header
        self._body = body
        self._relaxed: dict[int, bytes] = {}
        self._positions: dict[bytes, list[int]] = defaultdict(list)
        for position, field in enumerate(header):
            self._positions[field.name.rstrip(b" \t").lower()].append(position)

    def body(self, form: str) -> BodyForm:
        """The body in that form, "simple" or "relaxed". Raises ValueError where it was not made."""
        if self._body is None:
            raise ValueError("there is no body to look at")
        return self._body.form(form)

    def digest(self, names: Iterable[bytes], form: str, field: HeaderField, own: int | None = None) -> bytes:
        """SHA-256 of what b= signs: the fields that h= names, of each name the lowest first, then the signature without
        b=. `form` is "simple" or "relaxed".

        A name that stands more often in h= than in the header is signed as absent. `own`: the position of the
        signature, where h= may name others of its kind.
        """
        signed = hashlib.sha256()
        lowest: dict[bytes, Iterator[int]] = {}
        for name in names:
            if name not in lowest:
                lowest[name] = (at for at in reversed(self._positions.get(name, ())) if at != own)
            position = next(lowest[name], None)
            if position is not None:
                taken = self.relaxed(position) if form == "relaxed" else simple_field(self._header[position])
                signed.update(taken + b"\r\n")
        bare = unsigned(field)
        signed.update(relaxed_field(bare) if form == "relaxed" else simple_field(bare))
        return signed.digest()

    def relaxed(self, position: int) -> bytes:
        """A field of the header in relaxed form, without a line end."""
        if position not in self._relaxed:
            self._relaxed[position] = relaxed_field(self._header[position])
        return self._relaxed[position]

    def count(self, name: bytes) -> int:
        """How many fields of that name (in lower case) there are."""
        return len(self._positions.get(name, ()))


def unsigned(field: HeaderField) -> HeaderField:
    """A signature as it was signed (section 3.7)."""
    return HeaderField(field.name, without_signature(field.value))


def simple_field(field: HeaderField) -> bytes:
    """A field as it was sent (section 3.4.1), without a line end; its folds came with or without CR."""
    return field.name + b":" + field.value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
