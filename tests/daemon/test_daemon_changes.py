"""Changes of the header over a real socket: what libmilter is asked for, and what then departs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dkim
import pytest

from dkimgate.postfix.milter_client import Change, Reply, Verdict
from tests.running import Daemon, real
from tests.world.keys import rsa_record
from tests.world.mail import BORDER, message

POLICY = """\
version: 1
rules:
  - {name: watched, when: {sender: "watch@*"}, disposition: hold, tag: "[odd]", mode: observe}
  - {name: refused, when: {sender: "refuse@*"}, disposition: reject, text: "100% of <{sender}>, dmarc={arrival.dmarc}"}
  - {name: changed, sign: author, tag: "[{origin}]", add: {X-Rule: "{rule}"}, remove: [X-Offer, X-Advert]}
allow_laundering: [changed]
laundering_reason: a test of changes alone
"""
MAIL = (
    "X-Offer: 1\nFrom: ask@hosted.example\nx-offer: 2\nSubject:  Mittagessen für\n\talle \nX-Other: 1\nX-OFFER: 3\n"
    "Message-ID: <1@hosted.example>\nx-advert: NO\n"
)
TEXT = b"Hello\r\n"


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory, library: str) -> Iterator[Daemon]:
    folder: Path = tmp_path_factory.mktemp("d")
    keys = [{"domain": "hosted.example", "selector": "s", "file": "key.pem"}]
    daemon = real(folder, POLICY, keys=keys, verify={"when": "never"}, workers=1)
    yield daemon
    daemon.end()


def sent(daemon: Daemon, header: str | bytes, sender: str = "ask@elsewhere.example") -> tuple[Reply, bytes]:
    came = message(header, sender=sender)
    reply = daemon.send(came, TEXT)
    return reply, reply.apply(came.header, TEXT)


def test_the_header_departs_changed_and_signed(one: Daemon) -> None:
    reply, raw = sent(one, MAIL)
    assert reply.accepted
    assert [(edit.name, edit.index, edit.value) for edit in reply.edits if isinstance(edit, Change)] == [
        (b"Subject", 1, " [local]  Mittagessen für\n\talle ".encode()),
        (b"x-advert", 1, b""),
        (b"X-OFFER", 3, b""),
        (b"x-offer", 2, b""),
        (b"X-Offer", 1, b""),
    ]
    assert [each.name for each in reply.inserted] == [b"X-Rule", b"DKIM-Signature"]  # the last one named ends topmost
    assert raw.startswith(b"DKIM-Signature: ") and b"\r\nX-Rule: changed\r\nFrom: " in raw
    assert "\r\nSubject: [local]  Mittagessen für\r\n\talle \r\nX-Other: 1\r\nMessage-ID".encode() in raw
    assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: rsa_record().encode())


def test_a_subject_that_is_no_utf_8_departs_as_it_came(one: Daemon) -> None:
    _, raw = sent(one, b"From: ask@hosted.example\nSubject: \xfcbel\nX-Offer: 1\n", "")
    assert b"\r\nSubject: \xfcbel\r\n\r\n" in raw
    assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: rsa_record().encode())


def test_a_signature_of_others_keeps_the_subject_as_it_is(one: Daemon) -> None:
    one.forget()
    reply, raw = sent(one, "DKIM-Signature: v=1; d=list.example; s=s; h=from:subject; b=AAAA\n" + MAIL)
    assert reply.accepted and b"Subject:  Mittagessen" in raw and b"offer" not in raw.lower()
    assert one.records()[0]["decision"]["not_done"] == [
        "tag: a signature of list.example may still be valid, and covers Subject"
    ]


def test_a_refusal_names_facts_and_stays_one_line(one: Daemon) -> None:
    reply, _ = sent(one, BORDER + MAIL, "refuse@a%sb\r\n250 ok")
    assert (reply.verdict, reply.text) == (Verdict.REJECT, "550 5.7.1 100% of <refuse@a%sb?250 ok>, dmarc=unknown")


def test_a_rule_that_observes_is_told_at_the_start_and_lets_everything_pass(one: Daemon) -> None:
    one.forget()
    reply, raw = sent(one, MAIL, "watch@elsewhere.example")
    assert (
        reply.accepted
        and raw.startswith(b"DKIM-Signature: ")
        and b"[odd]" not in raw
        and raw.lower().count(b"\nx-offer:") == 3
    )
    decision = one.records()[0]["decision"]
    assert (decision["rule"], decision["mode"], decision["disposition"]) == ("watched", "observe", "hold")
    one.reload()
    assert (
        "mode: observe in watched: mail of hosted domains that matches there is SIGNED as if there were no gate"
        in one.log
    )
