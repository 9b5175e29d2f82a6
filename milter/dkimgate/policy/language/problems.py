"""All the mistakes of a policy file, gathered so that an operator sees them at once."""

from __future__ import annotations

import math
from collections.abc import Collection

import yaml

from dkimgate.config.problem import ConfigError
from dkimgate.config.wrong_values import shown, trap
from dkimgate.config.yaml_file import Document, Where, nearest


class Problems:
    """Reads plain values out of a document; what is wrong is noted with its place, and the value is None."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._found: list[tuple[Where, str, str]] = []

    def add(self, where: Where, code: str, text: str) -> None:
        """Note one mistake."""
        self._found.append((where, code, text))

    def raise_any(self) -> None:
        """Raise a ConfigError with every mistake noted, in the order of the file. Does nothing without a mistake."""
        if self._found:
            ordered = sorted(self._found, key=lambda found: self.document.line(found[0]))
            raise ConfigError(*dict.fromkeys(self.document.problem(*found) for found in ordered))

    def mapping(self, where: Where, value: object, what: str) -> dict[str, object] | None:
        """A mapping that is not empty, and whose keys are text."""
        if not isinstance(value, dict):
            self.add(where, "yaml.expected-mapping", f"expected {what}, found {shown(value)}")
            return None
        if not value:
            self.add(where, "yaml.empty-mapping", f"expected {what}, found an empty one")
            return None
        keys: dict[str, object] = {}
        for key, inner in value.items():
            if isinstance(key, str):
                keys[key] = inner
            else:
                written = self._written(where, key)
                self.add(
                    (*where, written),
                    "yaml.key-not-text",
                    f"YAML reads the key {written} as {shown(key)}, not as text: put it in quotes{trap(key)}",
                )
        return keys

    def known(self, where: Where, mapping: dict[str, object], keys: Collection[str]) -> None:
        """Note each key that is not among `keys`."""
        for key in mapping:
            if key not in keys:
                self.add((*where, key), "yaml.unknown-key", f"unknown key {key!r}{nearest(key, keys)}")

    def word(self, where: Where, value: object, words: Collection[str]) -> str | None:
        """One of a few words."""
        if isinstance(value, str) and value in words:
            return value
        hint = nearest(value, words) if isinstance(value, str) else f"; valid here: {', '.join(words)}"
        self.add(
            where,
            "yaml.unknown-word",
            f"{where[-1] if isinstance(where[-1], str) else where[-2]}: found {shown(value)}{hint}{trap(value)}",
        )
        return None

    def number(self, where: Where, value: object, least: float, most: float) -> float | None:
        """A number in a range."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if least <= number <= most:
                return number
        self.add(where, "yaml.number", f"expected a number from {least:g} to {most:.0f}, found {shown(value)}")
        return None

    def _written(self, where: Where, key: object) -> str:
        """What stands in the file where YAML made a key of another type out of it."""
        depth = len(where)
        for place in self.document.places:
            name = place[depth] if len(place) == depth + 1 and place[:depth] == where else None
            if isinstance(name, str) and yaml.safe_load(name) == key:
                return name
        return str(key)
