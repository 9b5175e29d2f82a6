"""Output for people: tables and colours on a terminal, plain aligned text in a pipe, and never an octet that a sender
chose for the terminal to obey."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dkimgate.config.problem import Problem
from dkimgate.log import Level, to_journal, visible

Cell = str | tuple[str, str]
"""A text, or a text and its style in rich's words ("bold red")."""

GOOD, BAD, DOUBT, DIM, TITLE = "green", "bold red", "yellow", "dim", "bold"


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
        self._console = console or Console(highlight=False, markup=False, emoji=False)

    @property
    def terminal(self) -> bool:
        """A person looks at it now."""
        return self._console.is_terminal

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return self._console.width

    def line(self, *cells: Cell) -> None:
        """Some texts on one line, as they are; on a terminal wrapped at its width."""
        text = Text()
        for cell in cells:
            text.append_text(_styled(cell))
        if self.terminal:
            self._console.print(text)
        else:
            self._write(text.plain)

    def title(self, text: str) -> None:
        """A heading, behind an empty line."""
        self.line()
        self.line((text, TITLE))

    def table(self, rows: Iterable[Sequence[Cell]], *, header: Sequence[str] = (), indent: int = 2) -> None:
        """Columns, each as wide as its widest cell; where a terminal is too narrow, cells wrap."""
        cells = [[_styled(cell) for cell in row] for row in rows]
        if not self.terminal:
            head = [[Text(text) for text in header]] if header else []
            self._plain([*head, *cells], indent)
            return
        table = Table(box=None, show_header=bool(header), pad_edge=False, padding=(0, 2, 0, 0), header_style=DIM)
        everything = [*([[Text(name) for name in header]] if header else []), *cells]
        for column, width in enumerate(_widths(everything, self._console.width - indent)):
            table.add_column(header[column] if header else "", overflow="fold", width=width)
        for row in cells:
            table.add_row(*row)
        self._console.print(Padding(table, (0, 0, 0, indent)))

    def _plain(self, rows: list[list[Text]], indent: int) -> None:
        widths = [0] * max(map(len, rows), default=0)
        for row in rows:
            for column, cell in enumerate(row):
                widths[column] = max(widths[column], cell_len(cell.plain))
        for row in rows:
            padded = [
                cell.plain + " " * (width - cell_len(cell.plain)) for cell, width in zip(row, widths, strict=False)
            ]
            self._write((" " * indent + "  ".join(padded)).rstrip())

    def _write(self, text: str) -> None:
        self._console.file.write(text + "\n")


def _widths(rows: list[list[Text]], available: int) -> list[int]:
    """How wide the columns are to be. Where they don't fit, the widest one that can still wrap between words gives way;
    only where none can, words are broken."""
    count = max(map(len, rows), default=0)
    columns = [[row[column].plain for row in rows if column < len(row)] for column in range(count)]
    widths = [max(map(cell_len, texts)) for texts in columns]
    words = [max((cell_len(word) for text in texts for word in text.split()), default=0) for texts in columns]
    while sum(widths) + 2 * (count - 1) > max(available, 4 * count):
        can_wrap = [column for column in range(count) if widths[column] > words[column]]
        widest = max(can_wrap or range(count), key=lambda column: widths[column])
        widths[widest] -= 1
    return widths


def _styled(cell: Cell) -> Text:
    return Text(visible(cell)) if isinstance(cell, str) else Text(visible(cell[0]), style=cell[1])
