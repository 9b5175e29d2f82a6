"""Which rules can decide anything: what always holds, what never does, and what follows from what.

These are sound and incomplete: "yes" is proved, "no" means only that no proof was found.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from dkimgate.policy.conditions import leaf_holds
from dkimgate.policy.fact import Fact, Kind
from dkimgate.policy.model import All, Any, Atom, Compare, Condition, Flag, Leaf, Not, Present, Rule, Within, Word
from dkimgate.policy.vocabulary import FACTS


def impossible(compare: Compare, fact: Fact) -> bool:
    """No value of that fact can satisfy the comparison."""
    if fact.whole and compare.operator == "==" and not compare.number.is_integer():
        return True
    if fact.least is None:
        return False
    match compare.operator:
        case "<":
            return compare.number <= fact.least
        case "<=" | "==":
            return compare.number < fact.least
    return False


def always(condition: Condition | None) -> bool:
    """The condition holds for every message."""
    match condition:
        case None:
            return True
        case Leaf(name, atoms):
            return _covers(FACTS[name], atoms)
        case All(parts):
            return all(always(part) for part in parts)
        case Any(parts):
            return any(always(part) for part in parts) or _one_or_its_opposite(parts) or _together(parts)
        case Not(part):
            return never(part)


def never(condition: Condition | None) -> bool:
    """The condition holds for no message."""
    match condition:
        case None | Leaf():
            return False
        case All(parts):
            return any(never(part) for part in parts) or _excluded(parts)
        case Any(parts):
            return all(never(part) for part in parts)
        case Not(part):
            return always(part)


def excluded(condition: Condition | None, known: tuple[Condition, ...]) -> bool:
    """The condition holds for no message for which all of `known` hold."""
    match condition:
        case None:
            return never(All(known))
        case All(parts):
            return never(All((*parts, *known))) or any(excluded(part, known) for part in parts)
        case Any(parts):
            return all(excluded(part, known) for part in parts)
    return never(All((condition, *known)))


def implies(a: Condition, b: Condition) -> bool:
    """Every message for which `a` holds is one for which `b` holds."""
    return always(b) or never(a) or _follows(a, b, {})


def shadow(rule: Rule, earlier: list[Rule]) -> Rule | None:
    """The earlier rule that takes every message which this one would take. `earlier` holds no rule that always holds."""
    if rule.when is None:
        return None
    return next((other for other in earlier if other.when is not None and implies(rule.when, other.when)), None)


def _follows(a: Condition, b: Condition, known: dict[tuple[int, int], bool]) -> bool:
    """`b` follows from `a` by how they are built. `known` holds what was found out about pairs of their parts: several ways lead
    to each pair, so that without it deep conditions would take for ever."""
    pair = id(a), id(b)
    if pair not in known:
        known[pair] = _follows_anew(a, b, known)
    return known[pair]


def _follows_anew(a: Condition, b: Condition, known: dict[tuple[int, int], bool]) -> bool:
    match a, b:
        case Leaf(), Leaf():
            return a.fact == b.fact and all(any(_atom_implies(x, y) for y in b.atoms) for x in a.atoms)
        case Any(parts), _:
            return all(_follows(part, b, known) for part in parts)
        case _, All(parts):
            return all(_follows(a, part, known) for part in parts)
        case Not(inner), Not(other):
            return _follows(other, inner, known)
    if isinstance(a, All) and any(_follows(part, b, known) for part in a.parts):
        return True
    return isinstance(b, Any) and any(_follows(a, part, known) for part in b.parts)


def _covers(fact: Fact, atoms: tuple[Atom, ...]) -> bool:
    """Every value of the fact satisfies one of the atoms, and no message is without the fact."""
    if fact.optional:
        return False
    match fact.kind:
        case Kind.WORD:
            return all(leaf_holds(Leaf("", atoms), word) for word in fact.words)
        case Kind.FLAG:
            return {atom.wanted for atom in atoms if isinstance(atom, Flag)} == {True, False}
        case Kind.NUMBER:
            return any(_always_above(atom, fact) for atom in atoms if isinstance(atom, Compare))
    return False


def _always_above(compare: Compare, fact: Fact) -> bool:
    if fact.least is None:
        return False
    match compare.operator:
        case ">=":
            return compare.number <= fact.least
        case ">" | "!=":
            return compare.number < fact.least
    return False


def _one_or_its_opposite(parts: tuple[Condition, ...]) -> bool:
    """`any: [x, not: x]`"""
    return any(isinstance(part, Not) and _follows(part.part, other, {}) for part in parts for other in parts)


def _together(parts: tuple[Condition, ...]) -> bool:
    """Leaves of one fact that together cover it: `any: [{spam: true}, {spam: false}]`."""
    names = {part.fact for part in parts if isinstance(part, Leaf)}
    return any(
        _covers(FACTS[name], tuple(atom for part in parts if isinstance(part, Leaf) and part.fact == name for atom in part.atoms))
        for name in names
    )


def _excluded(parts: tuple[Condition, ...]) -> bool:
    """Two parts that can't hold together: something and its opposite, or two conditions on one fact without a common value."""
    if any(isinstance(part, Not) and _follows(other, part.part, {}) for part in parts for other in parts if other is not part):
        return True
    same = [part for part in parts if isinstance(part, Leaf)]
    return any(a.fact == b.fact and all(_disjoint(x, y) for x in a.atoms for y in b.atoms) for a in same for b in same)


def _atom_implies(a: Atom, b: Atom) -> bool:
    match a, b:
        case _, Present():
            return True
        case Within(inner), Within(outer):
            return _inside(inner, outer)
        case Compare(), Compare():
            return _compare_implies(a, b)
    return a == b


def _inside(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network):
        return inner.subnet_of(outer)
    return False


def _compare_implies(a: Compare, b: Compare) -> bool:
    x, y = a.number, b.number
    match a.operator, b.operator:
        case "==", _:
            return leaf_holds(Leaf("", (b,)), x)
        case _, "!=":
            return not leaf_holds(Leaf("", (a,)), y)
        case (("<" | "<="), ("<" | "<=")):
            return x < y or (x == y and (a.operator == "<" or b.operator == "<="))
        case ((">" | ">="), (">" | ">=")):
            return x > y or (x == y and (a.operator == ">" or b.operator == ">="))
    return False


def _disjoint(a: Atom, b: Atom) -> bool:
    """No value satisfies both. Never said of globs: of two recipients each may satisfy one."""
    opposite: dict[str, str] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
    match a, b:
        case Compare(), Compare(relation, number):
            return _compare_implies(a, Compare(opposite[relation], number))  # type: ignore[arg-type]
        case Within(one), Within(other):
            return not _inside(one, other) and not _inside(other, one)
    return isinstance(a, Word | Flag) and isinstance(b, Word | Flag) and a != b
