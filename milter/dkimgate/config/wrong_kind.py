"""Which of the project's YAML files is this? Read as another kind, a file would have only unknown keys: say its kind
instead."""

from __future__ import annotations

from dkimgate.config.problem import ConfigError, Problem
from dkimgate.config.yaml_file import Document

CONFIGURATION, POLICY, CASES = "a configuration", "a policy", "a file of test cases"
_MARKS = {CONFIGURATION: {"listen", "keys"}, POLICY: {"rules"}, CASES: {"cases"}}
"""Keys that only this kind has at its top."""


def refuse(document: Document, wanted: str, remedy: str = "") -> None:
    """Raises ConfigError where the file has no mark of the wanted kind, and those of another."""
    keys = set(document.data) if isinstance(document.data, dict) else set()
    if keys & _MARKS[wanted]:
        return
    found = next((kind for kind, marks in _MARKS.items() if keys & marks), None)
    if found is not None:
        raise ConfigError(
            Problem("yaml.wrong-file", f"this looks like {found}, not like {wanted}{remedy}", document.file)
        )
