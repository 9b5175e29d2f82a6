"""Every result word, in our own name and in others': what means the same counts the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dkimgate.authres import methods
from dkimgate.authres.authentication_results import hurting
from dkimgate.config.dkimgate_yaml import Trust
from dkimgate.evidence import grounds, plain_forms, result_words
from dkimgate.evidence.claims import arrival_of, combined
from dkimgate.evidence.gather import see
from dkimgate.evidence.route import route_of
from dkimgate.evidence.stated_spf import stated_spf
from dkimgate.facts import Claim, Spam, Standing
from tests.world.mail import AUTHOR, BORDER, CONFIG, TRUST, message

HOST = "mx.forwarder.example"
OURS = Trust(hosts=[HOST], authserv_ids=[HOST])
ALL = sorted({*result_words.DMARC, *result_words.BADNESS, *methods.SYNONYMS, "skipped", "x"})


def said(
    method: str, result: str, *properties: tuple[str, str], by: str = HOST, standing: Standing = Standing.TRUSTED
) -> Claim:
    return Claim(method, result, by, "Authentication-Results", standing, "ours", properties=properties)


@pytest.mark.parametrize("result", ALL)
def test_what_helps_needs_a_ground_by_whatever_word(result: str) -> None:
    """Law 1: whatever our verifiers call it, their word alone makes no arrival a good one."""
    claim = said("dmarc", result, ("header.from", "hosted.example"))
    before = arrival_of([claim], "hosted.example", True, OURS, Spam())[0].dmarc
    assert grounds.wants_proof([claim], "hosted.example") is (before in ("pass", "none"))
    after = arrival_of(grounds.proved([claim], "hosted.example"), "hosted.example", True, OURS, Spam())[0].dmarc
    assert after not in ("pass", "none")
    assert before == after or before in ("pass", "none"), "and what hurts stays"


@pytest.mark.parametrize("result", ALL)
def test_a_later_hop_of_ours_helps_by_no_word(result: str) -> None:
    inner = "Received: from mx.forwarder.example (a [203.0.113.10])\n\tby out.mail.forwarder.example (Postfix) with ESMTP id 9; x\n"
    settings = CONFIG.model_copy(update={"trust": TRUST.model_copy(update={"networks": (*TRUST.networks, *NETWORK)})})
    seen = see(
        message(
            f"Authentication-Results: {HOST}; dmarc={result} header.from=hosted.example\n" + inner + BORDER + AUTHOR
        ),
        settings,
    )
    assert route_of(seen.message, settings.trust).border_hop is not None
    assert not [claim for claim in seen.claims if claim.is_believed() and result_words.helps(claim.result)]


NETWORK = Trust.model_validate({"networks": ["203.0.113.10/32"]}).networks


@pytest.mark.parametrize("method", ["dmarc", "spf", "dkim", "arc"])
def test_what_is_picked_out_of_a_broken_field_is_what_hurts(method: str) -> None:
    def hurts(result: str) -> bool:
        meaning = result_words.meaning(result)
        return meaning in result_words.HURTS[method] or (meaning == "softfail" and method != "spf")

    assert [result for result in ALL if bool(hurting(f"((; {method}={result}")) is not hurts(result)] == []


@pytest.mark.parametrize("result", ALL)
def test_a_bad_result_of_spf_counts_in_our_own_dmarc_by_whatever_word(result: str) -> None:
    ours = said("spf", "pass", ("smtp.mailfrom", "ann@hosted.example"))
    theirs = said(
        "spf", result, ("smtp.mailfrom", "ann@hosted.example"), by="mx.elsewhere.example", standing=Standing.UPSTREAM
    )
    spf = stated_spf([ours, theirs])
    assert spf is not None
    assert spf.result != "pass", "no word proves one"
    assert (spf.result == "neutral") is (result_words.meaning(result) not in result_words.HURTS["spf"])


FAIL = said("dmarc", "fail", by="mx.elsewhere.example", standing=Standing.UPSTREAM)


@pytest.mark.parametrize("named", ["hosted.example", "other.example", "x y", None])
def test_only_an_answer_about_the_author_domain_answers_a_fail(named: str | None, subtests: pytest.Subtests) -> None:
    """Law 2: another's fail counts until a host of ours has found something for this very domain."""
    for result in ALL:
        with subtests.test(result):
            claim = said("dmarc", result, *([("header.from", named)] if named else []))
            alone = arrival_of([claim], "hosted.example", True, OURS, Spam())[0].dmarc
            beside = arrival_of([claim, FAIL], "hosted.example", True, OURS, Spam())[0].dmarc
            assert beside == ("fail" if alone == "unknown" else alone)


@pytest.mark.parametrize("named", ["hosted.example", "x y", None])
@pytest.mark.parametrize("result", ALL)
def test_no_word_helps_a_message_without_an_author(result: str, named: str | None) -> None:
    """Law 6: a sender who breaks his From gains nothing by it."""
    claim = said("dmarc", result, *([("header.from", named)] if named else []))
    broken = arrival_of([claim], None, True, OURS, Spam())[0].dmarc
    whole = arrival_of([claim], "hosted.example", True, OURS, Spam())[0].dmarc
    assert broken not in ("pass", "none")
    assert result_words.DMARC.index(broken) >= result_words.DMARC.index(whole)


@pytest.mark.parametrize("method", ["spf", "dkim", "arc"])
@pytest.mark.parametrize("result", ALL)
def test_the_same_meaning_counts_the_same(method: str, result: str) -> None:
    claim = said(method, result)
    assert combined([claim], method) == combined([replace(claim, result=result_words.meaning(result))], method)


def test_every_word_that_a_form_of_a_verifier_allows_is_known() -> None:
    for word in plain_forms._DMARC.partition("(?:")[2].rstrip(")").split("|"):
        assert result_words.dmarc_meaning(word) != "unknown"
