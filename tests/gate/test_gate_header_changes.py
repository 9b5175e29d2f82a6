"""What a decision changes in the header, and what it leaves alone and why: case by case."""

from __future__ import annotations

from typing import Any

import pytest

from dkimgate.facts import Claim, Decision, Disposition, Facts, HeaderChanges, Standing
from dkimgate.gate.header_changes import LONGEST_SUBJECT, MOST_SIGNATURES, leaving, plan
from dkimgate.message.lines import LONGEST_LINE
from dkimgate.message.message import Message
from tests.world.mail import fields

FROM = b"From: ask@hosted.example\n"
SUBJECT = b"Subject: Lunch\n"
SIGNED = b"DKIM-Signature: v=1; d=list.example; s=k; h=from:subject:x-offer; b=AbCdEfGh\n IjKl\n"
ELSEWHERE = b"DKIM-Signature: v=1; d=list.example; s=k; h=from:to; b=AbCdEfGhIjKl\n"
TAG = Decision("rule", tag="[odd]")


def planned(raw: bytes, decision: Decision = TAG, *claims: Claim) -> HeaderChanges:
    return plan(Message(header=fields(raw)), Facts(claims=claims), decision)


def left(raw: bytes, decision: Decision = TAG, *claims: Claim) -> bytes:
    """The header as it leaves."""
    header = leaving(fields(raw), planned(raw, decision, *claims))
    return b"".join(field.name + b":" + field.value + b"\n" for field in header)


def subject(value: bytes, tag: str = "[odd]") -> bytes:
    return left(FROM + b"Subject:" + value + b"\n", Decision("rule", tag=tag)).partition(b"Subject:")[2][:-1]


@pytest.mark.parametrize(
    ("value", "tagged"),
    [
        (b" Lunch", b" [odd] Lunch"),
        (b"Lunch", b" [odd] Lunch"),
        (b"   Lunch\t ", b" [odd]   Lunch\t "),
        (b"", b" [odd]"),
        (b"  \n  ", b" [odd]"),
        (b"\n Lunch", b" [odd]\n Lunch"),
        (b" Lunch\n\tat one", b" [odd] Lunch\n\tat one"),
        (
            b" =?utf-8?B?TWl0dGFnZXNzZW4=?=\n =?utf-8?Q?=C3=BC?=",
            b" [odd] =?utf-8?B?TWl0dGFnZXNzZW4=?=\n =?utf-8?Q?=C3=BC?=",
        ),
        (" Mittagessen für alle".encode(), " [odd] Mittagessen für alle".encode()),
        (b" Lunch [odd]", b" [odd] Lunch [odd]"),  # far behind, where no reader looks
    ],
)
def test_what_stood_there_stays_octet_for_octet_behind_the_tag(value: bytes, tagged: bytes) -> None:
    assert subject(value) == tagged


@pytest.mark.parametrize(
    "value",
    [
        b" [odd] Lunch",
        b"[odd]",
        b"\n\t[odd]\n Lunch",
        b" =?utf-8?Q?=5Bodd=5D_Mittag_f=C3=BCr_alle?=",
        b" [odd] =?nonsense?=",
    ],
)
def test_a_subject_is_not_tagged_twice(value: bytes) -> None:
    found = planned(FROM + b"Subject:" + value + b"\n")
    assert (found.changed, found.tag, found.not_done) == ((), None, ("tag: the subject begins with it already",))


def test_a_tag_of_several_words_is_known_again_where_it_was_folded() -> None:
    assert planned(b"Subject: [arrived\n badly] Lunch\n", Decision("rule", tag="[arrived badly]")).changed == ()


def test_a_message_without_a_subject_gets_one() -> None:
    assert left(FROM) == b"Subject: [odd]\n" + FROM
    assert planned(FROM).tag == "[odd]"
    assert planned(FROM).added_names == ()


def test_the_tag_goes_where_the_field_is_in_whatever_case() -> None:
    assert left(FROM + b"SUBJECT : Lunch\nX: 1\n") == FROM + b"SUBJECT : [odd] Lunch\nX: 1\n"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (SUBJECT + b"sUbject: again\n", "there are 2 Subject fields"),
        (b"Subject: \xff\n", "octets that can't be handed back"),
        (b"Subject: a\rb\n", "octets that can't be handed back"),
        (b"Subject: " + b"x" * LONGEST_SUBJECT + b"\n", "more than 32768 octets"),
    ],
)
def test_a_subject_that_is_left_alone(raw: bytes, why: str) -> None:
    found = planned(FROM + raw)
    assert (found.fields, found.changed, found.tag) == ((), (), None)
    assert why in found.not_done[0]


def test_no_line_gets_too_long() -> None:
    room = LONGEST_LINE - len(b"Subject: [odd] ")
    assert subject(b" " + b"x" * room) == b" [odd] " + b"x" * room
    assert subject(b" " + b"x" * (room + 1)) == b" [odd]\n " + b"x" * (room + 1)
    assert subject(b"x" * (room + 1)) == b" [odd]\n " + b"x" * (room + 1)


def test_texts_name_facts_and_stay_one_line() -> None:
    facts = Facts(sender="ä\r\nBcc: all@hosted.example")
    message = Message(header=fields(FROM + SUBJECT))
    decision = Decision("odd-mail", tag="[{arrival.dmarc}]", add=(("X-Why", "{rule}: {sender}"),))
    found = plan(message, facts, decision)
    assert found.changed == ((1, b" [unknown] Lunch"),)
    assert found.fields == (("X-Why", b" odd-mail: ?bcc: all@hosted.example"),)
    assert (found.tag, found.added_names) == ("[unknown]", ("X-Why",))
    encoded = plan(message, Facts(sender="=?utf-8?q?=52=E2=82=AC?=@hosted.example"), Decision("rule", tag="[{sender}]"))
    assert encoded.tag == "[= ?utf-8?q?=52=e2=82=ac?=@hosted.example]"


def test_a_text_of_which_nothing_is_left_is_not_written() -> None:
    found = planned(FROM + SUBJECT, Decision("rule", tag="{sender}", add=(("X-Sender", " {sender} "),)))
    assert (found.fields, found.changed, found.tag, found.added_names) == ((), (), None, ())
    assert [reason.partition(":")[0] for reason in found.not_done] == ["tag", "add X-Sender"]


def said(
    result: str,
    standing: Standing = Standing.TRUSTED,
    field: str = "Authentication-Results",
    position: int = 0,
    **of: str,
) -> Claim:
    properties = tuple((f"header.{name}", value) for name, value in of.items())
    return Claim("dkim", result, None, field, standing, "", position, properties)


OF_IT: dict[str, Any] = {"d": "list.example", "s": "k"}


@pytest.mark.parametrize(
    ("claims", "broken"),
    [
        ((), False),
        ((said("fail", **OF_IT),), True),
        ((said("fail", d="List.Example", s="K"),), True),
        ((said("fail", d="list.example", b="AbCdEfGh"),), True),
        ((said("fail", d="list.example", b="AbCdEfGhIj", s="k"),), True),
        ((said("fail", d="list.example", b="AbCdEfG"),), False),  # too few octets to tell signatures apart
        ((said("fail", d="list.example", b="abcdefgh"),), False),
        ((said("fail", d="list.example", b="AbCdEfGh", s="other"),), False),
        ((said("fail", d="list.example"),), False),
        ((said("fail", s="k"),), False),
        ((said("fail", d="other.example", s="k"),), False),
        ((said("fail", d="list.example", s="other"),), False),
        ((said("fail", Standing.UPSTREAM, **OF_IT),), False),
        *(
            ((said(result, **OF_IT),), False)
            for result in ("pass", "none", "neutral", "policy", "temperror", "permerror")
        ),
        ((said("fail", **OF_IT), said("pass", **OF_IT)), False),
        ((said("fail", **OF_IT), said("pass", d="list.example")), False),
        ((said("fail", **OF_IT), said("pass", d="other.example", s="k")), True),
        ((said("fail", **OF_IT), said("pass", Standing.UPSTREAM, **OF_IT)), True),
        ((said("fail", Standing.VERIFIED, "DKIM-Signature", 1, **OF_IT),), True),
        ((said("fail", Standing.VERIFIED, "DKIM-Signature", 2, **OF_IT),), False),
    ],
)
def test_a_signature_counts_as_broken_only_where_we_know(claims: tuple[Claim, ...], broken: bool) -> None:
    found = planned(FROM + SIGNED + SUBJECT, TAG, *claims)
    assert found.changed == (((2, b" [odd] Lunch"),) if broken else ())
    assert found.not_done == (
        () if broken else ("tag: a signature of list.example may still be valid, and covers Subject",)
    )


def test_of_two_signatures_by_one_key_a_failure_must_say_which() -> None:
    other = SIGNED.replace(b"AbCdEfGh", b"XyZuVwSt")
    both = FROM + SIGNED + other + SUBJECT
    assert planned(both, TAG, said("fail", **OF_IT)).changed == ()
    assert planned(both, TAG, said("fail", b="AbCdEfGh", **OF_IT)).changed == ()
    assert planned(both, TAG, said("fail", b="AbCdEfGh", **OF_IT), said("fail", b="XyZuVwSt", **OF_IT)).changed != ()


@pytest.mark.parametrize(
    "twin", [SIGNED, SIGNED.replace(b"IjKl", b"MnOp"), SIGNED.replace(b"s=k", b"s=other"), SIGNED.replace(b"\n ", b"")]
)
def test_a_failure_of_one_whose_b_begins_alike_says_nothing(twin: bytes) -> None:
    """Whoever copies the b= of a good signature, for a verifier that looks at a few of them alone, has not shown that the good one fails."""
    failed = said("fail", d="list.example", b="AbCdEfGh")
    assert planned(FROM + twin + SIGNED + SUBJECT, TAG, failed).changed == ()
    elsewhere = twin.replace(b"list.example", b"other.example")
    assert planned(FROM + elsewhere.replace(b"subject:", b"") + SIGNED + SUBJECT, TAG, failed).changed != ()


@pytest.mark.parametrize(
    ("signature", "covers"),
    [
        (SIGNED, True),
        (SIGNED.replace(b"subject", b"\n\t SUBJECT "), True),
        (SIGNED.replace(b"DKIM-Signature:", b"dkim-signature :"), True),
        (ELSEWHERE, False),
        (ELSEWHERE.replace(b"from:to", b"from:x-subject"), False),
        (b"ARC-Message-Signature: i=1; d=list.example; s=k; h=from:subject; b=x\n", True),
        (b"ARC-Message-Signature: i=1; d=list.example; s=k; h=from; b=x\n", False),
        (b"ARC-Seal: i=1; cv=none; h=subject\n", False),
        # what nobody can read somebody may read
        (ELSEWHERE.replace(b"h=from:to;", b""), True),
        (ELSEWHERE.replace(b"from:to", b""), True),
        (ELSEWHERE.replace(b"from:to", b"from to"), True),
        (ELSEWHERE.replace(b"from:to", b"from::to"), True),
        (ELSEWHERE.replace(b"from:to", b"from:\xff"), True),
        (ELSEWHERE.replace(b"from:to;", b"from; h=subject;"), True),
        (ELSEWHERE.replace(b"v=1", b"v"), True),
        (b"DKIM-Signature:\n", True),
    ],
)
def test_what_a_signature_covers(signature: bytes, covers: bool) -> None:
    found = planned(FROM + signature + SUBJECT)
    assert (found.changed == ()) is covers
    assert (found.tag is None) is covers
    assert len(found.not_done) == covers


def test_of_a_flood_of_signatures_none_is_read() -> None:
    found = planned(FROM + ELSEWHERE * (MOST_SIGNATURES + 1) + SUBJECT)
    assert found.not_done == ("tag: a signature that can't be read may still be valid, and covers Subject",)
    assert planned(FROM + ELSEWHERE * MOST_SIGNATURES + SUBJECT).changed != ()


def test_a_subject_that_was_signed_as_absent_stays_absent() -> None:
    assert planned(FROM + SIGNED).fields == ()
    assert planned(FROM + ELSEWHERE).fields == (("Subject", b" [odd]"),)


ADD = Decision("rule", add=(("X-Offer", "none"), ("X-Rule", "{rule}")))


def test_added_fields_stand_at_the_top_in_their_order() -> None:
    assert left(b"x-rule: forged\n" + FROM, ADD) == b"X-Offer: none\nX-Rule: rule\nx-rule: forged\n" + FROM


def test_no_field_is_added_that_a_signature_covers() -> None:
    found = planned(FROM + SIGNED, ADD)
    assert found.added_names == ("X-Rule",)
    assert found.not_done == ("add X-Offer: a signature of list.example may still be valid, and covers X-Offer",)


def test_all_fields_of_a_name_are_removed() -> None:
    decision = Decision("rule", remove=("X-Offer", "x-OFFER", "X-Nowhere"))
    raw = b"x-offer: 1\n" + FROM + b"X-Offer : 2\nX-Offers: 3\nX-OFFER: 4\n"
    assert left(raw, decision) == FROM + b"X-Offers: 3\n"
    found = planned(raw, decision)
    assert (found.removed, len(found.removed_names), found.not_done) == ((0, 2, 4), 1, ())


def test_no_field_is_removed_that_a_signature_covers() -> None:
    found = planned(FROM + SIGNED + b"X-Offer: 1\n", Decision("rule", remove=("X-Offer",)))
    assert (found.removed, found.removed_names) == ((), ())
    assert found.not_done == ("remove X-Offer: a signature of list.example may still be valid, and covers X-Offer",)


def test_a_flood_of_fields_is_not_removed() -> None:
    decision = Decision("rule", remove=("X-Offer", "X-Few"))
    raw = b"X-Offer: 1\n" * 1000 + b"X-Few: 1\n" + FROM
    found = planned(raw, decision)
    assert len(found.removed) == 1000
    assert found.not_done == ("remove X-Few: there are 1, too many for the MTA to find",)
    assert planned(b"X-Offer: 1\n" + raw, decision).removed_names == ("X-Few",)


def test_removed_and_added_anew() -> None:
    decision = Decision("rule", tag="[odd]", add=(("X-Rule", "{rule}"),), remove=("X-Rule",))
    assert (
        left(b"X-Rule: forged\n" + FROM + SUBJECT + b"X-Rule: again\n", decision)
        == b"X-Rule: rule\n" + FROM + b"Subject: [odd] Lunch\n"
    )


ALL: dict[str, Any] = {"tag": "[odd]", "add": (("X-Rule", "x"),), "remove": ("X-Offer",)}


def test_observing_tells_and_changes_nothing() -> None:
    found = planned(FROM + SUBJECT + b"X-Offer: 1\n", Decision("rule", mode="observe", **ALL))
    assert (found.fields, found.changed, found.removed) == ((), (), ())
    assert (found.tag, found.added_names, found.removed_names) == ("[odd]", ("X-Rule",), ("X-Offer",))


@pytest.mark.parametrize("disposition", [Disposition.DEFER, Disposition.REJECT, Disposition.DISCARD])
def test_what_does_not_go_on_is_not_changed(disposition: Disposition) -> None:
    assert planned(FROM + SUBJECT, Decision("rule", disposition=disposition, **ALL)) == HeaderChanges()


def test_a_header_that_was_not_read_whole_is_not_changed() -> None:
    """A signature may stand in the rest."""
    message = Message(header=fields(FROM + SUBJECT), problem="the header has more than 5000 fields")
    found = plan(message, Facts(), Decision("rule", **ALL))
    assert found == HeaderChanges(not_done=("the header is not changed: the header has more than 5000 fields",))
