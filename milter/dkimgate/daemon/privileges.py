"""Giving up root for good, once the sockets are open."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from dkimgate.config.dkimgate_yaml import Config
from dkimgate.config.problem import Problem
from dkimgate.log import Level, log


class StartError(Exception):
    """The daemon can't start; the text is for the operator and says what to do."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.problem = Problem(code, text)


@dataclass(frozen=True, slots=True)
class Owner:
    """The user of the daemon."""

    name: str
    uid: int
    gid: int


def owner_of(config: Config) -> Owner | None:
    """The user that `user:` names, or None if nothing changes. Raises StartError if the daemon can't become that
    user."""
    if config.user is None:
        if os.geteuid() == 0:
            log("running as root, because `user` is not set: set it (`user: dkimgate`)", Level.WARNING)
        return None
    try:
        entry = pwd.getpwnam(config.user)
    except KeyError:
        raise StartError(
            "user.missing",
            f"user: there is no user {config.user!r}: create it (adduser --system --group {config.user}) or name "
            "another",
        ) from None
    if entry.pw_uid == 0:
        raise StartError(
            "user.root", "user: the daemon can't run as root: name a user that owns only what dkimgate needs"
        )
    if os.geteuid() == entry.pw_uid:
        return None
    if os.geteuid() != 0:
        raise StartError(
            "user.not-root", f"user: only root can change to {config.user!r}: start dkimgate as root, or as that user"
        )
    return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid)


def prepare_folder(folder: Path, owner: Owner) -> None:
    """Make a folder that the daemon is to write into, if it is missing and its parent is not. Raises StartError."""
    try:
        folder.mkdir(mode=0o750)
        os.chown(folder, owner.uid, owner.gid)
    except FileExistsError:
        return
    except OSError as error:
        raise StartError(
            "start.no-folder", f"{folder}: {error.strerror}: create this folder, owned by {owner.name}"
        ) from None


def become(owner: Owner) -> None:
    """Change to that user and its groups, and make sure that the process can't change back. Raises StartError."""
    try:
        os.initgroups(owner.name, owner.gid)
        os.setresgid(owner.gid, owner.gid, owner.gid)
        os.setresuid(owner.uid, owner.uid, owner.uid)
    except OSError as error:
        raise StartError("user.cant-become", f"can't change to the user {owner.name}: {error.strerror}") from None
    if os.getresuid() != (owner.uid,) * 3 or os.getresgid() != (owner.gid,) * 3 or _can_return():
        raise StartError(
            "user.cant-become",
            f"can't give up root for the user {owner.name}: the daemon does not run with the privileges of root",
        )


def _can_return() -> bool:
    try:
        os.setresuid(0, 0, 0)
    except PermissionError:
        return False
    return True
