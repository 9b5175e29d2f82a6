"""What permission bits allow another user: root asks it before a daemon that drops its privileges finds out."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
from pathlib import Path


def own_name() -> str:
    """The user of this process, by number where it has no name (in a container)."""
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


def hindrance(file: Path, user: str) -> str | None:
    """Why `user` can't read a file, and what to do. None where it can, and where the file is not there or not to be seen: whoever reads it
    tells that."""
    try:
        closed = closed_folder(file, user)
        readable = may(file.stat(), user, stat.S_IRUSR)
    except OSError:
        return None
    if closed is not None:
        return f"{file}: {user} may not enter {closed}: move the file to a folder of the daemon's, such as /etc/dkimgate"
    name = shlex.quote(str(file))
    return None if readable else f"{file}: {user} can't read this file: chgrp {group_of(user)} {name} && chmod 0640 {name}"


def group_of(user: str) -> str:
    """The group of a user, by name. Raises KeyError for a user that does not exist."""
    number = pwd.getpwnam(user).pw_gid
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def closed_folder(file: Path, user: str | None) -> Path | None:
    """The topmost directory above that file which keeps `user` out; None where there is no such. Raises OSError."""
    return next((folder for folder in reversed(file.absolute().parents) if not may(folder.stat(), user, stat.S_IXUSR)), None)
