"""What permission bits allow another user: root asks it before a daemon that drops its privileges finds out."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
from pathlib import Path

from dkimgate.config.problem import Problem


def process_user() -> str:
    """The user of this process; its number if it has no name (in a container)."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def may(status: os.stat_result, user: str | None, wanted: int) -> bool:
    """Do the permission bits give `user` (None: this process's) what the owner's bits in `wanted` say?

    Root may do everything; a user that does not exist nothing. ACLs and read-only mounts are not looked at.
    """
    if user is None:
        uid, gids = os.geteuid(), {os.getegid(), *os.getgroups()}
    else:
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            return False
        uid, gids = entry.pw_uid, {entry.pw_gid, *(group.gr_gid for group in grp.getgrall() if user in group.gr_mem)}
    if uid == 0:
        return True
    shift = 0 if status.st_uid == uid else 3 if status.st_gid in gids else 6
    return (status.st_mode & (wanted >> shift)) == wanted >> shift


def process_hindrance(file: Path) -> Problem | None:
    """`hindrance` of this process's own user, which has tried it: what gives access besides the permission bits counts
    too."""
    return None if os.geteuid() == 0 or os.access(file, os.R_OK) else _hindrance(file, None)


def hindrance(file: Path, user: str) -> Problem | None:
    """Why `user` can't read a file, and what to do. None if the user can read it, or if there is no such file: the
    reader of the file reports that."""
    return _hindrance(file, user)


def _hindrance(file: Path, user: str | None) -> Problem | None:
    name, group = (process_user(), group_name(os.getegid())) if user is None else (user, "")
    try:
        closed = closed_folder(file, user)
        readable = may(file.stat(), user, stat.S_IRUSR)
    except OSError:
        return None
    if closed is not None:
        text = f"{name} may not enter {closed}: move the file to a folder of the daemon, such as /etc/dkimgate"
        return Problem("file.closed-folder", text, file)
    if readable:
        return None
    quoted = shlex.quote(str(file))
    text = f"{name} can't read this file: chgrp {group or group_of(name)} {quoted} && chmod 0640 {quoted}"
    return Problem("file.unreadable", text, file)


def group_of(user: str) -> str:
    """The group of a user, by name. Raises KeyError for a user that does not exist."""
    return group_name(pwd.getpwnam(user).pw_gid)


def group_name(number: int) -> str:
    """The name of a group; its number if it has no name."""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def closed_folder(file: Path, user: str | None) -> Path | None:
    """The topmost directory above that file which `user` may not enter, or None. Raises OSError."""
    return next(
        (folder for folder in reversed(file.absolute().parents) if not may(folder.stat(), user, stat.S_IXUSR)), None
    )
