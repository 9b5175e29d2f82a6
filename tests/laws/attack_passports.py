"""What a spammer, or a bad host, does with the passport of an honest message that a border of ours has stated as passed. Name: change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from dkimgate.message.message import Connection, HeaderField
from tests.laws.attack_signed import SIGNED
from tests.laws.attack_world import AUTHOR, BODY, LOGIN, STRANGER
from tests.world.mail import REINJECTED, fields

HONEST = fields(SIGNED.replace(b"\r\n", b"\n") + AUTHOR)
FORGED = fields(AUTHOR)
PASSPORT = "x-dkimgate-passport"


@dataclass(frozen=True)
class Comeback:
    """What comes back to the gate: the passport and the author's fields, and nothing else that could help."""

    header: tuple[HeaderField, ...]
    body: bytes = BODY
    client: Connection = REINJECTED
    later: float = 30.0


Change = Callable[[Comeback], Comeback]


def _set(name: str, value: bytes) -> Change:
    def changed(back: Comeback) -> Comeback:
        assert any(field.key == name for field in back.header)
        return replace(
            back, header=tuple(HeaderField(f.name, b" " + value) if f.key == name else f for f in back.header)
        )

    return changed


def _added(name: bytes, value: bytes) -> Change:
    return lambda back: replace(back, header=(*back.header, HeaderField(name, b" " + value)))


def _first(name: bytes, value: bytes) -> Change:
    return lambda back: replace(back, header=(HeaderField(name, b" " + value), *back.header))


def _without(name: str) -> Change:
    return lambda back: replace(back, header=tuple(field for field in back.header if field.key != name))


def _passport(old: bytes, new: bytes) -> Change:
    def changed(back: Comeback) -> Comeback:
        value = next(field.value for field in back.header if field.key == PASSPORT)
        assert old in value
        return _set(PASSPORT, value.replace(old, new).strip())(back)

    return changed


def _of_a_body(body: bytes) -> Change:
    return lambda back: replace(back, body=body)


_BORDER = _first(b"Received", b"from x (x [192.0.2.66]) by mx.forwarder.example (Postfix) with ESMTP id 1; x")

CHANGES: dict[str, Change] = {
    "another body": _of_a_body(b"Something else.\r\n"),
    "a longer body": _of_a_body(BODY + b"Something else.\r\n"),
    "a shorter body": _of_a_body(b""),
    "a body with a line ahead": _of_a_body(b"Something else.\r\n" + BODY),
    "a body with another letter": _of_a_body(BODY.replace(b"me", b"ME")),
    "another subject": _set("subject", b"Money"),
    "a second subject": _added(b"Subject", b"Money"),
    "a second subject on top": _first(b"Subject", b"Money"),
    "no subject": _without("subject"),
    "another display name": _set("from", b"Director <ask@hosted.example>"),
    "another user of ours": _set("from", b"Friend <ceo@hosted.example>"),
    "another case of the local part": _set("from", b"Friend <ASK@hosted.example>"),
    "a sub-domain of ours": _set("from", b"Friend <ask@pay.hosted.example>"),
    "a second From": _added(b"From", b"ceo@hosted.example"),
    "a second From with white space": _added(b"From ", b"ceo@hosted.example"),
    "another recipient": _set("to", b"other@receiver.example"),
    "a Cc": _added(b"Cc", b"other@receiver.example"),
    "a Reply-To": _added(b"Reply-To", b"eve@attacker.example"),
    "a Reply-To with white space behind its name": _added(b"Reply-To ", b"eve@attacker.example"),
    "a Sender": _added(b"Sender", b"eve@attacker.example"),
    "another Message-ID": _set("message-id", b"<4712@hosted.example>"),
    "a second Message-ID": _added(b"Message-ID", b"<4712@hosted.example>"),
    "no Message-ID": _without("message-id"),
    "another date": _set("date", b"Sun, 22 Nov 2026 16:20:20 +0000"),
    "a second date": _first(b"Date", b"Sun, 22 Nov 2026 16:20:20 +0000"),
    "no date": _without("date"),
    "another content type": _added(b"Content-Type", b"text/html"),
    "another transfer encoding": _added(b"Content-Transfer-Encoding", b"base64"),
    "another disposition": _added(b"Content-Disposition", b"attachment"),
    "a spam verdict": _added(b"X-Spam-Flag", b"YES"),
    "a verifier's fail": _added(
        b"Authentication-Results", b"mx.forwarder.example; dmarc=fail header.from=hosted.example"
    ),
    "too late": lambda back: replace(back, later=601.0),
    "a day late": lambda back: replace(back, later=86_400.0),
    "before it was issued": lambda back: replace(back, later=-61.0),
    "handed in by a stranger": lambda back: replace(back, client=STRANGER),
    "handed in by a stranger who says localhost": lambda back: replace(
        back, client=replace(STRANGER, name="localhost", helo="localhost")
    ),
    "handed in without an address": lambda back: replace(back, client=Connection(ip=None)),
    "redirected with a login, behind a border": lambda back: _BORDER(replace(back, client=LOGIN)),
    "no passport, behind a border": lambda back: _BORDER(_without(PASSPORT)(back)),
    "a passport under another name, behind a border": lambda back: _BORDER(
        replace(
            back,
            header=tuple(HeaderField(b"X-Dkimgate-Pass", f.value) if f.key == PASSPORT else f for f in back.header),
        )
    ),
    "a passport of another author": _passport(b"a=hosted.example", b"a=attacker.example"),
    "a passport of another time": _passport(b"t=1790000000", b"t=1790000020"),
    "a passport of another host": _passport(b"h=mx.forwarder.example", b"h=mx.forwarder.exampl"),
    "a passport with another result": _passport(b"dkim=pass", b"dkim=none"),
    "a passport with a spam verdict": _passport(b"spam=-", b"spam=0.000/5.000/no"),
    "a passport with one tag more": _passport(b"v=1;", b"v=1; x=1;"),
    "a passport with a key of nobody": _passport(b"k=2026a", b"k=2026b"),
}
