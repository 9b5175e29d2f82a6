"""What was read out of a text, kept for those who read the same text again: a signature is looked at by ten readers
of one message, and a key by all messages of a domain.

A stranger chooses the texts, so they are few and short: what he can fill takes a few megabytes, and costs others
nothing but that a text is read again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

Text = TypeVar("Text", bytes, str)
Found = TypeVar("Found")

LONGEST = 4096
"""Octets or characters of a text that is kept."""


def kept(texts: int) -> Callable[[Callable[[Text], Found]], Callable[[Text], Found]]:
    """For a function of a text alone, whose result nobody changes: keep what it came to for the last so many."""

    def of(read: Callable[[Text], Found]) -> Callable[[Text], Found]:
        known = functools.lru_cache(maxsize=texts)(read)

        @functools.wraps(read)
        def find(text: Text) -> Found:
            return known(text) if len(text) <= LONGEST else read(text)

        return find

    return of
