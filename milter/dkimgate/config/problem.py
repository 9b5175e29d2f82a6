"""A problem with what an operator wrote or set up: a stable code for programs, a text for people, and the place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """`code` is stable, such as `policy.unknown-key`; the text may change with any version. `line` and `column` count
    from 1. `str()` is ready to print: `file:line:column: text`."""

    code: str
    text: str
    file: Path | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return f"{place}: {self.text}" if place else self.text

    def as_json(self) -> dict[str, object]:
        """The same for a program."""
        file = str(self.file) if self.file is not None else None
        return {"code": self.code, "text": self.text, "file": file, "line": self.line, "column": self.column}


class ConfigError(Exception):
    """One or more problems with what an operator wrote. `str()` is ready to print: a line for each problem."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class BadValue(ValueError):
    """A value that can't be used: `str()` says what was expected, `code` is that of its Problem."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
