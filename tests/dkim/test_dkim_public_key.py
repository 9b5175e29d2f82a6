"""A published key, judged once for DKIM and ARC: what a stranger publishes costs little, and each of the two finds its own word for it."""

from __future__ import annotations

import base64
import time

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dkimgate.dkim.public_key import KeyProblem, NoKey, published_key
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
    return found.problem if isinstance(found, NoKey) else found.key.public_numbers()  # type: ignore[union-attr]


def test_every_refusal_has_its_type() -> None:
    good = rsa_record()
    assert published(good) == rsa_key(2048).public_key().public_numbers()
    assert published("v=spf1 -all", good) == rsa_key(2048).public_key().public_numbers()
    assert published(good, failing=True) is KeyProblem.UNANSWERED
    assert published() is KeyProblem.MISSING
    assert published("v=spf1 -all") is KeyProblem.MISSING
    assert published(good, good) is KeyProblem.SEVERAL
    assert published("v=DKIM1; p=") is KeyProblem.REVOKED
    assert published(good + "; h=sha1") is KeyProblem.UNFIT
    assert published(good + "; s=tlsrpt") is KeyProblem.UNFIT
    assert published(good.replace("k=rsa", "k=ed25519")) is KeyProblem.UNFIT
    assert published(good[:120]) is KeyProblem.UNREADABLE


def test_an_exponent_of_a_thousand_bits_is_refused_for_dkim_too() -> None:
    slow = rsa.RSAPublicNumbers(2**1000 + 1, rsa_key(2048).public_key().public_numbers().n).public_key()
    record = "p=" + base64.b64encode(slow.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    assert published(record) is KeyProblem.WEAK
    found = check(Signer(selector="slow").sign() + HEADER + b"\r\n" + BODY, FakeResolver(zone(slow=record)))[0]
    assert (found.result, "exponent" in found.why) == ("policy", True)


def test_white_space_in_a_record_costs_no_more_than_letters() -> None:
    started = time.process_time()
    for _ in range(50):
        published("p=a" + " " * 4000 + "b" + " " * 4000 + "c")
    assert time.process_time() - started < 0.5
