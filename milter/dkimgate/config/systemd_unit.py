"""What a systemd unit says, read from its files: systemd itself need not run, and nobody has to be root."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dkimgate.config.files import seen

FOLDERS = tuple(
    map(
        Path,
        (
            "/etc/systemd/system",
            "/run/systemd/system",
            "/usr/local/lib/systemd/system",
            "/usr/lib/systemd/system",
            "/lib/systemd/system",
        ),
    )
)
"""Where units lie, by precedence (systemd.unit(5))."""


def read(unit: str, folders: Sequence[Path] | None = None) -> Mapping[str, tuple[str, ...]] | None:
    """The `[Service]` section of a unit with its drop-ins: each key with its values in order. An empty value removes
    the values before it. None if there is no such unit, or it can't be read."""
    places = FOLDERS if folders is None else folders
    files = [folder / unit for folder in places if seen(folder / unit)][:1]
    if not files:
        return None
    found: dict[str, list[str]] = {}
    for file in (*files, *_drop_ins(unit, places)):
        try:
            text = file.read_text("utf-8", "replace")
        except OSError:
            return None
        for key, value in _service(text):
            if value:
                found.setdefault(key, []).append(value)
            else:
                found[key] = []
    return {key: tuple(values) for key, values in found.items()}


def _drop_ins(unit: str, folders: Sequence[Path]) -> list[Path]:
    """In the order of their names; of two with one name the folder that comes first wins."""
    files: dict[str, Path] = {}
    for folder in folders:
        for file in sorted((folder / f"{unit}.d").glob("*.conf")):
            files.setdefault(file.name, file)
    return [files[name] for name in sorted(files)]


def _service(text: str) -> Iterator[tuple[str, str]]:
    section, begun = "", ""
    for line in text.splitlines():
        line = line.strip()
        if not line or line[0] in "#;":
            continue  # also between the parts of a line that goes on
        line, begun = begun + line, ""
        if line.endswith("\\"):
            begun = line[:-1] + " "
        elif line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line:
            key, _, value = line.partition("=")
            yield key.strip(), value.strip()
