"""A chart of bars as SVG: text alone, readable on a light and on a dark page."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _BAR, _ROW, _TOP = 720, 210, 18, 26, 34
_CAPTION = 105
"""Characters of a line of the caption that surely fit."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, its value, what is written behind it; ours is drawn in another colour."""

    label: str
    value: float
    text: str
    ours: bool = False


def chart(parts: Sequence[tuple[str, Sequence[Bar]]], caption: str) -> str:
    """Groups of bars, each with its title and a scale of its own, and a caption below. Values are 0 or more."""
    lines: list[str] = []
    top = 8
    for title, bars in parts:
        lines.append(f'<text x="8" y="{top + 16}" class="title">{escape(title)}</text>')
        longest = max((bar.value for bar in bars), default=0.0) or 1.0
        for number, bar in enumerate(bars):
            lines += _bar(bar, top + _TOP + number * _ROW, longest)
        top += _TOP + len(bars) * _ROW + 14
    for line in textwrap.wrap(caption, _CAPTION):
        top += 15
        lines.append(f'<text x="8" y="{top}" class="caption">{escape(line)}</text>')
    return "\n".join([_head(top + 10), *lines, "</svg>", ""])


def _bar(bar: Bar, top: int, longest: float) -> list[str]:
    width = max(1.0, (_WIDTH - _LEFT - 120) * bar.value / longest)
    colour = "ours" if bar.ours else "peer"
    middle = top + 13
    return [
        f'<text x="{_LEFT - 8}" y="{middle}" class="label">{escape(bar.label)}</text>',
        f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" class="{colour}"/>',
        f'<text x="{_LEFT + width + 6:.1f}" y="{middle}" class="value">{escape(bar.text)}</text>',
    ]


def _head(height: int) -> str:
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img">
<style>
text {{ font: 13px sans-serif; fill: #24292f }}
.title {{ font-weight: bold }}
.label {{ text-anchor: end }}
.caption {{ font-size: 11px; fill: #57606a }}
.peer {{ fill: #8c959f }}
.ours {{ fill: #1a7f37 }}
</style>
<rect width="100%" height="100%" fill="#ffffff"/>"""
