"""What a chain's results are worth: whose word counts, for which message, and what a spammer can make of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.arc.validate import Chain, Validation, validate
from dkimgate.authres import authentication_results
from dkimgate.config.dkimgate_yaml import Trust
from dkimgate.evidence.arc_claims import MOST_RESULTS, claims
from dkimgate.evidence.claims import arrival_of
from dkimgate.facts import Claim, Spam, Standing
from dkimgate.message.author import author_of
from dkimgate.message.message import HeaderField
from tests.arc.sealing import FAIL, LETTER, LIST, NOW, PASS, RELAY, SIGNED, STRANGER, ZONE, Dns, Mail, chain_of, mail
from tests.world.dns import FakeResolver
from tests.world.mail import forms

AUTHOR = "author.example"
SEALERS = ("lists.example", "*.relay.example")


def judged(message: Mail, sealers: tuple[str, ...] = SEALERS, **dns: object) -> tuple[Claim, ...]:
    """The claims of a message, for the author that its own From has."""
    chain = Dns(**dns).validate(message)  # type: ignore[arg-type]
    return claims(chain, sealers, author_of(message.header).domain)


def dmarc(message: Mail, sealers: tuple[str, ...] = SEALERS) -> list[tuple[str, str]]:
    """Result and standing of the DMARC claims."""
    return [(claim.result, claim.standing.value) for claim in judged(message, sealers) if claim.method == "dmarc"]


def arrival(message: Mail, *others: Claim) -> str:
    """arrival.dmarc of a message that nobody else has said anything about."""
    return arrival_of((*others, *judged(message)), author_of(message.header).domain, True, Trust(), Spam())[0].dmarc


TRUSTED = [("pass", "trusted")]
UPSTREAM = [("pass", "upstream")]


def test_the_chain_itself_is_a_claim_of_ours() -> None:
    claim = judged(mail().sealed().sealed(RELAY))[0]
    assert (claim.method, claim.result, claim.by, claim.field, claim.standing) == (
        "arc",
        "pass",
        None,
        "ARC-Seal",
        Standing.VERIFIED,
    )
    assert claim.properties == (("header.oldest-pass", "0"), ("policy.sealer", "mail.relay.example"))
    assert claim.position == 0


@pytest.mark.parametrize(
    ("chain", "result"),
    [
        (chain_of(mail()), "none"),
        (chain_of(mail().sealed().without(0)), "fail"),
        (chain_of(mail().sealed().changed(b"at one", b"at two")), "fail"),
        (Dns(failing=frozenset({LIST.name})).validate(mail().sealed()), "temperror"),
    ],
)
def test_a_chain_that_does_not_pass_names_no_sealer(chain: Chain, result: str) -> None:
    claim = claims(chain, SEALERS, AUTHOR)[0]
    assert (claim.method, claim.result, claim.properties) == ("arc", result, ())
    assert claim.why == chain.why


def test_the_results_of_a_trusted_sealer_are_trusted_as_they_stand() -> None:
    message = mail().sealed(LIST, PASS)
    _, spf, found = judged(message)
    assert spf == Claim(
        "spf",
        "pass",
        "mx.lists.example",
        "ARC-Authentication-Results",
        Standing.TRUSTED,
        "sealed by lists.example, which trust.arc_sealers names",
        2,
        (("smtp.mailfrom", "ann@author.example"),),
    )
    assert (found.method, found.result, found.properties) == ("dmarc", "pass", (("header.from", AUTHOR),))
    assert arrival(message) == "pass"


@pytest.mark.parametrize(
    ("sealers", "expected"),
    [
        (("lists.example",), TRUSTED),
        (("Lists.Example",), TRUSTED),
        (("mail.relay.example", "lists.example"), TRUSTED),
        (("*.example",), TRUSTED),
        ((), UPSTREAM),
        (("example",), UPSTREAM),
        (("*.lists.example",), UPSTREAM),
        (("sub.lists.example",), UPSTREAM),
        (("ists.example",), UPSTREAM),
        (("*ists.example",), UPSTREAM),
        (("*",), UPSTREAM),
        (("",), UPSTREAM),
    ],
)
def test_a_sealer_is_named_exactly_or_by_what_stands_above_it(
    sealers: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    assert dmarc(mail().sealed(), sealers) == expected


def test_everything_below_a_star_is_named_at_any_depth() -> None:
    assert dmarc(mail().sealed(RELAY), ("*.relay.example",)) == TRUSTED
    assert dmarc(mail().sealed(RELAY), ("*.example",)) == TRUSTED
    assert dmarc(mail().sealed(RELAY), ("relay.example",)) == UPSTREAM


class TestOnlyTheNewestSealerCounts:
    """Whoever seals last had the message in his hands last."""

    def test_a_stranger_on_top_of_a_trusted_sealer(self) -> None:
        message = mail().sealed(LIST, PASS).sealed(STRANGER, PASS)
        assert dmarc(message) == UPSTREAM
        assert arrival(message) == "unknown"

    def test_a_stranger_who_changes_the_message_and_seals(self) -> None:
        sealed = mail().sealed(LIST, PASS)
        message = replace(sealed, body=b"Pay here.\r\n").sealed(STRANGER, PASS)
        assert chain_of(message).oldest_pass == 2
        assert dmarc(message) == UPSTREAM

    def test_a_stranger_who_calls_himself_as_the_sealer_does(self) -> None:
        other = replace(STRANGER, domain="lists.example", selector="arc")
        assert dmarc(mail().sealed(other)) == UPSTREAM
        assert judged(mail().sealed(other))[0].result == "fail"

    def test_a_trusted_sealer_on_top_of_a_stranger(self) -> None:
        """He says what he found himself; what the stranger said that helps is not even told."""
        message = mail().sealed(STRANGER, PASS).sealed(LIST, FAIL)
        assert dmarc(message) == [("fail", "trusted")]
        assert arrival(message) == "fail"

    def test_two_trusted_sealers(self) -> None:
        assert dmarc(mail().sealed(LIST, PASS).sealed(RELAY, PASS)) == TRUSTED

    def test_what_an_older_set_says_that_hurts_counts_as_anyones(self) -> None:
        message = mail().sealed(LIST, FAIL).sealed(RELAY, PASS)
        assert dmarc(message) == [("pass", "trusted"), ("fail", "upstream")]

    def test_a_trusted_seal_over_the_message_signature_of_a_stranger(self) -> None:
        """An RSA key can be made to fit a signature that stands already, so that it signs another message: its owner must be trusted."""
        assert dmarc(mail().sealed(LIST, PASS, message_key=STRANGER)) == UPSTREAM
        assert dmarc(mail().sealed(LIST, PASS, message_key=RELAY)) == TRUSTED

    def test_a_set_taken_from_another_message(self) -> None:
        sealed = mail().sealed(LIST, PASS)
        message = mail(b"From: Ann <ann@author.example>\n\nPay here.\n")
        assert dmarc(replace(message, header=(*sealed.header[:3], *message.header))) == UPSTREAM


class TestForWhichMessage:
    """The results must have been found for the author whom the reader sees."""

    def results(self, text: str, letter: bytes = LETTER) -> list[tuple[str, str]]:
        return dmarc(mail(letter).sealed(LIST, "mx.lists.example; " + text))

    def test_of_the_author_domain(self) -> None:
        assert self.results("dmarc=pass header.from=AUTHOR.example") == TRUSTED
        assert self.results("dmarc=pass header.from=ann@author.example") == TRUSTED

    def test_of_another(self) -> None:
        assert self.results("dmarc=pass header.from=stranger.example") == UPSTREAM
        assert self.results("dmarc=pass header.from=sub.author.example") == UPSTREAM
        assert self.results("dmarc=pass header.from=example") == UPSTREAM

    def test_of_the_organizational_domain(self) -> None:
        """Where the sealer names the domain of the policy, as rspamd does. A rewritten From could be in a sub-domain: of the same owner."""
        letter = LETTER.replace(b"ann@author.example", b"ann@sales.author.example")

        def standing(text: str) -> list[str]:
            sealed = mail(letter).sealed(LIST, f"mx.lists.example; {text}")
            return [str(each.standing) for each in judged(sealed) if each.method == "dmarc"]

        assert standing("dmarc=pass header.from=author.example") == ["trusted"]
        assert standing("dmarc=pass header.from=sales.author.example") == ["trusted"]
        assert standing("dmarc=none header.from=author.example") == ["upstream"]
        assert standing("dmarc=pass header.from=shop.author.example") == ["upstream"]

    def test_of_nobody_in_particular(self) -> None:
        assert self.results("dmarc=pass") == UPSTREAM
        assert self.results("dmarc=pass header.from=") == UPSTREAM
        assert self.results("dmarc=pass smtp.mailfrom=author.example") == UPSTREAM

    def test_of_two(self) -> None:
        assert self.results("dmarc=pass header.from=stranger.example header.from=author.example") == UPSTREAM
        assert (
            self.results("dmarc=pass header.from=author.example; dmarc=pass header.from=stranger.example")
            == UPSTREAM * 2
        )

    def test_a_from_that_the_list_rewrote_behind_its_result(self) -> None:
        message = mail(LETTER.replace(b"Ann <ann@author.example>", b"Ann via Lunch <lunch@lists.example>")).sealed(
            LIST, PASS
        )
        assert judged(message)[0].result == "pass"
        assert dmarc(message) == UPSTREAM

    def test_without_a_dmarc_result_nothing_of_it_is_trusted(self) -> None:
        found = judged(
            mail().sealed(
                LIST, "mx.lists.example; spf=pass smtp.mailfrom=a@author.example; dkim=pass header.d=author.example"
            )
        )
        assert [claim.standing for claim in found[1:]] == [Standing.UPSTREAM] * 2

    def test_a_second_from(self) -> None:
        both = LETTER.replace(b"To: ", b"From: <bob@author.example>\nTo: ")
        message = mail(both).sealed(LIST, PASS, h=f"from:{SIGNED}")
        assert judged(message)[0].result == "pass"
        assert dmarc(message) == UPSTREAM

    def test_a_field_that_does_not_follow_its_grammar(self) -> None:
        assert self.results("dmarc=pass header.from=author.example; x y z") == []
        assert self.results("dmarc=fail header.from=author.example; x y z") == [("fail", "upstream")]


class TestReplay:
    """A message that a trusted sealer once sealed, sent again with something else in it."""

    def test_unchanged_it_passes_again(self) -> None:
        assert dmarc(mail().sealed()) == TRUSTED

    def test_with_another_subject_where_it_was_not_signed(self) -> None:
        message = mail().sealed(LIST, PASS, h="from:to:date")
        assert chain_of(message).cv is Validation.PASS
        assert dmarc(message) == UPSTREAM
        assert dmarc(message.changed(b"Lunch", b"Invoice")) == UPSTREAM

    def test_with_a_second_subject_on_top(self) -> None:
        message = mail().sealed().changed(b"From: Ann", b"Subject: Invoice\r\nFrom: Ann")
        assert chain_of(message).cv is Validation.PASS
        assert dmarc(message) == UPSTREAM

    def test_with_a_subject_where_there_was_none(self) -> None:
        message = mail(b"From: <ann@author.example>\n\nx\n").sealed(LIST, PASS, h="from")
        assert dmarc(message) == TRUSTED
        assert dmarc(message.changed(b"From:", b"Subject: Invoice\r\nFrom:")) == UPSTREAM

    def test_with_a_reply_to(self) -> None:
        message = mail().sealed().changed(b"From: Ann", b"Reply-To: eve@stranger.example\r\nFrom: Ann")
        assert chain_of(message).cv is Validation.PASS
        assert dmarc(message) == UPSTREAM

    def test_with_a_signed_reply_to_there_is_nothing_to_fear(self) -> None:
        message = mail(LETTER.replace(b"To: ", b"Reply-To: ann@author.example\nTo: ")).sealed(
            LIST, PASS, h=SIGNED + ":reply-to"
        )
        assert dmarc(message) == TRUSTED

    def test_after_the_signature_expired(self) -> None:
        message = mail().sealed(message_as=lambda text: text.replace("t=1789990000;", "t=1789990000; x=1789999999;"))
        assert dmarc(message) == UPSTREAM

    def test_after_the_key_was_withdrawn(self) -> None:
        chain = chain_of(mail().sealed(), {**ZONE, LIST.name: {"TXT": ["v=DKIM1; p="]}})
        assert [claim.standing for claim in claims(chain, SEALERS, AUTHOR)[1:]] == [Standing.UPSTREAM] * 2


class TestBroken:
    """From a chain that does not pass nothing is believed but what hurts."""

    def test_a_pass_is_worth_nothing(self) -> None:
        for message in (
            mail().sealed().changed(b"at one", b"at two"),
            mail().sealed(cv="fail"),
            mail().sealed().sealed(cv="fail"),
        ):
            assert ("pass", "trusted") not in dmarc(message)
            assert arrival(message) == "unknown"

    def test_a_temporary_failure_is_worth_no_more(self) -> None:
        found = judged(mail().sealed(), failing=frozenset({LIST.name}))
        assert {claim.standing for claim in found[1:]} == {Standing.UPSTREAM}

    @pytest.mark.parametrize(
        "message",
        [
            mail().sealed(LIST, FAIL).changed(b"at one", b"at two"),
            mail().sealed(LIST, FAIL).without(0),
            mail().sealed(LIST, FAIL).sealed(STRANGER, PASS).without(0),
            mail().sealed(LIST, FAIL).sealed(STRANGER, PASS, cv="fail"),
            mail(b"ARC-Authentication-Results: no instance; dmarc=fail\n" + LETTER),
            mail(b'ARC-Authentication-Results: i=1; a"b; dmarc = fail (\n' + LETTER),
            mail(b"ARC-Authentication-Results: i=1; dmarc=fail\n" + LETTER).sealed(LIST, PASS),
        ],
    )
    def test_a_fail_counts(self, message: Mail) -> None:
        assert ("fail", "upstream") in dmarc(message)
        assert arrival(message) == "fail"

    def test_a_thousand_sets_of_nonsense_do_not_bury_the_fail_of_an_honest_one(self) -> None:
        noise = [
            HeaderField(b"ARC-Authentication-Results", b" i=1; x; " + b"; ".join(b"m%d=pass" % n for n in range(50)))
        ] * 1_000
        message = mail().sealed(LIST, FAIL)
        found = judged(replace(message, header=(*noise, *message.header)))
        assert [(claim.method, claim.result) for claim in found] == [("arc", "fail"), ("dmarc", "fail")]

    def test_a_bad_result_is_told_once(self) -> None:
        message = mail().sealed(LIST, FAIL).sealed(LIST, FAIL).sealed(LIST, FAIL).sealed(RELAY, PASS)
        assert dmarc(message) == [("pass", "trusted"), ("fail", "upstream")]


def test_the_worst_of_our_own_and_the_sealers_result_counts() -> None:
    """A trusted pass does not undo what we found ourselves: the arrival is what the next receiver would see without ARC."""
    ours = Claim(
        "dmarc",
        "fail",
        "mx.forwarder.example",
        "Authentication-Results",
        Standing.VERIFIED,
        properties=(("header.from", AUTHOR),),
    )
    assert arrival(mail().sealed(), ours) == "fail"


def test_a_field_with_a_thousand_results_is_cut_and_keeps_what_hurts() -> None:
    results = (
        "mx; dmarc=pass header.from=author.example; "
        + "; ".join(["dkim=neutral"] * 300)
        + "; dkim=fail; dkim=fail; spf=softfail"
    )
    found = judged(mail().sealed(LIST, results))
    assert len(found) == 1 + MOST_RESULTS + 2
    assert [(claim.method, claim.result, claim.standing) for claim in found[-2:]] == [
        ("dkim", "fail", Standing.TRUSTED),
        ("spf", "softfail", Standing.TRUSTED),
    ]


TEXTS = st.lists(
    st.sampled_from(
        [
            "mx.lists.example",
            "; ",
            "dmarc=pass",
            "dmarc=fail",
            " header.from=author.example",
            " header.from=x.example",
            "spf=pass",
            "(",
            ")",
            '"',
            " ",
            "é",
            "\0",
        ]
    ),
    max_size=10,
).map("".join)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([LIST, STRANGER]), TEXTS), min_size=1, max_size=2))
def test_only_a_trusted_newest_sealer_makes_trusted_claims_and_all_of_them_of_this_author(
    sets: list[tuple[object, str]],
) -> None:
    message = mail()
    for key, text in sets:
        message = message.sealed(key, text)  # type: ignore[arg-type]
    chain = validate(message.header, forms(message.body), FakeResolver(ZONE).lookup(), NOW)
    assert chain.cv is Validation.PASS
    found = claims(chain, ("lists.example",), AUTHOR)
    trusted = [claim for claim in found if claim.standing is Standing.TRUSTED]
    if trusted:
        assert sets[-1][0] is LIST
        assert {claim.property("header.from") for claim in trusted if claim.method == "dmarc"} == {AUTHOR}
    for position, (_, text) in enumerate(sets):
        newest = position == len(sets) - 1
        said = authentication_results.read(text).results if newest else authentication_results.hurting(text)
        if ("dmarc", "fail") in [(result.method, result.result) for result in said]:
            assert ("dmarc", "fail") in [(claim.method, claim.result) for claim in found]
