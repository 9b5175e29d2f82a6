"""A policy as frozen data: rules, weights, and conditions as a tree that can be evaluated, explained and reasoned
about.

Conditions hold no code. Whoever wants to know what a policy can do walks the tree: each leaf names its fact and the
words, thresholds, patterns and networks that it is compared with. Lines don't take part in comparisons: two conditions
are equal where they say the same.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from dkimgate.facts import Disposition, EnvelopeAction, Sign

Mode = Literal["enforce", "observe"]
Operator = Literal["<", "<=", ">", ">=", "==", "!="]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Word:
    """The fact is that word."""

    word: str


@dataclass(frozen=True, slots=True)
class Flag:
    """The fact is true, or it is false."""

    wanted: bool


@dataclass(frozen=True, slots=True)
class Compare:
    """The fact, a number, compares to `number` with that operator: `fact < number`."""

    operator: Operator
    number: float


@dataclass(frozen=True, slots=True)
class Glob:
    """The whole text matches; see `globs`. The pattern is in lower case."""

    pattern: str


@dataclass(frozen=True, slots=True)
class DomainGlob:
    """The fact is an address whose domain matches. An address without a domain, such as the null sender, does not
    match."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Within:
    """The fact is an address in that network."""

    network: Network


@dataclass(frozen=True, slots=True)
class Present:
    """The message has that fact at all."""


@dataclass(frozen=True, slots=True)
class Hosted:
    """There is one author domain, and a key of ours covers it."""


@dataclass(frozen=True, slots=True)
class NoAuthor:
    """The message has no single, well-formed author domain."""


Atom = Word | Flag | Compare | Glob | DomainGlob | Within | Present | Hosted | NoAuthor


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf: one of `atoms` (never empty) holds for the fact of that name. It never matches where the message is
    without the fact."""

    fact: str
    atoms: tuple[Atom, ...]
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; there is at least one."""

    parts: tuple[Condition, ...]
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Any:
    """At least one part holds; there is at least one."""

    parts: tuple[Condition, ...]
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition
    line: int = field(default=0, compare=False)


Condition = Leaf | All | Any | Not


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Every Leaf in a condition, in the order of the file."""
    match condition:
        case Leaf():
            yield condition
        case Not(part):
            yield from leaves(part)
        case All(parts) | Any(parts):
            for part in parts:
                yield from leaves(part)


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done with the messages for which `when` holds; without `when`, with every message that no earlier rule
    took.

    `text` is what the sender is told, one line without reply codes; only hold, defer and reject have one. `otherwise`
    is the disposition where `envelope: unalign` can't unalign the envelope: None where the file does not say, which is
    hold. `tag`, `add` and `remove` are about the header. `mode` is that of this rule, None where the policy's counts.
    `line` is where the rule stands in the file, 0 for a default that is not written there.
    """

    name: str
    when: Condition | None = None
    sign: Sign = Sign.NONE
    disposition: Disposition = Disposition.ACCEPT
    text: str | None = None
    seal: bool = False
    envelope: EnvelopeAction = EnvelopeAction.KEEP
    otherwise: Disposition | None = None
    tag: str | None = None
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()
    mode: Mode | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Weights:
    """What facts add to the risk. `parts` are by the name that the record gives them ("dmarc=fail",
    "header.from_equals_to"); `per_required` is what a spam score of exactly `required` adds; other scores in
    proportion, never below 0."""

    parts: tuple[tuple[str, float], ...] = ()
    per_required: float = 0.0


@dataclass(frozen=True)
class Policy:
    """A whole policy file. `allow_laundering` names the rules that may launder, for `laundering_reason`. `digest` is
    the SHA-256 of its bytes in hexadecimal: what `sha256sum` says of it. `file` is where it was read."""

    mode: Mode = "enforce"
    weights: Weights = field(default_factory=Weights)
    rules: tuple[Rule, ...] = ()
    default: Rule = field(default_factory=lambda: Rule("default"))
    allow_laundering: tuple[str, ...] = ()
    laundering_reason: str | None = None
    digest: str = ""
    file: str = field(default="", compare=False)

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        """The rules in their order, and the default behind them."""
        return (*self.rules, self.default)

    @cached_property
    def uses_forwarder(self) -> bool:
        """Some rule says `sign: forwarder`, so the configuration must say which domain that is."""
        return any(rule.sign is Sign.FORWARDER for rule in self.all_rules)

    @cached_property
    def seals(self) -> bool:
        """A rule says `seal: true`, so the configuration must have a domain for the seal."""
        return any(rule.seal for rule in self.all_rules)

    def mode_of(self, rule: Rule) -> Mode:
        """The mode of a rule: a policy that observes has none that enforces."""
        return "observe" if self.mode == "observe" else rule.mode or self.mode

    def rule(self, name: str) -> Rule | None:
        """The rule of that name, the default rule among them."""
        return next((rule for rule in self.all_rules if rule.name == name), None)
