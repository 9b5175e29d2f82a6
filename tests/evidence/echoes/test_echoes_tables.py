"""The tables hold every case, and can be read."""

from __future__ import annotations

import pytest

from tests.evidence.echoes import table
from tests.evidence.echoes.cases import HOSTILE, PLAIN


@pytest.mark.parametrize(("name", "cases"), [("plain", PLAIN), ("hostile", HOSTILE)])
def test_the_table_holds_every_case(name: str, cases: tuple[object, ...]) -> None:
    assert [row.case for row in table.read(name)] == [case.name for case in cases]  # type: ignore[attr-defined]
