"""The way out of a host, found out of its Postfix, its routes and DNS; what can't be known is unknown, and nothing raises."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from dkimgate.config import dkimgate_yaml
from dkimgate.config.dkimgate_yaml import Outgoing
from dkimgate.dns.resolver import Address
from dkimgate.postfix import this_host
from dkimgate.postfix.settings import Settings
from dkimgate.postfix.this_host import System
from dkimgate.postfix.way_out import MOST_DOMAINS, Known, WayOut, configured, find
from tests.world.dns import FakeResolver
from tests.world.host import Host
from tests.world.mail import OUTSIDE, message

V4, V6 = "203.0.113.10", "2001:db8::10"
DEFAULTS = {
    "myhostname": "mx.forwarder.example",
    "mydomain": "forwarder.example",
    "myorigin": "mx.forwarder.example",
    "smtp_helo_name": "mx.forwarder.example",
    "inet_interfaces": "all",
    "inet_protocols": "all",
    "default_transport": "smtp",
    "append_at_myorigin": "yes",
    "append_dot_mydomain": "no",
    "canonical_classes": "envelope_sender, envelope_recipient, header_sender, header_recipient",
    "sender_canonical_classes": "envelope_sender, header_sender",
    "masquerade_classes": "envelope_sender, header_sender, header_recipient",
}
ZONE = {
    "mx.forwarder.example": {"A": ["203.0.113.10"], "AAAA": ["2001:db8::20"]},
    "hosted.example": {"MX": ["10 mx.forwarder.example", "20 backup.forwarder.example"]},
    "backup.forwarder.example": {"A": ["203.0.113.99"]},
    "nomail.example": {"MX": ["0 ."]},
}


def addresses(*texts: str) -> tuple[Address, ...]:
    return tuple(ipaddress.ip_address(text) for text in texts)


def host(
    *sources: str,
    main: Mapping[str, str] | None = None,
    names: Mapping[str, tuple[str, ...]] | None = None,
    services: Mapping[str, tuple[str, ...]] | None = None,
    **more: str,
) -> System:
    """A host with these source addresses and Postfix's defaults, but for `main` and `more`."""
    known = names or {}
    return System(
        lambda: Settings({**DEFAULTS, **(main or {}), **more}, services or {}),
        lambda: addresses(*sources),
        lambda name: addresses(*known.get(name, ())),
    )


def found(
    here: System,
    outgoing: Outgoing | None = None,
    ours: tuple[str, ...] = ("hosted.example", "nomail.example"),
    dns: FakeResolver | None = None,
) -> WayOut:
    return find(outgoing or Outgoing(), ours, here, (dns or FakeResolver(ZONE)).lookup())


def test_routes_and_what_dns_names_are_found() -> None:
    way = found(host(V4, V6))
    assert way.known is Known.FOUND
    assert set(way.addresses) == set(addresses(V4, V6, "2001:db8::20", "203.0.113.99"))
    assert (way.helos, way.origins, way.suffixes) == (
        ("mx.forwarder.example",),
        frozenset({"mx.forwarder.example"}),
        frozenset({""}),
    )
    assert way.rests_on().startswith(f"SPF is looked up for mail from {V4}, ") and "found: " in way.rests_on()


BOTH = (V4, V6)
LEAVING: dict[str, tuple[System, tuple[str, ...]]] = {
    "smtp_bind_address instead of the route": (host("10.0.0.5", smtp_bind_address="203.0.113.7"), ("203.0.113.7",)),
    "smtp_bind_address6": (host(*BOTH, smtp_bind_address6="[2001:db8::7]"), (V4, "2001:db8::7")),
    "of one service": (
        host(V4, services={"smtp_bind_address": ("203.0.113.8", "203.0.113.9")}),
        (V4, "203.0.113.8", "203.0.113.9"),
    ),
    "of one service that stays here": (host(V4, services={"smtp_bind_address": ("127.0.0.1",)}), (V4,)),
    "of one service the route": (
        host(V4, smtp_bind_address="203.0.113.7", services={"smtp_bind_address": ("",)}),
        ("203.0.113.7", V4),
    ),
    "the only address of inet_interfaces": (host(*BOTH, inet_interfaces="203.0.113.7"), ("203.0.113.7", V6)),
    "two of them": (host(V4, inet_interfaces="203.0.113.7, 203.0.113.8"), (V4,)),
    "one beside the loopback": (host(V4, inet_interfaces="127.0.0.1, 203.0.113.7"), (V4,)),
    "the loopback": (host(*BOTH, inet_interfaces="loopback-only"), BOTH),
    "the loopback by its address": (host(*BOTH, inet_interfaces="127.0.0.1 [::1]"), BOTH),
    "by its name": (
        host(V4, inet_interfaces="$x mail.example", names={"$x": ("127.0.0.1",), "mail.example": ("203.0.113.7",)}),
        (V4,),
    ),
    "by its only name": (
        host(V4, inet_interfaces="mail.example", names={"mail.example": ("203.0.113.7",)}),
        ("203.0.113.7",),
    ),
    "without IPv6": (host(*BOTH, inet_protocols="ipv4"), (V4,)),
    "without IPv4": (host(*BOTH, inet_protocols="ipv6"), (V6,)),
    "two ways out": (host(V4, "198.51.100.4"), (V4, "198.51.100.4")),
    "a filter on this host": (host(V4, content_filter="smtp-amavis:[127.0.0.1]:10024"), (V4,)),
    "a filter by a pipe": (
        host(V4, content_filter="spam:dummy", services={"content_filter": ("scan:", "scan:unix:/run/scan")}),
        (V4,),
    ),
}


@pytest.mark.parametrize("case", LEAVING)
def test_where_smtp_sends_from(case: str) -> None:
    """smtp(8): smtp_bind_address, else the only address that Postfix has in that family, else the kernel's choice."""
    here, expected = LEAVING[case]
    way = found(here, dns=FakeResolver({}))
    assert (way.known, set(way.addresses)) == (Known.FOUND, set(addresses(*expected)))


UNKNOWN: dict[str, tuple[System, str]] = {
    "no Postfix": (System(sources=lambda: addresses(V4)), "no Postfix answers on this host"),
    "no route": (host(), "this host has no route to the internet"),
    **{
        f"NAT: {inside}": (
            host(V4, inside),
            f"mail may leave from {ipaddress.ip_address(inside)}, a private address",
        )
        for inside in (
            "10.1.2.3",
            "172.16.0.9",
            "172.31.255.1",
            "192.168.1.2",
            "100.64.0.1",
            "169.254.3.4",
            "fd00::1",
            "fe80::1",
            "192.0.0.2",
        )
    },
    "bound to one behind NAT": (host(V4, smtp_bind_address="10.0.0.5"), "mail may leave from 10.0.0.5"),
    "bound to the loopback": (host(V4, smtp_bind_address="127.0.0.1"), "this host has no route to the internet"),
    "no address": (host(V4, smtp_bind_address="eth0"), "smtp_bind_address = eth0 is not an address"),
    "an unknown name": (host(V4, inet_interfaces="nowhere.example"), "inet_interfaces names nowhere.example"),
    **{
        name: (host(V4, main={name: "x"}), f"`{name}` may send mail through another host")
        for name in (
            *("relayhost", "smtp_fallback_relay", "transport_maps", "sender_dependent_relayhost_maps"),
            *("sender_dependent_default_transport_maps", "multi_instance_directories", "default_transport"),
        )
    },
    "a nexthop for all": (host(V4, default_transport="smtp:[relay.example]"), "`default_transport`"),
    "relayhost of a service": (host(V4, services={"relayhost": ("[relay.example]",)}), "`relayhost`"),
    "a filter elsewhere": (host(V4, content_filter="scan:[filter.example]:10025"), "`content_filter`"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_can_not_be_known_is_unknown_and_dns_is_not_asked(case: str) -> None:
    here, why = UNKNOWN[case]
    dns = FakeResolver(ZONE)
    way = found(here, dns=dns)
    assert (way.known, way.addresses) == (Known.UNKNOWN, ())
    assert way.why.startswith(why)
    assert f"are unknown ({way.why}), so every aligned sender is assumed to pass SPF" in way.rests_on()
    assert dns.asked == []


def test_the_configuration_wins() -> None:
    dns = FakeResolver(ZONE)
    outgoing = Outgoing(
        addresses=("198.51.100.1",), helo="out.example", origin="origin.example", rewrites_senders=False
    )
    way = found(host(V4, sender_canonical_maps="static:x", relayhost="x"), outgoing, dns=dns)
    assert (way.addresses, way.known, way.helos) == (addresses("198.51.100.1"), Known.CONFIGURED, ("out.example",))
    assert (way.origins, way.rewritten_by, dns.asked) == (frozenset({"origin.example"}), (), [])
    assert way.rests_on() == "SPF is looked up for mail from 198.51.100.1 (departure.addresses)"
    assert found(host(V4), Outgoing(rewrites_senders=True)).rewritten_by == ("departure.rewrites_senders",)
    nobody_looks = found(host(V4), Outgoing(addresses=()))
    assert (nobody_looks.known, nobody_looks.why) == (Known.UNKNOWN, "departure.addresses names none")
    assert configured(Outgoing()).known is Known.UNKNOWN


APPENDED: dict[str, tuple[dict[str, str], object, object]] = {
    "as is": ({}, {"mx.forwarder.example"}, {""}),
    "turned off": ({"append_at_myorigin": "no"}, None, {""}),
    "a file that is not there": ({"myorigin": ""}, None, {""}),
    "no name": ({"myorigin": "Mail Host"}, None, {""}),
    "in capitals": ({"myorigin": "Forwarder.Example."}, {"forwarder.example"}, {""}),
    "mydomain": ({"append_dot_mydomain": "yes"}, {"mx.forwarder.example"}, {"forwarder.example"}),
    "no mydomain": ({"append_dot_mydomain": "yes", "mydomain": ""}, {"mx.forwarder.example"}, None),
    "neither yes nor no": ({"append_dot_mydomain": ""}, {"mx.forwarder.example"}, None),
}


@pytest.mark.parametrize("case", APPENDED)
def test_what_postfix_appends(case: str) -> None:
    main, origins, suffixes = APPENDED[case]
    way = found(host(V4, main=main))
    assert (way.origins, way.suffixes) == (origins, suffixes)


def test_services_may_have_their_own() -> None:
    services = {"myorigin": ("a.example",), "append_dot_mydomain": ("yes",), "smtp_helo_name": ("b.example",)}
    way = found(host(V4, services=services))
    assert (way.origins, way.suffixes) == (
        frozenset({"mx.forwarder.example", "a.example"}),
        frozenset({"", "forwarder.example"}),
    )
    assert way.helos == ("b.example", "mx.forwarder.example")
    assert found(host(V4, smtp_helo_name="")).helos == ("mx.forwarder.example",)
    assert found(host(V4, smtp_helo_name="[192.0.2.1]")).helos == ()


def test_tables_that_make_other_senders_are_found_where_they_are_for_the_envelope() -> None:
    tables = {"canonical_maps": "hash:/a", "sender_canonical_maps": "hash:/b", "smtp_generic_maps": "hash:/c"}
    assert found(host(V4, main=tables)).rewritten_by == ("canonical_maps", "sender_canonical_maps", "smtp_generic_maps")
    header = {"canonical_classes": "header_sender", "sender_canonical_classes": "header_sender"}
    assert found(host(V4, main=tables | header)).rewritten_by == ("smtp_generic_maps",)
    assert found(host(V4, services={"smtp_generic_maps": ("hash:/c",)})).rewritten_by == ("smtp_generic_maps",)
    way = found(host(V4, main=tables))
    assert "canonical_maps" in way.rests_on() and way.warnings() and found(host(V4)).warnings() == []


@pytest.mark.parametrize(
    ("items", "name", "cut"),
    [
        ("a.example", "x.a.example", "a.example"),
        ("a.example", "a.example", "a.example"),
        ("a.example", "xa.example", "xa.example"),
        ("b.a.example, a.example", "x.b.a.example", "b.a.example"),
        ("a.example b.a.example", "x.b.a.example", "a.example"),
        ("!b.a.example a.example", "x.b.a.example", "x.b.a.example"),
        ("a.example !b.a.example", "x.b.a.example", "a.example"),
        ("!!a.example", "x.a.example", "a.example"),
        ("! , A.Example", "x.a.example", "a.example"),
        ("", "x.a.example", "x.a.example"),
    ],
)
def test_masquerade_domains(items: str, name: str, cut: str) -> None:
    """postconf(5): left to right, the first match decides, and ! spares."""
    assert found(host(V4, masquerade_domains=items)).cut(name) == cut


def test_only_so_many_domains_are_asked_about_and_a_dead_name_server_is_no_harm() -> None:
    dns = FakeResolver(ZONE)
    found(host(V4), ours=tuple(f"{number}.example" for number in range(1000)), dns=dns)
    assert len(dns.asked) == MOST_DOMAINS + 2
    dead = FakeResolver(ZONE, frozenset(ZONE))
    way = found(host(V4), dns=dead)
    assert (way.known, way.addresses) == (Known.FOUND, addresses(V4))


def _raises(*_: object) -> tuple[Address, ...]:
    raise RuntimeError("an odd host")


@pytest.mark.parametrize(
    "here",
    [
        System(lambda: _raises()),  # type: ignore[arg-type, return-value]
        System(lambda: Settings(DEFAULTS), _raises),
        System(lambda: Settings(DEFAULTS | {"inet_interfaces": "x"}), lambda: (), _raises),
        System(lambda: Settings({})),
        System(lambda: Settings({"inet_protocols": "\udcff", "myorigin": "\0", "masquerade_domains": "!"})),
    ],
)
def test_nothing_that_a_host_says_raises(here: System) -> None:
    way = found(here)
    assert (way.known, way.addresses) == (Known.UNKNOWN, ())
    assert way.cut("a.example") == "a.example"


def test_the_real_host_answers_in_time() -> None:
    """Whatever machine this is: it must not raise, nor wait for anybody."""
    started = time.monotonic()
    assert all(address.version in (4, 6) for address in this_host.sources())
    assert all(address.is_loopback for address in this_host.addresses_of("localhost"))
    assert this_host.addresses_of("--help") == this_host.addresses_of("\0") == this_host.addresses_of("") == ()
    assert time.monotonic() - started < 5 * this_host.SECONDS


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(
    ("here", "source"),
    [(System, "assumed"), (lambda: host("10.0.0.5"), "assumed"), (lambda: host("203.0.113.10"), "lookup")],
)
def test_the_second_door_of_a_domain_without_a_key(
    here: Callable[[], System], source: str, named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is configured under `departure:`. A customer's domain whose mail leaves by us names us in its SPF record; we hold no key of it."""
    monkeypatch.setattr(this_host, "this_host", here)
    record = "v=spf1 ip4:203.0.113.10 -all" if named else "v=spf1 -all"
    loaded = Host(
        tmp_path,
        "trust: null\nkeys: null\nverify: {when: never, nameservers: [127.0.0.1], port: 9, deadline: 0.1}\n",
        "version: 1\nrules: [{name: all, envelope: unalign, otherwise: hold}]\n",
        zone={"partner.example": {"TXT": [record]}},
    )
    came = message("From: boss@partner.example\n", OUTSIDE, "boss@partner.example")
    assessment = loaded.gate.assess(came, b"")
    assert (assessment.facts.spf_passes, assessment.facts.spf_source) == (source == "assumed" or named, source)
    assert assessment.decision.disposition == ("hold" if assessment.facts.spf_passes else "accept")


def test_the_address_list_may_be_empty_and_that_is_not_the_same_as_none() -> None:
    assert dkimgate_yaml.Config().departure.addresses is None
    assert Outgoing(addresses=()).addresses == ()


@pytest.mark.parametrize(
    ("said", "owners"), [(None, ("hash:/a", "ldap:b")), (False, ("hash:/a",)), (True, ("hash:/a", "ldap:b"))]
)
def test_owners_of_aliases_that_were_seen_are_there_whatever_is_said(
    said: bool | None, owners: tuple[str, ...]
) -> None:
    """`rewrites_senders: false` vouches for tables that can't be read."""
    for expand in ("no", "yes"):
        settings = Settings({**DEFAULTS, "expand_owner_alias": expand}, owners={"hash:/a": True, "ldap:b": False})
        way = found(System(lambda settings=settings: settings), Outgoing(rewrites_senders=said))  # type: ignore[misc]
        assert way.owners == owners
        assert ("expand_owner_alias" in way.rewritten_by) is (said is None and expand == "yes")
