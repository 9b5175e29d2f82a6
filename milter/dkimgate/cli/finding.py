"""What `check` finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know. `level` is "problem", "warning" or "note"."""

    level: str
    text: str
