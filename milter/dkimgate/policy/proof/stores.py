"""What a fact of a message may still be, and the literals that narrow it.

A store is never changed: a literal makes a narrower one, or None where nothing is left. There are three kinds: a set of
values as the bits of a number, `Ranges` of numbers and addresses, and `Recipients`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from dkimgate.policy.proof.ranges import Ranges, union


@dataclass(frozen=True)
class Recipients:
    """The recipients: how many; which texts each of them may be (a set, as bits); and sets of texts of each of which
    there is one among the recipients, if there are any."""

    counts: Ranges
    each: int
    some: frozenset[int] = frozenset()


Store = int | Ranges | Recipients

State = dict[str, Store]
"""What is left of each fact, by its name."""


class Literal:
    """One condition on one fact. `key` is the fact's name in a state. `positive`: as it is written in a policy."""

    __slots__ = ("_known", "key", "keys", "opposite", "positive")

    def __init__(self, key: str, positive: bool = True) -> None:
        self.key = key
        self.keys = frozenset({key})
        self.positive = positive
        self.opposite: Literal = self
        self._known: dict[Store, bool | None] = {}

    def meet(self, store: Any) -> Store | None:
        """The store of those values for which the literal holds, or None: for none."""
        raise NotImplementedError

    def entailed(self, store: Store) -> bool | None:
        """Does it hold for every value (True), for none (False), or for some?"""
        if store not in self._known:
            narrow = self.meet(store)
            every = narrow == store or self.opposite.meet(store) is None
            self._known[store] = False if narrow is None else True if every else None
        return self._known[store]


def _opposites(one: Literal, other: Literal) -> Literal:
    one.opposite, other.opposite = other, one
    return one


class _Among(Literal):
    """The value is one of `members`: values as bits, numbers as ranges. The stores of both know `&`."""

    __slots__ = ("members",)

    def __init__(self, key: str, members: int | Ranges, positive: bool = True) -> None:
        super().__init__(key, positive)
        self.members = members

    def meet(self, store: Any) -> Store | None:
        return store & self.members or None


def values(key: str, mask: int, every: int) -> Literal:
    """The value is one of those whose bits are set, of those in `every`."""
    return _opposites(_Among(key, mask), _Among(key, every & ~mask, positive=False))


def numbers(key: str, ranges: Ranges, every: Ranges) -> Literal:
    """The number, or the address, is in the ranges."""
    return _opposites(_Among(key, ranges), _Among(key, every.without(ranges)))


_NOBODY = union((0, 0))


class _Count(Literal):
    __slots__ = ("ranges",)

    def __init__(self, key: str, ranges: Ranges, positive: bool = True) -> None:
        super().__init__(key, positive)
        self.ranges = ranges

    def meet(self, store: Recipients) -> Store | None:
        return _settled(replace(store, counts=store.counts & self.ranges))


class _OfRecipients(Literal):
    """One recipient, or each of them, is among these texts; with `or_nobody`, also where there are none."""

    __slots__ = ("among", "each", "or_nobody")

    def __init__(self, key: str, among: int, *, each: bool, or_nobody: bool) -> None:
        super().__init__(key, positive=not or_nobody)
        self.among, self.each, self.or_nobody = among, each, or_nobody

    def meet(self, store: Recipients) -> Store | None:
        left = store if self.or_nobody else replace(store, counts=store.counts.without(_NOBODY))
        if self.each:
            return _settled(replace(left, each=store.each & self.among))
        return _settled(replace(left, some=store.some | {self.among}))


def count(key: str, ranges: Ranges, every: Ranges) -> Literal:
    """The number of recipients is in the ranges."""
    return _opposites(_Count(key, ranges), _Count(key, every.without(ranges), positive=False))


def any_recipient(key: str, mask: int, every: int) -> Literal:
    """One recipient is one of these texts."""
    return _opposites(
        _OfRecipients(key, mask, each=False, or_nobody=False),
        _OfRecipients(key, every & ~mask, each=True, or_nobody=True),
    )


def all_recipients(key: str, mask: int, every: int) -> Literal:
    """There are recipients, and each is one of these texts."""
    return _opposites(
        _OfRecipients(key, mask, each=True, or_nobody=False),
        _OfRecipients(key, every & ~mask, each=False, or_nobody=True),
    )


def _settled(store: Recipients) -> Recipients | None:
    """The store without the case that can't be: some recipients, or none. None where neither can."""
    if store.counts and store.counts.last > 0 and different(store) is None:
        store = replace(store, counts=store.counts & _NOBODY)
    if not store.counts:
        return None
    return Recipients(_NOBODY, 0) if store.counts.last == 0 else store


def different(store: Recipients) -> tuple[int, ...] | None:
    """Recipients, as the bits of their texts: as few as readily found, and not more than may be, of which everything
    holds that has to. None where there are none such."""
    groups = _grouped(store.each, sorted(store.some), store.counts.last)
    return None if groups is None else tuple(group & -group for group in groups)


def _grouped(each: int, some: Sequence[int], most: int) -> list[int] | None:
    """Of which texts each of at most `most` recipients has to be one, so that between them they serve all of `some`."""
    needs = [each & need for need in some]
    if not each or not all(needs):
        return None
    one = each
    for need in needs:
        one &= need
    if one:
        return [one]
    return needs if len(needs) <= most else _placed(each, needs, most, [])


def _placed(each: int, needs: list[int], most: int, groups: list[int]) -> list[int] | None:
    if not needs:
        return groups
    need, rest = needs[0], needs[1:]
    for at, group in enumerate(groups):
        if group & need:
            found = _placed(each, rest, most, [*groups[:at], group & need, *groups[at + 1 :]])
            if found is not None:
                return found
    return _placed(each, rest, most, [*groups, need]) if len(groups) < most else None
