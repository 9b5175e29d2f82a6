"""A list or a script that writes itself into From: the pass of the first author says nothing for it, and the record tells so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dkimgate.config import Trust
from dkimgate.evidence.claims import arrival_of, passes_of_others_told
from dkimgate.facts import Claim, Spam, Standing

TRUST = Trust(hosts=["mx.forwarder.example"], authserv_ids=["mx.forwarder.example"])


def pass_of(domain: str | None, standing: Standing = Standing.TRUSTED, result: str = "pass") -> Claim:
    properties = (("header.from", domain),) if domain is not None else ()
    return Claim("dmarc", result, "mx.forwarder.example", "Authentication-Results", standing, "ours", properties=properties)


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
        (replace(pass_of("member.example", Standing.UPSTREAM), by="mx.elsewhere.example"), "lists.hosted.example", "ours"),
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
    assert arrival_of(passes_of_others_told(claims, "lists.hosted.example", TRUST), "lists.hosted.example", True, TRUST, Spam()) == before
