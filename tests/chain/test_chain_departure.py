"""Both doors: what departs is never better than what arrived, and good mail fares no worse than without the gate.

Every kind of mail goes through forwarders side by side (see ways.py). The arrival is what OpenDMARC at the forwarder's border says, the
departure what OpenDMARC at the receiver says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from tests.chain import world
from tests.chain.mail import FORGED_RESULTS, GTUBE
from tests.chain.senders import Sent
from tests.chain.servers import UNCHECKED_PORT
from tests.chain.ways import BARE, GATE, HELD, OPENDKIM, UNSET, Hand, Ways, at_once, forged, own, sent, submitted

pytestmark = pytest.mark.servers

FRIEND = f"friend@{world.HOSTED}"
RANK = {"pass": 2, "none": 1}
"""What a DMARC result is worth; all others are worth nothing."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of mail, its DMARC result at the border (None: nobody looks), and that at the receiver by each way; or HELD.

    `rewritten` is what the gate makes of its sender, as a pattern; None where it stays.
    """

    hand_in: Hand
    arrival: str | None
    departure: dict[str, str]
    rewritten: str | None = None


LISTED = f"friend@{world.HOSTED_SPF}"
UNALIGNED = r"SRS0=[^=]{4}=[A-Z2-7]{2}=hosted-spf\.example=friend@bounce\.forwarder\.example"
OF_PARTNER = r"SRS0=[^=]{4}=[A-Z2-7]{2}=partner\.example=boss@bounce\.forwarder\.example"
OF_SILENT = rf"SRS0=[^=]{{4}}=[A-Z2-7]{{2}}={re.escape(world.SILENT)}=eve@bounce\.forwarder\.example"
DRESSED = tuple(line.format(domain=world.HOSTED_SPF) for line in FORGED_RESULTS)

CONTROL = {
    "forged, not in its SPF": Kind(forged(FRIEND), "fail", {BARE: "fail", OPENDKIM: "pass", GATE: "fail"}),
    "forged, in its SPF": Kind(
        forged(LISTED), "fail", {BARE: "pass", OPENDKIM: "pass", GATE: "fail", UNSET: HELD}, rewritten=UNALIGNED
    ),
}
"""The four combinations: does the forwarder sign, does the hosted domain's SPF list it; and the gate in the signer's place."""

BAD = {
    **CONTROL,
    "forged, with forged results": Kind(
        forged(LISTED, *DRESSED), "fail", {GATE: "fail", UNSET: HELD}, rewritten=UNALIGNED
    ),
    "forged, as spam": Kind(forged(LISTED, text=GTUBE), "fail", {GATE: "fail"}, rewritten=UNALIGNED),
    "forged, from a sub-domain in the envelope": Kind(
        forged(LISTED, sender=f"x@sub.{world.HOSTED_SPF}"), "fail", {GATE: "fail"}
    ),
    "forged, and the border does not look": Kind(
        forged(LISTED, port=UNCHECKED_PORT), None, {BARE: "pass", GATE: "fail"}, rewritten=UNALIGNED
    ),
    "a stranger forged who lists us": Kind(
        forged(f"boss@{world.PARTNER}"), "fail", {BARE: "pass", GATE: "fail", UNSET: HELD}, rewritten=OF_PARTNER
    ),
    "a stranger forged": Kind(forged(f"alice@{world.GOOD}"), "fail", {GATE: "fail"}),
    "no DMARC record": Kind(forged(f"eve@{world.UNRECORDED}"), "none", {BARE: "none", GATE: "none"}),
    # OpenDMARC says `none` where nobody answers; the gate finds that nobody knows, and takes the envelope to pass
    "DNS does not answer": Kind(forged(f"eve@{world.SILENT}"), "none", {GATE: "none"}, rewritten=OF_SILENT),
    "spam that passes by SPF": Kind(
        sent(LISTED, world.HOSTED_HOST, text=GTUBE),
        "pass",
        {BARE: "pass", GATE: "fail", UNSET: HELD},
        rewritten=UNALIGNED,
    ),
    "spam that passes by DKIM": Kind(
        sent(FRIEND, world.ATTACKER, text=GTUBE, selector=world.OWN_SELECTOR), "pass", {GATE: "pass"}
    ),
}

BOSS = f"boss@{world.FORWARDER_DOMAIN}"
"""Of the forwarder's own domain: the name that it says in EHLO is aligned with it, and so is the domain that senders are rewritten to."""
SRS0 = "SRS0=abcd=JK=good.example=alice"
"""What a host on the way makes of alice@good.example."""

ODD = {
    "null sender, HELO aligned": Kind(forged(BOSS, sender=""), "fail", {BARE: "pass", GATE: HELD}),
    "null sender, HELO not aligned": Kind(forged(LISTED, sender=""), "fail", {BARE: "fail", GATE: "fail"}),
    "SRS of a host before us": Kind(
        forged(LISTED, sender=f"{SRS0}@{world.PARTNER}"), "fail", {BARE: "fail", GATE: "fail"}
    ),
    "SRS of the forged domain's host": Kind(
        *(forged(f"boss@{world.PARTNER}", sender=f"{SRS0}@{world.PARTNER}"), "fail", {BARE: "pass", GATE: "fail"}),
        rewritten=r"SRS1=[^=]{4}=partner\.example==abcd=JK=good\.example=alice@bounce\.forwarder\.example",
    ),
    "SRS of ours": Kind(forged(LISTED, sender=f"{SRS0}@{world.UNALIGN}"), "fail", {BARE: "fail", GATE: "fail"}),
    "SRS of ours, aligned": Kind(forged(BOSS, sender=f"{SRS0}@{world.UNALIGN}"), "fail", {BARE: "pass", GATE: HELD}),
}
"""Senders that can't be rewritten, or were before."""

GOOD = {
    "a program of ours": Kind(own(world.HOSTED), None, {OPENDKIM: "pass", GATE: "pass"}),
    "a program of ours, in SPF": Kind(own(world.HOSTED_SPF), None, {OPENDKIM: "pass", GATE: "pass"}),
    "a user of ours": Kind(submitted(world.HOSTED), None, {OPENDKIM: "pass", GATE: "pass"}),
    "a user of ours, in SPF": Kind(submitted(world.HOSTED_SPF), None, {OPENDKIM: "pass", GATE: "pass"}),
    # behind a pipe nobody can prove SPF: without a listener at the border, which gives a passport, such mail is lost
    "our user elsewhere, by SPF": Kind(
        sent(FRIEND, world.HOSTED_HOST), "pass", {BARE: "fail", OPENDKIM: "pass", GATE: "fail"}
    ),
    "our user elsewhere, by SPF, and we are in it": Kind(
        sent(LISTED, world.HOSTED_HOST), "pass", {OPENDKIM: "pass", GATE: "fail"}, rewritten=UNALIGNED
    ),
    "our user elsewhere, by DKIM": Kind(
        sent(FRIEND, world.ATTACKER, selector=world.OWN_SELECTOR), "pass", {OPENDKIM: "pass", GATE: "pass"}
    ),
    "a stranger, by DKIM": Kind(
        sent(f"alice@{world.GOOD}", world.GOOD_HOST, selector=world.OWN_SELECTOR),
        "pass",
        {OPENDKIM: "pass", GATE: "pass"},
    ),
    "a stranger, by SPF": Kind(sent(f"alice@{world.GOOD}", world.GOOD_HOST), "pass", {OPENDKIM: "fail", GATE: "fail"}),
    "a stranger, by SPF, who lists us": Kind(
        sent(f"boss@{world.PARTNER}", world.GOOD_HOST),
        "pass",
        {OPENDKIM: "pass", GATE: "fail"},
        rewritten=OF_PARTNER,
    ),
}

KINDS = {**BAD, **ODD, **GOOD}
PASSAGES = [(kind, way) for kind, what in KINDS.items() for way in what.departure]

Handed = dict[tuple[str, str], Sent]


@pytest.fixture(scope="module")
def handed(every_way: Ways) -> Handed:
    """Every kind by every way, handed in at once."""
    return at_once(
        {(kind, way): lambda kind=kind, way=way: KINDS[kind].hand_in(every_way[way]) for kind, way in PASSAGES}
    )


@pytest.mark.parametrize(("kind", "way"), PASSAGES)
def test_what_arrives_and_what_departs(every_way: Ways, handed: Handed, kind: str, way: str) -> None:
    what, passed, chain = KINDS[kind], handed[kind, way], every_way[way]
    if what.departure[way] == HELD:
        chain.wait_until_held(passed.letter)
        assert not chain.arrived(passed.letter)
        return
    got = chain.receive(passed.letter)
    assert (got.arrival("dmarc"), got.departure("dmarc")) == (what.arrival, what.departure[way])
    sender = passed.letter.author if passed.sender is None else passed.sender
    (path,) = got.fields("Return-Path")
    expected = what.rewritten if way == GATE and what.rewritten is not None else re.escape(sender)
    assert re.fullmatch(f"<{expected}>", path), path


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_foretells_it(every_way: Ways, handed: Handed, kind: str) -> None:
    """It also says what became of the envelope."""
    chain, letter = every_way[GATE], handed[kind, GATE].letter
    record = chain.record(letter)
    assert record["error"] is None
    if KINDS[kind].departure[GATE] == HELD:
        assert record["decision"]["disposition"] == "hold"
        return
    got = chain.receive(letter)
    expected = (
        "fail" if kind == "DNS does not answer" else got.departure("dmarc")
    )  # the receiver can't look it up either
    assert record["departure"]["dmarc"] == expected
    assert record["decision"]["envelope"] == ("keep" if KINDS[kind].rewritten is None else "unalign")
    assert f"<{record['outgoing']['sender'] or record['envelope']['sender']}>" == got.fields("Return-Path")[0]


def test_nothing_departs_better_than_it_arrived() -> None:
    """The tables, which the tests above compare with the servers. The control does: so this is worth a test."""
    promoted = {
        (kind, way)
        for kind, what in KINDS.items()
        for way, departure in what.departure.items()
        if kind not in GOOD and RANK.get(departure, 0) > RANK.get(what.arrival or "", 0)
    }
    assert {way for _, way in promoted} == {BARE, OPENDKIM}
    assert {(kind, way) for kind, way in promoted if kind in CONTROL} == {
        ("forged, not in its SPF", OPENDKIM),
        ("forged, in its SPF", OPENDKIM),
        ("forged, in its SPF", BARE),
    }


def test_good_mail_fares_no_worse() -> None:
    """But for what only SPF authenticates: behind a pipe that needs a passport (test_chain_border.py)."""
    for kind, what in GOOD.items():
        if "by SPF" in kind:
            continue
        without = max(RANK.get(departure, 0) for way, departure in what.departure.items() if way != GATE)
        assert RANK.get(what.departure[GATE], 0) >= without, kind
        assert what.rewritten is None, kind


@pytest.mark.parametrize("kind", [kind for kind, what in KINDS.items() if HELD in what.departure.values()])
def test_the_record_says_why_a_message_is_held(every_way: Ways, handed: Handed, kind: str) -> None:
    """Postfix says that it holds it: Debian 12's does not say why."""
    (way,) = (way for way, departure in KINDS[kind].departure.items() if departure == HELD)
    chain, letter = every_way[way], handed[kind, way].letter
    chain.decided(letter)
    record = chain.record(letter)
    assert f"{record['queue_id']}: milter-hold: END-OF-MESSAGE" in chain.log()
    assert record["decision"]["text"].startswith(f"arrived with dmarc={record['arrival']['dmarc']}, risk ")
