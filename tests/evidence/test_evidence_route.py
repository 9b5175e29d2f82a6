"""Received fields of many hosts, and the origin that follows from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.config.dkimgate_yaml import Trust
from dkimgate.evidence.route import MAX_HOPS, hops_below, route_of
from dkimgate.facts import Origin
from dkimgate.message.message import Connection
from tests.world.mail import AUTHOR, BORDER, OUTSIDE, REINJECTED, TRUST, message


def _received(text: str) -> str:
    return f"Received: {text}; Sat, 21 Nov 2026 16:20:25 +0000\n"


USERID = _received("by mx.forwarder.example (Postfix, from userid 1000) id 1")
AMAVIS = _received(
    "from mx.forwarder.example ([127.0.0.1])\n by localhost (mx.forwarder.example [127.0.0.1]) (amavisd-new, port 10024) with ESMTP id 1"
)
LOGIN = _received("from laptop (client.example [203.0.113.5])\n by mx.forwarder.example (Postfix) with ESMTPSA id 1")
STRANGER = _received("from a (b [198.51.100.3])\n by mx.elsewhere.example (Postfix) with ESMTP id 1")
LMTP = _received("from mx.forwarder.example\n by imap.mail.forwarder.example with LMTP id 1")
LMTP_FROM_OUTSIDE = _received("from mx.attacker.example\n by imap.mail.forwarder.example with LMTP id 1")
CYRUS = _received("from mx.forwarder.example ([unix socket])\n\t by mx.forwarder.example (Cyrus 3.6) with LMTPA")
CONTAINER = _received("from mx.forwarder.example ([127.0.0.1])\n\tby 5161f64ea532 with LMTP\n\tid AbC")
QMAIL = "Received: (qmail 12345 invoked by uid 89); Sat, 21 Nov 2026 16:20:25 +0000\n"
MAPI = _received("from mx.forwarder.example ([fe80::1%18]) by mx.forwarder.example ([fe80::1%18]) with mapi id 15.1")
OTHER_RESULTS = "Authentication-Results: mx.forwarder.example; dmarc=none header.from=x.example\n"
LOGGED_IN = Connection(ip="203.0.113.5", auth="ask@hosted.example")
RELAY = Connection(ip="10.1.2.3", name="unknown")

ORIGINS = [
    ("sendmail(1), no Received field", AUTHOR, REINJECTED, Origin.LOCAL),
    ("a local process whose mail passed the content filter", AMAVIS + USERID + AUTHOR, REINJECTED, Origin.LOCAL),
    ("pipe into sendmail(1)", BORDER + AUTHOR, REINJECTED, Origin.FORWARDED),
    ("content filter, then pipe", USERID + AMAVIS + BORDER + AUTHOR, REINJECTED, Origin.FORWARDED),
    ("Dovecot LMTP", LMTP + BORDER + AUTHOR, REINJECTED, Origin.FORWARDED),
    ("LMTP from a client that is not ours", LMTP_FROM_OUTSIDE + AUTHOR, REINJECTED, Origin.FORWARDED),
    ("a client that is not ours", AUTHOR, OUTSIDE, Origin.INBOUND),
    ("a client without an address", AUTHOR, Connection(ip=None), Origin.INBOUND),
    ("a client whose address is nonsense", AUTHOR, Connection(ip="127.0.0.1 "), Origin.INBOUND),
    ("an inbound message that pretends to be local", USERID + AUTHOR, OUTSIDE, Origin.INBOUND),
    ("a login", AUTHOR, LOGGED_IN, Origin.SUBMITTED),
    ("a login through the content filter", AMAVIS + LOGIN + AUTHOR, REINJECTED, Origin.SUBMITTED),
    ("a customer's server that logs in, of a stranger's mail", STRANGER + AUTHOR, LOGGED_IN, Origin.FORWARDED),
    ("a client program that redirects by a login", BORDER + AUTHOR, LOGGED_IN, Origin.FORWARDED),
    ("the same through the content filter", AMAVIS + LOGIN + BORDER + AUTHOR, REINJECTED, Origin.FORWARDED),
    ("a relay that trust.hosts does not know", STRANGER + AUTHOR, REINJECTED, Origin.FORWARDED),
    (
        "Received fields removed, other traces left",
        "Delivered-To: ask@hosted.example\n" + AUTHOR,
        REINJECTED,
        Origin.FORWARDED,
    ),
    (
        "Received fields removed, a verdict left",
        "Authentication-Results: x; none\n" + AUTHOR,
        REINJECTED,
        Origin.FORWARDED,
    ),
    ("Cyrus delivers what a stranger sent", CYRUS + STRANGER + AUTHOR, REINJECTED, Origin.FORWARDED),
    (
        "a field that a container wrote of a stranger",
        CONTAINER.replace("127.0.0.1", "192.0.2.66") + AUTHOR,
        REINJECTED,
        Origin.FORWARDED,
    ),
    (
        "a container that took it from no host of ours",
        CONTAINER.replace("mx.forw", "x.forw") + AUTHOR,
        REINJECTED,
        Origin.FORWARDED,
    ),
    ("a container takes no logins", CONTAINER.replace("LMTP", "ESMTPA") + AUTHOR, REINJECTED, Origin.FORWARDED),
    ("local(8) forwards what a container delivered", CONTAINER + BORDER + AUTHOR, REINJECTED, Origin.FORWARDED),
    ("qmail, of a local process", QMAIL + AUTHOR, REINJECTED, Origin.LOCAL),
    (
        "qmail, and the field of the network is gone",
        QMAIL.replace("by uid 89", "from network") + AUTHOR,
        REINJECTED,
        Origin.FORWARDED,
    ),
    ("an Exchange mailbox that redirects", MAPI + BORDER + AUTHOR, REINJECTED, Origin.FORWARDED),
    ("an Exchange mailbox that redirects what a stranger sent", MAPI + STRANGER + AUTHOR, REINJECTED, Origin.FORWARDED),
    ("a login below results of another author", OTHER_RESULTS + LOGIN + AUTHOR, REINJECTED, Origin.FORWARDED),
    ("a login below a failure", OTHER_RESULTS.replace("none", "fail") + LOGIN + AUTHOR, REINJECTED, Origin.FORWARDED),
    (
        "a login below our own good results",
        OTHER_RESULTS.replace("x.example", "hosted.example") + LOGIN + AUTHOR,
        REINJECTED,
        Origin.SUBMITTED,
    ),
    ("a login above our own results", LOGIN + OTHER_RESULTS + AUTHOR, REINJECTED, Origin.FORWARDED),
    (
        "a login above results of a customer's server",
        LOGIN + OTHER_RESULTS.replace("mx.", "x.") + AUTHOR,
        REINJECTED,
        Origin.FORWARDED,
    ),
    ("more Received fields than are read", USERID * 101 + AUTHOR, REINJECTED, Origin.FORWARDED),
    ("a network that is not in trust.networks", AUTHOR, RELAY, Origin.INBOUND),
    ("white space before the colon", BORDER.replace("Received:", "received :") + AUTHOR, REINJECTED, Origin.FORWARDED),
]


@pytest.mark.parametrize(("what", "header", "connection", "origin"), ORIGINS, ids=[row[0] for row in ORIGINS])
def test_origin(what: str, header: str, connection: Connection, origin: Origin) -> None:
    route = route_of(message(header, connection), TRUST)
    assert route.origin is origin, route.why
    assert route.why


def test_the_border_is_the_newest_hop_with_a_client_not_ours() -> None:
    """A message that came by twice: only what stands above its newest entry is ours."""
    route = route_of(message(USERID + BORDER + STRANGER + BORDER.replace("66", "77") + AUTHOR), TRUST)
    assert route.border is not None
    assert (route.border.by, route.border.ip) == ("mx.forwarder.example", "192.0.2.66")
    assert route.ours_above == 1


@pytest.mark.parametrize(
    ("above", "connection", "read"),
    [("", OUTSIDE, 0), (BORDER, REINJECTED, 1), (USERID + AMAVIS + BORDER, REINJECTED, 3), ("", REINJECTED, 1)],
)
def test_what_a_sender_wrote_is_not_read_but_shown(above: str, connection: Connection, read: int) -> None:
    """Law 7: his Received fields cost no more than it takes to find them."""
    arrived = message(above + STRANGER * 150 + AUTHOR, connection)
    route = route_of(arrived, TRUST)
    assert len(route.hops) == read
    shown = (*route.hops, *hops_below(route, arrived))
    assert [hop.position for hop in shown] == list(range(MAX_HOPS))
    assert {hop.by for hop in shown[max(read, 1) :]} == {"mx.elsewhere.example"}


def test_nothing_below_a_login_is_ours() -> None:
    route = route_of(
        message(LOGIN + "Authentication-Results: mx.forwarder.example; dmarc=pass\n" + BORDER + AUTHOR), TRUST
    )
    assert route.origin is Origin.FORWARDED
    assert route.ours_above == 0


WELL = "dmarc=pass header.from=hosted.example"
OURS = "Authentication-Results: mx.forwarder.example; "


@pytest.mark.parametrize(
    "stated",
    [
        WELL,
        WELL.replace("pass", "none"),
        WELL.replace("pass", "pass (p=reject dis=none)"),
        "dmarc=none (p=none sp=none pct=50 dis=none) header.from=hosted.example",
    ],
)
def test_good_results_of_our_own_users_mail_are_no_trace_of_a_journey(stated: str) -> None:
    """OpenDMARC, where it sees what users submit."""
    assert route_of(message(f"{OURS}{stated}\n" + LOGIN + AUTHOR), TRUST).origin is Origin.SUBMITTED


@pytest.mark.parametrize(
    "above",
    {
        "a selector, raw": f"{OURS}dkim=permerror header.d=attacker.example header.s=x {WELL}\n",
        "an identity, decoded": f"{OURS}dkim=permerror header.d=attacker.example header.i=x; {WELL}\n",
        "in quotation marks": f'{OURS}dkim=permerror header.d=attacker.example header.s="x; {WELL}"\n',
        "the text of an SPF record": f"{OURS}spf=fail (x; {WELL}) smtp.mailfrom=attacker.example\n",
        "a local part": f"{OURS}{WELL} smtp.mailfrom=x\n",
        "a reason": f'{OURS}dmarc=fail reason="x; {WELL}" header.from=hosted.example\n',
        "beside a result of DKIM": f"{OURS}{WELL}\n{OURS}dkim=none\n",
        "Received-SPF of ours": f"{OURS}{WELL}\nReceived-SPF: pass\n",
    }.items(),
    ids=lambda item: item[0],
)
def test_what_a_verifier_may_have_printed_vouches_for_no_login(above: tuple[str, str]) -> None:
    """A pipe that drops the border's Received field alone leaves a login that the sender wrote as the newest."""
    assert route_of(message(above[1] + LOGIN + AUTHOR), TRUST).origin is Origin.FORWARDED


@pytest.mark.parametrize(
    "below",
    [
        "Received-SPF: pass (x) envelope-from=friend@hosted.example\n",
        "Authentication-Results: (x) mx.forwarder.example; spf=pass smtp.mailfrom=hosted.example\n",
        "DKIM-Signature: v=1; d=attacker.example; s=header.d=hosted.example; b=abcd\n",
        "ARC-Seal: i=1; d=attacker.example\n",
    ],
    ids=lambda text: text.partition(":")[0],
)
def test_what_may_have_misled_a_verifier_stands_below_no_login(below: str) -> None:
    assert route_of(message(f"{OURS}{WELL}\n" + LOGIN + below + AUTHOR), TRUST).origin is Origin.FORWARDED
    assert route_of(message(f"{OURS}{WELL}\n" + LOGIN + AUTHOR + below), TRUST).origin is Origin.FORWARDED
    signed = below.startswith("DKIM")
    alone = route_of(message(LOGIN + below.replace("mx.forwarder", "x") + AUTHOR), TRUST).origin
    assert alone is (Origin.SUBMITTED if signed else Origin.FORWARDED), "a user may sign, and verifies nothing"


@given(st.text(max_size=200), st.sampled_from([BORDER, USERID + BORDER, AMAVIS + BORDER, LMTP + BORDER]))
def test_nothing_a_sender_writes_moves_the_border(below: str, above: str) -> None:
    """Whatever stands below the border's field, Received fields of any kind among it, origin and border stay."""
    forged = "".join(f"{line}\n" for line in below.splitlines() if ":" in line) + USERID + LOGIN
    route = route_of(message(above + forged + AUTHOR), TRUST)
    assert route.origin is Origin.FORWARDED
    assert route.border is not None and route.border.ip == "192.0.2.66"


NETWORKS = Trust(
    hosts=("mx.forwarder.example", "web.forwarder.example"),
    authserv_ids=("mx.forwarder.example",),
    networks=("127.0.0.0/8", "10.0.0.0/8", "172.18.0.0/16"),
    relays=("10.0.0.5/32", "127.0.0.2/32"),
)
BRIDGE = _received("from c.attacker.example (unknown [172.18.0.1])\n by mx.forwarder.example (Postfix) with ESMTP id 1")
WEB = _received("from web.forwarder.example (unknown [10.0.0.5])\n by mx.forwarder.example (Postfix) with ESMTP id 1")
WEB_MADE_IT = _received("by web.forwarder.example (Postfix, from userid 33)\n id 1")
WEB_LOGIN = _received(
    "from laptop (client.example [203.0.113.5])\n by web.forwarder.example (Postfix) with ESMTPSA id 1"
)
RESULTS = "Authentication-Results: mx.forwarder.example; dmarc=pass header.from=hosted.example\n"
BY_BRIDGE = Connection(ip="172.18.0.1", name="unknown", helo="mx.forwarder.example")
BY_WEB = Connection(ip="10.0.0.5", name="unknown", helo="web.forwarder.example")

RELAYED = [
    # what, header, connection, origin, relay, outside, ours_above
    ("a bridge, in this session", AUTHOR, BY_BRIDGE, Origin.RELAYED, False, True, 0),
    ("and a login that a stranger wrote", LOGIN + AUTHOR, BY_BRIDGE, Origin.RELAYED, False, True, 0),
    ("and a border that a stranger wrote", RESULTS + BORDER + AUTHOR, BY_BRIDGE, Origin.FORWARDED, False, True, 0),
    ("a bridge, at a hop", BRIDGE + AUTHOR, REINJECTED, Origin.RELAYED, False, True, 0),
    ("our results above that hop", RESULTS + BRIDGE + AUTHOR, REINJECTED, Origin.RELAYED, False, True, 1),
    (
        "a login below that hop",
        BRIDGE.replace("c.attacker", "mx.forwarder") + LOGIN + AUTHOR,
        REINJECTED,
        Origin.RELAYED,
        False,
        True,
        0,
    ),
    (
        "results and a border below it",
        BRIDGE.replace("c.attacker", "mx.forwarder") + RESULTS + BORDER + AUTHOR,
        REINJECTED,
        Origin.FORWARDED,
        False,
        True,
        0,
    ),
    ("a web server, in this session", AUTHOR, BY_WEB, Origin.RELAYED, True, False, 0),
    ("and its own field", WEB_MADE_IT + AUTHOR, BY_WEB, Origin.RELAYED, True, False, 0),
    ("a web server, at a hop", WEB + WEB_MADE_IT + AUTHOR, REINJECTED, Origin.RELAYED, True, False, 0),
    ("a user of that host", WEB + WEB_LOGIN + AUTHOR, REINJECTED, Origin.SUBMITTED, False, False, 0),
    (
        "what a stranger sent to that host",
        WEB + WEB_MADE_IT + RESULTS + BORDER.replace("mx.", "web.") + AUTHOR,
        REINJECTED,
        Origin.FORWARDED,
        False,
        True,
        3,
    ),
    (
        "a web server, verified: fields were removed",
        RESULTS + WEB + AUTHOR,
        REINJECTED,
        Origin.FORWARDED,
        False,
        True,
        0,
    ),
    (
        "a bridge, then a web server",
        WEB + BRIDGE.replace("by mx.", "by web.") + AUTHOR,
        REINJECTED,
        Origin.RELAYED,
        False,
        True,
        1,
    ),
    (
        "a login by way of the bridge",
        AUTHOR,
        Connection(ip="172.18.0.1", auth="ask"),
        Origin.SUBMITTED,
        False,
        False,
        0,
    ),
    ("this host itself", AUTHOR, REINJECTED, Origin.LOCAL, False, False, 0),
]


@pytest.mark.parametrize(
    ("what", "header", "connection", "origin", "relay", "outside", "above"), RELAYED, ids=[row[0] for row in RELAYED]
)
def test_relayed(
    what: str, header: str, connection: Connection, origin: Origin, relay: bool, outside: bool, above: int
) -> None:
    route = route_of(message(header, connection), NETWORKS)
    assert (route.origin, route.relay, route.outside, route.ours_above) == (origin, relay, outside, above), route.why
