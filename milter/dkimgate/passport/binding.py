"""What a passport is bound to: digests of a message over values that an honest content filter leaves as they are.

Three of them, because three different things may have happened to a message whose passport doesn't fit:

- identity: author address, Message-ID, Date. Another one is another message.
- shown: the text of From, To, Cc, Subject, Reply-To and Sender, which a reader sees or answers to.
- content: the body, and the MIME fields that say how it is to be shown.

Fields may be moved, folded otherwise, and have their names re-cased in between. From counts by the address that every
reader finds in it, and its text and the Subject by what RFC 2047 encoded-words in them stand for, so a filter may write
these otherwise. What this leaves open: two writings of one text are one to us (with and without quotation marks in
From, say), and every field that is named nowhere here may be added, changed or removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from dkimgate.dkim.canonical import collapse
from dkimgate.message import encoded_word
from dkimgate.message.author import Author, author_of
from dkimgate.message.message import HeaderField

_IDENTITY = ("message-id", "date")
_SHOWN = ("from", "to", "cc", "subject", "reply-to", "sender")
_MIME = ("mime-version", "content-type", "content-transfer-encoding", "content-disposition")
_LONGEST_DECODED = 4096
"""Characters of a text whose encoded-words are decoded; a longer one counts as it is written."""


@dataclass(frozen=True, slots=True)
class Binding:
    """The digests of one header section, and its author domain (None where it has no single one)."""

    author: str | None
    identity: bytes
    shown: bytes
    mime: bytes

    def content(self, body_hash: bytes) -> bytes:
        """The digest of the content: the relaxed body hash (RFC 6376 section 3.4.4) and the MIME fields."""
        return _digest("content", [self.mime, body_hash])


def binding_of(header: Sequence[HeaderField], problem: str | None = None) -> Binding:
    """What a passport of this header is bound to. Never raises. With a `problem` (see Message) the author domain is
    None."""
    author = Author(problem=problem) if problem else author_of(header)
    wanted: dict[str, list[bytes]] = {name: [] for name in (*_IDENTITY, *_SHOWN, *_MIME)}
    for field in header:
        if field.key in wanted:
            wanted[field.key].append(_relaxed(field.value))
    read = {
        "from": [_beside(author, _text(value)) for value in wanted["from"]],
        "subject": [_text(value) for value in wanted["subject"]],
    }
    return Binding(
        author.domain,
        identity=_digest("identity", _who(author, wanted["from"]) + _named(_IDENTITY, wanted)),
        shown=_digest("shown", _named(_SHOWN, wanted | read)),
        mime=_digest("mime", _named(_MIME, wanted)),
    )


def _who(author: Author, written: list[bytes]) -> list[bytes]:
    """The author by address, or by every From as it is written where readers could find several."""
    if author.domain is None or author.address is None:
        return [b"no author", *written]
    return [
        b"author",
        author.address.rpartition("@")[0].encode("utf-8", "surrogatepass"),
        author.domain.encode("ascii"),
    ]


def _named(names: Sequence[str], wanted: dict[str, list[bytes]]) -> list[bytes]:
    return [part for name in names for value in wanted[name] for part in (name.encode("ascii"), value)]


def _relaxed(value: bytes) -> bytes:
    return collapse(value.replace(b"\r\n", b"").replace(b"\n", b"")).strip(b" ")


def _text(value: bytes) -> bytes:
    """What a text says: encoded-words decoded, where that has one meaning."""
    if b"=?" not in value or len(value) > _LONGEST_DECODED:
        return value
    try:
        decoded = encoded_word.decode(value.decode("utf-8", "surrogateescape"))
    except encoded_word.Malformed:
        return value
    return collapse(decoded.encode("utf-8", "surrogatepass")).strip(b" ")


def _beside(author: Author, text: bytes) -> bytes:
    """The text of From without the address, which is bound by what it means, and without quotation marks."""
    address = (author.address or "").encode("utf-8", "surrogatepass")
    return text.replace(address, b"").replace(b'"', b"")


def _digest(label: str, parts: list[bytes]) -> bytes:
    """SHA-256 over parts, each with its length ahead: no octet can wander from one into the next."""
    made = hashlib.sha256(label.encode("ascii"))
    for part in parts:
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.digest()
