"""What keeps records from being written, seen by the workers and told by the supervisor: a text in memory that they
share."""

from __future__ import annotations

import mmap
import time

_SIZE = 512


class Notice:
    """A short text and the time of it (seconds since the epoch), or nothing. Made before the workers are forked, who
    share it then; the last word counts, and a reader at a bad moment sees a mixture of two, which the next look
    mends."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _SIZE)  # anonymous and shared (mmap(2)): a fork keeps it

    def put(self, text: str) -> None:
        """Note a failure."""
        said = f"{time.time():.0f} {text}".encode("utf-8", "replace")[:_SIZE]
        self._memory[:] = said.ljust(_SIZE, b"\0")

    def clear(self) -> None:
        """It went well again."""
        if self._memory[0]:
            self._memory[:] = bytes(_SIZE)

    def get(self) -> tuple[str, float] | None:
        """The last failure, where nothing went well after it."""
        when, _, text = bytes(self._memory).rstrip(b"\0").decode("utf-8", "replace").partition(" ")
        return (text, float(when)) if when.isdecimal() else None
