"""Addresses that no stranger on the Internet can have."""

from __future__ import annotations

import ipaddress

INSIDE = tuple(
    ipaddress.ip_network(text)
    for text in (
        # RFC 6890: for the own network, the own link, the own host; shared behind a provider's NAT; DS-Lite
        *(
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "127.0.0.0/8",
            "0.0.0.0/8",
            "192.0.0.0/24",
        ),
        *("::1/128", "::/128", "fc00::/7", "fe80::/10"),
    )
)
"""What is routed within one network only."""


def is_inside(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Is that an address within one network, which says nothing outside it?"""
    return any(address.version == network.version and address in network for network in INSIDE)
