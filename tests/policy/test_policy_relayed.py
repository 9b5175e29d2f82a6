"""What was relayed: signed only on the word of trust.relays, and for all that judge, else from outside."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dkimgate.cli.record_text import laundered
from dkimgate.facts import Arrival, Assessment, Decision, Departure, Facts, Origin, Sign, is_outside
from dkimgate.message.message import Connection, Message
from dkimgate.policy import departure, guard, verdict
from dkimgate.policy.language import loader
from dkimgate.policy.laundering import Law
from dkimgate.policy.proof import laws, universe
from dkimgate.record import record
from dkimgate.record.recordable import recordable

CONFIG = Path(__file__).parents[2] / "config"
SIGNING = [CONFIG / "policy.yaml", *sorted((CONFIG / "policies").glob("*.yaml"))]
OWN = Facts(
    client=Connection(ip="10.0.0.5"),
    sender="app@hosted.example",
    recipients=("v@receiver.example",),
    author="hosted.example",
    hosted="hosted.example",
    origin=Origin.RELAYED,
    arrival=Arrival("none"),
    relay=True,
)
ANYBODYS = replace(OWN, relay=False, arrival=Arrival("unknown"))


@pytest.mark.parametrize("file", SIGNING, ids=lambda file: file.stem)
def test_the_shipped_policies_sign_it_on_the_word_of_trust_relays_alone(file: Path) -> None:
    policy = loader.load(file)
    assert verdict.reach(OWN, policy).made is Sign.AUTHOR
    if policy.mode == "enforce":
        assert verdict.reach(ANYBODYS, policy).made is not Sign.AUTHOR
        assert verdict.reach(replace(ANYBODYS, arrival=Arrival("fail")), policy).made is not Sign.AUTHOR


@pytest.mark.parametrize(
    ("origin", "relay", "outside"),
    [(Origin.RELAYED, False, True), (Origin.RELAYED, True, False), (Origin.LOCAL, False, False)],
)
def test_everybody_agrees_on_what_is_outside(origin: Origin, relay: bool, outside: bool) -> None:
    facts = replace(ANYBODYS, origin=origin, relay=relay, arrival=Arrival("fail"), spf_passes=True)
    decision = Decision("signs", sign=Sign.AUTHOR)
    leaves = Departure("pass", True, True)
    told = record.make(Message(), Assessment(facts, decision, leaves), time=0, ms=0, policy_hash="")
    assert facts.outside is outside is is_outside(origin, relay)
    assert (guard.refuses_signature(facts, decision) is not None) is outside
    assert laws.breaks(Law.SIGNATURE, facts, decision) is outside
    assert laws.breaks(Law.DEPARTURE, facts, decision) is outside
    assert laundered(told) is outside
    assert universe.is_possible(facts) is None
    assert record.facts_of(told) == recordable(facts)
    nothing = replace(facts, arrival=Arrival("none"), spf_passes=True)
    assert (departure.predict(nothing, True).dmarc == "none") is outside


def test_a_record_that_is_older_than_the_fact_is_read() -> None:
    made = record.make(
        Message(), Assessment(OWN, Decision("x"), Departure("none", False, False)), time=0, ms=0, policy_hash=""
    )
    told = json.loads(record.to_line(made))
    del told["relay"]
    assert record.facts_of(record.read(told)).outside


@pytest.mark.parametrize(
    ("when", "safe"), [("origin: [submitted, local, relayed]", False), ("client.relay: true", True)]
)
def test_a_policy_that_signs_whatever_was_relayed_launders(tmp_path: Path, when: str, safe: bool) -> None:
    (tmp_path / "policy.yaml").write_text(f"version: 1\nrules: [{{name: own, when: {{{when}}}, sign: author}}]\n")
    found = laws.prove(loader.load(tmp_path / "policy.yaml")).launders
    assert ("own" not in {each.rule.name for each in found}) is safe
