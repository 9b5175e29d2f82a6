"""Plain YAML, read by libyaml in a twentieth of PyYAML's time: a configuration may name 100,000 keys.

Only what needs no explanation is read here: mappings, lists and scalars, without anchors, tags and merged mappings, and
without a mistake. `yaml_file` reads everything else again with PyYAML, which tells the place of a mistake in words that
an operator understands.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

Places = dict[tuple[str | int, ...], tuple[int, int]]

_Parser: Any = getattr(yaml, "CSafeLoader", None)  # None: PyYAML was built without libyaml
_RESOLVERS = yaml.SafeLoader.yaml_implicit_resolvers
_STR = "tag:yaml.org,2002:str"
_MERGE = "<<"
_DISPUTED = re.compile(r"^(?:[^#\n]|(?<=[^ \t\n])#)*\t|\ufeff", re.MULTILINE)
"""What libyaml takes in more places than PyYAML does: a tab outside a comment, and a byte order mark. A question mark
in a scalar, and the head of a block of text, too."""


class NotPlain(Exception):
    """Something here is not plain, or not YAML."""


def parse(text: str, deepest: int, most: int) -> tuple[Any, Places]:
    """The data of a document, and the place (line, column; from 1) of every key and list item. Raises NotPlain, also
    for more than `deepest` levels and more than `most` values."""
    if _Parser is None or (("\t" in text or "\ufeff" in text) and _DISPUTED.search(text)):
        raise NotPlain
    try:
        parser = _Parser(text)
        try:
            return _Reader(parser.get_event, deepest, most).document()
        finally:
            parser.dispose()
    except (yaml.YAMLError, ValueError) as error:
        raise NotPlain from error


class _Reader:
    """Reads one document, event by event."""

    def __init__(self, event: Any, deepest: int, most: int) -> None:
        self._event = event
        self._deepest = deepest
        self._most = most
        self._places: Places = {}
        self._scalars: dict[str, Any] = {}
        self._constructor = yaml.constructor.SafeConstructor()

    def document(self) -> tuple[Any, Places]:
        self._expect(yaml.StreamStartEvent)
        self._expect(yaml.DocumentStartEvent)
        top = self._event()
        if type(top) is not yaml.MappingStartEvent:
            raise NotPlain
        data = self._value(top, (), 0)
        self._expect(yaml.DocumentEndEvent)
        self._expect(yaml.StreamEndEvent)
        return data, self._places

    def _expect(self, kind: type) -> None:
        if type(self._event()) is not kind:
            raise NotPlain

    def _value(self, event: Any, where: tuple[str | int, ...], depth: int) -> Any:
        places = self._places
        if where not in places:
            places[where] = _place(event)
        kind = type(event)
        if kind is yaml.AliasEvent or event.anchor is not None or event.tag is not None:
            raise NotPlain
        if kind is yaml.ScalarEvent:
            return self._scalar(event)
        if depth >= self._deepest or len(places) > self._most:
            raise NotPlain
        return self._list(where, depth + 1) if kind is yaml.SequenceStartEvent else self._mapping(where, depth + 1)

    def _list(self, where: tuple[str | int, ...], depth: int) -> list[Any]:
        items: list[Any] = []
        while type(event := self._event()) is not yaml.SequenceEndEvent:
            items.append(self._value(event, (*where, len(items)), depth))
        return items

    def _mapping(self, where: tuple[str | int, ...], depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        names = set()
        while type(event := self._event()) is not yaml.MappingEndEvent:
            if type(event) is not yaml.ScalarEvent or event.anchor is not None or event.tag is not None:
                raise NotPlain
            name = event.value
            key = self._scalar(event)
            if name in names or key in found or name == _MERGE:
                raise NotPlain
            names.add(name)
            here = (*where, name)
            self._places[here] = _place(event)
            found[key] = self._value(self._event(), here, depth)
        return found

    def _scalar(self, event: Any) -> Any:
        text = event.value
        if event.style in ("'", '"'):
            return text
        if text in self._scalars:
            return self._scalars[text]
        if "?" in text or event.style:
            raise NotPlain
        rows = _RESOLVERS.get(text[:1], ())
        tag = next((tag for tag, pattern in rows if pattern.match(text)), _STR)
        value = text if tag == _STR else self._constructor.construct_object(yaml.ScalarNode(tag, text))
        self._scalars[text] = value
        return value


def _place(event: Any) -> tuple[int, int]:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1
