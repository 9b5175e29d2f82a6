"""Sets that we make, judged by dkimpy and by our own validator: alone, on chains of several hands, on broken ones."""

from __future__ import annotations

import random
import re
import time
from dataclasses import replace

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.arc import arc_set
from dkimgate.arc.arc_set import ChainState
from dkimgate.arc.state import chain_state
from dkimgate.arc.validate import Validation
from dkimgate.dkim.canonical import BodyHash
from dkimgate.dkim.keys import SigningKey
from dkimgate.dkim.sign import sign
from dkimgate.message.message import HeaderField
from tests.arc.sealing import EDDA, KEYS, LETTER, LIST, NOW, RELAY, SIGNED, ZONE, Mail, chain_of, mail
from tests.arc.test_arc_chain import RECORDS, arc_signed, dkimpy
from tests.world.dns import FakeResolver
from tests.world.mail import forms

RESULTS = "mx.forwarder.example; arc=none smtp.remote-ip=192.0.2.66; spf=fail smtp.mailfrom=author.example; dmarc=fail header.from=author.example"


def hash_of(body: bytes) -> bytes:
    digest = BodyHash()
    digest.update(body)
    return digest.digest()


def state_of(
    message: Mail, *, whole: bool = False, failing: frozenset[str] = frozenset(), now: float = NOW
) -> ChainState | str:
    return chain_state(message.header, forms(message.body), whole, FakeResolver(ZONE, failing).lookup(), now)


def set_of(
    message: Mail, key: SigningKey = RELAY, results: str = RESULTS, state: ChainState | None = None
) -> tuple[tuple[str, bytes], ...] | str:
    known = state or state_of(message, now=time.time())
    return (
        known
        if isinstance(known, str)
        else arc_set.seal(message.header, hash_of(message.body), results, known, key, int(NOW))
    )


def ours(message: Mail, key: SigningKey = RELAY, results: str = RESULTS, state: ChainState | None = None) -> Mail:
    """With our set on top, as the MTA puts it there: with a space behind the colon."""
    made = set_of(message, key, results, state)
    assert not isinstance(made, str), made
    return Mail((*(HeaderField(name.encode(), b" " + value) for name, value in made), *message.header), message.body)


def text_of(message: Mail, name: str) -> str:
    """The topmost field of that name."""
    return next(field.text for field in message.header if field.key == name.lower())


def seal_stands_alone(message: Mail, number: int) -> bool:
    """Do the fields of that instance verify as if they were the only set there (RFC 8617 section 5.1.2)?"""
    header = tuple(
        each
        for each in message.header
        if not each.key.startswith("arc-") or re.match(rb"\s*i=%d;" % number, each.value)
    )
    arc = dkim.ARC(replace(message, header=header).raw)
    found = arc.verify_instance(
        arc.sorted_arc_headers()[1], number, dnsfunc=lambda name, timeout=5: RECORDS.get(name, b"")
    )
    return bool(found["as-valid"] and found["ams-valid"])


class TestOneSet:
    def test_the_three_fields_in_their_order_and_form(self) -> None:
        made = set_of(mail())
        assert not isinstance(made, str)
        assert [name for name, _ in made] == ["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"]
        for _, value in made:
            assert value.startswith(b"i=1; ")
            assert value.count(b"\n") == value.count(b"\n\t")
            assert b"\r" not in value
            assert max(map(len, value.split(b"\n"))) <= 78
        tags = [part.split(b"=")[0].strip() for part in made[0][1].split(b";")]
        assert tags == [b"i", b"a", b"t", b"cv", b"d", b"s", b"b"]
        tags = [part.split(b"=")[0].strip() for part in made[1][1].split(b";")]
        assert tags == [b"i", b"a", b"c", b"d", b"s", b"t", b"h", b"bh", b"b"]

    @pytest.mark.parametrize("key", KEYS)
    def test_it_verifies(self, key: SigningKey) -> None:
        message = ours(mail(), key)
        chain = chain_of(message)
        assert (chain.cv, chain.oldest_pass, chain.uncovered) == (Validation.PASS, 0, ()), chain.why
        assert chain.newest is not None
        assert (chain.newest.sealer, chain.newest.signer) == (key.domain, key.domain)
        assert " ".join(chain.newest.results.text.split()) == RESULTS
        assert dkimpy(message) == ("fail" if key is EDDA else "pass")  # it knows no Ed25519 in ARC

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\r\n",
            b"\r\n\r\n",
            b"a",
            b"a\r\n",
            b"a \t b \r\n\r\n \r\n\r\n",
            b" \r\n",
            b"\r\n\r\na\r\n" + b"\r\n" * 9000,
            b"\xff\0\x80\r\n",
        ],
    )
    def test_every_body(self, body: bytes) -> None:
        message = ours(replace(mail(), body=body))
        assert chain_of(message).cv is Validation.PASS
        assert chain_of(replace(message, body=b"x" + body)).cv is Validation.FAIL
        if body:
            assert dkimpy(message) == "pass"

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"From: Ann", b"FROM:    Ann"),
            (b"Subject: Lunch  at\n one", b"Subject: \n\tLunch\n\n at one  "),
            (b"Subject: Lunch  at\n one\n", b""),
            (b"Subject: Lunch  at\n one\n", b"Subject:\n"),
            (b"Subject: Lunch  at", b"Subject: a\nSubject: b\nsUBJECT: \xe4\xf6\xff"),
            (b"To: ", b"To: <a@lists.example>,\n\t<b@lists.example>,\n\t"),
            (b"From: ", b"From: <bob@author.example>\nFrom: "),
            (b"Received", b"Authentication-Results: mx.lists.example; dmarc=pass\nReceived"),
            (b"Received", b"DKIM-Signature: v=1; a=rsa-sha256; d=author.example;\n\tb=AA==\nReceived"),
            (b"Received", b"X-Odd: \x0b\x0c \xc3\xa4\nReceived"),
        ],
    )
    def test_odd_headers(self, old: bytes, new: bytes) -> None:
        assert old in LETTER
        message = ours(mail(LETTER.replace(old, new, 1)))
        assert chain_of(message).cv is Validation.PASS
        assert dkimpy(message) == "pass"

    @pytest.mark.parametrize("name", ["From", "Subject", "Reply-To", "Content-Type", "MIME-Version"])
    def test_nobody_adds_a_field_that_a_reader_sees(self, name: str) -> None:
        message = ours(mail()).changed(b"From: Ann", name.encode() + b": x@stranger.example\r\nFrom: Ann")
        assert chain_of(message).cv is Validation.FAIL
        assert dkimpy(message) == "fail"

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"dmarc=fail", b"dmarc=pass"),
            (b"at one?", b"at two?"),
            (b"cv=none", b"cv=pass"),
            (b"Lunch", b"Money"),
            (b"v=1", b"v=2"),
        ],
    )
    def test_nobody_changes_it(self, old: bytes, new: bytes) -> None:
        raw = b"DKIM-Signature: v=1\n" + LETTER
        message = ours(mail(raw)).changed(old, new)
        assert chain_of(message).cv is Validation.FAIL
        assert dkimpy(message) == "fail"

    def test_authentication_results_and_arc_fields_are_not_signed(self) -> None:
        message = ours(
            mail(b"Authentication-Results: mx.lists.example; dmarc=pass\nDKIM-Signature: v=1\n" + LETTER).sealed()
        )
        names = re.search(r"\bh=([^;]*)", text_of(message, "ARC-Message-Signature"))
        assert names is not None
        signed = names[1].replace(" ", "").lower().split(":")
        assert {"from", "subject", "dkim-signature", "message-id"} <= set(signed)
        assert not [name for name in signed if name.startswith(("arc-", "authentication-results", "received"))]
        assert signed.count("from") == 2

    def test_our_own_signature_stands_below_it_and_both_verify(self) -> None:
        value = sign(mail().header, hash_of(mail().body), LIST, int(NOW))
        header = (HeaderField(b"DKIM-Signature", b" " + value), *mail().header)
        message = ours(replace(mail(), header=header))
        assert dkimpy(message) == "pass"
        assert dkim.verify(message.raw, dnsfunc=lambda name, timeout=5: RECORDS.get(name, b""))
        assert dkimpy(message.changed(b"d=lists.example", b"d=fists.example")) == "fail"


class TestSignCases:
    """What the sign cases of the ARC test suite show, in other words and values."""

    BASE = b"From: Ann <ann@author.example>\nTo: <bob@lists.example>\nSubject: One two\n\nHello Bob,\nthe letter.\n"

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"Hello Bob,\n", b"Hello Bob, \t \n"),  # white space at the end of a line
            (b"Hello Bob,", b"Hello  \t Bob,"),  # and inside one
            (b"the letter.\n", b"the letter.\n\n \n\n"),  # empty lines at the end
            (b"the letter.\n", b"the letter."),  # no line end at the end
            (b"From:", b"fROM:"),
            (b"Ann <", b"Ann\n <"),
            (b"One two", b"One two \t"),
            (b"One two", b"One \t two"),
            (b"From: ", b"From: \t "),
            (b"To: ", b"To:"),
        ],
    )
    def test_what_relaxed_canonicalization_takes_for_the_same_is_signed_the_same(self, old: bytes, new: bytes) -> None:
        assert old in self.BASE
        assert set_of(mail(self.BASE.replace(old, new, 1))) == set_of(mail(self.BASE))
        assert set_of(mail(self.BASE.replace(b"One", b"Onetwo"))) != set_of(mail(self.BASE))

    @pytest.mark.parametrize("number", [0, 1, 2])
    def test_on_a_chain_of_that_many_sets(self, number: int) -> None:
        message = mail(self.BASE)
        for _ in range(number):
            message = message.sealed(h="from:to:subject")
        sealed = ours(message)
        assert f"i={number + 1};" in text_of(sealed, "ARC-Seal")
        assert f"cv={'pass' if number else 'none'};" in text_of(sealed, "ARC-Seal")
        assert dkimpy(sealed) == "pass"

    @pytest.mark.parametrize("number", [1, 2])
    def test_on_a_chain_that_fails(self, number: int) -> None:
        message = mail(self.BASE)
        for _ in range(number):
            message = message.sealed(h="from:to:subject")
        message = message.changed(b"One two", b"One two three")
        sealed = ours(message)
        assert f"i={number + 1};" in text_of(sealed, "ARC-Seal")
        assert "cv=fail;" in text_of(sealed, "ARC-Seal")
        assert chain_of(sealed).cv is Validation.FAIL
        assert dkimpy(sealed) == "ended"
        assert seal_stands_alone(sealed, number + 1)
        assert not seal_stands_alone(ours(mail(self.BASE).sealed(h="from")), 2)

    @pytest.mark.parametrize("number", [1, 2])
    def test_a_chain_that_has_ended_gets_no_set(self, number: int) -> None:
        message = mail(self.BASE)
        for at in range(number):
            message = message.sealed(h="from", cv="fail" if at == number - 1 else None)
        assert "has ended" in str(set_of(message))
        assert "has ended" in str(set_of(ours(mail(self.BASE).sealed().changed(b"One", b"Two"))))


class TestChains:
    @pytest.mark.parametrize("number", [2, 3, 4, 5])
    @pytest.mark.parametrize("first", [0, 1])
    def test_made_by_dkimpy_and_by_us_in_turn(self, number: int, first: int) -> None:
        message = mail()
        for instance in range(1, number + 1):
            if instance % 2 == first:
                message = ours(message)
            else:
                said = b"" if instance == 1 else b" arc=pass;"
                host = b"mx%d.lists.example" % instance
                raw = (
                    b"Authentication-Results: "
                    + host
                    + b";"
                    + said
                    + b" dmarc=pass header.from=author.example\r\n"
                    + message.raw
                )
                message = mail(arc_signed(raw, LIST, host))
        assert dkimpy(message) == "pass"
        chain = chain_of(message, now=time.time())
        assert (chain.cv, chain.oldest_pass, len(chain.sets)) == (Validation.PASS, 0, number), chain.why

    def test_fifty_sets_and_no_more(self) -> None:
        message = mail()
        for _ in range(49):
            message = message.sealed()
        full = ours(message)
        assert (chain_of(full).cv, len(chain_of(full).sets)) == (Validation.PASS, 50)
        assert "none may be above 50" in str(set_of(full))
        assert "no more may be added" in str(arc_set.seal(full.header, b"", RESULTS, ChainState("fail", 50), LIST, 0))

    def test_the_order_of_the_fields_in_the_header_is_nothing(self) -> None:
        message = mail().sealed(LIST).sealed(RELAY).sealed(LIST)
        header = list(message.header)
        random.Random(1).shuffle(header)
        assert chain_of(ours(replace(message, header=tuple(header)))).cv is Validation.PASS

    def test_what_we_change_after_the_chain_was_validated_does_not_break_it(self) -> None:
        message = mail().sealed(LIST)
        state = state_of(message)
        assert isinstance(state, ChainState)
        changed = message.changed(b"Subject: Lunch", b"Subject: [list] Lunch")
        sealed = ours(changed, RELAY, RESULTS, state)
        assert (chain_of(sealed).cv, chain_of(sealed).oldest_pass, dkimpy(sealed)) == (Validation.PASS, 2, "pass")

    def test_the_arc_fields_must_be_those_that_were_validated(self) -> None:
        message = mail().sealed(LIST)
        state = state_of(message)
        assert isinstance(state, ChainState)
        for header in (message.header[1:], message.sealed(LIST).header):
            assert "not those" in str(arc_set.seal(header, b"", RESULTS, state, RELAY, 0))
            assert "not those" in str(arc_set.seal(header, b"", RESULTS, ChainState("none"), RELAY, 0))
        assert "cv=none" in str(arc_set.seal(message.header, b"", RESULTS, ChainState("none", 1), RELAY, 0))
        assert "cv=pass" in str(arc_set.seal(mail().header, b"", RESULTS, ChainState("pass", 0), RELAY, 0))


WORDS = st.sampled_from(
    [
        b"i=1",
        b"i=2",
        b"i=49",
        b"i=50",
        b"i=",
        b"cv=fail",
        b"cv=pass",
        b";",
        b" ",
        b"\n ",
        b"a=rsa-sha256",
        b"\xff",
        b"\0",
        b"h=from",
        b"b=",
    ]
)
NAMES = st.sampled_from(
    [
        b"ARC-Seal",
        b"arc-seal ",
        b"ARC-Message-Signature",
        b"ARC-Authentication-Results",
        b"From",
        b"DKIM-Signature",
        b"",
    ]
)


@settings(deadline=None, max_examples=60)
@given(
    fields=st.lists(st.tuples(NAMES, st.lists(WORDS, max_size=8).map(b"".join)), max_size=6),
    sets=st.integers(0, 1),
    whole=st.booleans(),
)
def test_whatever_the_header_holds_nothing_is_raised_and_a_chain_never_mends(
    fields: list[tuple[bytes, bytes]], sets: int, whole: bool
) -> None:
    message = mail().sealed(EDDA) if sets else mail()
    message = replace(message, header=(*(HeaderField(name, value) for name, value in fields), *message.header))
    before = chain_of(message).cv
    state = state_of(message, whole=whole)
    if isinstance(state, ChainState):
        made = arc_set.seal(message.header, hash_of(message.body), RESULTS, state, EDDA, int(NOW))
        if not isinstance(made, str):
            sealed = replace(
                message, header=(*(HeaderField(name.encode(), b" " + value) for name, value in made), *message.header)
            )
            passes = state.cv != "fail"
            assert (chain_of(sealed).cv is Validation.PASS) is passes
            assert passes is (before is not Validation.FAIL) or whole


CHANGES = st.sampled_from(
    [b"nothing of it", b"dmarc=pass", b"at one", b"cv=none", b"s=arc", b"ann@author", b"Lunch", b"1@author"]
)


@settings(deadline=None, max_examples=25)
@given(
    keys=st.lists(st.sampled_from([LIST, RELAY]), min_size=1, max_size=4),
    change=CHANGES,
    h=st.sampled_from([SIGNED, "from", f"{SIGNED}:from:subject"]),
)
def test_a_chain_with_our_set_on_it_verifies_if_and_only_if_it_verified(
    keys: list[SigningKey], change: bytes, h: str
) -> None:
    message = mail()
    for key in keys:
        message = message.sealed(key, h=h)
    if change in message.raw:
        message = message.changed(change, change[:-1] + b"~")
    sealed = ours(message)
    assert chain_of(sealed).cv == chain_of(message).cv
    assert (dkimpy(sealed) == "pass") is (dkimpy(message) == "pass")
    assert ("cv=pass" in text_of(sealed, "ARC-Seal")) is (chain_of(message).cv is Validation.PASS)
