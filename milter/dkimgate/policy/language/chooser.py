"""The rules of a policy, made ready for many messages. A message pays for the rules that can match it, not for all.

A customer's rule begins with his domain, his login or his address, and there may be hundreds of such rules. So a rule
that can only match where a text of the message is, or ends with, one of a few is looked for by that text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from dkimgate.facts import Facts, Risk
from dkimgate.policy.language.conditions import leaf_holds
from dkimgate.policy.language.fact import Author, Kind, Value
from dkimgate.policy.language.model import All, Any, Condition, DomainGlob, Flag, Glob, Leaf, Not, Policy, Rule, Word
from dkimgate.policy.language.vocabulary import FACTS, value_of

Key = tuple[str, str]
"""A fact, and a text that it is; with a `*` in front, a text that it ends with."""


class Values(dict[str, Value]):
    """The facts of one message as conditions see them, each read when it is first asked for."""

    def __init__(self, facts: Facts, risk: Risk) -> None:
        super().__init__()
        self._facts = facts
        self._risk = risk

    def __missing__(self, fact: str) -> Value:
        value = self[fact] = value_of(fact, self._facts, self._risk)
        return value


Test = Callable[[Values], bool]


class Chooser:
    """Finds the rule that decides."""

    def __init__(self, policy: Policy) -> None:
        self._rules = policy.rules
        self._default = policy.default
        self._tests = tuple(compiled(rule.when) for rule in policy.rules)
        self._always: list[int] = []  # rules that no text tells
        self._by_text: dict[str, _ByText] = {}
        for number, rule in enumerate(policy.rules):
            keys = keys_of(rule.when)
            if keys is None:
                self._always.append(number)
            for fact, text in keys or ():
                self._by_text.setdefault(fact, _ByText()).add(text, number)

    def rule(self, facts: Facts, risk: Risk) -> Rule:
        """The first rule whose conditions all match, else the default."""
        values = Values(facts, risk)
        return next((self._rules[at] for at in self.candidates(values) if self._tests[at](values)), self._default)

    def candidates(self, values: Values) -> Sequence[int]:
        """The rules that may match, in their order."""
        found = {at for fact, by_text in self._by_text.items() for at in by_text.of(values[fact])}
        return sorted(found.union(self._always)) if found else self._always


class _ByText:
    """The rules that ask for a text of one fact."""

    def __init__(self) -> None:
        self._whole: dict[str, list[int]] = {}
        self._ends: dict[str, list[int]] = {}
        self._lengths: list[int] = []

    def add(self, text: str, rule: int) -> None:
        if not text.startswith("*"):
            self._whole.setdefault(text, []).append(rule)
            return
        end = text[1:]
        self._ends.setdefault(end, []).append(rule)
        if len(end) not in self._lengths:
            self._lengths.append(len(end))

    def of(self, value: Value) -> Iterator[int]:
        for text in _texts(value):
            yield from self._whole.get(text, ())
            if "@" in text:
                yield from self._whole.get(text.rpartition("@")[2], ())
            for length in self._lengths:
                yield from self._ends.get(text[-length:], ())


def _texts(value: Value) -> tuple[str, ...]:
    match value:
        case str():
            return (value,)
        case Author(domain):
            return (domain,) if domain is not None else ()
        case tuple():
            return value
    return ()


def keys_of(condition: Condition | None) -> list[Key] | None:
    """Texts of which the message has one wherever the condition holds; None where it can hold without any."""
    match condition:
        case Leaf(fact, atoms):
            needed = [_key(fact, atom) for atom in atoms]
            return [key for key in needed if key is not None] if None not in needed else None
        case All(parts):
            known = [keys for part in parts if (keys := keys_of(part)) is not None]
            return min(known, key=len, default=None)
        case Any(parts):
            every = [keys_of(part) for part in parts]
            return [key for some in every for key in some or ()] if None not in every else None
    return None


def _key(fact: str, atom: object) -> Key | None:
    match atom:
        case Glob(pattern) | DomainGlob(pattern) if not pattern.endswith("*"):
            return fact, pattern
    return None


def compiled(condition: Condition | None) -> Test:
    """The condition as a function: `conditions.holds`, with what does not depend on the message done once."""
    match condition:
        case None:
            return lambda values: True
        case Leaf():
            return _leaf(condition)
        case Not(part):
            test = compiled(part)
            return lambda values: not test(values)
        case All(parts):
            return _every(tuple(map(compiled, parts)))
        case Any(parts):
            return _some(tuple(map(compiled, parts)))


def _leaf(leaf: Leaf) -> Test:
    fact, kind = leaf.fact, FACTS[leaf.fact].kind
    words = frozenset(atom.word for atom in leaf.atoms if isinstance(atom, Word))
    flags = frozenset(atom.wanted for atom in leaf.atoms if isinstance(atom, Flag))
    if kind is Kind.WORD and len(words) == len(leaf.atoms):
        return lambda values: values[fact] in words
    if kind is Kind.FLAG and len(flags) == len(leaf.atoms):
        return lambda values: values[fact] in flags
    return lambda values: leaf_holds(leaf, values[fact])


def _every(tests: tuple[Test, ...]) -> Test:
    def test(values: Values) -> bool:
        for each in tests:  # noqa: SIM110  `all` takes twice the time
            if not each(values):
                return False
        return True

    return test


def _some(tests: tuple[Test, ...]) -> Test:
    def test(values: Values) -> bool:
        for each in tests:  # noqa: SIM110
            if each(values):
                return True
        return False

    return test
