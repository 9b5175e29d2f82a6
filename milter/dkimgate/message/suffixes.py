"""The public suffix list (publicsuffix.org/list), as the package publicsuffixlist brings it.

Read here and not by the package, which turns every rule into A-labels at every start. Only one rule in twenty needs
that, and it is done when the first name with such labels is asked for.
"""

from __future__ import annotations

import functools
from pathlib import Path

from publicsuffixlist import PSLFILE

_BEGIN, _END = "// ===BEGIN ICANN DOMAINS===", "// ===END ICANN DOMAINS==="
_EXACT, _WILDCARD, _EXCEPTION = 0, 1, -1
Rules = dict[str, int]
"""By the name of a rule, without `*.` and `!`: how many more labels than the name has the public suffix has."""


@functools.cache
def _lines() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The rules of the registries, and the private ones (github.io)."""
    text = Path(PSLFILE).read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    registries, _, private = rest.partition(_END)
    return _rules(registries), _rules(before + private)


def _rules(text: str) -> tuple[str, ...]:
    lines = (line.partition(" ")[0].rstrip() for line in text.lower().split("\n"))
    return tuple(line for line in lines if line and not line.startswith("//"))


@functools.cache
def _read(private: bool, a_labels: bool) -> Rules:
    """The list with or without its private section; `a_labels`: with those of its rules that are not in ASCII."""
    registries, others = _lines()
    found: Rules = {}
    for rule in (*registries, *others) if private else registries:
        _add(found, rule)
        if a_labels and not rule.isascii():
            mark, name = ("!", rule[1:]) if rule.startswith("!") else ("", rule)
            _add(found, mark + name.encode("idna").decode("ascii"))
    return found


def _add(found: Rules, rule: str) -> None:
    if rule.startswith("!"):
        found[rule[1:]] = _EXCEPTION
    elif rule.startswith("*."):
        if found.get(rule[2:]) != _EXCEPTION:
            found[rule[2:]] = _WILDCARD
    else:
        found.setdefault(rule, _EXACT)


def load() -> None:
    """Read the list now, so that a parent of several workers does it once for all of them."""
    for private in (True, False):
        _read(private, a_labels=False)


def registered(domain: str, private: bool) -> str | None:
    """The public suffix of a domain and one label more; None for a public suffix, and for what is no domain.

    `private`: by the private section too. A top-level domain that has no rule is a public suffix.
    """
    domain = domain.removesuffix(".").lower()
    labels = domain.split(".")
    if "" in labels:
        return None
    rules = _read(private, a_labels="xn--" in domain or not domain.isascii())
    public, rest = 1, domain
    for depth in range(len(labels), 0, -1):
        more = rules.get(rest)
        if more is not None:
            public = min(depth + more, len(labels))  # above a wildcard the name itself is public
            break
        rest = rest.partition(".")[2]
    return ".".join(labels[-public - 1 :]) if len(labels) > public else None
