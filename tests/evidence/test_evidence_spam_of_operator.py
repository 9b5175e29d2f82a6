"""Fields of a spam filter that the operator describes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkimgate.config import dkimgate_yaml, yaml_file
from dkimgate.config.dkimgate_yaml import Config, SpamField
from dkimgate.evidence import spam
from dkimgate.facts import Spam
from tests.problems import refusals
from tests.world.mail import AUTHOR, BORDER, TRUST, facts, message

# --- fields of the operator ---------------------------------------------------------------------------------------------------------------

OWN = SpamField(
    field="X-My-Filter", pattern=r"(?P<flag>junk)|points=(?P<score>[\d.,]+) of (?P<required>[\d.]+)", required=7
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("clean, points=1.5 of 8", Spam(False, 1.5, 8.0)),
        ("JUNK, points=9,5 of 8", Spam(True, 9.5, 8.0)),
        ("points=9.5 of 0", Spam(False, 9.5, 7.0)),
        ("points=..., of .", Spam(False, 0.0, 7.0)),
        ("nothing to see", Spam(False, 0.0, 7.0)),
        ("x" * 1000 + "junk", Spam(False, 0.0, 7.0)),
    ],
)
def test_a_field_of_the_operator(value: str, expected: Spam) -> None:
    (verdict,) = spam.verdicts_of(message(f"x-my-filter: {value}\n{AUTHOR}").header, (OWN,))
    assert verdict.spam == expected


def test_a_field_of_the_operator_takes_the_place_of_a_known_one() -> None:
    own = SpamField(field="X-Spam-Level", pattern=r"(?P<bar>\*+)", required=8)
    header = message("X-Spam-Level: ******\n" + AUTHOR).header
    assert [verdict.spam.spam for verdict in spam.verdicts_of(header)] == [True]
    assert [verdict.spam.spam for verdict in spam.verdicts_of(header, (own,))] == [False]


def test_a_field_of_the_operator_reaches_the_facts() -> None:
    settings = Config(trust=TRUST, spam_fields=(OWN,))
    found = facts(BORDER + "X-My-Filter: junk\n" + AUTHOR, config=settings)
    assert found.arrival.spam == Spam(True, 7.0, 7.0)
    assert [(claim.field, claim.result) for claim in found.claims] == [("X-My-Filter", "yes")]


MISTAKES = [
    ("{field: 'X My', pattern: '(?P<flag>y)'}", "value.header-field"),
    ("{field: 'X:', pattern: '(?P<flag>y)'}", "value.header-field"),
    ("{field: X, pattern: '(?P<flag>y'}", "value.pattern"),
    ("{field: X, pattern: 'yes'}", "value.pattern-without-group"),
    ("{field: X, pattern: '(?P<required>5)'}", "value.pattern-without-group"),
    (
        "{field: X, pattern: '(?P<flag>y)(?P<points>5)'}",
        "value.pattern-group",
    ),
    ("{field: X, pattern: '(?P<flag>y)', required: 0}", "yaml.number"),
    ("{field: X}", "yaml.missing-key"),
    ("{field: X, pattern: '(?P<flag>(a+)+b)'}", "value.pattern-slow"),
    ("{field: X, pattern: '(?P<flag>(?:a|a)*b)'}", "value.pattern-slow"),
    ("{field: X, pattern: '(?P<flag>((a?){2,})b)'}", "value.pattern-slow"),
    ("{field: X, pattern: '(?P<flag>((a*)b)*)'}", "value.pattern-slow"),
    ("{field: X, pattern: '(?P<flag>([)]+)*b)'}", "value.pattern-slow"),
]


@pytest.mark.parametrize(("entry", "code"), MISTAKES)
def test_a_mistake_in_a_field_of_the_operator(entry: str, code: str) -> None:
    document = yaml_file.parse(f"spam_fields: [{entry}]\n", Path("dkimgate.yaml"))
    (problem,) = refusals(dkimgate_yaml.from_document, document)
    assert (problem.code, problem.line) == (code, 1)


@pytest.mark.parametrize(
    "pattern",
    [r"(?P<flag>a|b)", r"(?P<bar>\*+)", r"(?:x )?(?P<score>[+*]?\d+)", r"(?P<flag>[(]+)*", r"(?P<flag>\(+\))"],
)
def test_a_harmless_pattern_is_taken(pattern: str) -> None:
    if pattern == r"(?P<flag>[(]+)*":
        with pytest.raises(ValueError, match="repetitions"):
            SpamField(field="X", pattern=pattern)
    else:
        assert SpamField(field="X", pattern=pattern).required == 5.0
