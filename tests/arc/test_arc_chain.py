"""Chains over messages: canonicalization, what may happen on the way and what not, keys, DNS, hostile sizes; dkimpy as the oracle."""

from __future__ import annotations

import time
from dataclasses import replace

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dkimgate.arc.validate import Validation, validate
from dkimgate.dkim.keys import SigningKey
from dkimgate.message.message import HeaderField
from tests.arc.sealing import (
    EDDA,
    FAIL,
    KEYS,
    LETTER,
    LIST,
    NOW,
    PASS,
    RELAY,
    SIGNED,
    ZONE,
    Dns,
    Mail,
    chain_of,
    mail,
)
from tests.world.dns import FakeResolver
from tests.world.mail import forms

RECORDS = {key.name.encode() + b".": key.public_record().encode() for key in KEYS}


def dkimpy(message: Mail) -> str:
    try:
        cv, _, _ = dkim.arc_verify(message.raw, dnsfunc=lambda name, timeout=5: RECORDS.get(name, b""))
    except dkim.MessageFormatError:  # it won't read `FROM : x`
        return "fail"
    return "ended" if cv is None else str(cv.decode())


@pytest.mark.parametrize(
    "c", ["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple", "relaxed", "simple"]
)
@pytest.mark.parametrize(
    "body",
    [b"", b"\r\n", b"a", b"a\r\n", b"a \t b \r\n\r\n \r\n\r\n", b" \r\n", b"\n\r\n", b"\r\n\r\na\r\n" + b"\r\n" * 9000],
)
def test_every_canonicalization_of_every_body(c: str, body: bytes) -> None:
    message = replace(mail(), body=body).sealed(c=c)
    assert chain_of(message).cv is Validation.PASS
    if body:  # dkimpy completes a body without line end for relaxed only, and what it makes of none is neither
        assert chain_of(replace(message, body=body + b"x")).why.endswith("the body was changed")


def test_a_simple_body_that_ends_otherwise() -> None:
    """RFC 6376 section 3.4.3: a body without CRLF at its end is one with it, and none is one CRLF."""
    for body, same in ((b"a", b"a\r\n\r\n"), (b"", b"\r\n\r\n"), (b"a\r", b"a\r\r\n"), (b"\n", b"\n\r\n")):
        assert chain_of(replace(replace(mail(), body=same).sealed(c="simple/simple"), body=body)).cv is Validation.PASS
    for body, other in ((b"a", b"a "), (b"a\r\n", b"a\n"), (b"a\r\n", b"\r\na\r\n"), (b"a\r\n", b"a\r\r\n")):
        assert chain_of(replace(replace(mail(), body=body).sealed(c="simple/simple"), body=other)).cv is Validation.FAIL


def arc_signed(raw: bytes, key: SigningKey, ours: bytes) -> bytes:
    """What dkimpy's sealer makes of a message."""
    assert isinstance(key.private, rsa.RSAPrivateKey)
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    fields = dkim.arc_sign(raw, key.selector.encode(), key.domain.encode(), pem, ours)
    assert len(fields) == 3
    return b"".join(line.rstrip(b"\r\n") + b"\r\n" for line in fields) + raw


@pytest.mark.parametrize("number", [1, 2, 5])
def test_chains_that_dkimpy_made(number: int) -> None:
    raw = mail().raw
    for instance in range(1, number + 1):
        ours = b"mx%d.lists.example" % instance
        said = b"" if instance == 1 else b" arc=pass;"
        raw = b"Authentication-Results: " + ours + b";" + said + b" dmarc=pass header.from=author.example\r\n" + raw
        raw = arc_signed(raw, LIST if instance % 2 else RELAY, ours)
    chain = chain_of(mail(raw), now=time.time())
    assert (chain.cv, chain.oldest_pass, len(chain.sets)) == (Validation.PASS, 0, number), chain.why
    assert chain_of(mail(raw.replace(b"lunch at one", b"lunch at two")), now=time.time()).cv is Validation.FAIL


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 50])
def test_chains_of_any_length(number: int) -> None:
    message = mail()
    for instance in range(number):
        message = message.sealed((LIST, RELAY)[instance % 2])
    chain = chain_of(message)
    assert (chain.cv, chain.oldest_pass, len(chain.sets)) == (Validation.PASS, 0, number), chain.why
    if number < 50:
        assert dkimpy(message) == "pass"


def test_a_chain_of_rsa_and_ed25519_and_of_other_domains_for_seal_and_signature() -> None:
    chain = chain_of(mail().sealed(EDDA).sealed(LIST, message_key=EDDA).sealed(EDDA, message_key=RELAY))
    assert (chain.cv, chain.oldest_pass) == (Validation.PASS, 0), chain.why
    assert chain.newest is not None
    assert (chain.newest.sealer, chain.newest.signer) == ("edda.example", "mail.relay.example")


class TestOldestPass:
    """RFC 8617 section 5.2, step 5."""

    def test_unchanged_since_before_the_first(self) -> None:
        assert chain_of(mail().sealed().sealed().sealed()).oldest_pass == 0

    def test_changed_before_the_second(self) -> None:
        one = mail().sealed()
        other = replace(one, body=one.body + b"-- \r\nThe list\r\n")
        assert chain_of(other.sealed()).oldest_pass == 2
        assert chain_of(other.sealed().sealed()).oldest_pass == 2

    def test_changed_before_the_newest(self) -> None:
        two = mail().sealed().sealed()
        header = tuple(
            HeaderField(b"Subject", b" [list] Lunch") if each.name == b"Subject" else each for each in two.header
        )
        chain = chain_of(replace(two, header=header).sealed(RELAY))
        assert (chain.cv, chain.oldest_pass) == (Validation.PASS, 3)

    def test_an_old_signature_that_nobody_could_read_is_no_longer_valid_and_no_more(self) -> None:
        chain = chain_of(mail().sealed(message_as=lambda text: text.replace("a=rsa-sha256", "a=rsa-sha1")).sealed())
        assert (chain.cv, chain.oldest_pass) == (Validation.PASS, 2)

    def test_an_old_signature_whose_key_is_gone(self) -> None:
        message = mail().sealed(LIST, message_key=RELAY).sealed(EDDA)
        assert chain_of(message, {**ZONE, RELAY.name: {}}).oldest_pass == 2

    def test_an_old_signature_whose_key_dns_does_not_tell(self) -> None:
        chain = Dns(failing=frozenset({RELAY.name})).validate(mail().sealed(LIST, message_key=RELAY).sealed(EDDA))
        assert (chain.cv, chain.oldest_pass) == (Validation.PASS, 2)

    def test_a_changed_body_before_the_newest_set_is_for_dkimpy_no_failure_either(self) -> None:
        one = mail().sealed()
        assert dkimpy(replace(one, body=b"x\r\n").sealed()) == "pass"


# the message with two sets on it, and what somebody did to it on its way
TAMPERED = {
    "body": (b"lunch at one", b"lunch at two"),
    "line added to the body": (b"at one?\r\n", b"at one?\r\nPay here.\r\n"),
    "body, space between lines": (b"Hello,", b" Hello,"),
    "From": (b"ann@author.example>\r\nTo", b"eve@author.example>\r\nTo"),
    "display name": (b"Ann", b"The Bank"),
    "To": (b"To: lunch", b"To: dinner"),
    "Subject": (b"Lunch  at", b"Invoice"),
    "Subject removed": (b"Subject: Lunch  at\r\n one\r\n", b""),
    "Date removed": (b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n", b""),
    "From removed": (b"From: Ann <ann@author.example>\r\n", b""),
    "a second From above": (b"From: Ann", b"From: <eve@stranger.example>\r\nFrom: Ann"),
    "a second From at the top": (b"ARC-Seal", b"From: <eve@stranger.example>\r\nARC-Seal"),
    "a second From below": (b"Subject:", b"From: <eve@stranger.example>\r\nSubject:"),
    "a second From with white space behind its name": (b"From: Ann", b"FROM : <eve@stranger.example>\r\nFrom: Ann"),
    "another Subject below": (b"Date:", b"Subject: Invoice\r\nDate:"),
    "newest results": (b"dmarc=fail header.from=author.example", b"dmarc=pass header.from=author.example"),
    "newest results, a letter's case": (b"dmarc=fail", b"dmarc=Fail"),
    "oldest results": (b"(p=reject)", b"(p=none)"),
    "t= of the newest seal": (b"t=1789990000; cv=pass", b"t=1789990001; cv=pass"),
    "cv= of the oldest seal": (b"cv=none", b"cv=pass"),
    "sealer": (b"d=mail.relay.example", b"d=lists.example"),
}
HARMLESS = {
    "nothing": (b"", b""),
    "Received": (b"ARC-Seal", b"Received: from a by b; Sat, 21 Nov 2026 12:00:03 +0000\r\nARC-Seal"),
    "DKIM-Signature": (b"ARC-Seal", b"DKIM-Signature: v=1\r\nARC-Seal"),
    "an unsigned field": (b"Subject:", b"X-Spam-Status: No\r\nSubject:"),
    "a Reply-To that is not signed": (b"Subject:", b"Reply-To: x@stranger.example\r\nSubject:"),
    "a Subject on top that is not signed": (b"From: Ann", b"Subject: Invoice\r\nFrom: Ann"),
    "refolded": (b"Lunch  at\r\n one", b"Lunch\r\n\tat one "),
    "blank lines at the end": (b"at one?\r\n", b"at one? \r\n\r\n\r\n"),
    "results refolded": (b"mx.lists.example; dmarc=fail", b"mx.lists.example;\r\n\tdmarc=fail"),
}
SENT = mail().sealed(LIST, PASS).sealed(RELAY, FAIL)


@pytest.mark.parametrize(("old", "new"), TAMPERED.values(), ids=TAMPERED.keys())
def test_what_was_tampered_with_breaks_the_chain(old: bytes, new: bytes) -> None:
    message = SENT.changed(old, new)
    assert chain_of(message).cv is Validation.FAIL
    assert dkimpy(message) == "fail"


@pytest.mark.parametrize(("old", "new"), HARMLESS.values(), ids=HARMLESS.keys())
def test_what_happens_on_the_way_does_not(old: bytes, new: bytes) -> None:
    message = SENT.changed(old, new)
    assert chain_of(message).cv is Validation.PASS
    assert dkimpy(message) == "pass"


@pytest.mark.parametrize("name", ["From", "Subject", "Reply-To", "Content-Type"])
def test_a_field_that_was_signed_once_more_than_it_stood_there_can_not_be_added(name: str) -> None:
    message = mail().sealed(h=f"{SIGNED}:from:subject:reply-to:content-type")
    assert chain_of(message).cv is Validation.PASS
    assert (
        chain_of(message.changed(b"From: Ann", name.encode() + b": x@stranger.example\r\nFrom: Ann")).cv
        is Validation.FAIL
    )


def test_two_from_fields_that_are_both_signed_are_a_whole_chain_but_have_no_author() -> None:
    message = mail(LETTER.replace(b"To: ", b"From: <bob@author.example>\nTo: ")).sealed(h=f"from:{SIGNED}")
    assert chain_of(message).cv is Validation.PASS


class TestDns:
    """What is not known is neither pass nor fail."""

    @pytest.mark.parametrize("failing", [LIST.name, RELAY.name])
    def test_a_failure(self, failing: str) -> None:
        chain = Dns(failing=frozenset({failing})).validate(SENT)
        assert (chain.cv, chain.oldest_pass) == (Validation.TEMPERROR, None)
        assert failing in chain.why

    def test_no_questions_left(self) -> None:
        resolver = FakeResolver(ZONE, questions=1)
        assert validate(SENT.header, forms(SENT.body), resolver.lookup(), NOW).cv is Validation.TEMPERROR

    def test_a_failure_does_not_excuse_what_is_known_to_be_broken(self) -> None:
        chain = Dns(failing=frozenset({LIST.name, RELAY.name})).validate(SENT.changed(b"at one", b"at two"))
        assert chain.cv is Validation.FAIL

    def test_each_key_is_asked_for_once(self) -> None:
        dns = Dns()
        dns.validate(mail().sealed().sealed().sealed(RELAY))
        assert sorted(dns.asked) == [(RELAY.name, "TXT"), (LIST.name, "TXT")] or len(dns.asked) == 2

    def test_a_changed_body_is_found_before_dns_is_asked(self) -> None:
        dns = Dns()
        dns.validate(SENT.changed(b"at one", b"at two"))
        assert dns.asked == []


def test_x_is_measured_by_the_clock() -> None:
    message = mail().sealed(message_as=lambda text: text.replace("t=1789990000;", "t=1789990000; x=1790000100;"))
    assert chain_of(message, now=1_790_000_100).cv is Validation.PASS
    assert chain_of(message, now=1_790_000_101).cv is Validation.FAIL
    # by default it is the real clock, which stands elsewhere
    assert validate(message.header, forms(message.body), FakeResolver(ZONE).lookup()).cv is (
        Validation.PASS if time.time() <= 1_790_000_100 else Validation.FAIL
    )
