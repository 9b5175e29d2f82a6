"""What is made once of a value that does not change, and is found again by the identity of the value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")
M = TypeVar("M")


class ByIdentity(Generic[V, M]):
    """A function that remembers what it made of the last few values. To hash or compare them (a policy, 100,000 keys)
    would take longer than what they are asked for."""

    def __init__(self, make: Callable[[V], M], most: int = 16) -> None:
        self._make = make
        self._most = most
        self._made: dict[int, tuple[V, M]] = {}

    def __call__(self, value: V) -> M:
        """What `make` makes of the value."""
        found = self._made.get(id(value))
        if found is None:
            if len(self._made) >= self._most:
                self._made.clear()
            # the value is held with it, so no other can get its identity
            self._made[id(value)] = found = (value, self._make(value))
        return found[1]
