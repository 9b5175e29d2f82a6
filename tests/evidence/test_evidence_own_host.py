"""A host of ours that trust.networks forgot: SPF lists it, so a pass of SPF says nothing of what it hands on."""

from __future__ import annotations

import ipaddress

import pytest

from dkimgate.config.dkimgate_yaml import Config
from dkimgate.evidence import forgotten_host
from dkimgate.evidence.claims import arrival_of
from dkimgate.evidence.gather import see
from dkimgate.evidence.route import route_of
from dkimgate.facts import Spam
from dkimgate.message.message import Connection
from tests.world.mail import AUTHOR, BORDER, REINJECTED, TRUST, message

LEAVES_FROM = (ipaddress.ip_address("203.0.113.10"), ipaddress.ip_address("2001:db8::10"))
OURS = "mx1.mail.forwarder.example"
PASSES = "Authentication-Results: mx.forwarder.example; {}; dmarc=pass (p=reject dis=none) header.from=hosted.example\n"
BY_SPF = PASSES.replace("; dmarc", "\n" + PASSES.partition(";")[0] + "; dmarc").format(
    "spf=pass smtp.mailfrom=ask@hosted.example"
)
BY_DKIM = "Authentication-Results: mx.forwarder.example; dkim=pass header.d=hosted.example header.s=s\n" + BY_SPF


def border(helo: str = "c.example", name: str = "c.example", ip: str = "198.51.100.9") -> str:
    return BORDER.replace(
        "from client.attacker.example (client.attacker.example [192.0.2.66])", f"from {helo} ({name} [{ip}])"
    )


CLIENTS = {
    "a stranger": (dict[str, str](), False),
    "says a name of ours": ({"helo": OURS}, True),
    "says it in capitals, with a dot": ({"helo": OURS.upper() + "."}, True),
    "has it in DNS": ({"name": OURS}, True),
    "a name that ends like ours": (
        {"helo": "mail.forwarder.example.attacker.example", "name": "xmx.forwarder.example"},
        False,
    ),
    "an address that our mail leaves from": ({"ip": "203.0.113.10"}, True),
    "the same, as an IPv6 socket shows it": ({"ip": "::ffff:203.0.113.10"}, True),
    "of IPv6": ({"ip": "2001:DB8:0::10"}, True),
    "another address": ({"ip": "203.0.113.11"}, False),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_host_of_ours_is_known_by_name_or_address(client: str) -> None:
    told, ours = CLIENTS[client]
    here = message(AUTHOR, Connection(**{"ip": "198.51.100.9", "name": "c.example", "helo": "c.example", **told}))
    before = message(border(**told) + AUTHOR, REINJECTED)
    for arrived in (here, before):
        assert forgotten_host.handed_in(arrived, route_of(arrived, TRUST), TRUST, LEAVES_FROM) is ours


@pytest.mark.parametrize(
    "arrived", [message(AUTHOR), message(AUTHOR, Connection(ip="203.0.113.10", name=OURS, auth="ask"))]
)
def test_mail_from_inside_is_not_handed_in_at_a_border(arrived: object) -> None:
    assert not forgotten_host.handed_in(arrived, route_of(arrived, TRUST), TRUST, LEAVES_FROM)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stated", "client", "dmarc"),
    [
        (BY_SPF, {}, "pass"),  # believed where it earns nothing
        (BY_SPF, {"name": OURS}, "unknown"),
        (BY_SPF, {"ip": "203.0.113.10"}, "unknown"),
        (BY_DKIM, {"name": OURS}, "pass"),
        (BY_SPF.replace("=pass", "=fail"), {"name": OURS}, "fail"),
    ],
)
def test_what_our_verifiers_say_of_such_a_client(stated: str, client: dict[str, str], dmarc: str) -> None:
    """A pass of DMARC needs another reason than SPF; what hurts stays as it is."""
    config = Config(trust=TRUST)
    seen = see(message(stated + border(**client) + AUTHOR), config, LEAVES_FROM)
    arrival, _ = arrival_of(seen.claims, seen.domain, True, TRUST, Spam())
    assert arrival.dmarc == dmarc
    assert arrival.spf == ("fail" if dmarc == "fail" else "none")
