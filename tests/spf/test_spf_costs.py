"""What an SPF record costs is bounded, however many terms, mail hosts and addresses a stranger multiplies with one another."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
import spf

from dkimgate.gate.envelope_spf import ASSUMED, LOOKUP, outgoing_spf
from dkimgate.postfix.way_out import WayOut
from dkimgate.spf.check import check_spf
from dkimgate.spf.query import MOST_VALUES
from tests.world.dns import FakeResolver

CLIENT = "203.0.113.10"
DOMAIN = "attacker.example"
MANY = [f"198.18.{at >> 8}.{at & 255}" for at in range(4000)]
Zone = dict[str, dict[str, list[str]]]


def _hosts(count: int, addresses: int) -> Zone:
    return {f"n{at}.{DOMAIN}": {"A": MANY[:addresses]} for at in range(count)}


def _mail_hosts(names: list[str]) -> Zone:
    return {f"m.{DOMAIN}": {"MX": [f"{at} {name}" for at, name in enumerate(names)]}}


def _record(*terms: str) -> Zone:
    return {DOMAIN: {"TXT": [" ".join(("v=spf1", *terms, "-all"))]}}


ONE = f"n0.{DOMAIN}"
SHAPES: dict[str, Zone] = {
    "one host with thousands": _record(f"a:{ONE}") | _hosts(1, 4000),
    "ten hosts with thousands": _record(*(f"a:n{at}.{DOMAIN}" for at in range(10))) | _hosts(10, 4000),
    "one host, ten times": _record(*[f"a:{ONE}"] * 10) | _hosts(1, 400),
    "one mail host, ten times, in ten terms": _record(*[f"mx:m.{DOMAIN}"] * 10)
    | _mail_hosts([ONE] * 10)
    | _hosts(1, 100),
    "forty mail hosts in forty terms": _record(*[f"mx:m.{DOMAIN}"] * 40)
    | _mail_hosts([f"n{at}.{DOMAIN}" for at in range(40)])
    | _hosts(40, 100),
    "one mail host, forty times, in forty terms": _record(*[f"mx:m.{DOMAIN}"] * 40)
    | _mail_hosts([ONE] * 40)
    | _hosts(1, 4000),
    "behind a term that nobody knows": _record("foo:bar", *[f"a:{ONE}"] * 10) | _hosts(1, 400),
    "through an include": _record(*["include:i.attacker.example"] * 9)
    | {"i.attacker.example": {"TXT": [f"v=spf1 a:{ONE} -all"]}}
    | _hosts(1, 400),
    "names of the client": _record("ptr")
    | {"10.113.0.203.in-addr.arpa": {"PTR": [f"n{at}.{DOMAIN}" for at in range(10)]}}
    | _hosts(10, 4000),
}


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many addresses pyspf was given to compare, each time."""
    counts: list[int] = []
    real = spf.query.cidrmatch

    def counted(query: spf.query, addresses: list[str], length: int) -> object:
        counts.append(len(addresses))
        return real(query, addresses, length)

    monkeypatch.setattr(spf.query, "cidrmatch", counted)
    return counts


@pytest.mark.parametrize("shape", SHAPES)
def test_law_7_an_spf_record_has_no_more_than_so_many_addresses_compared(shape: str, compared: list[int]) -> None:
    lookup = FakeResolver(SHAPES[shape]).lookup()
    found = check_spf(CLIENT, "c.example", f"eve@{DOMAIN}", lookup)
    assert found is not None and found.result == "permerror"
    assert sum(compared) <= MOST_VALUES
    compared.clear()
    way = WayOut(addresses=(ip_address(CLIENT),), helos=("mx.forwarder.example",))
    assert outgoing_spf(f"eve@{DOMAIN}", way, DOMAIN, lookup) == (True, ASSUMED), "nobody has looked at all of it"
    assert sum(compared) <= 2 * MOST_VALUES, "as the RFC reads it, and as the most generous reader"


def test_as_many_as_honest_hosts_have_are_looked_at() -> None:
    names = [f"n{at}.{DOMAIN}" for at in range(10)]
    zone = _record(*[f"a:{name}" for name in names[:8]], f"mx:m.{DOMAIN}", f"a:last.{DOMAIN}") | _mail_hosts(names)
    zone |= _hosts(10, 50) | {f"last.{DOMAIN}": {"A": [CLIENT]}}
    lookup = FakeResolver(zone).lookup()
    found = check_spf(CLIENT, "c.example", f"eve@{DOMAIN}", lookup)
    assert found is not None and found.result == "pass"
    way = WayOut(addresses=(ip_address(CLIENT),), helos=("mx.forwarder.example",))
    assert outgoing_spf(f"eve@{DOMAIN}", way, DOMAIN, lookup) == (True, LOOKUP)
