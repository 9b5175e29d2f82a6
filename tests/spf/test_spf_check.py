"""SPF of the session in which a message entered: what is asked, and whose word is taken for the sender's."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.evidence.result_claims import of_spf
from dkimgate.facts import Standing
from dkimgate.spf import check
from dkimgate.spf.check import RESULTS, check_spf
from dkimgate.spf.query import Query
from tests.world.dns import FakeResolver

CLIENT = "192.0.2.66"
HELO = "mail.sender.example"
ZONE = {
    "pass.example": {"TXT": ["v=spf1 ip4:192.0.2.66 -all"]},
    "fail.example": {"TXT": ["v=spf1 ip4:198.51.100.1 -all"]},
    "soft.example": {"TXT": ["v=spf1 ~all"]},
    "neutral.example": {"TXT": ["v=spf1 ?all"]},
    "nospf.example": {"TXT": ["other=1"]},
    "twice.example": {"TXT": ["v=spf1 +all", "v=spf1 -all"]},
    "wrong.example": {"TXT": ["v=spf1 ip4:192.0.2.66/99 +all"]},
    "unknown.example": {"TXT": ["v=spf1 foo:bar +all"]},
    "loop.example": {"TXT": ["v=spf1 include:loop.example +all"]},
    "many.example": {"TXT": ["v=spf1 " + "a:fail.example " * 11 + "+all"]},
    "voids.example": {"TXT": ["v=spf1 a:a.void.example a:b.void.example a:c.void.example +all"]},
    "two-voids.example": {"TXT": ["v=spf1 a:a.void.example a:b.void.example +all"]},
    "broken-include.example": {"TXT": ["v=spf1 include:broken.example +all"]},
    "latin.example": {"TXT": ["v=spf1 é +all"]},
    "six.example": {"TXT": ["v=spf1 ip6:2001:db8::/32 -all"]},
    "local.example": {"TXT": ["v=spf1 exists:%{l}.ok.example -all"]},
    "postmaster.ok.example": {"A": ["127.0.0.2"]},
    "ann.ok.example": {"A": ["127.0.0.2"]},
    "xn--bcher-kva.example": {"TXT": ["v=spf1 +all"]},
    "_spf.pass.example": {"TXT": ["v=spf1 +all"]},
    HELO: {"TXT": ["v=spf1 exists:%{l}.ok.example -all"]},
}
FAILING = frozenset({"broken.example"})


def ask(sender: str | None, ip: str | None = CLIENT, helo: str | None = HELO) -> tuple[str, str | None, str]:
    found = check_spf(ip, helo, sender, FakeResolver(ZONE, FAILING).lookup())
    assert found is not None
    return found.result, found.domain, found.identity


@pytest.mark.parametrize(
    ("domain", "result"),
    [
        ("pass.example", "pass"),
        ("PASS.Example.", "pass"),
        ("fail.example", "fail"),
        ("soft.example", "softfail"),
        ("neutral.example", "neutral"),
        ("nospf.example", "none"),
        ("nosuch.example", "none"),
        ("twice.example", "permerror"),
        ("wrong.example", "permerror"),
        ("unknown.example", "permerror"),
        ("loop.example", "permerror"),
        ("many.example", "permerror"),
        ("voids.example", "permerror"),
        ("two-voids.example", "pass"),
        ("latin.example", "permerror"),
        ("broken.example", "temperror"),
        ("broken-include.example", "temperror"),
        ("six.example", "fail"),
        ("local.example", "pass"),
        ("bücher.example", "pass"),
        ("_spf.pass.example", "pass"),
    ],
)
def test_results(domain: str, result: str) -> None:
    assert ask(f"ann@{domain}")[0] == result


@pytest.mark.parametrize(
    "sender",
    [
        "ann",
        "ann@",
        "ann@localhost",
        "ann@[192.0.2.66]",
        "ann@pass..example",
        "ann@-@",
        "@",
        "ann@pass.example@",
        "ann@" + "a." * 200 + "example",
        "ann@pass.example " + "x" * 2000,
        "ann@pa ss.example",
        "ann@pass.example\0",
    ],
)
def test_a_sender_without_a_domain_that_could_have_spf(sender: str) -> None:
    assert ask(sender)[:2] == ("none", None)


def test_the_domain_stands_behind_the_last_at() -> None:
    assert ask('"x@pass.example"@fail.example')[:2] == ("fail", "fail.example")
    assert ask("@pass.example:ann@fail.example")[:2] == ("fail", "fail.example")


def test_the_null_sender_is_postmaster_at_helo() -> None:
    assert ask("") == ("pass", HELO, "helo")
    assert ask("", helo=None) == ("none", None, "helo")
    assert ask("", helo="[192.0.2.66]") == ("none", None, "helo")
    assert ask("@local.example")[0] == "pass", "an empty local part is postmaster too (section 4.3)"


@pytest.mark.parametrize("ip", [None, "", "unknown", "192.0.2", "192.0.2.66.1"])
def test_without_an_address_nothing_is_claimed(ip: str | None) -> None:
    assert check_spf(ip, HELO, "ann@pass.example", FakeResolver(ZONE).lookup()) is None


def test_without_a_sender_nothing_is_claimed() -> None:
    assert check_spf(CLIENT, HELO, None, FakeResolver(ZONE).lookup()) is None


@pytest.mark.parametrize(("ip", "result"), [("2001:db8::1", "pass"), ("2001:db9::1", "fail"), ("fe80::1%eth0", "fail")])
def test_ipv6(ip: str, result: str) -> None:
    assert ask("ann@six.example", ip)[0] == result


def test_ipv4_in_ipv6_clothes() -> None:
    assert ask("ann@pass.example", "::ffff:192.0.2.66")[0] == "pass"


def test_the_claim() -> None:
    found = check_spf(CLIENT, HELO, "ann@pass.example", FakeResolver(ZONE).lookup())
    assert found is not None
    claim = of_spf(found)
    assert (claim.method, claim.result, claim.standing, claim.properties) == (
        "spf",
        "pass",
        Standing.VERIFIED,
        (("smtp.mailfrom", "ann@pass.example"),),
    )
    null = check_spf(CLIENT, HELO, "", FakeResolver(ZONE).lookup())
    assert null is not None
    assert of_spf(null).properties == (("smtp.helo", HELO),)


def test_no_time_is_a_temperror() -> None:
    ticks = iter(range(0, 1000, 4))
    dns = FakeResolver(
        {"slow.example": {"TXT": ["v=spf1 a:a.example a:b.example +all"]}}, deadline=5, clock=lambda: float(next(ticks))
    )
    found = check_spf(CLIENT, HELO, "ann@slow.example", dns.lookup())
    assert found is not None
    assert found.result == "temperror"
    assert len(dns.asked) == 2


# --- hostile records ---------------------------------------------------------------------------------------------------------------------------

TERMS = st.one_of(
    st.sampled_from(
        [
            "v=spf1",
            "+all",
            "-all",
            "?all",
            "a",
            "mx",
            "ptr",
            "a:%{l}.%{d}",
            "exists:%{ir}.x.example",
            "include:a.example",
            "include:b.example",
            "redirect=b.example",
            "ip4:192.0.2.0/24",
            "ip6:::/0",
            "exp=%{h}",
            "a:%",
            "mx/99",
            "%{",
            "redirect=",
            "include:",
            "a//",
            "ip4:",
        ]
    ),
    st.text(max_size=10),
)
RECORD = st.lists(TERMS, max_size=8).map(lambda terms: " ".join(["v=spf1", *terms]))


@pytest.mark.heavy
@given(
    RECORD,
    RECORD,
    st.text(max_size=20),
    st.one_of(st.none(), st.text(max_size=20)),
    st.sets(st.sampled_from(["a.example", "b.example"])),
)
@settings(max_examples=300, deadline=None)
def test_hostile_records_never_raise(one: str, two: str, local: str, helo: str | None, failing: set[str]) -> None:
    zone = {
        "a.example": {"TXT": [one.encode("utf-8", "replace").decode()], "A": [CLIENT]},
        "b.example": {"TXT": [two.encode("utf-8", "replace").decode()], "MX": ["1 a.example"]},
    }
    dns = FakeResolver(zone, frozenset(failing))
    found = check_spf(CLIENT, helo, f"{local}@a.example", dns.lookup())
    assert found is not None
    assert found.result in RESULTS
    assert len(dns.asked) <= 100
    if "a.example" in failing:
        assert found.result == "temperror"


@given(st.text(max_size=40), st.one_of(st.none(), st.text(max_size=40)), st.one_of(st.none(), st.text(max_size=20)))
@settings(max_examples=200, deadline=None)
def test_hostile_sessions_never_raise(sender: str, helo: str | None, ip: str | None) -> None:
    found = check_spf(ip, helo, sender, FakeResolver({}).lookup())
    assert found is None or found.result == "none"


ONE_FAMILY = {
    "v4.example": {"TXT": ["v=spf1 a:h1.v4.example a:h2.v4.example a:h3.v4.example ip6:2001:db8::/32 -all"]},
    "v6.example": {"TXT": ["v=spf1 a:k1.v4.example a:k2.v4.example a:k3.v4.example ip4:192.0.2.0/24 -all"]},
    **{f"h{n}.v4.example": {"A": ["198.51.100.1"]} for n in (1, 2, 3)},
    **{f"k{n}.v4.example": {"AAAA": ["2001:db8:1::1"]} for n in (1, 2, 3)},
    "gone.example": {"TXT": ["v=spf1 a:n1.gone.example a:n2.gone.example a:n3.gone.example ip6:2001:db8::/32 -all"]},
}


@pytest.mark.parametrize(
    ("ip", "domain", "result"),
    [
        ("2001:db8::1", "v4.example", "pass"),
        ("192.0.2.1", "v6.example", "pass"),
        ("2001:db9::1", "v4.example", "fail"),
        ("2001:db8::1", "gone.example", "permerror"),
    ],
)
def test_a_host_without_an_address_of_the_client_s_family_is_no_void_lookup(ip: str, domain: str, result: str) -> None:
    found = check_spf(ip, "h.example", f"u@{domain}", FakeResolver(ONE_FAMILY).lookup())
    assert found is not None and found.result == result


MANY = {
    "many.example": {"TXT": ["v=spf1 " + "mx:m.many.example " * 40 + "-all"]},
    "m.many.example": {"MX": [f"{n} n.many.example" for n in range(40)]},
    "n.many.example": {"A": [f"10.{n // 200}.{n % 200}.1" for n in range(1000)]},
}


def test_law_7_terms_hosts_and_addresses_of_a_record_are_no_product() -> None:
    """1.6 million comparisons for three answers that anybody may give."""
    began = time.process_time()
    spf = check_spf("192.0.2.9", "c.example", "eve@many.example", FakeResolver(MANY).lookup())
    assert spf is not None and spf.result == "permerror"
    assert time.process_time() - began < 1


SENDERS = st.sampled_from(["ann", "bob", '"a b"', "postmaster"])
HELOS = st.sampled_from([HELO, "pass.example", "mail.local.example", None])
ASKED = st.tuples(
    SENDERS, st.sampled_from(sorted(ZONE)), HELOS, st.sampled_from([CLIENT, "198.51.100.1", "2001:db8::1"])
)


@given(st.lists(ASKED, max_size=12))
def test_law_what_is_found_out_once_holds_for_everybody(asked: list[tuple[str, str, str | None, str]]) -> None:
    """By whoever was asked about first."""
    zone = {**ZONE, "helo.example": {"TXT": ["v=spf1 exists:%{h}.ok.example -all"]}}
    resolver = FakeResolver(zone, FAILING, kept={})
    for local, domain, helo, ip in asked:
        sender = f"{local}@{domain}"
        alone = check_spf(ip, helo, sender, FakeResolver(zone, FAILING).lookup())
        assert check_spf(ip, helo, sender, resolver.lookup()) == alone


def test_a_record_that_asks_nothing_of_the_sender_is_evaluated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated: list[str] = []
    real = check._evaluate

    def evaluate(query: Query) -> tuple[str, str]:
        evaluated.append(query.l)
        return real(query)

    monkeypatch.setattr(check, "_evaluate", evaluate)
    resolver = FakeResolver(ZONE, FAILING, kept={})
    for local in ("ann", "bob", "ann"):
        check_spf(CLIENT, HELO, f"{local}@pass.example", resolver.lookup())
        check_spf(CLIENT, HELO, f"{local}@local.example", resolver.lookup())
    assert evaluated == ["ann", "ann", "bob", "ann"]
