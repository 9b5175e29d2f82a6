"""YAML files. Every value knows its line and column, so an error can tell the place and what was expected."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dkimgate.config import files, wrong_values, yaml_hints, yaml_plain
from dkimgate.config.problem import ConfigError, Problem

Where = tuple[str | int, ...]
"""The way to a value: keys and list indexes from the top of the document."""


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file as plain data, with the place (line, column; from 1) of every key and list item.

    `sha256` is the digest of the file's bytes, in hexadecimal.
    """

    file: Path
    data: Any
    places: dict[Where, tuple[int, int]] = field(default_factory=dict)
    sha256: str = ""

    def problem(self, where: Where, code: str, text: str) -> Problem:
        """A problem with its place. If the value itself is not in the file: the place of what should hold it."""
        while where and where not in self.places:
            where = where[:-1]
        line, column = self.places.get(where, (1, 1))
        return Problem(code, text, self.file, line, column)

    def line(self, where: Where) -> int:
        """The line of a value, from 1."""
        return self.places.get(where, (1, 1))[0]


def read(file: Path, remedy: str = "") -> Document:
    """Read a YAML file. Raises ConfigError if the file can't be read, is not YAML, or has a key twice. `remedy` says
    what to do if there is no such file."""
    try:
        text = file.read_bytes().decode(
            "utf-8"
        )  # line ends as they are: YAML knows them all, and the digest wants them
    except OSError as error:
        raise ConfigError(files.cant_read(error, file, remedy)) from None
    except UnicodeDecodeError as error:
        before: bytes = error.object[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        raise ConfigError(Problem("yaml.not-utf-8", "not UTF-8: save the file as UTF-8", file, line, column)) from None
    return parse(text, file)


DEEPEST = 50
"""Lists and mappings inside each other. PyYAML takes time with the square of it; a policy needs six."""

MOST_VALUES = 500_000
"""Values of a document, those that aliases repeat counted each time: a few lines of aliases may stand for more than fit
into memory."""


class _TooMany(Exception):
    """More than MOST_VALUES."""


class _Loader(yaml.SafeLoader):
    """PyYAML's own, that looks no deeper than DEEPEST."""

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        if self.flow_level >= DEEPEST:
            self._too_deep()
        super().fetch_flow_collection_start(TokenClass)

    def add_indent(self, column: int) -> bool:
        if len(self.indents) > DEEPEST:
            self._too_deep()
        return bool(super().add_indent(column))

    def _too_deep(self) -> NoReturn:
        raise yaml.scanner.ScannerError(None, None, f"nested too deeply, more than {DEEPEST} times", self.get_mark())


def parse(text: str, file: Path) -> Document:
    """`read`, of a text at hand."""
    try:
        data, places = yaml_plain.parse(text, DEEPEST, MOST_VALUES)
    except yaml_plain.NotPlain:
        data, places = _parse(text, file)
    return Document(file, data, places, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())


def _parse(text: str, file: Path) -> tuple[Any, dict[Where, tuple[int, int]]]:
    """Whatever YAML allows. Raises ConfigError, with what is wrong and where."""
    places: dict[Where, tuple[int, int]] = {}
    problems: list[Problem] = []
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:  # before it becomes data, which merges what `<<` names
            _collect(node, (), places, problems, file, frozenset())
        data = loader.construct_document(node) if node is not None else None
    except _TooMany:
        raise ConfigError(
            Problem(
                "yaml.too-large",
                f"more than {MOST_VALUES} values: aliases (*) that repeat other aliases make them",
                file,
            )
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = (mark.line + 1, mark.column + 1) if mark else (None, None)
        problem = error.problem or error.context or ""
        raise ConfigError(
            Problem("yaml.syntax", f"not valid YAML: {problem}{_begun(error)}{yaml_hints.of(error, text)}", file, *at)
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            Problem(
                "yaml.character",
                f"not valid YAML: the character {ord(text[error.position]):#06x} is not allowed here",
                file,
                line,
            )
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        first = str(error).splitlines()[0] if str(error) else "nested too deeply"
        raise ConfigError(Problem("yaml.syntax", f"not valid YAML: {first}", file)) from None
    if problems:
        raise ConfigError(*problems)
    return data, places


def _begun(error: yaml.MarkedYAMLError) -> str:
    """Where the thing begins that PyYAML could not read to its end: often an earlier line, and the one to mend."""
    begin, end = error.context_mark, error.problem_mark
    while_reading = (error.context or "").startswith("while ")
    if not while_reading or begin is None or end is None or begin.line == end.line:
        return ""
    return f" (the part with the error begins on line {begin.line + 1})"


def _collect(
    node: yaml.Node,
    where: Where,
    places: dict[Where, tuple[int, int]],
    problems: list[Problem],
    file: Path,
    above: frozenset[int],
) -> None:
    if len(places) > MOST_VALUES:
        raise _TooMany
    places.setdefault(where, (node.start_mark.line + 1, node.start_mark.column + 1))
    if id(node) in above:
        problems.append(Problem("yaml.alias", "this alias (*) contains itself", file, *places[where]))
        return
    above |= {id(node)}
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _collect(item, (*where, index), places, problems, file, above)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            if name in seen:
                text = f"the key {name!r} is here a second time: remove one"
                problems.append(Problem("yaml.key-twice", text, file, line, column))
            seen.add(name)
            places[(*where, name)] = (line, column)
            _collect(value, (*where, name), places, problems, file, above)


def nearest(word: str, valid: Iterable[str]) -> str:
    """A hint for a misspelled word: `; did you mean X?`, or a short list of the valid words, or nothing."""
    words = sorted(valid)
    close = difflib.get_close_matches(word.lower(), words, 1, 0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; valid here: {', '.join(words)}" if 0 < len(words) <= 16 else ""


Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], document: Document, context: dict[str, Any] | None = None) -> Model:
    """Turn a document into a model. Raises ConfigError with a line for each mistake."""
    data = document.data if document.data is not None else {}
    if not isinstance(data, dict):
        raise ConfigError(
            document.problem((), "yaml.expected-mapping", "expected a mapping (`key: value` lines) at the top")
        )
    try:
        return model.model_validate(data, context=context)
    except ValidationError as error:
        schema = model.model_json_schema()
        raise ConfigError(*dict.fromkeys(_explain(e, schema, document) for e in error.errors())) from None


def _explain(error: ErrorDetails, schema: dict[str, Any], document: Document) -> Problem:
    """One problem in the words of an operator, with its place."""
    where = _real_place(error["loc"], document.data)
    name = str(error["loc"][-1]) if error["loc"] else ""
    kind = error["type"]
    if kind == "extra_forbidden":
        text = f"unknown key {name!r}{nearest(name, _keys_beside(where, schema))}"
        return document.problem(where, "yaml.unknown-key", text)
    if kind == "missing":
        text = f"the key {'.'.join(map(str, error['loc']))!r} is missing"
        return document.problem(where, "yaml.missing-key", text)
    code, text = wrong_values.told(error, _schemas(where, schema))
    key = ".".join(str(step) for step in where)
    return document.problem(where, code, f"{key}: {text}" if key else text)


def _real_place(loc: tuple[int | str, ...], data: object) -> Where:
    """The steps of a pydantic location that exist in the data: the names of unions and validators fall away."""
    where: Where = ()
    for step in loc:
        try:
            data = data[step]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            continue
        where = (*where, step)
    return where


def _keys_beside(where: Where, schema: dict[str, Any]) -> list[str]:
    """The valid keys of the mapping that holds `where`, by the model's JSON Schema."""
    return [key for here in _schemas(where[:-1], schema) for key in here.get("properties", {})]


def _schemas(where: Where, schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schemas that the value at `where` may follow."""
    heres = _options(schema, schema)
    for step in where:
        if isinstance(step, int):
            inner = [here["items"] for here in heres if "items" in here]
        else:
            inner = [here["properties"][step] for here in heres if step in here.get("properties", {})]
        heres = [option for schema_part in inner for option in _options(schema_part, schema)]
    return heres


def _options(part: dict[str, Any], root: dict[str, Any]) -> list[dict[str, Any]]:
    """The schemas that a value may follow: the part itself, and each branch of a union."""
    part = _resolve(part, root)
    return [part, *(_resolve(branch, root) for branch in part.get("anyOf", []))]


def _resolve(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Follow a `$ref`."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema
