"""Globs: `*` stands for any characters (none too), `?` for exactly one; everything else for itself."""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """Does the pattern match the whole text? Both in lower case already.

    Only the last `*` is ever tried again, so the time is at most the product of the two lengths: a sender can't write a
    text that takes longer, as he could against a regular expression.
    """
    at = place = 0
    star, resume = -1, 0
    while at < len(text):
        if place < len(pattern) and pattern[place] == "*":
            star, resume = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in ("?", text[at]):
            place += 1
            at += 1
        elif star >= 0:
            resume += 1
            at, place = resume, star + 1
        else:
            return False
    return pattern[place:].strip("*") == ""
