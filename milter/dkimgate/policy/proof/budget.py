"""The limit of a proof, counted in steps, so that every machine gets the same result."""

from __future__ import annotations

from collections import Counter

TOO_MANY = "there are too many combinations of"


class TooHardError(Exception):
    """The question takes more steps than a proof may take. Its text names the condition that is too hard."""


class Budget:
    """Steps that are left. All parts of a proof spend of one."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self._spent: Counter[object] = Counter()

    def begin(self, steps: int) -> int:
        """A new question, which may take so many steps: that number."""
        self.left = steps
        self._spent.clear()
        return steps

    def spend(self, steps: int, on: object) -> None:
        """Take steps. `on`: the condition that takes them, which as a string says what it is. Raises TooHardError where
        none are left."""
        self.left -= steps
        self._spent[on] += steps
        if self.left < 0:
            raise TooHardError(f"{TOO_MANY} {self._spent.most_common(1)[0][0]}")
