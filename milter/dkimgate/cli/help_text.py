"""How `--help` is laid out: as it was written, and never wider than the terminal."""

from __future__ import annotations

import argparse
import textwrap


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Descriptions and examples keep their lines; one that is too wide goes on below, indented as it begins."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(folded for line in super()._fill_text(text, width, indent).splitlines() for folded in _fold(line, width))


def _fold(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    start = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(line, width, subsequent_indent=start or "", break_long_words=False, break_on_hyphens=False, drop_whitespace=True)
