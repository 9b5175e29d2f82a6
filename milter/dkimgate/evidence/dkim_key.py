"""The public key of a signature, from DNS (RFC 6376 section 3.6), and the verification with it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from dkimgate.evidence.dkim_signature import Refused, Tags
from dkimgate.resolver import Lookup, Status
from dkimgate.signing.keys import LEAST_BITS
from dkimgate.signing.published import parse_tags

MOST_BITS = 8192
"""A stranger publishes the key: each doubling makes its use four times as dear."""

LONGEST_RECORD = 8192
"""Octets of a key record that are read; one of an 8192-bit key takes 1,450."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that may be used for the signature it was looked up for. `testing`: the domain is trying DKIM out (t=y)."""

    key: RSAPublicKey | Ed25519PublicKey
    testing: bool = False

    @property
    def bits(self) -> int:
        """The size by which strength is told: of the modulus; 256 of Ed25519."""
        return self.key.key_size if isinstance(self.key, RSAPublicKey) else 256

    def verifies(self, signature: bytes, signed: bytes) -> bool:
        """Is that the signature of that canonical header?"""
        try:
            if isinstance(self.key, RSAPublicKey):
                self.key.verify(signature, signed, PKCS1v15(), SHA256())
            else:
                self.key.verify(signature, hashlib.sha256(signed).digest())  # RFC 8463 section 3
        except InvalidSignature:
            return False
        return True


def public_key(tags: Tags, lookup: Lookup) -> PublicKey:
    """Fetch the key of a signature. Raises Refused: temperror where DNS failed, permerror where there is no such key.

    One record is expected. Where several at the name are keys, a verifier may take any of them, so none is taken (section 3.6.2.2).
    """
    answer = lookup.txt(f"{tags.selector}._domainkey.{tags.domain}")
    if answer.status is Status.FAILED:
        raise Refused("temperror", answer.why)
    records = [found for text in answer.values if (found := _record(text)) is not None]
    if not records:
        raise Refused("permerror", "no key in DNS" if not answer.values else "the record in DNS is no key")
    if len(records) > 1:
        raise Refused("permerror", f"{len(records)} keys in DNS under one name")
    return _usable(records[0], tags)


def _record(text: bytes) -> dict[str, str] | None:
    try:
        return parse_tags(text.decode("ascii")) if len(text) <= LONGEST_RECORD else None
    except ValueError:  # UnicodeDecodeError is one
        return None


def _usable(record: dict[str, str], tags: Tags) -> PublicKey:
    if not record["p"]:
        raise Refused("permerror", "the key is revoked")
    if f"{record.get('k', 'rsa').lower()}-sha256" != tags.algorithm:
        raise Refused("permerror", f"the key in DNS is of another kind than a={tags.algorithm}")
    if "h" in record and "sha256" not in _words(record["h"]):
        raise Refused("permerror", "the key is not for sha256")
    if "s" in record and not {"*", "email"} & _words(record["s"]):
        raise Refused("permerror", "the key is not for mail")
    flags = _words(record.get("t", ""))
    if "s" in flags and tags.identity != tags.domain:
        raise Refused("permerror", "the key forbids sub-domains in i= (t=s)")
    return PublicKey(_decoded(record["p"], tags.algorithm), "y" in flags)


def _decoded(text: str, algorithm: str) -> RSAPublicKey | Ed25519PublicKey:
    try:
        octets = base64.b64decode(re.sub(r"\s+", "", text), validate=True)
        if algorithm == "ed25519-sha256":
            return Ed25519PublicKey.from_public_bytes(octets)
        key = load_der_public_key(octets)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        raise Refused("permerror", "the key in DNS can't be read") from None
    if not isinstance(key, RSAPublicKey):
        raise Refused("permerror", "the key in DNS is not RSA")
    if not LEAST_BITS <= key.key_size <= MOST_BITS:
        raise Refused("policy", f"an RSA key of {key.key_size} bits: {LEAST_BITS} to {MOST_BITS} are accepted")
    return key


def _words(value: str) -> set[str]:
    return {word.strip().lower() for word in value.split(":")}
