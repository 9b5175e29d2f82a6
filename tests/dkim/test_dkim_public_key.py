"""A published key, judged once for DKIM and ARC: what a stranger publishes costs little, and each of the two finds its own word for it."""

from __future__ import annotations

import base64
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dkimgate.dkim.public_key import LONGEST_RECORD, MOST_TEXTS, NoKey, published_key
from tests.world.dns import FakeResolver
from tests.world.keys import BODY, HEADER, Signer, check, ed25519_key, rsa_key, rsa_record, zone

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
    others = ["v=spf1 -all"] * (MOST_TEXTS - 1)
    assert published(*others, good) == rsa_key(2048).public_key().public_numbers()
    assert published(*others, "x", good) == ("permerror", f"{NAME} has more than {MOST_TEXTS} TXT records")
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


def spki(exponent: int, bits: int) -> str:
    """The record of an RSA key of that size, which nobody has the other half of."""
    key = rsa.RSAPublicNumbers(exponent, 2 ** (bits - 1) + 1).public_key()
    return "p=" + base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def test_keys_are_accepted_from_1024_to_8192_bits() -> None:
    """RFC 8301 section 3.2 for the least; what is longer, or has a long exponent, costs too much."""
    for bits, accepted in ((1023, False), (1024, True), (8192, True), (8193, False)):
        found = published(spki(65537, bits))
        assert (not isinstance(found, tuple)) is accepted, bits
        if not accepted:
            assert found == ("policy", f"an RSA key of {bits} bits: 1024 to 8192 are accepted")
    for exponent, accepted in ((2**31 + 1, True), (2**32 + 1, False)):
        assert (not isinstance(published(spki(exponent, 2048)), tuple)) is accepted


def test_what_a_record_says_is_read_without_case_and_blanks() -> None:
    numbers = rsa_key(2048).public_key().public_numbers()
    for more in ("; s=*", "; s=EMAIL", "; s= tlsrpt : Email ", "; h=SHA256", "; h= sha1 : sha256", "; k=RSA", "; n=x"):
        assert published(rsa_record().replace("k=rsa; ", "") + more) == numbers, more
    at = rsa_record().index("p=") + 60
    assert published(rsa_record()[:at] + " \t " + rsa_record()[at:]) == numbers


def test_what_is_no_rsa_key_is_none() -> None:
    elliptic = ec.generate_private_key(ec.SECP256R1()).public_key()
    for public in (elliptic, ed25519_key().public_key()):
        octets = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert published("p=" + base64.b64encode(octets).decode()) == ("permerror", "the key in DNS is not RSA")
    unknown = bytes.fromhex("300d300706032a030405000302000a")  # an algorithm that no library knows
    for octets in (b"\0\0\0", unknown):
        assert published("p=" + base64.b64encode(octets).decode()) == ("permerror", "the key in DNS can't be read")
    good = rsa_record()
    assert published(good[:80] + "!" + good[80:]) == ("permerror", "the key in DNS can't be read")


def test_the_longest_record_that_is_read() -> None:
    for length, found in ((LONGEST_RECORD, True), (LONGEST_RECORD + 1, False)):
        record = rsa_record() + "; n="
        answer = published(record + "x" * (length - len(record)))
        assert (not isinstance(answer, tuple)) is found


@pytest.mark.parametrize("text", ["AAAA", "A", "", "=", "AAAA" * 11, "!!!!"])
def test_what_is_no_key_of_ed25519(text: str) -> None:
    resolver = FakeResolver({NAME: {"TXT": [f"v=DKIM1; k=ed25519; p={text}"]}})
    found = published_key("hosted.example", "s", "ed25519-sha256", resolver.lookup())
    why = "the key is revoked" if not text else "the key in DNS can't be read"
    assert found == NoKey("permerror", why)
