"""Who is about to wait for another host says so, and the daemon lets other messages go on in the meantime."""

from __future__ import annotations

from collections.abc import Callable


def _nobody() -> None:
    """Nothing else is to be done: a command, a test, or a daemon whose library has a thread for each connection."""


_tell: Callable[[], None] = _nobody


def about_to_wait() -> None:
    """This thread may now wait for long, many milliseconds or seconds."""
    _tell()


def tell(somebody: Callable[[], None]) -> None:
    """Call `somebody`, in the thread that waits, each time before it does."""
    global _tell
    _tell = somebody
