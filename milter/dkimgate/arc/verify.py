"""The signatures of an ARC chain (RFC 8617 sections 4.1.2, 4.1.3 and 5.1.1; RFC 6376 section 6.1), one message at a
time."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from dkimgate.arc.fields import ArcSignature, Broken, FieldSet, MessageSignature, Seal
from dkimgate.dkim.canonical import relaxed_field
from dkimgate.dkim.content import Content, unsigned
from dkimgate.dkim.public_key import NoKey, published_key
from dkimgate.dns.resolver import Lookup


class Unanswered(Exception):
    """DNS did not answer, so nobody knows; the text says what."""


def uncovered(content: Content, signature: MessageSignature, names: Sequence[bytes]) -> tuple[str, ...]:
    """Those of the names of which a field stands in the header that is not signed."""
    listed = Counter(signature.names)
    return tuple(name.decode("ascii") for name in names if listed[name] < content.count(name))


def check_message(content: Content, signature: MessageSignature, now: float, lookup: Lookup) -> None:
    """Verify an ARC-Message-Signature over the message as it is. Raises Broken and Unanswered."""
    if signature.expires is not None and signature.expires < now:
        raise Broken("it has expired (x=)")
    if uncovered(content, signature, (b"from",)):
        raise Broken("there is a From field that it does not sign")
    if content.body(signature.body_form).digest != signature.body_hash:
        raise Broken("the body was changed")
    signed = content.digest(signature.names, signature.header_form, signature.field, signature.position)
    check(signature, signed, lookup)


def check_seals(content: Content, sets: Sequence[FieldSet], seals: Sequence[Seal], lookup: Lookup) -> None:
    """Verify all seals, the newest first. Raises Broken and Unanswered."""
    for seal, digest in reversed(list(zip(seals, _seal_digests(content, sets, seals), strict=True))):
        try:
            check(seal, digest, lookup)
        except Broken as broken:
            raise Broken(f"the seal of {seal.domain}: {broken}") from None


def _seal_digests(content: Content, sets: Sequence[FieldSet], seals: Sequence[Seal]) -> list[bytes]:
    """What each seal signs: all sets below its own, and its own with an empty `b=` at the end (RFC 8617 section
    5.1.1)."""
    digests: list[bytes] = []
    running = hashlib.sha256()
    for fields, seal in zip(sets, seals, strict=True):
        for located in (fields.results, fields.message_signature):
            running.update(content.relaxed(located.position) + b"\r\n")
        own = running.copy()
        own.update(relaxed_field(unsigned(seal.field)))
        digests.append(own.digest())
        running.update(content.relaxed(fields.seal.position) + b"\r\n")
    return digests


def check(signature: ArcSignature, digest: bytes, lookup: Lookup) -> None:
    """Verify a signature of a SHA-256 digest with the key that DNS publishes. Raises Broken and Unanswered.

    `t=y` is not looked at, as by other validators: half of those who test never remove it.
    """
    key = published_key(signature.domain, signature.selector, signature.algorithm, lookup)
    if isinstance(key, NoKey):
        if key.result == "temperror":
            raise Unanswered(f"no answer from DNS for {signature.selector}._domainkey.{signature.domain}: {key.why}")
        raise Broken(key.why)
    if not key.verifies(signature.octets, digest):
        raise Broken("what it signs was changed, or another key signed it")
