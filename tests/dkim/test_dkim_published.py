"""What DNS publishes, judged against the key that signs."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.dkim.keys import signing_key
from dkimgate.dkim.published import KeyStatus, judge, parse_tags

RSA = signing_key("hosted.example", "default", rsa.generate_private_key(65537, 2048))
ED25519 = signing_key("hosted.example", "ed", Ed25519PrivateKey.generate())


def p_of(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


P = p_of(RSA.public_octets())
ED_P = p_of(ED25519.public_octets())
PKCS1 = p_of(RSA.private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1))
EC = p_of(
    ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)
WRAPPED = p_of(ED25519.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
OTHER = p_of(signing_key("x.example", "s", rsa.generate_private_key(65537, 2048)).public_octets())
OTHER_ED = p_of(Ed25519PrivateKey.generate().public_key().public_bytes_raw())


def _name(value: object) -> str:
    """The keys are new at each run, the names of the tests are not: several processes must find the same ones."""
    return value.value if isinstance(value, KeyStatus) else "record"


@pytest.mark.parametrize(
    ("record", "status"),
    [
        (RSA.public_record(), KeyStatus.AGREES),
        (f"p={P}", KeyStatus.AGREES),
        (f"v=DKIM1;k=rsa;h=sha1:sha256;s=*;t=s;n=a note;g=*;p={P};", KeyStatus.AGREES),
        (f" v = DKIM1 ; p = {P[:100]} \t {P[100:]} ; ", KeyStatus.AGREES),
        (f"v=DKIM1; s=other : email; h= sha256 ; p={P}", KeyStatus.AGREES),
        (f"v=DKIM1; p={PKCS1}", KeyStatus.AGREES),
        ("v=DKIM1; k=rsa; p=", KeyStatus.REVOKED),
        ("p=", KeyStatus.REVOKED),
        (ED25519.public_record(), KeyStatus.WRONG_TYPE),
        (f"v=DKIM1; k=RSA; p={P}", KeyStatus.WRONG_TYPE),
        (f"v=DKIM1; h=sha1; p={P}", KeyStatus.WRONG_HASH),
        (f"v=DKIM1; s=tlsrpt; p={P}", KeyStatus.WRONG_SERVICE),
        (f"v=DKIM1; p={OTHER}", KeyStatus.DIFFERS),
        (f"v=DKIM1; t=y; p={P}", KeyStatus.TESTING),
        (f"v=DKIM1; t=s:y; p={P}", KeyStatus.TESTING),
        (f"v=DKIM1; t=y; p={OTHER}", KeyStatus.DIFFERS),
        (f"v=DKIM1; p={EC}", KeyStatus.MALFORMED),
        (f"v=DKIM1; p={P[:200]}", KeyStatus.MALFORMED),
        (f"v=DKIM1; p={P[:201]}", KeyStatus.MALFORMED),
        (f'v=DKIM1; p={P[:200]}" "{P[200:]}', KeyStatus.MALFORMED),
        (f"v=DKIM1\\; p={P}", KeyStatus.MALFORMED),
        (f'"v=DKIM1; p={P}"', KeyStatus.MALFORMED),
        (f"k=rsa; v=DKIM1; p={P}", KeyStatus.MALFORMED),
        (f"v=DKIM2; p={P}", KeyStatus.MALFORMED),
        (f"v=DKIM1; p={P}; p={P}", KeyStatus.MALFORMED),
        (f"v=DKIM1;; p={P}", KeyStatus.MALFORMED),
        ("v=DKIM1; k=rsa", KeyStatus.MALFORMED),
        ("v=spf1 -all", KeyStatus.MALFORMED),
        ("", KeyStatus.MALFORMED),
        ("ü", KeyStatus.MALFORMED),
    ],
    ids=_name,
)
def test_an_rsa_key(record: str, status: KeyStatus) -> None:
    finding = judge(RSA, [record.encode()])
    assert finding.status is status
    assert bool(finding.detail) == (status is not KeyStatus.AGREES)


@pytest.mark.parametrize(
    ("record", "status"),
    [
        (ED25519.public_record(), KeyStatus.AGREES),
        (f"v=DKIM1; k=ed25519; p={OTHER_ED}", KeyStatus.DIFFERS),
        (f"v=DKIM1; k=ed25519; p={WRAPPED}", KeyStatus.MALFORMED),
        (f"v=DKIM1; p={ED_P}", KeyStatus.WRONG_TYPE),
        (RSA.public_record(), KeyStatus.WRONG_TYPE),
        ("v=DKIM1; k=ed25519; p=", KeyStatus.REVOKED),
        ("v=DKIM1; k=ed25519; p=*", KeyStatus.MALFORMED),
    ],
    ids=_name,
)
def test_an_ed25519_key(record: str, status: KeyStatus) -> None:
    assert judge(ED25519, [record.encode()]).status is status


def test_no_record_and_several() -> None:
    assert judge(RSA, []).status is KeyStatus.MISSING
    assert judge(RSA, [RSA.public_record().encode(), b"v=spf1 -all"]).status is KeyStatus.SEVERAL


@given(st.binary(max_size=80))
def test_no_record_whatever_makes_it_fail(record: bytes) -> None:
    assert judge(RSA, [record]).status is not KeyStatus.AGREES
    assert judge(RSA, [b"v=DKIM1; p=" + record]).status is not KeyStatus.AGREES
    assert judge(ED25519, [b"v=DKIM1; k=ed25519; p=" + record]).status is not KeyStatus.AGREES


def test_tags_keep_what_stands_between_the_spaces() -> None:
    assert parse_tags("v=DKIM1; n = a = b ;p=x=") == {"v": "DKIM1", "n": "a = b", "p": "x="}
