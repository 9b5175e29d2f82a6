"""Would the daemon start, and take mail? What `check` finds about that."""

from __future__ import annotations

from collections.abc import Iterator

from dkimgate import credentials
from dkimgate.cli.finding import Finding
from dkimgate.config import Config


def credentials_from_elsewhere(settings: Config) -> Iterator[Finding]:
    """Keys and secrets that systemd hands over, where it does not run the service."""
    secrets = [each.secret_file for each in (settings.unalign, settings.passport) if each is not None]
    files = (*(key.file for key in settings.keys), *secrets)
    absent = [file for file in files if credentials.is_credential(file) and not credentials.is_there(file)]
    if absent:
        names = ", ".join(sorted({f"{file.name} ({credentials.origin(file).file})" for file in absent}))
        yield Finding(
            "note",
            f"the service does not run, so {absent[0].parent} is not there; what LoadCredential= makes it from was read instead: {names}",
        )
