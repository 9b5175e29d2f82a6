"""Private keys that sign, and what DNS should publish of them."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Literal

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PrivateKey = RSAPrivateKey | Ed25519PrivateKey
Algorithm = Literal["rsa-sha256", "ed25519-sha256"]

LEAST_BITS = 1024
"""RSA keys below this are refused: a verifier must not accept them (RFC 8301 section 3.2)."""
SAFE_BITS = 2048
"""What a signer should use at least (RFC 8301 section 3.2)."""
MOST_BITS = 4096
"""The largest RSA key that every verifier must handle (RFC 8301 section 3.2)."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One private key and the name under which DNS publishes its public half.

    `bits` is the size of an RSA modulus; 256 for Ed25519. The key itself is in no repr.
    """

    domain: str
    selector: str
    algorithm: Algorithm
    bits: int
    private: PrivateKey = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """Where DNS holds the public key (RFC 6376 section 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"

    def sign(self, data: bytes) -> bytes:
        """Sign: RSASSA-PKCS1-v1_5 over SHA-256 (RFC 6376 section 3.3.1), or PureEdDSA over the SHA-256 digest (RFC 8463
        section 3)."""
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(data, PKCS1v15(), hashes.SHA256())
        return self.private.sign(hashlib.sha256(data).digest())

    def public_octets(self) -> bytes:
        """The content of `p=`: SubjectPublicKeyInfo for RSA, as all publish it; 32 bare octets for Ed25519 (RFC 8463
        section 4)."""
        if isinstance(self.private, RSAPrivateKey):
            return self.private.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        return self.private.public_key().public_bytes_raw()

    @property
    def fingerprint(self) -> str:
        """Tells one key from another, for people: its kind, and the beginning of a digest of its public half."""
        kind = f"RSA, {self.bits} bits" if self.algorithm == "rsa-sha256" else "Ed25519"
        return f"{kind}, sha256:{hashlib.sha256(self.public_octets()).hexdigest()[:12]}"

    def public_record(self) -> str:
        """The content of the TXT record (RFC 6376 section 3.6.1)."""
        kind = "rsa" if self.algorithm == "rsa-sha256" else "ed25519"
        return f"v=DKIM1; k={kind}; p={base64.b64encode(self.public_octets()).decode()}"


def signing_key(domain: str, selector: str, private: PrivateKey) -> SigningKey:
    """A SigningKey of a private key at hand."""
    if isinstance(private, RSAPrivateKey):
        return SigningKey(domain, selector, "rsa-sha256", private.key_size, private)
    return SigningKey(domain, selector, "ed25519-sha256", 256, private)
