"""What is proved of a policy: that no rule launders, that each rule takes some message, and what rules take from each other."""

from __future__ import annotations

from dataclasses import dataclass, field

from dkimgate.facts import DMARC_RESULTS, Decision, EnvelopeAction, Facts, Sign
from dkimgate.policy import departure
from dkimgate.policy.conditions import holds
from dkimgate.policy.decide import decide
from dkimgate.policy.laundering import Law, broken
from dkimgate.policy.model import All, Condition, Flag, Hosted, Leaf, Not, Policy, Rule, Word
from dkimgate.policy.proof import universe
from dkimgate.policy.proof.formula import FALSE, Formula
from dkimgate.policy.proof.language import Budget, TooHardError
from dkimgate.policy.proof.search import Search
from dkimgate.policy.risk import risk_of

STEPS_A_QUESTION = 200_000
STEPS = 700_000
"""Parts of conditions that are looked at, for one question and for a whole policy: a few seconds. 200 rules take some ten thousand."""

MANY = 20
"""Rules before the one in question that are asked one by one; after that, all at once."""


@dataclass(frozen=True, slots=True)
class Laundering:
    """A rule breaks a law: `decide` says so of the witness."""

    rule: Rule
    law: Law
    witness: Facts


@dataclass(frozen=True, slots=True)
class Overlap:
    """The rule `taker` stands first and does something else with messages, such as the witness, that `rule` would take too."""

    rule: Rule
    taker: Rule
    witness: Facts


@dataclass(frozen=True, slots=True)
class Unproved:
    """Whether a rule breaks a law, or can be reached (`law` is None), could not be found out: `why`."""

    rule: Rule
    law: Law | None
    why: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found out about a policy. `launders` has at most one message for a rule and law; `uncovered` is one that only the default
    takes."""

    launders: tuple[Laundering, ...] = ()
    unproved: tuple[Unproved, ...] = ()
    unreachable: tuple[Rule, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    uncovered: Facts | None = None

    @property
    def safe(self) -> bool:
        """No rule launders, and that is proved."""
        return not self.launders and not any(each.law for each in self.unproved)


def prove(policy: Policy, overlaps: bool = True) -> Proof:
    """Everything that can be proved about a policy in a second or two. Without `overlaps`, none is looked for."""
    return _Prover(policy).prove(overlaps)


_OUTSIDE = universe.OUTSIDE
_BROKEN: dict[Law, Condition] = {
    Law.SIGNATURE: All(
        (_OUTSIDE, Leaf("arrival.badly", (Flag(True),)), Leaf("from", (Hosted(),)), Not(Leaf("own_signature", (Flag(True),))))
    ),
    Law.DEPARTURE: All(
        (
            _OUTSIDE,
            Leaf("arrival.dmarc", tuple(Word(word) for word in DMARC_RESULTS if word not in ("pass", "none"))),
            Leaf("outgoing.spf_passes", (Flag(True),)),
        )
    ),
}
"""What a message must be like for a rule that does what `_may_break` asks for to break the law. A signature that breaks the second law
breaks the first as well, so of the second only the envelope is left."""


def _may_break(law: Law, rule: Rule) -> bool:
    if law is Law.SIGNATURE:
        return rule.sign is Sign.AUTHOR
    return rule.disposition.leaves and rule.envelope is EnvelopeAction.KEEP


def breaks(law: Law, facts: Facts, decision: Decision) -> bool:
    """Does the decision about this message break the law? What is held, deferred, rejected or discarded does not depart."""
    departs = departure.predict(facts, decision.sign is Sign.AUTHOR, decision.envelope is EnvelopeAction.UNALIGN).dmarc
    return law in broken(facts, decision.sign, departs if decision.disposition.leaves else None)


@dataclass(slots=True)
class _Found:
    """What has been found so far."""

    launders: list[Laundering] = field(default_factory=list)
    unproved: list[Unproved] = field(default_factory=list)
    unreachable: list[Rule] = field(default_factory=list)
    overlaps: list[Overlap] = field(default_factory=list)


class _Prover:
    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._budget = Budget(0)
        self._left = STEPS
        self._search = Search(policy, self._budget)
        formula = self._search.formulas.formula
        self._takes = [formula(rule.when) for rule in policy.all_rules]
        self._leaves = [formula(rule.when, False) for rule in policy.rules]
        self._broken = {law: formula(condition) for law, condition in _BROKEN.items()}

    def prove(self, overlaps: bool) -> Proof:
        found = _Found()
        uncovered = None
        for index, rule in enumerate(self._policy.all_rules):
            reached = self._laws(index, rule, found)
            if rule is self._policy.default:
                uncovered = reached or self._reach(index, rule, found)
            elif reached is None and self._reach(index, rule, found) is None:
                found.unreachable += [] if any(each.rule is rule and each.law is None for each in found.unproved) else [rule]
        if overlaps:
            for index, rule in enumerate(self._policy.rules):
                if rule not in found.unreachable:
                    self._overlap(index, rule, found)
        return Proof(
            tuple(found.launders),
            tuple(found.unproved),
            tuple(found.unreachable),
            tuple(found.overlaps),
            uncovered,
        )

    def _laws(self, index: int, rule: Rule, found: _Found) -> Facts | None:
        """Look for messages by which the rule breaks a law; one of them, or None."""
        reached = None
        for law in Law:
            if not _may_break(law, rule):
                continue
            try:
                facts = self._taken(index, [self._broken[law]])
            except TooHardError as error:
                found.unproved.append(Unproved(rule, law, f"could not be proved safe: {error}: simplify it, or the rules before it"))
                continue
            if facts is None:
                continue
            reached, decision = facts, decide(facts, self._policy)
            if decision.rule == rule.name and breaks(law, facts, decision) and universe.is_possible(facts) is None:
                found.launders.append(Laundering(rule, law, facts))
            else:
                found.unproved.append(
                    Unproved(rule, law, "could not be proved safe: the message that was found does not do what it should")
                )
        return reached

    def _reach(self, index: int, rule: Rule, found: _Found) -> Facts | None:
        try:
            facts = self._taken(index, [])
            if facts is None or decide(facts, self._policy).rule == rule.name:
                return facts
            found.unproved.append(Unproved(rule, None, "whether a message reaches it is unknown: the one that was found does not"))
            return None
        except TooHardError as error:
            found.unproved.append(Unproved(rule, None, f"whether a message reaches it is unknown: {error}"))
            return None

    def _overlap(self, index: int, rule: Rule, found: _Found) -> None:
        for earlier, other in enumerate(self._policy.rules[:index]):
            if _does(other) == _does(rule):
                continue
            try:
                facts = self._taken(earlier, [self._takes[index]])
            except TooHardError:
                continue
            if facts is not None:
                found.overlaps.append(Overlap(rule, other, facts))
                return

    def _taken(self, index: int, wanted: list[Formula]) -> Facts | None:
        """A message that the rule takes, like nothing before it does, and for which all of `wanted` holds; None: there is none.

        Of the rules before it, only those are asked for their conditions that took what was found without: few matter to any question.
        """
        formulas = [*wanted, self._takes[index]]
        if FALSE in formulas:
            return None
        asked: set[int] = set()
        steps = self._budget.left = min(STEPS_A_QUESTION, self._left)
        try:
            while True:
                facts = self._search.witness([*formulas, *(self._leaves[earlier] for earlier in sorted(asked))])
                takers = set() if facts is None else self._takers(facts, index) - asked
                if not takers:
                    return facts
                asked |= takers if len(asked) < MANY else set(range(index))
        finally:
            self._left -= steps - max(self._budget.left, 0)

    def _takers(self, facts: Facts, index: int) -> set[int]:
        """The rules before that one that would take the message."""
        risk = risk_of(facts, self._policy.weights)
        return {earlier for earlier, rule in enumerate(self._policy.rules[:index]) if holds(rule.when, facts, risk)}


def _does(rule: Rule) -> tuple[object, ...]:
    """What becomes of a message that the rule takes."""
    return (
        rule.sign,
        rule.disposition,
        rule.text,
        rule.seal,
        rule.envelope,
        rule.otherwise,
        rule.tag,
        rule.add,
        rule.remove,
        rule.mode,
    )
