"""What rules take from each other: rules that no message reaches, rules that share messages, and what is left for the
default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from dkimgate.facts import Facts
from dkimgate.policy.language.model import All, Condition, Policy, Rule
from dkimgate.policy.proof.budget import TooHardError
from dkimgate.policy.proof.prover import MANY, Prover


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No message reaches the rule. `conflict`: conditions of its own that never match together. `takers`: rules before
    it that take between them every message that it would take. Neither is given where it is too hard to find out
    which."""

    rule: Rule
    conflict: tuple[Condition, ...] = ()
    takers: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Overlap:
    """The rule `taker` stands first and does something else with messages, such as the witness, that `rule` would take
    too."""

    rule: Rule
    taker: Rule
    witness: Facts


def unreachable(policy: Policy) -> tuple[Unreachable, ...]:
    """The rules that no message reaches, the default aside. One of which that is too hard to find out counts as
    reached."""
    prover = Prover(policy)
    found = []
    for index, rule in enumerate(policy.rules):
        try:
            if prover.witness(index) is None:
                found.append(_explained(prover, index, rule))
        except TooHardError:
            continue
    return tuple(found)


def _explained(prover: Prover, index: int, rule: Rule) -> Unreachable:
    try:
        alone = prover.witness(index, ahead=())
        if alone is not None:
            takers = _takers(prover, index, sorted(prover.takers(alone, range(index))))
            return Unreachable(rule, takers=tuple(prover.policy.rules[taker] for taker in takers))
        return Unreachable(rule, conflict=_core(_parts(rule.when), lambda some: prover.message(*some) is None))
    except TooHardError:
        return Unreachable(rule)


def _parts(condition: Condition | None) -> tuple[Condition, ...]:
    """The conditions that must all hold, as an operator sees them: a line each, as a rule."""
    match condition:
        case None:
            return ()
        case All(parts):
            return parts
    return (condition,)


def _takers(prover: Prover, index: int, candidates: list[int]) -> tuple[int, ...]:
    """One rule that takes all, or else several; `candidates` take the first message that was found."""
    for taker in candidates[:MANY]:
        if prover.witness(index, ahead=(taker,)) is None:
            return (taker,)
    several: list[int] = []
    while len(several) < MANY:
        facts = prover.witness(index, ahead=several)
        if facts is None:
            return _core(several, lambda some: prover.witness(index, ahead=some) is None)
        several += sorted(prover.takers(facts, range(index)))[:1]
    return tuple(range(index))


T = TypeVar("T")


def _core(all_of_them: Sequence[T], enough: Callable[[Sequence[T]], bool]) -> tuple[T, ...]:
    """As few of them as still are enough: without any one of these they aren't."""
    core = list(all_of_them)
    for each in all_of_them:
        without = [other for other in core if other is not each]
        if enough(without):
            core = without
    return tuple(core)


def overlaps(policy: Policy) -> tuple[Overlap, ...]:
    """For each rule the first one before it that does something else with messages that both would take."""
    prover = Prover(policy)
    found = (_overlap(prover, index) for index in range(len(policy.rules)))
    return tuple(overlap for overlap in found if overlap is not None)


def _overlap(prover: Prover, index: int) -> Overlap | None:
    rule = prover.policy.rules[index]
    for earlier, other in enumerate(prover.policy.rules[:index]):
        if _does(other) == _does(rule):
            continue
        try:
            facts = prover.witness(earlier, *(() if rule.when is None else (rule.when,)))
        except TooHardError:
            continue
        if facts is not None:
            return Overlap(rule, other, facts)
    return None


def uncovered(policy: Policy) -> Facts | None:
    """A message that no rule takes, so that the default decides; None: there is none, or that is too hard to find
    out."""
    try:
        return Prover(policy).witness(len(policy.rules))
    except TooHardError:
        return None


def _does(rule: Rule) -> Rule:
    """What becomes of a message that the rule takes: all of the rule but its name and its conditions."""
    return replace(rule, name="", when=None)
