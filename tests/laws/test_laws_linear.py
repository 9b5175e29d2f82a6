"""Linear, and bounded: four times the text takes about four times the time, for every pattern of the package.

A new pattern is found by itself. One that strangers' text never meets may be exempted by its name, with the reason.
"""

from __future__ import annotations

import re
import zlib

import pytest

from tests.laws import linear, patterns

SIZE = 4096
"""Characters of the larger text: a pattern that grows with the square takes 60 ms for it, a linear one a tenth of a millisecond."""

EVERY = 24
"""The quick form tries each twenty-fourth text of a pattern, which ones by its name; the heavy form each third, with pairs of octets."""

USED = {
    "evidence.plain_forms._FIELDS[": "evidence.plain_forms:field.fullmatch(",
    "evidence.misled_verifiers._PLAIN_TAGS[": "evidence.misled_verifiers:plain.fullmatch(",
    "message.received._OPENSMTPD_LOCAL": "message.received:pattern.fullmatch(",
    "message.received._SUBMIT": "message.received:pattern.fullmatch(",
}
"""Patterns that are used under another name than their own, and the words of the source that use them. `finditer` is assumed of others."""

NO_STRANGERS: dict[str, str] = {}
"""Patterns that never meet a stranger's text, and why."""

MADE_WHILE_RUNNING = {
    "message.late_pattern:re.compile(self._text)": "the modules that hold such a pattern are walked through",
    "config.values:re.compile(value, re.IGNORECASE)": "the operator's, which is timed when it is loaded",
    "config.slow_pattern:re.compile(pattern, re.IGNORECASE)": "that is where it is timed",
    "evidence.spam:re.compile(field.pattern, re.IGNORECASE)": "the same",
    "evidence.spam_fields:re.compile(pattern.replace('NUMBER', NUMBER), re.IGNORECASE)": "what it makes is found in FIELDS",
    "dkim.signature:re.fullmatch(f'[0-9]{{1,{digits}}}', text)": "digits, at most as many as asked for",
}
"""Patterns that are put together while the program runs, and why they are harmless."""


def _methods(named: patterns.Named) -> tuple[str, ...]:
    words = next((words for name, words in USED.items() if named.name.startswith(name)), None)
    return named.methods if words is None else (words.rpartition(".")[2].removesuffix("("),)


PATTERNS = [
    (named, method) for named in patterns.patterns() for method in _methods(named) if named.name not in NO_STRANGERS
]


def _ids(item: tuple[patterns.Named, str]) -> str:
    return f"{item[0].name[:60]}-{item[1]}"


def _slow(named: patterns.Named, method: str, every: int = 1, pairs: bool = True) -> str | None:
    texts = [linear.Text("", unit, "") for unit in linear.units(pairs)] + list(patterns.suggested(named.pattern))
    for text in texts[zlib.crc32(named.name.encode()) % every :: every]:
        if (told := linear.grows(lambda subject: named.run(method, subject), text, SIZE, longest=0.3)) is not None:
            return f"{text}: {told}"
    return None


@pytest.mark.parametrize("item", PATTERNS, ids=_ids)
def test_every_pattern_takes_time_in_proportion_to_the_text(item: tuple[patterns.Named, str]) -> None:
    assert _slow(*item, every=EVERY, pairs=False) is None


@pytest.mark.heavy
@pytest.mark.parametrize("item", PATTERNS, ids=_ids)
def test_with_more_texts_and_pairs_of_octets(item: tuple[patterns.Named, str]) -> None:
    assert _slow(*item, every=3) is None


def test_every_pattern_is_found_or_exempt_by_a_name_that_is_still_there() -> None:
    names = {named.name for named in patterns.patterns()}
    assert len(names) > 60, "the walk over the modules finds too few"
    assert {"authres.authentication_results._LEX", "evidence.spam_fields._STATUS.patterns[1]"} <= names
    assert not set(NO_STRANGERS) - names
    for name, words in USED.items():
        module, _, call = words.partition(":")
        assert any(each.startswith(name) for each in names)
        assert call in patterns.sources()[f"dkimgate.{module}"]
    assert set(patterns.made_while_running()) == set(MADE_WHILE_RUNNING)


@pytest.mark.parametrize(
    "pattern",
    [r"\((?:[^()\\]++|\\.)*+\)", r'"(?:[^"\\]|\\.)*"', r"[a-z]+@", r"\s+$", r"(?:a|a)*b", r"(a+)+$", r"=\?.*\?.*\?="],
)
def test_the_law_finds_what_is_slow(pattern: str) -> None:
    named = patterns.Named("slow", re.compile(pattern), ("search",))
    assert _slow(named, "search")
