"""The laws over facts and policies that nobody thought of."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from dkimgate.facts import Assessment, Decision, EnvelopeAction, Facts, Sign
from dkimgate.message.message import Envelope, Message
from dkimgate.policy import verdict
from dkimgate.policy.decide import decide
from dkimgate.policy.language.model import Policy
from dkimgate.policy.proof import Law, prove, report
from dkimgate.record import record
from dkimgate.record.recordable import recordable
from tests.laws.generated import pieces, randoms, show
from tests.laws.generated_policies import (
    as_forged,
    badly,
    facts_for,
    laundered,
    loaded,
    mended,
    outside,
    policies,
    possible,
    promoted,
    wild,
)

MESSAGES = 3
"""Messages on the borders of each policy."""


@pieces
def test_law_1_whatever_the_policy_says_nothing_is_laundered(piece: int | None) -> None:
    """The decision behind the guard, of any policy, and of facts that no evidence comes to as well."""
    show(nothing_is_laundered, piece, random=randoms)


def nothing_is_laundered(random: Random) -> None:
    policy = policies(random, observing=True)
    for gathered in facts_for(random, policy, MESSAGES):
        for facts in (gathered, wild(random, gathered)):
            reached = verdict.reach(facts, policy)
            if reached.decision.mode == "observe" or reached.decision.laundering is not None:
                continue
            aligned = reached.made is Sign.AUTHOR or (reached.made is Sign.FORWARDER and facts.forwarder_aligns)
            assert not aligned or facts.author is not None, (facts, policy)
            assert not (aligned and outside(facts) and badly(facts)), (facts, policy)
            # what was decided, what is made and what is predicted say the same
            assert reached.made is Sign.NONE or reached.made is reached.decision.sign, (facts, policy)
            assert reached.departure.dkim_aligned or not aligned, (facts, policy)


@pieces
def test_law_1_a_policy_that_is_proved_safe_needs_no_guard(piece: int | None) -> None:
    """What the proof shows is so, and what it excludes does not happen. Whoever mends only what it names has a policy that is safe."""
    show(the_proof_is_right, piece, random=randoms)


def the_proof_is_right(random: Random) -> None:
    policy = policies(random)
    proof = prove(policy)
    assert not proof.unproved, policy
    found = {(each.rule.name, each.law) for each in proof.launders}
    assert proof.safe is not bool(found), policy
    for each in proof.launders:
        decision = decide(each.witness, policy)
        breaks = laundered if each.law is Law.SIGNATURE else promoted
        assert possible(each.witness) and decision.rule == each.rule.name and breaks(each.witness, decision), (
            each,
            policy,
        )
    assert proof.safe is (not [each for each in report.problems(policy, proof) if each.code == "policy.launders"]), (
        policy
    )
    safe = mended(policy, proof)
    drawn = list(facts_for(random, policy, MESSAGES))
    for facts in (*drawn, *(as_forged(random, facts) for facts in drawn)):
        decision = decide(facts, policy)
        if laundered(facts, decision):
            assert (decision.rule, Law.SIGNATURE) in found, (facts, policy)
        elif promoted(facts, decision):
            assert (decision.rule, Law.DEPARTURE) in found, (facts, policy)
        obeys_the_first_law(facts, safe)
    assert proof.safe or prove(safe).safe, policy


def obeys_the_first_law(facts: Facts, safe: Policy) -> None:
    """No guard, and no other function of the gate's: the decision alone."""
    decision = decide(facts, safe)
    assert not laundered(facts, decision) and not promoted(facts, decision), (facts, safe)


@pieces
def test_law_3_what_was_decided_can_be_decided_again(piece: int | None) -> None:
    """From a line of the journal, to the letter; whatever strangers wrote into it."""
    show(decided_again, piece, random=randoms)


def decided_again(random: Random) -> None:
    policy = policies(random, observing=True)
    for gathered in facts_for(random, policy, MESSAGES):
        for drawn in (gathered, wild(random, gathered)):
            facts = recordable(drawn)
            reached = verdict.reach(facts, policy)
            message = Message(facts.client, Envelope(facts.sender, facts.recipients))
            assessment = Assessment(facts, reached.decision, reached.departure, None, reached.overruled)
            made = record.make(message, assessment, time=1_790_000_000.0, ms=0.1, policy_hash="-")
            line = record.to_line(made)
            assert line.isascii() and line.count(b"\n") == 1
            written = json.loads(line)
            again = record.facts_of(record.read(written))
            assert again == facts, policy
            assert verdict.reach(again, policy) == reached, (facts, policy)
            assert decide(again, policy).rule == written["decision"]["rule"]
            assert recordable(facts) == facts


def test_policies_that_are_drawn_say_everything_and_many_can_be_loaded() -> None:
    drawn = [policies(Random(seed), observing=True) for seed in range(60)]
    rules = [rule for policy in drawn for rule in policy.all_rules]
    for key in ("seal", "otherwise", "tag", "add", "remove", "text", "mode"):
        assert any(getattr(rule, key) for rule in rules), key
    assert {rule.envelope for rule in rules} == set(EnvelopeAction) and {rule.sign for rule in rules} == set(Sign)
    assert any(policy.file for policy in drawn) and any(policy.allow_laundering for policy in drawn)
    assert sum(loaded(policy) is not None for policy in drawn) > 10
    proofs = [prove(policies(Random(seed))) for seed in range(30)]
    assert 3 < sum(proof.safe for proof in proofs) < 27


@pytest.mark.parametrize("seed", range(3))
def test_a_policy_that_was_written_and_read_decides_alike(seed: int) -> None:
    policy = next(found for at in range(100) if (found := policies(Random(seed * 100 + at))).file)
    again = loaded(replace(policy, file=""))
    assert again is not None and replace(again, file="", digest="") == replace(policy, file="", digest="")
    assert Path(policy.file).name == "generated.yaml"


def test_the_laws_of_this_file_are_not_empty() -> None:
    """The oracle finds what is wrong: without it, nothing above could fail."""
    forged = Facts(author="hosted.example", hosted="hosted.example", spf_passes=True)
    assert laundered(forged, Decision("x", Sign.AUTHOR)) and promoted(forged, Decision("x", Sign.AUTHOR))
    assert promoted(forged, Decision("x")) and not promoted(forged, Decision("x", envelope=EnvelopeAction.UNALIGN))
