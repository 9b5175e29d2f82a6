"""What the header itself gives away about who wrote it."""

from __future__ import annotations

from email.utils import getaddresses

from dkimgate import domains
from dkimgate.author import Author
from dkimgate.facts import HeaderSigns
from dkimgate.message import Message

_MAX_LENGTH = 4000  # of a recipient or path field; a longer one says nothing

_MAX_NESTED = 50  # comments and groups: getaddresses() recurses into nested ones


def signs_of(message: Message, author: Author) -> HeaderSigns:
    """The signs of one message."""
    return HeaderSigns(
        from_equals_to=_from_equals_to(message, author),
        return_path_mismatch=_return_path_mismatch(message, author),
        message_id_missing=message_id(message) is None,
    )


def message_id(message: Message) -> str | None:
    """The value of the first Message-ID field that is not empty (RFC 5322 section 3.6.4), or None."""
    return next((field.text for field in message.fields("message-id") if field.text), None)


def _from_equals_to(message: Message, author: Author) -> bool:
    """The author writes to himself alone, as far as To tells: the extortionist's trick."""
    texts = [field.text for field in message.fields("to")]
    if author.address is None or not texts or sum(map(len, texts)) > _MAX_LENGTH:
        return False
    if sum(text.count("(") + text.count(":") for text in texts) > _MAX_NESTED:
        return False
    addresses = {address.lower() for _, address in getaddresses(texts)}
    return addresses == {author.address.lower()}


def _return_path_mismatch(message: Message, author: Author) -> bool:
    """Bounces go to another organization than the author's. Read from Return-Path, else from the envelope; a null sender is none."""
    path = next((field.text for field in message.fields("return-path")), message.envelope.sender)
    if author.domain is None or len(path) > _MAX_LENGTH:
        return False
    domain = domains.a_label(path.strip(" <>").rpartition("@")[2])
    return domain is not None and not domains.aligned(domain, author.domain)
