"""Law 5: whatever the facts hold, a record tells and gives back. A field that is added to them can't be forgotten."""

from __future__ import annotations

import contextlib
import json
import math
import operator
import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

import pytest

from dkimgate.facts import Assessment, Decision, Departure, Facts, Origin, Risk, Sign
from dkimgate.message.message import Message
from dkimgate.record import record
from dkimgate.record.recordable import TEXT_LIMIT, recordable

ODD: dict[type, object] = {str: "unlike", bytes: b"unlike", bool: True, float: 7.5, int: 7}


def unlike_default(kind: Any, default: object = None) -> Any:
    """A value of that type, other than the default, with every field of it other than its default."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return unlike_default(next(each for each in inner if each is not type(None)))
    if origin is tuple:
        return (unlike_default(inner[0]),) if inner[-1] is Ellipsis else tuple(unlike_default(each) for each in inner)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        blank = None
        with contextlib.suppress(TypeError):  # it has fields without a default
            blank = kind()
        return kind(
            **{each.name: unlike_default(hints[each.name], getattr(blank, each.name, None)) for each in fields(kind)}
        )
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(each for each in kind if each != default)
    return (not default) if kind is bool else ODD[kind]


def leaves_alike(value: Any, default: Any, way: str = "facts") -> list[str]:
    """The places where a value is what it is by default."""
    if is_dataclass(value) and not isinstance(value, type) and type(value) is type(default):
        return [
            place
            for each in fields(value)
            for place in leaves_alike(getattr(value, each.name), getattr(default, each.name), f"{way}.{each.name}")
        ]
    return [way] if value == default else []


def test_law_5_a_record_gives_back_every_field_of_the_facts() -> None:
    made = unlike_default(Facts)
    assert leaves_alike(made, Facts()) == [], "the test itself"
    assessment = Assessment(made, Decision("rule", Sign.NONE, risk=Risk()), Departure("fail", False, False))
    line = record.to_line(record.make(Message(), assessment, time=0, ms=0, policy_hash="x"))
    found = record.facts_of(record.read(json.loads(line)))
    assert recordable(made) == made
    assert found == made
    assert found.origin is Origin(made.origin)


def leaves(value: Any) -> Iterator[Any]:
    """The texts and numbers of a JSON value."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    yield from (value,) if inside is None else (leaf for each in inside for leaf in leaves(each))


def test_law_5_whatever_stands_in_any_field_is_cut_and_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ODD, str, "\udcff" + "x" * 2 * TEXT_LIMIT)
    monkeypatch.setitem(ODD, float, math.inf)
    made = unlike_default(Assessment)
    line = record.to_line(
        record.make(Message(queue_id=str(ODD[str])), made, time=0, ms=math.inf, policy_hash="x", error=str(ODD[str]))
    )
    assert line.isascii()
    found = list(leaves(json.loads(line)))
    texts = [leaf for leaf in found if isinstance(leaf, str)]
    assert sum("\ufffd" in text for text in texts) > 30, "the test itself"
    assert max(map(len, texts)) <= TEXT_LIMIT
    assert 1e9 in found
    assert record.facts_of(record.read(json.loads(line))) == recordable(made.facts)


def test_what_is_within_the_limits_is_left_as_it_is() -> None:
    made = unlike_default(Facts)
    assert recordable(made) is made
    longer = replace(made, claims=(*made.claims, replace(made.claims[0], why="x" * TEXT_LIMIT * 2)))
    cut = recordable(longer)
    assert cut.claims[0] is made.claims[0] and cut.arrival is made.arrival and len(cut.claims[1].why) < TEXT_LIMIT


def numbers_of(kind: Any, way: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where the facts hold a number that may be infinite."""
    for name, hint in typing.get_type_hints(kind).items():
        if hint is float:
            yield (*way, name)
        elif is_dataclass(hint):
            yield from numbers_of(hint, (*way, name))


def with_number(value: Any, way: tuple[str, ...], number: float) -> Any:
    """The same facts with another number in that place."""
    return replace(value, **{way[0]: with_number(getattr(value, way[0]), way[1:], number)}) if way else number


@pytest.mark.parametrize("way", list(numbers_of(Facts)), ids=".".join)
@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_law_5_no_number_alone_is_written_as_none(way: tuple[str, ...], number: float) -> None:
    told = recordable(with_number(Facts(), way, number))
    assert told != Facts() and math.isfinite(operator.attrgetter(".".join(way))(told))
