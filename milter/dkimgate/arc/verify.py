"""The signatures of an ARC chain (RFC 8617 sections 4.1.2, 4.1.3 and 5.1.1; RFC 6376 section 6.1), one message at a
time."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from dkimgate.arc.fields import MESSAGE_SIGNATURE, ArcSignature, Broken, FieldSet, MessageSignature, Seal
from dkimgate.dkim.canonical import BodyForms, relaxed_field
from dkimgate.dkim.content import Content, simple_field
from dkimgate.dkim.public_key import KeyProblem, NoKey, published_key
from dkimgate.dns.resolver import Lookup
from dkimgate.message.message import HeaderField


class Unanswered(Exception):
    """DNS did not answer, so nobody knows; the text says what."""


class Signed:
    """One message before its verifier: what several signatures of it share is computed once. Not for several threads.

    `body` is None where only seals are verified, which don't cover it.
    """

    def __init__(self, header: Sequence[HeaderField], body: BodyForms | None) -> None:
        self._header = header
        self._content = Content(header, body)
        self._relaxed: dict[int, bytes] = {}
        self._standing: dict[bytes, list[int]] = {}
        for position, field in enumerate(header):
            self._standing.setdefault(field.name.rstrip(b" \t").lower(), []).append(position)

    def uncovered(self, signature: MessageSignature, names: Sequence[bytes]) -> tuple[str, ...]:
        """Those of the names of which a field stands in the header that is not signed."""
        listed = Counter(signature.names)
        return tuple(name.decode("ascii") for name in names if listed[name] < len(self._standing.get(name, ())))

    def check_message(self, signature: MessageSignature, now: float, lookup: Lookup) -> None:
        """Verify an ARC-Message-Signature over the message as it is. Raises Broken and Unanswered."""
        if signature.expires is not None and signature.expires < now:
            raise Broken("it has expired (x=)")
        if self.uncovered(signature, (b"from",)):
            raise Broken("there is a From field that it does not sign")
        if self._content.body("simple" if signature.simple_body else "relaxed").digest != signature.body_hash:
            raise Broken("the body was changed")
        check(signature, self._digest(signature), lookup)

    def check_seals(self, sets: Sequence[FieldSet], seals: Sequence[Seal], lookup: Lookup) -> None:
        """Verify all seals, the newest first. Raises Broken and Unanswered."""
        for seal, digest in reversed(list(zip(seals, self._seal_digests(sets, seals), strict=True))):
            try:
                check(seal, digest, lookup)
            except Broken as broken:
                raise Broken(f"the seal of {seal.domain}: {broken}") from None

    def _seal_digests(self, sets: Sequence[FieldSet], seals: Sequence[Seal]) -> list[bytes]:
        """What each seal signs: all sets below its own, and its own with an empty `b=` at the end (RFC 8617 section
        5.1.1)."""
        digests: list[bytes] = []
        running = hashlib.sha256()
        for fields, seal in zip(sets, seals, strict=True):
            for located in (fields.results, fields.message_signature):
                running.update(self._relaxed_at(located.position) + b"\r\n")
            own = running.copy()
            own.update(relaxed_field(seal.unsigned))
            digests.append(own.digest())
            running.update(self._relaxed_at(fields.seal.position) + b"\r\n")
        return digests

    def _digest(self, signature: MessageSignature) -> bytes:
        """The hash of the signed fields, of a name that repeats the lowest first (RFC 6376 sections 3.7 and 5.4.2)."""
        digest = hashlib.sha256()
        taken: Counter[bytes] = Counter()
        for name in signature.names:
            positions = self._standing.get(name, [])
            if name == MESSAGE_SIGNATURE.encode():
                positions = [position for position in positions if position != signature.position]
            taken[name] += 1
            if taken[name] <= len(positions):
                position = positions[-taken[name]]
                digest.update(
                    simple_field(self._header[position]) if signature.simple_header else self._relaxed_at(position)
                )
                digest.update(b"\r\n")
        own = signature.unsigned
        digest.update(simple_field(own) if signature.simple_header else relaxed_field(own))
        return digest.digest()

    def _relaxed_at(self, position: int) -> bytes:
        if position not in self._relaxed:
            self._relaxed[position] = relaxed_field(self._header[position])
        return self._relaxed[position]


def check(signature: ArcSignature, digest: bytes, lookup: Lookup) -> None:
    """Verify a signature of a SHA-256 digest with the key that DNS publishes. Raises Broken and Unanswered.

    `t=y` is not looked at, as by other validators: half of those who test never remove it.
    """
    key = published_key(signature.domain, signature.selector, signature.algorithm, lookup)
    if isinstance(key, NoKey):
        if key.problem is KeyProblem.UNANSWERED:
            raise Unanswered(f"no answer from DNS for {signature.selector}._domainkey.{signature.domain}: {key.why}")
        raise Broken(key.why)
    if not key.verifies(signature.octets, digest):
        raise Broken("what it signs was changed, or another key signed it")
