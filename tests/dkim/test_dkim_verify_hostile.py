"""Signatures, keys and bodies that mean harm: nothing raises, and time stays linear."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.authres.methods import DkimResult
from dkimgate.dkim.content import Content
from dkimgate.dkim.verify import check_signatures
from dkimgate.message.message import HeaderField, split_message
from tests.world.dns import FakeResolver
from tests.world.keys import (
    BODY,
    DOMAIN,
    HEADER,
    NOW,
    Signer,
    check,
    ed25519_key,
    ed25519_record,
    relaxed,
    rsa_key,
    rsa_record,
    zone,
)
from tests.world.mail import forms


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_octet_of_what_is_signed_counts(data: st.DataObject) -> None:
    """One octet of the signed header or the body is replaced: no pass is left, unless the relaxed form is the same."""
    signature = Signer().sign()
    message = HEADER + b"\r\n" + BODY
    at = data.draw(st.integers(0, len(message) - 3))
    changed = message[:at] + bytes([data.draw(st.integers(0, 255))]) + message[at + 1 :]
    if _canonical(changed) == _canonical(message):
        return
    assert not any(s.result == "pass" for s in check(signature + changed))


def _canonical(message: bytes) -> tuple[list[bytes], bytes]:
    # a line feed alone ends a line too, so a CR that becomes white space changes nothing
    header, body = split_message(message)
    return [relaxed(field.name + b":" + field.value) for field in header], Content((), forms(body)).body(
        "relaxed"
    ).digest


ATOMS = [
    b"v=1",
    b"a=rsa-sha256",
    b"b=AA==",
    b"bh=AA==",
    b"d=hosted.example",
    b"h=from",
    b"s=s",
    b"l=1",
    b"x=9",
    b"c=/",
    b"=",
    b";;",
    b"\xff",
    b"\0",
]


@given(
    st.lists(st.one_of(st.sampled_from(ATOMS), st.binary(max_size=8)), max_size=14),
    st.binary(max_size=60),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_hostile_signatures_never_raise(parts: list[bytes], body: bytes, known: bool) -> None:
    header = (HeaderField(b"DKIM-Signature", b"; ".join(parts)), HeaderField(b"From", b" ann@hosted.example"))
    found = check_signatures(header, forms(body), DOMAIN if known else None, FakeResolver(zone()).lookup(), NOW)
    assert len(found) == 1
    assert found[0].result in [*DkimResult]
    assert found[0].result != "pass"


@given(
    st.one_of(st.text(max_size=80), st.binary(max_size=60).map(lambda octets: "p=" + base64.b64encode(octets).decode()))
)
@settings(max_examples=200, deadline=None)
def test_hostile_keys_never_raise(record: str) -> None:
    dns = FakeResolver(zone(s=record.encode("utf-8", "replace").decode()))
    raw = Signer().sign() + HEADER + b"\r\n" + BODY
    assert check(raw, dns)[0].result in ("permerror", "policy", "neutral")
    assert check(Signer(ed25519=True).sign() + HEADER + b"\r\n" + BODY, dns)[0].result in (
        "permerror",
        "policy",
        "neutral",
        "fail",
    )


def test_a_thousand_signatures_over_a_large_body_take_the_time_of_one() -> None:
    body = b"The quick  brown fox \t jumps. \r\n" * 60_000  # 2 MB
    field = Signer(tags={"c": "relaxed/simple"}).sign(body=body).removeprefix(b"DKIM-Signature:").rstrip()
    header = (*(HeaderField(b"DKIM-Signature", field) for _ in range(1000)), *split_message(HEADER + b"\r\n")[0])
    started = time.process_time()
    found = check_signatures(header, forms(body), DOMAIN, FakeResolver(zone()).lookup(), NOW)
    assert time.process_time() - started < 1
    assert [s.result for s in found] == ["pass"] * 10


@pytest.mark.parametrize("octets", [b" ", b"\t", b"\r\n", b" \r\n", b"\r", b"\n", b"x \t"], ids=repr)
def test_hostile_bodies_take_linear_time(octets: bytes) -> None:
    body = octets * (2_000_000 // len(octets))
    started = time.process_time()
    for form in ("simple", "relaxed"):
        Content((), forms(body)).body(form)
    assert time.process_time() - started < 1


def test_keys_differ() -> None:
    """The world of these tests is sound: the two records are of the two keys."""
    assert ed25519_record() != rsa_record() and rsa_key() is rsa_key() and ed25519_key() is ed25519_key()
