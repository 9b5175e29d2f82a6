"""What to do about a file that is not YAML. PyYAML says where it stopped, but seldom what to correct."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

_QUOTE = '; put text that begins with > ! * | & % @ or ` in quotes: ">= 50", "*.example"'
_NO_BLOCK_END = "expected <block end>, but found"
_HINTS = {
    "expected a comment or a line break": _QUOTE,  # risk: >= 50
    "expected chomping or indentation indicators": _QUOTE,
    "could not determine a constructor for the tag '!": _QUOTE,  # risk: != 50
    "expected alphabetic or numeric character": _QUOTE,  # sender: *@hosted.example
    "found undefined alias": _QUOTE,
    "found character '>' that cannot start": _QUOTE,  # {risk: >= 50}
    "found character '|' that cannot start": _QUOTE,
    "found character '@' that cannot start": _QUOTE,
    "found character '`' that cannot start": _QUOTE,
    "found character '%' that cannot start": _QUOTE,
    "found character '\\t' that cannot start": "; indent with spaces, not with tabs",
    "could not find expected ':'": "; expected `key: value`, with a space after the colon",
    _NO_BLOCK_END: "; keys of one mapping begin in the same column",
    "mapping values are not allowed here": "; keys of one mapping begin in the same column, with a space after "
    "each colon",
    "expected ',' or": "; a bracket may be missing at the end",
    "found unexpected end of stream": "; a quotation mark may be missing at the end",
    "expected the node content, but found ':'": '; put text that begins with a colon in quotes: "::1/128"',
    "but found another document": "; a file has one document: remove the line `---`",
}
"""What PyYAML says about the mistakes that conditions invite, and what to do."""

_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_INDENT = re.compile(r"[ ]*(?:- +)*")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line with a key and a whole list or mapping behind it. `indent`: the column of the key."""

    indent: int
    text: str
    value: str


def _entry(line: str) -> _Entry | None:
    found = _INDENT.match(line)
    indent = found.end() if found is not None else 0
    key, colon, behind = line[indent:].partition(": ")
    value = behind.partition("#")[0].strip(" ")
    whole = (value.startswith("[") and value.endswith("]")) or (value.startswith("{") and value.endswith("}"))
    return _Entry(indent, f"{key}: {value}", value) if key and colon and "#" not in key and whole else None


def of(error: yaml.MarkedYAMLError, text: str) -> str:
    """The end of a line about that error: what to do, or nothing."""
    problem = error.problem or error.context or ""
    if problem.startswith(_NO_BLOCK_END) and error.problem_mark is not None:
        whole = _whole_above(text, error.problem_mark.line, error.problem_mark.column)
        if whole is not None:
            return whole
    return next((hint for start, hint in _HINTS.items() if problem.startswith(start)), "")


def _whole_above(text: str, number: int, column: int) -> str | None:
    """What to do where a list or a mapping goes on below a line that holds a whole one already: `keys: []`, and then `-
    a`."""
    lines = _BREAK.split(text)[: number + 1]
    above = next((line for line in reversed(lines[:-1]) if line.strip() and not line.lstrip().startswith("#")), "")
    entry = _entry(above)
    below = lines[-1][column:]
    if entry is None or column < entry.indent:
        return None
    value = entry.value
    kind = "list" if value.startswith("[") else "mapping"
    if below.startswith("-") is not (kind == "list"):
        return None
    if value[1:-1].strip():
        return (
            f"; `{entry.text}` is already a complete {kind}: write all items between the brackets, or all items below"
        )
    instead = ", or start this line in the column of that key" if kind == "mapping" else ""
    return f"; `{entry.text}` is already a complete {kind}: delete the `{value}`{instead}"
