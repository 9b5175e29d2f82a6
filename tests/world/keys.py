"""Keys made once, zones that publish them, and signatures of every kind, also those that no honest signer makes."""

from __future__ import annotations

import base64
import functools
import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from dkimgate.dkim.keys import PrivateKey
from dkimgate.dkim.verify import CheckedSignature, check_signatures
from dkimgate.message.message import split_message
from tests.world.dns import FakeResolver
from tests.world.mail import forms

NOW = 1_800_000_000
DOMAIN = "hosted.example"
HEADER = b"From: Ann <ann@hosted.example>\r\nTo: bob@receiver.example\r\nSubject: Lunch\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
BODY = b"Hello,\r\nlunch at one?\r\n"


@functools.cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@functools.cache
def ed25519_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def pem(bits: int = 2048) -> bytes:
    """The RSA key as a file that dkimpy reads too."""
    return rsa_key(bits).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def pem_of(key: PrivateKey) -> bytes:
    """A key of any kind as a file."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def rsa_record(bits: int = 2048) -> str:
    octets = rsa_key(bits).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "v=DKIM1; k=rsa; p=" + base64.b64encode(octets).decode()


def ed25519_record() -> str:
    octets = ed25519_key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return "v=DKIM1; k=ed25519; p=" + base64.b64encode(octets).decode()


def zone(**records: str) -> dict[str, dict[str, list[str]]]:
    """The RSA key as `s`, the Ed25519 key as `e`, and other records by selector, all at the author domain."""
    return {
        f"{name}._domainkey.{DOMAIN}": {"TXT": [text]}
        for name, text in {"s": rsa_record(), "e": ed25519_record(), **records}.items()
    }


def relaxed(line: bytes) -> bytes:
    """A header field in relaxed form, written anew for the tests."""
    name, _, value = line.partition(b":")
    words = b" ".join(value.replace(b"\r\n", b"").replace(b"\t", b" ").split(b" "))
    while b"  " in words:
        words = words.replace(b"  ", b" ")
    return name.strip().lower() + b":" + words.strip(b" ")


@dataclass(frozen=True, slots=True)
class MadeWith:
    """Whose key a signature was made with, for records of what was never signed."""

    domain: str = DOMAIN
    selector: str = "default"
    algorithm: str = "rsa-sha256"


@dataclass(frozen=True)
class Signer:
    """Makes relaxed/relaxed signatures by the book, but with any tag replaced, added, or (None) left out."""

    selector: str = "s"
    domain: str = DOMAIN
    names: tuple[str, ...] = ("from", "to", "subject", "date")
    bits: int = 2048
    ed25519: bool = False
    tags: dict[str, str | None] = field(default_factory=dict)

    def sign(self, header: bytes = HEADER, body: bytes = BODY, covered: int | None = None) -> bytes:
        """The DKIM-Signature field. `body` is in relaxed form already; `covered` octets of it are hashed."""
        tags: dict[str, str | None] = {
            "v": "1",
            "a": "ed25519-sha256" if self.ed25519 else "rsa-sha256",
            "c": "relaxed/relaxed",
            "d": self.domain,
            "s": self.selector,
            "h": ":".join(self.names),
            "bh": base64.b64encode(hashlib.sha256(body[:covered]).digest()).decode(),
        }
        tags.update(self.tags)
        text = (
            "DKIM-Signature: "
            + "; ".join(f"{name}={value}" for name, value in tags.items() if value is not None)
            + "; b="
        )
        lines = [line for line in header.split(b"\r\n") if line]
        chosen: list[bytes] = []
        for name in self.names:
            at = next(
                (n for n in reversed(range(len(lines))) if lines[n].lower().startswith(name.encode() + b":")), None
            )
            if at is not None:
                chosen.append(relaxed(lines.pop(at)))
        signed = b"\r\n".join([*chosen, relaxed(text.encode())])
        if self.ed25519:
            signature = ed25519_key().sign(hashlib.sha256(signed).digest())
        else:
            signature = rsa_key(self.bits).sign(signed, PKCS1v15(), SHA256())
        return text.encode() + base64.b64encode(signature) + b"\r\n"


def check(
    raw: bytes, dns: FakeResolver | None = None, author: str | None = DOMAIN, **options: int
) -> tuple[CheckedSignature, ...]:
    header, body = split_message(raw)
    lookup = (dns or FakeResolver(zone())).lookup()
    return check_signatures(header, forms(body), author, lookup, NOW, **options)
