"""What `check` says of trusted networks that strangers may stand behind: tables of what the kernel prints."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path

import pytest

from dkimgate.cli.check_networks import hidden6, of
from dkimgate.config.dkimgate_yaml import Trust
from tests.problems import told

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the tables are of a little-endian machine")

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
ROUTES = (
    HEAD
    + "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"  # default by 192.0.2.1
    + "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"  # 192.0.2.0/24
    + "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"  # 172.17.0.0/16
)

SAID = [
    ("127.0.0.0/8", (), False, []),
    ("::1/128", (), False, []),
    ("192.0.2.7/32", (), False, []),
    ("192.0.2.0/24", (), False, ["trust.network-with-strangers"]),
    ("192.0.2.1/32", (), False, ["trust.network-with-strangers"]),
    ("172.17.0.0/24", ("docker0",), False, ["trust.network-with-strangers"]),
    ("172.17.0.1/32", ("docker0",), False, ["trust.network-with-strangers"]),
    ("172.17.0.0/24", (), False, []),  # an ordinary network
    ("172.16.0.0/12", ("docker0",), False, ["trust.network-with-strangers", "trust.network-wide"]),
    ("172.16.0.0/12", ("docker0",), True, []),
    ("10.0.0.0/23", (), False, ["trust.network-wide"]),
    ("10.0.0.0/24", (), False, []),
    ("2001:db8::/63", (), False, ["trust.network-wide"]),
    ("2001:db8::/64", (), False, []),
]


@pytest.mark.parametrize(("network", "bridges", "wide", "said"), SAID)
def test_a_trusted_network(network: str, bridges: tuple[str, ...], wide: bool, said: list[str]) -> None:
    found = told(of(Trust(networks=(network,), wide=wide), ROUTES, bridges))
    assert found == said


@pytest.mark.parametrize(
    "routes",
    [
        "",
        HEAD,
        HEAD + "eth0\n",
        HEAD + "eth0\tzz\tyy\t1\t0\t0\t0\txx\n",
        HEAD + "e\tFFFFFFFFFF\t1FFFFFFFF\t1\t0\t0\t0\t0\n",
    ],
)
def test_routes_that_cannot_be_read_say_nothing(routes: str) -> None:
    assert list(of(Trust(networks=("192.0.2.0/24",)), routes, ("eth0", "e"))) == []


def test_a_relay_outside_the_trusted_networks() -> None:
    trust = Trust(networks=("10.0.0.0/24",), relays=("10.0.0.5/32", "10.0.1.5/32"))
    assert ["10.0.1.5/32" in finding.text for finding in of(trust, "", ())] == [True]


def route6(destination: str, length: int, gateway: str, flags: int, interface: str) -> str:
    address, by = (ipaddress.IPv6Address(text).packed.hex() for text in (destination, gateway))
    return f"{address} {length:02x} {'0' * 32} 00 {by} 00000100 00000001 00000000 {flags:08x} {interface:>8}\n"


ROUTES6 = (
    route6("::", 0, "2001:db8:1::1", 3, "eth0")
    + route6("2001:db8:1::", 64, "::", 1, "eth0")
    + route6("fd00:17::", 64, "::", 1, "docker0")
    + route6("fd00:18::", 64, "::", 0, "docker0")  # not up
    + route6("::1", 128, "::", 0x80200001, "lo")
)


@pytest.mark.parametrize(
    ("network", "bridges", "wide", "said"),
    [
        ("2001:db8:1::/64", (), False, ["trust.network-with-strangers"]),
        ("2001:db8:1::7/128", (), False, []),
        ("fd00:17::/64", ("docker0",), False, ["trust.network-with-strangers"]),
        ("fd00:17::1/128", ("docker0",), False, ["trust.network-with-strangers"]),
        ("fd00:17::/64", ("docker0",), True, []),
        ("fd00:17::/64", (), False, []),
        ("fd00:18::/64", ("docker0",), False, []),
        ("::1/128", ("lo",), False, []),
    ],
)
def test_a_trusted_network_of_ipv6(network: str, bridges: tuple[str, ...], wide: bool, said: list[str]) -> None:
    found = told(of(Trust(networks=(network,), wide=wide), ROUTES, bridges, ROUTES6))
    assert found == said


@pytest.mark.parametrize(
    "routes",
    ["\n", "fd00\n", f"{'f' * 40} 40 0 0 0 0 0 0 1 docker0\n", f"{'0' * 32} ff 0 0 0 0 0 0 1 docker0\n", "z z z\n"],
)
def test_routes_of_ipv6_that_cannot_be_read_say_nothing(routes: str) -> None:
    assert list(of(Trust(networks=("fd00::/64",)), "", ("docker0",), routes)) == []


def test_what_the_kernel_here_prints_is_read() -> None:
    text = Path("/proc/net/ipv6_route").read_text() if Path("/proc/net/ipv6_route").exists() else ""
    names = {line.split()[-1] for line in text.splitlines()}
    up = [line for line in text.splitlines() if int(line.split()[8], 16) & 1]
    assert len(hidden6(text, names)) == len(up)
