"""Formulas as the search takes them: trees of literals, conjunctions and alternatives, without negations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dkimgate.policy.describe.explain import short
from dkimgate.policy.language.conditions import leaf_holds
from dkimgate.policy.language.fact import Kind, Value
from dkimgate.policy.language.model import (
    All,
    Any,
    Atom,
    Compare,
    Condition,
    Flag,
    Leaf,
    Not,
    Policy,
    Present,
    Within,
    Word,
    leaves,
)
from dkimgate.policy.language.vocabulary import FACTS
from dkimgate.policy.proof import stores, universe
from dkimgate.policy.proof.ranges import ADDRESSES, PRESENT_ADDRESSES, network_range, rank, union
from dkimgate.policy.proof.stores import Literal, State
from dkimgate.policy.proof.texts import values_of


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


class Formulas:
    """The conditions of one policy as formulas. `values`: for each fact that is a word, a flag or a text the values
    that it may have, as the bits of a store; "recipients" is what each of them may be."""

    def __init__(self, policy: Policy) -> None:
        """For the rules of a policy, and for what is asked about them."""
        named: dict[str, list[Atom]] = {name: [] for name in universe.TEXTS}
        conditions = [rule.when for rule in policy.rules if rule.when is not None]
        for condition in (*conditions, *universe.TIES):
            for leaf in leaves(condition):
                name = "recipients" if leaf.fact == "recipients.all" else leaf.fact
                if name in named:
                    named[name] += leaf.atoms
        self.patterns = {name: tuple(dict.fromkeys(atoms)) for name, atoms in named.items()}
        self.values: dict[str, tuple[Value, ...]] = {
            **universe.WORDS,
            **dict.fromkeys(universe.FLAGS, (False, True)),
            **{name: values_of(FACTS[name], atoms) for name, atoms in self.patterns.items()},
        }
        self._literals: dict[Leaf, Formula] = {}

    def everything(self) -> State:
        """Any message at all."""
        state: State = {name: every(values) for name, values in self.values.items()}
        recipients = stores.Recipients(universe.COUNTS, every(self.values["recipients"]))
        return {
            **state,
            "spam.ratio": universe.RATIOS,
            "risk": universe.RISKS,
            **dict.fromkeys(universe.NETWORKS, ADDRESSES),
            "recipients": recipients,
        }

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
        if leaf not in self._literals:
            self._literals[leaf] = self._literal(leaf)
        formula = self._literals[leaf]
        if isinstance(formula, Literal):
            return formula if holds else formula.opposite
        return formula if holds else FALSE if formula is TRUE else TRUE

    def _literal(self, leaf: Leaf) -> Formula:
        fact, name, atoms = FACTS[leaf.fact], leaf.fact, leaf.atoms
        present = any(isinstance(atom, Present) for atom in atoms)
        if present and not fact.optional:
            return TRUE
        match fact.kind:
            case Kind.NUMBER:
                return _number(name, tuple(atom for atom in atoms if isinstance(atom, Compare)))
            case Kind.FLAG if name == "spam":
                return _spam({atom.wanted for atom in atoms if isinstance(atom, Flag)})
            case Kind.ADDRESS:
                networks = union(*(network_range(atom.network) for atom in atoms if isinstance(atom, Within)))
                wanted = PRESENT_ADDRESSES if present else PRESENT_ADDRESSES & networks
                return stores.numbers(name, wanted, ADDRESSES)
            case Kind.MAILBOXES:
                texts = self.values["recipients"]
                mask = sum(1 << at for at, text in enumerate(texts) if leaf_holds(leaf, (str(text),)))
                make = stores.all_recipients if name == "recipients.all" else stores.any_recipient
                return make("recipients", mask, every(texts))
        values = self.values[name]
        mask = sum(1 << at for at, value in enumerate(values) if leaf_holds(leaf, value))
        return stores.values(name, mask, every(values))


def every(values: Sequence[Value]) -> int:
    """The bits of all of them."""
    return (1 << len(values)) - 1


def _number(name: str, compares: tuple[Compare, ...]) -> Formula:
    ranges = universe.matching(name, compares)
    if name == "recipients.count":
        return stores.count("recipients", ranges, universe.COUNTS)
    return stores.numbers(name, ranges, universe.RISKS if name == "risk" else universe.RATIOS)


def _meaning_of_badly(leaf: Leaf) -> Condition:
    badly = Any((Not(Leaf("arrival.dmarc", (Word("pass"), Word("none")))), Leaf("spam", (Flag(True),))))
    wanted = {atom.wanted for atom in leaf.atoms if isinstance(atom, Flag)}
    parts = [badly if flag else Not(badly) for flag in wanted]
    if any(isinstance(atom, Present) for atom in leaf.atoms):
        parts += [badly, Not(badly)]
    return Any(tuple(parts), leaf.line)


def _spam(flags: set[bool]) -> Formula:
    yes = universe.RATIOS & union((rank(1.0), universe.RATIOS.last))
    wanted = (yes.parts if True in flags else ()) + (universe.RATIOS.without(yes).parts if False in flags else ())
    return stores.numbers("spam.ratio", union(*wanted), universe.RATIOS)


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
