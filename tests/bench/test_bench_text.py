"""What the bench prints and writes: tables that fit, a chart that is XML, figures on either side of their goal."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from tests.bench.chart import Bar, chart
from tests.bench.figures import Figure
from tests.bench.picture import picture
from tests.bench.table import WIDTH, table

SVG = "{http://www.w3.org/2000/svg}"


def test_a_table_lines_up_to_the_right_of_its_first_column() -> None:
    told = table(("milter", "rate"), [("a", "5"), ("longer", "1500")], note="so it is")
    assert told == "milter    rate\n--------------\na            5\nlonger    1500\nso it is\n"


def test_a_table_that_is_too_wide_loses_of_its_first_column_alone() -> None:
    told = table(("milter", "one", "two"), [("x" * 100, "1" * 20, "2" * 20)], note="word " * 40)
    assert max(map(len, told.splitlines())) <= WIDTH
    assert "1" * 20 in told and "2" * 20 in told and "…" in told


@pytest.mark.parametrize(
    ("value", "better", "reached"),
    [(2.0, "higher", True), (1.99, "higher", False), (2.0, "lower", True), (2.01, "lower", False)],
)
def test_a_goal_is_reached_on_its_side(value: float, better: str, reached: bool) -> None:
    figure = Figure("rate", value, 2.0, "higher" if better == "higher" else "lower", "ms")
    assert figure.as_json()["reached"] is reached
    assert figure.row()[3] == ("reached" if reached else "MISSED")
    assert figure.row()[2] == ("≥ 2 ms" if better == "higher" else "≤ 2 ms")


def widths(svg: str) -> list[float]:
    return [
        float(each.attrib["width"]) for each in ElementTree.fromstring(svg).iter(f"{SVG}rect") if "class" in each.attrib
    ]


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_bars_are_as_long_as_their_values() -> None:
    svg = chart(
        [("Rate <1>", [Bar("a & b", 10, "10"), Bar("c", 5, "5", ours=True)]), ("Other", [Bar("d", 1, "1")])], "x"
    )
    long, half, other = widths(svg)
    assert long == pytest.approx(2 * half) and other == long
    assert texts(svg) == ["Rate <1>", "a & b", "10", "c", "5", "Other", "d", "1", "x"]


@pytest.mark.parametrize("bars", [[], [Bar("a", 0, "0")]])
def test_a_chart_of_nothing_is_still_one(bars: list[Bar]) -> None:
    assert all(width >= 1 for width in widths(chart([("Rate", bars)], "")))


def test_the_picture_tells_the_medians_the_date_and_the_machine() -> None:
    cases = {
        "OpenDKIM": {"rates": [100.0, 300.0, 200.0], "cpu_seconds": [0.002]},
        "dkimgate": {"rates": [400.0], "cpu_seconds": [0.001]},
        "libmilter alone": {"rates": [9000.0], "cpu_seconds": [0.0001]},
    }
    rate = {"rsa2048_seconds": [0.00025], "cases": cases}
    report = {"tables": {"rate": rate}, "date": "2026-11-30", "machine": "A machine", "load_before": 0.2}
    svg = picture(report)
    assert all(word in svg for word in (">200<", ">400<", ">8.0<", ">4.0<", "2026-11-30", "A machine"))
    assert "libmilter" not in svg and "busy" not in svg
    assert "busy there (load 9)" in " ".join(texts(picture({**report, "load_before": 9.1})))
