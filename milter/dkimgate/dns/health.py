"""Is anybody there who answers? A resolver that is dead makes every check of ours come to temperror, and honest mail
leaves unsigned."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dkimgate.log import Level, log

FAILURES = 5
"""So many questions in a row without an answer are no accident of one sender's name servers."""

SECONDS = 10.0
"""Since the last answer."""

AGAIN = 3600.0
"""Seconds between two lines about it."""


class Health:
    """Counts questions that nobody answered, and tells the log. Safe in many threads."""

    def __init__(self, clock: Callable[[], float], tell: Callable[[str, Level], None] = log) -> None:
        self._clock = clock
        self._tell = tell
        self._lock = threading.Lock()
        self._failed = 0
        self._since = clock()
        self._told: float | None = None

    def answered(self) -> None:
        """A name server answered, if only that there is nothing."""
        with self._lock:
            told, self._told = self._told, None
            self._failed, self._since = 0, self._clock()
        if told is not None:
            self._tell("DNS answers again", Level.INFO)

    def failed(self, why: str) -> None:
        """Nobody answered a question; `why` says which one."""
        with self._lock:
            now = self._clock()
            self._failed += 1
            silent = now - self._since
            quiet = self._told is not None and now - self._told < AGAIN
            if quiet or self._failed < FAILURES or silent < SECONDS:
                return
            self._told = now
            failed = self._failed
        self._tell(
            f"DNS does not answer: {failed} questions in {silent:.0f} s, the last: {why}. Mail that needs a check "
            "gets temperror and leaves unsigned: see verify.nameservers, or /etc/resolv.conf",
            Level.ERROR,
        )
