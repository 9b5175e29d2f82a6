"""Laws 4 and 5 while something fails, anywhere, at any call, for any message: its outcome, its record, and the next message."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from hypothesis import strategies as st

from dkimgate.facts import Disposition
from tests.laws import generated_fields, generated_gates, generated_messages, next_receiver
from tests.laws.attack_world import BORDER, MISLED
from tests.laws.generated import pieces, show
from tests.laws.generated_gates import Lines, Passed, passes
from tests.laws.generated_messages import Drawn
from tests.laws.next_receiver import organization
from tests.laws.test_laws_generated_messages import obeys_the_first_law
from tests.world.mail import OUTSIDE, REINJECTED

STAGES = (
    "dkimgate.gate.passage.see",
    "dkimgate.gate.passage.SentBody.update",
    "dkimgate.gate.passage.SentBody.sent_digest",
    "dkimgate.gate.outward.sign",
    "dkimgate.gate.outward.leaving",
    "dkimgate.gate.passage.record.make",
    "dkimgate.gate.passage.record.to_line",
    "dkimgate.gate.engine.facts_of",
    "dkimgate.gate.engine.checks_here.wanted",
    "dkimgate.gate.engine.checks_here.claims",
    "dkimgate.gate.engine.our_signatures.look_for",
    "dkimgate.gate.engine.our_signatures.verify",
    "dkimgate.gate.engine.passports.read",
    "dkimgate.gate.engine.passports.claims",
    "dkimgate.gate.engine.outgoing_spf",
    "dkimgate.gate.engine.srs.rewrite",
    "dkimgate.gate.engine.header_changes.plan",
    "dkimgate.gate.engine.recordable",
    "dkimgate.policy.verdict.decide",
    "dkimgate.policy.verdict.guard.refuses_signature",
    "dkimgate.policy.verdict.guard.refuses_envelope",
    "dkimgate.policy.verdict.departure.predict",
    "dkimgate.policy.language.texts.fill",
    "dkimgate.evidence.gather.author_of",
    "dkimgate.evidence.gather.author_of_ours",
    "dkimgate.evidence.gather.route_of",
    "dkimgate.evidence.gather.claims_of",
    "dkimgate.evidence.gather.arrival_of",
    "dkimgate.evidence.gather.signs_of",
    "dkimgate.evidence.checks_here.check_spf",
    "dkimgate.evidence.checks_here.check_signatures",
    "dkimgate.evidence.checks_here.check_dmarc",
    "dkimgate.gate.sealer.chain_state",
    "dkimgate.gate.sealer.arc_set.seal",
    "dkimgate.dns.resolver.Lookup.txt",
    "dkimgate.message.domains.aligned",
)
EXCEPTIONS = (ZeroDivisionError, ValueError, RecursionError, MemoryError, AttributeError, OSError, StopIteration)

HOSTED = generated_fields.HOSTED_AUTHORS[0]
ARC = generated_fields.GENUINE[-1]
HONEST = Drawn(
    [MISLED.replace("dmarc=pass", "dkim=pass header.d=hosted.example header.s=s; dmarc=pass")],
    BORDER,
    ["@hosted"],
    HOSTED,
    [],
    REINJECTED,
    "friend@hosted.example",
    "whole",
    0,
)


@pieces
def test_law_4_in_doubt_unsigned_and_law_5_one_record(piece: int | None) -> None:
    """Something fails somewhere, at the first call or a later one, for once or from then on. The message has an outcome and a record,
    leaves unsigned, and by no open door; and the next one is signed as if nothing had been."""
    show(
        in_doubt_unsigned,
        piece,
        drawn=generated_messages.forgeries() | generated_messages.messages | st.just(HONEST),
        stage=st.sampled_from(STAGES),
        call=st.sampled_from([1, 1, 2, 3, 5]),
        once=st.booleans(),
        error=st.sampled_from(EXCEPTIONS),
        gives_up=st.sampled_from([False] * 7 + [True]),
    )


def in_doubt_unsigned(drawn: Drawn, stage: str, call: int, once: bool, error: type[Exception], gives_up: bool) -> None:
    gate, message = drawn.gate, drawn.message
    journal = Lines()
    gate.journal = journal  # type: ignore[assignment]
    with failing(stage, call, once, error) as calls:
        passage = gate.judge(message)
        passage.body(drawn.body)
        if gives_up:
            passage.abort("the client hung up")
        else:
            outcome = passage.end()
    failed = calls[0] >= call
    mute = not journal.lines
    # where no record can be made at all, nothing leaves
    assert not mute or (failed and not once and ".record." in stage)
    if gives_up:
        assert mute or (not journal.records()[0]["decision"]["signatures"] and journal.records()[0]["error"])
    elif mute:
        assert outcome.disposition is Disposition.DEFER
    else:
        passed = Passed(message, drawn.body, outcome, journal.records())
        if passed.record["error"] is not None:
            no_door_is_open(drawn, passed)
        elif not failed:
            obeys_the_first_law(passed)
    the_next_one_is_signed()


def no_door_is_open(drawn: Drawn, passed: Passed) -> None:
    """Of what was given up. Who has logged in is not asked, nor a domain that is not hosted."""
    assert not passed.made
    spf = next_receiver.spf_domain(passed)
    written = passed.record
    if drawn.client.auth is not None or not passed.leaves or spf is None or written["decision"]["rule"] is not None:
        return
    assert organization(spf) not in {"hosted.example", "open.example"} and spf != "forwarder.example"


@contextmanager
def failing(stage: str, call: int, once: bool, error: type[Exception]) -> Iterator[list[int]]:
    """That function raises at its n-th call, or from then on. Yields how often it was called."""
    calls = [0]
    owner, _, name = stage.rpartition(".")
    real = getattr(pkgutil.resolve_name(owner), name)

    def failing_now_and_then(*given: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == call or (calls[0] > call and not once):
            raise error("injected")
        return real(*given, **named)

    with mock.patch(stage, failing_now_and_then):
        yield calls


def the_next_one_is_signed() -> None:
    passed = passes(HONEST.gate, HONEST.message, HONEST.body)
    assert next_receiver.signers(passed) == ["hosted.example"] and passed.record["error"] is None


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_one_that_some_message_comes_to(stage: str) -> None:
    """A stage that nothing calls would show nothing."""
    drawn = [
        HONEST,
        replace(HONEST, above=[], below=["@hosted", ARC], sender="friend@hosted.example", author=HOSTED, borders=False),
    ]
    drawn += [replace(each, policy=policy, sender=sender, below=below) for each in drawn for policy in range(len(generated_gates.SHIPPED)) for sender in ("x@hosted.example", "") for below in ([], ["@gate", ARC])]  # fmt: skip
    drawn.append(replace(HONEST, client=replace(REINJECTED, auth="friend"), above=[], border="", below=[]))
    drawn.append(replace(HONEST, client=OUTSIDE, above=[], border="", below=[]))
    drawn.append(replace(HONEST, below=["@hosted", "Subject: " + "long " * 300 + "\n"]))
    for each in drawn:
        with failing(stage, 1_000_000, False, ValueError) as calls:
            passes(each.gate, each.message, each.body)
        if calls[0]:
            return
    pytest.fail(f"{stage} is never called")
