"""What DMARC concludes at the next hop, by signature and by SPF."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dkimgate.departure import predict
from dkimgate.facts import DMARC_RESULTS, Arrival, Claim, Departure, Facts, HeaderSigns, Origin, Standing

FACTS = Facts(author="hosted.example", arrival=Arrival(dmarc="fail"))


def dkim(domain: str, standing: Standing = Standing.TRUSTED, result: str = "pass", name: str = "header.d") -> Claim:
    return Claim("dkim", result, "mx.forwarder.example", "Authentication-Results", standing, properties=((name, domain),))


def test_a_forgery_without_any_pass_fails() -> None:
    assert predict(FACTS, False) == Departure("fail", dkim_aligned=False, spf_aligned=False)


def test_our_signature_makes_it_pass() -> None:
    assert predict(FACTS, True) == Departure("pass", dkim_aligned=True, spf_aligned=False)


def test_spf_is_the_second_door() -> None:
    assert predict(replace(FACTS, spf_passes=True), False) == Departure("pass", dkim_aligned=False, spf_aligned=True)


@pytest.mark.parametrize("arrival", DMARC_RESULTS)
def test_without_a_pass_only_a_missing_record_is_not_a_failure(arrival: str) -> None:
    facts = replace(FACTS, arrival=Arrival(dmarc=arrival))
    assert predict(facts, False).dmarc == ("none" if arrival == "none" else "fail")


def test_spf_alone_does_not_survive_forwarding() -> None:
    claim = Claim("spf", "pass", "mx", "Authentication-Results", Standing.TRUSTED, properties=(("smtp.mailfrom", "hosted.example"),))
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
        (replace(dkim("hosted.example"), properties=(("header.d", "other.example"), ("header.i", "@hosted.example"))), False),
    ],
)
def test_an_aligned_signature_that_passed_at_arrival_survives(claim: Claim, survives: bool) -> None:
    facts = replace(FACTS, arrival=Arrival(dmarc="pass", dkim="pass"), claims=(dkim("list.example"), claim))
    assert predict(facts, False) == Departure("pass" if survives else "fail", dkim_aligned=survives, spf_aligned=False)
    assert predict(replace(facts, author=None), False).dmarc == "fail"


@pytest.mark.parametrize("origin", list(Origin))
@pytest.mark.parametrize("bears", [True, False])
def test_a_signature_that_our_users_mail_bore_already_may_be_valid(origin: Origin, bears: bool) -> None:
    """Nobody verifies it on the way out, and the next receiver does: a programme that signs by itself, or a message handed in again."""
    facts = replace(FACTS, origin=origin, arrival=Arrival(dmarc="none"), header=HeaderSigns(aligned_signature=bears))
    inside = not origin.outside
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
