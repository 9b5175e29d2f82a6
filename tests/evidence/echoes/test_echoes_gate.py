"""Nothing that our verifiers repeat of a forger's words earns him a pass; and what they say of plain mail is believed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from dkimgate.message import domains
from tests.evidence.echoes import table, zone
from tests.evidence.echoes.verified_host import Verified, Way, ways, without_evidence
from tests.world.mail import REINJECTED

SETTINGS = [
    *product(("missing", "always"), (False, True), (False, True)),
    ("never", False, False),
    ("never", True, False),
]


@pytest.mark.parametrize("strips", [False, True])
def test_a_forger_gains_nothing_by_what_our_verifiers_repeat(strips: bool, tmp_path: Path) -> None:
    """Where our verifiers alone are asked, and a program in between has removed what shows that their words are odd."""
    host = Verified(tmp_path, "never", strips)
    assert [
        gain for row in _forgeries(strips) for way in ways(row) if (gain := _gain(host, without_evidence(way)))
    ] == []


@pytest.mark.heavy
@pytest.mark.parametrize(("verify", "strips", "dns"), SETTINGS)
def test_a_forger_gains_nothing_in_any_setting(verify: str, strips: bool, dns: bool, tmp_path: Path) -> None:
    host = Verified(tmp_path, verify, strips, dns)
    assert [gain for row in _forgeries(strips) for way in ways(row) if (gain := _gain(host, way))] == []


def _forgeries(strips: bool) -> Iterator[table.Row]:
    for row in table.read("hostile"):
        # where the border strips forgeries, there is none of our fields that the sender wrote himself
        if not (strips and row.hostile == "header fields"):
            yield row


def _gain(host: Verified, way: Way) -> str | None:
    """What a message has gained that bears the forged domain, or no single author."""
    found = host.assess(way.message)
    facts = found.facts
    if facts.author is not None and not domains.aligned(facts.author, zone.HOSTED):
        return None
    arrived = facts.arrival.dmarc
    if arrived == "pass" or (arrived == "none" and facts.author) or facts.arrival.aligned or host.signs(found):
        return f"{way.row}; {way.name}: {arrived}, aligned {facts.arrival.aligned}, signer {found.signer}"
    return None


@pytest.mark.parametrize("strips", [False, True])
def test_an_honest_pass_is_believed(strips: bool, tmp_path: Path) -> None:
    """Where SPF passes for the very author domain, nothing has to be checked again."""
    host = Verified(tmp_path, "never", strips)
    seen, lost = 0, []
    for way in _honest(strips):
        seen += 1
        facts = host.assess(way.message).facts
        if facts.arrival.dmarc != "pass":
            lost.append(
                f"{way.row}; {way.name}: {facts.arrival.dmarc}, {[(c.method, c.result, c.why) for c in facts.claims]}"
            )
    assert lost == []
    assert seen > 15


def _honest(strips: bool) -> Iterator[Way]:
    for row in table.read("plain"):
        stated = [_says_pass(written.fields) for written in row.written]
        for at, way in enumerate(ways(row)):
            if stated[at // 2] and (strips or way.message.connection == REINJECTED):
                yield way


def _says_pass(fields: str) -> bool:
    """DMARC passes, and SPF for the author domain itself."""
    text = " ".join(fields.lower().split())
    author = re.search(r"dmarc=pass \([^)]*\) header\.from=(\S+)", text)
    sender = re.search(r"spf=pass (?:\([^)]*\) )?smtp\.mailfrom=(?:[^@\s]*@)?(\S+)", text)
    return author is not None and sender is not None and author[1] == sender[1]
