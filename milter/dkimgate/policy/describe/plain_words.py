"""A policy in plain words, for those who answer for it and don't read YAML.

Every condition becomes a sentence about the message ("it is spam"); what a rule does becomes a few words ("held for a
postmaster").
"""

from __future__ import annotations

from dkimgate.facts import Disposition, EnvelopeAction, Sign
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
    Rule,
    Within,
    Word,
)
from dkimgate.policy.language.vocabulary import FACTS

_ORIGIN = {
    frozenset({"submitted"}): "a user of ours who logged in has sent it",
    frozenset({"local"}): "a program on a host of ours has made it",
    frozenset({"forwarded"}): "it came from outside and is being passed on",
    frozenset({"relayed"}): "a host or device of ours has handed it in, without a login",
    frozenset({"inbound"}): "it is just coming in from outside",
    frozenset({"submitted", "local"}): "it is our own: a user who logged in or a program of ours has sent it",
    frozenset({"forwarded", "inbound"}): "it came from outside",
    frozenset(
        {"forwarded", "inbound", "relayed"}
    ): "it came from outside, or a host or device of ours has handed it in, without a login",
}

_RESULTS = {
    "pass": "passed",
    "fail": "failed",
    "none": "found no policy",
    "unknown": "was checked by nobody we trust",
    "temperror": "found no policy",
    "permerror": "could not be checked (broken records)",
    "softfail": "failed softly",
    "neutral": "said nothing",
    "policy": "was overruled locally",
    "present": "did badly",
}

_RELATIONS = {"<": "is below", "<=": "is at most", ">": "is above", ">=": "is at least", "==": "is", "!=": "is not"}

_AUTHOR = "its author's domain"

_SIGNED = {
    Sign.AUTHOR: "signed for its author's domain, if that is ours",
    Sign.FORWARDER: "signed in our own name, not its author's",
    Sign.NONE: "not signed",
}


def who(rule: Rule) -> str:
    """Which messages a rule takes."""
    return "every other message" if rule.when is None else sentence(rule.when)


def sentence(condition: Condition) -> str:
    """A condition as a sentence about "it", the message."""
    match condition:
        case Leaf():
            return _leaf(condition)
        case All(parts):
            return _joined(parts, "and")
        case Any(parts):
            return _joined(parts, "or")
        case Not(Leaf(fact, (Flag(wanted),))):
            return FACTS[fact].plain[wanted]
        case Not(part):
            return (
                f"it is not so that {sentence(part)}"
                if isinstance(part, Leaf)
                else f"it is not so that ({sentence(part)})"
            )


def _joined(parts: tuple[Condition, ...], word: str) -> str:
    said = [
        f"({sentence(part)})" if isinstance(part, All | Any) and len(part.parts) > 1 else sentence(part)
        for part in parts
    ]
    return f", {word} ".join(said)


def _leaf(leaf: Leaf) -> str:
    fact, atoms, row = leaf.fact, leaf.atoms, FACTS[leaf.fact]
    if fact == "origin":
        words = frozenset(atom.word for atom in atoms if isinstance(atom, Word))
        return _ORIGIN.get(words) or " or ".join(_ORIGIN[frozenset({word})] for word in sorted(words))
    if fact == "from":
        return _either([_author(atom) for atom in atoms])
    if any(isinstance(atom, Present) for atom in atoms):
        return f"{row.plain[0]} {_RESULTS['present']}" if row.kind is Kind.WORD else row.plain[1]
    match row.kind:
        case Kind.FLAG:
            return _either([row.plain[0 if atom == Flag(True) else 1] for atom in atoms])
        case Kind.WORD:
            return f"{row.plain[0]} " + " or ".join(_RESULTS.get(_said(atom), _said(atom)) for atom in atoms)
        case Kind.NUMBER:
            return f"{row.plain[0]} " + " or ".join(_said(atom) for atom in atoms)
    if fact == "sender" and atoms == (Glob(""),):
        return "it is a bounce (it has no sender address)"
    return f"{row.plain[0]} is {' or '.join(_said(atom) for atom in atoms)}"


def _author(atom: Atom) -> str:
    match atom:
        case Hosted():
            return f"{_AUTHOR} is one of ours"
        case NoAuthor():
            return "it does not say in one way who wrote it"
    return f"{_AUTHOR} is {_said(atom)}"


def _either(said: list[str]) -> str:
    """Alternatives, with what they begin with alike said once."""
    start = f"{_AUTHOR} is "
    if all(each.startswith(start) for each in said):
        return start + " or ".join(each.removeprefix(start) for each in said)
    return ", or ".join(said)


def _said(atom: Atom) -> str:
    match atom:
        case Word(word):
            return word
        case Compare(relation, number):
            return f"{_RELATIONS[relation]} {number:g}"
        case Glob(""):
            return "empty"
        case Glob(pattern):
            return pattern
        case DomainGlob(pattern):
            return f"one of {pattern}"
        case Within(network):
            return str(network.network_address) if network.num_addresses == 1 else f"within {network}"
    return str(atom)


def does(rule: Rule, policy: Policy) -> list[str]:
    """What happens to the messages that a rule takes, each in a few words."""
    said: list[str] = []
    if rule.disposition.is_kept:
        said.append(_SIGNED[rule.sign])
    if rule.seal:
        said.append("sealed (ARC): what we know of its arrival goes along")
    if not rule.disposition.leaves:
        said.append(rule.disposition.plain + _told(rule))
    if rule.envelope is EnvelopeAction.UNALIGN:
        otherwise = (rule.otherwise or Disposition.HOLD).plain
        said.append(
            "its sender address is rewritten where that alone would make it look genuine; where it can't be, it is "
            + (otherwise + _told(rule) if rule.disposition.leaves else rule.disposition.plain)
        )
    if rule.tag is not None:
        said.append(f'marked in its subject: "{rule.tag}"')
    said += [f'gets the header field "{name}: {text}"' for name, text in rule.add]
    said += [f"loses the header field {name}" for name in rule.remove]
    if policy.mode_of(rule) == "observe" and policy.mode != "observe":
        said.append("ONLY WATCHED: it is signed as if there were no gate, and the rest is only recorded")
    return said


def _told(rule: Rule) -> str:
    return f', with the words "{rule.text}"' if rule.text else ""


def part(name: str) -> str:
    """A part of the risk, in words."""
    fact, equals, word = name.partition("=")
    if equals:
        fact = fact if fact.startswith("upstream.") else f"arrival.{fact}"
        return f"{FACTS[fact].plain[0]} {_RESULTS.get(word, word)}"
    return FACTS[name].plain[0]
