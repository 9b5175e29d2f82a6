"""The proof against brute force: policies that nobody thought of, and messages drawn on the borders of their conditions."""

from __future__ import annotations

import time
from itertools import product
from random import Random

import pytest

from dkimgate.facts import EnvelopeAction, Facts, HeaderSigns, Risk, Sign
from dkimgate.policy.decide import decide
from dkimgate.policy.language.conditions import holds
from dkimgate.policy.language.model import (
    All,
    Any,
    Compare,
    DomainGlob,
    Flag,
    Glob,
    Leaf,
    Not,
    Policy,
    Rule,
    Weights,
    Within,
    Word,
)
from dkimgate.policy.proof import Law, Proof, overlaps, prove, uncovered, universe, unreachable
from dkimgate.policy.proof.laws import breaks
from dkimgate.policy.risk import risk_of
from tests.policy import drawn


def agree(policy: Policy, random: Random, messages: int) -> Proof:
    """The proof of a policy: what it shows is so, and messages that are drawn contradict nothing that it excludes."""
    proof, shared, left = prove(policy), overlaps(policy), uncovered(policy)
    assert not proof.unproved
    for each in proof.launders:
        decision = decide(each.witness, policy)
        assert decision.rule == each.rule.name and breaks(each.law, each.witness, decision)
    for overlap in shared:
        assert decide(overlap.witness, policy).rule == overlap.taker.name
        assert holds(overlap.rule.when, overlap.witness, risk_of(overlap.witness, policy.weights))
    assert left is None or decide(left, policy).rule == "default"
    found = {(each.rule.name, each.law) for each in proof.launders}
    unreached = {each.rule.name for each in unreachable(policy)}
    alone = {rule.name for rule in policy.rules} - {each.rule.name for each in shared} - unreached
    for facts in drawn.messages(random, policy, messages):
        decision = decide(facts, policy)
        assert decision.rule not in unreached, facts
        assert decision.rule != "default" or left is not None, facts
        for law in Law:
            if breaks(law, facts, decision):
                # a signature breaks both laws, and is told once
                assert (decision.rule, law) in found or (
                    decision.sign is Sign.AUTHOR and (decision.rule, Law.SIGNATURE) in found
                ), facts
        risk, taker = risk_of(facts, policy.weights), policy.rule(decision.rule)
        for rule in policy.rules:
            if rule.name in alone and taker is not rule and holds(rule.when, facts, risk):
                assert (
                    taker is not None
                    and (taker.sign, taker.disposition, taker.envelope) == (rule.sign, rule.disposition, rule.envelope)
                ) or (policy.rules.index(rule) < policy.rules.index(taker) if taker in policy.rules else True)
    return proof


@pytest.mark.parametrize("seed", range(40))
def test_brute_force_finds_nothing_that_is_proved_not_to_be(seed: int) -> None:
    random = Random(seed)
    agree(drawn.policies(random), random, 40)


FLAGS = [
    "message_id_missing",
    "date_missing",
    "from_equals_to",
    "repeated_singletons",
    "limited_signature",
    "expired_signature",
]


@pytest.mark.parametrize("seed", range(25))
def test_conditions_that_must_be_tried_against_every_combination(seed: int) -> None:
    """Clauses of three, so many that some can be met and some can't, and that nothing follows before something is tried."""
    random = Random(seed)
    leaves = [(Leaf(f"header.{name}", (Flag(True),)), Not(Leaf(f"header.{name}", (Flag(True),)))) for name in FLAGS]
    clauses = [
        Any(tuple(random.choice(pair) for pair in random.sample(leaves, 3))) for _ in range(random.randint(22, 32))
    ]
    policy = Policy(rules=(Rule("clauses", All(tuple(clauses))),))
    met = any(
        holds(policy.rules[0].when, Facts(header=HeaderSigns(**dict(zip(FLAGS, values, strict=True)))), Risk())
        for values in product((False, True), repeat=len(FLAGS))
    )
    assert (unreachable(policy) == ()) is met


@pytest.mark.heavy
def test_brute_force_finds_nothing_in_thousands_of_policies() -> None:
    safe = unsafe = 0
    for seed in range(1000, 1800):
        random = Random(seed)
        policy = drawn.policies(random)
        proof = agree(policy, random, 80)
        safe, unsafe = safe + proof.safe, unsafe + (not proof.safe)
        if proof.safe and policy.rules:
            agree(drawn.weakened(random, policy), random, 80)
    assert min(safe, unsafe) > 100  # both kinds were there


def large(random: Random, number: int) -> Policy:
    """What a hosting provider with many customers may come to: of each something, behind a guard that stands anywhere."""
    guard = Rule(
        "never-launder",
        Any((Leaf("arrival.badly", (Flag(True),)), Leaf("risk", (Compare(">=", 50.0),)))),
        envelope=EnvelopeAction.UNALIGN,
    )
    rules = [_customers(random, index) for index in range(number - 1)]
    rules.insert(random.choice((0, number // 2, number - 1)), guard)
    weights = {f"dmarc={word}": 40.0 for word in ("permerror", "temperror", "unknown")} | {
        "dmarc=fail": 100.0,
        "spf=fail": 20.0,
    }
    weights |= {"dkim=fail": 10.0, "header.from_equals_to": 5.0, "header.message_id_missing": 5.0}
    return Policy(
        "enforce", Weights(tuple(weights.items()), 50.0), tuple(rules), Rule("default", envelope=EnvelopeAction.UNALIGN)
    )


def _customers(random: Random, index: int) -> Rule:
    domain = f"customer{index}.example"
    author = Leaf("from", (Glob(domain), Glob(f"*.{domain}")))
    network = Leaf("client.ip", (Within(random.choice(drawn.NETWORKS)), Within(drawn.NETWORKS[3])))
    below = Leaf("risk", (Compare("<", float(random.randint(20, 60))),))
    passed = Leaf("arrival.dmarc", (Word("pass"),))
    when = random.choice(
        (
            All((author, Leaf("client.auth", (Glob("*"),)), below)),
            All((author, Any((network, passed)), Not(Leaf("spam", (Flag(True),))))),
            All((Leaf("sender", (DomainGlob(domain),)), Leaf("origin", (Word("submitted"), Word("local"))), below)),
            All((Leaf("recipients", (Glob(f"*@{domain}"),)), Leaf("spam.ratio", (Compare(">=", random.random()),)))),
            All((Leaf("client.helo", (Glob(f"*.dyn{index}.example"),)), Leaf("origin", (Word("inbound"),)))),
            Any(
                (
                    All((author, Leaf("client.name", (Glob(f"*.{domain}"),)))),
                    All((author, Not(Any((below, Not(passed)))), network)),
                )
            ),
            All(
                (
                    Leaf("recipients.all", (DomainGlob(domain),)),
                    Leaf("recipients.count", (Compare(">", 2.0),)),
                    Not(author),
                )
            ),
        )
    )
    return Rule(f"customer-{index}", when, random.choice((Sign.AUTHOR, Sign.NONE)), envelope=EnvelopeAction.UNALIGN)


@pytest.mark.heavy
def test_two_hundred_rules(capsys: pytest.CaptureFixture[str]) -> None:
    """A report; what is asserted is that every question has an answer."""
    times: list[float] = []
    for seed in range(6):
        policy = large(Random(seed), 200)
        start = time.process_time()
        unreachable(policy)  # as the loader asks
        proof = prove(policy)
        times.append(time.process_time() - start)
        assert not proof.unproved
        agree(policy, Random(seed), 50)
    with capsys.disabled():
        print(f"\n200 rules: proved in {min(times):.2f} to {max(times):.2f} s of processor time")


def test_messages_that_are_drawn_are_possible_and_plenty() -> None:
    random = Random(1)
    policy = drawn.policies(random)
    found = list(drawn.messages(random, policy, 200))
    assert len(found) > 40 and all(universe.is_possible(facts) is None for facts in found)
