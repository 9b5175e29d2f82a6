"""The questions that the search answers about one policy: is there a message that reaches a rule, and is so and so?"""

from __future__ import annotations

from collections.abc import Collection

from dkimgate.facts import Facts
from dkimgate.policy.language.conditions import holds
from dkimgate.policy.language.model import Condition, Policy
from dkimgate.policy.proof import universe
from dkimgate.policy.proof.budget import Budget, TooHardError
from dkimgate.policy.proof.formula import FALSE, Formula
from dkimgate.policy.proof.search import Search
from dkimgate.policy.risk import risk_of

STEPS_A_QUESTION = 200_000
STEPS = 700_000
"""Parts of conditions that are looked at, for one question and for a whole policy: a few seconds. 200 rules take some
ten thousand."""

MANY = 20
"""Rules before the one in question that are asked one by one; after that, all at once."""


class Prover:
    """Answers questions about one policy, all of them together in at most STEPS."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._budget = Budget(0)
        self._left = STEPS
        self._search = Search(policy, self._budget)
        formula = self._search.formulas.formula
        self._takes = [formula(rule.when) for rule in policy.all_rules]
        self._leaves = [formula(rule.when, False) for rule in policy.rules]
        self._formulas: dict[int, tuple[Condition, Formula]] = {}

    def witness(self, index: int, *wanted: Condition, ahead: Collection[int] | None = None) -> Facts | None:
        """A message that the rule takes (the index is that of `policy.all_rules`), that no rule before it takes, and
        for which all of `wanted` hold; None: there is none. `ahead`: of the rules before it, only these count. `wanted`
        has no globs but the policy's. Raises TooHardError.

        Of the rules before it, only those are asked for their conditions that took what was found without: few matter
        to any question.
        """
        before = set(range(index) if ahead is None else ahead)
        formulas = [self._takes[index], *map(self._formula, wanted)]
        asked: set[int] = set()
        steps = self._begin()
        try:
            while True:
                facts = self._found([*formulas, *(self._leaves[earlier] for earlier in sorted(asked))])
                takers = set() if facts is None else self.takers(facts, before) - asked
                if not takers:
                    break
                asked |= takers if len(asked) < MANY else before
        finally:
            self._end(steps)
        return facts if facts is None else self._confirmed(facts, self.policy.all_rules[index].when, *wanted)

    def message(self, *wanted: Condition) -> Facts | None:
        """Any message for which all of `wanted` hold, whatever rule takes it; None: there is none. Raises
        TooHardError."""
        steps = self._begin()
        try:
            facts = self._found([self._formula(each) for each in wanted])
        finally:
            self._end(steps)
        return facts if facts is None else self._confirmed(facts, *wanted)

    def takers(self, facts: Facts, among: Collection[int]) -> set[int]:
        """Which of these rules would take the message, if it came to them."""
        risk = risk_of(facts, self.policy.weights)
        return {index for index in among if holds(self.policy.rules[index].when, facts, risk)}

    def _formula(self, condition: Condition) -> Formula:
        """The condition as a formula. The same one is asked for again and again."""
        known = self._formulas.get(id(condition))
        if known is None:
            known = self._formulas[id(condition)] = condition, self._search.formulas.formula(condition)
        return known[1]

    def _begin(self) -> int:
        if self._left <= 0:
            raise TooHardError("other rules took all the steps that a policy may take")
        return self._budget.begin(min(STEPS_A_QUESTION, self._left))

    def _end(self, steps: int) -> None:
        self._left -= steps - max(self._budget.left, 0)

    def _found(self, formulas: list[Formula]) -> Facts | None:
        return None if FALSE in formulas else self._search.witness(formulas)

    def _confirmed(self, facts: Facts, *conditions: Condition | None) -> Facts:
        """The message, if those who evaluate conditions think of it as the search does."""
        risk = risk_of(facts, self.policy.weights)
        if universe.is_possible(facts) is None and all(holds(condition, facts, risk) for condition in conditions):
            return facts
        raise TooHardError("the message that was found is not what was asked for")
