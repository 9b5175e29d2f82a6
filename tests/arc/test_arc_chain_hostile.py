"""Chains that were changed anywhere, and headers and keys that mean harm: no octet can change, nothing raises, and it costs little."""

from __future__ import annotations

import base64
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.arc.validate import Validation, validate
from dkimgate.message.message import HeaderField
from tests.arc.sealing import (
    LIST,
    NOW,
    SIGNED,
    STRANGER,
    ZONE,
    Dns,
    Mail,
    chain_of,
    mail,
)
from tests.arc.test_arc_chain import SENT
from tests.arc.test_arc_chain_keys import P
from tests.world.dns import FakeResolver
from tests.world.mail import forms

# --- mutations ----------------------------------------------------------------------------------------------------------------------

SIGNED_SPANS = (
    "ARC-Seal",
    "ARC-Message-Signature",
    "ARC-Authentication-Results",
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_octet_of_a_signed_field_can_change(data: st.DataObject) -> None:
    positions = [at for at, each in enumerate(SENT.header) if each.name.decode() in SIGNED_SPANS]
    at = data.draw(st.sampled_from(positions))
    old = SENT.header[at].value
    # white space is free, and so are bits in the last letter of the newest signature, which stand for nothing
    end = len(old.rstrip(b"=")) - (at == 0)
    index = data.draw(st.sampled_from([n for n, octet in enumerate(old[:end]) if octet not in b" \t\n=;"]))
    new = data.draw(st.sampled_from([octet for octet in range(33, 127) if octet not in (old[index], 0x3B, 0x3D)]))
    value = old[:index] + bytes([new]) + old[index + 1 :]
    header = (*SENT.header[:at], HeaderField(SENT.header[at].name, value), *SENT.header[at + 1 :])
    chain = chain_of(replace(SENT, header=header))
    assert chain.cv is Validation.FAIL, (old, value)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.binary(min_size=1, max_size=3))
def test_no_octet_of_the_body_can_change(at: int, octets: bytes) -> None:
    at %= len(SENT.body)
    body = SENT.body[:at] + octets + SENT.body[at + 1 :]
    squeezed = [b"".join(line.split()) for line in (body, SENT.body)]
    if squeezed[0] != squeezed[1]:
        assert chain_of(replace(SENT, body=body)).cv is Validation.FAIL


VALUES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"i=1;",
                b" i=2;",
                b"a=rsa-sha256;",
                b"cv=none;",
                b"cv=pass;",
                b"d=lists.example;",
                b"s=arc;",
                b"b=AAAA;",
                b"bh=AAAA;",
                b"h=from;",
                b"c=/",
                b"=",
                b";",
                b"\n ",
                b"\0",
            ]
        ),
        st.binary(max_size=5),
    ),
    max_size=12,
).map(b"".join)
FIELDS = st.builds(
    HeaderField,
    st.sampled_from([b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results", b"arc-seal\0", b"From"]),
    VALUES,
)


@pytest.mark.heavy
@settings(max_examples=200, deadline=None)
@given(st.lists(FIELDS, max_size=8), st.binary(max_size=20))
def test_nothing_raises(header: list[HeaderField], body: bytes) -> None:
    assert validate(header, forms(body), FakeResolver(ZONE).lookup(), NOW).cv in (Validation.NONE, Validation.FAIL)
    assert (
        validate([*header, *SENT.header], forms(SENT.body), FakeResolver(ZONE).lookup(), NOW).cv is not Validation.NONE
    )


ONE = mail().sealed()


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60).map(lambda octets: "p=" + base64.b64encode(octets).decode()),
        st.text(max_size=40),
        st.just("p=" + P).flatmap(lambda text: st.integers(0, len(text)).map(lambda n: text[:n] + "A" + text[n:])),
    )
)
def test_no_key_record_raises(record: str) -> None:
    record = record.encode("utf-8", "replace").decode()
    assert chain_of(ONE, {LIST.name: {"TXT": [record]}}).cv is Validation.FAIL


# --- hostile sizes --------------------------------------------------------------------------------------------------------------------

LONG = b"x" * 60_000
HOSTILE = {
    "20,000 results": [HeaderField(b"ARC-Authentication-Results", b" i=1; a; dmarc=fail; spf=pass" + b" x" * 50)]
    * 20_000,
    "20,000 seals": [HeaderField(b"ARC-Seal", b" i=1; a=rsa-sha256; " + b"z=y" * 50)] * 20_000,
    "150 long seals": [HeaderField(b"ARC-Seal", b" i=1; h=" + b"from:" * 5_000)] * 150,
    "150 of many tags": [
        HeaderField(b"ARC-Seal", b" i=%d;" % n + b";".join(b"t%d=" % n for n in range(2_000))) for n in range(1, 51)
    ]
    * 3,
    "white space": [
        HeaderField(b"ARC-Seal", b" " * 1_000_000 + b"i"),
        HeaderField(b"ARC-Authentication-Results", b" " * 1_000_000 + b"i=1"),
    ],
    "commas of results": [HeaderField(b"ARC-Authentication-Results", b" i=1; a; " + b"dmarc =" * 300_000)],
}


@pytest.mark.parametrize("header", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_headers_cost_little(header: list[HeaderField]) -> None:
    dns = Dns()
    started = time.process_time()
    chain = dns.validate(Mail(tuple(header), b"x" * 1_000_000))
    assert (chain.cv, dns.asked) == (Validation.FAIL, [])
    assert time.process_time() - started < 2


def test_a_key_record_full_of_white_space_costs_little() -> None:
    started = time.process_time()
    chain_of(mail().sealed(), {LIST.name: {"TXT": ["p=" + P[:9] + " " * 65_000 + P[9:] + " x"]}})
    assert time.process_time() - started < 1


@pytest.mark.heavy
def test_fifty_sets_over_a_large_header_and_body_cost_little() -> None:
    header = (*mail().header, *(HeaderField(b"x%d" % n, b" " + b"y" * 1_000) for n in range(1_000)))
    message = Mail(header, b"The quick brown fox \t jumps \r\n" * 3_000 + b"\r\n" * 30_000)
    for _ in range(50):
        message = message.sealed(STRANGER, h=SIGNED + ":" + ":".join(f"x{n}" for n in range(1_000)))
    started = time.process_time()
    chain = chain_of(message)
    assert (chain.cv, chain.oldest_pass, len(chain.sets)) == (Validation.PASS, 0, 50)
    assert time.process_time() - started < 2


def test_a_large_body_costs_little() -> None:
    message = ONE.changed(b"bh=", b"bh= ")
    message = replace(message, body=b"The quick brown fox \t jumps \r\n" * 300_000 + b"\r\n" * 300_000)
    for c in ("relaxed/relaxed", "relaxed/simple"):
        started = time.process_time()
        assert chain_of(message.changed(b"c=relaxed/relaxed", b"c=" + c.encode())).why.endswith("the body was changed")
        assert time.process_time() - started < 2
