"""What was found out from DNS answers, kept for as long as the answers are the same."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Question = TypeVar("Question")

ENTRIES = 4096
"""What is kept at most; what was not used for longest goes first."""

MOST_ANSWERS = 40
"""A finding that hangs on more answers is not kept: comparing them would cost as much as finding it anew."""


@dataclass(frozen=True, slots=True)
class Finding(Generic[Question]):
    """A value, and the very answers that it hangs on, by question."""

    value: object
    answers: tuple[tuple[Question, object], ...]


class Findings(Generic[Question]):
    """Findings by what they are about. For any number of threads."""

    def __init__(self, entries: int = ENTRIES) -> None:
        self._entries = entries
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Finding[Question]] = OrderedDict()

    def get(self, about: Hashable) -> Finding[Question] | None:
        """What is kept; whoever asks compares its answers."""
        with self._lock:
            found = self._kept.get(about)
            if found is not None:
                self._kept.move_to_end(about)
            return found

    def put(self, about: Hashable, finding: Finding[Question]) -> None:
        """Keep a finding in the place of an older one."""
        if len(finding.answers) > MOST_ANSWERS:
            return
        with self._lock:
            self._kept[about] = finding
            self._kept.move_to_end(about)
            while len(self._kept) > self._entries:
                self._kept.popitem(last=False)
