"""Law 6 of the route: no Received field that an outsider adds, removes or garbles makes origin or standing better."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.config import Trust
from dkimgate.facts import Origin
from dkimgate.message import Connection
from dkimgate.route import route_of
from headers import AUTHOR, message

MX, FILTER, IMAP, GATEWAY = "mx.forwarder.example", "filter.forwarder.example", "imap.forwarder.example", "gateway.forwarder.example"
TRUST = Trust(hosts=(MX, FILTER, IMAP), authserv_ids=(MX,), networks=("127.0.0.0/8", "::1/128", "10.0.0.0/8", "fe80::/10"))
HERE = Connection(ip="127.0.0.1", name="localhost", helo="localhost")

HOPS = {
    "Postfix": "from {helo} ({name} [{ip}])\n\tby {by} (Postfix) with ESMTPS id 4F2A",
    "Postfix, login": "from {helo} ({name} [{ip}])\n\t(Authenticated sender: ask)\n\tby {by} (Postfix) with ESMTPSA id 4F2A",
    "Postfix, sendmail": "by {by} (Postfix, from userid 1000)\n\tid 4F2A",
    "Postfix, local": "by {by} (Postfix)\n\tid 4F2A",
    "Exim": "from {name} ([{ip}] helo={helo})\n\tby {by} with esmtps (Exim 4.96)\n\tid 1",
    "Exim, login": "from {name} ([{ip}] helo={helo})\n\tby {by} with esmtpsa (Exim 4.96)\n\tid 1",
    "Exim, local": "from www-data by {by} with local (Exim 4.96)\n\tid 1",
    "Exim, local-smtp": "from www-data (helo={helo}) by {by} with local-smtp (Exim 4.96)\n\tid 1",
    "Sendmail": "from {helo} ({name} [{ip}] (may be forged))\n\tby {by} (8.17.1/8.17.1) with ESMTPS id 4AL0",
    "Sendmail, login": "from {helo} ({name} [{ip}])\n\t(authenticated bits=0)\n\tby {by} (8.17.1/8.17.1) with ESMTPSA id 4AL0",
    "Sendmail, submit": "(from root@localhost)\n\tby {by} (8.17.1/8.17.1/Submit) id 4AL1",
    "Sendmail, submit by SMTP": "from localhost (user@localhost)\n\tby {by} (8.17.1/8.17.1/Submit) with ESMTP id 4AL1",
    "Exchange": "from {helo} ({ip}) by {by} (10.1.1.5) with Microsoft SMTP Server id 15.1",
    "Exchange, mapi": "from {by} ([fe80::1%18]) by {by} ([fe80::1%18]) with mapi id 15.1",
    "Exchange, https": "from {helo} ({ip}) by {by} ({ip}) with HTTPS",
    "Cyrus": "from {helo} ([unix socket])\n\t by {by} (Cyrus 3.6) with LMTPA",
    "Dovecot": "from {helo} ([{ip}])\n\tby {by} with LMTP id aBc",
    "OpenSMTPD": "from {helo} ({name} [{ip}])\n\tby {by} (OpenSMTPD) with ESMTPS id 1",
    "OpenSMTPD, old": "from {helo} ({name} [{ip}]);\n\tby {by} (OpenSMTPD) with ESMTP id 1",
    "OpenSMTPD, masked": "by {by} (OpenSMTPD) with ESMTPS id 1",
    "OpenSMTPD, local": "from localhost ({by} [local])\n\tby {by} (OpenSMTPD) with ESMTPA id 1",
    "qmail": "from {name} (HELO {helo}) (root@{ip})\n  by {by} with SMTP",
    "qmail, uid": "(qmail 12345 invoked by uid 89)",
    "qmail, network": "(qmail 12345 invoked from network)",
    "CommuniGate": "from [{ip}] (HELO {helo})\n  by {by} (CommuniGate Pro SMTP 6.1) with ESMTPS id 1",
    "CommuniGate, web": "from [{ip}] (account ask@hosted.example)\n  by {by} (CommuniGate Pro WEBUSER 6.1) with HTTP id 1",
    "Roundcube": "from {helo} ({name} [{ip}])\n\tby {by} with HTTP (HTTP/1.1 POST)",
    "amavis": "from {helo} ([{ip}])\n by localhost ({by} [127.0.0.1]) (amavisd-new, port 10024) with ESMTP id 1",
    "fetchmail": "from {helo} [{ip}]\n\tby {by} with POP3 (fetchmail-6.4.37)",
    "PowerMTA": "from ({ip}) by {by} (PowerMTA(TM) v5.0r1) id A1",
    "container": "from {helo} ([{ip}])\n\tby 5161f64ea532 with LMTP\n\tid 1",
}
STRANGER = {"helo": "c.attacker.example", "name": "c.attacker.example", "ip": "192.0.2.66"}


def received(form: str, by: str = MX, **client: str) -> str:
    return f"Received: {HOPS[form].format(by=by, **{**STRANGER, **client})}; Sat, 21 Nov 2026 16:20:25 +0000\n"


def own(form: str, by: str = MX, of: str = MX) -> str:
    return received(form, by, helo=of, name=of, ip="127.0.0.1" if by == of else "10.1.0.5")


BY_POSTFIX = received("Postfix")
# what stands above the sender's own fields, as each wiring of the deployment guide has it, and how the message comes to the gate
WIRINGS: dict[str, tuple[str, Connection]] = {
    "a pipe alias": (BY_POSTFIX, HERE),
    "a pipe alias, twice": (own("Postfix, sendmail") + BY_POSTFIX, HERE),
    "a content filter": (own("amavis") + BY_POSTFIX, HERE),
    "a content filter, then a pipe": (own("Postfix, sendmail") + own("Postfix") + own("amavis") + BY_POSTFIX, HERE),
    "local(8) forwards": (own("Postfix, local") + BY_POSTFIX, HERE),
    "Dovecot": (own("Dovecot", IMAP) + BY_POSTFIX, HERE),
    "Cyrus": (own("Cyrus") + BY_POSTFIX, HERE),
    "a container": (own("container", "5161f64ea532") + BY_POSTFIX, HERE),
    "a filter of ours": (own("Postfix", FILTER) + BY_POSTFIX, HERE),
    "a filter of ours hands in": (own("Postfix", FILTER) + BY_POSTFIX, Connection(ip="10.1.0.6", name="unknown", helo=FILTER)),
    "Exim": (received("Exim"), HERE),
    "Sendmail": (own("Sendmail, submit") + received("Sendmail"), HERE),
    "Exchange": (own("Exchange, mapi") + received("Exchange"), HERE),
    "OpenSMTPD that hides its clients": (received("OpenSMTPD, masked"), HERE),
    "qmail": (own("qmail, uid") + own("qmail, network") + received("qmail"), HERE),
    "fetchmail": (received("fetchmail"), HERE),
    "the port of strangers": ("", Connection(ip="192.0.2.66", name="unknown", helo="c.attacker.example")),
    "a client of ours behind which anybody may stand": ("", Connection(ip="10.1.0.9", name="unknown", helo=MX)),
    "a hop of such a client": (own("Postfix").replace("127.0.0.1", "10.1.0.9"), HERE),
    "a user redirects": (BY_POSTFIX, Connection(ip="203.0.113.5", helo="laptop", auth="ask")),
    "a user redirects through a filter": (own("amavis") + received("Postfix, login") + BY_POSTFIX, HERE),
}

CLIENTS = st.fixed_dictionaries(
    {
        "by": st.sampled_from([MX, FILTER, IMAP, GATEWAY, "localhost", "mx.attacker.example", "5161f64ea532"]),
        "helo": st.sampled_from([MX, FILTER, GATEWAY, "localhost", "[127.0.0.1]", "by", "c.attacker.example"]),
        "name": st.sampled_from([MX, GATEWAY, "unknown", "localhost"]),
        "ip": st.sampled_from(["127.0.0.1", "10.1.0.5", "fe80::1%18", "192.0.2.66", "::1"]),
    }
)
FIELD = st.builds(lambda form, words: received(form, **words), st.sampled_from(sorted(HOPS)), CLIENTS)
GARBLED = st.builds(
    lambda text, at, what: text[: at % len(text)].rstrip("\n") + what + text[at % len(text) :].lstrip("\n"),
    FIELD,
    st.integers(10, 200),
    st.sampled_from(["(", ")", ";", " by " + MX, " with ESMTPSA", " from localhost", "[127.0.0.1]", "\x00", "\n ", "\\"]),
)
OTHERS = st.sampled_from(
    [
        f"Authentication-Results: {MX}; dmarc=pass header.from=hosted.example\n",
        f"Authentication-Results: {MX}; dmarc=none header.from=hosted.example\n",
        "Delivered-To: ask@hosted.example\n",
        "Return-Path: <friend@hosted.example>\n",
        "X-Anything: x\n",
    ]
)
SENDERS = st.lists(FIELD | GARBLED | OTHERS, max_size=5).map("".join)


@pytest.mark.parametrize("wiring", WIRINGS)
@settings(max_examples=25)
@given(SENDERS)
def test_whatever_the_sender_writes_origin_and_standing_stay(wiring: str, senders: str) -> None:
    above, connection = WIRINGS[wiring]
    bare = route_of(message(above + AUTHOR, connection), TRUST)
    assert bare.outside, bare.why
    route = route_of(message(above + senders + AUTHOR, connection), TRUST)
    if bare.origin is Origin.RELAYED:  # what stands below may look like another way from outside
        assert route.outside
        assert route.ours_above <= bare.ours_above
        return
    assert (route.origin, route.border, route.ours_above) == (bare.origin, bare.border, bare.ours_above), route.why


REMOVING = [name for name, (above, connection) in WIRINGS.items() if above and connection.auth is None]
FAILED = f"Authentication-Results: {MX}; dmarc=fail (p=reject dis=none) header.from=hosted.example\n"


@pytest.mark.parametrize("results", [FAILED, f"Authentication-Results: {MX}; dkim=none\n", FAILED + FAILED.replace("fail", "none")])
@pytest.mark.parametrize("wiring", REMOVING)
@settings(max_examples=25)
@given(senders=SENDERS, left=st.sets(st.integers(0, 5)))
def test_a_pipe_that_loses_received_fields_makes_nothing_better(wiring: str, results: str, senders: str, left: set[int]) -> None:
    """A verifying milter has stated what it found; whichever of our Received fields are gone then, the message is a stranger's."""
    above, connection = WIRINGS[wiring]
    fields = [f"Received:{text}" for text in above.split("Received:")[1:]]
    whole = route_of(message("".join(fields[:-1]) + results + fields[-1] + senders + AUTHOR, connection), TRUST)
    kept = "".join(field for at, field in enumerate(fields[:-1]) if at in left)
    lost = route_of(message(kept + results + senders + AUTHOR, connection), TRUST)
    assert lost.outside, lost.why
    assert whole.outside


SILENT = own("Postfix").replace(MX + " ", GATEWAY + " ", 1).replace("127.0.0.1", "10.0.0.9").replace(f"({MX}", f"({GATEWAY}")


@pytest.mark.parametrize("form", HOPS)
@pytest.mark.parametrize("above", [SILENT, own("Cyrus") + SILENT], ids=["an appliance", "an appliance, then Cyrus"])
def test_below_a_client_that_wrote_no_field_nothing_is_ours(form: str, above: str) -> None:
    """A host of ours that hands on mail without a Received field of its own shows what a stranger wrote as the next field: in the name
    of another host of ours, it is not his. qmail's fields name nobody, and the last resort is the client's own name."""
    forged = received(form, helo="laptop", name="client.example", ip="203.0.113.5")
    route = route_of(message(above + forged + AUTHOR), TRUST)
    assert route.outside, route.why
    assert route.ours_above <= 2
