"""A published key, judged once for DKIM and ARC: what a stranger publishes costs little, and each of the two finds its own word for it."""

from __future__ import annotations

import base64
import time

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dkimgate.dkim.public_key import NoKey, published_key
from tests.dkim_world import BODY, HEADER, Signer, check, rsa_key, rsa_record, zone
from tests.fake_dns import FakeResolver

NAME = "s._domainkey.hosted.example"


def published(*records: str, failing: bool = False) -> object:
    found = published_key(
        "hosted.example",
        "s",
        "rsa-sha256",
        FakeResolver({NAME: {"TXT": [*records]}}, frozenset({NAME} if failing else ())).lookup(),
    )
    return (found.result, found.why) if isinstance(found, NoKey) else found.key.public_numbers()  # type: ignore[union-attr]


def test_every_refusal_has_its_result_and_reason() -> None:
    good = rsa_record()
    assert published(good) == rsa_key(2048).public_key().public_numbers()
    assert published("v=spf1 -all", good) == rsa_key(2048).public_key().public_numbers()
    assert published(good, failing=True) == ("temperror", f"TXT {NAME}: failing")
    assert published() == ("permerror", f"{NAME} has no key record")
    assert published("v=spf1 -all") == ("permerror", f"{NAME} has no key record")
    assert published(good, good) == ("permerror", f"{NAME} has several key records")
    assert published("v=DKIM1; p=") == ("permerror", "the key is revoked")
    assert published(good + "; h=sha1") == ("permerror", "the key is not for sha256")
    assert published(good + "; s=tlsrpt") == ("permerror", "the key is not for mail")
    assert published(good.replace("k=rsa", "k=ed25519")) == (
        "permerror",
        "the key in DNS is of another kind than a=rsa-sha256",
    )
    assert published(good[:120]) == ("permerror", "the key in DNS can't be read")


def test_an_exponent_of_a_thousand_bits_is_refused_for_dkim_too() -> None:
    slow = rsa.RSAPublicNumbers(2**1000 + 1, rsa_key(2048).public_key().public_numbers().n).public_key()
    record = "p=" + base64.b64encode(slow.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    assert published(record) == ("policy", "an RSA key with an exponent that nobody uses in earnest")
    found = check(Signer(selector="slow").sign() + HEADER + b"\r\n" + BODY, FakeResolver(zone(slow=record)))[0]
    assert (found.result, "exponent" in found.why) == ("policy", True)


def test_white_space_in_a_record_costs_no_more_than_letters() -> None:
    started = time.process_time()
    for _ in range(50):
        published("p=a" + " " * 4000 + "b" + " " * 4000 + "c")
    assert time.process_time() - started < 0.5
