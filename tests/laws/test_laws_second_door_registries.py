"""The second door below a registry that has a DMARC record, and what else opens it without a word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dkimgate.facts import Disposition, Sign
from dkimgate.policy.language.model import Rule
from tests.arc.sealing import LIST, mail
from tests.laws.attack_world import BORDER, ZONE
from tests.laws.test_laws_second_door import FORWARDERS, OURS, Door, by
from tests.world.keys import Signer
from tests.world.mail import REINJECTED


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """A gate of its own for each."""
    return Door(tmp_path)


REGISTRIES = {
    "nothing is published": ({}, False),
    "of the registry": ({"_dmarc.gov.uk": {"TXT": ["v=DMARC1; p=reject; sp=none"]}}, True),
    "of the suffix above it": ({"_dmarc.uk": {"TXT": ["v=DMARC1; p=none"]}}, True),
    "of one that says what it is": ({"_dmarc.gov.uk": {"TXT": ["v=DMARC1; p=reject; psd=y"]}}, False),
    "of an author who says so": (
        {
            "_dmarc.gov.uk": {"TXT": ["v=DMARC1; p=reject"]},
            "_dmarc.ministry.gov.uk": {"TXT": ["v=DMARC1; p=reject; psd=n"]},
        },
        False,
    ),
    "of an author who wants his own domain": (
        {
            "_dmarc.gov.uk": {"TXT": ["v=DMARC1; p=reject"]},
            "_dmarc.ministry.gov.uk": {"TXT": ["v=DMARC1; p=reject; aspf=s"]},
        },
        True,  # not every receiver obeys it
    ),
}
"""DMARC records of a public suffix, and does the tree walk of RFC 9989 make one organization of all below it?"""
BELOW_THE_SUFFIX: dict[str, dict[str, list[str]]] = {
    "council.gov.uk": {"TXT": [OURS]},
    "ministry.gov.uk": {"TXT": ["v=spf1 -all"]},
    "_dmarc.ministry.gov.uk": {"TXT": ["v=DMARC1; p=reject"]},
}


def below_the_suffix(door: Door, registry: str) -> bool:
    published, one = REGISTRIES[registry]
    door.asks(ZONE | FORWARDERS | BELOW_THE_SUFFIX | published)
    return one


@pytest.mark.parametrize("registry", REGISTRIES)
def test_law_1_a_registry_with_a_dmarc_record_opens_no_door(registry: str, door: Door) -> None:
    """council.gov.uk is a customer's: its SPF lists us, and by the tree walk it may align with ministry.gov.uk, which is not."""
    one = below_the_suffix(door, registry)
    outcome, record = door.goes(by("boss@ministry.gov.uk"), "friend@council.gov.uk")
    assert (record["arrival"]["dmarc"], record["departure"]["dmarc"]) == ("fail", "fail")
    assert (outcome.sender or "").endswith("=council.gov.uk=friend@bounce.forwarder.example") is one


@pytest.mark.parametrize("registry", REGISTRIES)
def test_law_1_nor_is_a_word_believed_unproved_that_opens_it(registry: str, door: Door) -> None:
    one = below_the_suffix(door, registry)
    word = "Authentication-Results: mx.forwarder.example; dmarc=pass (p=reject dis=none) header.from=ministry.gov.uk\n"
    outcome, record = door.goes(
        (word + BORDER).encode() + by("boss@ministry.gov.uk"), "friend@council.gov.uk", REINJECTED
    )
    assert (record["arrival"]["dmarc"] == "pass") is not one
    assert (outcome.sender is not None) is one


@pytest.mark.parametrize("registry", REGISTRIES)
def test_law_1_no_rewritten_sender_and_no_signature_of_the_forwarder_opens_it(registry: str, door: Door) -> None:
    one = below_the_suffix(door, registry)
    outside = {"domain": "bounce.forwarder.gov.uk"}
    door.gate.config = door.gate.config.model_copy(
        update={
            "unalign": door.gate.config.unalign.model_copy(update=outside),  # type: ignore[union-attr]
            "forwarder": door.gate.config.forwarder.model_copy(update={"domain": "forwarder.gov.uk"}),  # type: ignore[union-attr]
        }
    )
    strict = "own domain" in registry
    outcome, record = door.goes(by("boss@ministry.gov.uk"), "friend@council.gov.uk")
    assert (outcome.disposition is Disposition.HOLD, outcome.sender) == (one, None)
    signing = Rule("forwarded", sign=Sign.FORWARDER, disposition=Disposition.ACCEPT)
    door.gate.policy = replace(door.gate.policy, rules=(), default=signing)
    _, record = door.goes(by("boss@ministry.gov.uk"), "friend@elsewhere.test")
    assert record["forwarder_aligns"] is (one or strict)


@pytest.mark.parametrize("author", ["hosted.example", "mail.hosted.example", "elsewhere.example"])
@pytest.mark.parametrize("result", ["none", "bestguesspass"])
def test_law_1_no_sealer_tells_that_there_is_no_record(result: str, author: str, door: Door) -> None:
    """Anybody can send a sealed message again, unchanged, with a sender of his choice. elsewhere.example has no record."""
    trust = door.gate.config.trust.model_copy(update={"arc_sealers": ("lists.example",)})
    door.gate.config = door.gate.config.model_copy(update={"trust": trust})
    letter = mail(by(f"ask@{author}").replace(b"\n", b"\r\n") + b"\r\nPay me.\r\n")
    sealed = letter.sealed(LIST, f"mx.lists.example; dmarc={result} header.from={author}")
    outcome, record = door.goes(sealed.raw.partition(b"\r\n\r\n")[0] + b"\r\n", f"friend@{author}")
    assert record["arrival"]["arc"] == "pass"
    exists = author.endswith("hosted.example")
    assert record["arrival"]["dmarc"] == ("fail" if exists else "none")
    assert (outcome.sender is not None) is (author == "hosted.example"), "the only one of them whose SPF lists us"


@pytest.mark.parametrize("result", ["pass", "none", "bestguesspass"])
@pytest.mark.parametrize("record", ["v=DMARC1; p=reject; adkim=s", "v=DMARC1; p=reject; psd=n"])
def test_law_1_our_own_signature_of_another_name_spares_no_proof(record: str, result: str, door: Door) -> None:
    """Ours is by hosted.example, valid still, and aligned only by a list: whoever has the message can send it again as he likes."""
    zone = {"_dmarc.sub.hosted.example": {"TXT": [record]}, "sub.hosted.example": {"TXT": [OURS]}}
    door.asks(ZONE | FORWARDERS | zone)
    letter = by("ask@sub.hosted.example")
    ours = Signer("a", names=("from", "to", "subject", "date")).sign(letter.replace(b"\n", b"\r\n"), b"Pay me.\r\n")
    word = f"Authentication-Results: mx.forwarder.example; dmarc={result} header.from=sub.hosted.example\n{BORDER}"
    header = word.encode() + ours.replace(b"\r\n", b"\n") + letter
    outcome, told = door.goes(header, "friend@sub.hosted.example", REINJECTED)
    assert told["arrival"]["dmarc"] not in ("pass", "none")
    assert outcome.sender is not None


@pytest.mark.parametrize("texts", [["v=DMARC1; p=reject"] * 2, ["v=DMARC1 p=reject"], ["v=DMARC1; p=reject; sp=foo"]])
def test_law_1_a_record_that_only_some_receivers_can_read_opens_no_door(texts: list[str], door: Door) -> None:
    door.asks(ZONE | FORWARDERS | {"_dmarc.partner.example": {"TXT": texts}})
    outcome, record = door.goes(by("boss@partner.example"), "boss@partner.example")
    assert (record["arrival"]["dmarc"], record["departure"]["dmarc"]) == ("permerror", "fail")
    assert (outcome.sender or "").endswith("@bounce.forwarder.example")
