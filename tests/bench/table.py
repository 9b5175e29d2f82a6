"""Tables of plain text, 80 columns at most."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

WIDTH = 80


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", note: str = "") -> str:
    """The first column to the left, the others to the right. Where it is too wide, the first column is cut."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    widths[0] = max(8, min(widths[0], WIDTH - sum(width + 2 for width in widths[1:])))
    lines = [_line(row, widths) for row in (heads, *rows)]
    lines.insert(1, "-" * len(lines[0]))
    parts = [*textwrap.wrap(title, WIDTH), *lines, *textwrap.wrap(note, WIDTH)]
    return "\n".join(part.rstrip() for part in parts) + "\n"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first = row[0] if len(row[0]) <= widths[0] else row[0][: widths[0] - 1] + "…"
    rest = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
    return "  ".join([first.ljust(widths[0]), *rest])
