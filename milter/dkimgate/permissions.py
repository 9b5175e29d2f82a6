"""What permission bits allow another user: root asks it before a daemon that drops its privileges finds out."""

from __future__ import annotations

import grp
import os
import pwd
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


def may_read(file: Path, user: str | None) -> bool:
    """May `user` read that file, through all the directories above it?"""
    try:
        return may(file.stat(), user, stat.S_IRUSR) and closed_folder(file, user) is None
    except OSError:
        return False


def closed_folder(file: Path, user: str | None) -> Path | None:
    """The topmost directory above that file which keeps `user` out; None where there is no such. Raises OSError."""
    return next((folder for folder in reversed(file.absolute().parents) if not may(folder.stat(), user, stat.S_IXUSR)), None)
