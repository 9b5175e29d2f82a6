"""A list or a script that writes itself into From: the pass of the first author says nothing for it, and the record tells so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dkimgate.config.dkimgate_yaml import Trust
from dkimgate.evidence import grounds
from dkimgate.evidence.claims import arrival_of, passes_of_others_told
from dkimgate.facts import Claim, Spam, Standing

TRUST = Trust(hosts=["mx.forwarder.example"], authserv_ids=["mx.forwarder.example"])


def pass_of(domain: str | None, standing: Standing = Standing.TRUSTED, result: str = "pass") -> Claim:
    properties = (("header.from", domain),) if domain is not None else ()
    return Claim(
        "dmarc", result, "mx.forwarder.example", "Authentication-Results", standing, "ours", properties=properties
    )


SAID = "ours; but it is a pass of member.example, and From now names lists.hosted.example, for which it says nothing"


@pytest.mark.parametrize(
    ("claim", "author", "why"),
    [
        (pass_of("member.example"), "lists.hosted.example", SAID),
        (pass_of("ann@Member.Example"), "lists.hosted.example", SAID),
        (
            pass_of("a b(c)"),
            "lists.hosted.example",
            "ours; but it is a pass of another domain, and From now names lists.hosted.example, for which it says nothing",
        ),
        (
            pass_of("member.example"),
            None,
            "ours; but it is a pass of member.example, and there is no single author domain now, for which it says nothing",
        ),
        (pass_of("lists.hosted.example"), "lists.hosted.example", "ours"),
        (pass_of("hosted.example"), "lists.hosted.example", "ours"),  # a verifier may name the policy's domain
        (pass_of(None), "lists.hosted.example", "ours"),
        (pass_of("member.example", Standing.UPSTREAM), "lists.hosted.example", SAID),  # no passport, say
        (
            replace(pass_of("member.example", Standing.UPSTREAM), by="mx.elsewhere.example"),
            "lists.hosted.example",
            "ours",
        ),
        (pass_of("member.example", result="fail"), "lists.hosted.example", "ours"),
    ],
)
def test_whose_pass_it_was(claim: Claim, author: str | None, why: str) -> None:
    (told,) = passes_of_others_told([claim], author, TRUST)
    assert told.why == why


def test_it_is_told_and_counts_as_before() -> None:
    claims = (pass_of("member.example"),)
    before = arrival_of(claims, "lists.hosted.example", True, TRUST, Spam())
    assert before[0].dmarc == "unknown"
    assert (
        arrival_of(
            passes_of_others_told(claims, "lists.hosted.example", TRUST), "lists.hosted.example", True, TRUST, Spam()
        )
        == before
    )


def spf_of(domain: str, standing: Standing = Standing.TRUSTED) -> Claim:
    said = (("smtp.mailfrom", f"ann@{domain}"),)
    return Claim("spf", "pass", "mx.forwarder.example", "Authentication-Results", standing, "ours", properties=said)


LIST = "lists.hosted.example"
FAIL = Claim("dmarc", "fail", "elsewhere.example", "Authentication-Results", Standing.UPSTREAM, "", properties=())


@pytest.mark.parametrize(
    ("claims", "author", "pass_of", "dmarc"),
    [
        ((pass_of("member.example"),), LIST, "member.example", "unknown"),
        ((pass_of("member.example"),), None, "member.example", "unknown"),
        ((pass_of("member.example"), pass_of("Member.Example")), LIST, "member.example", "unknown"),
        # the author's own pass, or the one of the domain whose policy counts for it
        ((pass_of(LIST),), LIST, None, "pass"),
        ((pass_of("hosted.example"),), LIST, None, "pass"),
        # nobody knows which of two it was
        ((pass_of("member.example"), pass_of("other.example")), LIST, None, "unknown"),
        # what helps is believed only from us, and a domain must be there
        ((pass_of("member.example", Standing.UPSTREAM),), LIST, None, "unknown"),
        ((pass_of("a b(c)"),), LIST, None, "unknown"),
        ((pass_of("member.example", result="fail"),), LIST, None, "fail"),
        # a pass of another domain does not answer a fail, whoever says it
        ((pass_of("member.example"), FAIL), LIST, "member.example", "fail"),
    ],
)
def test_the_fact(claims: tuple[Claim, ...], author: str | None, pass_of: str | None, dmarc: str) -> None:
    arrival, _ = arrival_of(claims, author, True, TRUST, Spam())
    assert (arrival.pass_of, arrival.dmarc) == (pass_of, dmarc)


@pytest.mark.parametrize(
    ("claims", "kept"),
    [
        ((pass_of("member.example"), spf_of("member.example", Standing.VERIFIED)), True),
        ((pass_of("member.example"), spf_of("member.example")), False),
        ((pass_of("member.example"),), False),
        ((pass_of("member.example"), spf_of("member.example.attacker.example", Standing.VERIFIED)), False),
        ((pass_of("member.example"), spf_of("member.example", Standing.UPSTREAM)), False),
        # a ground for the author of today is none for the author of yesterday
        ((pass_of("member.example"), spf_of(LIST, Standing.VERIFIED)), False),
        # a passport proves what it says
        ((replace(pass_of("member.example"), field="X-Dkimgate-Passport"),), True),
    ],
)
def test_it_needs_a_ground_of_its_own(claims: tuple[Claim, ...], kept: bool) -> None:
    assert grounds.proved(claims, LIST)[0].is_believed() is kept


def test_the_passport_of_another_author_is_no_ground_for_this_one() -> None:
    passport = replace(pass_of("member.example"), field="X-Dkimgate-Passport")
    assert not grounds.proved((passport, pass_of(LIST)), LIST)[1].is_believed()
