"""What state of the chain a new set tells, and when none is made."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from dkimgate.arc.arc_set import ChainState
from dkimgate.arc.state import chain_state
from dkimgate.arc.validate import Validation
from dkimgate.message.message import HeaderField
from tests.arc.sealing import EDDA, LETTER, LIST, NOW, PASS, RELAY, ZONE, chain_of, mail
from tests.arc.test_arc_chain import dkimpy
from tests.arc.test_arc_set import RESULTS, ours, seal_stands_alone, set_of, state_of, text_of
from tests.world.dns import FakeResolver
from tests.world.mail import forms


class TestState:
    def test_without_arc_fields_neither_body_nor_dns_is_looked_at(self) -> None:
        resolver = FakeResolver({})
        assert chain_state(mail().header, None, False, resolver.lookup(), NOW) == ChainState("none")
        assert resolver.asked == []

    def test_a_chain_that_passes(self) -> None:
        state = state_of(mail().sealed(LIST).sealed(EDDA))
        assert isinstance(state, ChainState)
        assert (state.cv, state.newest, len(state.fields), state.oldest_pass) == ("pass", 2, 6, 0)

    def test_dns_does_not_answer(self) -> None:
        assert "can't be validated" in str(state_of(mail().sealed(LIST), failing=frozenset({LIST.name})))
        assert "can't be validated" in str(state_of(mail().sealed(LIST), failing=frozenset({LIST.name}), whole=True))

    def test_a_chain_whose_key_is_gone_has_failed(self) -> None:
        message = mail().sealed(LIST)
        assert chain_state(message.header, forms(message.body), False, FakeResolver({}).lookup(), NOW) == ChainState(
            "fail", 1
        )

    def test_a_body_that_was_not_kept(self) -> None:
        message = mail().sealed(LIST)
        assert "verify.body_limit" in str(chain_state(message.header, None, False, FakeResolver(ZONE).lookup(), NOW))

    def test_a_message_that_a_host_of_ours_changed_after_it_had_found_the_chain_whole(self) -> None:
        """A mailing list: cv= is what was found when the message came in."""
        message = mail().sealed(LIST).sealed(RELAY).changed(b"at one?", b"at one?\r\n-- \r\nThe list")
        assert state_of(message) == ChainState("fail", 2)
        for body in (forms(message.body), None):
            state = chain_state(message.header, body, True, FakeResolver(ZONE).lookup(), NOW)
            assert isinstance(state, ChainState)
            assert (state.cv, state.newest, state.oldest_pass) == ("pass", 2, None)
            assert dkimpy(ours(message, RELAY, RESULTS, state)) == "pass"

    def test_but_the_seals_must_hold(self) -> None:
        message = mail().sealed(LIST, PASS).sealed(EDDA)
        assert state_of(message.changed(b"(p=reject)", b"(p=none)"), whole=True) == ChainState("fail", 2)
        assert state_of(message.without(0), whole=True) == ChainState("fail", 2)

    @pytest.mark.parametrize(
        ("fields", "newest"),
        [
            (b"ARC-Seal: i=1; cv=none", 1),
            (b"ARC-Seal: nonsense", 0),
            (b"ARC-Seal:", 0),
            (b"ARC-Seal: i=0; cv=none", 0),
            (b"ARC-Seal: a=rsa-sha256;\n i = 7;cv=none", 7),
            (b"ARC-Message-Signature: b=xi=9; i=03", 3),
            (b"ARC-Authentication-Results: mx.lists.example; spf=pass smtp.i=4", 0),
            (b"ARC-Authentication-Results:\n\ti=4; mx.lists.example; spf=pass", 4),
            (b"arc-seal : i=2; cv=pass\nARC-Seal: i=1; cv=fail", 2),
            (b"ARC-Seal: i=2; cv=failure", 2),
            (b"ARC-Authentication-Results: i=3; x; dmarc=fail\nARC-Seal: i=2; cv=fail", 3),
        ],
    )
    def test_a_chain_that_can_not_be_taken_apart(self, fields: bytes, newest: int) -> None:
        message = mail(fields + b"\n" + LETTER)
        assert state_of(message) == ChainState("fail", newest)
        sealed = ours(message)
        assert text_of(sealed, "ARC-Seal").startswith(f"i={newest + 1};")
        assert seal_stands_alone(sealed, newest + 1)
        assert chain_of(sealed).cv is Validation.FAIL
        assert dkimpy(sealed) in ("fail", "ended")

    @pytest.mark.parametrize(
        "fields", [b"ARC-Seal: i=50; cv=pass", b"ARC-Seal: i=999; x", b"ARC-Message-Signature: i=" + b"9" * 9000]
    )
    def test_an_instance_beyond_all(self, fields: bytes) -> None:
        assert "none may be above 50" in str(state_of(mail(fields + b"\n" + LETTER)))

    def test_an_endless_field_is_read_fast(self) -> None:
        value = b" i" * 100_000 + b" cv" * 100_000
        started = time.process_time()
        assert state_of(replace(mail(), header=(HeaderField(b"ARC-Seal", value), *mail().header))) == ChainState(
            "fail", 0
        )
        assert time.process_time() - started < 0.5


class TestRefusals:
    def test_no_from(self) -> None:
        assert "no From field" in str(set_of(mail(LETTER.replace(b"From:", b"X-From:"))))

    def test_too_many_fields(self) -> None:
        assert "repeats fields" in str(set_of(mail(b"DKIM-Signature: v=1\n" * 300 + LETTER)))

    @pytest.mark.parametrize(
        "results", ["mx.example;\r\nBcc: x", "mx.example; a=b\n", "mx.\u00e4xample; none", "mx; a=\0"]
    )
    def test_results_that_would_leave_their_field(self, results: str) -> None:
        assert "plain text" in str(set_of(mail(), results=results))
