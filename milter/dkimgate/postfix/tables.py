"""Tables of Postfix, as far as they can be seen without asking for an address: what Postfix's own programs list, and
the actions of header checks."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

EVERYBODY = "*"
"""A key that stands for every address. No table has it: Postfix asks for addresses, local parts and `@domain`."""

_TABLE = re.compile(r"(?:[^\s,{}]|\{(?:[^{}]|\{[^{}]*\})*\})+")  # inline:{ {list = a, b} } is one
_LARGEST_FILE = 1 << 20  # octets of a table of header checks
# what it writes begins with From, or with a part of what was found
_WRITES_FROM = re.compile(r"\b(?:REPLACE|PREPEND)\s++(?:from\s{0,80}:|[^:\n]{0,80}\$)", re.IGNORECASE)


def split(text: str) -> list[str]:
    """The tables that a parameter names."""
    return _TABLE.findall(text)


def keys(tables: Iterable[str], postmap: str, end: float) -> frozenset[str] | None:
    """What these tables of addresses have an answer for, in lower case; None where one of them can't be listed.

    `end`: when postmap(1), which lists a table in 5 ms, must be done.
    """
    found: set[str] = set()
    for table in tables:
        if table.startswith("static:"):
            found.add(EVERYBODY)
            continue
        # the daemon reads what proxymap(8) would read for others
        listed = run([postmap, "-s", table.removeprefix("proxy:")], end - time.monotonic())
        if listed is None:
            return None
        found.update(line.partition("\t")[0].strip().lower() for line in listed.splitlines() if line.strip())
    return frozenset(found)


def of_checks(tables: Iterable[str]) -> frozenset[str]:
    """The same of header checks: everybody, where one of them may write a From; else nobody. What can't be read may."""
    return frozenset({EVERYBODY}) if any(map(_may_write_from, tables)) else frozenset()


def _may_write_from(table: str) -> bool:
    kind, _, name = table.partition(":")
    if kind not in ("regexp", "pcre"):
        return True
    if name.startswith("{"):
        return _WRITES_FROM.search(name) is not None
    try:
        with Path(name).open("rb") as file:
            text = file.read(_LARGEST_FILE + 1).decode("utf-8", "replace")
    except (OSError, ValueError):
        return True
    told = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return len(text) > _LARGEST_FILE or _WRITES_FROM.search(told) is not None


def owners(tables: Iterable[str], postalias: str, end: float) -> dict[str, bool]:
    """Of tables of aliases, those that hold `owner-` aliases, or (False) may hold some, for they can't be listed.
    `end`: when postalias(1) must be done."""
    silent = [table for table in tables if table.startswith("nis:") and not _has_nis()]  # in Postfix's own default
    listed = {t: run([postalias, "-s", t], end - time.monotonic()) for t in tables if t not in silent}
    return {table: keys is not None for table, keys in listed.items() if keys is None or _OWNER.search(keys)}


_OWNER = re.compile(r"^owner-", re.IGNORECASE | re.MULTILINE)


def _has_nis() -> bool:
    try:
        return Path("/proc/sys/kernel/domainname").read_text().strip() not in ("", "(none)")
    except OSError:
        return True


def run(command: list[str], seconds: float) -> str | None:
    """What it printed; None where it failed or was too slow."""
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "MAIL_CONFIG")} | {
        "LC_ALL": "C"
    }
    left = max(seconds, 0.01)
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=left, check=True, env=environment
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")
