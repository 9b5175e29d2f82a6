"""A policy in words: what a condition says, and why a rule did not take a message."""

from __future__ import annotations

from dkimgate.facts import EnvelopeAction, Facts, Risk
from dkimgate.policy.language.conditions import holds, leaf_holds
from dkimgate.policy.language.fact import Author, Value
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
    Rule,
    Within,
    Word,
    leaves,
)
from dkimgate.policy.language.vocabulary import value_of


def why_not(rule: Rule, facts: Facts, risk: Risk) -> str | None:
    """Why the rule does not take this message: its first condition that fails, in words. None where every condition
    matches."""
    return None if rule.when is None else _failure(rule.when, facts, risk)


def _failure(condition: Condition, facts: Facts, risk: Risk) -> str | None:
    match condition:
        case Leaf(fact, atoms):
            value = value_of(fact, facts, risk)
            if leaf_holds(condition, value):
                return None
            found = f"{fact} is {found_as(value)}" if value is not None else f"the message has no {fact}"
            return f"{found}, wanted {'every one ' if fact == 'recipients.all' else ''}{_list(atoms)}"
        case All(parts):
            return next((failure for part in parts if (failure := _failure(part, facts, risk))), None)
        case Any(parts):
            failures = [_failure(part, facts, risk) for part in parts]
            return (
                None
                if None in failures
                else "none of these matches: " + "; ".join(f"({failure})" for failure in failures)
            )
        case Not(part):
            if not holds(part, facts, risk):
                return None
            names = dict.fromkeys(leaf.fact for leaf in leaves(part))
            found = ", ".join(f"{name} is {found_as(value_of(name, facts, risk))}" for name in names)
            return f"{found}, wanted not ({describe(part)})"


def does(rule: Rule) -> str:
    """What a rule does, on one line: `sign: none, envelope: unalign, hold`."""
    parts = [f"sign: {rule.sign}"]
    parts += ["envelope: unalign"] * (rule.envelope is EnvelopeAction.UNALIGN)
    parts += [key for key in ("seal", "tag", "add", "remove") if getattr(rule, key)]
    parts += [str(rule.disposition)] * (not rule.disposition.leaves)
    return ", ".join(parts)


def describe(condition: Condition | None) -> str:
    """A condition on one line, in words close to the file's: `origin is forwarded and risk >= 50`."""
    match condition:
        case None:
            return "always"
        case Leaf(fact, atoms):
            return _described(fact, atoms)
        case All(parts):
            return " and ".join(_grouped(part) for part in parts)
        case Any(parts):
            return " or ".join(_grouped(part) for part in parts)
        case Not(part):
            return f"not ({describe(part)})"


LONGEST = 200


def short(condition: Condition | None) -> str:
    """`describe`, cut if it is long: enough to tell which condition it is."""
    text = describe(condition)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _grouped(condition: Condition) -> str:
    """A part of a longer sentence: in parentheses where it has parts itself."""
    text = describe(condition)
    return f"({text})" if isinstance(condition, All | Any) and len(condition.parts) > 1 else text


def _described(fact: str, atoms: tuple[Atom, ...]) -> str:
    subject = {"recipients": "a recipient", "recipients.all": "every recipient"}.get(fact, fact)
    if all(isinstance(atom, Compare) for atom in atoms):
        return f"{subject} {' or '.join(_shown(atom) for atom in atoms)}"
    return f"{subject} is {_list(atoms)}"


def _list(atoms: tuple[Atom, ...]) -> str:
    shown = [_shown(atom) for atom in atoms]
    return shown[0] if len(shown) == 1 else f"one of {', '.join(shown)}"


def _shown(atom: Atom) -> str:
    match atom:
        case Word(word):
            return word
        case Flag(wanted):
            return "true" if wanted else "false"
        case Compare(relation, number):
            return f"{relation} {_number(number)}"
        case Glob(pattern) | DomainGlob(pattern):
            return pattern if pattern else '""'
        case Within(network):
            return str(network)
        case Present():
            return "present"
        case Hosted():
            return "hosted"
        case NoAuthor():
            return "none"


def _number(number: float) -> str:
    return str(int(number)) if number.is_integer() else repr(number)


def found_as(value: Value) -> str:
    """A value as an operator reads it. Text comes from a sender, so it is quoted, with control characters escaped."""
    match value:
        case None:
            return "absent"
        case bool():
            return "true" if value else "false"
        case float():
            return _number(value)
        case str():
            return ascii(value)
        case Author(None):
            return "none (no single author domain)"
        case Author(domain, hosted):
            return f"{domain!a}, {'hosted' if hosted else 'not hosted'}"
        case tuple():
            shown = ", ".join(ascii(item) for item in value[:3])
            return shown + (f" and {len(value) - 3} more" if len(value) > 3 else "")
    return str(value)
