"""The risk of a message: the sum of the weights of its words and flags, and of its spam score as a share of what is
required.

A risk is a sum of parts of two decimals each, so in hundredths it is a sum of whole numbers: which sums exist is a set
of bits, and whether one of them lies within a policy's limits is exact. `propagated` draws the cheap conclusions while
the search goes on; `solved` decides when everything else is settled.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass

from dkimgate.policy.language.model import Weights
from dkimgate.policy.proof import universe
from dkimgate.policy.proof.budget import Budget, TooHardError
from dkimgate.policy.proof.ranges import Ranges, rank, union, unrank
from dkimgate.policy.proof.stores import State
from dkimgate.policy.risk import DIGITS, MAX_PART

_MAX_SUM = 50_000_000  # hundredths: half a million is more than anybody gives to what he fears
_SUMS_A_STEP = 50_000  # so many take about as long as a step of the search

_SIGNS = tuple(flag for flag in universe.FLAGS if flag.startswith("header."))

KEYS = frozenset({"risk", "spam.ratio", *universe.WORDS, *_SIGNS}) - {"origin"}
"""The facts that depend on each other here."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What a fact adds to the risk, in hundredths: one number for each of its values, in the order of their bits."""

    key: str
    cents: tuple[int, ...]

    def choices(self, mask: int) -> list[tuple[int, int]]:
        """(bit, hundredths) of the values that are left."""
        return [(1 << at, cents) for at, cents in enumerate(self.cents) if mask >> at & 1]


class Arithmetic:
    """The numbers under the weights of one policy."""

    def __init__(self, weights: Weights, risk_matters: bool, budget: Budget) -> None:
        """`risk_matters`: some condition looks at the risk."""
        self._budget = budget
        self._per_required = weights.per_required
        self._risk_matters = risk_matters
        given = dict(weights.parts)
        parts = [_part(key, words, given) for key, words in universe.WORDS.items() if key != "origin"]
        parts += [_Part(key, (0, _hundredths(given.get(key, 0.0)))) for key in _SIGNS]
        self._parts = [part for part in parts if any(part.cents)]
        self._extremes: dict[tuple[str, int], tuple[int, int]] = {}
        self._most_ratios: dict[int, int] = {}

    def propagated(self, state: State) -> set[str] | None:
        """Narrow the numbers of the state; the keys of what was narrowed, or None: nothing is left."""
        changed: set[str] = set()
        return changed if not self._risk_matters or self._narrow_risk(state, changed) else None

    def _narrow_risk(self, state: State, changed: set[str]) -> bool:
        while True:
            ratio = _ranges(state, "spam.ratio")
            least, most = self._spam(ratio.first), self._spam(ratio.last)
            bounds = []
            for part in self._parts:
                low, high = self._extremes_of(part, _mask(state, part.key))
                bounds.append((part, low, high))
                least += low
                most += high
            risk = _ranges(state, "risk") & union((least, most))
            if not _narrow(state, "risk", risk, changed):
                return False
            if risk.first <= least and risk.last >= most:
                return True
            again = False
            for part, low, high in bounds:
                mask = _mask(state, part.key)
                left = sum(
                    bit
                    for bit, cents in part.choices(mask)
                    if cents - low <= risk.last - least and high - cents <= most - risk.first
                )
                if not left:
                    return False
                if left != mask:
                    state[part.key] = left
                    changed.add(part.key)
                    again = True
            room = risk.last - least + self._spam(ratio.first)
            if room < self._spam(ratio.last):
                if not _narrow(state, "spam.ratio", ratio & union((0, self._most_ratio(room))), changed):
                    return False
                again = True
            if not again:
                return True

    def solved(self, state: State) -> dict[str, int] | None:
        """A value for each number, and the bit of a value for each fact that has a weight; None where there are none
        such."""
        ratios = _ranges(state, "spam.ratio")
        if not self._risk_matters:
            chosen = {part.key: _first(_mask(state, part.key)) for part in self._parts}
            return {**chosen, "spam.ratio": plainest(*ratios.parts[0])}
        targets = _ranges(state, "risk").parts
        spans = [(each, self._spam(each[0]), self._spam(each[1])) for each in ratios.parts]
        wanted = [(first - high, last - low) for _, low, high in spans for first, last in targets]
        words = self._words(state, [(max(first, 0), last) for first, last in wanted if last >= 0])
        if words is None:
            return None
        total = sum(part.cents[words[part.key].bit_length() - 1] for part in self._parts)
        for span, low, high in spans:
            for first, last in targets:
                least, most = max(low, first - total), min(high, last - total)
                fitting = union(span) & union((self._least_ratio(least), self._most_ratio(most)))
                if least <= most and fitting:
                    return {**words, "spam.ratio": plainest(*fitting.parts[0])}
        return None

    def _words(self, state: State, targets: list[tuple[int, int]]) -> dict[str, int] | None:
        """For each fact with a weight the bit of a value, so that their sum is within one of the targets. The first
        values of each fact are preferred."""
        given = [(part.key, part.choices(_mask(state, part.key))) for part in self._parts]
        unit = math.gcd(*(cents for _, each in given for _, cents in each)) or 1  # weights are round numbers, as a rule
        choices = [(key, [(bit, cents // unit) for bit, cents in each]) for key, each in given]
        targets = [(-(-first // unit), last // unit) for first, last in targets]
        targets = [(first, last) for first, last in targets if first <= last]
        if not targets:
            return None
        whole = sum(max(cents for _, cents in each) for _, each in choices)
        top = max(first if last >= whole else last + 1 for first, last in targets)
        if top > _MAX_SUM:
            raise TooHardError("the weights and limits of risk are too large to add up")
        self._budget.spend(sum(len(each) for _, each in choices) * (1 + top // _SUMS_A_STEP), "risk")
        # reach[i]: the sums of the parts from the i-th on, one bit each; those from `top` on are one
        reach = [1]
        for _, each in reversed(choices):
            sums = 0
            for cents in {cents for _, cents in each}:
                sums |= _shifted(reach[-1], cents, top)
            reach.append(sums)
        reach.reverse()
        total = 0
        found: dict[str, int] = {}
        for at, (key, each) in enumerate([*choices, ("", [])]):
            if not key:
                return found if any(first <= total <= last for first, last in targets) else None
            for bit, cents in each:
                if _hits(_shifted(reach[at + 1], min(total + cents, top), top), targets, top):
                    total += cents
                    found[key] = bit
                    break
            else:
                return None
        return None

    def _extremes_of(self, part: _Part, mask: int) -> tuple[int, int]:
        known = self._extremes.get((part.key, mask))
        if known is None:
            cents = [cents for _, cents in part.choices(mask)]
            known = self._extremes[part.key, mask] = min(cents), max(cents)
        return known

    def _spam(self, place: int) -> int:
        """What the ratio of that rank adds, in hundredths."""
        return round(round(min(self._per_required * unrank(place), MAX_PART), DIGITS) * 100)

    def _most_ratio(self, cents: int) -> int:
        """The rank of the highest ratio that adds at most so much; -1 where none does."""
        if cents not in self._most_ratios:
            ratios = range(universe.RATIOS.last + 1)
            self._most_ratios[cents] = bisect.bisect_right(ratios, cents, key=self._spam) - 1
        return self._most_ratios[cents]

    def _least_ratio(self, cents: int) -> int:
        """The rank of the lowest ratio that adds at least so much."""
        return self._most_ratio(cents - 1) + 1


def _part(key: str, words: tuple[str | None, ...], given: dict[str, float]) -> _Part:
    name = key.removeprefix("arrival.")
    return _Part(key, tuple(_hundredths(given.get(f"{name}={word}", 0.0)) for word in words))


def _hundredths(weight: float) -> int:
    return max(round(round(min(weight, MAX_PART), DIGITS) * 100), 0)


def _ranges(state: State, key: str) -> Ranges:
    store = state[key]
    assert isinstance(store, Ranges)
    return store


def _mask(state: State, key: str) -> int:
    store = state[key]
    assert isinstance(store, int)
    return store


def _narrow(state: State, key: str, narrow: Ranges, changed: set[str]) -> bool:
    if narrow != state[key]:
        state[key] = narrow
        changed.add(key)
    return bool(narrow)


def _first(mask: int) -> int:
    return mask & -mask


def _shifted(sums: int, cents: int, top: int) -> int:
    """Every sum with `cents` more; what is above `top` counts as `top`."""
    moved = sums << cents
    if moved >> (top + 1):
        moved = moved & ((1 << top + 1) - 1) | 1 << top
    return moved


def _hits(sums: int, targets: list[tuple[int, int]], top: int) -> bool:
    for first, last in targets:
        first, last = min(first, top), min(last, top)
        if sums >> first & ((1 << last - first + 1) - 1):
            return True
    return False


def plainest(first: int, last: int) -> int:
    """The rank of a float between these two that is short to write."""
    low, high = unrank(first), unrank(last)
    for digits in range(16):
        number = math.ceil(low * 10**digits) / 10**digits if low < 1e15 else low
        if low <= number <= high:
            return rank(number)
    return first
