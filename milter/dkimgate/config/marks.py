"""The part of a document that a program writes: what is between two lines of marks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class MarkedPart:
    """One such part: what it is called, and what makes its text."""

    name: str
    text: Callable[[], str]

    @property
    def begin(self) -> str:
        """The line before the part."""
        return f"<!-- {self.name}: `make reference` writes it. Do not change it here -->\n"

    @property
    def end(self) -> str:
        """The line after the part."""
        return f"<!-- end: {self.name} -->\n"

    def renewed(self, document: str) -> str:
        """The document with today's text. Raises ValueError where the marks are missing."""
        before, begin, rest = document.partition(self.begin)
        _, end, after = rest.partition(self.end)
        if not begin or not end:
            raise ValueError(f"the lines {self.begin.strip()!r} and {self.end.strip()!r} must stand around it")
        return before + begin + self.text() + end + after


def write(*parts: MarkedPart) -> None:
    """Renew the parts of the document that the command line names."""
    file = Path(sys.argv[1])
    document = file.read_text("utf-8")
    for part in parts:
        document = part.renewed(document)
    file.write_text(document, "utf-8")
