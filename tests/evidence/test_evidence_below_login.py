"""Who logs in may hand on what strangers sent him: a customer's own server, a mailbox that redirects, a list."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from dkimgate.evidence.route import MAX_HOPS, route_of
from dkimgate.facts import Origin
from dkimgate.message.message import Connection
from tests.laws.hop_forms import HOPS, received
from tests.world.mail import AUTHOR, REINJECTED, TRUST, message

THEIRS = "mail.customer.example"
SESSION = Connection(ip="203.0.113.5", name=THEIRS, helo=THEIRS, auth="relay@customer.example")
LOGIN = received("Postfix, login", helo=THEIRS, name=THEIRS, ip="203.0.113.5")
LOGINS = {"in this session": ("", SESSION), "at a hop of ours": (LOGIN, REINJECTED)}

# what tells of no stranger, whatever address stands there: a login, or the way within one host
OF_USERS = {name for name in HOPS if "login" in name or "local" in name or "submit" in name or "mapi" in name} | {
    *("Postfix, sendmail", "qmail, uid", "Roundcube", "CommuniGate, web", "Exchange, https", "Cyrus"),
}
OF_NETWORKS = sorted(HOPS.keys() - OF_USERS - {"qmail, network"})  # that one goes with a second one: see below


def origin(login: str, below: str) -> Origin:
    above, connection = LOGINS[login]
    return route_of(message(above + below + AUTHOR, connection), TRUST).origin


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("form", OF_NETWORKS)
@pytest.mark.parametrize("helo", ["c.attacker.example", "[127.0.0.1]", THEIRS, "localhost", "with"])
def test_what_a_server_that_logs_in_took_from_a_stranger_is_forwarded(login: str, form: str, helo: str) -> None:
    """Whatever MTA a customer has, and whatever a stranger calls himself there, and says of himself below."""
    hop = received(form, THEIRS, helo=helo)
    for made_up in ("", received("Postfix, login", THEIRS), received("Postfix, sendmail", THEIRS)):
        assert origin(login, hop + made_up) is Origin.FORWARDED
        mailbox = received("Dovecot", THEIRS, helo=THEIRS, name=THEIRS, ip="127.0.0.1")
        assert origin(login, mailbox + hop + made_up) is Origin.FORWARDED


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("form", sorted(OF_USERS))
def test_what_a_server_that_logs_in_took_from_its_own_user_is_submitted(login: str, form: str) -> None:
    assert origin(login, received(form, THEIRS)) is Origin.SUBMITTED


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("ip", ["192.168.1.20", "10.0.0.9", "172.16.4.1", "fe80::1%18", "fd00::7", "100.64.0.9"])
@pytest.mark.parametrize("form", ["Postfix", "Exim", "Sendmail", "Exchange", "qmail", "amavis"])
def test_a_client_within_the_customers_network_is_no_stranger(login: str, ip: str, form: str) -> None:
    hop = received(form, THEIRS, helo="laptop", name="unknown", ip=ip)
    assert origin(login, hop) is Origin.SUBMITTED
    assert origin(login, received("amavis", THEIRS, helo=THEIRS, name=THEIRS, ip="127.0.0.1") + hop) is Origin.SUBMITTED


# header sections of mail that servers of customers hand in with a login, as published archives have them, with other names
GOOGLE = "Received: by mail-lj1-f169.google.com with SMTP id\n 38308e7fff4ca-36d77de259bso15165951fa.3\n        for <v@receiver.example>;\n Fri, 31 Oct 2025 05:13:54 -0700 (PDT)\n"
GOOGLES_USER = "Received: from [192.168.1.4] (dsl.example. [203.0.113.7])\n by smtp.gmail.com with ESMTPSA id ffacd0b85a97d-3b; Mon, 27 Oct 2025 01:23:18 -0700 (PDT)\n"
PLESK = (
    "Authentication-Results: plesk.customer.example;\n        spf=pass (sender IP is 203.0.113.7) smtp.mailfrom=ask@hosted.example smtp.helo=laptop\n"
    "Received-SPF: pass (plesk.customer.example: connection is authenticated)\n"
)
RSPAMD = (
    "Authentication-Results: ORIGINATING;\n\tauth=pass smtp.auth=ask@hosted.example smtp.mailfrom=ask@hosted.example\n"
)
ITSELF = "Received: from mail.customer.example (mail.customer.example [203.0.113.5])\n by mail.customer.example (Postfix) with ESMTP id 1; x\n"
EXCHANGE = (
    "Received: from EX01.customer.local (203.0.113.8) by EX01.customer.local\n (203.0.113.8) with Microsoft SMTP Server id 15.2.1; x\n"
    "Received: from EX01.customer.local ([fe80::1%5]) by\n EX01.customer.local ([fe80::1%5]) with mapi id 15.02; x\n"
)


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize(
    "own", [GOOGLE, GOOGLE + GOOGLES_USER, PLESK, RSPAMD, ITSELF + RSPAMD, EXCHANGE], ids=lambda text: text[:48]
)
def test_what_honest_servers_write_of_their_own_users_stays_submitted(login: str, own: str) -> None:
    assert origin(login, own) is Origin.SUBMITTED
    stranger = received("Postfix", THEIRS)
    assert origin(login, own + stranger) is Origin.FORWARDED


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize(
    "field",
    [
        "Authentication-Results: mail.customer.example; spf=fail smtp.mailfrom=hosted.example",
        "Authentication-Results: mail.customer.example; dmarc=none header.from=hosted.example",
        "Authentication-Results: mail.customer.example; none",
        "Authentication-Results: mail.customer.example; auth=pass smtp.auth=a; spf=fail smtp.mailfrom=x.example",
        "Authentication-Results: mail.customer.example; auth=fail smtp.auth=a",
        "Authentication-Results: auth=pass",
        "Received-SPF: pass (x) envelope-from=friend@hosted.example",
        "Received-SPF: pass (plesk.customer.example: connection is authenticated)",
        "ARC-Seal: i=1; d=attacker.example",
        "ARC-Message-Signature: i=1; d=attacker.example",
        "ARC-Authentication-Results: i=1; x; none",
        "X-DKIMGate-Passport: x",
    ],
)
def test_what_somebody_verified_a_user_did_not_write(login: str, field: str) -> None:
    """Where a server takes its own Received fields off, this is all that is left of the journey."""
    assert origin(login, field + "\n") is Origin.FORWARDED
    assert origin(login, received("Postfix, login", THEIRS) + field + "\n") is Origin.FORWARDED


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize(
    "forged",
    [
        # what Plesk writes of a stranger, who wrote the other half himself
        PLESK.replace("connection is authenticated", "domain of eve.example designates 192.0.2.66 as permitted sender"),
        PLESK.replace("pass (plesk", "fail (plesk"),
        PLESK.replace("spf=pass", "spf=fail"),
        PLESK.replace("(plesk.customer", "(plesk.attacker"),
        PLESK.replace("smtp.helo=laptop", "smtp.helo=laptop; dmarc=fail"),
        PLESK.replace("Received-SPF", "X-Other: x\nReceived-SPF"),
        "Received-SPF: fail (plesk.customer.example: domain of hosted.example)\n" + PLESK,
    ],
)
def test_half_of_what_plesk_writes_is_nothing(login: str, forged: str) -> None:
    assert origin(login, forged) is Origin.FORWARDED


def test_a_network_of_ours_is_no_strangers_below_a_login_either() -> None:
    """Where a customer's server does not tell its users' logins: the operator names the addresses that they come from."""
    hop = received("Exchange", THEIRS, helo="laptop", ip="198.51.100.7")
    assert origin("in this session", hop) is Origin.FORWARDED
    named = TRUST.model_copy(update={"networks": (*TRUST.networks, ip_network("198.51.100.0/24"))})
    assert route_of(message(hop + AUTHOR, SESSION), named).origin is Origin.SUBMITTED


def test_qmail_that_took_it_from_the_network_tells_from_whom_in_the_next_field() -> None:
    for login in LOGINS:
        network = received("qmail, network", THEIRS)
        assert origin(login, network) is Origin.FORWARDED
        assert origin(login, network + received("qmail", THEIRS)) is Origin.FORWARDED
        assert origin(login, network + received("qmail", THEIRS, ip="192.168.1.9")) is Origin.SUBMITTED


def test_so_many_fields_below_a_login_are_read() -> None:
    own = received("Postfix, sendmail", THEIRS)
    assert origin("in this session", own * MAX_HOPS) is Origin.SUBMITTED
    assert origin("in this session", own * (MAX_HOPS + 1)) is Origin.FORWARDED


def test_the_reason_names_who_took_it_from_whom() -> None:
    route = route_of(message(received("Postfix", THEIRS) + AUTHOR, SESSION), TRUST)
    assert THEIRS in route.why and "192.0.2.66" in route.why
    assert (route.border, route.ours_above, route.outside) == (None, 0, True)
