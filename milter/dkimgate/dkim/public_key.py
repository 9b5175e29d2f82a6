"""The public key of a signature, from DNS (RFC 6376 section 3.6), and the verification with it: for DKIM and for
ARC."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from dkimgate.dkim import tag_list
from dkimgate.dkim.kept import kept
from dkimgate.dkim.keys import LEAST_BITS
from dkimgate.dkim.published import parse_tags
from dkimgate.dns.resolver import Lookup, Status

MOST_BITS = 8192
"""A stranger publishes the key: each doubling makes its use four times as dear."""

MOST_EXPONENT_BITS = 32
"""65537 has 17. Each doubling takes twice the time, and a message may bear a hundred signatures (ARC)."""

LONGEST_RECORD = 8192
"""Octets of a key record that are read; one of an 8192-bit key takes 1,450."""


MOST_TEXTS = 100
"""TXT records at the name of a key that are looked through; a wildcard may bring some that are no keys."""


@dataclass(frozen=True, slots=True)
class NoKey:
    """There is no key to verify with. `result`: what a signature by it comes to, "temperror" where DNS failed, so that
    nobody knows, "policy" where the key is too short (RFC 8301 section 3.2) or too dear to use, else "permerror". `why`
    in words that may follow a colon."""

    result: str
    why: str


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that may be used for the signature it was looked up for.

    `testing`: the domain is trying DKIM out (t=y). `exact`: only for signatures whose i= is within no sub-domain of d=
    (t=s).
    """

    key: RSAPublicKey | Ed25519PublicKey
    testing: bool = False
    exact: bool = False

    @property
    def bits(self) -> int:
        """The size by which strength is told: of the modulus; 256 of Ed25519."""
        return self.key.key_size if isinstance(self.key, RSAPublicKey) else 256

    def verifies(self, signature: bytes, digest: bytes) -> bool:
        """Is that the signature of what has this SHA-256 digest (RFC 6376 section 3.3.1, RFC 8463 section 3)?"""
        try:
            if isinstance(self.key, RSAPublicKey):
                self.key.verify(signature, digest, PKCS1v15(), Prehashed(SHA256()))
            else:
                self.key.verify(signature, digest)
        except (InvalidSignature, ValueError):
            return False
        return True


def published_key(domain: str, selector: str, algorithm: str, lookup: Lookup) -> PublicKey | NoKey:
    """Fetch the key for a signature with that d=, s= and a=.

    What is no key record is passed over, for wildcards bring SPF records to these names.
    """
    name = f"{selector}._domainkey.{domain}"
    answer = lookup.txt(name)
    if answer.status is Status.FAILED:
        return NoKey("temperror", answer.why)
    if len(answer.values) > MOST_TEXTS:
        return NoKey("permerror", f"{name} has more than {MOST_TEXTS} TXT records")
    records = [found for text in answer.values if (found := _record(text)) is not None]
    if not records:
        return NoKey("permerror", f"{name} has no key record")
    if len(records) > 1:
        return NoKey("permerror", f"{name} has several key records")
    unfit = _unfit(records[0], algorithm)
    if unfit is not None:
        return unfit
    key = (_ed25519 if algorithm == "ed25519-sha256" else _rsa)(records[0]["p"])
    flags = tag_list.words(records[0].get("t", ""))
    return key if isinstance(key, NoKey) else PublicKey(key, "y" in flags, "s" in flags)


@kept(128)
def _record(text: bytes) -> Mapping[str, str] | None:
    try:
        return parse_tags(text.decode("ascii")) if len(text) <= LONGEST_RECORD else None
    except ValueError:  # UnicodeDecodeError is one
        return None


def _unfit(record: Mapping[str, str], algorithm: str) -> NoKey | None:
    if not record["p"]:
        return NoKey("permerror", "the key is revoked")
    if f"{record.get('k', 'rsa').lower()}-sha256" != algorithm:
        return NoKey("permerror", f"the key in DNS is of another kind than a={algorithm}")
    if "h" in record and "sha256" not in tag_list.words(record["h"]):
        return NoKey("permerror", "the key is not for sha256")
    if "s" in record and {"*", "email"}.isdisjoint(tag_list.words(record["s"])):
        return NoKey("permerror", "the key is not for mail")
    return None


@kept(32)
def _ed25519(text: str) -> Ed25519PublicKey | NoKey:
    """The key of a p=."""
    try:
        return Ed25519PublicKey.from_public_bytes(_base64(text))
    except (ValueError, UnsupportedAlgorithm):  # of base64 too
        return NoKey("permerror", "the key in DNS can't be read")


@kept(128)
def _rsa(text: str) -> RSAPublicKey | NoKey:
    """The key of a p=."""
    try:
        key = load_der_public_key(_base64(text))
    except (ValueError, UnsupportedAlgorithm):
        return NoKey("permerror", "the key in DNS can't be read")
    if not isinstance(key, RSAPublicKey):
        return NoKey("permerror", "the key in DNS is not RSA")
    if not LEAST_BITS <= key.key_size <= MOST_BITS:
        return NoKey("policy", f"an RSA key of {key.key_size} bits: {LEAST_BITS} to {MOST_BITS} are accepted")
    if key.public_numbers().e.bit_length() > MOST_EXPONENT_BITS:
        return NoKey("policy", "an RSA key with an exponent that nobody uses in earnest")
    return key


def _base64(text: str) -> bytes:
    return base64.b64decode(re.sub(r"\s+", "", text), validate=True)
