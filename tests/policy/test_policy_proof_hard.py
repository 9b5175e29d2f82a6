"""Rules that are too hard to prove are no errors: a warning names the condition."""

from __future__ import annotations

from dataclasses import fields, replace
from random import Random

import pytest

from dkimgate.facts import Arrival, Facts, HeaderSigns, Origin, Sign
from dkimgate.policy import verdict
from dkimgate.policy.proof import prove, prover, report
from tests.policy.test_policy_proof import parse

HARD_RISK = "risk:\n  dmarc: {fail: 900000.01, unknown: 800000.03}\n  spf: {fail: 700000.07}\n"
"""Weights so large, of so many digits, that their sums are too many to look at."""
HARD = "- {name: easy, when: {origin: local}, sign: author}\n- {name: a, when: {origin: inbound, risk: '>= 900000.01'}, sign: author}\n"


def test_a_rule_that_is_too_hard_to_prove_is_no_error_but_a_warning_that_names_the_condition() -> None:
    policy = parse(HARD, HARD_RISK)
    proof = prove(policy)
    assert not proof.safe and not proof.launders and {each.rule.name for each in proof.unproved} == {"a"}
    assert report.problems(policy, proof) == [] and report.doubtful(policy, proof) == ["a"]
    (said,) = map(str, report.warnings(policy, proof))
    assert said.startswith(
        "policy.yaml:7: the rule 'a' could not be proved safe: the weights and limits of risk are too large to add up. "
        "It runs, and the guards stop every message that it would launder"
    )
    forged = replace(
        Facts(),
        origin=Origin.INBOUND,
        author="hosted.example",
        hosted="hosted.example",
        arrival=Arrival("fail"),
        spf_passes=True,
        unalignable=True,
    )
    reached = verdict.reach(forged, policy)
    assert (
        reached.decision.rule == "a"
        and reached.made is Sign.NONE
        and reached.departure.dmarc == "fail"
        and reached.overruled
    )


def test_a_rule_that_only_observes_is_not_said_to_be_guarded() -> None:
    policy = parse(HARD, f"mode: observe\n{HARD_RISK}")
    (said,) = map(str, report.warnings(policy, prove(policy)))
    assert "guards" not in said


def test_a_rule_beside_one_that_is_too_hard_still_is_an_error_where_it_launders() -> None:
    policy = parse(HARD + "- {name: b, when: {origin: forwarded, from: hosted}, sign: author}\n", HARD_RISK)
    (said,) = map(str, report.problems(policy, prove(policy)))
    assert said.startswith("policy.yaml:8: the rule 'b' launders")
    (doubt,) = map(str, report.warnings(policy, prove(policy)))
    assert "the rule 'a' could not be proved safe" in doubt


def clauses(number: int, random: Random) -> str:
    """So many alternatives of three flags each that no message meets them all, which it takes very many steps to see."""
    signs = [f"header.{sign.name}" for sign in fields(HeaderSigns)]
    signs = [sign for sign in signs if sign not in ("header.lookalike_domain", "header.no_received")]
    parts = []
    for _ in range(number):
        three = (f"{{{sign}: {random.choice(('true', 'false'))}}}" for sign in random.sample(signs, 3))
        parts.append(f"{{any: [{', '.join(three)}]}}")
    return ", ".join(parts)


def test_conditions_that_combine_in_too_many_ways_are_named_with_their_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prover, "STEPS_A_QUESTION", 300)
    rules = f"- name: a\n  sign: author\n  when:\n    origin: inbound\n    all: [{clauses(60, Random(1))}]\n"
    policy = parse(rules)
    (said,) = map(str, report.warnings(policy, prove(policy)))
    assert said.startswith(
        "policy.yaml:4: the rule 'a' could not be proved safe: there are too many combinations of the condition on line 8 (header."
    ), said
    assert "is true). It runs" in said and said.isascii()


def test_a_rule_that_launders_by_leave_is_not_doubted() -> None:
    policy = parse(HARD, HARD_RISK + "allow_laundering: [a]\nlaundering_reason: the old server needs it\n")
    proof = prove(policy)
    assert report.doubtful(policy, proof) == [] and report.problems(policy, proof) == []
    assert [*map(str, report.warnings(policy, proof))] == [
        "allow_laundering: forgeries that match the rule 'a' leave as authentic mail: the old server needs it"
    ]
