"""The walk along the Received fields, one doubt a test: whatever it can't be sure of ends it, and the message came from outside."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from dkimgate.evidence.route import MAX_HOPS, route_of
from dkimgate.facts import Origin
from dkimgate.message.message import Connection
from tests.world.mail import AUTHOR, BORDER, REINJECTED, TRUST, message

NETWORKS = TRUST.model_copy(update={"networks": (ip_network("203.0.113.0/24"), ip_network("127.0.0.0/8"))})
INSIDE = Connection(ip="203.0.113.9", name="relay.mail.forwarder.example", helo="relay.mail.forwarder.example")
LOGGED_IN = Connection(ip="192.0.2.66", name="pc", helo="pc", auth="user")


def received(text: str) -> str:
    return f"Received: {text}; Sat, 21 Nov 2026 16:20:25 +0000 (UTC)\n"


LOGIN = received("from pc (pc [192.0.2.66])\n\tby mx.forwarder.example (Postfix) with ESMTPSA id 4F2C")
LOCAL = received("by mx.forwarder.example (Postfix, from userid 33)\n\tid 4F2D")
QMAIL = received("(qmail 12345 invoked by uid 89)")
MAPI = received("from mx.forwarder.example ([fe80::1%18]) by mx.forwarder.example ([fe80::1%18]) with mapi id 15.1")
FOREIGN = "Authentication-Results: mx.else.example; dmarc=pass header.from=hosted.example\n"
WELL = FOREIGN.replace("else", "forwarder")


@pytest.mark.parametrize(
    ("header", "client", "origin"),
    [
        # an Exchange mailbox holds mail of anybody's: a result of any host tells that it redirects
        (MAPI + AUTHOR, REINJECTED, Origin.SUBMITTED),
        (MAPI + FOREIGN + AUTHOR, REINJECTED, Origin.FORWARDED),
        (MAPI + LOGIN + AUTHOR, REINJECTED, Origin.SUBMITTED),
        # good results above a login are those of a submission host of ours only in its name
        (WELL + LOGIN + AUTHOR, REINJECTED, Origin.SUBMITTED),
        (FOREIGN + LOGIN + AUTHOR, REINJECTED, Origin.FORWARDED),
        (WELL + "X-Virus-Scanned: yes\n" + LOGIN + AUTHOR, REINJECTED, Origin.SUBMITTED),
        # qmail's fields name no host: where another host handed the message in, one of its own must stand there
        (QMAIL + AUTHOR, REINJECTED, Origin.LOCAL),
        (QMAIL + AUTHOR, INSIDE, Origin.FORWARDED),
        (QMAIL + AUTHOR, LOGGED_IN, Origin.SUBMITTED),
        # a field without a host
        (received("from mx.forwarder.example (x [127.0.0.1])") + AUTHOR, REINJECTED, Origin.FORWARDED),
        # a container is known by its network, so not where no address is told
        (
            received("from mx.forwarder.example ([127.0.0.1])\n\tby 5161f64ea532 with LMTP id 1") + AUTHOR,
            REINJECTED,
            Origin.LOCAL,
        ),
        (
            received("from mx.forwarder.example\n\tby 5161f64ea532 with LMTP id 1") + AUTHOR,
            REINJECTED,
            Origin.FORWARDED,
        ),
    ],
)
def test_where_a_message_came_from(header: str, client: Connection, origin: Origin) -> None:
    assert route_of(message(header, client), NETWORKS).origin is origin


def test_a_host_that_calls_itself_localhost_is_ours_only_inside() -> None:
    inside = received("from mx.forwarder.example ([127.0.0.1]) by localhost (Postfix) with ESMTP id 1")
    assert route_of(message(inside + LOCAL + AUTHOR), NETWORKS).origin is Origin.LOCAL
    outside = received("from client.attacker.example ([192.0.2.66]) by localhost (Postfix) with ESMTP id 1")
    route = route_of(message(outside + AUTHOR), NETWORKS)
    assert (route.origin, route.border) == (Origin.FORWARDED, None), "a border would be believed about the client"


def test_one_address_that_is_not_ours_is_enough() -> None:
    """Which of several is the client's is told differently by every MTA."""
    for addresses in ("[203.0.113.9]) ([192.0.2.66]", "[192.0.2.66]) ([203.0.113.9]", "[192.0.2.66]"):
        hop = received(f"from web (web {addresses})\n\tby mx.forwarder.example (Postfix) with ESMTP id 1")
        assert route_of(message(hop + AUTHOR), NETWORKS).origin is Origin.FORWARDED, addresses
    hop = received("from web (web [203.0.113.9]) ([203.0.113.9])\n\tby mx.forwarder.example (Postfix) with ESMTP id 1")
    assert route_of(message(hop + AUTHOR), NETWORKS).origin is Origin.RELAYED


def test_a_client_that_wrote_nothing_hides_where_it_came_from() -> None:
    silent = Connection(ip="203.0.113.9", name="other.mail.forwarder.example", helo="other.mail.forwarder.example")
    route = route_of(message(LOGIN + AUTHOR, silent), NETWORKS)
    assert (route.origin, route.login) != (Origin.SUBMITTED, 0)
    assert route_of(message(BORDER + AUTHOR, silent), NETWORKS).border is None


def test_every_hop_says_whether_it_is_of_a_host_of_ours() -> None:
    foreign = received("from a (a [192.0.2.66]) by mx.else.example (Postfix) with ESMTP id 1")
    assert [hop.ours for hop in route_of(message(LOCAL + BORDER + AUTHOR), TRUST).hops] == [True, True]
    assert [hop.ours for hop in route_of(message(LOCAL + foreign + AUTHOR), TRUST).hops] == [True, False]


def test_so_many_hops_are_read() -> None:
    for more, origin in ((0, Origin.LOCAL), (1, Origin.FORWARDED)):
        route = route_of(message(LOCAL * (MAX_HOPS + more) + AUTHOR), TRUST)
        assert (route.origin, len(route.hops)) == (origin, MAX_HOPS)


def test_a_delivery_field_without_any_hop_tells_of_a_journey() -> None:
    for name in ("Delivered-To", "X-Original-To"):
        assert route_of(message(f"{name}: bob@hosted.example\n" + AUTHOR), TRUST).origin is Origin.FORWARDED


@pytest.mark.parametrize("helo", ["relay.mail.forwarder.example", "Relay.mail.forwarder.example.", "[192.0.2.7]"])
def test_a_client_is_known_by_each_of_its_names(helo: str) -> None:
    """A host of ours that names itself in HELO as it does behind `by`."""
    trust = TRUST.model_copy(update={"networks": (ip_network("192.0.2.7/32"),), "hosts": (*TRUST.hosts, "192.0.2.7")})
    client = Connection(ip="192.0.2.7", name="unknown", helo=helo)
    by = helo.lower().strip("[].")
    header = f"Received: from a (a [203.0.113.9])\n\tby {by} (Postfix) with ESMTP id 1; x\n" + AUTHOR
    route = route_of(message(header, client), trust)
    assert route.border is not None and route.border.by == by
    stranger = Connection(ip="192.0.2.7", name="unknown", helo="other.mail.forwarder.example")
    assert route_of(message(header.replace(by, "mx.forwarder.example"), stranger), trust).border is None


def test_a_relay_that_nobody_names_ends_what_is_ours() -> None:
    """Its own field at position 0 is ours, and all below may be a stranger's."""
    trust = TRUST.model_copy(update={"networks": (ip_network("203.0.113.0/24"), ip_network("127.0.0.0/8"))})
    hop = "Received: from web (web [203.0.113.9])\n\tby mx.forwarder.example (Postfix) with ESMTP id 1; x\n"
    route = route_of(message(hop + AUTHOR), trust)
    assert (route.origin, route.relay, route.unnamed, route.entered) == (Origin.RELAYED, False, 0, 1)
    direct = route_of(message(AUTHOR, Connection(ip="203.0.113.9", name="web", helo="web")), trust)
    assert (direct.origin, direct.unnamed, direct.entered) == (Origin.RELAYED, -1, 0)
