"""Files that hold a secret: made for their owner alone, and read only where nobody else can change them and nobody outside the group can
read them."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from dkimgate.yamlfile import ConfigError

_LARGEST = 65_536
_GROUP_MAY_READ = 0o640
_OTHERS_CAN = stat.S_IRWXO | stat.S_IWGRP


def read(file: Path, what: str, missing: str) -> bytes:
    """The content of a file.

    `what` it holds ("the key", "the secrets") and what to do where it is `missing` are for the messages of ConfigError.
    """
    try:
        # without O_NONBLOCK a named pipe would wait for ever
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(f"{file}: can't read {what}: {error.strerror}{_remedy(error, file, missing)}") from None
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise ConfigError(f"{file}: not a regular file: expected a file that holds {what}")
        _check_permissions(file, what, stat.S_IMODE(state.st_mode))
        data = os.read(descriptor, _LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{file}: can't read {what}: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if len(data) > _LARGEST:
        raise ConfigError(f"{file}: larger than {_LARGEST} octets: expected a file that holds {what}")
    return data


def create(file: Path, line: str, exists: str) -> None:
    """Write a new file with one secret in it, mode 0600, whole or not at all. Raises ConfigError; `exists` says what to do where the file
    is there already, because a secret that is overwritten is lost."""
    cant = f"{file}: can't write the secret"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise ConfigError(f"{file}: exists already: {exists}") from None
    except OSError as error:
        raise ConfigError(f"{cant}: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(line + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        file.unlink(missing_ok=True)
        raise ConfigError(f"{cant}: {error.strerror}") from None


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
        raise ConfigError(f"{file}: {who} can {can} {what} (mode {mode:04o}): run chmod {wanted:04o} {shlex.quote(str(file))}")
