"""The words about a value that a model refuses. Operators never see Pydantic's own words, which are about Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

_LIST = "expected a list: [a, b], or a line `- a` for each"
_MAPPING = "expected a mapping: `key: value` lines"
_ALONE = {
    "list_type": _LIST,
    "tuple_type": _LIST,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dict_type": _MAPPING,
}
"""Kinds of errors that say enough by themselves."""
_EXPECTED = {
    "string_type": "text",
    "string_unicode": "text of characters that UTF-8 has",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "greater_than": "a number",
    "greater_than_equal": "a number",
    "less_than": "a number",
    "less_than_equal": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
"""What was expected where the value that was found is told too."""
KNOWN = {*_ALONE, *_EXPECTED, "value_error", "literal_error", "too_short", "missing", "extra_forbidden", "invalid_key"}
"""The kinds of errors that have words of ours. A test compares them with what the models can raise."""


def told(error: ErrorDetails, schemas: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Code and text about one value. `schemas` are the JSON Schemas that it may follow: they name the range of a
    number."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    found = f"found {shown(value)}"
    if kind == "value_error":
        return getattr(context["error"], "code", "yaml.value"), str(context["error"])
    if kind == "invalid_key":
        return "yaml.key-not-text", f"the key {shown(value)} is not text: put it in quotes"
    if kind == "literal_error":
        return "yaml.unknown-word", f"must be {context['expected']}, {found}{trap(value)}"
    if kind == "too_short":
        least, actual = _count(context["min_length"]), _count(context["actual_length"])
        return "yaml.too-few", f"expected at least {least}, found {actual}"
    if kind in _ALONE:
        return ("yaml.expected-list" if _ALONE[kind] == _LIST else "yaml.expected-mapping"), _ALONE[kind]
    expected = _EXPECTED.get(kind, "another value")
    if expected.startswith("text"):
        return "yaml.expected-text", f"expected {expected}, {found}{trap(value)}"
    if "number" in expected:
        return "yaml.number", f"expected {_with_range(expected, schemas)}, {found}"
    return ("yaml.expected-flag" if expected == "true or false" else "yaml.value"), f"expected {expected}, {found}"


def _count(number: int) -> str:
    return {0: "none", 1: "one"}.get(number, str(number))


def _with_range(expected: str, schemas: Sequence[Mapping[str, Any]]) -> str:
    """`a whole number from 1 to 65535`, where the schema tells it."""
    for schema in schemas:
        kind = {"integer": "a whole number", "number": "a number"}.get(str(schema.get("type")), expected)
        most = schema.get("maximum")
        if most is not None and "minimum" in schema:
            return f"{kind} from {schema['minimum']:.0f} to {most:.0f}"
        if most is not None and "exclusiveMinimum" in schema:
            return f"{kind} above {schema['exclusiveMinimum']:.0f}, up to {most:.0f}"
    return expected


def shown(value: object) -> str:
    """A value of the file as an error names it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return repr(value) if len(value) <= 60 else repr(value[:60]) + "..."
        case float():
            return str(value)
        case int():
            return str(value) if abs(value) < 10**15 else "a huge number"
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a mapping" if value else "an empty mapping"
    return f"a {type(value).__name__}"


def trap(value: object) -> str:
    """A hint where YAML 1.1 is likely to have read something other than what the operator wrote."""
    match value:
        case bool():
            return " (YAML reads yes, no, on and off as true and false: put words in quotes)"
        case None:
            return " (an empty value, null and ~ are nothing; the word none needs no quotes)"
        case int() | float():
            return " (YAML reads this as a number: put text in quotes)"
    return ""
