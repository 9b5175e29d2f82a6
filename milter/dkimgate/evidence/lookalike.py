"""Domains that are made to be taken for one of ours: one letter off, or in letters that look the same.

Compared is the label that somebody registered (`hosted` of mail.hosted.example), under the same public suffix: a domain
of the same label under another suffix has an owner of its own as often as not.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator

import idna

from dkimgate.message import domains

SHORTEST = 4
"""Characters of a label from which on one that differs by one edit is no coincidence."""

_KEPT = 256  # suffixes
MOST_INDEXED = 2_000
"""Labels whose every spelling without one character is kept. Of more labels that takes seconds and hundreds of
megabytes: then every spelling of the author's label with one edit is looked for, which takes a millisecond at most."""
MOST_CHARACTERS = 100
"""Different ones in the labels, up to which those spellings are few."""

# the letters of Cyrillic and Greek, and digits, that Unicode's confusables.txt (UTS 39) takes for a letter of Latin
_LETTERS = str.maketrans(
    {
        **dict(zip("авсԁеɡһіјӏмоԛрѕтѵԝхуҽк", "abcdeghijlmoqpstvwxyek", strict=True)),
        **dict(zip("αβεικνορτυχγω", "abeiknoptuxyw", strict=True)),
        **dict(zip("ıɩɑɪʏᴏⅼⅰօոսզցհ", "iiaiyoiionuqgh", strict=True)),  # noqa: RUF001
        **dict(zip("01", "ol", strict=True)),
        "ł": "l",
        "đ": "d",
        "ø": "o",
        "ħ": "h",
        "ŧ": "t",
    }
)
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


def is_lookalike(author: str | None, hosted: frozenset[str]) -> bool:
    """Is the author domain (A-labels) none of the hosted ones, and like one of them?"""
    if author is None or not hosted:
        return False
    own = domains.organizational(author)
    if author in hosted or own in hosted:
        return False  # most mail that leaves: it does not wait for the indexes
    label, _, suffix = own.partition(".")
    labels = _by_suffix(hosted).get(suffix)
    if labels is None or label in labels:
        return False
    if skeleton(label) in _skeletons(labels):
        return True
    shown = _shown(label)
    return len(shown) >= SHORTEST and _is_near(shown, labels)


def prepare(hosted: frozenset[str]) -> None:
    """Make what takes long for many domains now, so that a parent of several workers does it once for all of them."""
    for labels in sorted(_by_suffix(hosted).values(), key=len)[-_KEPT:]:
        _skeletons(labels)
        if len(labels) > MOST_INDEXED:
            _characters(labels)


def skeleton(label: str) -> str:
    """What a hasty reader sees: labels of one skeleton are confusable (after UTS 39 section 4)."""
    plain = _shown(label)
    if not plain.isascii():
        plain = "".join(char for char in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(char))
    plain = plain.translate(_LETTERS).replace("-", "")
    for pair, letter in _PAIRS:
        plain = plain.replace(pair, letter)
    return plain.replace("i", "l")


def _shown(label: str) -> str:
    """The label as a mail program shows it."""
    try:
        return idna.ulabel(label) if label.startswith("xn--") else label
    except UnicodeError:  # idna.IDNAError is one
        return label


# The domains of a configuration don't change, and there may be thousands of them: their indexes are made once.


@functools.lru_cache(maxsize=4)
def _by_suffix(hosted: frozenset[str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for domain in hosted:
        label, _, suffix = domains.organizational(domain).partition(".")
        found.setdefault(suffix, set()).add(label)
    return {suffix: frozenset(labels) for suffix, labels in found.items()}


@functools.lru_cache(maxsize=_KEPT)
def _skeletons(labels: frozenset[str]) -> frozenset[str]:
    return frozenset(map(skeleton, labels))


@functools.lru_cache(maxsize=1024)
def _is_near(text: str, labels: frozenset[str]) -> bool:
    """Is one of the labels one edit away?"""
    if len(labels) > MOST_INDEXED and len(_characters(labels)) <= MOST_CHARACTERS:
        spelled = _spelled(labels)
        return any(edited in spelled and edited != text for edited in _edited(text, _characters(labels)))
    return any(_one_edit(text, _shown(other)) for other in _near(text, labels))


@functools.lru_cache(maxsize=_KEPT)
def _spelled(labels: frozenset[str]) -> frozenset[str]:
    return frozenset(map(_shown, labels))


@functools.lru_cache(maxsize=_KEPT)
def _characters(labels: frozenset[str]) -> str:
    return "".join(sorted(set().union(*_spelled(labels))))


def _edited(text: str, characters: str) -> Iterator[str]:
    """Every text one edit away that has no other new character."""
    for at in range(len(text) + 1):
        before, behind = text[:at], text[at:]
        yield before + behind[1:]
        yield before + behind[1:2] + behind[:1] + behind[2:]
        for character in characters:
            yield before + character + behind
            yield before + character + behind[1:]


@functools.lru_cache(maxsize=_KEPT)
def _neighbours(labels: frozenset[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for label in labels:
        for text in _shortened(_shown(label)):
            found.setdefault(text, []).append(label)
    return {text: tuple(near) for text, near in found.items()}


def _shortened(text: str) -> Iterator[str]:
    """The text, and each text with one character less: two texts one edit apart have one of them in common."""
    yield text
    for at in range(len(text)):
        yield text[:at] + text[at + 1 :]


def _near(text: str, labels: frozenset[str]) -> set[str]:
    index = _neighbours(labels)
    return {label for part in _shortened(text) for label in index.get(part, ())}


def _one_edit(a: str, b: str) -> bool:
    """Are they one insertion, deletion, substitution or swap of neighbours apart?"""
    if len(a) > len(b):
        a, b = b, a
    start = next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    if len(a) < len(b):
        return len(a) + 1 == len(b) and a[start:] == b[start + 1 :]
    swapped = a[start : start + 2] == b[start : start + 2][::-1]
    return a != b and (a[start + 1 :] == b[start + 1 :] or (swapped and a[start + 2 :] == b[start + 2 :]))
