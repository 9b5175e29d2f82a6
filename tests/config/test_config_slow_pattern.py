"""A pattern that strangers could make run for long is refused when it is loaded, with the text that it is slow on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dkimgate.config import dkimgate_yaml
from dkimgate.config.problem import ConfigError
from dkimgate.config.slow_pattern import slowness

SLOW = [
    r"(?P<flag>junk)|x*x*x*x*y",
    r"(?P<score>\d*\d*\d*\d*)!",
    r"points=\s*\s*\s*(?P<score>\d+)",
    r"(?P<flag>a+a+a+b)",
    r"(?P<flag>.*,.*,.*,.*,x)",
]
GOOD = [
    r"(?P<flag>junk)|points=(?P<score>[\d.]+) of (?P<required>[\d.]+)",
    r"(?P<bar>\*+)",
    r"\A\s*(?P<flag>yes|true|spam)\b",
    r"score\s*=\s*(?P<score>-?\d+(?:\.\d+)?)",
]


@pytest.mark.parametrize("pattern", SLOW)
def test_a_slow_pattern_is_found_in_bounded_time(pattern: str) -> None:
    started = time.process_time()
    assert slowness(pattern) is not None
    assert time.process_time() - started < 20


@pytest.mark.parametrize("pattern", GOOD)
def test_a_good_one_is_taken(pattern: str) -> None:
    assert slowness(pattern) is None


def test_the_operator_is_told_where_and_why(tmp_path: Path) -> None:
    file = tmp_path / "dkimgate.yaml"
    file.write_text("spam_fields:\n  - {field: X-Mine, pattern: '(?P<flag>x*x*x*x*y)'}\n")
    with pytest.raises(ConfigError) as caught:
        dkimgate_yaml.load(file)
    [problem] = map(str, caught.value.problems)
    assert f"{file}:2" in problem and "slow" in problem and "characters of" in problem
