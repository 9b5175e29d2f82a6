"""What a signature covers: the body's hash in either canonical form, and the signed header (RFC 6376 sections 3.4, 3.7 and 5.4.2).

Every form of the body is made at most once for all signatures of a message, and only if one asks for it.
"""

from __future__ import annotations

import functools
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from dkimgate.evidence.dkim_signature import Tags, without_signature
from dkimgate.message import HeaderField
from dkimgate.signing.canonical import BodyHash, content_length, relaxed_field

_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class BodyForm:
    """SHA-256 and length in octets of a body in one canonical form."""

    digest: bytes
    length: int


class Content:
    """A message as its signatures see it. `body` with CRLF line ends."""

    def __init__(self, header: Sequence[HeaderField], body: bytes) -> None:
        self._body = body
        self._fields: dict[bytes, list[HeaderField]] = defaultdict(list)
        for field in header:
            self._fields[_key(field.name)].append(field)

    def body(self, form: str) -> BodyForm:
        """The body in that form, "simple" or "relaxed"."""
        return self._relaxed if form == "relaxed" else self._simple

    @functools.cached_property
    def _simple(self) -> BodyForm:
        content = memoryview(self._body)[: content_length(self._body)]
        whole = hashlib.sha256(content)
        whole.update(b"\r\n")  # section 3.4.3: an empty body too is one line end
        return BodyForm(whole.digest(), len(content) + 2)

    @functools.cached_property
    def _relaxed(self) -> BodyForm:
        stream = BodyHash()  # in pieces, for its regular expressions take many times the memory of what they read
        for start in range(0, len(self._body), _PIECE):
            stream.update(self._body[start : start + _PIECE])
        return BodyForm(stream.digest(), stream.length)

    def header(self, tags: Tags, field: HeaderField) -> bytes:
        """The octets that b= signs: the fields that h= names, of each name the lowest first, then the signature without b=.

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
