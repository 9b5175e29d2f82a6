"""The search: is there a message for which all of some conditions hold?

What must hold narrows the stores; an alternative of which but one part is left must hold as well; where nothing follows
any more, one alternative is tried after the other. So no message is overlooked, and most are excluded in bulk.
"""

from __future__ import annotations

from collections.abc import Sequence

from dkimgate.facts import Facts
from dkimgate.policy.language.model import Policy, leaves
from dkimgate.policy.proof import universe
from dkimgate.policy.proof.arithmetic import KEYS, Arithmetic
from dkimgate.policy.proof.budget import Budget
from dkimgate.policy.proof.formula import And, Formula, Formulas, Or
from dkimgate.policy.proof.stores import Literal, State
from dkimgate.policy.proof.witness import witness_of


class Search:
    """Searches among the messages of one policy."""

    def __init__(self, policy: Policy, budget: Budget) -> None:
        self._budget = budget
        self.formulas = Formulas(policy)
        named = {leaf.fact for rule in policy.rules if rule.when is not None for leaf in leaves(rule.when)}
        named |= {name for name, _ in policy.weights.parts}  # header.NAME is the name of the fact, too
        self._arithmetic = Arithmetic(policy.weights, "risk" in named, budget)
        self._start = self.formulas.everything()
        self._ties = [self.formulas.formula(tie) for tie in universe.ties_of(named)]

    def witness(self, formulas: Sequence[Formula]) -> Facts | None:
        """The facts of a message for which all of them hold, or None: there is none. Raises TooHardError."""
        stack: list[tuple[State, list[Or], list[Formula]]] = [(self._start, [], [*formulas, *self._ties])]
        while stack:
            state, open_, fresh = stack.pop()
            state = dict(state)
            left = self._propagated(state, open_, fresh)
            if left is None:
                continue
            if not left:
                facts = witness_of(state, self.formulas, self._arithmetic)
                if facts is not None:
                    return facts
                continue
            chosen = min(left, key=lambda each: len(each.parts))
            others = [each for each in left if each is not chosen]
            stack += reversed(self._branches(state, others, chosen))
        return None

    def _branches(self, state: State, others: list[Or], chosen: Or) -> list[tuple[State, list[Or], list[Formula]]]:
        """One part holds, or not that but the next one: the plainest first."""
        branches = []
        excluded: list[Formula] = []
        for part in sorted(chosen.parts, key=_oddity):
            branches.append((state, others, [part, *excluded]))
            if isinstance(part, Literal):
                excluded.append(part.opposite)
        return branches

    def _propagated(self, state: State, open_: list[Or], fresh: list[Formula]) -> list[Or] | None:
        """Narrow the state by what `fresh` demands and by all that follows from it. The alternatives that are left
        open, or None: the conditions exclude each other."""
        left = open_
        for formula in fresh:
            changed: set[str] = set()
            if not self._assert(state, formula, left := [*left], changed):
                return None
            while changed:
                if changed & KEYS:
                    more = self._arithmetic.propagated(state)
                    if more is None:
                        return None
                    changed |= more
                touched, now = changed, left
                changed, left = set(), []
                for each in now:
                    if touched.isdisjoint(each.keys):
                        left.append(each)
                    elif not self._assert(state, each, left, changed):
                        return None
        return left

    def _assert(self, state: State, formula: Formula, left: list[Or], changed: set[str]) -> bool:
        """Narrow the state by the formula; False where nothing is left. What stays open is added to `left`."""
        match formula:
            case Literal():
                before = state[formula.key]
                after = formula.meet(before)
                if after is None:
                    return False
                if after != before:
                    state[formula.key] = after
                    changed.add(formula.key)
                return True
            case And(parts=parts):
                return all(self._assert(state, part, left, changed) for part in parts)
            case Or(parts=parts):
                self._budget.spend(len(parts) + 1, formula.whole)
                still: list[Formula] = []
                for part in parts:
                    holds = _entailed(state, part)
                    if holds:
                        return True
                    if holds is None:
                        still.append(part)
                if len(still) > 1:
                    left.append(formula if len(still) == len(parts) else Or(still, formula.written, formula.whole))
                    return True
                return bool(still) and self._assert(state, still[0], left, changed)
        raise AssertionError(formula)


def _entailed(state: State, formula: Formula) -> bool | None:
    """Does the formula hold for all that the state describes (True), for nothing of it (False), or is that open?"""
    match formula:
        case Literal():
            return formula.entailed(state[formula.key])
        case And(parts=parts):
            found: bool | None = True
            for part in parts:
                holds = _entailed(state, part)
                if holds is False:
                    return False
                found = found and holds
            return found
        case Or(parts=parts):
            some: bool | None = False
            for part in parts:
                holds = _entailed(state, part)
                if holds:
                    return True
                some = None if holds is None else some
            return some
    raise AssertionError(formula)


def _oddity(formula: Formula) -> int:
    """How much a message would have to be unlike the plainest one."""
    match formula:
        case Literal():
            return 0 if _is_plain(formula) else 1
        case And(parts=parts):
            return sum(_oddity(part) for part in parts)
        case Or(parts=parts):
            return min((_oddity(part) for part in parts), default=0)
    raise AssertionError(formula)


def _is_plain(literal: Literal) -> bool:
    plain = _PLAIN.get(literal.key)
    return not literal.positive if plain is None else literal.entailed(plain) is True


_PLAIN: State = dict.fromkeys((*universe.WORDS, *universe.FLAGS), 1)
