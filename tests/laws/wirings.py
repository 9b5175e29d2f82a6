"""The ways by which mail of strangers comes to a gate that is wired as systemd/README.md says: what hosts of ours put above and around
what an outsider wrote, who hands it in, and which fields are the outsider's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from dkimgate.facts import Origin
from dkimgate.message.message import Connection
from tests.laws.attack_world import AMAVIS, LMTP, LOGIN
from tests.laws.hop_forms import FILTER, IMAP, MX, own, received
from tests.world.mail import REINJECTED

TRUTH, NO_DMARC, SILENT, MISLED = "truth", "no DMARC", "silent", "misled"
"""What the verifiers of ours state above the border: all they find, SPF and DKIM alone, nothing, or a DMARC pass that is wrong."""


@dataclass(frozen=True)
class Way:
    """One wiring. `guide`: the words of the guide that it is made from.

    `above`: what hosts of ours wrote, topmost first; {V} is what the verifiers state, {W} what they state of a host of ours as the
    client, {B} the border's Received field. `client` hands the message to the gate; None: the outsider himself, whose session this is.
    Everything below is the outsider's, but for the fields of the names in `not_his`, and but for his words in what is ours: EHLO, PTR
    record, certificate, MAIL FROM, RCPT TO, selectors.
    `origins`: what the origin may be, however he writes. `states`: what the verifiers may say. `loses`: fields that a filter takes off.
    `has_border`: not where our Received fields are lost, so that one which the outsider invents can't be told from them; there what the
    verifiers stated has to do.
    """

    guide: tuple[str, ...]
    above: str = "{V}{B}"
    client: Connection | None = REINJECTED
    not_his: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = (Origin.FORWARDED,)
    states: tuple[str, ...] = (TRUTH, NO_DMARC, SILENT, MISLED)
    trust: dict[str, Any] = field(default_factory=dict)
    borders: bool = False
    strips: bool = False
    loses: tuple[str, ...] = ()
    has_border: bool = True
    bounces: bool = False


_SENDMAIL = "sendmail(1): a pipe alias, procmail, maildrop, Sieve `redirect`"
_FILTER = "a content filter that re-injects by SMTP (amavisd on port 10025)"
_ALIASES = "`virtual_alias_maps`, `.forward` to another host"
_RELAYS = "`trust.relays` names the clients that relay for nobody else"
_BORDER = "border.sock, role: border}"
THEIRS = "mail.customer.example"
_POST = "List-Id: <lunch.lists.hosted.example>\nFrom: Ann by way of Lunch <lunch@hosted.example>\nSender: lunch@hosted.example\n"

_FILTERS_ADDRESS = {"networks": ("127.0.0.0/8", "10.1.0.0/28"), "relays": ("10.1.0.6/32",)}
_MX_ADDRESS = {"networks": ("127.0.0.0/8", "203.0.113.10/32"), "relays": ("203.0.113.10/32",)}
_BRIDGE = {"networks": ("127.0.0.0/8", "172.17.0.0/16")}

WAYS: dict[str, Way] = {
    "a pipe alias": Way((_SENDMAIL,)),
    "a pipe alias, then another": Way((_SENDMAIL,), own("Postfix, sendmail") + "{V}{B}"),
    "Sieve of Dovecot redirects": Way((_SENDMAIL,), LMTP.replace("friend@hosted.example", "{S}") + "{V}{B}"),
    "Sieve of Cyrus redirects": Way((_SENDMAIL,), own("Cyrus") + "{V}{B}"),
    "Sieve of an IMAP host redirects": Way(
        (_SENDMAIL,), "Return-Path: <{S}>\n" + own("Dovecot", IMAP) + own("Postfix", IMAP) + "{V}{B}"
    ),
    "a pipe that loses Received fields": Way(
        ("from a forgery whose `Received` fields were removed",),
        "{V}",
        origins=(Origin.FORWARDED, Origin.SUBMITTED, Origin.RELAYED),
        states=(TRUTH,),
        has_border=False,
    ),
    "a user with a login redirects": Way(("users with a login on port 587 or 465",), client=LOGIN),
    "a user with a login redirects, through a filter": Way(
        ("users with a login on port 587 or 465", _FILTER),
        own("amavis") + received("Postfix, login", helo="laptop", name="home.example", ip="203.0.113.5") + "{V}{B}",
        states=(TRUTH, NO_DMARC),
    ),
    "a customer's server logs in and forwards": Way(
        ("a customer's own mail server that logs in", "tells of a user: a login (`with ESMTPSA`)"),
        "{V}" + received("Postfix", THEIRS, helo="{H}", name="unknown"),
        Connection(ip="203.0.113.5", name=THEIRS, helo=THEIRS, auth="relay@customer.example"),
        states=(SILENT,),
    ),
    "a list that logs in": Way(
        ("a list or a script that writes its own address into From",),
        _POST + "{V}{B}",
        Connection(ip="127.0.0.1", name="localhost", helo="localhost", auth="lists"),
        ("from", "sender", "list-id"),
    ),
    "a content filter": Way((_FILTER,), AMAVIS + "{V}{B}"),
    "a content filter, then a pipe alias": Way(
        (_FILTER, _SENDMAIL), own("Postfix, sendmail") + own("Postfix") + AMAVIS + "{V}{B}"
    ),
    "a content filter on another host": Way(
        (_FILTER, "in `trust.relays` if it is another host"),
        own("Postfix", FILTER) + "{V}{B}",
        Connection(ip="10.1.0.6", name=FILTER, helo=FILTER),
        trust=_FILTERS_ADDRESS,
    ),
    "virtual aliases": Way((_ALIASES,), "{V}", None, origins=(Origin.INBOUND,)),
    "virtual aliases, forgeries stripped": Way(
        (_ALIASES, "`trust.border_strips_forgeries: true`"), "{V}", None, origins=(Origin.INBOUND,), strips=True
    ),
    "a pipe alias, results below the border": Way(
        ("`trust.border_strips_forgeries: true`", _SENDMAIL), "{B}{V}", strips=True
    ),
    "a border, then a pipe alias": Way(
        (_BORDER, "it on port 25 ahead of everything else", "first of all, then your other milters"), borders=True
    ),
    "a border, then a filter that takes fields off": Way(
        (_BORDER, "whatever a content filter, a list or a user's script did"),
        AMAVIS + "{V}{B}",
        borders=True,
        loses=("received", "authentication-results"),
    ),
    "a border, then virtual aliases": Way((_BORDER, _ALIASES), "{V}", None, origins=(Origin.INBOUND,), borders=True),
    "a border, forgeries stripped": Way((_BORDER, _SENDMAIL), "{B}{V}", borders=True, strips=True),
    "mail to a rewritten sender": Way(
        ("in Postfix, on every host that the MX record names", "or have the gate in"),
        "{V}",
        None,
        origins=(Origin.INBOUND,),
        bounces=True,
    ),
    "a bridge in front": Way(
        ("Mail that a client in `trust.networks` hands in without a login",),
        "{V}",
        Connection(ip="172.17.0.1", name="unknown", helo="{H}"),
        origins=(Origin.RELAYED, Origin.FORWARDED),
        trust=_BRIDGE,
    ),
    "a bridge in front, then a pipe alias": Way(
        ("never name a bridge, gateway or proxy", _SENDMAIL),
        "{V}" + own("Postfix").replace(f"{MX} ({MX} [127.0.0.1])", "{H} (unknown [172.17.0.1])"),
        origins=(Origin.RELAYED, Origin.FORWARDED),
        trust=_BRIDGE,
    ),
    "an MX in front": Way((_RELAYS,), client=Connection(ip="203.0.113.10", name=MX, helo=MX), trust=_MX_ADDRESS),
    "an MX in front, and what verifies stands behind it": Way(
        (_RELAYS,), "{W}{B}", Connection(ip="203.0.113.10", name=MX, helo=MX), trust=_MX_ADDRESS
    ),
    "the same, then a pipe alias": Way(
        (_RELAYS, _SENDMAIL),
        "{W}" + own("Postfix", "out.mail.forwarder.example").replace("10.1.0.5", "203.0.113.10") + "{B}",
        trust=_MX_ADDRESS,
    ),
    "an Exchange in front": Way(
        (_RELAYS,),
        own("Exchange, mapi") + own("Exchange") + "{V}{B}",
        Connection(ip="203.0.113.10", name=MX, helo=MX),
        trust=_MX_ADDRESS,
    ),
    "a container": Way(
        ("Give containers a `hostname:`",),
        own("container", "5161f64ea532").replace("127.0.0.1", "172.17.0.2") + "{V}{B}",
        trust=_BRIDGE,
        origins=(Origin.FORWARDED, Origin.RELAYED),
    ),
    "a proxy that tells the client": Way(
        ("HAProxy in front, `send-proxy`", "a proxy that speaks XCLIENT"), "{V}", None, origins=(Origin.INBOUND,)
    ),
}

NO_OUTSIDER = {
    "Add the addresses of its users": "what is told of a configuration",
    "The gate must see every message once": "it begins what follows",
    "the submission services": "what users of ours write themselves",
    "The milters that verify stay where they are": "which milters state what stands at {V}",
    "milter_default_action = tempfail": "no gate at all",
    "In `non_smtpd_milters` it is the value in": "a name for the door, and no other door",
    "internal_mail_filter_classes = bounce": "Postfix makes its bounces itself: the header of what bounced stands in the body",
    "They come to the gate of `non_smtpd_milters` as `local`": "the same",
    "take it out of `main.cf` and `master.cf` first": "no gate at all",
    "The restriction closes a way past the gate": "what Postfix refuses, tried with a real one in tests/chain",
    "Debian's postsrsd": "who restores a sender, and no way of a message",
    "recipient_canonical_maps = socketmap": "the same",
    "SRS_DOMAIN": "the same",
    "role: srs": "the same",
    "`dkimgate check` warns if `trust.networks` holds": "what is told of a configuration",
    "unix:dkimgate/milter.sock                                 # in main.cf": "where sockets lie",
}
"""Places of the guide that speak of wires and make no way of strangers' mail of their own: words of theirs, and why."""

_WIRES = re.compile(
    r"smtpd_milters|main\.cf|master\.cf|role: border|role: srs|trust\.relays|trust\.networks|upstream_proxy|xclient|filter_classes"
    r"|re-injects|log in on port|login on port",
    re.IGNORECASE,
)


def places(guide: str) -> list[str]:
    """The paragraphs, list items, table rows and examples of the guide that wire something."""
    found: list[str] = []
    for paragraph in guide.split("\n\n"):
        found += re.split(r"\n(?=\||- )", paragraph)
    return [place for place in found if _WIRES.search(place)]
