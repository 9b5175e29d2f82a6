"""The documents of the project, and the examples in them."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
FOLDERS = ("", "config", "systemd", "milter", "tests")
DOCUMENTS = sorted(file for folder in FOLDERS for file in (ROOT / folder).glob("*.md"))
"""Every page that the project has."""


_WEIGHTS = "\nrisk: {dmarc: {fail: 100}, spam: {per_required: 50}}\n"  # without any, no message has a risk to compare


@dataclass(frozen=True, slots=True)
class Example:
    """A block of YAML in a document. `line`: where it begins, from 1."""

    file: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}"

    @property
    def keys(self) -> frozenset[str]:
        """Those at the top: of a list, those of its entries."""
        data: Any = yaml.safe_load(self.text)
        return frozenset(key for each in (data if isinstance(data, list) else [data]) for key in each)

    @property
    def is_cases(self) -> bool:
        """A file of `policy test`."""
        return "cases" in self.keys

    @property
    def is_policy(self) -> bool:
        """A policy, or a part of one."""
        return not self.is_cases and bool(self.keys & {"version", "rules", "name", "when"})

    @property
    def policy(self) -> str:
        """The text as a whole policy: rules and conditions alone get what is missing."""
        if "name" in self.keys:
            return "version: 1\nrules:\n" + self.text + _WEIGHTS
        if "when" in self.keys:
            return (
                "version: 1\nrules:\n  - name: example\n    sign: none\n"
                + textwrap.indent(self.text, "    ")
                + _WEIGHTS
            )
        return self.text


def examples_of(file: Path) -> list[Example]:
    """The blocks of YAML in a document, also those in lists, which are indented."""
    text = file.read_text("utf-8")
    found = re.finditer(r"^( *)```yaml\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
    return [Example(file, text.count("\n", 0, match.start()) + 1, textwrap.dedent(match[2])) for match in found]


def links_of(file: Path) -> list[str]:
    """Where the links of a document lead."""
    return re.findall(r"\[[^\]\n]+\]\(([^)\s]+)\)", file.read_text("utf-8"))


def target_of(file: Path, link: str) -> Path:
    """The file that a link in a document leads to."""
    path = link.partition("#")[0]
    return file.parent / path if path else file


EXAMPLES = [example for file in DOCUMENTS for example in examples_of(file)]
POLICIES = [example for example in EXAMPLES if example.is_policy]
