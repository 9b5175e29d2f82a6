"""Credentials (systemd.exec(5), LoadCredential=): files under /run/credentials/UNIT, which systemd makes when the unit
starts and removes when it ends. While it is down, what they are made from can be read in their place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dkimgate.config import systemd_unit
from dkimgate.config.files import is_folder, seen

FOLDER = Path("/run/credentials")
_STORES = tuple(map(Path, ("/etc/credstore", "/run/credstore", "/usr/local/lib/credstore", "/usr/lib/credstore")))


@dataclass(frozen=True, slots=True)
class Origin:
    """What systemd makes a credential from: `file`, or None, and then `why` says what is known, for the operator."""

    unit: str
    file: Path | None
    why: str = ""


def is_credential(file: Path) -> bool:
    """Is that the path of a credential?"""
    return file.is_relative_to(FOLDER) and len(file.relative_to(FOLDER).parts) == 2


def is_there(file: Path) -> bool:
    """Can this process see it? Elsewhere than in the service itself and for root it can't, as in `ExecReload=` of
    systemd 252."""
    return seen(file) is not None


def is_new(file: Path) -> bool:
    """Does its service run without it? Then it has been named since the service started, and takes a restart, not a
    reload."""
    try:
        file.stat()
    except FileNotFoundError:
        return is_folder(file.parent)
    except OSError:
        return False  # not for us to see
    return False


def origin(file: Path) -> Origin:
    """What a credential is made from, by the files of its unit."""
    unit, name = file.relative_to(FOLDER).parts
    service = systemd_unit.read(unit)
    if service is None:
        return Origin(unit, None, f"the unit {unit} is not installed here, so nothing makes this file")
    for line in service.get("LoadCredential", ()):
        identity, _, path = line.replace("%%", "%").partition(":")
        given = Path(path or identity)
        if identity == name:
            return Origin(unit, given if given.is_absolute() else _stored(given))
        if name.startswith(f"{identity}_") and is_folder(given):  # a folder: one credential for each file in it
            return Origin(unit, given / name.removeprefix(f"{identity}_"))
    for key in ("LoadCredentialEncrypted", "SetCredential", "SetCredentialEncrypted"):
        if any(line.partition(":")[0] == name for line in service.get(key, ())):
            return Origin(
                unit,
                None,
                f"{key}= in {unit} makes this file, and only systemd can read its source: start the service first",
            )
    return Origin(
        unit,
        None,
        f"{unit} has no LoadCredential={name}:FILE: add it (systemctl edit {unit}), then run systemctl restart {unit}",
    )


def _stored(name: Path) -> Path:
    return next((store / name for store in _STORES if seen(store / name)), _STORES[0] / name)
