"""The texts that a policy can tell apart: for each fact that is a text, a short list that stands for all texts.

A glob compares the beginning of a text or its end, at a dot or an at sign. So a text made of a beginning that a policy
names (or of none), of a label that it does not name, and of an end that it names (or of none) matches what any other
text with that beginning and that end matches. Nothing is left out, and a fact that is a text becomes a fact that is one
of a few words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from dkimgate.policy.language.conditions import leaf_holds
from dkimgate.policy.language.fact import Author, Fact, Kind, Value
from dkimgate.policy.language.model import Atom, DomainGlob, Glob, Leaf

_LABELS = ("mail", "friend", "x")
_DOMAIN = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")


def values_of(fact: Fact, atoms: Collection[Atom]) -> tuple[Value, ...]:
    """Values of a fact that is a text, so that every value of it matches exactly the same of these atoms as one of
    them. The plainest are first; None, where a message may be without it, is ahead of all texts."""
    patterns = [atom for atom in atoms if isinstance(atom, Glob | DomainGlob)]
    texts = distinct(fact.kind, patterns, fact.examples)
    if fact.kind is Kind.AUTHOR:
        hosted = [Author(text, True) for text in texts]
        return (*hosted, *(Author(text, False) for text in _plain_first(texts)), Author(None, False))
    return (None, *texts) if fact.optional and fact.kind is not Kind.MAILBOXES else texts


def _plain_first(texts: tuple[str, ...]) -> tuple[str, ...]:
    """An author domain that is not ours should not read as if it were the one that examples take for ours."""
    return tuple(sorted(texts, key=lambda text: text.startswith("hosted.")))


def distinct(kind: Kind, patterns: Collection[Glob | DomainGlob], examples: Iterable[str] = ()) -> tuple[str, ...]:
    """Texts of that kind, of which no two match the same of the patterns, and one of which matches the same as any
    other text does. Examples are preferred."""
    found: dict[tuple[bool, ...], str] = {}
    for text in (*examples, *_candidates(patterns)):
        if is_text(kind, text):
            found.setdefault(matched(patterns, text), text)
    return tuple(found.values())


def matched(patterns: Iterable[Atom], text: str) -> tuple[bool, ...]:
    """Which of the patterns the text matches."""
    return tuple(leaf_holds(Leaf("", (pattern,)), text) for pattern in patterns)


def _candidates(patterns: Collection[Glob | DomainGlob]) -> Iterator[str]:
    label = next(label for label in _unused() if not any(label in pattern.pattern for pattern in patterns))
    begins, ends = [label], ["", f"@{label}"]
    for pattern in patterns:
        front, star, rest = pattern.pattern.partition("*")
        if not star:
            yield from (front, f"{label}@{front}")
            ends.append(f"@{front}")
        elif front:
            yield front  # nothing may be behind it
            begins.append(front.removesuffix("@") if front.endswith("@") else front + label)
        else:
            ends += [rest, f"@{label}{rest}"]
    yield ""
    yield from (begin + end for end in ends for begin in begins)


def _unused() -> Iterator[str]:
    yield from _LABELS
    yield from ("x" * length for length in range(2, 1000))


def is_text(kind: Kind, text: str) -> bool:
    """Can a fact of that kind be that text, in lower case and without a trailing dot?"""
    match kind:
        case Kind.AUTHOR:
            return _DOMAIN.fullmatch(text) is not None
        case Kind.TEXT:
            return text != ""
        case Kind.HOST:
            return text != "" and not text.endswith(".")
    return not text.endswith(".")
