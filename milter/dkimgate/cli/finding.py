"""What `check` finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know. `level` is "problem", "warning" or "note"; `stops` says of a problem that the daemon would not
    start with it."""

    level: str
    text: str
    stops: bool = False
