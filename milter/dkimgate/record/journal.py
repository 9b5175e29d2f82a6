"""Appending to the journal: one write(2) a record, without locks between processes.

On a local file system O_APPEND makes each write land whole at the end of the file, whoever else writes. What can't be
ruled out is a record cut short (disk full, or the process killed in the middle of the write). Its writer learns of it
and starts its next record on a fresh line; other processes may not, so the next record may stand on the same line. That
is no loss: `reader` finds the start of every record, because no string in a record can hold an unescaped `{"v": `. On
NFS O_APPEND is not atomic: keep the journal on a local disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

from dkimgate.config.permissions import may, process_user
from dkimgate.log import Level, log
from dkimgate.record.notice import Notice

SHOUT_SECONDS = 5.0
"""At most one line in the log in that time, however many records fail."""

LOOKS = 10
LOOK_SECONDS = 0.005
"""How often, and how long apart, to look at a journal that ends within a record until it counts as torn."""

# O_NONBLOCK: a FIFO without a reader must give an error, not stop all mail
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class JournalError(Exception):
    """A record that did not get to the operating system; `str()` says why, in one line."""


def _to_log(text: str) -> None:
    log(text, Level.ERROR)


class Journal:
    """The file that records are appended to. Made for many threads; a forked child may go on using its parent's.

    The file is opened at the first write, so that it belongs to the user that writes. `failures` counts the records
    that this process could not write; `notice` has the last reason, of any process that shares it. `shout` tells the
    operator, `clock` gives seconds, `pause` waits for some: tests replace them.
    """

    def __init__(
        self,
        file: Path,
        *,
        shout: Callable[[str], None] = _to_log,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.file = file
        self.failures = 0
        self.notice = Notice()
        self._shout = shout
        self._clock = clock
        self._pause = pause
        self._fd = -1
        self._same: tuple[int, int] | None = None
        self._torn = False
        self._unsaid = 0
        self._shouted: float | None = None
        self._lock = threading.Lock()
        me = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _new_lock(me))

    def write(self, line: bytes) -> None:
        """Append one record, which ends with a line feed. Raises JournalError when it is not wholly written."""
        with self._lock:
            try:
                self._append(line)
            except OSError as error:
                self._close()
                problem = self._why(error)
            except _ShortError as error:
                problem = f"{self.file}: {error}"
            else:
                self.notice.clear()
                return
            self.failures += 1
            self.notice.put(problem)
            self._unsaid += 1
            self._tell(problem)
        raise JournalError(problem)

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        with self._lock:
            self._close()

    def probe(self, user: str | None = None) -> str | None:
        """Why `user` (by default this process's) could not write here, or None. Creates nothing."""
        folder = self.file.parent
        try:
            inside = folder.stat()
        except FileNotFoundError:
            return f"{folder}: no such directory: create it with `install -d -m 0750{_owner(user)} {folder}`"
        except OSError as error:
            return f"{folder}: {error.strerror}"
        if not stat.S_ISDIR(inside.st_mode):
            return f"{folder}: not a directory"
        try:
            there = self.file.stat()
        except FileNotFoundError:
            return None if may(inside, user, stat.S_IWUSR | stat.S_IXUSR) else self._denied(folder, user, inside)
        except OSError as error:
            return f"{self.file}: {error.strerror}"
        if stat.S_ISDIR(there.st_mode):
            return f"{self.file}: this is a directory: journal.file must name a file"
        if not may(inside, user, stat.S_IXUSR):
            return self._denied(folder, user, inside)
        return None if may(there, user, stat.S_IWUSR) else self._denied(self.file, user, there)

    def _why(self, error: OSError) -> str:
        match error.errno:
            case errno.ENOENT:
                return f"{self.file.parent}: no such directory"
            case errno.ENXIO:
                return f"{self.file}: a FIFO or socket that nobody reads from"
            case errno.EFBIG:
                return f"{self.file}: the file would pass this process's size limit (LimitFSIZE=, ulimit -f)"
            case _:
                return f"{self.file}: {error.strerror or error}"

    def _denied(self, path: Path, user: str | None, status: os.stat_result) -> str:
        name = user or process_user()
        cant = f"{path}: {name} may not write here ({stat.filemode(status.st_mode)})"
        if stat.S_ISDIR(status.st_mode) and status.st_uid == 0:  # others keep their files there too
            own = path / "dkimgate"
            return f"{cant}: let journal.file be in a folder of its own, made by `install -d -m 0750 -o {name} {own}`"
        return f"{cant}: `chown {name} {path}`"

    def _append(self, line: bytes) -> None:
        self._open()
        data = b"\n" + line if self._torn else line
        written = os.write(self._fd, data)
        if written < len(data):
            # whatever stands there now, the next record must start on a line of its own
            self._torn = True
            raise _ShortError(f"only {written} of {len(data)} octets of a record written: is the disk full?")
        self._torn = False

    def _open(self) -> None:
        """Have the file open that the path names now: logrotate may have put another in its place, or none."""
        if self._fd >= 0:
            try:
                now = os.stat(self.file)  # noqa: PTH116 - a path object costs more than the call
            except FileNotFoundError:
                pass
            else:
                if (now.st_dev, now.st_ino) == self._same:
                    return
            self._close()
        self._fd = os.open(self.file, _FLAGS, 0o640)
        there = os.fstat(self._fd)
        self._same = (there.st_dev, there.st_ino)
        self._torn = stat.S_ISREG(there.st_mode) and there.st_size > 0 and self._ends_torn()

    def _ends_torn(self) -> bool:
        """A reason to begin with a line feed, once. The journal may not be readable to its writer: then it counts as
        whole."""
        try:
            with self.file.open("rb", buffering=0) as reading:
                # another process's record that crosses a page of the file is seen in halves while it is written
                for look in range(LOOKS):
                    if look:
                        self._pause(LOOK_SECONDS)
                    reading.seek(-1, os.SEEK_END)
                    if reading.read(1) == b"\n":
                        return False
        except OSError:
            return False
        return True

    def _close(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
        self._fd = -1
        self._same = None
        self._torn = False

    def _tell(self, problem: str) -> None:
        now = self._clock()
        if self._shouted is not None and now - self._shouted < SHOUT_SECONDS:
            return
        more = f" ({self._unsaid} messages since the last such line)" if self._unsaid > 1 else ""
        self._shout(f"journal: {problem}{more}")
        self._shouted = now
        self._unsaid = 0


class _ShortError(Exception):
    """Only part of a record was written."""


def _new_lock(journal: weakref.ref[Journal]) -> None:
    """A thread that held the lock does not exist in the child, and would never release it."""
    alive = journal()
    if alive is not None:
        alive._lock = threading.Lock()


def _owner(user: str | None) -> str:
    return f" -o {user}" if user else ""
