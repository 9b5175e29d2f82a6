"""The table of facts in config/README.md, made from the table of facts. `make reference` writes it anew."""

from __future__ import annotations

import sys
from pathlib import Path

from dkimgate.policy.fact import Fact, Kind
from dkimgate.policy.vocabulary import FACTS

BEGIN = "<!-- The table of facts: made by `make reference` from milter/dkimgate/policy/fact_table.py -->\n"
END = "<!-- end of the table of facts -->\n"

_WRITTEN = {
    Kind.FLAG: "flag",
    Kind.NUMBER: "number",
    Kind.ADDRESS: "address",
    Kind.AUTHOR: "`hosted`, `none`, or globs",
}


def table() -> str:
    """The table, in Markdown."""
    rows = [f"| `{fact.name}` | {_kind(fact)} | {fact.meaning} |\n" for fact in FACTS.values()]
    return "| fact | kind | meaning |\n| --- | --- | --- |\n" + "".join(rows)


def _kind(fact: Fact) -> str:
    words = ", ".join(f"`{word}`" for word in fact.words)
    written = f"word: {words}" if words else _WRITTEN.get(fact.kind, "glob")
    return written + ("; may be absent" if fact.optional else "")


def renewed(text: str) -> str:
    """The document with today's table. Raises ValueError where the marks around the table are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the lines {BEGIN.strip()!r} and {END.strip()!r} must stand around the table of facts")
    return before + begin + table() + end + after


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(renewed(file.read_text("utf-8")), "utf-8")
