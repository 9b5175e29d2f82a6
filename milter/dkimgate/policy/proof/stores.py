"""What a fact of a message may still be, and the literals that narrow it.

A store is never changed: a literal makes a narrower one, or None where nothing is left. There are four kinds: a set of
words as the bits of a number, `Ranges` of numbers and addresses, `Texts`, and `Recipients`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from dkimgate.policy.proof.language import ANYTHING, Language, Patterns, Wanted
from dkimgate.policy.proof.ranges import Ranges, union

NONE, PLAIN, HOSTED = "none", "plain", "hosted"
"""The cases of a text: the message is without it; it is there; it is there and a key of ours covers it."""


@dataclass(frozen=True)
class Texts:
    """A text: for each case that is left, what the text of that case has to match; None where the case has no text."""

    cases: tuple[tuple[str, Wanted | None], ...]


@dataclass(frozen=True)
class Recipients:
    """The recipients: how many; what each of them has to match, None where there can't be any; and what some have to
    match. Of each (patterns, wanted) in `some`, one recipient matches a pattern, or where not wanted, one matches
    none."""

    counts: Ranges
    each: Wanted | None = ANYTHING
    some: frozenset[tuple[Patterns, bool]] = frozenset()


Store = int | Ranges | Texts | Recipients


class Literal:
    """One condition on one fact. `key` is the fact's name in a state."""

    __slots__ = ("_known", "key", "keys", "opposite")

    def __init__(self, key: str) -> None:
        self.key = key
        self.keys = frozenset({key})
        self.opposite: Literal = self
        self._known: dict[Store, bool | None] = {}

    def meet(self, store: Store) -> Store | None:
        """The store of those values for which the literal holds, or None: for none."""
        raise NotImplementedError

    def entailed(self, store: Store) -> bool | None:
        """Does it hold for every value (True), for none (False), or for some?"""
        if store in self._known:
            return self._known[store]
        narrow = self.meet(store)
        known = False if narrow is None else True if narrow == store or self.opposite.meet(store) is None else None
        self._known[store] = known
        return known


def _opposites(one: Literal, other: Literal) -> Literal:
    one.opposite, other.opposite = other, one
    return one


class _Among(Literal):
    """The value is one of `members`: words as the bits of a number, numbers as ranges. The stores of both know `&`."""

    __slots__ = ("members",)

    def __init__(self, key: str, members: Any) -> None:
        super().__init__(key)
        self.members = members

    def meet(self, store: Any) -> Store | None:
        return store & self.members or None

    def entailed(self, store: Any) -> bool | None:
        narrow = store & self.members
        return False if not narrow else True if narrow == store else None


def words(key: str, mask: int, every: int) -> Literal:
    """The word is one of those whose bits are set, of those in `every`."""
    return _opposites(_Among(key, mask), _Among(key, every & ~mask))


def numbers(key: str, ranges: Ranges, every: Ranges) -> Literal:
    """The number, or the address, is in the ranges."""
    return _opposites(_Among(key, ranges), _Among(key, every.without(ranges)))


class _Text(Literal):
    __slots__ = ("cases", "language", "patterns", "positive")

    def __init__(self, key: str, language: Language, cases: frozenset[str], patterns: Patterns, positive: bool) -> None:
        super().__init__(key)
        self.language = language
        self.cases = cases
        self.patterns = patterns
        self.positive = positive

    def meet(self, store: Store) -> Store | None:
        assert isinstance(store, Texts)
        left = tuple((case, after) for case, before in store.cases for after in self._of_case(case, before))
        if not left:
            return None
        return store if left == store.cases else Texts(left)

    def _of_case(self, case: str, wanted: Wanted | None) -> tuple[Wanted | None, ...]:
        """What the text of a case has to match now; empty where the case is out."""
        if case in self.cases:
            return (wanted,) if self.positive else ()
        if wanted is None or not self.patterns:
            return () if self.positive else (wanted,)
        add = self.language.with_some if self.positive else self.language.with_none
        narrow = add(wanted, self.patterns)
        return () if self.language.text(narrow) is None else (narrow,)


def text(key: str, language: Language, cases: frozenset[str], patterns: Patterns) -> Literal:
    """The case is one of `cases`, or the text matches one of the patterns."""
    return _opposites(_Text(key, language, cases, patterns, True), _Text(key, language, cases, patterns, False))


_NOBODY = union((0, 0))


class _Recipients(Literal):
    """A literal that narrows the recipients by one of the functions below."""

    __slots__ = ("language", "patterns", "positive", "present", "quantified")
    ALL: ClassVar[str] = "all"
    ANY: ClassVar[str] = "any"

    def __init__(
        self, key: str, language: Language, quantified: str, patterns: Patterns, present: bool, positive: bool
    ) -> None:
        super().__init__(key)
        self.language = language
        self.quantified = quantified
        self.patterns = patterns
        self.present = present
        self.positive = positive

    def meet(self, store: Store) -> Store | None:
        assert isinstance(store, Recipients)
        counts, each, some = store.counts, store.each, store.some
        if self.positive:
            counts = counts.without(_NOBODY)
        elif self.present:
            each = None
        if not self.present and each is not None:
            match self.quantified, self.positive:
                case self.ALL, True:
                    each = self.language.with_some(each, self.patterns)
                case self.ALL, False:
                    some = some | {(self.patterns, False)}
                case self.ANY, True:
                    some = some | {(self.patterns, True)}
                case _:
                    each = self.language.with_none(each, self.patterns)
        return settled(self.language, Recipients(counts, each, some))


class _Count(Literal):
    __slots__ = ("language", "ranges")

    def __init__(self, key: str, language: Language, ranges: Ranges) -> None:
        super().__init__(key)
        self.language = language
        self.ranges = ranges

    def meet(self, store: Store) -> Store | None:
        assert isinstance(store, Recipients)
        return settled(self.language, replace(store, counts=store.counts & self.ranges))


def any_recipient(key: str, language: Language, patterns: Patterns, present: bool) -> Literal:
    """One recipient matches one of the patterns; with `present`, there is one."""
    return _quantified(key, language, _Recipients.ANY, patterns, present)


def all_recipients(key: str, language: Language, patterns: Patterns, present: bool) -> Literal:
    """There are recipients, and each matches one of the patterns."""
    return _quantified(key, language, _Recipients.ALL, patterns, present)


def _quantified(key: str, language: Language, quantified: str, patterns: Patterns, present: bool) -> Literal:
    return _opposites(
        _Recipients(key, language, quantified, patterns, present, True),
        _Recipients(key, language, quantified, patterns, present, False),
    )


def count(key: str, language: Language, ranges: Ranges, every: Ranges) -> Literal:
    """The number of recipients is in the ranges."""
    return _opposites(_Count(key, language, ranges), _Count(key, language, every.without(ranges)))


def settled(language: Language, store: Recipients) -> Recipients | None:
    """The store without the case that can't be: some recipients, or none. None where neither can."""
    if not store.counts:
        return None
    if store.counts.last > 0 and different(language, store) is None:
        store = replace(store, counts=store.counts & _NOBODY)
    if not store.counts:
        return None
    if store.counts.last == 0:
        return Recipients(_NOBODY, None)
    return store


def different(language: Language, store: Recipients) -> tuple[str, ...] | None:
    """Recipients, as few as readily found and not more than may be, of which everything holds that has to; None where
    there are none such."""
    if store.each is None:
        return None
    groups = _grouped(language, store.each, sorted(store.some), store.counts.last)
    if groups is None:
        return None
    return tuple(text for group in groups if (text := language.text(group)) is not None)


def _grouped(language: Language, each: Wanted, some: list[tuple[Patterns, bool]], most: int) -> list[Wanted] | None:
    """What each of at most `most` recipients has to match, so that between them they serve all of `some`."""
    one = each
    for need in some:
        one = _with(language, one, need)
    if language.text(one) is not None:
        return [one]
    if len(some) <= most:
        groups = [_with(language, each, need) for need in some]
        return groups if groups and all(language.text(group) is not None for group in groups) else None
    return _placed(language, each, some, most, [])


def _placed(
    language: Language, each: Wanted, some: list[tuple[Patterns, bool]], most: int, groups: list[Wanted]
) -> list[Wanted] | None:
    if not some:
        return groups
    need, rest = some[0], some[1:]
    for at, group in enumerate(groups):
        narrow = _with(language, group, need)
        if language.text(narrow) is not None:
            found = _placed(language, each, rest, most, [*groups[:at], narrow, *groups[at + 1 :]])
            if found is not None:
                return found
    fresh = _with(language, each, need)
    if len(groups) < most and language.text(fresh) is not None:
        return _placed(language, each, rest, most, [*groups, fresh])
    return None


def _with(language: Language, wanted: Wanted, need: tuple[Patterns, bool]) -> Wanted:
    return language.with_some(wanted, need[0]) if need[1] else language.with_none(wanted, need[0])
