"""Claims and their standing, one property of law 2 a test: where only we can have written, and what the worst of it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dkimgate.config.dkimgate_yaml import Trust
from dkimgate.evidence.claims import MAX_CLAIMS, MAX_FIELDS
from dkimgate.evidence.route import route_of
from dkimgate.facts import Facts, Origin, Standing
from dkimgate.message.message import Connection, HeaderField, Message
from tests.world import mail
from tests.world.mail import AUTHOR, BORDER, OUTSIDE, REINJECTED, STRIPS, TRUST, message

PASS = "Authentication-Results: mx.forwarder.example; dmarc=pass (p=reject dis=none) header.from=hosted.example\n"
LOGGED_IN = Connection(ip="192.0.2.66", name="pc", helo="pc", auth="user")
LOGIN = (
    "Received: from pc (pc [192.0.2.66])\n\tby mx.forwarder.example (Postfix) with ESMTPSA id 4F2C; "
    "Sat, 21 Nov 2026 16:20:25 +0000 (UTC)\n"
)


def facts(arrived: str | Message, connection: Connection = REINJECTED, trust: Trust = STRIPS) -> Facts:
    return mail.facts(arrived, connection, trust)


def standings(of: Facts) -> set[Standing]:
    return {claim.standing for claim in of.claims if claim.method == "dmarc"}


# --- where only we can have written


@pytest.mark.parametrize("trust", [TRUST, STRIPS])
@pytest.mark.parametrize(
    "header",
    [
        PASS + AUTHOR,
        PASS + BORDER + AUTHOR,
        BORDER + PASS + AUTHOR,
        LOGIN + PASS + AUTHOR,
        PASS + LOGIN + AUTHOR,
        PASS + BORDER + PASS + AUTHOR,
    ],
)
def test_of_what_a_user_hands_in_no_field_is_ours(header: str, trust: Trust) -> None:
    """He wrote all of it, Received fields too."""
    read = facts(header, LOGGED_IN, trust)
    assert standings(read) == {Standing.UPSTREAM}
    assert read.arrival.dmarc != "pass"


def test_of_two_logins_the_newest_counts() -> None:
    """What stands below it, another login too, the user wrote."""
    for header in (LOGIN + PASS + LOGIN + AUTHOR, LOGIN + PASS + BORDER + AUTHOR):
        read = facts(header, trust=TRUST)
        assert standings(read) == {Standing.UPSTREAM}
        assert read.arrival.dmarc != "pass"
    assert route_of(message(LOGIN + LOGIN + AUTHOR), TRUST).login == 0


@pytest.mark.parametrize(
    "name",
    [
        "mx.forwarder.example",
        " MX.Forwarder.Example ",
        "mx.forwarder.example (amavisd-new)",
        "(a) mx.forwarder.example",
        "mx.forwarder.example 1",
        '"mx.forwarder.example"',
        "mx.forwarder.example/4F2C",
        "a.mail.forwarder.example (x)",
    ],
)
def test_what_bears_a_result_of_ours_below_a_login_was_taken_in_before(name: str) -> None:
    """A user redirects it. Who handed it in at first is not told any more; a forgery would be signed for his sake."""
    trust = TRUST.model_copy(update={"authserv_ids": ("mx.forwarder.example", "*.mail.forwarder.example")})
    header = LOGIN + f"Authentication-Results: {name}; dmarc=fail header.from=hosted.example\n" + AUTHOR
    assert route_of(message(header), trust).origin is Origin.FORWARDED
    customer = LOGIN + "Authentication-Results: mx.customer.example; spf=pass smtp.helo=mx.forwarder.example\n" + AUTHOR
    assert route_of(message(customer), trust).origin is Origin.FORWARDED, "so is what a customer's host has verified"


def test_a_field_of_ours_helps_at_the_top_only_of_what_a_border_of_ours_has_stripped() -> None:
    """A milter of ours ran ahead in this session: then the stranger's forgeries are gone. In the border itself they are not yet, and of
    what was made on this host nobody took any off."""
    assert standings(facts(PASS + AUTHOR, OUTSIDE)) == {Standing.TRUSTED}
    assert standings(facts(PASS + AUTHOR, OUTSIDE, TRUST)) == {Standing.UPSTREAM}
    arrived = message(PASS + AUTHOR, OUTSIDE)
    at_the_border = replace(arrived, role="border")
    assert standings(facts(at_the_border)) == {Standing.UPSTREAM}
    for header in (PASS + AUTHOR, AUTHOR + PASS):
        assert standings(facts(header)) == {Standing.UPSTREAM}


def test_a_header_of_nothing_else_is_read() -> None:
    for header in (PASS, PASS + PASS, BORDER + PASS):
        assert len(facts(header, OUTSIDE).claims) == header.count("dmarc=")


def test_a_field_that_leaves_the_grammar_is_not_trusted_wherever_it_stands() -> None:
    """Its lesser evil is no answer to another's fail."""
    broken = "Authentication-Results: mx.forwarder.example; dmarc=permerror (\n"
    read = facts(broken + BORDER + "Authentication-Results: mx.else.example; dmarc=fail\n" + AUTHOR)
    assert standings(read) == {Standing.UPSTREAM}
    assert read.arrival.dmarc == "fail"


# --- what is read


def test_a_received_spf_that_nobody_can_read_claims_nothing() -> None:
    assert facts(BORDER + "Received-SPF: (((\n" + AUTHOR).claims == ()


def test_a_spam_claim_tells_the_score_and_the_limit() -> None:
    claims = facts("X-Spam-Status: Yes, score=14.9 required=3.0\n" + BORDER + AUTHOR).claims
    assert [(claim.method, claim.result, claim.property("score"), claim.property("required")) for claim in claims] == [
        ("spam", "yes", "14.9", "3")
    ]


def test_the_name_of_a_field_is_told_without_what_surrounds_it() -> None:
    arrived = message(BORDER + AUTHOR)
    padded = HeaderField(b"Authentication-Results \t\0", b" mx.else.example; dmarc=fail")
    read = facts(replace(arrived, header=(*arrived.header, padded)))
    assert [claim.field for claim in read.claims] == ["Authentication-Results"]


def test_of_too_many_claims_the_worst_stay_in_their_order() -> None:
    good = "Authentication-Results: mx.else.example" + "; dkim=pass header.d=a.example" * 100 + "\n"
    bad = "Authentication-Results: mx.else.example; spf=softfail; dmarc=fail\n"
    read = facts(bad + BORDER + good * (MAX_CLAIMS // 100) + bad + AUTHOR)
    assert len(read.claims) == MAX_CLAIMS
    assert [claim.position for claim in read.claims] == sorted(claim.position for claim in read.claims)
    assert [claim.result for claim in read.claims if claim.result != "pass"] == ["softfail", "fail"] * 2


@pytest.mark.parametrize(("fields", "results"), [(MAX_FIELDS, 1), (1, MAX_CLAIMS)])
def test_behind_so_many_fields_or_claims_only_what_hurts_is_read(fields: int, results: int) -> None:
    several = ("Authentication-Results: mx.else.example" + "; x=y" * results + "\n") * fields
    both = "Authentication-Results: mx.else.example; dkim=pass; spf=fail\n"
    above = "".join(("Authentication-Results: mx.else.example" + "; x=y" * results + "\n") * (fields - 1))
    assert {claim.result for claim in facts(several + both + AUTHOR).claims} == {"y", "fail"}
    assert {claim.result for claim in facts(above + both + AUTHOR).claims} >= {"pass", "fail"}


# --- what it comes to


@pytest.mark.parametrize(
    ("method", "results", "worst"),
    [
        ("spf", ("softfail", "fail"), "fail"),
        ("spf", ("temperror", "fail", "permerror"), "fail"),
        ("dkim", ("temperror", "fail"), "fail"),
        ("dkim", ("neutral", "permerror"), "permerror"),
        ("spf", ("pass", "softfail"), "softfail"),
    ],
)
def test_of_what_others_say_the_worst_counts(method: str, results: tuple[str, ...], worst: str) -> None:
    for said in (results, results[::-1]):
        fields = "".join(f"Authentication-Results: mx.else.example; {method}={result}\n" for result in said)
        assert getattr(facts(BORDER + fields + AUTHOR).arrival, method) == worst


def test_upstream_is_the_worst_that_other_hosts_say() -> None:
    for said in (("permerror", "fail"), ("fail", "temperror"), ("pass", "fail")):
        fields = "".join(f"Authentication-Results: mx.else.example; dmarc={result}\n" for result in said)
        assert facts(BORDER + fields + AUTHOR).upstream.dmarc == "fail"
    assert facts(BORDER + "Authentication-Results: mx.else.example; dmarc=pass\n" + AUTHOR).upstream.dmarc is None


@pytest.mark.parametrize(
    ("word", "result"),
    [
        *((word, "fail") for word in ("fail", "hardfail", "reject", "quarantine")),
        *((word, "temperror") for word in ("temperror", "tempfail", "temp_fail", "temp-fail", "error", "timeout")),
        *((word, "permerror") for word in ("permerror", "permfail", "perm_fail", "perm-fail", "invalid")),
    ],
)
def test_every_word_that_a_host_writes_for_a_failure_hurts(word: str, result: str) -> None:
    """Also in a field that leaves the grammar."""
    for end in ("\n", " (\n"):
        read = facts(BORDER + f"Authentication-Results: mx.else.example; dmarc={word}{end}" + AUTHOR)
        assert (read.upstream.dmarc, read.arrival.dmarc) == (result, result)


def test_where_the_author_domain_has_passed_no_other_one_is_told() -> None:
    other = PASS.replace("hosted.example", "list.example")
    assert facts(other + BORDER + AUTHOR).arrival.pass_of == "list.example"
    assert (facts(PASS + BORDER + AUTHOR).arrival.dmarc, facts(PASS + BORDER + AUTHOR).arrival.pass_of) == (
        "pass",
        None,
    )
