"""What a signature covers: the body's hash in either canonical form, and the signed header (RFC 6376 sections 3.4, 3.7
and 5.4.2).

Both forms of the body are hashed as it streams by, the simple one only if a signature in the header may ask for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from dkimgate.dkim import tag_list
from dkimgate.dkim.canonical import BodyForm, BodyForms, relaxed_field
from dkimgate.dkim.signature import Tags, without_signature
from dkimgate.message.message import HeaderField

SIGNATURES = ("dkim-signature", "arc-message-signature")
"""The fields that a body is compared with."""


def asks_simple(header: Sequence[HeaderField]) -> bool:
    """May a signature in the header want the simple form of the body? Those that say `c=.../relaxed` don't; in doubt it
    does."""
    return any(not _is_relaxed(field.value) for field in header if field.key in SIGNATURES)


def _is_relaxed(value: bytes) -> bool:
    """The first c= says so; a second one makes the field invalid."""
    forms = next((tag.value for tag in tag_list.loose(value) if tag.name == "c"), b"")
    return forms.lower().endswith(b"/relaxed")


class Content:
    """A message as its signatures see it. `body` is None where none is looked at."""

    def __init__(self, header: Sequence[HeaderField], body: BodyForms | None) -> None:
        self._body = body
        self._fields: dict[bytes, list[HeaderField]] = defaultdict(list)
        for field in header:
            self._fields[_key(field.name)].append(field)

    def body(self, form: str) -> BodyForm:
        """The body in that form, "simple" or "relaxed". Raises ValueError where it was not made."""
        if self._body is None:
            raise ValueError("there is no body to look at")
        return self._body.form(form)

    def header(self, tags: Tags, field: HeaderField) -> bytes:
        """The octets that b= signs: the fields that h= names, of each name the lowest first, then the signature without
        b=.

        A name that stands more often in h= than in the header is signed as absent.
        """
        canonical = relaxed_field if tags.header_form == "relaxed" else simple_field
        taken: dict[bytes, int] = defaultdict(int)
        lines: list[bytes] = []
        for name in tags.names:
            fields = self._fields.get(name, [])
            taken[name] += 1
            if taken[name] <= len(fields):
                lines.append(canonical(fields[-taken[name]]))
        lines.append(canonical(HeaderField(field.name, without_signature(field.value))))
        return b"\r\n".join(lines)

    def count(self, name: bytes) -> int:
        """How many fields of that name (in lower case) there are."""
        return len(self._fields.get(name, []))


def _key(name: bytes) -> bytes:
    return name.rstrip(b" \t").lower()


def simple_field(field: HeaderField) -> bytes:
    """A field as it was sent (section 3.4.1), without a line end; its folds came with or without CR."""
    return field.name + b":" + field.value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
