"""Our own verification of DKIM: what dkimpy signs, what it verifies too, and what must never pass."""

from __future__ import annotations

import base64
import time

import dkim
import pytest

from dkimgate.dkim import signature as dkim_signature
from dkimgate.dkim.verify import check_signatures
from dkimgate.evidence.result_claims import of_signature
from dkimgate.facts import Standing
from dkimgate.message.message import split_message
from tests.world.dns import FakeResolver
from tests.world.keys import (
    BODY,
    DOMAIN,
    HEADER,
    NOW,
    Signer,
    check,
    pem,
    rsa_record,
    zone,
)
from tests.world.mail import forms

BODIES = {
    "plain": BODY,
    "empty": b"",
    "one line end": b"\r\n",
    "no final line end": b"Hello",
    "white space at the ends": b"Hello  \r\n\tlunch \t at\tone? \t\r\n",
    "blank lines at the end": b"Hello\r\n\r\n\r\n\r\n",
    "blank lines only": b"\r\n" * 5,
    "white lines only": b" \t \r\n" * 5,
    "white lines inside": b"A\r\n \r\n\t\r\n\r\nB\r\n  \r\n",
    "8-bit": b"Gr\xfc\xdfe \xa0 \xff\r\n",
}
HEADERS = {
    "plain": HEADER,
    "folded": HEADER
    + b"References: <1@hosted.example>\r\n <2@hosted.example>\r\n\t<3@hosted.example>  \r\nMIME-Version:\r\n 1.0\r\n",
    "tabs": b"From:\tAnn\t<ann@hosted.example>\t\r\nSubject:\t\tx\t y\r\n",
    "UTF-8": HEADER + "Reply-To: Žofie <žofie@hosted.example>\r\n".encode(),
    "no space after the colon": b"From:<ann@hosted.example>\r\nSubject:x\r\nTo: \r\nCc:\r\n",
    "repeated": HEADER + b"To: two\r\nCc: x\r\ncc: y\r\n",
    "trace above": b"Received: from a by b\r\nX-Spam-Status: No\r\n" + HEADER,
}


@pytest.mark.parametrize(
    "canonical", [(h, b) for h in (b"simple", b"relaxed") for b in (b"simple", b"relaxed")], ids=str
)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_dkimpy_signs_any_body_and_we_verify(body: bytes, canonical: tuple[bytes, bytes]) -> None:
    raw = HEADER + b"\r\n" + body
    field = dkim.sign(raw, b"s", DOMAIN.encode(), pem(), canonicalize=canonical)
    header, content = split_message(field + raw)
    found = check_signatures(header, forms(content), DOMAIN, FakeResolver(zone()).lookup(), time.time())
    assert [(s.result, s.why) for s in found] == [("pass", "")]
    assert (found[0].domain, found[0].selector, found[0].key_bits) == (DOMAIN, "s", 2048)


@pytest.mark.parametrize("form", [b"simple", b"relaxed"], ids=str)
@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_dkimpy_signs_any_header_and_we_verify(header: bytes, form: bytes) -> None:
    raw = header + b"\r\n" + BODY
    field = dkim.sign(raw, b"s", DOMAIN.encode(), pem(), canonicalize=(form, b"relaxed"))
    fields, content = split_message(field + raw)
    found = check_signatures(fields, forms(content), DOMAIN, FakeResolver(zone()).lookup(), time.time())
    assert [(s.result, s.why) for s in found] == [("pass", "")]


TAMPERED = {
    "body": (b"lunch at one", b"lunch at two", "the body was changed"),
    "line added to the body": (b"one?\r\n", b"one?\r\nPay here.\r\n", "the body was changed"),
    "subject": (b"Subject: Lunch", b"Subject: [SPAM] Lunch", "the signature does not fit"),
    "from": (b"Ann <ann@", b"Ann <boss@", "the signature does not fit"),
    "another To below": (b"Date:", b"To: x@receiver.example\r\nDate:", "the signature does not fit"),
    "a second From": (b"To:", b"From: eve@hosted.example\r\nTo:", "2 From fields"),
    "no From": (b"From:", b"X-From:", "0 From fields"),
    "signature": (b"b=", b"b=AAAA", ""),
    "selector": (b"s=s;", b"s=e;", "another kind"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_nothing_may_change(case: str) -> None:
    old, new, why = TAMPERED[case]
    raw = Signer().sign() + HEADER + b"\r\n" + BODY
    assert check(raw)[0].result == "pass"
    assert old in raw
    start = raw.rindex(old) if case == "signature" else raw.index(old)
    found = check(raw[:start] + new + raw[start + len(old) :])[0]
    assert found.result != "pass"
    assert why in found.why


def test_fields_on_top_do_no_harm() -> None:
    raw = b"X-Spam-Status: No\r\nReceived: from a by b\r\n" + Signer().sign() + HEADER + b"\r\n" + BODY
    assert check(raw)[0].result == "pass"


def test_what_our_hosts_added_is_not_what_the_sender_signed() -> None:
    """The sender signed that there is no Delivered-To; a host of ours added one above the border's Received field."""
    signature = Signer(names=("from", "delivered-to")).sign()
    raw = b"Delivered-To: bob\r\nReceived: from a by b\r\n" + signature + HEADER + b"\r\n" + BODY
    assert check(raw)[0].result == "fail"
    assert check(raw, above=2)[0].result == "pass"
    assert check(raw, above=2)[0].position == 2


def test_a_signature_that_a_host_of_ours_added_is_no_evidence() -> None:
    """An earlier signer that signs what it forwards must not make a forgery look as if it had arrived signed."""
    raw = Signer().sign() + b"Received: from a by b\r\n" + HEADER + b"\r\n" + BODY
    assert check(raw)[0].result == "pass"
    assert check(raw, above=2) == ()


def test_a_from_that_our_hosts_added_is_not_signed() -> None:
    raw = (
        b"From: ann@hosted.example\r\nReceived: from a by b\r\n" + Signer().sign(b"To: x\r\n") + b"To: x\r\n\r\n" + BODY
    )
    assert check(raw, above=2)[0].result == "permerror"


REFUSED = {
    "From not signed": (Signer(names=("to", "subject")), "permerror", "From is not signed"),
    "rsa-sha1": (Signer(tags={"a": "rsa-sha1"}), "policy", "rsa-sha1"),
    "unknown algorithm": (Signer(tags={"a": "rsa-md5"}), "neutral", "algorithm"),
    "unknown version": (Signer(tags={"v": "2"}), "neutral", "version"),
    "no version": (Signer(tags={"v": None}), "neutral", "no v="),
    "no body hash": (Signer(tags={"bh": None}), "neutral", "no bh="),
    "no selector": (Signer(tags={"s": None}), "neutral", "no s="),
    "body hash of something else": (Signer(tags={"bh": "AAAA"}), "fail", "body was changed"),
    "not base64": (Signer(tags={"bh": "A!!A"}), "neutral", "base64"),
    "unknown canonicalization": (Signer(tags={"c": "nofws"}), "neutral", "canonicalization"),
    "unknown query": (Signer(tags={"q": "http/x"}), "neutral", "dns/txt"),
    "identity outside": (Signer(tags={"i": "@evil.example"}), "permerror", "not within d="),
    "identity that only ends alike": (Signer(tags={"i": "@xhosted.example"}), "permerror", "not within d="),
    "domain that is none": (Signer(tags={"d": "hosted.example@x"}), "neutral", "no domain name"),
    "future": (Signer(tags={"t": str(NOW + 3600)}), "fail", "future"),
    "expired": (Signer(tags={"x": str(NOW - 3600)}), "fail", "expired"),
    "expires before it begins": (Signer(tags={"t": str(NOW - 5), "x": str(NOW - 6)}), "permerror", "x= is not later"),
    "time that is no number": (Signer(tags={"t": "-1"}), "neutral", "no number"),
    "short key": (Signer(selector="weak", bits=1024), "pass", ""),
    "no key": (Signer(selector="none"), "permerror", "no key record"),
    "revoked": (Signer(selector="revoked"), "permerror", "revoked"),
    "testing": (Signer(selector="testing"), "neutral", "t=y"),
    "sha1 only": (Signer(selector="sha1"), "permerror", "sha256"),
    "other service": (Signer(selector="tlsrpt"), "permerror", "not for mail"),
    "cut off": (Signer(selector="cut"), "permerror", "can't be read"),
    "no key record": (Signer(selector="text"), "permerror", "no key record"),
    "too long": (Signer(selector="long"), "permerror", "no key record"),
    "no sub-domains": (Signer(selector="strict", tags={"i": "@sub.hosted.example"}), "permerror", "t=s"),
    "no sub-domains and none used": (Signer(selector="strict"), "pass", ""),
    "several services": (Signer(selector="services"), "pass", ""),
    "key of another kind": (Signer(selector="e"), "permerror", "another kind"),
    "Ed25519": (Signer(selector="e", ed25519=True), "pass", ""),
    "Ed25519 named, RSA published": (Signer(selector="s", ed25519=True), "permerror", "another kind"),
    "all that is optional": (
        Signer(tags={"t": str(NOW - 10), "x": str(NOW + 10), "q": "dns/txt", "z": "From:x"}),
        "pass",
        "",
    ),
    "capitals": (Signer(domain="HOSTED.example", tags={"a": "RSA-SHA256"}), "pass", ""),
}
KEYS = {
    "weak": rsa_record(1024),
    "revoked": "v=DKIM1; p=",
    "testing": rsa_record() + "; t=y",
    "sha1": rsa_record() + "; h=sha1",
    "tlsrpt": rsa_record() + "; s=tlsrpt",
    "cut": rsa_record()[:120] + "=",
    "text": "v=spf1 -all",
    "long": rsa_record() + "; n=" + "x" * 9000,
    "strict": rsa_record() + "; t=s",
    "services": rsa_record() + "; s=tlsrpt : email; h=sha1:sha256",
}


@pytest.mark.parametrize("case", REFUSED)
def test_signatures_of_every_kind(case: str) -> None:
    signer, result, why = REFUSED[case]
    found = check(signer.sign() + HEADER + b"\r\n" + BODY, FakeResolver(zone(**KEYS)))
    assert [s.result for s in found] == [result], found[0].why
    assert why in found[0].why


def test_expiry_is_told() -> None:
    late = check(Signer(tags={"x": str(NOW - 3600)}).sign() + HEADER + b"\r\n" + BODY)[0]
    assert (late.result, late.why) == ("fail", "expired (x=)")
    assert check(Signer(tags={"x": str(NOW - 60)}).sign() + HEADER + b"\r\n" + BODY)[0].result == "pass", (
        "clocks differ"
    )


def test_keys_below_1024_bits_are_not_accepted() -> None:
    """A key of 512 bits that OpenSSL would no longer make: found by its modulus alone."""
    modulus = (1 << 511) + 12345
    der = _public_key_der(modulus)
    found = check(
        Signer(selector="tiny").sign() + HEADER + b"\r\n" + BODY,
        FakeResolver(zone(tiny="p=" + base64.b64encode(der).decode())),
    )
    assert found[0].result in ("policy", "permerror")


def test_a_huge_key_costs_nothing() -> None:
    der = _public_key_der((1 << 40_000) + 1)
    dns = FakeResolver(zone(huge="p=" + base64.b64encode(der).decode()))
    started = time.process_time()
    found = check(Signer(selector="huge").sign() + HEADER + b"\r\n" + BODY, dns)
    assert found[0].result in ("policy", "permerror")
    assert time.process_time() - started < 1


def _public_key_der(modulus: int) -> bytes:
    def der(tag: int, content: bytes) -> bytes:
        size = len(content)
        length = bytes([size]) if size < 128 else bytes([0x82, size >> 8, size & 255])
        return bytes([tag]) + length + content

    def number(value: int) -> bytes:
        return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))

    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    return der(0x30, algorithm + der(3, b"\0" + der(0x30, number(modulus) + number(65537))))


def test_dns_failure_is_no_pass_and_no_fail() -> None:
    dns = FakeResolver(zone(), frozenset({f"s._domainkey.{DOMAIN}"}))
    assert check(Signer().sign() + HEADER + b"\r\n" + BODY, dns)[0].result == "temperror"


def test_several_keys_under_one_name_are_none() -> None:
    records = {f"s._domainkey.{DOMAIN}": {"TXT": [rsa_record(), rsa_record(1024)]}}
    found = check(Signer().sign() + HEADER + b"\r\n" + BODY, FakeResolver(records))[0]
    assert (found.result, found.why) == ("permerror", "s._domainkey.hosted.example has several key records")


def test_a_stray_record_beside_the_key_does_no_harm() -> None:
    records = {f"s._domainkey.{DOMAIN}": {"TXT": ["v=spf1 -all", rsa_record()]}}
    assert check(Signer().sign() + HEADER + b"\r\n" + BODY, FakeResolver(records))[0].result == "pass"


@pytest.mark.parametrize(
    ("length", "result"),
    [(len(BODY), "pass"), (len(BODY) - 2, "policy"), (0, "policy"), (len(BODY) + 1, "fail"), (10**70, "fail")],
)
def test_a_length_must_cover_the_whole_body(length: int, result: str) -> None:
    raw = Signer(tags={"l": str(length)}).sign(covered=length) + HEADER + b"\r\n" + BODY
    found = check(raw)[0]
    assert (found.result, found.limited) == (result, result == "policy")


def test_text_behind_the_signed_length_is_no_pass() -> None:
    raw = Signer(tags={"l": str(len(BODY))}).sign() + HEADER + b"\r\n" + BODY + b"<a href=...>Pay here</a>\r\n"
    assert check(raw)[0].result == "policy"


def test_the_aligned_signatures_come_first_and_their_number_is_bounded() -> None:
    strangers = b"".join(Signer(domain=f"s{n}.evil.test.example").sign() for n in range(50))
    raw = strangers + Signer().sign() + HEADER + b"\r\n" + BODY
    dns = FakeResolver(zone())
    found = check(raw, dns)
    assert len(found) == 10
    assert (found[0].result, found[0].domain) == ("pass", DOMAIN)
    assert len(dns.asked) == 10


def test_without_an_author_domain_signatures_are_verified_all_the_same() -> None:
    assert check(Signer().sign() + HEADER + b"\r\n" + BODY, author=None)[0].result == "pass"


def test_no_question_is_asked_where_the_body_was_changed() -> None:
    dns = FakeResolver(zone())
    check(Signer().sign() + HEADER + b"\r\n" + BODY + b"more\r\n", dns)
    assert dns.asked == []


def test_the_claim() -> None:
    claim = of_signature(check(b"X: y\r\n" + Signer().sign() + HEADER + b"\r\n" + BODY)[0])
    assert (claim.method, claim.result, claim.standing, claim.field, claim.position) == (
        "dkim",
        "pass",
        Standing.VERIFIED,
        "DKIM-Signature",
        1,
    )
    assert claim.property("header.d") == DOMAIN
    assert claim.property("header.s") == "s"
    assert claim.property("header.a") == "rsa-sha256"


def test_the_value_of_b_is_deleted_wherever_it_stands() -> None:
    assert dkim_signature.without_signature(b" v=1;\n b = AA\n BB \n; bh=b=;d=x") == b" v=1;\n b =; bh=b=;d=x"
    assert dkim_signature.without_signature(b"bh=x; b=AA\n\t=") == b"bh=x; b="
