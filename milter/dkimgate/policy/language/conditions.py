"""Does a condition hold for a message?"""

from __future__ import annotations

import operator
from collections.abc import Callable

from dkimgate.facts import Facts, Risk
from dkimgate.policy.language import globs
from dkimgate.policy.language.fact import Author, IPAddress, Value
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
    Present,
    Within,
    Word,
)
from dkimgate.policy.language.vocabulary import value_of

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def holds(condition: Condition | None, facts: Facts, risk: Risk) -> bool:
    """Does the condition hold? None, a rule without `when`, always does."""
    match condition:
        case None:
            return True
        case Leaf(fact):
            return leaf_holds(condition, value_of(fact, facts, risk))
        case All(parts):
            return all(holds(part, facts, risk) for part in parts)
        case Any(parts):
            return any(holds(part, facts, risk) for part in parts)
        case Not(part):
            return not holds(part, facts, risk)


def leaf_holds(leaf: Leaf, value: Value) -> bool:
    """Does a leaf hold where its fact has that value? Never where the fact is absent (None)."""
    if isinstance(value, tuple):
        quantifier = all if leaf.fact == "recipients.all" else any
        return bool(value) and quantifier(_one_of(leaf.atoms, item) for item in value)
    return _one_of(leaf.atoms, value)


def _one_of(atoms: tuple[Atom, ...], value: Value) -> bool:
    return value is not None and any(_atom_holds(atom, value) for atom in atoms)


def _atom_holds(atom: Atom, value: Value) -> bool:
    match atom, value:
        case Word(word), str():
            return value == word
        case Flag(wanted), bool():
            return value is wanted
        case Compare(relation, number), float():
            return _RELATIONS[relation](value, number)
        case Glob(pattern), str():
            return globs.matches(pattern, value)
        case Glob(pattern), Author(domain):
            return domain is not None and globs.matches(pattern, domain)
        case DomainGlob(pattern), str():
            _, at, domain = value.rpartition("@")
            return bool(at and domain) and globs.matches(pattern, domain)
        case Within(network), _ if isinstance(value, IPAddress):
            return value in network
        case Present(), _:
            return True
        case Hosted(), Author(_, hosted):
            return hosted
        case NoAuthor(), Author(domain):
            return domain is None
    return False
