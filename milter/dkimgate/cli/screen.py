"""Output for people: tables and colours on a terminal, plain aligned text in a pipe, and never an octet that a sender
chose for the terminal to obey."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dkimgate.config.problem import Problem
from dkimgate.log import Level, to_journal, visible

if TYPE_CHECKING:  # rich is imported where it prints: a daemon, a pipe and --help don't wait for it
    from rich.console import Console
    from rich.text import Text

Cell = str | tuple[str, str]
"""A text, or a text and its style in rich's words ("bold red")."""

GOOD, BAD, DOUBT, DIM, TITLE = "green", "bold red", "yellow", "dim", "bold"


_LIKE_A_TERMINAL = ("FORCE_COLOR", "TTY_COMPATIBLE")
"""Variables by which rich takes a pipe for a terminal."""


class CommandError(Exception):
    """A command that can't run; `str()` says why, in one line."""

    def __init__(self, code: str, text: str, file: Path | None = None) -> None:
        self.problem = Problem(code, text, file)
        super().__init__(str(self.problem))


def complain(*told: str | Problem) -> None:
    """Print lines on stderr, each with the program's name; in the system's journal, which knows that, as errors. A text
    is one line, whatever is in it; a problem may have several."""
    prefix = f"<{Level.ERROR.value}>" if to_journal() else "dkimgate: "
    for each in told:
        for line in str(each).split("\n") if isinstance(each, Problem) else [each]:
            print(f"{prefix}{visible(line)}", file=sys.stderr)


class Screen:
    """Where a command prints its result."""

    def __init__(self, console: Console | None = None) -> None:
        self._given = console

    @cached_property
    def _console(self) -> Console:
        from rich.console import Console

        return self._given or Console(highlight=False, markup=False, emoji=False)

    @cached_property
    def terminal(self) -> bool:
        """A person looks at it now."""
        if self._given is None and not sys.stdout.isatty() and os.environ.keys().isdisjoint(_LIKE_A_TERMINAL):
            return False
        return self._console.is_terminal

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return self._console.width

    def line(self, *cells: Cell) -> None:
        """Some texts on one line, as they are; on a terminal wrapped at its width."""
        if not self.terminal:
            self._write("".join(map(_shown, cells)))
            return
        from rich.text import Text

        text = Text()
        for cell in cells:
            text.append_text(_styled(cell))
        self._console.print(text)

    def title(self, text: str) -> None:
        """A heading, behind an empty line."""
        self.line()
        self.line((text, TITLE))

    def table(self, rows: Iterable[Sequence[Cell]], *, header: Sequence[str] = (), indent: int = 2) -> None:
        """Columns, each as wide as its widest cell; where a terminal is too narrow, cells wrap."""
        if not self.terminal:
            self._plain([*([header] if header else []), *rows], indent)
            return
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        cells = [[_styled(cell) for cell in row] for row in rows]
        table = Table(box=None, show_header=bool(header), pad_edge=False, padding=(0, 2, 0, 0), header_style=DIM)
        everything = [*([[Text(name) for name in header]] if header else []), *cells]
        for column, width in enumerate(_widths(everything, self._console.width - indent)):
            table.add_column(header[column] if header else "", overflow="fold", width=width)
        for row in cells:
            table.add_row(*row)
        self._console.print(Padding(table, (0, 0, 0, indent)))

    def _plain(self, rows: Sequence[Sequence[Cell]], indent: int) -> None:
        from rich.cells import cell_len

        texts = [[_shown(cell) for cell in row] for row in rows]
        widths = [0] * max(map(len, texts), default=0)
        for row in texts:
            for column, text in enumerate(row):
                widths[column] = max(widths[column], cell_len(text))
        for row in texts:
            padded = [text + " " * (width - cell_len(text)) for text, width in zip(row, widths, strict=False)]
            self._write((" " * indent + "  ".join(padded)).rstrip())

    def _write(self, text: str) -> None:
        (sys.stdout if self._given is None else self._given.file).write(text + "\n")


def _widths(rows: list[list[Text]], available: int) -> list[int]:
    """How wide the columns are to be. Where they don't fit, the widest one that can still wrap between words gives way;
    only where none can, words are broken."""
    from rich.cells import cell_len

    count = max(map(len, rows), default=0)
    columns = [[row[column].plain for row in rows if column < len(row)] for column in range(count)]
    widths = [max(map(cell_len, texts)) for texts in columns]
    words = [max((cell_len(word) for text in texts for word in text.split()), default=0) for texts in columns]
    while sum(widths) + 2 * (count - 1) > max(available, 4 * count):
        can_wrap = [column for column in range(count) if widths[column] > words[column]]
        widest = max(can_wrap or range(count), key=lambda column: widths[column])
        widths[widest] -= 1
    return widths


def _shown(cell: Cell) -> str:
    return visible(cell if isinstance(cell, str) else cell[0])


def _styled(cell: Cell) -> Text:
    from rich.text import Text

    return Text(_shown(cell), style="" if isinstance(cell, str) else cell[1])
