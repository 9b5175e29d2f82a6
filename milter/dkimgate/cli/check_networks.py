"""Can strangers come through a trusted network? Finds bridges and gateways of this host, and large networks."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from dkimgate.cli.finding import Finding
from dkimgate.config.dkimgate_yaml import Config, Trust
from dkimgate.config.values import Network

_ROUTES, _ROUTES6, _INTERFACES = Path("/proc/net/route"), Path("/proc/net/ipv6_route"), Path("/sys/class/net")
_UP = 0x1  # RTF_UP of the column Flags


def findings(settings: Config) -> Iterator[Finding]:
    """What `check` says of `trust.networks`, by what the kernel says of this host."""
    bridges = frozenset(path.parent.name for path in _INTERFACES.glob("*/bridge"))
    yield from of(settings.trust, _read(_ROUTES), bridges, _read(_ROUTES6))


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii", "replace")
    except OSError:
        return ""


def of(trust: Trust, routes: str, bridges: Collection[str], routes6: str = "") -> Iterator[Finding]:
    """The same, from the texts of /proc/net/route and /proc/net/ipv6_route and the names of the bridges. No findings if
    the configuration allows it (`trust.wide`)."""
    if not trust.wide:
        held = [*hidden(routes, bridges), *hidden6(routes6, bridges)]
        for network in trust.networks:
            yield from _of_network(network, held)
    for relay in trust.relays:
        if not any(relay.version == network.version and relay.subnet_of(network) for network in trust.networks):  # type: ignore[arg-type]
            yield Finding(
                "warning",
                "trust.relay-outside-networks",
                f"trust.relays: {relay} is not in trust.networks, so its mail does not count as relayed: add it there",
            )


def _of_network(network: Network, held: Sequence[tuple[Network, str]]) -> Iterator[Finding]:
    if network.is_loopback:
        return
    told = [text for other, text in held if other.version == network.version and other.overlaps(network)]
    if told:
        yield Finding(
            "warning",
            "trust.network-with-strangers",
            f"trust.networks: {network} contains {' and '.join(dict.fromkeys(told))}, so strangers may come from that "
            "address. Give Postfix the true client address (PROXY protocol, XCLIENT), name single hosts, or set "
            "`trust.wide: true`. Never name it in trust.relays",
        )
    if network.prefixlen < (24 if network.version == 4 else 64):
        yield Finding(
            "warning",
            "trust.network-wide",
            f"trust.networks: {network} is large, and every client in it counts as yours. Name single hosts, or set "
            "`trust.wide: true`",
        )


def hidden(routes: str, bridges: Collection[str]) -> list[tuple[Network, str]]:
    """The networks behind bridges and the addresses of gateways, in the text of /proc/net/route, each with what it is.
    A line that can't be read is none."""
    found: list[tuple[Network, str]] = []
    for line in routes.splitlines()[1:]:
        words = line.split()
        try:
            interface, destination, gateway, flags, mask = words[0], *(int(words[at], 16) for at in (1, 2, 3, 7))
            if not flags & _UP:
                continue
            if gateway:
                found.append((ipaddress.ip_network(_address(gateway)), f"the gateway {_address(gateway)} of this host"))
            elif interface in bridges:
                network = ipaddress.ip_network(f"{_address(destination)}/{_address(mask)}")
                found.append((network, f"the network of the bridge {interface}"))
        except (IndexError, ValueError, struct.error):
            continue
    return found


def hidden6(routes: str, bridges: Collection[str]) -> list[tuple[Network, str]]:
    """The same, in the text of /proc/net/ipv6_route (destination, length, source, length, gateway, metric, counters,
    flags, interface)."""
    found: list[tuple[Network, str]] = []
    for line in routes.splitlines():
        words = line.split()
        try:
            destination, length, gateway, flags = (int(words[at], 16) for at in (0, 1, 4, 8))
            interface = words[9]
            if not flags & _UP:
                continue
            if gateway:
                by = ipaddress.IPv6Address(gateway)
                found.append((ipaddress.ip_network(by), f"the gateway {by} of this host"))
            elif interface in bridges:
                network = ipaddress.IPv6Network((destination, length))
                found.append((network, f"the network of the bridge {interface}"))
        except (IndexError, ValueError):
            continue
    return found


def _address(number: int) -> str:
    """The kernel prints addresses as numbers in the byte order of the machine."""
    return str(ipaddress.IPv4Address(struct.pack("=I", number)))
