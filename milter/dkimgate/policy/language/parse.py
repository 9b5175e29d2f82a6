"""Conditions as they are written under `when`, read into the tree of `model`."""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
from typing import cast

from dkimgate.config.wrong_values import shown, trap
from dkimgate.config.yaml_file import Where, nearest
from dkimgate.policy.language import globs
from dkimgate.policy.language.fact import Fact, Kind
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
    Operator,
    Present,
    Within,
    Word,
)
from dkimgate.policy.language.problems import Problems
from dkimgate.policy.language.vocabulary import CONDITIONS, FACTS
from dkimgate.policy.proof import universe

MAX_DEPTH = 20
"""Conditions nest at most so deep: nobody reads more, and the evaluation is recursive."""

MAX_PATTERN = 255

COMPARISON = re.compile(r"\s*(<=|>=|==|!=|<|>)\s*(-?[0-9]+(?:\.[0-9]+)?)\s*")
_BRANCHES = ("any", "all", "not")


def condition(problems: Problems, where: Where, value: object, depth: int = 0) -> Condition | None:
    """Read a mapping of facts and branches, all of which must hold. None where something is wrong, which is noted."""
    if isinstance(value, list):
        problems.add(
            where,
            "condition.list",
            "expected a mapping of facts, found a list. For alternatives write `any: [{...}, {...}]`",
        )
        return None
    mapping = problems.mapping(where, value, "a mapping of facts such as {origin: submitted}")
    if mapping is None:
        return None
    if depth > MAX_DEPTH:
        problems.add(
            where, "condition.too-deep", f"conditions are nested more than {MAX_DEPTH} levels deep: split the rule"
        )
        return None
    parts = [_part(problems, (*where, key), key, inner, depth) for key, inner in mapping.items()]
    good = tuple(part for part in parts if part is not None)
    if len(good) < len(parts) or not good:
        return None
    return good[0] if len(good) == 1 else All(good, problems.document.line(where))


def _part(problems: Problems, where: Where, key: str, value: object, depth: int) -> Condition | None:
    line = problems.document.line(where)
    if key == "not":
        inner = condition(problems, where, value, depth + 1)
        return None if inner is None else Not(inner, line)
    if key in _BRANCHES:
        branches = _list_of_conditions(problems, where, key, value, depth)
        if branches is None:
            return None
        return Any(branches, line) if key == "any" else All(branches, line)
    if key in FACTS and key not in CONDITIONS:
        told = FACTS[key].told
        problems.add(where, "condition.unknown-fact", f"{key}: a condition compares {told}: {FACTS[told].meaning}")
        return None
    if key not in FACTS:
        problems.add(where, "condition.unknown-fact", f"unknown fact {key!r}{fact_hint(key)}")
        return None
    atoms = _atoms(problems, where, key, value)
    return None if atoms is None else Leaf(key, atoms, line)


def _list_of_conditions(
    problems: Problems, where: Where, key: str, value: object, depth: int
) -> tuple[Condition, ...] | None:
    if not isinstance(value, list) or not value:
        problems.add(
            where,
            "condition.expected-list",
            f"{key}: expected a list of mappings, `{key}: [{{...}}, {{...}}]`, found {shown(value)}",
        )
        return None
    parts = [condition(problems, (*where, index), item, depth + 1) for index, item in enumerate(value)]
    good = tuple(part for part in parts if part is not None)
    return good if len(good) == len(parts) else None


def fact_hint(key: str) -> str:
    """Facts are written in full: `arrival.dmarc`, neither `dmarc` nor a mapping under `arrival`."""
    inside = [name for name in CONDITIONS if name.startswith(f"{key}.")]
    last = [name for name in CONDITIONS if name.endswith(f".{key}")]
    if inside:
        return f": write one of {', '.join(inside)}"
    if last:
        return f"; did you mean {' or '.join(map(repr, last))}?"
    return nearest(key, (*CONDITIONS, *_BRANCHES))


def _atoms(problems: Problems, where: Where, name: str, value: object) -> tuple[Atom, ...] | None:
    fact = FACTS[name]
    if not isinstance(value, list):
        atom = _atom(problems, where, name, fact, value)
        return None if atom is None else (atom,)
    if fact.kind is Kind.FLAG or not value:
        problems.add(where, "condition.value", f"{name}: expected {_expected(fact)}, found {shown(value)}")
        return None
    atoms = [_atom(problems, (*where, index), name, fact, item) for index, item in enumerate(value)]
    good = tuple(atom for atom in atoms if atom is not None)
    return good if len(good) == len(atoms) else None


def _expected(fact: Fact) -> str:
    match fact.kind:
        case Kind.WORD:
            return f"one of {', '.join(fact.words)}"
        case Kind.FLAG:
            return "true or false"
        case Kind.NUMBER:
            return 'a comparison such as "< 50" or ">= 3.5", or a number'
        case Kind.ADDRESS:
            return "a network such as 192.0.2.0/24 or 2001:db8::/32"
        case Kind.AUTHOR:
            return "hosted, none, or a domain such as partner.example or *.partner.example"
        case Kind.MAILBOX | Kind.MAILBOXES:
            return "an address or domain such as friend@partner.example, *@partner.example or *.partner.example"
        case Kind.HOST:
            return "a host name such as mx.partner.example or *.partner.example"
        case Kind.TEXT:
            return "text, with `*` at its end for all that begins so, or *@partner.example"


def _atom(problems: Problems, where: Where, name: str, fact: Fact, value: object) -> Atom | None:
    """One value behind the name of a fact."""
    atom: Atom | str
    match fact.kind, value:
        case Kind.FLAG, bool():
            return Flag(value)
        case Kind.NUMBER, (int() | float() | str()) if not isinstance(value, bool):
            atom = _comparison(fact, value)
        case _, "present" if fact.optional:
            return Present()
        case Kind.WORD, str():
            atom = (
                Word(value)
                if value in fact.words
                else f"{value!r} is not a value of this fact{nearest(value, fact.words)}"
            )
        case Kind.ADDRESS, str():
            atom = _network(value)
        case ((Kind.HOST | Kind.TEXT | Kind.AUTHOR | Kind.MAILBOX | Kind.MAILBOXES), str()):
            atom = _pattern(fact, value)
        case _:
            hint = trap(value) if value is None or fact.kind not in (Kind.NUMBER, Kind.FLAG) else ""
            atom = f"expected {_expected(fact)}, found {shown(value)}{hint}"
    if isinstance(atom, str):
        problems.add(where, "condition.value", f"{name}: {atom}")
        return None
    return atom


def _comparison(fact: Fact, value: float | str) -> Compare | str:
    """A comparison, or what is wrong with it."""
    relation: Operator = "=="
    if isinstance(value, str):
        match = COMPARISON.fullmatch(value)
        if not match:
            return f"expected {_expected(fact)}, found {value!r}"
        relation, value = cast(Operator, match[1]), float(match[2])
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        return f"expected {_expected(fact)}, found {shown(value)}"
    compare = Compare(relation, number)
    if not universe.matching(fact.name, (compare,)):
        kind, most = "a whole number" if fact.whole else "a number", universe.most(fact.name)
        return f"{relation} {number:g} never matches: this fact is {kind} from 0 to {most:.0f}"
    return compare


def _network(value: str) -> Within | str:
    try:
        network = ipaddress.ip_network(value)
    except ValueError as error:
        problem = str(error)
        if problem.endswith("has host bits set"):
            return f"{value} has host bits set: write {ipaddress.ip_network(value, strict=False)}, or only the address"
        return f"expected a network such as 192.0.2.0/24 or 2001:db8::/32, found {value!r}"
    if (
        isinstance(network, ipaddress.IPv6Network)
        and network.network_address.ipv4_mapped is not None
        and network.prefixlen >= 96
    ):
        plain = ipaddress.IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
        return f"IPv4 addresses in IPv6 form are compared as IPv4: write {plain}"
    return Within(network)


def _pattern(fact: Fact, value: str) -> Atom | str:
    """A glob, one of the words that stand beside globs, or what is wrong."""
    pattern = value.lower().rstrip(".") if fact.kind is not Kind.TEXT else value.lower()
    if len(pattern) > MAX_PATTERN:
        return f"a pattern has at most {MAX_PATTERN} characters"
    if any(ord(character) < 32 or ord(character) == 127 for character in pattern):
        return f"expected {_expected(fact)}, found control characters"
    if not globs.is_glob(pattern, _MAY_END.get(fact.kind)):
        return _wild(fact, pattern)
    match fact.kind:
        case Kind.AUTHOR:
            return _author(fact, pattern)
        case Kind.MAILBOX | Kind.MAILBOXES:
            return _mailbox(fact, pattern)
        case Kind.HOST:
            if not re.fullmatch(r"[!-.0-~]+", pattern):
                return f"expected {_expected(fact)}, found {value!r}"
    return Glob(pattern) if pattern else f"expected {_expected(fact)}, found nothing"


_MAY_END = {Kind.TEXT: "", Kind.MAILBOX: "@", Kind.MAILBOXES: "@"}
"""What a text ends in, ahead of a `*` at its end; other facts have none there."""


def _wild(fact: Fact, pattern: str) -> str:
    """What to write instead."""
    if pattern.startswith("*@*"):
        return f"write {pattern[2:]!r}: a pattern without @ is compared with the domain"
    places = "everything ahead of a domain, as in *.partner.example and *@partner.example"
    ends = {"": ", or everything behind a beginning, as in TLSv1.3*", "@": ", or any domain, as in friend@*"}
    end = ends.get(_MAY_END.get(fact.kind, "-"), "")
    return f"{pattern!r}: a `*` stands for {places}{end}; there is no other wildcard"


def _author(fact: Fact, pattern: str) -> Atom | str:
    if pattern == "hosted":
        return Hosted()
    if pattern == "none":
        return NoAuthor()
    if "@" in pattern:
        return (
            f"this fact is the author domain, not an address: write {pattern.rpartition('@')[2]!r}, or use the fact "
            "sender"
        )
    if not pattern.isascii():
        return "write the author domain as A-labels, xn--..."
    misspelled = not re.search(r"[.*]", pattern) and difflib.get_close_matches(pattern, ("hosted", "none"), 1, 0.7)
    if misspelled or not re.fullmatch(r"[a-z0-9_.*-]+", pattern):
        return f"expected {_expected(fact)}, found {pattern!r}"
    return Glob(pattern)


def _mailbox(fact: Fact, pattern: str) -> Atom | str:
    if not pattern and fact.kind is Kind.MAILBOX:
        return Glob("")
    if pattern == "<>":
        return 'write "" for the null sender'
    if pattern.startswith("<") or pattern.endswith(">"):
        return "write the address without angle brackets"
    if pattern.startswith("@"):
        return f"this never matches: write {pattern[1:]!r} for every address of the domain"
    if "@" in pattern:
        return Glob(pattern)
    if not pattern or not re.search(r"[.*]", pattern) or re.search(r"\s", pattern):
        null = ', or "" for the null sender' if fact.kind is Kind.MAILBOX else ""
        return f"expected {_expected(fact)}{null}, found {pattern!r}"
    return DomainGlob(pattern)
