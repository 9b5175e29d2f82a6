"""What tests say of an error: its code and its place, never its words. The words stand in tests/texts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import pytest

from dkimgate.config.problem import ConfigError, Problem


class Coded(Protocol):
    """A problem or a finding."""

    @property
    def code(self) -> str: ...
    @property
    def line(self) -> int | None: ...
    @property
    def column(self) -> int | None: ...


def told(problems: Iterable[Coded]) -> list[str]:
    """Each as `line:column code`, or `line code`, or `code`, as far as it has a place."""
    return [_told(each) for each in problems]


def _told(each: Coded) -> str:
    place = ":".join(str(number) for number in (each.line, each.column) if number is not None)
    return f"{place} {each.code}" if place else each.code


def refusals(function: Any, *arguments: Any) -> tuple[Problem, ...]:
    """The problems of the ConfigError that this call raises."""
    with pytest.raises(ConfigError) as caught:
        function(*arguments)
    return caught.value.problems
