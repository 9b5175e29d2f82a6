"""The tables of keys and of facts in config/policy.md. `make reference` writes them."""

from __future__ import annotations

from collections.abc import Mapping

from dkimgate.config import marks
from dkimgate.policy.describe import key_meanings
from dkimgate.policy.describe.key_meanings import Key
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


def _keys(keys: Mapping[str, Key]) -> str:
    rows = [f"| `{name}` | {key.meaning} | {key.without} |\n" for name, key in keys.items()]
    return "| key | meaning | without it |\n| --- | --- | --- |\n" + "".join(rows)


PARTS = (
    marks.MarkedPart("the keys of a policy", lambda: _keys(key_meanings.POLICY)),
    marks.MarkedPart("the keys of a rule", lambda: _keys(key_meanings.RULE)),
    marks.MarkedPart("the table of facts", table),
)

if __name__ == "__main__":
    marks.write(*PARTS)
