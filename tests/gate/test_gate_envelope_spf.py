"""The second door: SPF of the envelope at the next hop."""

from __future__ import annotations

import threading
from ipaddress import ip_address

import pytest
import spf
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.dns.resolver import Address, Lookup
from dkimgate.gate import envelope_spf
from dkimgate.gate.envelope_spf import outgoing_spf
from dkimgate.postfix.way_out import WayOut
from tests.world.dns import FakeResolver

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
    "unknown.example": {"TXT": ["v=spf1 ipv4:192.0.2.10 ip4:192.0.2.10 -all"]},
    "unknown-elsewhere.example": {"TXT": ["v=spf1 foo:192.0.2.10 ip4:192.0.2.77 -all"]},
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


def way(addresses: tuple[object, ...] = (OURS,), helo: str | None = HELO, **more: object) -> WayOut:
    """Ours; and of Postfix it is known that it appends a domain of nobody's."""
    known: dict[str, object] = {
        "origins": frozenset({"mx.forwarder.example"}),
        "suffixes": frozenset({"forwarder.example"}),
    }
    return WayOut(addresses, helos=(helo,) if helo else (), **(known | more))  # type: ignore[arg-type]


def ask(
    sender: str, author: str | None, addresses: tuple[object, ...] = (OURS,), helo: str | None = HELO, **more: object
) -> tuple[tuple[bool, str], FakeResolver]:
    dns = FakeResolver(ZONE, FAILING)
    found = outgoing_spf(sender, way(addresses, helo, **more), author, dns.lookup())
    assert after_others(sender, way(addresses, helo, **more), author) == found
    return found, dns


def after_others(sender: str, way: WayOut, author: str | None) -> tuple[bool, str]:
    """The same of a resolver that has found out much already, of other local parts too."""
    dns = FakeResolver(ZONE, FAILING, kept={})
    domain = sender.rpartition("@")[2] or "hosted.example"
    for local in ("friend", "someone.else", '"odd one"', "spammer"):
        outgoing_spf(f"{local}@{domain}", way, author, dns.lookup())
    return outgoing_spf(sender, way, author, dns.lookup())


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
        # permerror, but for a receiver that asks more than ten questions (rspamd: 30), or passes over what it can't read, comes to a pass
        ("long.example", True),
        ("include-none.example", True),
        ("unknown.example", True),
        ("unknown-elsewhere.example", False),
    ],
)
def test_what_the_record_says(domain: str, passes: bool) -> None:
    assert ask(f"friend@{domain}", domain)[0] == (passes, "lookup")


BY_MACRO = {
    # what mailauth (npm; EmailEngine, WildDuck) takes for the sender's domain, against RFC 7208 section 7.2
    "a:%{d} below an include": ("v=spf1 include:below.example -all", "v=spf1 a:%{d} -all", True),
    "exists:%{d} below an include": ("v=spf1 include:below.example -all", "v=spf1 exists:%{d} -all", True),
    "in capitals, and shortened": ("v=spf1 include:below.example -all", "v=spf1 a:%{D2} -all", True),
    "below a redirect": ("v=spf1 redirect=below.example", "v=spf1 mx:%{d} -all", True),
    "below two": ("v=spf1 include:first.example -all", "v=spf1 a:%{d} -all", True),
    "an include by name": ("v=spf1 include:below.example -all", "v=spf1 include:%{d} -all", True),
    "%{p}": ("v=spf1 exists:%{p}.k.example -all", "", True),
    "%{p} below": ("v=spf1 include:below.example -all", "v=spf1 a:%{p}.k.example -all", True),
    # and what they all take for the same
    "%{o} below an include": ("v=spf1 include:below.example -all", "v=spf1 a:%{o}.elsewhere.example -all", False),
    "%{d} at the top": ("v=spf1 exists:%{i}.%{d} -all", "", False),
    "no macro": ("v=spf1 include:below.example -all", "v=spf1 a:elsewhere.example -all", False),
}
"""Records of a sender's domain and of one that it names, and may some receiver's reading of a macro pass us?"""


@pytest.mark.parametrize("name", BY_MACRO)
def test_law_1_a_macro_that_some_receiver_replaces_by_another_domain_may_pass(name: str) -> None:
    record, below, passes = BY_MACRO[name]
    zone = {
        "web.example": {"TXT": [record], "A": ["192.0.2.10"], "MX": ["10 web.example"]},
        "below.example": {"TXT": [below]},
        "web.example.k.example": {"A": ["192.0.2.10"]},
        "first.example": {"TXT": ["v=spf1 include:below.example -all"]},
    }
    for remembers in (False, True):
        dns = FakeResolver(ZONE | zone, kept={} if remembers else None)
        for _ in range(2):
            assert outgoing_spf("friend@web.example", way(), "web.example", dns.lookup())[0] is passes


@pytest.mark.parametrize("domain", ["twice.example", "wrong.example", "loop.example", "latin.example"])
def test_a_record_with_an_error_may_pass(domain: str) -> None:
    """A receiver that stops at the first term that matches does not see it, or takes one of two records."""
    assert ask(f"friend@{domain}", domain)[0] == (True, "assumed")


@pytest.mark.parametrize(
    ("addresses", "passes"),
    [((OTHER, OURS), True), ((OURS, OTHER), True), ((OTHER,), False), ((OURS6,), True), ((OTHER, OURS6), True)],
)
def test_any_address_of_ours_is_enough(addresses: tuple[object, ...], passes: bool) -> None:
    assert ask("friend@hosted.example", "hosted.example", addresses=addresses)[0] == (passes, "lookup")


def test_behind_a_pass_nothing_more_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record takes up to 15 ms an address, and mail may leave from dozens."""
    checked: list[Address] = []
    real = envelope_spf._check

    def counted(
        address: Address, local: str, domain: str, helo: str | None, lookup: Lookup, unknown: frozenset[str]
    ) -> envelope_spf.EnvelopeSpf:
        checked.append(address)
        return real(address, local, domain, helo, lookup, unknown)

    monkeypatch.setattr(envelope_spf, "_check", counted)
    known, dns = way((OTHER, OURS, OURS6)), FakeResolver(ZONE)
    assert outgoing_spf("friend@hosted.example", known, "hosted.example", dns.lookup()) == (True, "lookup")
    assert checked == [OTHER, OURS]


@pytest.mark.parametrize(
    ("sender", "author"),
    [
        ("friend@hosted.example", "other.example"),
        ("srs0=x=y=hosted.example=friend@bounce.forwarder.example", "hosted.example"),
        ("hosted.example@other.example", "hosted.example"),
        ("", "hosted.example"),
    ],
)
def test_an_unaligned_envelope_is_not_looked_up(sender: str, author: str) -> None:
    result, dns = ask(sender, author)
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
def test_a_sender_that_can_be_read_in_several_ways_may_pass(sender: str) -> None:
    """A forger writes the address so that the gate and the MTA see different domains."""
    result, dns = ask(sender, "hosted.example")
    assert result == (True, "assumed")
    assert not dns.asked


@pytest.mark.parametrize(
    ("sender", "author", "more", "expected"),
    [
        # append_at_myorigin
        ("ceo", "forwarder.example", {}, (True, "lookup")),
        ("ceo", "hosted.example", {}, (False, "unaligned")),
        ("ceo", "hosted.example", {"origins": {"hosted.example"}}, (True, "lookup")),
        ("ceo", "hosted.example", {"origins": {"elsewhere.example", "hosted.example"}}, (True, "lookup")),
        ("ceo", "elsewhere.example", {"origins": {"elsewhere.example"}}, (False, "lookup")),
        ("ceo", "friend.example", {"origins": {"byexists.example"}}, (False, "unaligned")),
        ("friend", "byexists.example", {"origins": {"byexists.example"}}, (True, "lookup")),
        ("ceo", "hosted.example", {"origins": None}, (True, "assumed")),
        ("ceo", "anybody.example", {"origins": None}, (True, "assumed")),
        ("ceo", None, {"origins": {"hosted.example"}}, (True, "lookup")),
        ("ceo", None, {"origins": {"elsewhere.example"}}, (False, "lookup")),
        # append_dot_mydomain
        ("ceo@mx", "forwarder.example", {}, (True, "lookup")),
        ("ceo@mx", "hosted.example", {}, (False, "unaligned")),
        ("ceo@a", "byptr.example", {"suffixes": {"", "byptr.example"}}, (False, "lookup")),
        ("ceo@_spf", "split.example", {"suffixes": {"split.example"}}, (True, "lookup")),
        ("ceo@_spf", "split.example", {"suffixes": {""}}, (False, "unaligned")),
        ("ceo@_spf", "split.example", {"suffixes": None}, (True, "assumed")),
        ("ceo@_spf.", "split.example", {}, (False, "unaligned")),
        ("ceo@b\u00fccher", "xn--bcher-kva.example", {"suffixes": {"example"}}, (True, "lookup")),
        # masquerade_domains
        ("ceo@x.hosted.example", "hosted.example", {"masquerades": ("hosted.example",)}, (True, "lookup")),
        (
            "ceo@x.hosted.example",
            "hosted.example",
            {"masquerades": ("!x.hosted.example", "hosted.example")},
            (False, "lookup"),
        ),
        ("ceo@x.hosted.example", "hosted.example", {}, (False, "lookup")),
        (
            "ceo",
            "hosted.example",
            {"origins": {"x.hosted.example"}, "masquerades": ("hosted.example",)},
            (True, "lookup"),
        ),
        # canonical and generic maps
        ("ceo@elsewhere.example", "hosted.example", {"rewritten_by": ("sender_canonical_maps",)}, (True, "assumed")),
        ("ceo@elsewhere.example", None, {"rewritten_by": ("smtp_generic_maps",)}, (True, "assumed")),
    ],
)
def test_what_postfix_makes_of_a_sender_behind_the_gate(
    sender: str, author: str | None, more: dict[str, object], expected: tuple[bool, str]
) -> None:
    """tests/chain/test_chain_rewriting.py shows that it does."""
    known = {name: frozenset(value) if isinstance(value, set) else value for name, value in more.items()}
    dns = FakeResolver(ZONE)
    assert outgoing_spf(sender, way(**known), author, dns.lookup()) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("sender", ["friend@", "@", "friend@@hosted.example", " @ "])
def test_a_sender_with_no_domain_behind_its_at_may_be_anybody(sender: str) -> None:
    assert ask(sender, "anybody.example")[0] == (True, "assumed")


def test_the_null_sender_is_checked_by_helo() -> None:
    assert ask("", "forwarder.example")[0] == (True, "lookup")
    assert ask("", "forwarder.example", helo="other.forwarder.example")[0] == (False, "lookup")
    assert ask("", "forwarder.example", helo=None)[0] == (True, "assumed")
    assert ask("", "anybody.example", helo=None)[0] == (True, "assumed")
    both = WayOut((OURS,), helos=("other.forwarder.example", HELO))
    assert outgoing_spf("", both, "forwarder.example", FakeResolver(ZONE).lookup()) == (True, "lookup")


def test_without_a_single_author_any_sender_may_be_aligned() -> None:
    assert ask("friend@hosted.example", None)[0] == (True, "lookup")
    assert ask("friend@elsewhere.example", None)[0] == (False, "lookup")
    assert outgoing_spf("friend@hosted.example", way(()), None, None) == (True, "assumed")


@pytest.mark.parametrize("domain", ["hosted.example", "elsewhere.example", "nowhere.example"])
def test_where_nothing_can_be_asked_every_author_passes(domain: str) -> None:
    """Also one that we hold no key for: a customer's domain whose mail leaves by us may well name us in its record."""
    dns = FakeResolver(ZONE)
    assert outgoing_spf(f"friend@{domain}", way(()), domain, dns.lookup()) == (True, "assumed")
    assert outgoing_spf(f"friend@{domain}", way(), domain, None) == (True, "assumed")
    assert outgoing_spf(f"friend@{domain}", way(()), "other.example", dns.lookup()) == (False, "unaligned")
    assert outgoing_spf("friend", WayOut(), domain, dns.lookup()) == (True, "assumed")
    assert outgoing_spf("", WayOut(), domain, dns.lookup()) == (True, "assumed")
    assert dns.asked == []


@pytest.mark.parametrize("domain", ["broken.example", "include-broken.example"])
def test_a_failing_dns_opens_no_door(domain: str) -> None:
    assert ask(f"friend@{domain}", domain)[0] == (True, "assumed")


def test_the_deadline_and_the_budget_of_the_message_hold() -> None:
    few = FakeResolver(ZONE, questions=1)
    assert outgoing_spf("a@include.example", way(), "include.example", few.lookup()) == (True, "assumed")
    assert few.asked == [("include.example", "TXT")]
    slow = FakeResolver(ZONE, deadline=2.0, clock=iter([0.0, 5.0]).__next__)
    assert outgoing_spf("a@include.example", way(), "include.example", slow.lookup()) == (True, "assumed")
    assert slow.asked == [("include.example", "TXT")]


def test_questions_are_asked_once_for_all_addresses() -> None:
    _, dns = ask(
        "friend@elsewhere.example", "elsewhere.example", addresses=(OURS, OURS6, OTHER.__class__("203.0.113.9"))
    )
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
    passes, source = outgoing_spf(f"{local}@x.example", way((OURS, OURS6)), "x.example", dns.lookup())
    assert source in ("lookup", "assumed") and isinstance(passes, bool)
    assert outgoing_spf(local, way(helo=local), "x.example", dns.lookup())[1] in ("lookup", "assumed", "unaligned")
