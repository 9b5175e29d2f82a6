"""How `--help` is laid out: as it was written where the terminal is wide enough, else wrapped by paragraphs and
columns."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator, Sequence

_COLUMNS = re.compile(r"( *\S+(?: \S+)*)  +(?=\S)")
"""What stands ahead of the second column: `  dkimgate check      ` of an example and what it does."""

_WORDS = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+""")
"""Words as a shell takes them."""

_LEAST = 30
"""Characters that a second column needs; with less of it the text goes below."""


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Descriptions and examples keep their lines; a paragraph, or an example with its text, that is too wide is wrapped
    as one."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        blocks = _blocks(super()._fill_text(text, width, indent).splitlines())
        return "\n".join(
            line for block in blocks for line in (block if max(map(len, block)) <= width else _wrapped(block, width))
        )


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    """Lines that belong together: those of a paragraph, and a line of two columns with what goes on in the second
    one."""
    block: list[str] = []
    for line in lines:
        if (
            not block
            or not line
            or not block[-1]
            or block[-1].endswith(":")
            or _COLUMNS.match(line)
            or _indent(line) != _goes_on_at(block[0])
        ):
            if block:
                yield block
            block = []
        block.append(line)
    if block:
        yield block


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _goes_on_at(line: str) -> int:
    """Where the next line of the same block begins; -1 where none does: an example alone."""
    columns = _COLUMNS.match(line)
    return columns.end() if columns else -1 if _indent(line) else 0


def _wrapped(block: Sequence[str], width: int) -> list[str]:
    columns, start = _COLUMNS.match(block[0]), _indent(block[0])
    if columns is not None:
        text = " ".join([block[0][columns.end() :], *(line.strip() for line in block[1:])])
        if width - columns.end() >= _LEAST:
            return _wrap(text, width, columns[0], " " * columns.end())
        return [*_command(columns[1], width), *_below(text, width, start + 4)]
    text = " ".join(line.strip() for line in block)
    if start > 4:  # what an example does, below it
        return _below(text, width, start if width - start >= _LEAST else 6)
    return _command(block[0], width) if start else _below(text, width, 0)


def _command(line: str, width: int) -> list[str]:
    """A command line that can be pasted: each line but the last ends with a backslash, and no quoted word is broken."""
    start = _indent(line)
    if not line.strip().startswith("dkimgate "):
        return _wrap(line.strip(), width, " " * start, " " * (start + 4))
    lines = [" " * start]
    for word in _WORDS.findall(line):
        if lines[-1].strip() and len(lines[-1]) + 1 + len(word) > width - 2:
            lines[-1] += " \\"
            lines.append(" " * (start + 4))
        lines[-1] += f" {word}" if lines[-1].strip() else word
    return lines


def _below(text: str, width: int, indent: int) -> list[str]:
    return _wrap(text, width, " " * indent, " " * indent)


def _wrap(text: str, width: int, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
