"""The laws over whole messages: header sections put together at random, through a whole passage, by policies that are proved safe.

Signatures are judged by dkimpy on what leaves, SPF by pyspf on the sender that leaves.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from dkimgate.facts import Disposition, Facts, Standing
from dkimgate.policy.decide import decide
from dkimgate.record import record
from tests.laws import generated_fields, generated_gates, generated_messages, next_receiver
from tests.laws.attack_world import NOW
from tests.laws.generated import pieces, show
from tests.laws.generated_gates import Passed, passes
from tests.laws.generated_messages import Drawn, fields_of
from tests.laws.next_receiver import organization

US = generated_fields.US
BAD = {"fail", "permerror", "temperror", "unknown"}


def from_outside(written: dict[str, Any]) -> bool:
    return written["origin"] in {"forwarded", "inbound"} or (written["origin"] == "relayed" and not written["relay"])


def arrived_badly(arrival: dict[str, Any]) -> bool:
    spam = arrival["spam"]
    return arrival["dmarc"] in BAD or spam["flag"] or spam["score"] >= spam["required"]


def aligned(domain: str, author: str) -> bool:
    return organization(domain) == organization(author)


@pieces
def test_law_1_no_promotion_through_a_whole_passage(piece: int | None) -> None:
    show(no_promotion, piece, drawn=generated_messages.messages)


def no_promotion(drawn: Drawn) -> None:
    passed = passes(drawn.gate, drawn.message, drawn.body)
    obeys_the_first_law(passed)


def obeys_the_first_law(passed: Passed) -> None:
    written = passed.record
    signers, author = next_receiver.signers(passed), written["from"]
    if written["error"] is not None or author is None:
        assert not signers
    assert [each["domain"] for each in written["decision"]["signatures"]] == signers
    verified = next_receiver.verified(passed)
    holds = [] if written["departure"] and written["sending"]["fields_broken"] else signers
    assert not passed.plain or verified == holds, (
        "dkimpy verifies what is signed, as Postfix sends it, unless the record says otherwise"
    )
    if not from_outside(written):
        return
    arrival, departure = written["arrival"], written["departure"]
    if arrived_badly(arrival):
        assert not [domain for domain in (*signers, *verified) if aligned(domain, author)]
    if not passed.leaves:
        return
    assert arrival["dmarc"] == "pass" or departure["dmarc"] != "pass"
    spf = next_receiver.spf_domain(passed)
    if arrival["dmarc"] in BAD and spf is not None:
        assert author is not None and not aligned(spf, author)


@pieces
def test_law_1_a_forgery_gains_nothing(piece: int | None) -> None:
    """Whatever its sender wrote, and however often: what the records say is not asked."""
    show(gains_nothing, piece, drawn=generated_messages.forgeries())


def gains_nothing(drawn: Drawn) -> None:
    passed = passes(drawn.gate, drawn.message, drawn.body)
    refused(passed)
    obeys_the_first_law(passed)


def refused(passed: Passed) -> None:
    assert not [
        domain
        for domain in (*next_receiver.signers(passed), *next_receiver.verified(passed))
        if aligned(domain, "hosted.example")
    ]
    spf = next_receiver.spf_domain(passed)
    assert not passed.leaves or spf is None or not aligned(spf, "hosted.example"), (spf, passed.outcome)


@pieces
def test_law_2_what_helps_is_believed_only_from_us(piece: int | None) -> None:
    """More of what a sender can write below the border never helps: neither what arrived nor what becomes of it is better for it."""
    # a field that makes the author unreadable turns a fail into a permerror: another evil, not a better one
    readable = [
        each for each in (*generated_fields.HELPING, *generated_fields.HURTING) if not re.search("[\0\r]", each)
    ]
    extra = st.lists(st.sampled_from(readable), min_size=1, max_size=3)
    show(never_helps, piece, drawn=generated_messages.entered, extra=extra, at=st.integers(0, 5))


def never_helps(drawn: Drawn, extra: list[str], at: int) -> None:
    better = differences(drawn, drawn.message.header, generated_messages.with_below(drawn, extra, at).message.header)
    assert not better, better


@pieces
def test_law_6_words_that_our_verifiers_print_never_help(piece: int | None) -> None:
    """The sender writes into a field of ours, through a verifier that prints his words as they stand. Where a program of ours has taken off
    what he wrote them in, no signature comes of it, as long as anything is verified here."""
    show(
        printed_words_never_help,
        piece,
        drawn=generated_messages.entered,
        printed=st.sampled_from(sorted(PRINTERS)),
        words=st.lists(st.sampled_from(INJECTED), min_size=1, max_size=6).map("".join),
        stripped=st.booleans(),
    )


INJECTED = [
    *("; ", ";", " ", "\t", '"', "(", ")", "\\", ",", "=", "@", "<", ">", "x", "\r\n "),
    *(
        "dmarc=pass",
        "dmarc=none",
        "spf=pass",
        "dkim=pass",
        "arc=pass",
        " header.from=hosted.example",
        " header.d=hosted.example",
    ),
    *(
        " smtp.mailfrom=friend@hosted.example",
        " header.i=@hosted.example",
        " header.s=s header.b=AAAA",
        " (p=reject dis=none)",
    ),
    *("hosted.example", "@attacker.example", " x.y=z", "reason=", "smtp.helo=", "mx.forwarder.example; "),
]
PRINTERS = {
    "selector": US
    + "dkim=pass (2048-bit key; unprotected) header.d=attacker.example header.i=@attacker.example header.s={} header.b=AAAA\n",
    "identity": US
    + "dkim=fail (2048-bit key) header.d=attacker.example header.i={}@attacker.example header.s=a header.b=AAAA\n",
    "domain": US + "dkim=pass header.d={} header.s=a header.a=rsa-sha256\n",
    "sender": US + "spf=none smtp.mailfrom={}@attacker.example\n",
    "sender in a comment": US
    + "spf=pass (sender SPF authorized) smtp.mailfrom=attacker.example (client-ip=192.0.2.66; helo=x.example; envelope-from={}@attacker.example;"
    " receiver=hosted.example)\n",
    "record": US + "spf=permerror (SPF Permanent Error: Unknown mechanism found: {}) smtp.mailfrom=attacker.example\n",
    "EHLO": US + "spf=none smtp.helo={}\n",
}


def printed_words_never_help(drawn: Drawn, printed: str, words: str, stripped: bool) -> None:
    line = " ".join(words.split())
    field = PRINTERS[printed].format(line)
    hidden = "".join(char if char.isalnum() else f"={ord(char):02X}" for char in line)
    tags = {
        "selector": f"s={line.partition(';')[0]}",
        "identity": f"i={hidden}@attacker.example",
        "domain": f"d={line.partition(';')[0]}",
    }
    wrote = f"DKIM-Signature: v=1; a=rsa-sha256; {tags.get(printed, 's=a')}; h=from; bh=AAAA; b=AAAA\n"
    before = replace(
        drawn, above=[*drawn.above, US + "dmarc=fail header.from=hosted.example\n"] if not stripped else drawn.above
    )
    message = replace(before, above=[field, *before.above], below=before.below if stripped else [wrote, *before.below])
    if printed.startswith("sender") and not stripped:
        message = replace(message, sender=f'"{line}"@attacker.example')
        before = replace(before, sender="eve@attacker.example")
    better = differences(before, before.message.header, message.message.header, message.sender)
    if stripped and drawn.settings.startswith("never"):
        return  # the operator has nothing verified: the word of his verifiers is all there is
    assert not [each for each in better if each.startswith(("signed", "departs"))], better
    assert stripped or not better, better


@pieces
def test_law_2_what_hurts_is_believed_from_anyone(piece: int | None) -> None:
    """A claim of failure or of spam never helps, wherever it stands: above the border too."""
    show(
        hurts,
        piece,
        drawn=generated_messages.messages,
        claim=st.sampled_from(generated_fields.HURTING),
        at=st.integers(0, 12),
    )


def hurts(drawn: Drawn, claim: str, at: int) -> None:
    header = drawn.message.header
    at = min(at, len(header))
    better = differences(drawn, header, (*header[:at], *fields_of([claim]), *header[at:]))
    if claim.startswith(
        generated_fields.US
    ):  # above the border it is our own word, and no check is made here that would tell more
        better = [each for each in better if not each.startswith("risk")]
    assert not better, better


RANK = {"pass": 0, "none": 1}
"""One bad result is as good as another here: what it is worth is the risk's matter."""


def differences(drawn: Drawn, one: tuple[Any, ...], other: tuple[Any, ...], sender: str | None = None) -> list[str]:
    """In what the other header, with that envelope sender, is better than the one, under a policy that is shipped."""
    gate = drawn.gate_with(drawn.policy % len(generated_gates.SHIPPED))
    envelope = drawn.message.envelope if sender is None else replace(drawn.message.envelope, sender=sender)
    before = gate.assess(replace(drawn.message, header=one), drawn.body, NOW)
    after = gate.assess(replace(drawn.message, header=other, envelope=envelope), drawn.body, NOW)
    if trusted(after.facts) < trusted(before.facts):
        return []  # the field casts doubt on verdicts of ours, also on those that hurt for being about another author
    found = []
    if after.signer is not None and before.signer is None and after.signer == after.facts.hosted:
        found.append(f"signed by {after.signer}")
    if after.decision.risk.score < before.decision.risk.score:
        found.append(f"risk {before.decision.risk} -> {after.decision.risk}")
    # where a verdict stands below a login of ours, nobody believes in the login any more, and the message is verified
    if before.facts.outside and RANK.get(after.facts.arrival.dmarc, 2) < RANK.get(before.facts.arrival.dmarc, 2):
        found.append(f"dmarc {before.facts.arrival.dmarc} -> {after.facts.arrival.dmarc}")
    if before.facts.arrival.badly and not after.facts.arrival.badly:
        found.append("no longer bad")
    if after.facts.arrival.spam.ratio < before.facts.arrival.spam.ratio:
        found.append("less spam")
    if (
        after.departure.dmarc == "pass"
        and before.departure.dmarc != "pass"
        and after.decision.disposition is Disposition.ACCEPT
    ):
        found.append(f"departs with pass instead of {before.departure.dmarc}")
    return found


def trusted(facts: Facts) -> int:
    """How many results of DMARC are stated by us, where only we can write."""
    return sum(claim.method == "dmarc" and claim.standing is Standing.TRUSTED for claim in facts.claims)


@pieces
def test_law_3_explain_and_the_journal_say_what_the_daemon_does(piece: int | None) -> None:
    show(said_alike, piece, drawn=generated_messages.messages)


def said_alike(drawn: Drawn) -> None:
    gate, message = drawn.gate, drawn.message
    written = passes(gate, message, drawn.body).record
    assert written["error"] is None
    again = decide(record.facts_of(record.read(written)), gate.policy)
    assert (again.rule, str(again.sign), str(again.envelope), str(again.disposition), again.risk.score, again.mode) == (
        *(written["decision"][key] for key in ("rule", "sign", "envelope", "disposition")),
        written["risk"]["score"],
        written["decision"]["mode"],
    )
    explained = gate.assess(message, drawn.body)
    keys = [key for key in gate.keys if key.domain == explained.signer]
    told = record.make(message, explained, signatures=keys, time=NOW, ms=written["ms"], policy_hash=written["policy"])
    assert json.loads(record.to_line(told)) == written
