"""Files with a secret. They are made for their owner only. They are read only if nobody else can change them, and
nobody outside the group can read them."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import shlex
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from dkimgate.config import credentials, files, permissions
from dkimgate.config.problem import ConfigError, Problem

ACCOUNT = "dkimgate"
"""The account that `make install` makes for the daemon."""

_LARGEST = 65_536
_GROUP_MAY_READ = 0o640
_OTHERS_CAN = stat.S_IRWXO | stat.S_IWGRP


def read(file: Path, what: str, missing: str) -> bytes:
    """The content of a file. `what` it contains ("the key", "the secrets") and what to do if it is `missing` are parts
    of the text of the ConfigError. While the service is down, a systemd credential does not exist: then its source is
    read."""
    if credentials.is_credential(file) and not credentials.is_there(file):
        here = os.environ.get("CREDENTIALS_DIRECTORY")  # of a trial in the sandbox of the unit, under another name
        if here is None or not credentials.is_there(Path(here) / file.name):
            return _read_origin(file, what)
        file = Path(here) / file.name
    try:
        # without O_NONBLOCK a named pipe would wait for ever
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(
            Problem("file.cant-read", f"can't read {what}: {error.strerror}{_remedy(error, file, missing)}", file)
        ) from None
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise ConfigError(Problem("file.not-regular", f"not a regular file: expected a file with {what}", file))
        _check_permissions(file, what, stat.S_IMODE(state.st_mode))
        data = os.read(descriptor, _LARGEST + 1)
    except OSError as error:
        raise ConfigError(Problem("file.cant-read", f"can't read {what}: {error.strerror}", file)) from None
    finally:
        os.close(descriptor)
    if len(data) > _LARGEST:
        raise ConfigError(
            Problem("file.too-large", f"larger than {_LARGEST} octets: expected a file with {what}", file)
        )
    return data


def _read_origin(file: Path, what: str) -> bytes:
    """Raises ConfigError: in the daemon too, which is not allowed to read it, and needs a restart to be given it."""
    made_from = credentials.origin(file)
    if made_from.file is None:
        raise ConfigError(Problem("file.no-credential", f"can't read {what}: {made_from.why}", file))
    source, unit = made_from.file, made_from.unit
    if not os.access(source, os.R_OK) and not _is_missing(source):
        raise ConfigError(
            Problem(
                "file.no-credential",
                f"can't read {what}: systemd makes this file from {source} when {unit} starts: run systemctl restart "
                f"{unit} (after systemctl daemon-reload, if LoadCredential= is new). To read {source} instead, run "
                "this command as root",
                file,
            )
        )
    return read(source, what, f"correct LoadCredential= in {unit}. The unit can't start without this file")


def _is_missing(file: Path) -> bool:
    try:
        file.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


_MARKED_WITH = os.urandom(16)


def mark(secrets: Sequence[bytes]) -> str:
    """The number of secrets, and a mark that tells them from other secrets during the life of this process. The mark is
    a digest under a random key, so it does not help to guess a secret."""
    digest = hashlib.blake2b(b"\0".join(secrets), digest_size=4, key=_MARKED_WITH).hexdigest()
    return f"{len(secrets)} secret{'s' if len(secrets) != 1 else ''} (mark {digest})"


def give(descriptor: int, account: str) -> None:
    """Let the account of the daemon read a new file: root:GROUP, mode 0640. Does nothing if there is no such account,
    or if this process is not root. Raises OSError."""
    group = _group_of_account(account)
    if group is not None and os.geteuid() == 0:
        os.fchown(descriptor, 0, group)
        os.fchmod(descriptor, _GROUP_MAY_READ)


def handed(file: Path, account: str) -> str:
    """The owner of a new file, and what is still to do until the daemon can read it: sentences for the operator."""
    state = file.stat()
    shown = (
        f"Its owner is {_name(state.st_uid, pwd)}:{_name(state.st_gid, grp)}, mode {stat.S_IMODE(state.st_mode):04o}"
    )
    group = _group_of_account(account)
    if group is None:
        return f"{shown}. This host has no account {account}: let the group of the daemon's user read the file."
    if permissions.may(state, account, stat.S_IRUSR):
        closed = permissions.closed_folder(file, account)
        if closed is not None:
            return (
                f"{shown}. The daemon ({account}) may not enter {closed}: move the file to a folder of the daemon, "
                "such as /etc/dkimgate."
            )
        return f"{shown}. The daemon ({account}) can read it."
    name = shlex.quote(str(file))
    return (
        f"{shown}. The daemon ({account}) can't read it. Run as root: chown root:{_name(group, grp)} {name} && chmod "
        f"0640 {name}"
    )


def _group_of_account(account: str) -> int | None:
    try:
        return pwd.getpwnam(account).pw_gid
    except KeyError:
        return None


def _name(number: int, of: ModuleType) -> str:
    try:
        return str((pwd.getpwuid(number) if of is pwd else grp.getgrgid(number))[0])
    except KeyError:
        return str(number)


def create(file: Path, line: str, exists: str, parse: Callable[[bytes, Path], object], account: str = ACCOUNT) -> None:
    """Write a new file with one secret for `account` (see `give`), completely or not at all. Raises ConfigError. An
    existing file is never overwritten: if `parse` finds secrets in it, `exists` says what to do."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise ConfigError(_exists(file, exists, parse)) from None
    except OSError as error:
        raise ConfigError(files.cant_write(error, file, "the secret")) from None
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(line + "\n")
            stream.flush()
            os.fsync(stream.fileno())
            give(stream.fileno(), account)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise ConfigError(files.cant_write(error, file, "the secret")) from None


def _beginning(file: Path) -> bytes:
    """As much of a file as can be one of secrets. Raises OSError; a pipe that nobody writes to has nothing in it."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _LARGEST + 1)
    finally:
        os.close(descriptor)


def _exists(file: Path, advice: str, parse: Callable[[bytes, Path], object]) -> Problem:
    try:
        data = _beginning(file)
        parse(data, file)
    except IsADirectoryError as error:
        return files.cant_write(error, file, "the secret")
    except OSError:
        return Problem("file.exists", "this file exists already: name another file", file)
    except ConfigError:
        return Problem("file.exists", "this file exists already, and contains no secrets: name another file", file)
    return Problem("file.exists", f"this file exists already: {advice}", file)


def _remedy(error: OSError, file: Path, missing: str) -> str:
    name = shlex.quote(str(file))
    match error:
        case FileNotFoundError():
            return f": {missing}"
        case PermissionError():
            return f": let the daemon's group read it, with chgrp GROUP {name} && chmod 0640 {name}"
        case _:
            return ""


def _check_permissions(file: Path, what: str, mode: int) -> None:
    # the bits are judged, not an attempt: root can open everything
    if mode & _OTHERS_CAN:
        who = "everyone" if mode & stat.S_IRWXO else "its group"
        can = "change" if mode & (stat.S_IWOTH | stat.S_IWGRP) else "read"
        wanted = mode & _GROUP_MAY_READ
        raise ConfigError(
            Problem(
                "file.permissions",
                f"{who} can {can} {what} (mode {mode:04o}): run chmod {wanted:04o} {shlex.quote(str(file))}",
                file,
            )
        )
