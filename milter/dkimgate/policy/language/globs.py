"""Globs: patterns of texts with at most one `*`, which stands for any characters (none too).

A glob is a text as it is, `*` alone, `*.domain` or `*@domain`, and of some facts `begin*`. So which texts a policy can
tell apart is a short list (`policy.proof.texts`), and no pattern takes longer than the text is long.
"""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """Does the pattern match the whole text? Both in lower case already."""
    if pattern.startswith("*"):
        return text.endswith(pattern[1:])
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text == pattern


def is_glob(pattern: str, ends: str | None = None) -> bool:
    """Is it one? `ends`: a `*` may also be the last character, behind a text that ends so; None: it may not."""
    if "?" in pattern:
        return False
    if pattern.startswith("*"):
        return pattern[1:2] in ("", ".", "@") and "*" not in pattern[1:] and not pattern.startswith(("*.@", "*@."))
    front, star, rest = pattern.partition("*")
    return not star or (not rest and ends is not None and front.endswith(ends))
