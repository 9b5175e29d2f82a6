"""What a start would do to the world, tried and undone: `check` has it done as the daemon's user, in the unit's
sandbox."""

from __future__ import annotations

import errno
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dkimgate.config.dkimgate_yaml import Config
from dkimgate.config.problem import Problem
from dkimgate.daemon.sockets import bind_inet

_ROOM = 65_536
"""Octets that must fit on the disk: some fifty records."""


def attempts(settings: Config) -> Iterator[Problem]:
    """What this process could not do. It leaves nothing behind, and disturbs no other daemon."""
    problem = _journal(settings.journal.file)
    if problem is not None:
        what = (
            "all mail would be deferred"
            if settings.journal.on_failure == "defer"
            else "mail would leave unsigned and without a record"
        )
        yield Problem("journal.unwritable", f"journal.file: {problem}: {what}")
    for listener in settings.listen:
        kind, _, place = listener.socket.partition(":")
        problem = _unix(Path(place)) if kind == "unix" else _inet(kind, place)
        if problem is not None:
            yield Problem("start.socket", f"listen: {listener.socket}: {problem}")


def _journal(file: Path) -> str | None:
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        mode = None
    except OSError as error:
        return _said(file, error)
    if mode is not None:
        try:
            os.close(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC))
        except OSError as error:
            return _said(file, error)
        if not stat.S_ISREG(mode):
            return None
    try:
        with tempfile.TemporaryFile(dir=file.parent, buffering=0) as room:
            written = room.write(bytes(_ROOM))
            os.fsync(room.fileno())
    except OSError as error:
        if mode is not None and error.errno in (errno.EACCES, errno.EPERM):
            return None  # a folder of others, and a file in it that may be written
        return _said(file.parent, error)
    return None if written == _ROOM else f"{file.parent}: {os.strerror(errno.ENOSPC)}"


def _unix(path: Path) -> str | None:
    """A socket beside the one that is wanted: that may be in use, by the daemon that runs now."""
    if len(os.fsencode(path.parent)) > 80:
        return None  # no room for the name of a trial in the 107 octets of an address
    trial = path.parent / f".dkimgate-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listening:
        try:
            listening.bind(str(trial))
        except OSError as error:
            return _said(path.parent, error)
        trial.unlink(missing_ok=True)
    if os.path.lexists(path) and not stat.S_ISSOCK(path.lstat().st_mode):
        return "this file is not a socket: remove it, or name another path"
    return None


def _inet(kind: str, place: str) -> str | None:
    try:
        bind_inet(kind, place).close()
    except OSError as error:
        holder = _holder(int(place.rpartition(":")[2])) if error.errno == errno.EADDRINUSE else None
        return None if _is_ours(holder) else f"{error.strerror}{f' ({holder[:200]})' if holder else ''}"
    return None


def is_served(listener: str) -> bool:
    """Does a running dkimgate listen on that port? Root can see that; another user can't."""
    kind, _, place = listener.partition(":")
    return kind != "unix" and _is_ours(_holder(int(place.rpartition(":")[2])))


def _is_ours(holder: str | None) -> bool:
    return holder is not None and "dkimgate" in holder


def _holder(port: int) -> str | None:
    """The command line of whoever listens on that port; None where it can't be seen."""
    inodes = set()
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):  # ProcSubset=pid leaves nothing else of /proc
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        rows = [line.split() for line in lines]
        inodes |= {
            f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port
        }
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in inodes for link in (process / "fd").iterdir()):
                return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:
            continue
    return None


def _said(path: Path, error: OSError) -> str:
    advice = f" (of the unit? systemctl edit dkimgate: ReadWritePaths={path})" if error.errno == errno.EROFS else ""
    return f"{path}: {error.strerror or error}{advice}"
