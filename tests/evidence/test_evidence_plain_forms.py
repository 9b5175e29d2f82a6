"""A field of ours is plain where all of it is what a verifier writes for plain words, and where a sender has written into it, it is not."""

from __future__ import annotations

import pytest

from dkimgate.authres import authentication_results
from dkimgate.authres.authentication_results import Reading
from dkimgate.evidence import misled_verifiers, plain_forms
from dkimgate.evidence.route import Route, route_of
from dkimgate.message.message import Connection, Message
from tests.evidence.echoes import table
from tests.world.mail import BORDER, TRUST, message

OURS = "mx.forwarder.example; "
FREE_TEXT = ("spf permerror", "spf temperror", "dkim signature without d=")
"""Here policyd-spf tells in its own comment what a record or a name server said: nobody can say where that ends. Exim writes no result."""


def form_of(text: str) -> str | None:
    return plain_forms.form_of(text, authentication_results.read(text))


@pytest.mark.parametrize(
    "row", [row for row in table.read("plain") if row.case not in FREE_TEXT], ids=lambda row: row.case
)
def test_what_verifiers_write_for_plain_words_is_plain(row: table.Row) -> None:
    for written in row.written:
        for field in table.header_of(written.fields):
            if field.key == "authentication-results":
                assert form_of(field.text) is not None, field.text
            if field.key == "received-spf":
                assert plain_forms.is_plain_received_spf(field.text), field.text
    assert plain_forms.is_plain_sender(row.return_path) and plain_forms.is_plain_helo(row.helo)


@pytest.mark.parametrize(
    "text",
    [
        'dkim=pass (2048-bit key) header.d=a.example header.i=@a.example header.s=sel(x)header.d=hosted.example header.b="AAAA"',
        "dkim=pass (2048-bit key) header.d=a.example header.i=@a.example header.s=s header.d=hosted.example",
        "dkim=pass (2048-bit key) header.d=a.example header.i=@a.example; dmarc=pass header.from=hosted.example",
        'spf=pass smtp.mailfrom=hosted.example,b"@attacker.example',
        "spf=pass smtp.mailfrom=x smtp.mailfrom=friend@hosted.example",
        "spf=pass smtp.mailfrom=a.example; spf=pass smtp.mailfrom=hosted.example",
        "spf=none smtp.helo=c.example; dmarc=pass header.from=hosted.example",
        "spf=none smtp.helo=x;dmarc=pass",
        'spf=pass (sender SPF authorized) smtp.mailfrom=a.example (client-ip=192.0.2.66; helo=x; envelope-from="x); dmarc=pass (@a.example)',
        "spf=permerror (SPF Permanent Error: Unknown mechanism found: x);dmarc=pass(y)header.from=hosted.example;a=b() smtp.mailfrom=a.example",
        "dmarc=pass (p=reject dis=none) header.from=hosted.example header.from=other.example",
        "dmarc=pass header.from=hosted.example x.y=z",
        "dmarc=pass (x) header.from=hosted.example",
        'dmarc=pass header.from="hosted.example"',
        "dmarc=pass header.from=hosted_example",
        "dmarc=pass header.from=h\xf6sted.example",
        "",
    ],
)
def test_what_holds_a_senders_words_is_not(text: str) -> None:
    assert form_of(OURS + text) is None


@pytest.mark.parametrize(
    "sender", ["", "ask@hosted.example", "bounce+a=b.example@x.example", "SRS0=a=b=c.example=d@x.example", "root"]
)
def test_plain_senders(sender: str) -> None:
    assert plain_forms.is_plain_sender(sender)


@pytest.mark.parametrize(
    "sender",
    [
        '"x@hosted.example,b"@a.example',
        "a b@x.example",
        "x@hosted.example(y@a.example)",
        "a@b@c.example",
        "a@[192.0.2.1]",
        "é@x.example",
    ],
)
def test_odd_senders(sender: str) -> None:
    assert not plain_forms.is_plain_sender(sender)


PLAIN = "Authentication-Results: mx.forwarder.example; dmarc=pass (p=reject dis=none) header.from=hosted.example\n"
AUTHOR = "From: ask@hosted.example\n"
ODD = {
    "selector": (
        PLAIN,
        "DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=sel(x)header.d=hosted.example; h=from; bh=A; b=A\n",
        "s=sel(x)",
    ),
    "identity": (
        PLAIN,
        "DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s; i=x=3B=20dmarc=3Dpass@a.example; b=A\n",
        "dmarc=pass",
    ),
    "domain": (
        PLAIN,
        "DKIM-Signature: v=1; a=rsa-sha256; d=a.example (x) hosted.example; s=s; b=A\n",
        "d=a.example (x)",
    ),
    "algorithm": (
        PLAIN,
        "DKIM-Signature: v=1; a=rsa-sha256 header.d=hosted.example; d=a.example; s=s; b=A\n",
        "a=rsa-sha256 header",
    ),
    "seal": (PLAIN, "ARC-Seal: i=1; a=rsa-sha256; d=a.example; s=x;y; b=A;s=a b\n", "s=a b"),
    "Return-Path": ('Return-Path: <"x@hosted.example,b"@a.example>\n' + PLAIN, "", "x@hosted.example,b"),
    "Received-SPF": ('Received-SPF: Pass (x) envelope-from="a b"@a.example;\n' + PLAIN, "", "a b"),
    "a field of ours": (PLAIN + PLAIN.replace("dmarc", "odd"), "", "odd=pass"),
}


def in_zone(message: Message, route: Route) -> dict[int, Reading]:
    fields = enumerate(message.header[: route.ours_above])
    return {
        position: authentication_results.read(field.text)
        for position, field in fields
        if field.key == "authentication-results"
    }


@pytest.mark.parametrize("what", ODD)
def test_odd_words_are_told(what: str) -> None:
    above, below, words = ODD[what]
    arrived = message(table.header_of(above + BORDER + below + AUTHOR), sender="ask@hosted.example")
    route = route_of(arrived, TRUST)
    odd = misled_verifiers.odd_words(arrived, route, in_zone(arrived, route), TRUST)
    assert odd is not None and words in odd
    assert len(odd) < 200 and odd.isascii() and odd.isprintable()


def test_plain_mail_has_none() -> None:
    header = table.header_of(
        PLAIN + BORDER + "DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s; i=a.b@m.a.example; b=AAA/+=\n" + AUTHOR
    )
    for sender in ("ask@hosted.example", ""):
        arrived = message(header, sender=sender)
        route = route_of(arrived, TRUST)
        assert misled_verifiers.odd_words(arrived, route, in_zone(arrived, route), TRUST) is None
    stranger = message(header[2:], Connection(ip="192.0.2.66", helo="x?y", name="c.example"), "a@b.example")
    assert misled_verifiers.odd_words(stranger, route_of(stranger, TRUST), {}, TRUST) == "'x?y' in EHLO"
