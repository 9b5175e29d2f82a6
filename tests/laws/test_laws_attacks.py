"""Attempts to gain an aligned signature for a forged message of a hosted domain. None may succeed.

Each is judged twice: by the shipped policy, and by one that would sign everything, where the guard alone stands in the way.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.config.dkimgate_yaml import Config
from dkimgate.facts import Sign
from dkimgate.message.message import Connection
from dkimgate.policy import guard
from dkimgate.policy.decide import decide
from dkimgate.policy.language import loader
from dkimgate.policy.language.model import Policy, Rule
from tests.world.mail import AUTHOR, BORDER, CONFIG, OUTSIDE, REINJECTED, facts

SHIPPED = loader.load(Path(__file__).parents[2] / "config" / "policy.yaml")
CARELESS = Policy(default=Rule("default", sign=Sign.AUTHOR))
STRIPPING = Config(trust=CONFIG.trust.model_copy(update={"border_strips_forgeries": True}))

OUR_FAIL = "Authentication-Results: mx.forwarder.example; dmarc=fail (p=none dis=none) header.from=hosted.example\n"
OUR_DKIM = "Authentication-Results: mx.forwarder.example; dkim=none\n"
SPAM = "X-Spam-Status: Yes, score=14.9 required=3.0 tests=A,\n autolearn=no\n"
PASS = "mx.forwarder.example; dmarc=pass header.from=hosted.example"


def signed(header: str, connection: Connection = REINJECTED, config: Config = CONFIG) -> list[str]:
    """Which of the two policies, the guard behind it, would sign as the author."""
    found = facts(header, connection, config)
    won = []
    for name, policy in (("shipped", SHIPPED), ("careless", CARELESS)):
        decision = decide(found, policy)
        if guard.refuses_signature(found, decision) is not None:
            decision = replace(decision, sign=Sign.NONE)
        if decision.sign is Sign.AUTHOR:
            won.append(f"{name}: {found}")
    return won


FORGED_FIELDS = {
    "a pass in our name": f"Authentication-Results: {PASS}\n",
    "in upper case": f"AUTHENTICATION-RESULTS: {PASS.upper()}\n",
    "white space before the colon": f"Authentication-Results : {PASS}\n",
    "with a version": "Authentication-Results: mx.forwarder.example 1; dmarc=pass header.from=hosted.example\n",
    "folded": "Authentication-Results:\n\tmx.forwarder.example;\n\tdmarc=pass\n\theader.from=hosted.example\n",
    "a comment ahead": "Authentication-Results: (x) mx.forwarder.example; dmarc=pass header.from=hosted.example\n",
    "a quoted authserv-id": 'Authentication-Results: "mx.forwarder.example"; dmarc=pass header.from=hosted.example\n',
    "a trailing dot": "Authentication-Results: mx.forwarder.example.; dmarc=pass header.from=hosted.example\n",
    "a homograph": "Authentication-Results: mx.forw\u0430rder.example; dmarc=pass header.from=hosted.example\n",
    "repeated a hundred times": f"Authentication-Results: {PASS}\n" * 100,
    "everything passes": "Authentication-Results: mx.forwarder.example; dkim=pass header.d=hosted.example; spf=pass smtp.mailfrom=a@hosted.example; dmarc=pass header.from=hosted.example\n",
    "an ARC set": "ARC-Authentication-Results: i=1; mx.forwarder.example; dmarc=pass header.from=hosted.example\nARC-Seal: i=1; a=rsa-sha256; d=x; s=y; cv=none; b=z\n",
    "another host's pass": "Authentication-Results: mx.google.example; dmarc=pass header.from=hosted.example\n",
    "Received-SPF": "Received-SPF: pass client-ip=192.0.2.66\n",
    "ham": "X-Spam-Status: No, score=-9.9 required=5.0\nX-Spam-Flag: NO\nX-Spam-Score: -99\n",
    "ham with a huge limit": "X-Spam-Status: No, score=14.9 required=1000\n",
    "a border of ours": BORDER,
    "a login at ours": BORDER.replace("ESMTP", "ESMTPSA"),
    "a local process of ours": "Received: by mx.forwarder.example (Postfix, from userid 0) id 1; x\n",
    "loopback at ours": "Received: from localhost (localhost [127.0.0.1]) by mx.forwarder.example (Postfix) with ESMTPSA id 1; x\n",
    "our border and our pass": f"Authentication-Results: {PASS}\n{BORDER}",
    "two passes around our border": f"Authentication-Results: {PASS}\n{BORDER}Authentication-Results: {PASS}\n",
    "nothing": "",
}
ROUTES = {
    # what our own hosts put above and around what the sender wrote ({}), and who connects
    "piped, verdict above the border": (OUR_FAIL + BORDER + "{}" + AUTHOR, REINJECTED),
    "piped, verdict below the border": (BORDER + OUR_FAIL + "{}" + AUTHOR, REINJECTED),
    "piped, our verdict is silent about DMARC": (OUR_DKIM + BORDER + "{}" + AUTHOR, REINJECTED),
    "piped, nobody verified": (BORDER + "{}" + AUTHOR, REINJECTED),
    "in the border session": ("{}" + AUTHOR, OUTSIDE),
    "in the border session, our verdict on top": (OUR_FAIL + "{}" + AUTHOR, OUTSIDE),
    "through the content filter": (
        "Received: from localhost ([127.0.0.1]) by localhost (mx [127.0.0.1]) (amavisd-new, port 10024) with ESMTP id 1; x\n"
        + OUR_FAIL
        + BORDER
        + "{}"
        + AUTHOR,
        REINJECTED,
    ),
    "through two hosts of ours": (
        "Received: from mx.forwarder.example (mx [127.0.0.2]) by out.mail.forwarder.example (Postfix) with ESMTPS id 1; x\n"
        + OUR_FAIL
        + BORDER
        + "{}"
        + AUTHOR,
        REINJECTED,
    ),
    "our Received fields were removed": (OUR_FAIL + "{}" + AUTHOR, REINJECTED),
    "redirected by a user's login": (OUR_FAIL + BORDER + "{}" + AUTHOR, Connection(ip="203.0.113.5", auth="ask")),
    "spam that has no verdict": (BORDER + "{}" + AUTHOR + SPAM, REINJECTED),
    "from a network of nobody": (BORDER + "{}" + AUTHOR, Connection(ip="198.51.100.1")),
}


@pytest.mark.parametrize("route", ROUTES)
def test_a_forged_field_gains_nothing(route: str, subtests: pytest.Subtests) -> None:
    header, connection = ROUTES[route]
    for name, forged in FORGED_FIELDS.items():
        with subtests.test(name):
            assert not signed(header.replace("{}", forged), connection)
            assert not signed(header.replace("{}", "") + forged, connection), "at the end of the header"


@pytest.mark.parametrize("forged", FORGED_FIELDS)
@pytest.mark.parametrize("verdict", [OUR_FAIL + BORDER, BORDER + OUR_FAIL], ids=["above", "below"])
def test_a_forged_field_gains_nothing_where_the_border_strips_forgeries(forged: str, verdict: str) -> None:
    """Believing the fields below the border does not mean to believe only the good ones among them."""
    assert not signed(verdict + FORGED_FIELDS[forged] + AUTHOR, config=STRIPPING)


AUTHORS = {
    "no From": AUTHOR.replace("From: Friend <ask@hosted.example>\n", ""),
    "two From fields": AUTHOR + "From: x@attacker.example\n",
    "two From fields, one with white space": AUTHOR + "From : x@attacker.example\n",
    "two mailboxes": AUTHOR.replace("<ask@hosted.example>", "<ask@hosted.example>, x@attacker.example"),
    "a bare CR that hides a second From": AUTHOR.replace("To: victim", "To: a\rFrom: x@attacker.example\rX: victim"),
    "a NUL": AUTHOR.replace("ask@", "a\0sk@"),
    "a group": AUTHOR.replace("Friend <ask@hosted.example>", "Friends: ask@hosted.example;"),
    "a group of a mailbox in angle brackets": AUTHOR.replace(
        "Friend <ask@hosted.example>", "Friends: Friend <ask@hosted.example>;"
    ),
    "a group of two domains": AUTHOR.replace(
        "Friend <ask@hosted.example>", "Friends: ask@hosted.example, x@attacker.example;"
    ),
}
ALIKE = "a group of a mailbox in angle brackets"
"""One domain stands behind every reading of it, which is enough for mail of our own. Without the brackets rspamd takes the semicolon into
the domain."""


@pytest.mark.parametrize("author", AUTHORS)
@pytest.mark.parametrize(
    "connection", [REINJECTED, OUTSIDE, Connection(ip="203.0.113.5", auth="ask")], ids=["local", "inbound", "login"]
)
def test_without_one_author_domain_nothing_is_signed(author: str, connection: Connection) -> None:
    """Not even for our own users: which domain the signature would vouch for depends on the reader."""
    assert bool(signed(AUTHORS[author], connection)) is (author == ALIKE and connection is not OUTSIDE)


OTHER_DOMAINS_PASS = [
    "Authentication-Results: mx.forwarder.example; dmarc=pass header.from=attacker.example\n",
    "Authentication-Results: mx.forwarder.example; dmarc=pass header.from=hosted.example.attacker.example\n",
    "Authentication-Results: mx.forwarder.example; dmarc=pass header.from=hosted.example; dmarc=fail header.from=hosted.example\n",
    "Authentication-Results: mx.forwarder.example; dmarc=none header.from=attacker.example\n",
    'Authentication-Results: mx.forwarder.example; spf=pass smtp.mailfrom="a; dmarc=pass header.from=hosted.example"@attacker.example\n',
    "Authentication-Results: mx.forwarder.example; spf=pass (dmarc=pass header.from=hosted.example) smtp.mailfrom=attacker.example\n",
    "Authentication-Results: mx.forwarder.example; dmarc=quarantine header.from=hosted.example\n",
    "Authentication-Results: mx.forwarder.example; dmarc=passed header.from=hosted.example\n",
    "Authentication-Results: mx.forwarder.example; x-dmarc=pass header.from=hosted.example\n",
    "Authentication-Results: mx.forwarder.example; none\n",
    "Authentication-Results: mx.forwarder.example\n",
    "Authentication-Results: mx.forwarder.example; dkim=pass header.d=hosted.example\n",
]


@pytest.mark.parametrize("verdict", OTHER_DOMAINS_PASS)
def test_our_own_field_says_something_else_than_a_pass_of_this_domain(verdict: str) -> None:
    """What our verifier wrote above the border, with the sender's words in it."""
    assert not signed(verdict + BORDER + AUTHOR)


LINES = st.sampled_from(
    [
        *FORGED_FIELDS.values(),
        *OTHER_DOMAINS_PASS,
        SPAM,
        OUR_FAIL,
        "X-A: b\n",
        "DKIM-Signature: v=1; d=hosted.example\n",
    ]
)


@given(below=st.lists(LINES, max_size=8), route=st.sampled_from(sorted(ROUTES)))
def test_no_mixture_of_forged_fields_gains_anything(below: list[str], route: str) -> None:
    header, connection = ROUTES[route]
    assert not signed(header.replace("{}", "".join(below)), connection)


FIELD_NAMES = st.sampled_from(
    [
        "Authentication-Results",
        "X-Spam-Status",
        "Received",
        "From",
        "Sender",
        "Return-Path",
        "ARC-Seal",
        "authentication-results ",
    ]
)


@given(fields=st.lists(st.tuples(FIELD_NAMES, st.text(max_size=60)), max_size=6))
def test_no_text_at_all_gains_anything(fields: list[tuple[str, str]]) -> None:
    forged = "".join(f"{name}: {' '.join(value.split())}\n" for name, value in fields)
    assert not signed(BORDER + forged + AUTHOR)


@pytest.mark.parametrize(
    ("header", "connection"),
    [
        ("Authentication-Results: " + PASS + "\n" + BORDER + AUTHOR, REINJECTED),
        (
            "Authentication-Results: MX.FORWARDER.EXAMPLE;\n dmarc=pass (p=none dis=none) header.from=Hosted.Example\n"
            + BORDER
            + AUTHOR,
            REINJECTED,
        ),
        (AUTHOR, REINJECTED),
        (AUTHOR, Connection(ip="203.0.113.5", auth="ask")),
    ],
    ids=["arrived with our pass", "the same, otherwise written", "by sendmail(1)", "by a login"],
)
def test_what_has_earned_it_is_signed(header: str, connection: Connection) -> None:
    """The control: a table in which nothing is ever signed would prove nothing."""
    assert len(signed(header, connection)) == 2
