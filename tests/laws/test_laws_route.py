"""Law 6 of the route: no Received field that an outsider adds, removes or garbles makes origin or standing better."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.config.dkimgate_yaml import Trust
from dkimgate.evidence.route import route_of
from dkimgate.facts import Origin
from dkimgate.message.message import Connection
from tests.laws.hop_forms import FILTER, GATEWAY, HOPS, IMAP, MX, own, received
from tests.world.mail import AUTHOR, message

TRUST = Trust(
    hosts=(MX, FILTER, IMAP), authserv_ids=(MX,), networks=("127.0.0.0/8", "::1/128", "10.0.0.0/8", "fe80::/10")
)
HERE = Connection(ip="127.0.0.1", name="localhost", helo="localhost")

THEIRS = "mail.customer.example"
SMARTHOST = Connection(ip="203.0.113.5", name=THEIRS, helo=THEIRS, auth="relay@customer.example")

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
    "a filter of ours hands in": (
        own("Postfix", FILTER) + BY_POSTFIX,
        Connection(ip="10.1.0.6", name="unknown", helo=FILTER),
    ),
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
    "a customer's server that logs in": (received("Postfix", THEIRS), SMARTHOST),
    "a customer's Exchange that logs in": (received("Exchange", THEIRS), SMARTHOST),
    "a customer's server that logs in, then a filter": (
        own("amavis") + received("Postfix, login", helo=THEIRS, ip="203.0.113.5") + received("Postfix", THEIRS),
        HERE,
    ),
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
    st.sampled_from(
        ["(", ")", ";", " by " + MX, " with ESMTPSA", " from localhost", "[127.0.0.1]", "\x00", "\n ", "\\"]
    ),
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


@pytest.mark.parametrize(
    "results", [FAILED, f"Authentication-Results: {MX}; dkim=none\n", FAILED + FAILED.replace("fail", "none")]
)
@pytest.mark.parametrize("wiring", REMOVING)
@settings(max_examples=25)
@given(senders=SENDERS, left=st.sets(st.integers(0, 5)))
def test_a_pipe_that_loses_received_fields_makes_nothing_better(
    wiring: str, results: str, senders: str, left: set[int]
) -> None:
    """A verifying milter has stated what it found; whichever of our Received fields are gone then, the message is a stranger's."""
    above, connection = WIRINGS[wiring]
    fields = [f"Received:{text}" for text in above.split("Received:")[1:]]
    whole = route_of(message("".join(fields[:-1]) + results + fields[-1] + senders + AUTHOR, connection), TRUST)
    kept = "".join(field for at, field in enumerate(fields[:-1]) if at in left)
    lost = route_of(message(kept + results + senders + AUTHOR, connection), TRUST)
    assert lost.outside, lost.why
    assert whole.outside


SILENT = (
    own("Postfix").replace(MX + " ", GATEWAY + " ", 1).replace("127.0.0.1", "10.0.0.9").replace(f"({MX}", f"({GATEWAY}")
)


@pytest.mark.parametrize("form", HOPS)
@pytest.mark.parametrize("above", [SILENT, own("Cyrus") + SILENT], ids=["an appliance", "an appliance, then Cyrus"])
def test_below_a_client_that_wrote_no_field_nothing_is_ours(form: str, above: str) -> None:
    """A host of ours that hands on mail without a Received field of its own shows what a stranger wrote as the next field: in the name
    of another host of ours, it is not his. qmail's fields name nobody, and the last resort is the client's own name."""
    forged = received(form, helo="laptop", name="client.example", ip="203.0.113.5")
    route = route_of(message(above + forged + AUTHOR), TRUST)
    assert route.outside, route.why
    assert route.ours_above <= 2
