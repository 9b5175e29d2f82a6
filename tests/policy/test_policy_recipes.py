"""The recipes that say who may sign for what, in front of the shipped rules: each of them holds whatever way a message comes."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from dkimgate.facts import Origin
from dkimgate.message.message import Connection
from tests.documents import POLICIES
from tests.laws.hop_forms import own, received
from tests.world.host import SHIPPED, Host
from tests.world.mail import AUTHOR, REINJECTED

CUSTOMERS = """\
keys: [{domain: a.example, selector: gate, file: key.pem}, {domain: b.example, selector: gate, file: key.pem}]
trust: {hosts: [mx.forwarder.example], authserv_ids: [mx.forwarder.example]}
verify: {when: never}
"""
OF_A = "user@a.example"
SESSION = Connection(ip="203.0.113.5", name="home.example", helo="laptop", auth=OF_A)
HOP = received("Postfix, login", helo="laptop", name="home.example", ip="203.0.113.5").replace(
    "sender: ask", f"sender: {OF_A}"
)
SIEVE = f"Return-Path: <{OF_A}>\nDelivered-To: {OF_A}\n" + own("Dovecot").replace(" ([127.0.0.1])", "")

WAYS = {
    "the session itself": ("", SESSION),
    "a pipe alias": (HOP, REINJECTED),
    "a pipe alias, then another": (own("Postfix, sendmail") + HOP, REINJECTED),
    "his own mailbox, with a redirect": (SIEVE + HOP, REINJECTED),
    "a content filter": (own("amavis") + HOP, REINJECTED),
    "a hop that does not name the account": (HOP.replace(f"\n\t(Authenticated sender: {OF_A})", ""), REINJECTED),
    "a hop that names another account": (HOP.replace(OF_A, "user@b.example"), REINJECTED),
    "a login of another customer": ("", Connection(ip="203.0.113.6", auth="user@c.example")),
}


def recipe(name: str) -> str:
    """The rules of the recipe that holds a rule of that name, as a part of `rules`."""
    return next(each.text for each in POLICIES if each.file.name == "recipes.md" and f"name: {name}" in each.text)


def host(folder: Path, rules: str, more: str = "") -> Host:
    policy = SHIPPED.read_text().replace("rules:\n", f"{more}rules:\n{textwrap.indent(rules, '  ')}", 1)
    return Host(folder, CUSTOMERS, policy)


def signed(host: Host, header: str, connection: Connection, author: str, sender: str = OF_A) -> bool:
    outcome = host.send(header + AUTHOR.replace("hosted.example", author), connection, sender=sender)
    signatures = [value for name, value in outcome.fields if name.lower() == "dkim-signature"]
    assert all(f"d={author};".encode() in value for value in signatures)
    return bool(signatures)


@pytest.mark.parametrize("way", WAYS)
def test_a_customer_gets_no_signature_of_anothers_domain_by_any_way(tmp_path: Path, way: str) -> None:
    header, connection = WAYS[way]
    alone = host(tmp_path, recipe("customer-a"))
    assert not signed(alone, header, connection, "b.example")
    assert alone.record["origin"] == Origin.SUBMITTED, "so `own-users` of the shipped rules would sign it"


def test_a_customer_gets_signatures_of_his_own_domain(tmp_path: Path) -> None:
    assert signed(host(tmp_path, recipe("customer-a")), "", SESSION, "a.example")


SERVER = Connection(ip="203.0.113.9", name="mail.a.example", helo="mail.a.example", auth="relay@a.example")
FROM_A_USER = received("Exchange", "mail.a.example", ip="198.51.100.7")
FAILED = "Authentication-Results: mail.a.example; dmarc=fail header.from=a.example\n"


def test_a_customers_own_server_gets_signatures_of_his_domain_where_the_operator_vouches_for_it(tmp_path: Path) -> None:
    more = 'allow_laundering: [server-of-customer-a]\nlaundering_reason: "it takes mail from its own users only"\n'
    vouched = host(tmp_path, recipe("server-of-customer-a"), more)
    assert signed(vouched, FROM_A_USER, SERVER, "a.example", "x@a.example")
    assert vouched.record["origin"] == Origin.FORWARDED
    assert not signed(vouched, FROM_A_USER, SERVER, "b.example", "x@b.example")
    assert not signed(vouched, FAILED + FROM_A_USER, SERVER, "a.example", "x@a.example")
    assert not signed(vouched, FROM_A_USER, SESSION, "a.example")


def test_nobody_vouches_for_it_in_the_shipped_rules(tmp_path: Path) -> None:
    shipped = Host(tmp_path, CUSTOMERS)
    assert not signed(shipped, FROM_A_USER, SERVER, "a.example", "x@a.example")
    assert signed(shipped, FROM_A_USER.replace("198.51.100.7", "192.168.1.7"), SERVER, "a.example", "x@a.example")
