"""Laws of the policy over facts and policies that nobody thought of."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterator
from dataclasses import fields, replace
from ipaddress import ip_network
from itertools import product
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dkimgate.facts import (
    DMARC_RESULTS,
    Arrival,
    Border,
    Decision,
    Disposition,
    Facts,
    HeaderSigns,
    Origin,
    Sign,
    Spam,
    Upstream,
)
from dkimgate.message.message import Connection
from dkimgate.policy import verdict
from dkimgate.policy.decide import decide
from dkimgate.policy.describe.explain import describe, why_not
from dkimgate.policy.guard import refuses_signature
from dkimgate.policy.language import globs
from dkimgate.policy.language.conditions import holds, leaf_holds
from dkimgate.policy.language.fact import Kind
from dkimgate.policy.language.model import (
    All,
    Any,
    Compare,
    Condition,
    DomainGlob,
    Flag,
    Glob,
    Hosted,
    Leaf,
    NoAuthor,
    Not,
    Operator,
    Policy,
    Present,
    Rule,
    Weights,
    Within,
    Word,
)
from dkimgate.policy.language.vocabulary import CONDITIONS, FACTS
from dkimgate.policy.proof import universe, unreachable
from dkimgate.policy.risk import risk_of
from tests.policy import drawn

floats = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 4.99, 5.0, 14.9, 1e308, -1.0])
words = st.sampled_from(
    ["none", "pass", "fail", "softfail", "temperror", "permerror", "neutral", "policy", "weird", ""]
)
names = st.sampled_from(
    [None, "", "\udcff\x00", "ß", "hosted.example", "a.hosted.example", "partner.example", "Evil.example."]
)
addresses = st.sampled_from(
    [None, "192.0.2.1", "198.51.100.7", "2001:db8::1", "::ffff:192.0.2.1", "", "junk", "fe80::1%eth0"]
)
mailboxes = st.sampled_from(["", "friend@hosted.example", "x@Partner.example.", "root", "a@b@c", "@"]) | st.text(
    max_size=12
)
spams = st.builds(Spam, st.booleans(), floats, floats)
arrivals = st.builds(Arrival, st.sampled_from(DMARC_RESULTS) | words, words, words, words, st.booleans(), spams)
facts_ = st.builds(
    Facts,
    client=st.builds(Connection, addresses, names, names, names, names),
    sender=mailboxes,
    recipients=st.lists(mailboxes, max_size=3).map(tuple),
    author=names,
    hosted=names,
    origin=st.sampled_from(Origin),
    border=st.none() | st.builds(Border, st.sampled_from(["mx.forwarder.example", ""]), addresses),
    arrival=arrivals,
    upstream=st.builds(Upstream, st.none() | words),
    header=st.builds(HeaderSigns, *[st.booleans()] * len(fields(HeaderSigns))),
    forwarder_aligns=st.booleans(),
)
OPERATORS: tuple[Operator, ...] = ("<", "<=", ">", ">=", "==", "!=")
NETWORKS = [
    ip_network(text)
    for text in ("0.0.0.0/0", "192.0.2.0/24", "192.0.2.0/25", "198.51.100.7/32", "::/0", "2001:db8::/32")
]
patterns = st.sampled_from(["*", "*.example", "hosted.example", "?*", "", "partner.*", "*hosted*"])
compares = st.builds(
    Compare, st.sampled_from(OPERATORS), st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, 5.0, 49.99, 50.0, 100.0])
)


def _leaves(name: str) -> st.SearchStrategy[Condition]:
    fact = FACTS[name]
    present = [st.just(Present())] if fact.optional else []
    atoms: st.SearchStrategy[object]
    match fact.kind:
        case Kind.WORD:
            atoms = st.one_of(st.sampled_from(fact.words).map(Word), *present)
        case Kind.FLAG:
            return st.booleans().map(lambda wanted: Leaf(name, (Flag(wanted),)))
        case Kind.NUMBER:
            atoms = compares
        case Kind.ADDRESS:
            atoms = st.one_of(st.sampled_from(NETWORKS).map(Within), *present)
        case Kind.AUTHOR:
            atoms = st.one_of(patterns.map(Glob), st.just(Hosted()), st.just(NoAuthor()))
        case Kind.MAILBOX | Kind.MAILBOXES:
            atoms = st.one_of(patterns.map(Glob), patterns.map(DomainGlob), *present)
        case Kind.HOST | Kind.TEXT:
            atoms = st.one_of(patterns.map(Glob), *present)
    return st.lists(atoms, min_size=1, max_size=3).map(lambda some: Leaf(name, tuple(some)))  # type: ignore[arg-type]


def _branches(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return several.map(All) | several.map(Any) | inner.map(Not)


conditions = st.recursive(st.sampled_from(sorted(CONDITIONS)).flatmap(_leaves), _branches, max_leaves=6)
rules = st.lists(
    st.builds(
        Rule,
        st.text("abcdef", min_size=3, max_size=8),
        st.none() | conditions,
        st.sampled_from(Sign),
        st.sampled_from(Disposition),
        st.none() | st.text(max_size=5),
    ),
    max_size=5,
).map(tuple)
weights = st.builds(
    Weights,
    st.dictionaries(
        st.sampled_from(["dmarc=fail", "spf=fail", "dkim=none", "upstream.dmarc=fail", "header.from_equals_to"]),
        st.floats(0, 1e6),
        max_size=5,
    ).map(lambda parts: tuple(parts.items())),
    st.floats(0, 1e6),
)
policies = st.builds(Policy, st.sampled_from(["enforce", "observe"]), weights, rules)


def reference(facts: Facts, policy: Policy) -> Decision:
    """`decide` as one would write it without thinking of anything else: every rule is tried, the first that held is taken."""
    risk = risk_of(facts, policy.weights)
    held = [rule for rule in policy.rules if rule.when is None or naive(rule.when, facts, policy)]
    rule = [*held, policy.default][0]
    sign = rule.sign
    if (
        facts.author is None
        or (sign is Sign.AUTHOR and facts.hosted is None)
        or (sign is Sign.FORWARDER and facts.forwarder_aligns)
    ):
        sign = Sign.NONE
    return Decision(rule.name, sign, rule.disposition, rule.text, risk, policy.mode)


def naive(condition: Condition, facts: Facts, policy: Policy) -> bool:
    """The tree by truth values of its leaves, and nothing of the branches' own code."""
    match condition:
        case Leaf():
            return holds(condition, facts, risk_of(facts, policy.weights))
        case Not(part):
            return naive(part, facts, policy) is False
        case All(parts):
            return [naive(part, facts, policy) for part in parts].count(True) == len(parts)
        case Any(parts):
            return True in [naive(part, facts, policy) for part in parts]


@pytest.mark.heavy
@given(facts_, policies)
@settings(max_examples=120, deadline=None)
def test_decide_never_raises_and_the_first_rule_that_holds_decides(facts: Facts, policy: Policy) -> None:
    decision = decide(facts, policy)
    assert decision == decide(facts, policy)
    assert decision == reference(facts, policy)
    assert math.isfinite(decision.risk.score) and decision.risk.score >= 0


@given(facts_, policies)
@settings(max_examples=120, deadline=None)
def test_no_promotion(facts: Facts, policy: Policy) -> None:
    """Law 1, over every policy: what the guard lets through from outside had arrived well and has one author."""
    decision = decide(facts, policy)
    if decision.sign is Sign.NONE or refuses_signature(facts, decision) is not None:
        return
    assert facts.author is not None
    aligned = decision.sign is Sign.AUTHOR or facts.forwarder_aligns
    if aligned and facts.outside:
        assert facts.arrival.dmarc in {"pass", "none"}
        assert not facts.arrival.badly


@given(facts_, st.integers(0, 2**32))
@settings(deadline=None)
def test_law_1_under_any_policy_a_departure_of_pass_needs_an_arrival_of_pass(facts: Facts, seed: int) -> None:
    """Also under one that the prover would refuse: the guards stand behind each."""
    policy = drawn.policies(Random(seed))
    assume(facts.outside)
    reached = verdict.reach(facts, replace(policy, allow_laundering=()))
    if reached.departure.dmarc == "pass" and reached.decision.disposition is Disposition.ACCEPT:
        assert facts.arrival.dmarc == "pass"


@given(facts_)
@settings(deadline=None)
def test_the_guard_refuses_whatever_arrived_badly_from_outside(facts: Facts) -> None:
    assume(facts.outside and facts.arrival.badly)
    assert refuses_signature(facts, Decision("x", Sign.AUTHOR)) is not None
    assert refuses_signature(replace(facts, forwarder_aligns=True), Decision("x", Sign.FORWARDER)) is not None


@given(facts_, weights, st.floats(allow_nan=False), st.floats(allow_nan=False), st.floats(allow_nan=False))
@settings(max_examples=120, deadline=None)
def test_more_spam_never_lowers_the_risk(
    facts: Facts, weighing: Weights, one: float, other: float, required: float
) -> None:
    low, high = sorted((one, other))

    def scored(score: float) -> float:
        return risk_of(
            replace(facts, arrival=replace(facts.arrival, spam=Spam(False, score, required))), weighing
        ).score

    assert scored(low) <= scored(high)


@given(facts_, weights)
@settings(deadline=None)
def test_the_parts_of_a_risk_make_its_sum(facts: Facts, weighing: Weights) -> None:
    risk = risk_of(facts, weighing)
    assert risk.score == round(math.fsum(part for _, part in risk.parts), 2)
    assert all(part > 0 for _, part in risk.parts)


@pytest.mark.heavy
@given(conditions, facts_, policies)
@settings(max_examples=120, deadline=None)
def test_an_explanation_is_given_exactly_where_a_condition_fails(
    condition: Condition, facts: Facts, policy: Policy
) -> None:
    risk = risk_of(facts, policy.weights)
    why = why_not(Rule("rule", condition), facts, risk)
    assert (why is None) == holds(condition, facts, risk)
    assert why is None or why.isprintable()
    assert describe(condition)


def _branches_of_two(condition: Condition) -> Iterator[tuple[Condition, Condition]]:
    """Pairs that are likely to follow from each other: a condition and what it is made of."""
    match condition:
        case All(parts) | Any(parts):
            for part in parts:
                yield condition, part
                yield part, condition
        case Not(part):
            yield condition, part
        case Leaf(fact, atoms):
            for atom in atoms:
                yield Leaf(fact, (atom,)), condition
                yield condition, Leaf(fact, (atom,))


@pytest.mark.heavy
@given(conditions, conditions)
@settings(max_examples=100, deadline=None)
def test_no_message_is_found_for_a_rule_that_is_called_unreachable(one: Condition, other: Condition) -> None:
    """Rules for a condition behind another: a proof that is wrong would call a good rule unreachable."""
    for first, second in [(one, other), *_branches_of_two(one), (All((one, Not(other))), Any((other, Not(one))))]:
        policy = Policy(
            weights=Weights((("dmarc=fail", 50.0),), 5.0), rules=(Rule("first", first), Rule("second", second))
        )
        unreached = {each.rule.name for each in unreachable(policy)}
        some = drawn.messages(Random(1), policy, 60) if unreached else ()
        assert not unreached & {decide(facts, policy).rule for facts in some}, policy


NUMBERS = [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 5.0, 49.0, 49.99, 50.0, 75.0, 100.0, 1e6]


@pytest.mark.parametrize("name", ["risk", "recipients.count", "spam.ratio"])
def test_comparisons_leave_and_take_each_other_what_numbers_do(name: str) -> None:
    """Every pair of comparisons, over numbers below, at, between and above the thresholds."""
    possible = [n for n in NUMBERS if not FACTS[name].whole or n.is_integer()]
    atoms = [Compare(relation, n) for relation in OPERATORS for n in (-1.0, 0.0, 0.5, 50.0)]
    for one, other in product(atoms, atoms):
        a, b = Leaf(name, (one,)), Leaf(name, (other,))
        policy = Policy(weights=Weights(per_required=50.0), rules=(Rule("first", a), Rule("second", b)))
        reached = {"first" for n in possible if leaf_holds(a, n)} | {
            "second" for n in possible if leaf_holds(b, n) and not leaf_holds(a, n)
        }
        assert {each.rule.name for each in unreachable(policy)} == {"first", "second"} - reached, (one, other)
        assert bool(universe.matching(name, (one,))) is ("first" in reached)


@given(st.text("ab.@*", max_size=8), st.text("ab.@", max_size=10), st.sampled_from([None, "", "@"]))
@settings(max_examples=300)
def test_globs_match_what_fnmatch_matches(pattern: str, text: str, ends: str | None) -> None:
    if globs.is_glob(pattern, ends):
        assert globs.matches(pattern, text) == fnmatch.fnmatchcase(text, pattern)
