"""What a test case expects: of the decision, of the departure, and of facts as conditions name them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dkimgate.config.wrong_values import shown, trap
from dkimgate.config.yaml_file import Where, nearest
from dkimgate.facts import Assessment, Holds
from dkimgate.policy.describe.explain import describe, found_as
from dkimgate.policy.language import texts
from dkimgate.policy.language.actions import ENVELOPES, MODES
from dkimgate.policy.language.conditions import holds
from dkimgate.policy.language.model import Condition
from dkimgate.policy.language.parse import condition, fact_hint
from dkimgate.policy.language.problems import Problems
from dkimgate.policy.language.vocabulary import DISPOSITIONS, FACTS, SIGNS, value_of

DEPARTURES = ("pass", "none", "fail")


@dataclass(frozen=True, slots=True)
class Difference:
    """A key with an unexpected result; both values are text for an operator."""

    key: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """One key under `expect`. `wanted` holds the values that are good, or `condition` says which are."""

    key: str
    wanted: tuple[Any, ...] = ()
    condition: Condition | None = None
    line: int = 0


def _filled(assessment: Assessment, text: str | None) -> str:
    """A text of the policy as this message gets it; empty where there is none."""
    return "" if text is None else texts.fill(text, assessment.facts, assessment.decision)


def _added(assessment: Assessment) -> dict[str, str]:
    return {name: _filled(assessment, text) for name, text in assessment.decision.add}


_WORDS: dict[str, tuple[tuple[str, ...], Callable[[Assessment], str]]] = {
    "sign": (SIGNS, lambda made: str(made.decision.sign)),
    "envelope": (ENVELOPES, lambda made: str(made.decision.envelope)),
    "disposition": (DISPOSITIONS, lambda made: str(made.decision.disposition)),
    "mode": (MODES, lambda made: made.decision.mode),
    "departure": (DEPARTURES, lambda made: made.departure.dmarc),
    "departure.signature_holds": (tuple(Holds), lambda made: str(made.departure.signature_holds)),
}
_FLAGS: dict[str, Callable[[Assessment], bool]] = {
    "seal": lambda made: made.decision.seal,
    "overruled": lambda made: made.overruled is not None,
    "departure.dkim_aligned": lambda made: made.departure.dkim_aligned,
    "departure.spf_aligned": lambda made: made.departure.spf_aligned,
}
_NAMES: dict[str, Callable[[Assessment], str]] = {
    "rule": lambda made: made.decision.rule,
    "signer": lambda made: made.signer or "none",
}
_TEXTS: dict[str, Callable[[Assessment], str]] = {
    "text": lambda made: _filled(made, made.decision.text),
    "tag": lambda made: _filled(made, made.decision.tag),
}

DECIDED = (*_NAMES, *_WORDS, *_FLAGS, *_TEXTS, "add", "remove")
"""The keys that are no facts."""


def read(problems: Problems, where: Where, mapping: Mapping[str, object]) -> tuple[Expectation, ...]:
    """What is expected, in the order of the file; what is wrong is noted."""
    found: list[Expectation] = []
    for key, value in mapping.items():
        here = (*where, key)
        line = problems.document.line(here)
        if key in DECIDED:
            wanted = _wanted(problems, here, key, value)
            if wanted is not None:
                found.append(Expectation(key, wanted, line=line))
        elif key in FACTS:
            wished = condition(problems, where, {key: value})
            if wished is not None:
                found.append(Expectation(key, condition=wished, line=line))
        else:
            hint = nearest(key, (*DECIDED, *FACTS)) or fact_hint(key)
            problems.add(
                here,
                "case.unknown-expectation",
                f"unknown key {key!r}{hint} Expected one of {', '.join(DECIDED)}, or a fact",
            )
    return tuple(found)


def _wanted(problems: Problems, where: Where, key: str, value: object) -> tuple[Any, ...] | None:
    """The good values, in the form of `decided`; None where something is wrong."""
    good: object
    if key in _WORDS:
        items = value if isinstance(value, list) and value else [value]
        words = [problems.word(where, item, _WORDS[key][0]) for item in items]
        return None if None in words else tuple(words)
    if key in _NAMES:
        items = value if isinstance(value, list) and value else [value]
        good, what = all(isinstance(item, str) and item for item in items), "a name, or a list of names"
        answer = tuple(items)
    elif key in _FLAGS:
        good, what, answer = isinstance(value, bool), "true or false", (value,)
    elif key in _TEXTS:
        good, what, answer = isinstance(value, str), 'the text as the message gets it, or "" for none', (value,)
    elif key == "add":
        good = isinstance(value, dict) and all(isinstance(part, str) for pair in value.items() for part in pair)
        what, answer = "a mapping of header fields, {} for none", (value,)
    else:
        good = isinstance(value, list) and all(isinstance(item, str) for item in value)
        what, answer = "a list of names of header fields, [] for none", (value,)
    if good:
        return answer
    problems.add(
        where,
        "case.expectation",
        f"{key}: expected {what}, found {shown(value)}{trap(value) if key not in _FLAGS else ''}",
    )
    return None


def decided(key: str, assessment: Assessment) -> Any:
    """What was decided, by the keys of `DECIDED`."""
    if key in _WORDS:
        return _WORDS[key][1](assessment)
    if key == "add":
        return _added(assessment)
    if key == "remove":
        return list(assessment.decision.remove)
    reader: Callable[[Assessment], Any] = {**_NAMES, **_FLAGS, **_TEXTS}[key]
    return reader(assessment)


def differences(expected: tuple[Expectation, ...], assessment: Assessment) -> list[Difference]:
    """The keys whose result was not expected."""
    facts, risk = assessment.facts, assessment.decision.risk
    found: list[Difference] = []
    for each in expected:
        if each.condition is not None:
            if not holds(each.condition, facts, risk):
                said = describe(each.condition).removeprefix(f"{each.key} ").removeprefix("is ")
                found.append(Difference(each.key, said, found_as(value_of(each.key, facts, risk))))
        else:
            made = decided(each.key, assessment)
            if made not in each.wanted:
                found.append(Difference(each.key, " or ".join(map(told, each.wanted)), told(made)))
    return found


def told(value: object) -> str:
    """A value of `decided` as an operator reads it."""
    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            return ", ".join(f"{name}: {text}" for name, text in value.items()) or "nothing"
        case list():
            return ", ".join(value) or "nothing"
        case "":
            return "no text"
    return str(value)
