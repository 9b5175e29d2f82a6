"""The facts that a condition can name, their values in a message, and messages made from values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dkimgate.facts import Disposition, Facts, Risk, Sign
from dkimgate.policy.language.fact import Fact, Value
from dkimgate.policy.language.fact_table import ROWS

SIGNS = tuple(str(sign) for sign in Sign)
DISPOSITIONS = tuple(str(disposition) for disposition in Disposition)

FACTS: dict[str, Fact] = {fact.name: fact for fact in ROWS}

CONDITIONS = {name: fact for name, fact in FACTS.items() if not fact.told}
"""Those that a condition names."""


def value_of(fact: str, facts: Facts, risk: Risk) -> Value:
    """The value of the fact of that name. Raises KeyError for a name that is not in FACTS."""
    return FACTS[fact].value(facts, risk)


def put(base: Facts, values: Mapping[str, Any]) -> Facts:
    """The facts of `base` with these values, by the names of the table. Values without a place in `Facts` are
    ignored."""
    places: dict[str, Any] = {}
    for name, value in values.items():
        fact = FACTS.get(name)
        if fact is not None and fact.place:
            places[fact.place] = value
    made: Facts = _put(base, places)
    return made


def _put(into: Any, places: Mapping[str, Any]) -> Any:
    """`places`: a way of attributes, and what is to stand there."""
    here: dict[str, Any] = {}
    below: dict[str, dict[str, Any]] = {}
    for way, value in places.items():
        attribute, _, rest = way.partition(".")
        if rest:
            below.setdefault(attribute, {})[rest] = value
        else:
            here[attribute] = value
    return replace(
        into, **here, **{attribute: _put(getattr(into, attribute), rest) for attribute, rest in below.items()}
    )
