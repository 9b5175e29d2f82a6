"""Header sections of real installations, each beside what has to be made of it: `corpus/NAME.eml` and `corpus/NAME.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dkimgate.config.dkimgate_yaml import Trust
from dkimgate.facts import Assessment, Claim, Decision, Departure, Facts, Sign
from dkimgate.message.message import Connection, Message, split_message
from dkimgate.policy import verdict
from dkimgate.policy.language import loader
from dkimgate.record import record
from tests.world.mail import facts, message

CORPUS = Path(__file__).parent / "corpus"
SHIPPED = loader.load(Path(__file__).parents[2] / "config" / "policy.yaml")
NAMES = sorted(file.stem for file in CORPUS.glob("*.eml"))


def arrived(name: str) -> tuple[Message, Facts, dict[str, Any]]:
    expected: dict[str, Any] = yaml.safe_load((CORPUS / f"{name}.yaml").read_text("utf-8"))
    header, body = split_message((CORPUS / f"{name}.eml").read_bytes())
    assert body == b"", "something in the header section ended it"
    came = message(header, Connection(**expected["connection"]))
    return came, facts(came, config=Trust.model_validate(expected["trust"])), expected


def in_words(claim: Claim) -> str:
    return f"{claim.method}={claim.result} {claim.standing} {claim.field}" + (f" by {claim.by}" if claim.by else "")


@pytest.mark.parametrize("name", NAMES)
def test_an_installation(name: str) -> None:
    _, facts, expected = arrived(name)
    arrival = facts.arrival
    spam = f"{'yes' if arrival.spam.spam else 'no'}, {arrival.spam.score:g} of {arrival.spam.required:g}"
    found = {
        "origin": str(facts.origin),
        "border": {"by": facts.border.by, "ip": facts.border.ip} if facts.border else None,
        "claims": [in_words(claim) for claim in facts.claims],
        "arrival": {
            "dmarc": arrival.dmarc,
            "spf": arrival.spf,
            "dkim": arrival.dkim,
            "arc": arrival.arc,
            "aligned": arrival.aligned,
            "spam": spam,
        },
        "upstream": facts.upstream.dmarc,
    }
    assert found == {key: expected[key] for key in found}, facts.origin_why


@pytest.mark.parametrize("name", [name for name in NAMES if "signed" in arrived(name)[2]])
def test_the_shipped_policy_signs_it_or_not(name: str) -> None:
    _, facts, expected = arrived(name)
    reached = verdict.reach(facts, SHIPPED)
    assert (reached.made is Sign.AUTHOR) is expected["signed"], reached


@pytest.mark.parametrize("name", NAMES)
def test_its_record_tells_its_facts(name: str) -> None:
    mail, facts, _ = arrived(name)
    assessment = Assessment(facts, Decision("default"), Departure("none", False, False))
    told = record.make(mail, assessment, time=0.0, ms=0.0, policy_hash="sha256:0")
    assert record.facts_of(told) == facts


def test_the_corpus_is_whole() -> None:
    assert len(NAMES) >= 40
    assert sorted(file.stem for file in CORPUS.glob("*.yaml")) == NAMES
    whats = [arrived(name)[2]["what"] for name in NAMES]
    assert len(set(whats)) == len(whats)
