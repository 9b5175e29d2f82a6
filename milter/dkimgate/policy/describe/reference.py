"""The table of facts in config/policy.md, made from the table of facts. `make reference` writes it anew."""

from __future__ import annotations

from dkimgate.config import marks
from dkimgate.policy.language.fact import Fact, Kind
from dkimgate.policy.language.vocabulary import FACTS

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


PART = marks.MarkedPart("the table of facts", table)

if __name__ == "__main__":
    marks.write(PART)
