"""What DMARC concludes at the next hop, by signature and by SPF."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dkimgate.facts import (
    DMARC_RESULTS,
    Arrival,
    Claim,
    Departure,
    Facts,
    HeaderSigns,
    Holds,
    Origin,
    Sending,
    Standing,
    Upstream,
)
from dkimgate.policy.departure import predict

FACTS = Facts(author="hosted.example", arrival=Arrival(dmarc="fail"))


def dkim(domain: str, standing: Standing = Standing.TRUSTED, result: str = "pass", name: str = "header.d") -> Claim:
    return Claim(
        "dkim", result, "mx.forwarder.example", "Authentication-Results", standing, properties=((name, domain),)
    )


def test_a_forgery_without_any_pass_fails() -> None:
    assert predict(FACTS, False) == Departure("fail", dkim_aligned=False, spf_aligned=False)


def test_our_signature_makes_it_pass() -> None:
    assert predict(FACTS, True) == Departure("pass", dkim_aligned=True, spf_aligned=False, signature_holds=Holds.YES)


def test_spf_is_the_second_door() -> None:
    assert predict(replace(FACTS, spf_passes=True), False) == Departure("pass", dkim_aligned=False, spf_aligned=True)


@pytest.mark.parametrize("arrival", DMARC_RESULTS)
def test_without_a_pass_only_a_missing_record_is_not_a_failure(arrival: str) -> None:
    facts = replace(FACTS, arrival=Arrival(dmarc=arrival))
    assert predict(facts, False).dmarc == ("none" if arrival == "none" else "fail")


def test_spf_alone_does_not_survive_forwarding() -> None:
    claim = Claim(
        "spf",
        "pass",
        "mx",
        "Authentication-Results",
        Standing.TRUSTED,
        properties=(("smtp.mailfrom", "hosted.example"),),
    )
    facts = replace(FACTS, arrival=Arrival(dmarc="pass", spf="pass", aligned=True), claims=(claim,))
    assert predict(facts, False) == Departure("fail", dkim_aligned=False, spf_aligned=False)


@pytest.mark.parametrize(
    ("claim", "survives"),
    [
        (dkim("hosted.example"), True),
        (dkim("HOSTED.example"), True),
        (dkim("mail.hosted.example", Standing.VERIFIED), True),
        (dkim("@hosted.example", name="header.i"), True),
        (dkim("j@mail.hosted.example", name="header.i"), True),
        (dkim("hosted.example", Standing.UPSTREAM), False),
        (dkim("hosted.example", result="fail"), False),
        (dkim("other.example"), False),
        (dkim("example"), False),
        (dkim(""), False),
        (dkim("hosted.example", name="header.b"), False),
        (replace(dkim("hosted.example"), method="spf"), False),
        (
            replace(
                dkim("hosted.example"), properties=(("header.d", "other.example"), ("header.i", "@hosted.example"))
            ),
            False,
        ),
    ],
)
def test_an_aligned_signature_that_passed_at_arrival_survives(claim: Claim, survives: bool) -> None:
    facts = replace(FACTS, arrival=Arrival(dmarc="pass", dkim="pass"), claims=(dkim("list.example"), claim))
    found = predict(facts, False)
    assert (found.dmarc, found.dkim_aligned, found.spf_aligned) == ("pass" if survives else "fail", survives, False)
    assert found.signature_holds is (Holds.YES if survives else Holds.NONE)
    assert predict(replace(facts, author=None), False).dmarc == "fail"


@pytest.mark.parametrize("origin", list(Origin))
@pytest.mark.parametrize("bears", [True, False])
def test_a_signature_that_our_users_mail_bore_already_may_be_valid(origin: Origin, bears: bool) -> None:
    """Nobody verifies it on the way out, and the next receiver does: a programme that signs by itself, or a message handed in again."""
    facts = replace(FACTS, origin=origin, arrival=Arrival(dmarc="none"), header=HeaderSigns(aligned_signature=bears))
    inside = not facts.outside
    assert predict(facts, False).dkim_aligned is (bears and inside)
    assert predict(facts, False).dmarc == ("pass" if bears and inside else "none")
    assert not predict(replace(facts, author=None), False).dkim_aligned


@pytest.mark.parametrize("arrival", [result for result in DMARC_RESULTS if result != "pass"])
def test_a_signature_survives_only_a_pass(arrival: str) -> None:
    facts = replace(FACTS, arrival=Arrival(dmarc=arrival, dkim="pass"), claims=(dkim("hosted.example"),))
    assert predict(facts, False).dmarc != "pass"


@pytest.mark.parametrize("origin", list(Origin))
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("spf_passes", [True, False])
def test_without_a_record_nothing_that_came_from_outside_passes(origin: Origin, signed: bool, spf_passes: bool) -> None:
    """`none` at the border: the author domain has no DMARC record, so the next receiver finds none either. What our own users
    hand in has arrived nowhere yet."""
    facts = replace(FACTS, origin=origin, arrival=Arrival(dmarc="none"), spf_passes=spf_passes)
    inside = origin in (Origin.SUBMITTED, Origin.LOCAL)
    assert predict(facts, signed).dmarc == ("pass" if inside and (signed or spf_passes) else "none")


SIGNED_HERE = replace(FACTS, origin=Origin.SUBMITTED, hosted="hosted.example", arrival=Arrival(dmarc="none"))


@pytest.mark.parametrize(
    ("sending", "ours", "theirs", "holds"),
    [
        (Sending(), True, True, Holds.YES),
        (Sending(body_broken=True), True, False, Holds.YES),  # ours is made over the broken body
        (Sending(fields_broken=("subject",)), False, True, Holds.NO),
        (Sending(others_broken=True), True, False, Holds.YES),
        (Sending(fields_broken=("subject",), others_broken=True), False, False, Holds.NO),
        (Sending(eight_bit=True), True, True, Holds.MAYBE),
        (Sending(eight_bit=True, fields_broken=("subject",)), False, True, Holds.NO),
    ],
)
def test_a_signature_that_breaks_on_the_way_opens_no_door(
    sending: Sending, ours: bool, theirs: bool, holds: Holds
) -> None:
    facts = replace(SIGNED_HERE, sending=sending)
    found = predict(facts, True)
    assert (found.dkim_aligned, found.dmarc, found.signature_holds) == (ours, "pass" if ours else "fail", holds)
    bearing = replace(facts, header=HeaderSigns(aligned_signature=True))
    assert predict(bearing, False).dkim_aligned is theirs
    assert (predict(bearing, False).signature_holds is Holds.NO) is not theirs
    assert predict(facts, False).signature_holds is Holds.NONE
    assert predict(facts, False, signed=True).signature_holds is holds, "the forwarder's own"


@pytest.mark.parametrize(("author", "aligned"), [("hosted.example", True), ("www.hosted.example", False)])
def test_under_adkim_s_a_key_of_the_parent_opens_no_door(author: str, aligned: bool) -> None:
    facts = replace(SIGNED_HERE, author=author, strict_dkim=True)
    assert predict(facts, True).dkim_aligned is aligned
    assert predict(replace(facts, strict_dkim=False), True).dkim_aligned
    arrived = replace(facts, origin=Origin.FORWARDED, arrival=Arrival(dmarc="pass"), claims=(dkim("hosted.example"),))
    assert predict(arrived, False).dkim_aligned is aligned
    again = replace(facts, own_signature=True)
    assert predict(again, False).dkim_aligned is aligned


@pytest.mark.parametrize(
    ("origin", "arrival", "upstream", "expected"),
    [
        (Origin.SUBMITTED, "none", None, "fail"),  # nobody looked for the record of any of its authors
        (Origin.LOCAL, "none", None, "fail"),
        (Origin.FORWARDED, "none", None, "none"),
        (Origin.FORWARDED, "none", "fail", "fail"),
        (Origin.FORWARDED, "fail", None, "fail"),
        (Origin.INBOUND, "permerror", None, "fail"),
    ],
)
def test_what_dmarc_says_of_a_message_without_an_author(
    origin: Origin, arrival: str, upstream: str | None, expected: str
) -> None:
    facts = Facts(author=None, origin=origin, arrival=Arrival(dmarc=arrival), upstream=Upstream(upstream))
    assert predict(facts, False).dmarc == expected
