"""Results in other fields than Authentication-Results: what hurts is heard wherever it stands, and nothing else is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.evidence import results_elsewhere
from dkimgate.facts import Standing
from dkimgate.message.message import HeaderField
from tests.world.mail import AUTHOR, BORDER, facts

OURS = "Authentication-Results: mx.forwarder.example; dmarc=pass header.from=hosted.example\n"
FAIL = "mx.elsewhere.example; spf=fail smtp.mailfrom=x.example; dmarc=fail action=none header.from=hosted.example; dkim=none"


COPIES = [
    "ARC-Authentication-Results",
    "Authentication-Results-Original",
    "Original-Authentication-Results",
    "X-Original-Authentication-Results",
    "X-Authentication-Results",
    "X-Forwarded-Authentication-Results",
    "X-Google-Original-Authentication-Results",
    "X-Gm-Authentication-Results",
    "X-MS-Exchange-Authentication-Results",
    "X-MS-Exchange-Organization-Authentication-Results",
    "X-Microsoft-Antispam-Authentication-Results",
    "X-MailChannels-Authentication-Results",
    "Old-Authentication-Results",
    "Authentication-Results-Cleaned",
    "Authentication_Results",
    "Authentication\0-Results",
    "X-KSMG-AntiSpam-Auth",
    "X-KLMS-AntiSpam-Auth",
    "X-Auth-Checks",
    "X-DMARC-Verdict",
]


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("place", ["above", "below", "at the end"])
def test_a_fail_is_heard_wherever_it_stands(name: str, place: str) -> None:
    field = f"{name}: {FAIL}\n"
    header = {
        "above": field + OURS + BORDER + AUTHOR,
        "below": OURS + BORDER + field + AUTHOR,
        "at the end": OURS + BORDER + AUTHOR + field,
    }[place]
    found = facts(header)
    assert (found.upstream.dmarc, found.arrival.spf) == ("fail", "fail")
    assert {claim.standing for claim in found.claims if claim.field != "Authentication-Results"} == {Standing.UPSTREAM}


@pytest.mark.parametrize("name", COPIES)
def test_without_a_result_of_ours_it_is_the_arrivals(name: str) -> None:
    assert facts(f"{BORDER}{name}: {FAIL}\n{AUTHOR}").arrival.dmarc == "fail"


@pytest.mark.parametrize("name", COPIES)
def test_a_pass_is_heard_nowhere_else(name: str) -> None:
    helping = "i=1; mx.forwarder.example; dmarc=pass header.from=hosted.example; spf=pass smtp.mailfrom=hosted.example"
    before, after = facts(BORDER + AUTHOR), facts(f"{name}: {helping}\n{BORDER}{name}: {helping}\n{AUTHOR}")
    assert (after.arrival, after.upstream) == (before.arrival, before.upstream)
    assert after.claims == ()


@pytest.mark.parametrize("instance", ["i=1; ", "i=2;", " i = 50 ;", "i=0; ", "i=99; ", "", "i=1 ", "i=1; i=2; "])
def test_every_instance_of_an_arc_set_counts_whatever_became_of_the_chain(instance: str) -> None:
    found = facts(f"{OURS}{BORDER}ARC-Authentication-Results: {instance}{FAIL}\n{AUTHOR}")
    assert found.upstream.dmarc == "fail"


def test_what_we_sealed_ourselves_when_it_was_here_before() -> None:
    """A fail in our own name counts like one of our own field that stands where anyone can write."""
    found = facts(
        OURS
        + BORDER
        + "ARC-Authentication-Results: i=1; mx.forwarder.example; dmarc=fail header.from=hosted.example\n"
        + AUTHOR
    )
    assert (found.arrival.dmarc, found.upstream.dmarc) == ("fail", None)
    assert [(claim.by, claim.result) for claim in found.claims if claim.field.startswith("ARC")] == [
        ("mx.forwarder.example", "fail")
    ]


ONE_METHOD = [
    # field, value, claims
    ("X-Proofpoint-SPF-Result", "fail", ["spf=fail"]),
    ("X-SPF-Result", "FAIL (domain x.example does not designate 192.0.2.1 as permitted sender)", ["spf=fail"]),
    ("X-Mailgun-Dkim-Check-Result", "Fail", ["dkim=fail"]),
    ("X-Mailgun-Spf", "SoftFail", ["spf=softfail"]),
    ("X-DKIM-Result", "Fail(t)", ["dkim=fail"]),
    ("X-MDSPF-Result", "hardfail", ["spf=hardfail"]),
    ("X-DMARC-Result", '"temp-fail"', ["dmarc=temp-fail"]),
    ("CMM-X-DMARC", "PermError", ["dmarc=permerror"]),
    ("X-SPF-Check", "spf=fail", ["spf=fail"]),
    ("X-SPF-And-DKIM", "invalid", ["dkim=invalid"]),
    ("X-Received-SPF", "softfail (domain of transitioning x@y.example)", ["spf=softfail"]),
    ("Original-Received-SPF", "hardfail (x) receiver=mx.elsewhere.example", ["spf=fail"]),
    ("X-Received-SPF", "pass (x)", []),
    ("X-Received-SPF", "no SPF record found", []),
    ("X-SPF-Result", "mx.elsewhere.example: domain of y.example designates 192.0.2.1 as permitted sender", []),
    ("X-SPF-Record", "v=spf1 -all", []),
    ("X-SPF-Result", "failure-free", []),
    ("X-DMARC-Policy", "reject", []),
    ("X-DMARC-Policy", "quarantine", []),
    ("DMARC-Filter", "OpenDMARC Filter v1.4.2 mx.forwarder.example 4F2A", []),
    ("DKIM-Filter", "OpenDKIM Filter v2.11.0 mx.forwarder.example 4F2A", []),
    ("DKIM-Signature", "fail; dmarc=fail", []),
    ("X-Google-DKIM-Signature", "fail", []),
    ("X-Author", "dmarc=fail", []),
    ("Subject", "dmarc=fail", []),
    ("X-Auth-User", "fail", []),
]


@pytest.mark.parametrize(("name", "value", "expected"), ONE_METHOD)
def test_a_field_of_one_method(name: str, value: str, expected: list[str]) -> None:
    assert [
        f"{claim.method}={claim.result}" for claim in facts(f"{BORDER}{name}: {value}\n{AUTHOR}").claims
    ] == expected


def test_microsofts_guess_counts_in_a_copy_too() -> None:
    copy = "Authentication-Results-Original: spf=none; dmarc=none action=none header.from=x.example;compauth=fail reason=601\n"
    assert facts(BORDER + copy + AUTHOR).arrival.spam.spam


@given(name=st.text("abcdefgh-_ \0ARCauthentication-results", max_size=30), value=st.text(max_size=60))
def test_no_name_and_no_text_raises_or_helps(name: str, value: str) -> None:
    field = HeaderField(f"{name}authentication-results".encode(), value.encode("utf-8", "surrogatepass"))
    reading = results_elsewhere.read(field)
    assert reading is not None and not reading.strict
    assert all(result.result not in ("pass", "none") and not result.properties for result in reading.results)


@pytest.mark.parametrize("unit", ["x-", "auth-", "spf-", "dkim", "_", "\0", "-"])
def test_a_long_name_takes_time_in_proportion(unit: str) -> None:
    def spent(times: int) -> float:
        field = HeaderField((unit * times).encode(), b" dmarc=fail")
        started = time.thread_time()
        results_elsewhere.read(field)
        return time.thread_time() - started

    def in_proportion() -> bool:
        return min(spent(40_000) for _ in range(5)) <= 6 * max(min(spent(10_000) for _ in range(5)), 2e-3)

    spent(1000)
    assert any(in_proportion() for _ in range(5)), "a noisy machine is measured again"
