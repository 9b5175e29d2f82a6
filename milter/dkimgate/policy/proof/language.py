"""Is there a text that matches these globs and none of those? Exactly, with such a text where there is one.

The globs of one fact are one automaton: a state is the set of places in all of them that the text so far may have led
to, as the bits of one number. A walk over the states that can be reached finds a text, or shows that there is none.
Before that, readable texts are tried, for most questions have an answer that is not far to seek.
"""

from __future__ import annotations

import string
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from dkimgate.policy.language import globs
from dkimgate.policy.language.model import DomainGlob, Glob
from dkimgate.policy.proof.budget import TOO_MANY, Budget, TooHardError

MAX_STATES = 10_000
"""States that a walk visits: globs that need more are nobody's to read either."""

STEPS_A_STATE = 10

_MOST_SHOWN = 4


class Writing(Enum):
    """What texts of a fact there are at all, once they are in lower case and without a trailing dot."""

    DOMAIN = auto()  # labels of a-z, 0-9 and hyphens inside, see domains.a_label
    HOST = auto()  # anything that is not empty and does not end in a dot
    TEXT = auto()  # anything that is not empty
    MAILBOX = auto()  # anything that does not end in a dot; empty for the null sender


Patterns = int
"""A set of patterns: the bit 1 << index for each."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A text that for each of `some` matches at least one of its patterns, and that matches no pattern of `none`."""

    some: frozenset[Patterns] = frozenset()
    none: Patterns = 0


ANYTHING = Wanted()
"""Any text."""

_LETTERS = "x" + "".join(char for char in string.ascii_lowercase if char != "x") + string.digits


class Language:
    """The globs that a policy compares with one fact."""

    def __init__(
        self,
        writing: Writing,
        patterns: Iterable[Glob | DomainGlob],
        readable: tuple[str, ...] = (),
        budget: Budget | None = None,
        name: str = "text",
    ) -> None:
        self._name = name
        self.patterns: list[Glob | DomainGlob] = list(dict.fromkeys(patterns))
        self._writing = writing
        self._readable = readable
        self._index = {pattern: 1 << at for at, pattern in enumerate(self.patterns)}
        self._found: dict[Wanted, str | None] = {}
        self._apart: dict[int, Patterns] = {}
        self._nfa: _Automaton | None = None
        self._budget = budget or Budget(MAX_STATES)

    def set_of(self, patterns: Iterable[Glob | DomainGlob]) -> Patterns:
        """The patterns as a set."""
        found = 0
        for pattern in patterns:
            found |= self._index[pattern]
        return found

    def matches(self, patterns: Patterns, text: str) -> bool:
        """Does the text match one of the patterns?"""
        return any(_matches(self.patterns[at], text) for at in _bits(patterns))

    def with_some(self, wanted: Wanted, patterns: Patterns) -> Wanted:
        """The text matches one of the patterns, too."""
        apart = self._apart_from(patterns)
        return Wanted(wanted.some | {patterns}, wanted.none & ~apart)

    def with_none(self, wanted: Wanted, patterns: Patterns) -> Wanted:
        """The text matches none of the patterns, either. Those that it can't match anyway say nothing new."""
        for some in wanted.some:
            patterns &= ~self._apart_from(some)
        return Wanted(wanted.some, wanted.none | patterns)

    def text(self, wanted: Wanted) -> str | None:
        """Such a text, or None: there is none. Raises TooHardError."""
        if wanted not in self._found:
            self._found[wanted] = self._search(wanted)
        return self._found[wanted]

    def accepts(self, wanted: Wanted, text: str) -> bool:
        """Is that such a text?"""
        return (
            writable(self._writing, text)
            and not self.matches(wanted.none, text)
            and all(self.matches(some, text) for some in wanted.some)
        )

    def _search(self, wanted: Wanted) -> str | None:
        for some in wanted.some:
            if not some:
                return None
            if some & wanted.none == some:
                return None
        literal = [some for some in wanted.some if all(self._literal(at) is not None for at in _bits(some))]
        if literal:
            texts = [self._literal(at) or "" for at in _bits(min(literal, key=int.bit_count))]
            return next((text for text in texts if self.accepts(wanted, text)), None)
        for text in self._guesses(wanted):
            if self.accepts(wanted, text):
                return text
        if self._nfa is None:
            self._nfa = _Automaton(self.patterns)
        what = self._named(wanted)
        try:
            return self._nfa.walk(wanted, self._writing, lambda: self._budget.spend(STEPS_A_STATE, what))
        except _TooManyStatesError:
            raise TooHardError(f"{TOO_MANY} {what}") from None

    def _named(self, wanted: Wanted) -> str:
        """The globs in question, for an operator."""
        asked = wanted.none
        for some in wanted.some:
            asked |= some
        shown = [ascii(self.patterns[at].pattern) for at in _bits(asked)]
        many = f" and {len(shown) - _MOST_SHOWN} more" if len(shown) > _MOST_SHOWN else ""
        return f"the globs of {self._name} ({', '.join(shown[:_MOST_SHOWN])}{many})"

    def _literal(self, at: int) -> str | None:
        """The only text that the pattern matches, where there is but one."""
        pattern = self.patterns[at]
        return pattern.pattern if isinstance(pattern, Glob) and not _is_wild(pattern.pattern) else None

    def _guesses(self, wanted: Wanted) -> Iterator[str]:
        yield from self._readable
        for some in wanted.some:
            for at in _bits(some):
                pattern = self.patterns[at]
                front = "friend@" if isinstance(pattern, DomainGlob) else ""
                for filling in ("", "x", "mail", "mail.x"):
                    yield front + pattern.pattern.replace("?", "x").replace("*", filling)

    def _apart_from(self, patterns: Patterns) -> Patterns:
        """Patterns that surely match no text that one of `patterns` matches."""
        found = -1
        for at in _bits(patterns):
            found &= self._apart_from_one(at)
            if not found:
                break
        return found

    def _apart_from_one(self, at: int) -> Patterns:
        if at not in self._apart:
            mine = self.patterns[at]
            self._apart[at] = sum(1 << other for other, theirs in enumerate(self.patterns) if _apart(mine, theirs))
        return self._apart[at]


def writable(writing: Writing, text: str) -> bool:
    """Can a fact of that kind be that text?"""
    if text != text.lower():
        return False
    match writing:
        case Writing.DOMAIN:
            state = _START
            for char in text:
                state = _domain_step(state, char)
            return state == _INSIDE
        case Writing.HOST:
            return text != "" and not text.endswith(".")
        case Writing.TEXT:
            return text != ""
        case Writing.MAILBOX:
            return not text.endswith(".")


def _bits(patterns: Patterns) -> Iterator[int]:
    while patterns:
        lowest = patterns & -patterns
        yield lowest.bit_length() - 1
        patterns ^= lowest


def _matches(pattern: Glob | DomainGlob, text: str) -> bool:
    if isinstance(pattern, Glob):
        return globs.matches(pattern.pattern, text)
    _, at, domain = text.rpartition("@")
    return bool(at and domain) and globs.matches(pattern.pattern, domain)


def _is_wild(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def _apart(one: Glob | DomainGlob, other: Glob | DomainGlob) -> bool:
    """No text matches both, as their ends show. False where that takes more than a look."""
    a, b = one.pattern, other.pattern
    if isinstance(one, Glob) and not _is_wild(a):
        return not _matches(other, a)
    if isinstance(other, Glob) and not _is_wild(b):
        return not _matches(one, b)
    if isinstance(one, DomainGlob):
        a = "*@" + a
    if isinstance(other, DomainGlob):
        b = "*@" + b
    return not (_agree(_front(a), _front(b)) and _agree(_front(a[::-1]), _front(b[::-1])))


def _front(pattern: str) -> str:
    """What a text that matches begins with; a `?` stands for itself."""
    return pattern.partition("*")[0]


def _agree(a: str, b: str) -> bool:
    return all(x == y or "?" in (x, y) for x, y in zip(a, b, strict=False))


_START, _INSIDE, _HYPHEN, _WRONG = range(4)


def _domain_step(state: int, char: str) -> int:
    """Where a legal domain stands behind one more character: at the start of a label, inside it, or behind a hyphen."""
    if char == ".":
        return _START if state == _INSIDE else _WRONG
    if char == "-":
        return _HYPHEN if state in (_INSIDE, _HYPHEN) else _WRONG
    if char.isascii() and char.isalnum() and state != _WRONG:
        return _INSIDE
    return _WRONG


class _TooManyStatesError(Exception):
    """More than MAX_STATES."""


class _Automaton:
    """All patterns side by side. A pattern of n characters has n + 1 places; its text has been read when the last one
    is reached."""

    def __init__(self, patterns: list[Glob | DomainGlob]) -> None:
        self._first: list[int] = []
        self._places: list[int] = []
        self._last: list[int] = []
        self._stars = self._inner_stars = self._any = self._inner_any = 0
        self._chars: dict[str, int] = {}
        place = 1
        for pattern in patterns:
            start = place
            self._first.append(start)
            for token, inner in _tokens(pattern):
                if token == "*" and inner:
                    self._inner_stars |= place
                elif token == "*":
                    self._stars |= place
                elif token == "?" and inner:
                    self._inner_any |= place
                elif token == "?":
                    self._any |= place
                elif token:
                    self._chars[token] = self._chars.get(token, 0) | place
                place <<= 1
            self._last.append(place)
            place <<= 1
            self._places.append(place - start)
        self._every_star = self._stars | self._inner_stars
        self._inner = self._inner_stars | self._inner_any

    def walk(self, wanted: Wanted, writing: Writing, spend: Callable[[], None]) -> str | None:
        """The shortest text that is wanted, or None. `spend` is called for each state. Raises _TooManyStatesError."""
        alive = [(self._sum(self._places, some), self._sum(self._last, some)) for some in wanted.some]
        bad = self._sum(self._last, wanted.none)
        lost = bad & self._stars << 1  # behind a star nothing can go wrong any more
        everything = wanted.none
        for some in wanted.some:
            everything |= some
        start = (self._skip(self._sum(self._first, everything)), _START)
        came: dict[tuple[int, int], tuple[tuple[int, int], str] | None] = {start: None}
        queue = deque([start])
        while queue:
            here = queue.popleft()
            places, standing = here
            if _may_end(standing, writing) and not places & bad and all(places & ends for _, ends in alive):
                return _spelled(here, came)
            for char in self._next(places, writing):
                there = self._step(places, char), _stand(standing, char, writing)
                if (
                    there[1] == _WRONG
                    or there in came
                    or there[0] & lost
                    or any(not there[0] & region for region, _ in alive)
                ):
                    continue
                came[there] = here, char
                spend()
                if len(came) > MAX_STATES:
                    raise _TooManyStatesError
                queue.append(there)
        return None

    def _sum(self, each: list[int], patterns: Patterns) -> int:
        found = 0
        for at in _bits(patterns):
            found |= each[at]
        return found

    def _next(self, places: int, writing: Writing) -> list[str]:
        """The characters that make a difference here, and one that stands for all the others."""
        found = [char for char, at in self._chars.items() if places & at and char == char.lower()]
        if writing is Writing.DOMAIN:
            found = [char for char in found if _domain_step(_INSIDE, char) != _WRONG]
            other = next((char for char in (*_LETTERS, "-", ".") if char not in found), None)
        else:
            if places & self._inner and "@" not in found:
                found.append("@")
            other = next(char for char in _others() if char not in found and char not in "@.")
        return [*found, other] if other is not None else found

    def _step(self, places: int, char: str) -> int:
        stay = places & (self._stars if char == "@" else self._every_star)
        moving = places & (self._chars.get(char, 0) | (self._any if char == "@" else self._any | self._inner_any))
        return self._skip(stay | moving << 1)

    def _skip(self, places: int) -> int:
        """A star may stand for nothing. No two stars are neighbours."""
        return places | (places & self._every_star) << 1


def _tokens(pattern: Glob | DomainGlob) -> list[tuple[str, bool]]:
    """The characters of a pattern without repeated stars. Those of a domain are `inner`: they don't match an @; and a
    domain is not empty, so that what matches an empty one has a place that nothing leads out of."""
    text = pattern.pattern
    while "**" in text:
        text = text.replace("**", "*")
    if isinstance(pattern, Glob):
        return [(char, False) for char in text]
    inner = [(char, True) for char in ("?*" if text == "*" else text)] or [("", True)]
    return [("*", False), ("@", False), *inner]


def _others() -> Iterator[str]:
    yield from _LETTERS
    yield from (chr(code) for code in range(0x4E00, 0x9FFF))  # characters without case, of which no policy uses all


def _stand(standing: int, char: str, writing: Writing) -> int:
    if writing is Writing.DOMAIN:
        return _domain_step(standing, char)
    return _HYPHEN if char == "." else _INSIDE


def _may_end(standing: int, writing: Writing) -> bool:
    match writing:
        case Writing.DOMAIN | Writing.HOST:
            return standing == _INSIDE
        case Writing.TEXT:
            return standing != _START
        case Writing.MAILBOX:
            return standing != _HYPHEN


def _spelled(end: tuple[int, int], came: dict[tuple[int, int], tuple[tuple[int, int], str] | None]) -> str:
    text: list[str] = []
    step = came[end]
    while step is not None:
        text.append(step[1])
        step = came[step[0]]
    return "".join(reversed(text))
