"""Formulas as the search takes them: trees of literals, conjunctions and alternatives, without negations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dkimgate.policy.describe.explain import short
from dkimgate.policy.language.fact import Kind
from dkimgate.policy.language.model import (
    All,
    Any,
    Atom,
    Compare,
    Condition,
    DomainGlob,
    Flag,
    Glob,
    Hosted,
    Leaf,
    NoAuthor,
    Not,
    Policy,
    Present,
    Within,
    Word,
    leaves,
)
from dkimgate.policy.language.vocabulary import FACTS
from dkimgate.policy.proof import stores, universe
from dkimgate.policy.proof.budget import Budget
from dkimgate.policy.proof.language import Language, Writing
from dkimgate.policy.proof.ranges import ADDRESSES, PRESENT_ADDRESSES, network_range, rank, union
from dkimgate.policy.proof.stores import HOSTED, NONE, PLAIN, Literal


class And:
    """Every part holds."""

    __slots__ = ("keys", "parts")

    def __init__(self, parts: Iterable[Formula]) -> None:
        self.parts = tuple(parts)
        self.keys: frozenset[str] = frozenset().union(*(part.keys for part in self.parts))


class Or:
    """At least one part holds. `written`: the condition that it comes from. `whole`: what the search began with, if
    this is left of it."""

    __slots__ = ("keys", "parts", "whole", "written")

    def __init__(self, parts: Iterable[Formula], written: Condition | None = None, whole: Or | None = None) -> None:
        self.parts = tuple(parts)
        self.keys: frozenset[str] = frozenset().union(*(part.keys for part in self.parts))
        self.written = written
        self.whole = whole or self

    def __str__(self) -> str:
        place = f" on line {self.written.line}" if self.written is not None and self.written.line else ""
        return f"the condition{place} ({short(self.written)})"


Formula = Literal | And | Or

TRUE = And(())
FALSE = Or(())


@dataclass(slots=True)
class Formulas:
    """The conditions of one policy as formulas, over the languages of its globs."""

    languages: dict[str, Language]
    literals: dict[Leaf, Formula]

    @classmethod
    def of(cls, policy: Policy, budget: Budget) -> Formulas:
        """For the rules of a policy, and for what is asked about them."""
        found: dict[str, list[Glob | DomainGlob]] = {name: [] for name in (*universe.TEXTS, "recipients")}
        conditions = [rule.when for rule in policy.rules if rule.when is not None]
        for condition in (*conditions, *universe.TIES):
            for leaf in leaves(condition):
                name = "recipients" if leaf.fact == "recipients.all" else leaf.fact
                if name in found:
                    found[name] += [atom for atom in leaf.atoms if isinstance(atom, Glob | DomainGlob)]
        texts = {**universe.TEXTS, "recipients": (Writing.MAILBOX, True, universe.READABLE_RECIPIENTS)}
        languages = {
            name: Language(writing, found[name], readable, budget, name)
            for name, (writing, _, readable) in texts.items()
        }
        return cls(languages, {})

    def formula(self, condition: Condition | None, holds: bool = True) -> Formula:
        """The condition, or that it does not hold."""
        match condition:
            case None:
                return TRUE if holds else FALSE
            case Not(part):
                return self.formula(part, not holds)
            case All(parts) | Any(parts):
                formulas = [self.formula(part, holds) for part in parts]
                return _and(formulas) if isinstance(condition, All) is holds else _or(formulas, condition)
            case Leaf():
                return self._leaf(condition, holds)

    def _leaf(self, leaf: Leaf, holds: bool) -> Formula:
        if leaf.fact == "arrival.badly":
            return self.formula(_meaning_of_badly(leaf), holds)
        if leaf not in self.literals:
            self.literals[leaf] = self._literal(leaf)
        formula = self.literals[leaf]
        if isinstance(formula, Literal):
            return formula if holds else formula.opposite
        return formula if holds else FALSE if formula is TRUE else TRUE

    def _literal(self, leaf: Leaf) -> Formula:
        fact, name, atoms = FACTS[leaf.fact], leaf.fact, leaf.atoms
        present = any(isinstance(atom, Present) for atom in atoms)
        if present and not fact.optional:
            return TRUE
        match fact.kind:
            case Kind.WORD:
                return _word(name, atoms, present)
            case Kind.FLAG:
                flags = {atom.wanted for atom in atoms if isinstance(atom, Flag)}
                if name == "spam":
                    return _spam(flags)
                return stores.words(name, sum(1 << flag for flag in flags), 3)
            case Kind.NUMBER:
                return self._number(name, tuple(atom for atom in atoms if isinstance(atom, Compare)))
            case Kind.ADDRESS:
                networks = union(*(network_range(atom.network) for atom in atoms if isinstance(atom, Within)))
                wanted = PRESENT_ADDRESSES if present else PRESENT_ADDRESSES & networks
                return stores.numbers(name, wanted, ADDRESSES)
            case Kind.MAILBOXES:
                language = self.languages["recipients"]
                patterns = language.set_of(atom for atom in atoms if isinstance(atom, Glob | DomainGlob))
                make = stores.all_recipients if name == "recipients.all" else stores.any_recipient
                return make("recipients", language, patterns, present)
        return self._text(name, atoms, present)

    def _number(self, name: str, compares: tuple[Compare, ...]) -> Formula:
        ranges = universe.matching(name, compares)
        if name == "recipients.count":
            return stores.count("recipients", self.languages["recipients"], ranges, universe.COUNTS)
        return stores.numbers(name, ranges, universe.RISKS if name == "risk" else universe.NUMBERS[name])

    def _text(self, name: str, atoms: tuple[Atom, ...], present: bool) -> Formula:
        language = self.languages[name]
        # an author is never an address
        kinds = (Glob,) if name == "from" else (Glob, DomainGlob)
        patterns = language.set_of(atom for atom in atoms if isinstance(atom, kinds))
        cases = {NONE} if any(isinstance(atom, NoAuthor) for atom in atoms) and name == "from" else set()
        if any(isinstance(atom, Hosted) for atom in atoms) and name == "from":
            cases.add(HOSTED)
        if present:
            cases |= {PLAIN}
        return stores.text(name, language, frozenset(cases), patterns)


def _meaning_of_badly(leaf: Leaf) -> Condition:
    badly = Any((Not(Leaf("arrival.dmarc", (Word("pass"), Word("none")))), Leaf("spam", (Flag(True),))))
    wanted = {atom.wanted for atom in leaf.atoms if isinstance(atom, Flag)}
    parts = [badly if flag else Not(badly) for flag in wanted]
    if any(isinstance(atom, Present) for atom in leaf.atoms):
        parts += [badly, Not(badly)]
    return Any(tuple(parts), leaf.line)


def _word(name: str, atoms: tuple[Atom, ...], present: bool) -> Formula:
    among = universe.WORDS[name]
    wanted = {atom.word for atom in atoms if isinstance(atom, Word)}
    mask = sum(1 << at for at, word in enumerate(among) if word is not None and (present or word in wanted))
    return stores.words(name, mask, (1 << len(among)) - 1)


def _spam(flags: set[bool]) -> Formula:
    every = universe.NUMBERS["spam.ratio"]
    yes = every & union((rank(1.0), every.last))
    wanted = (yes.parts if True in flags else ()) + (every.without(yes).parts if False in flags else ())
    return stores.numbers("spam.ratio", union(*wanted), every)


def _and(formulas: list[Formula]) -> Formula:
    parts = [part for formula in formulas for part in (formula.parts if isinstance(formula, And) else (formula,))]
    if any(part is FALSE for part in parts):
        return FALSE
    return parts[0] if len(parts) == 1 else And(parts) if parts else TRUE


def _or(formulas: list[Formula], written: Condition) -> Formula:
    parts = [part for formula in formulas for part in (formula.parts if isinstance(formula, Or) else (formula,))]
    if any(part is TRUE for part in parts):
        return TRUE
    return parts[0] if len(parts) == 1 else Or(parts, written) if parts else FALSE
