"""What is asked of the host that this runs on. All of it is asked through one object, so that no test hangs on the
machine it runs on."""

from __future__ import annotations

import functools
import ipaddress
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from dkimgate.dns.resolver import Address
from dkimgate.postfix import settings

SECONDS = 2.0
"""How long the host may take for the addresses of a name."""

# Name servers of the root and of large zones, all over the address space: where a host has several ways out, they show
# more than one. Nothing is sent to them.
_FAR = (
    *("8.8.8.8", "193.0.14.129", "198.41.0.4", "202.12.27.33", "77.88.8.8", "41.208.78.1"),
    *("2001:4860:4860::8888", "2001:7fd::1", "2001:dc3::35", "2620:fe::fe", "2a02:6b8::feed:ff", "2c0f:fb50::1"),
)


def sources() -> tuple[Address, ...]:
    """The addresses that the kernel would give to packets for the internet, by its routes. No packet is sent. Never
    raises."""
    found: dict[Address, None] = {}
    for far in _FAR:
        try:
            with socket.socket(socket.AF_INET6 if ":" in far else socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect((far, 25))
                found[ipaddress.ip_address(probe.getsockname()[0].partition("%")[0])] = None
        except (OSError, ValueError):
            continue  # no route, or no such family here
    return tuple(found)


def addresses_of(name: str) -> tuple[Address, ...]:
    """The addresses of a name as this host resolves it, /etc/hosts included; empty where it does not, in SECONDS. Never
    raises."""
    try:
        # getaddrinfo can't be bounded in time, and a thread must not be left behind in a process that forks
        done = subprocess.run(
            ["getent", "ahosts", "--", name], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=True
        )
        words = [line.split()[0] for line in done.stdout.decode("ascii", "replace").splitlines() if line.strip()]
        return tuple(dict.fromkeys(ipaddress.ip_address(word.partition("%")[0]) for word in words))
    except (OSError, ValueError, subprocess.SubprocessError):
        return ()


@dataclass(frozen=True, slots=True)
class System:
    """The host: its Postfix, its routes, and the names that it knows. By default of a host without any of them."""

    postfix: Callable[[], settings.Settings | None] = lambda: None
    sources: Callable[[], tuple[Address, ...]] = lambda: ()
    addresses_of: Callable[[str], tuple[Address, ...]] = lambda name: ()


def this_host() -> System:
    """The host that this runs on, whose Postfix is asked once for all that is loaded together. Tests put another
    function in the place of this one."""
    return System(functools.cache(settings.ask), sources, addresses_of)
