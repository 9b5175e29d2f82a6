"""Writes down what users read: `errors.txt`, the words of every error and finding, and `help.txt`, the help of every command.
Run it (`make texts`) after a change of words, and review the difference."""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dkimgate import cli
from dkimgate.config import dkimgate_yaml
from dkimgate.log import visible
from tests.texts import bad_files, bad_hosts
from tests.texts.bad_files import Said

HERE = Path(__file__).parent
_LONGEST = 100
_HEAD = """\
The words of every error and finding, by code. Made from the bad input in bad_files.py and bad_hosts.py by `make texts`: don't edit.
"""


def said() -> list[Said]:
    """Everything that bad input gives, in the order of the tables; folders have the name FOLDER."""
    found: list[Said] = []
    for each in (bad_files, bad_hosts):
        with tempfile.TemporaryDirectory() as name:
            found += [(shown.replace(name, "FOLDER"), problem) for shown, problem in each.everything(Path(name))]
    return found


def errors(found: list[Said]) -> str:
    """`errors.txt`: below each code its texts, each once, with the first input that gives it."""
    texts: dict[str, dict[str, str]] = {}
    for shown, problem in found:
        text = re.sub(r"/tmp/tmp\w+", "FOLDER", problem.text)
        text = re.sub(r"\d+ characters of", "N characters of", text)  # as many as are slow on this machine
        texts.setdefault(problem.code, {}).setdefault(text, shown)
    lines = [_HEAD]
    for code in sorted(texts):
        lines.append(f"## {code}")
        for text, shown in texts[code].items():
            one_line = " | ".join(part.strip() for part in shown.strip().splitlines() if part.strip())
            lines.append(f"  {visible(one_line[:_LONGEST])}{'...' if len(one_line) > _LONGEST else ''}")
            lines += [f"    {line}" for line in text.split("\n")]
        lines.append("")
    return "\n".join(lines)


def helps() -> str:
    """`help.txt`: the help of every command, 80 columns wide."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "80"
    try:
        return "\n".join(_helps(cli.parser(), "dkimgate")).replace(
            str(dkimgate_yaml.DEFAULT_FILE), "/etc/dkimgate/dkimgate.yaml"
        )
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before


def _helps(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    yield f"$ {name} --help\n{parser.format_help()}"
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                yield from _helps(below, f"{name} {word}")


if __name__ == "__main__":
    (HERE / "errors.txt").write_text(errors(said()))
    (HERE / "help.txt").write_text(helps())
