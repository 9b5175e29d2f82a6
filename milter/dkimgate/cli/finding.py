"""What `check` finds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dkimgate.config.problem import Problem


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know. `level` is "problem", "warning" or "note". `code` is stable, the text is for people. `stops`:
    the daemon would not start with this problem. `str()` is ready to print."""

    level: str
    code: str
    text: str
    stops: bool = False
    file: Path | None = None
    line: int | None = None
    column: int | None = None

    @classmethod
    def of(cls, level: str, problem: Problem, *, stops: bool = False) -> Self:
        """A problem that was found elsewhere."""
        return cls(level, problem.code, problem.text, stops, problem.file, problem.line, problem.column)

    @property
    def problem(self) -> Problem:
        """What was found, without its level."""
        return Problem(self.code, self.text, self.file, self.line, self.column)

    def __str__(self) -> str:
        return str(self.problem)
