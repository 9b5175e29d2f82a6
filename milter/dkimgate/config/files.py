"""Files of an operator: what this process can see of them, and why one can't be read or written, with what to do about
it."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from dkimgate.config import permissions
from dkimgate.config.problem import Problem


def seen(path: Path) -> os.stat_result | None:
    """What this process can see of a path, or None. `Path.exists` and its like raise PermissionError below a folder
    that is closed."""
    try:
        return path.stat()
    except (OSError, ValueError):
        return None


def is_folder(path: Path) -> bool:
    """Is that a folder, as far as this process can see?"""
    status = seen(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def cant_read(error: OSError, file: Path, misnamed: str = "") -> Problem:
    """Why a file could not be read, and what to do. `misnamed`, with its colon, says what to do if there is no such
    file."""
    match error:
        case FileNotFoundError():
            remedy = misnamed
        case IsADirectoryError():
            remedy = misnamed or ": name a file in it"
        case NotADirectoryError():
            remedy = misnamed or f": {_first_file(file)} is a file"
        case PermissionError():
            remedy = _who_may_read(file)
        case _:
            remedy = ""
    return Problem("file.cant-read", f"{error.strerror or error}{remedy}", file)


def cant_write(error: OSError, file: Path, what: str) -> Problem:
    """The same for a new file; `what` was to go into it ("the key")."""
    match error:
        case FileNotFoundError():
            remedy = f": make the folder first: mkdir -p {shlex.quote(str(file.parent))}"
        case IsADirectoryError():
            remedy = ": name a file in it"
        case NotADirectoryError():
            remedy = f": {_first_file(file)} is a file"
        case PermissionError() if os.geteuid() != 0:
            remedy = ": run it as root, or name a file in a folder of your own"
        case _:
            remedy = ""
    return Problem("file.cant-write", f"can't write {what}: {error.strerror or error}{remedy}", file)


def _first_file(file: Path) -> Path:
    """What stands in the way where a folder was expected."""
    return next((path for path in reversed(file.parents) if seen(path) and not is_folder(path)), file)


def _who_may_read(file: Path) -> str:
    if os.geteuid() == 0:
        return ""  # not a matter of permission bits: who could do more?
    try:
        closed = permissions.closed_folder(file, None)
        status = (closed or file).stat()
    except OSError:
        return ": run it as root"
    group = permissions.group_name(status.st_gid)
    by_group = status.st_mode & (stat.S_IRGRP if closed is None else stat.S_IXGRP)
    return ": run it as root" + (f", or as a member of the group {group}" if by_group and status.st_gid != 0 else "")
