"""The signatures of an ARC chain (RFC 8617 sections 4.1.2, 4.1.3 and 5.1.1; RFC 6376 section 6.1), one message at a time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from dkimgate.evidence.arc_fields import MESSAGE_SIGNATURE, Broken, FieldSet, MessageSignature, Seal, Signature, tags_of
from dkimgate.evidence.dkim_content import Content, simple_field
from dkimgate.evidence.dkim_key import MOST_BITS
from dkimgate.message import HeaderField
from dkimgate.resolver import Lookup, Status
from dkimgate.signing.canonical import relaxed_field
from dkimgate.signing.keys import LEAST_BITS

MOST_EXPONENT_BITS = 64
"""65537 has 17. An exponent as long as the modulus makes a verification a hundred times as slow."""

PublicKey = RSAPublicKey | Ed25519PublicKey


class Unanswered(Exception):
    """DNS did not answer, so nobody knows; the text says what."""


class Signed:
    """One message before its verifier: what several signatures of it share is computed once. Not for several threads."""

    def __init__(self, header: Sequence[HeaderField], body: bytes) -> None:
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
        """What each seal signs: all sets below its own, and its own with an empty `b=` at the end (RFC 8617 section 5.1.1)."""
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
                digest.update(simple_field(self._header[position]) if signature.simple_header else self._relaxed_at(position))
                digest.update(b"\r\n")
        own = signature.unsigned
        digest.update(simple_field(own) if signature.simple_header else relaxed_field(own))
        return digest.digest()

    def _relaxed_at(self, position: int) -> bytes:
        if position not in self._relaxed:
            self._relaxed[position] = relaxed_field(self._header[position])
        return self._relaxed[position]


def check(signature: Signature, digest: bytes, lookup: Lookup) -> None:
    """Verify a signature of a SHA-256 digest with the key that DNS publishes. Raises Broken and Unanswered."""
    key = _published_key(signature, lookup)
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signature.octets, digest, PKCS1v15(), Prehashed(SHA256()))
        else:
            key.verify(signature.octets, digest)
    except (InvalidSignature, ValueError):
        raise Broken("what it signs was changed, or another key signed it") from None


def _published_key(signature: Signature, lookup: Lookup) -> PublicKey:
    """The key record (RFC 6376 section 3.6.1). What is no key record is passed over, for wildcards bring SPF records to these names.

    `t=y` is not looked at, as by other validators: half of those who test never remove it.
    """
    name = f"{signature.selector}._domainkey.{signature.domain}"
    answer = lookup.txt(name)
    if answer.status is Status.FAILED:
        raise Unanswered(f"no answer from DNS for {name}: {answer.why}")
    records = [tags for tags in map(_record, answer.values) if tags is not None]
    if len(records) != 1:
        raise Broken(f"{name} has {'several key records' if records else 'no key record'}")
    return _key(records[0], signature.algorithm)


def _record(octets: bytes) -> dict[str, str] | None:
    """The tags of a key record, None for any other record. Linear in its size, unlike a pattern with lazy parts: a stranger wrote it."""
    try:
        tags = {name: tag.text for name, tag in tags_of(octets).items()}
    except Broken:
        return None
    version_first = next(iter(tags), None) == "v" and tags["v"] == "DKIM1"
    return tags if "p" in tags and ("v" not in tags or version_first) else None


def _key(tags: dict[str, str], algorithm: str) -> PublicKey:
    """The key of a record, if it may be used for this. Raises Broken."""
    if not tags["p"]:
        raise Broken("its key is revoked")
    if f"{tags.get('k', 'rsa')}-sha256" != algorithm:
        raise Broken("its key is of another algorithm than a=")
    if "h" in tags and "sha256" not in _words(tags["h"]):
        raise Broken("its key is not for sha256")
    if "s" in tags and not {"*", "email"} & _words(tags["s"]):
        raise Broken("its key is not for mail")
    try:
        octets = base64.b64decode(re.sub(r"\s+", "", tags["p"]), validate=True)
        key = Ed25519PublicKey.from_public_bytes(octets) if algorithm == "ed25519-sha256" else load_der_public_key(octets)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        raise Broken("its key record holds no key that can be read") from None
    if isinstance(key, Ed25519PublicKey):
        return key
    if not isinstance(key, RSAPublicKey):
        raise Broken("its key is not RSA")
    if not LEAST_BITS <= key.key_size <= MOST_BITS:
        raise Broken(f"its key has {key.key_size} bits, fewer than {LEAST_BITS} or more than {MOST_BITS}")
    if key.public_numbers().e.bit_length() > MOST_EXPONENT_BITS:
        raise Broken("its key has an exponent that nobody uses in earnest")
    return key


def _words(value: str) -> set[str]:
    return {word.strip() for word in value.split(":")}
