"""The log of the daemon itself: one line an event, to stderr, where systemd or the terminal picks it up."""

from __future__ import annotations

import contextlib
import os
import threading
from enum import IntEnum


class Level(IntEnum):
    """Syslog severities (RFC 5424 section 6.2.1), as systemd's journal understands them."""

    ERROR = 3
    WARNING = 4
    INFO = 6


def visible(text: str) -> str:
    """Text with all that ends a line, moves the cursor, reorders or hides characters written as an escape (`\\u2028`).

    That is each character of the Unicode categories C* and Z* but the space: everything that is printed, to the log or
    to a terminal, comes through here, for a sender may have chosen it. What has come through once stays as it is.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def log(text: str, level: Level = Level.INFO) -> None:
    """Write `text` as one line, whatever is in it: line ends too are escaped. It never raises."""
    prefix = f"<{level.value}>" if to_journal() else f"dkimgate[{os.getpid()}]: "  # the journal knows who writes
    # One write a line: several processes share this descriptor, and lines must not mix. Nobody reads the log any more?
    # That must not stop the mail.
    with contextlib.suppress(OSError):
        os.write(2, f"{prefix}{visible(text)}\n".encode("utf-8", "backslashreplace"))


def log_lines(text: str, level: Level = Level.INFO) -> None:
    """Write a text with several lines, divided by LF alone. Only for what no stranger has written a word of: our own
    texts, and what they quote of the operator's files."""
    for line in text.split("\n"):
        log(line, level)


_DAY = 86_400.0
MOST_A_DAY = 100
"""So many things are told once a day; strangers may make up more."""


class OnceADay:
    """What is told once a day, however often it happens. Safe in many threads; each process has its own."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}
        self._lock = threading.Lock()

    def is_due(self, what: str, now: float) -> bool:
        """Is it to be told at this time, in seconds since the epoch? Then it counts as told."""
        with self._lock:
            told = self._told.get(what)
            if told is not None and 0 <= now - told < _DAY:
                return False
            if told is None and len(self._told) >= MOST_A_DAY:
                self._told = {name: at for name, at in self._told.items() if 0 <= now - at < _DAY}
                if len(self._told) >= MOST_A_DAY:
                    return False
            self._told[what] = now
            return True


def describe(error: BaseException) -> str:
    """An exception in one line: its type, its text and the line of code that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" ({os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno})" if trace is not None else ""  # noqa: PTH119
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}{where}" if text else f"{type(error).__name__}{where}"


def to_journal() -> bool:
    """Is stderr the systemd journal (systemd.exec(5), $JOURNAL_STREAM)? Only there are severity prefixes understood."""
    stream = os.environ.get("JOURNAL_STREAM")
    if not stream:
        return False
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return stream == f"{status.st_dev}:{status.st_ino}"
