"""A border and a gate in one daemon, over real sockets: what libmilter removes and adds, and what then departs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dkimgate.message.message import Connection
from tests.running import Daemon, real
from tests.world.mail import BORDER, OUTSIDE, REINJECTED, message

OURS = "Authentication-Results: mx.forwarder.example; dmarc=pass header.from=hosted.example\n"
OTHERS = "Authentication-Results: mx.elsewhere.example; spf=pass smtp.mailfrom=hosted.example\n"
FROM = "From: ask@hosted.example\nTo: you@receiver.example\nSubject: Plan\nDate: Sat, 21 Nov 2026 16:20:25 +0000\nMessage-ID: <1@hosted.example>\n"
TEXT = b"Hello\r\n"


@pytest.fixture
def host(folder: Path) -> Iterator[Daemon]:
    listen = [f"unix:{folder}/milter.sock", {"socket": f"unix:{folder}/border.sock", "role": "border"}]
    daemon = real(folder, listen=listen, passport={"secret_file": "passport.secret"})
    yield daemon
    daemon.end()


def passed(host: Daemon, socket: str, header: str | bytes, connection: Connection) -> bytes:
    came = message(header, connection, "ask@hosted.example")
    reply = host.send(came, TEXT, f"unix:{host.folder}/{socket}")
    assert reply.accepted
    return reply.apply(came.header, TEXT).partition(b"\r\n\r\n")[0] + b"\r\n"


def test_forged_fields_go_and_those_of_others_stay(host: Daemon) -> None:
    """Several of one name, of which the first, the third and the last are to go, in whatever case they are written."""
    forged = (
        OURS
        + OTHERS
        + OURS.replace("Auth", "AUTH")
        + OTHERS
        + "X-Spam-Flag: NO\n"
        + FROM
        + "x-spam-flag: NO\nauthentication-results: mx.forwarder.example; none\n"
    )
    left = passed(host, "border.sock", forged, OUTSIDE)
    names = [line.partition(b":")[0].lower() for line in left.split(b"\r\n") if line[:1] not in (b"\t", b" ", b"")]
    assert names[:2] == [b"authentication-results", b"x-dkimgate-passport"]
    assert names[2:4] == [b"authentication-results"] * 2
    assert left.count(b"mx.elsewhere.example") == 2
    assert b"x-spam-flag" not in names and names[4:] == [b"from", b"to", b"subject", b"date", b"message-id"]


def test_the_passport_of_a_forgery_comes_back_and_is_taken_off(host: Daemon) -> None:
    inside = passed(host, "border.sock", OURS + FROM, OUTSIDE)
    departing = passed(host, "milter.sock", BORDER.replace("\n", "\r\n").encode() + inside, REINJECTED)
    assert b"X-Dkimgate-Passport" in inside and b"X-Dkimgate-Passport" not in departing
    assert b"DKIM-Signature" not in departing
    border, gate = host.records()
    assert (border["decision"]["rule"], gate["decision"]["rule"]) == ("border", "never-launder")
    assert next(claim["field"] for claim in gate["claims"] if claim["standing"] == "trusted") == "X-Dkimgate-Passport"


def test_our_own_users_pass_by_the_gate_as_ever(host: Daemon) -> None:
    assert passed(host, "milter.sock", FROM, REINJECTED).startswith(b"DKIM-Signature:")
