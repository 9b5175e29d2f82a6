"""One record under another policy: decided by the one function, and told as what it means for the message."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dkimgate.backtest.compare import Action, Compared, Kind, Side, Skipped, compare, door, kinds, why
from dkimgate.backtest.tally import Period, Tally
from dkimgate.config import yaml_file
from dkimgate.facts import Arrival, Facts, Origin, Spam
from dkimgate.gate.border import RULE as BORDER
from dkimgate.message.message import Message
from dkimgate.policy.decide import decide
from dkimgate.policy.language import loader
from dkimgate.policy.language.model import Policy
from dkimgate.policy.verdict import guarded
from dkimgate.record import record
from tests.backtest import journals

CONFIG = Path(__file__).parents[2] / "config"
POLICIES = {
    path.stem: loader.load(path) for path in [CONFIG / "policy.yaml", *sorted((CONFIG / "policies").glob("*.yaml"))]
}
COUNT = 150

FORGED = Facts(author="hosted.example", hosted="hosted.example", arrival=Arrival("fail"), spf_passes=True)
PASSED = replace(FORGED, arrival=Arrival("pass", aligned=True), spf_passes=False)
OWN = replace(FORGED, origin=Origin.SUBMITTED, arrival=Arrival("none"))


SECOND_DOOR = "its envelope would pass SPF, though it came from outside with dmarc=fail"


def policy(text: str) -> Policy:
    rules = "" if "rules:" in text else "rules: [{name: never, when: {arrival.dmarc: permerror}, sign: none}]\n"
    return loader.from_document(yaml_file.parse("version: 1\n" + rules + text, Path("new.yaml")))


def recorded(facts: Facts, under: Policy) -> dict[str, Any]:
    made_of_it = journals.assessment(facts, under)
    line = record.to_line(record.make(Message(queue_id="4F2A"), made_of_it, time=0, ms=0, policy_hash=""))
    made: dict[str, Any] = json.loads(line)
    return made


def compared(facts: Facts, old: Policy, new: Policy) -> Compared:
    found = compare(recorded(facts, old), new)
    assert isinstance(found, Compared)
    return found


@pytest.mark.parametrize("name", POLICIES)
def test_every_record_is_decided_as_decide_does(name: str) -> None:
    new = POLICIES[name]
    decided = 0
    for line in journals.lines(COUNT):
        told = json.loads(line)
        found = compare(told, new)
        if isinstance(found, Skipped):
            continue
        decided += 1
        expected = decide(record.facts_of(record.read(told)), new)
        expected, _ = guarded(found.facts, expected)
        assert found.verdict.decision == expected
        seal = expected.seal and expected.mode != "observe" and expected.disposition in ("accept", "hold")
        assert found.new.decided == Action(expected.sign, seal, expected.envelope, expected.disposition)
    assert decided > COUNT * 0.9


@pytest.mark.parametrize("name", POLICIES)
def test_the_policy_that_a_journal_was_written_under_changes_nothing(name: str) -> None:
    under = POLICIES[name]
    found = [compare(json.loads(line), under) for line in journals.lines(COUNT, under)]
    assert [each.new for each in found if isinstance(each, Compared) and each.changed] == []


CAREFUL = policy("rules: [{name: own, when: {origin: submitted}, sign: author}]\ndefault: {sign: none}")
CARELESS = policy('rules: [{name: all, when: {risk: ">= 0"}, sign: author}]')
LEAKING = policy(
    "rules: [{name: own, when: {origin: submitted}, sign: author}]\ndefault: {sign: none}\n"
    "allow_laundering: [default]\nlaundering_reason: a test\n"
)
WATCHING = replace(CAREFUL, mode="observe")
CLOSED = policy(
    "rules: [{name: own, when: {origin: submitted}, sign: author}]\ndefault: {envelope: unalign, otherwise: reject}"
)


@pytest.mark.parametrize(
    ("facts", "old", "new", "expected"),
    [
        (OWN, CAREFUL, CAREFUL, []),
        (OWN, CAREFUL, CARELESS, [Kind.RULE]),
        (PASSED, CAREFUL, CARELESS, [Kind.SIGNED, Kind.BETTER]),
        (PASSED, CARELESS, CAREFUL, [Kind.UNSIGNED, Kind.WORSE]),
        # the guard stands behind every policy, but not behind one that observes
        (FORGED, CAREFUL, CARELESS, [Kind.RULE]),
        (FORGED, WATCHING, CAREFUL, [Kind.UNSIGNED, Kind.HELD]),
        (FORGED, CAREFUL, WATCHING, [Kind.SIGNED, Kind.ACCEPTED]),
        (FORGED, WATCHING, replace(CARELESS, mode="observe"), [Kind.RULE]),
        (OWN, WATCHING, CAREFUL, []),
        # what does not leave has no departure
        (FORGED, CAREFUL, CLOSED, [Kind.REJECTED]),
        (FORGED, CLOSED, LEAKING, [Kind.ACCEPTED]),
        (replace(FORGED, unalignable=True), LEAKING, CLOSED, [Kind.WORSE, Kind.ENVELOPE]),
        # the guard shuts the second door, too
        (FORGED, CLOSED, CAREFUL, [Kind.HELD]),
        (replace(FORGED, unalignable=True), CAREFUL, CLOSED, []),
        (PASSED, CAREFUL, policy("default: {disposition: hold}"), [Kind.HELD]),
        (PASSED, CAREFUL, policy("default: {disposition: discard}"), [Kind.DISCARDED]),
        (PASSED, CAREFUL, policy("default: {disposition: defer}"), [Kind.DEFERRED]),
        (PASSED, CAREFUL, policy("default: {seal: true}"), [Kind.SEAL]),
        (PASSED, CARELESS, policy("default: {sign: forwarder}"), [Kind.SIGNER, Kind.WORSE]),
    ],
)
def test_kinds_of_change(facts: Facts, old: Policy, new: Policy, expected: list[Kind]) -> None:
    found = compared(facts, old, new)
    assert [
        kind for kind in kinds(found.old, found.new) if kind is not Kind.RULE or expected == [Kind.RULE]
    ] == expected
    assert found.changed is (found.old != found.new)


def test_none_and_fail_are_told_apart() -> None:
    side = Side("r", Action("none", False, "keep", "accept"), Action("none", False, "keep", "accept"), "none")
    assert kinds(side, side._replace(departure="fail")) == [Kind.DEPARTURE]
    assert kinds(side, side._replace(departure=None)) == [Kind.RULE]


@pytest.mark.parametrize(
    ("facts", "new", "laundered"),
    [
        (FORGED, LEAKING, "SPF passes for its envelope at the next receiver"),
        (FORGED, CAREFUL, None),
        (replace(FORGED, spf_passes=False), CAREFUL, None),
        (replace(FORGED, spf_passes=False), WATCHING, "a signature of ours is aligned"),
        (FORGED, CLOSED, None),
        (replace(FORGED, origin=Origin.LOCAL), CAREFUL, None),
        # spam that was authentic before leaves as authentic as it came, unless we sign it
        (replace(PASSED, arrival=Arrival("pass", spam=Spam(True, 9, 5))), WATCHING, "a signature of ours is aligned"),
        (replace(PASSED, arrival=Arrival("pass", spam=Spam(True, 9, 5)), spf_passes=True), CAREFUL, None),
    ],
)
def test_laundering_is_found(facts: Facts, new: Policy, laundered: str | None) -> None:
    found = compared(facts, CAREFUL, new)
    assert found.laundered is (laundered is not None)
    if laundered is not None:
        assert door(found) == laundered


@pytest.mark.parametrize(
    ("facts", "old", "new", "reason"),
    [
        (FORGED, CAREFUL, CARELESS, f"the guard overrules all: it came from outside with dmarc=fail; {SECOND_DOOR}"),
        (
            replace(PASSED, hosted=None),
            CAREFUL,
            CARELESS,
            "all would sign, but no key is aligned with the author domain hosted.example",
        ),
        (PASSED, CAREFUL, CLOSED, "the same rule does something else"),
        (PASSED, CARELESS, CAREFUL, "no rule is called all any more"),
        (
            OWN,
            CAREFUL,
            policy("rules: [{name: own, when: {origin: local}, sign: author}]"),
            "not own: origin is 'submitted', wanted local",
        ),
        (
            OWN,
            CAREFUL,
            policy(
                "rules: [{name: x, when: {origin: submitted}, sign: none}, {name: own, when: {own_signature: false}, sign: author}]"
            ),
            "x comes before own",
        ),
    ],
)
def test_why(facts: Facts, old: Policy, new: Policy, reason: str) -> None:
    assert why(compared(facts, old, new), new) == reason


def test_records_that_cannot_be_decided_again() -> None:
    good = recorded(PASSED, CAREFUL)
    assert compare({**good, "decision": {**good["decision"], "rule": BORDER}}, CAREFUL) is Skipped.BORDER
    assert compare({**good, "error": "signing: OSError"}, CAREFUL) is Skipped.ERROR
    failed = json.loads(
        record.to_line(record.make(Message(), None, time=0, ms=0, policy_hash="", error="judging: KeyError"))
    )
    assert compare(failed, CAREFUL) is Skipped.ERROR
    for odd in (
        {**good, "v": 2},
        {**good, "departure": None},
        {**good, "decision": []},
        {"v": 1},
        {**good, "header": 7},
    ):
        assert compare(odd, CAREFUL) is Skipped.UNREADABLE


ODD: tuple[object, ...] = (None, 5, True, math.inf, 10**30, "odd", [], [[1, 2]], {}, {"a": 1})


def _places(value: object, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if way:
        yield way
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield from _places(each, (*way, key))


@pytest.mark.parametrize("name", ["strict", "observe"])
def test_no_odd_value_in_a_record_ends_a_backtest(name: str) -> None:
    """Somebody has edited the journal, or a disk has."""
    good = journals.line(0)
    tally = Tally(POLICIES[name], Period(), 2)
    count = 0
    for way in _places(json.loads(good)):
        for value in ODD:
            spoilt = inner = json.loads(good)
            for step in way[:-1]:
                inner = inner[step]
            inner[way[-1]] = value
            tally.add(spoilt)
            count += 1
    tally.close()
    list(tally.by_importance())
    assert tally.records + sum(tally.skipped.values()) == count
    assert tally.records and tally.skipped[Skipped.UNREADABLE]


def test_what_could_not_be_sealed_was_to_be() -> None:
    sealing = policy("default: {seal: true}")
    told = recorded(PASSED, sealing)
    assert told["decision"]["seal"] is True
    told["decision"] |= {"seal": False, "unsealed": "no key seals"}
    found = compare(told, sealing)
    assert isinstance(found, Compared)
    assert not found.changed


def test_a_record_that_is_older_than_some_keys_is_decided_again() -> None:
    old = recorded(PASSED, CAREFUL)
    for part, name in (("decision", "seal"), ("decision", "envelope"), ("outgoing", "unalignable")):
        del old[part][name]
    del old["own_signature"]
    found = compare(old, CAREFUL)
    assert isinstance(found, Compared)
    assert not found.changed
