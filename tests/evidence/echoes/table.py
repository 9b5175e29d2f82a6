"""The tables that were captured, read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dkimgate.message.message import HeaderField, split_message

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Written:
    """What came out behind these wirings: `fields` stood above the border's Received field, `header` beneath it.

    `received` is that field."""

    wirings: tuple[str, ...]
    fields: str
    header: str
    received: str


@dataclass(frozen=True, slots=True)
class Row:
    """A case, with the envelope as it was typed and as the message bore it afterwards (`return_path`)."""

    case: str
    hostile: str
    sender: str
    return_path: str
    client: str
    helo: str
    written: tuple[Written, ...]

    def messages(self) -> Iterator[tuple[str, tuple[HeaderField, ...]]]:
        """The header of the message behind each wiring (its first name), as the next host has it."""
        for written in self.written:
            yield written.wirings[0], header_of(written.fields + written.received + written.header)


def header_of(text: str) -> tuple[HeaderField, ...]:
    """The header fields of a text of the tables."""
    return split_message(text.encode("latin-1") + b"\n")[0]


def read(name: str) -> tuple[Row, ...]:
    """The rows of `plain` or `hostile`. What was refused by SMTP has nothing written."""
    rows = yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
    return tuple(_row(row) for row in rows)


def _row(row: dict[str, Any]) -> Row:
    written = tuple(
        Written(
            tuple(outcome["wirings"]),
            outcome["fields"],
            _beneath(row["header"], outcome),
            outcome.get("received", row["received"]),
        )
        for outcome in row["outcomes"]
        if "refused" not in outcome
    )
    return Row(
        row["case"],
        row.get("hostile", ""),
        row["sender"],
        row.get("return_path", ""),
        row["client"],
        row["helo"],
        written,
    )


def _beneath(header: str, outcome: dict[str, Any]) -> str:
    whole: str = outcome.get("header_then", outcome.get("beneath", "") + header + outcome.get("behind", ""))
    return whole
