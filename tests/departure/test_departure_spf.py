"""The second door: SPF of the envelope at the next hop."""

from __future__ import annotations

import threading
from ipaddress import ip_address

import pytest
import spf
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.resolver import FakeResolver
from dkimgate.spf_check import outgoing_spf

OURS = ip_address("192.0.2.10")
OURS6 = ip_address("2001:db8::10")
OTHER = ip_address("198.51.100.1")
HELO = "mx.forwarder.example"

ZONE = {
    "hosted.example": {"TXT": ["v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all"], "A": ["192.0.2.10"]},
    "elsewhere.example": {"TXT": ["v=spf1 ip4:198.51.100.0/24 -all"]},
    "_spf.split.example": {"TXT": ["v=spf1 ip4:192.0.2.10 ~all"]},
    "split.example": {"TXT": ["v=spf1 ip4:203.0.113.1 -all"]},
    "include.example": {"TXT": ["other=1", "v=spf1 include:_spf.split.example -all"]},
    "redirect.example": {"TXT": ["v=spf1 redirect=hosted.example"]},
    "byname.example": {"TXT": ["v=spf1 a:hosted.example -all"]},
    "bymx.example": {"TXT": ["v=spf1 mx -all"], "MX": ["0 .", "10 hosted.example"]},
    "byptr.example": {"TXT": ["v=spf1 ptr -all"]},
    "10.2.0.192.in-addr.arpa": {"PTR": ["a.byptr.example"]},
    "a.byptr.example": {"A": ["192.0.2.10"]},
    "byexists.example": {"TXT": ["v=spf1 exists:%{i}.%{l}.byexists.example -all"]},
    "192.0.2.10.friend.byexists.example": {"A": ["127.0.0.2"]},
    "byhelo.example": {"TXT": ["v=spf1 exists:%{h}.byhelo.example -all"]},
    "mx.forwarder.example.byhelo.example": {"A": ["127.0.0.2"]},
    "soft.example": {"TXT": ["v=spf1 ~all"]},
    "neutral.example": {"TXT": ["v=spf1 ?all"]},
    "twice.example": {"TXT": ["v=spf1 +all", "v=spf1 -all"]},
    "wrong.example": {"TXT": ["v=spf1 ip4:192.0.2.10 ip4:192.0.2.n -all"]},
    "nospf.example": {"TXT": ["google-site-verification=1"]},
    "loop.example": {"TXT": ["v=spf1 include:loop.example +all"]},
    "long.example": {"TXT": ["v=spf1 " + "a:elsewhere.example " * 11 + "+all"]},
    "include-none.example": {"TXT": ["v=spf1 include:nospf.example +all"]},
    "latin.example": {"TXT": ["v=spf1 é +all"]},
    "voids.example": {"TXT": ["v=spf1 a:a.void.example a:b.void.example a:c.void.example ip4:192.0.2.10 -all"]},
    "include-broken.example": {"TXT": ["v=spf1 include:broken.example ip4:192.0.2.10 -all"]},
    "early.example": {"TXT": ["v=spf1 ip4:192.0.2.10 include:broken.example -all"]},
    "exp.example": {"TXT": ["v=spf1 -all exp=why.exp.example"]},
    "forwarder.example": {"TXT": ["v=spf1 -all"]},
    "mx.forwarder.example": {"TXT": ["v=spf1 ip4:192.0.2.10 -all"]},
    "xn--bcher-kva.example": {"TXT": ["v=spf1 ip4:192.0.2.10 -all"]},
}
FAILING = frozenset({"broken.example"})


def ask(
    sender: str, author: str | None, hosted: bool = True, addresses: tuple[object, ...] = (OURS,), helo: str | None = HELO
) -> tuple[tuple[bool, str], FakeResolver]:
    dns = FakeResolver(ZONE, FAILING)
    return outgoing_spf(sender, helo, addresses, author, hosted, dns.lookup()), dns  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("domain", "passes"),
    [
        ("hosted.example", True),
        ("include.example", True),
        ("redirect.example", True),
        ("byname.example", True),
        ("bymx.example", True),
        ("byptr.example", True),
        ("byexists.example", True),
        ("byhelo.example", True),
        ("early.example", True),
        ("voids.example", True),
        ("elsewhere.example", False),
        ("soft.example", False),
        ("neutral.example", False),
        ("nospf.example", False),
        ("nowhere.example", False),
        ("exp.example", False),
        # permerror is no pass
        ("twice.example", False),
        ("wrong.example", False),
        ("loop.example", False),
        ("long.example", False),
        ("include-none.example", False),
        ("latin.example", False),
    ],
)
@pytest.mark.parametrize("hosted", [True, False])
def test_what_the_record_says(domain: str, passes: bool, hosted: bool) -> None:
    assert ask(f"friend@{domain}", domain, hosted)[0] == (passes, "lookup")


@pytest.mark.parametrize(
    ("addresses", "passes"),
    [((OTHER, OURS), True), ((OURS, OTHER), True), ((OTHER,), False), ((OURS6,), True), ((OTHER, OURS6), True)],
)
def test_any_address_of_ours_is_enough(addresses: tuple[object, ...], passes: bool) -> None:
    assert ask("friend@hosted.example", "hosted.example", addresses=addresses)[0] == (passes, "lookup")


@pytest.mark.parametrize(
    ("sender", "author"),
    [
        ("friend@hosted.example", "other.example"),
        ("srs0=x=y=hosted.example=friend@bounce.forwarder.example", "hosted.example"),
        ("hosted.example@other.example", "hosted.example"),
        ("", "hosted.example"),
    ],
)
@pytest.mark.parametrize("hosted", [True, False])
def test_an_unaligned_envelope_is_not_looked_up(sender: str, author: str, hosted: bool) -> None:
    result, dns = ask(sender, author, hosted)
    assert result == (False, "unaligned")
    assert dns.asked == []


@pytest.mark.parametrize(
    ("sender", "author", "passes"),
    [
        ("friend@hosted.example", "mail.hosted.example", True),
        ("friend@HOSTED.Example", "hosted.example", True),
        ("friend@hosted.example.", "hosted.example", True),
        ('"a@elsewhere.example"@hosted.example', "hosted.example", True),
        ('"a\\"b c"@hosted.example', "hosted.example", True),
        ("partner.example!friend%x@hosted.example", "hosted.example", True),
        # the trick: not the domain, but a name that its own record includes
        ("friend@_spf.split.example", "split.example", True),
        ("friend@split.example", "split.example", False),
        ("friend@bücher.example", "xn--bcher-kva.example", True),
        ("friend@BÜCHER.example", "xn--bcher-kva.example", True),
        ("friend@\uff48osted.example", "hosted.example", True),
    ],
)
def test_how_the_senders_domain_may_be_written(sender: str, author: str, passes: bool) -> None:
    assert ask(sender, author)[0] == (passes, "lookup")


@pytest.mark.parametrize(
    "sender",
    [
        # each of these is friend@hosted.example to Postfix 3.7, which shows it to milters as it is written here
        "friend@hosted.example(x@elsewhere.example)",
        "friend@hosted.example(@elsewhere.example",
        "friend@(elsewhere)hosted.example",
        "friend@hosted.(x)example",
        'friend@"hosted.example"',
        '"friend@hosted.example"',
        "friend@hosted.example;",
        "friend@hosted . example",
        "friend@hosted\\.example",
        "hosted.example!friend",
        "friend%hosted.example",
        '"x@elsewhere.example"<friend@hosted.example>',
        "@elsewhere.example:friend@hosted.example",
        # and these are the null sender, or something else again
        "@",
        "()",
        '"friend@hosted.example"@',
        "friend@hosted.example@",
        "friend@hosted.example@elsewhere.example",
        "@hosted.example",
    ],
)
@pytest.mark.parametrize("hosted", [True, False])
def test_a_sender_that_can_be_read_in_several_ways_may_pass(sender: str, hosted: bool) -> None:
    """A forger writes the address so that the gate and the MTA see different domains."""
    result, dns = ask(sender, "hosted.example", hosted)
    assert result == (True, "assumed")
    assert not dns.asked


def test_a_domain_that_the_mta_completes_is_none() -> None:
    """append_dot_mydomain makes friend@mx.forwarder.example of friend@mx."""
    assert [ask("friend@mx", "forwarder.example", hosted)[0] for hosted in (True, False)] == [(True, "assumed"), (False, "assumed")]


def test_the_null_sender_is_checked_by_helo() -> None:
    assert ask("", "forwarder.example")[0] == (True, "lookup")
    assert ask("", "forwarder.example", helo="other.forwarder.example")[0] == (False, "lookup")
    assert ask("", "forwarder.example", helo=None)[0] == (True, "assumed")
    assert ask("", "forwarder.example", hosted=False, helo=None)[0] == (False, "assumed")


def test_without_a_single_author_any_sender_may_be_aligned() -> None:
    assert ask("friend@hosted.example", None)[0] == (True, "lookup")
    assert ask("friend@elsewhere.example", None)[0] == (False, "lookup")
    assert outgoing_spf("friend@hosted.example", HELO, [], None, True, None) == (True, "assumed")


@pytest.mark.parametrize("hosted", [True, False])
def test_where_nothing_can_be_asked_our_own_domains_pass(hosted: bool) -> None:
    dns = FakeResolver(ZONE)
    assert outgoing_spf("friend@hosted.example", HELO, [], "hosted.example", hosted, dns.lookup()) == (hosted, "assumed")
    assert outgoing_spf("friend@hosted.example", HELO, [OURS], "hosted.example", hosted, None) == (hosted, "assumed")
    assert outgoing_spf("friend", HELO, [OURS], "hosted.example", hosted, dns.lookup()) == (hosted, "assumed")
    assert outgoing_spf("friend@", HELO, [OURS], "hosted.example", hosted, dns.lookup()) == (hosted, "assumed")
    assert dns.asked == []


@pytest.mark.parametrize("domain", ["broken.example", "include-broken.example"])
@pytest.mark.parametrize("hosted", [True, False])
def test_a_failing_dns_opens_no_door(domain: str, hosted: bool) -> None:
    assert ask(f"friend@{domain}", domain, hosted)[0] == (True, "assumed")


def test_the_deadline_and_the_budget_of_the_message_hold() -> None:
    few = FakeResolver(ZONE, questions=1)
    assert outgoing_spf("a@include.example", HELO, [OURS], "include.example", False, few.lookup()) == (True, "assumed")
    assert few.asked == [("include.example", "TXT")]
    slow = FakeResolver(ZONE, deadline=2.0, clock=iter([0.0, 5.0]).__next__)
    assert outgoing_spf("a@include.example", HELO, [OURS], "include.example", False, slow.lookup()) == (True, "assumed")
    assert slow.asked == [("include.example", "TXT")]


def test_questions_are_asked_once_for_all_addresses() -> None:
    _, dns = ask("friend@elsewhere.example", "elsewhere.example", addresses=(OURS, OURS6, OTHER.__class__("203.0.113.9")))
    assert dns.asked == [("elsewhere.example", "TXT")]


def test_nobody_asks_for_an_explanation() -> None:
    _, dns = ask("friend@exp.example", "exp.example")
    assert dns.asked == [("exp.example", "TXT")]


def test_pyspf_itself_is_left_alone_and_threads_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("pyspf asked the DNS by itself")

    monkeypatch.setattr(spf, "DNSLookup", never)
    results: list[tuple[bool, str]] = []
    domains = ["hosted.example", "elsewhere.example"] * 8
    threads = [threading.Thread(target=lambda d=d: results.append(ask(f"friend@{d}", d)[0])) for d in domains]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted([(True, "lookup"), (False, "lookup")] * 8)


TERMS = (
    "a mx ptr all -all +all ip4:192.0.2.10 ip4: include:hosted.example redirect=x.example exists:%{l}.x %{ %{p} exists:%{l}%{s}%{h} a:/99 "
    "exp=%{z} mx//64 ip6::: a:é include: = a/0 exists:%{ir}.%{v}.%{l1r-}"
)
terms = st.sampled_from(TERMS.split(" "))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=12), st.lists(terms, max_size=5))
def test_no_sender_and_no_record_raises(local: str, record: list[str]) -> None:
    dns = FakeResolver({"x.example": {"TXT": ["v=spf1 " + " ".join(record)]}})
    passes, source = outgoing_spf(f"{local}@x.example", HELO, [OURS, OURS6], "x.example", False, dns.lookup())
    assert source in ("lookup", "assumed") and isinstance(passes, bool)
    assert outgoing_spf(local, local, [OURS], "x.example", False, dns.lookup())[1] in ("lookup", "assumed", "unaligned")
