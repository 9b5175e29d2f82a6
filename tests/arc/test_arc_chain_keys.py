"""Which key records validate a chain, by what the RFC and dkimpy say."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dkimgate.arc.validate import Validation
from dkimgate.dkim.keys import signing_key
from tests.arc.sealing import (
    EDDA,
    LIST,
    chain_of,
    mail,
)

OTHER = signing_key("lists.example", "arc", rsa.generate_private_key(65537, 2048))


def small_key() -> rsa.RSAPrivateKey:
    """Of 776 bits, from well-known primes: nobody makes such a key any more."""
    p, q = 2**521 - 1, 2**255 - 19
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    )
    return numbers.private_key()


SMALL = signing_key("lists.example", "arc", small_key())
GOOD = LIST.public_record()
P = GOOD.partition("p=")[2]
assert isinstance(LIST.private, rsa.RSAPrivateKey)
PKCS1 = base64.b64encode(LIST.private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)).decode()
SLOW = rsa.RSAPublicNumbers(2**1000 + 1, LIST.private.public_key().public_numbers().n).public_key()
SLOW_P = base64.b64encode(SLOW.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@pytest.mark.parametrize(
    "records",
    [
        [f"p={P}"],
        [f"k=rsa; p={P}"],
        [f"v=DKIM1; p={PKCS1}"],
        [f"v=DKIM1; h=sha1:sha256; s=email; t=s; n=a note; p={P[:50]} \t {P[50:]};"],
        [f"v=DKIM1; s=*; p={P}"],
        ["v=spf1 -all", GOOD, "some verification=token"],
    ],
)
def test_key_records_that_do(records: list[str]) -> None:
    assert chain_of(mail().sealed(), {LIST.name: {"TXT": records}}).cv is Validation.PASS


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([], "no key record"),
        (["v=spf1 -all"], "no key record"),
        ([GOOD, GOOD], "several key records"),
        (["v=DKIM1; p="], "revoked"),
        (["v=DKIM1"], "no key record"),
        ([f"v=DKIM2; p={P}"], "no key record"),
        ([f"k=rsa; v=DKIM1; p={P}"], "no key record"),
        ([f"v=DKIM1; p={P}; p={P}"], "no key record"),
        ([f"v=DKIM1; h=sha1; p={P}"], "not for sha256"),
        ([f"v=DKIM1; s=tlsrpt; p={P}"], "not for mail"),
        ([f"v=DKIM1; k=ed25519; p={P}"], "another kind"),
        (["v=DKIM1; p=****"], "can't be read"),
        ([f"v=DKIM1; p={P[:100]}"], "can't be read"),
        ([EDDA.public_record().replace("k=ed25519", "k=rsa")], "can't be read"),
        ([OTHER.public_record()], "another key"),
        ([SMALL.public_record()], "776 bits"),
        ([f"p={SLOW_P}"], "exponent"),
    ],
)
def test_key_records_that_do_not(records: list[str], why: str) -> None:
    chain = chain_of(mail().sealed(), {LIST.name: {"TXT": records}})
    assert chain.cv is Validation.FAIL
    assert why in chain.why


def test_a_key_that_is_too_small_does_not_count_though_it_signed() -> None:
    assert "776 bits" in chain_of(mail().sealed(SMALL), {SMALL.name: {"TXT": [SMALL.public_record()]}}).why


@pytest.mark.parametrize("p", ["AAAA", base64.b64encode(b"\0" * 31).decode(), P])
def test_an_ed25519_key_has_32_octets(p: str) -> None:
    assert chain_of(mail().sealed(EDDA), {EDDA.name: {"TXT": [f"k=ed25519; p={p}"]}}).cv is Validation.FAIL
