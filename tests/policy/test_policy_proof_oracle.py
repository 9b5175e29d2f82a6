"""The proof against another solver: z3 answers the same questions about words, flags and numbers.

What a message can be, and what launders, is written down here a second time, for z3. Globs and networks are not part of it: a condition that
compares a text with one is replaced by a flag of the header, in both.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any as Z3

import pytest

from dkimgate.facts import DMARC_RESULTS, EnvelopeAction, Sign
from dkimgate.policy.language.fact import Kind
from dkimgate.policy.language.loader import load
from dkimgate.policy.language.model import (
    All,
    Any,
    Compare,
    Condition,
    Flag,
    Glob,
    Hosted,
    Leaf,
    NoAuthor,
    Not,
    Policy,
    Present,
    Rule,
    Word,
)
from dkimgate.policy.language.vocabulary import FACTS
from dkimgate.policy.proof import Law, prove, prover, uncovered, unreachable
from dkimgate.policy.proof.prover import Prover
from tests.policy import drawn

z3: Z3 = importlib.import_module("z3")  # untyped; a test that is skipped would go unnoticed

CONFIG = Path(__file__).parents[2] / "config"
NONE, PLAIN, HOSTED = range(3)
STAND_INS = [
    "header.repeated_singletons",
    "header.limited_signature",
    "header.expired_signature",
    "header.recipients_malformed",
]


def finite(condition: Condition | None) -> Condition | None:
    """The condition without globs and networks, and with the spam score as a share of what is required: that keeps z3's numbers linear."""
    match condition:
        case None:
            return None
        case All(parts):
            return All(tuple(part for part in map(finite, parts) if part is not None))
        case Any(parts):
            return Any(tuple(part for part in map(finite, parts) if part is not None))
        case Not(part):
            inner = finite(part)
            return None if inner is None else Not(inner)
        case Leaf("sender", (Glob(""),)):
            return condition
        case Leaf(name, atoms):
            if all(isinstance(atom, Word | Flag | Compare | Present | Hosted | NoAuthor) for atom in atoms):
                return condition
            return Leaf(STAND_INS[sum(map(ord, repr(atoms) + name)) % len(STAND_INS)], (Flag(True),))


def finite_policy(policy: Policy) -> Policy:
    return replace(policy, rules=tuple(replace(rule, when=finite(rule.when)) for rule in policy.rules))


class Oracle:
    """All messages, in z3's terms: a number for each word, a Bool for each flag and for each text that may be absent."""

    def __init__(self, policy: Policy) -> None:
        self.words: dict[str, Z3] = {}
        self.flags: dict[str, Z3] = {}
        self.there: dict[str, Z3] = {}
        self.solver: Z3 = z3.Solver()
        self.author: Z3 = z3.Int("author")
        self.count: Z3 = z3.Int("count")
        self.cents: Z3 = z3.Int("cents")
        self.ratio: Z3 = z3.Real("ratio")
        self.null_sender: Z3 = z3.Bool("null_sender")
        for name, fact in FACTS.items():
            match fact.kind:
                case Kind.WORD:
                    self.words[name] = z3.Int(name)
                    self.solver.add(
                        self.words[name] >= (-1 if fact.optional else 0), self.words[name] < len(self._known(name))
                    )
                case Kind.FLAG:
                    self.flags[name] = z3.Bool(name)
                case Kind.HOST | Kind.TEXT | Kind.ADDRESS:
                    self.there[name] = z3.Bool(name)
        self.solver.add(self.author >= NONE, self.author <= HOSTED, self.count >= 0, self.count <= 1_000_000)
        self.solver.add(self.ratio >= 0, self.ratio <= 1_000_000)
        self.solver.add(*self._follows(), *self._ties(), *self._risk(policy))

    def _known(self, name: str) -> tuple[str, ...]:
        return FACTS[name].found or FACTS[name].words

    def word(self, name: str, *wanted: str) -> Z3:
        known = self._known(name)
        return z3.Or(*(self.words[name] == known.index(word) for word in wanted if word in known))

    @property
    def outside(self) -> Z3:
        return z3.Or(
            self.word("origin", "forwarded", "inbound"),
            z3.And(self.word("origin", "relayed"), z3.Not(self.flags["client.relay"])),
        )

    @property
    def failed(self) -> Z3:
        return self.word("arrival.dmarc", *(word for word in DMARC_RESULTS if word not in ("pass", "none")))

    def _follows(self) -> Iterator[Z3]:
        """What is computed of other facts."""
        yield self.flags["spam"] == (self.ratio >= 1)
        yield self.flags["arrival.badly"] == z3.Or(self.failed, self.flags["spam"])

    def _ties(self) -> Iterator[Z3]:
        """What ties the facts of a message together, by what evidence does."""
        flags, there, word = self.flags, self.there, self.word
        proofs = z3.Or(word("arrival.spf", "pass"), word("arrival.dkim", "pass"))
        yield z3.Implies(there["client.auth"], word("origin", "submitted", "forwarded"))
        yield z3.Implies(flags["client.relay"], word("origin", "relayed"))
        yield z3.Implies(there["border.by"], word("origin", "forwarded"))
        yield z3.Implies(there["border.ip"], there["border.by"])
        yield z3.Implies(flags["arrival.aligned"], z3.And(self.author != NONE, proofs))
        yield z3.Implies(there["arrival.pass_of"], z3.Not(word("arrival.dmarc", "pass")))
        rewritable = z3.And(flags["outgoing.spf_passes"], z3.Not(self.null_sender), self.author != NONE)
        yield z3.Implies(flags["outgoing.unalignable"], rewritable)
        yield z3.Implies(flags["own_signature"], self.author == HOSTED)
        yield z3.Implies(flags["header.lookalike_domain"], self.author != HOSTED)
        yield z3.Implies(flags["header.no_received"], self.outside)
        yield z3.Not(z3.And(flags["header.message_id_malformed"], flags["header.message_id_missing"]))
        yield z3.Not(z3.And(flags["header.date_far_off"], flags["header.date_missing"]))

    def _risk(self, policy: Policy) -> Iterator[Z3]:
        """The risk in hundredths: each part is rounded by itself."""
        spam = z3.Int("spam_cents")
        exact = self.ratio * _number(Fraction(policy.weights.per_required) * 100)
        yield z3.And(spam - exact <= _number(Fraction(1, 2)), exact - spam <= _number(Fraction(1, 2)))
        parts: list[Z3] = [spam]
        for name, weight in policy.weights.parts:
            fact, equals, word = name.partition("=")
            where = fact if fact in FACTS else f"arrival.{fact}"
            has = self.word(where, word) if equals else self.flags[name]
            parts.append(z3.If(has, round(round(weight, 2) * 100), 0))
        yield self.cents == reduce(lambda a, b: a + b, parts)

    def holds(self, condition: Condition | None) -> Z3:
        match condition:
            case None:
                return z3.BoolVal(True)
            case All(parts):
                return z3.And(*map(self.holds, parts))
            case Any(parts):
                return z3.Or(*map(self.holds, parts))
            case Not(part):
                return z3.Not(self.holds(part))
            case Leaf(name, atoms):
                return z3.Or(*(self._atom(name, atom) for atom in atoms))

    def _atom(self, name: str, atom: object) -> Z3:
        match atom:
            case Word(word):
                return self.word(name, word)
            case Flag(wanted):
                return self.flags[name] == wanted
            case Hosted():
                return self.author == HOSTED
            case NoAuthor():
                return self.author == NONE
            case Glob(""):
                return self.null_sender
            case Present() if name in self.there:
                return self.there[name]
            case Present() if name in self.words:
                return self.words[name] >= 0
            case Present() if name.startswith("recipients"):
                return self.count > 0
            case Compare(operator, number):
                return self._compared(name, operator, number)
        raise AssertionError((name, atom))

    def _compared(self, name: str, operator: str, number: float) -> Z3:
        exact = Fraction(str(number))
        if name == "risk":
            mine, limit = z3.ToReal(self.cents), _number(exact * 100)
        else:
            mine, limit = (z3.ToReal(self.count) if name == "recipients.count" else self.ratio), _number(exact)
        relations: dict[str, Z3] = {
            "<": mine < limit,
            "<=": mine <= limit,
            ">": mine > limit,
            ">=": mine >= limit,
            "==": mine == limit,
            "!=": mine != limit,
        }
        return relations[operator]

    def launders(self, law: Law, rule: Rule) -> Z3:
        """Such a message launders by what the rule does."""
        if law is Law.SIGNATURE and rule.sign is Sign.AUTHOR:
            return z3.And(
                self.outside, self.flags["arrival.badly"], self.author == HOSTED, z3.Not(self.flags["own_signature"])
            )
        if law is Law.DEPARTURE and rule.disposition.leaves and rule.envelope is EnvelopeAction.KEEP:
            return z3.And(self.outside, self.failed, self.flags["outgoing.spf_passes"])
        return z3.BoolVal(False)

    def may(self, condition: Z3) -> bool:
        found = self.solver.check(condition)
        assert found in (z3.sat, z3.unsat)
        return bool(found == z3.sat)


def _number(fraction: Fraction) -> Z3:
    return z3.Q(fraction.numerator, fraction.denominator)


def compared(policy: Policy) -> tuple[int, int]:
    """Compare the two solvers on every question about a policy. How often it launders, and how many rules no message reaches."""
    oracle = Oracle(policy)
    launders: set[tuple[str, Law]] = set()
    unreached: set[str] = set()
    for rule in policy.all_rules:
        takes = oracle.holds(rule.when)
        launders |= {(rule.name, law) for law in Law if oracle.may(z3.And(takes, oracle.launders(law, rule)))}
        if not oracle.may(takes):
            unreached.add(rule.name)
        oracle.solver.add(z3.Not(takes))
    proof = prove(policy)
    assert not proof.unproved
    assert {(each.rule.name, each.law) for each in proof.launders} == launders, policy
    assert {each.rule.name for each in unreachable(policy)} == unreached - {"default"}, policy
    assert (uncovered(policy) is None) is ("default" in unreached), policy
    return len(launders), len(unreached)


SHIPPED = [*sorted(CONFIG.rglob("policies/*.yaml")), CONFIG / "policy.yaml"]


@pytest.mark.heavy
@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_z3_finds_the_same_in_what_is_shipped(file: Path) -> None:
    compared(finite_policy(load(file)))


@pytest.mark.heavy
def test_z3_finds_the_same_in_policies_that_are_drawn() -> None:
    launder = unreached = 0
    for seed in range(150):
        found = compared(finite_policy(drawn.policies(Random(seed))))
        launder, unreached = launder + found[0], unreached + found[1]
    assert launder > 100 and unreached > 50  # both answers were there


def at_a_sum(random: Random) -> Policy:
    """Rules that ask for a risk at, or a hundredth beside, what some of the weights add up to."""
    weights = replace(drawn.weights(random), per_required=random.choice((0.0, 50.0, 51.0)))
    rules = []
    for index in range(4):
        some = sum(weight for _, weight in weights.parts if random.random() < 0.4)
        limit = round(some + random.choice((0, 0, 0.01, -0.01)) + random.choice((0.0, weights.per_required)), 2)
        risk = Leaf("risk", (Compare(random.choice(drawn.OPERATORS), max(limit, 0.0)),))
        dmarc = Leaf("arrival.dmarc", tuple(Word(word) for word in random.sample(DMARC_RESULTS, random.randint(1, 4))))
        spam = Leaf("spam", (Flag(random.random() < 0.3),))
        rules.append(Rule(f"rule-{index}", All((risk, dmarc, spam)), Sign.AUTHOR))
    return Policy(weights=weights, rules=tuple(rules), default=Rule("default", envelope=EnvelopeAction.UNALIGN))


@pytest.mark.heavy
def test_z3_finds_the_same_sums_of_weights() -> None:
    launder = unreached = 0
    for seed in range(100):
        found = compared(at_a_sum(Random(seed)))
        launder, unreached = launder + found[0], unreached + found[1]
    assert launder > 50 and unreached > 20


def simple_conditions() -> list[Condition]:
    """A condition for each value of each fact that is finite, and for its absence."""
    found: list[Condition] = [Leaf("from", (Hosted(),)), Leaf("from", (NoAuthor(),)), Leaf("sender", (Glob(""),))]
    for name, fact in FACTS.items():
        found += [Leaf(name, (Word(word),)) for word in fact.words]
        found += [Leaf(name, (Flag(True),))] * (fact.kind is Kind.FLAG)
        found += [Leaf(name, (Present(),))] * (fact.optional and fact.kind is not Kind.WORD)
    return found + [
        Not(condition)
        for condition in found
        if not (isinstance(condition, Leaf) and isinstance(condition.atoms[0], Word))
    ]


@pytest.mark.heavy
def test_z3_finds_the_same_pairs_of_facts_that_exclude_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ties facts together is found in every pair of simple conditions."""
    monkeypatch.setattr(prover, "STEPS", 100_000_000)
    simple = simple_conditions()
    policy = Policy(rules=tuple(Rule(f"rule-{index}", condition) for index, condition in enumerate(simple)))
    oracle, asked = Oracle(policy), Prover(policy)
    in_z3 = [oracle.holds(condition) for condition in simple]
    excluded = 0
    for (one, a), (other, b) in combinations(zip(simple, in_z3, strict=True), 2):
        found = asked.message(one, other) is not None
        assert found is oracle.may(z3.And(a, b)), (one, other)
        excluded += not found
    assert excluded > 100
