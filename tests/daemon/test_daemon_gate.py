"""The whole thing: `dkimgate run` with the real gate, the shipped policy and a real key, over a real socket."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dkim
import pytest

from dkimgate.message.limits import MOST_FIELDS
from dkimgate.message.message import Connection, Message, split_message
from dkimgate.postfix.milter_client import MilterClient
from tests.load import Load
from tests.running import Daemon, eventually, real
from tests.world.keys import rsa_record
from tests.world.mail import BORDER, REINJECTED, fields, message

ASK = Connection("192.0.2.7", "laptop.hosted.example", "laptop", "ask", "ORIGINATING")
FROM_ASK = "From: ask@hosted.example\nTo: you@receiver.example\nSubject: Plan\nDate: Sat, 21 Nov 2026 16:20:25 +0000\nMessage-ID: <1@hosted.example>\n"
FAILED = "Authentication-Results: mx.forwarder.example; dmarc=fail header.from=hosted.example\nX-Spam-Status: Yes, score=14.9 required=3.0\n"
TEXT = b"Hello\r\n\r\nworld \r\n\r\n"


def from_ask(header: str, connection: Connection = ASK, queue_id: str = "4F2A") -> Message:
    return message(header, connection, "ask@hosted.example", queue_id=queue_id)


@pytest.fixture
def gate(folder: Path) -> Iterator[Daemon]:
    daemon = real(folder, drain_seconds=20)
    yield daemon
    daemon.end()


def test_own_users_message_verifies_at_the_receiver(gate: Daemon) -> None:
    mail = from_ask(FROM_ASK)
    reply = gate.send(mail, TEXT)
    assert reply.accepted
    departing = reply.apply(mail.header, TEXT)
    assert departing.startswith(b"DKIM-Signature: v=1;")
    assert dkim.verify(departing, dnsfunc=lambda name, timeout=5: rsa_record().encode())


def test_forwarded_forgery_departs_unsigned_with_its_record(gate: Daemon) -> None:
    reply = gate.send(from_ask(FAILED + BORDER + FROM_ASK, REINJECTED), TEXT)
    assert (reply.accepted, reply.edits) == (True, ())
    (record,) = gate.records()
    assert (record["decision"]["rule"], record["decision"]["signatures"]) == ("never-launder", [])
    assert record["arrival"]["dmarc"] == "fail"


def test_header_too_long_to_be_read_departs_unsigned(gate: Daemon) -> None:
    """Even of a user of ours: what was not read could be a second From."""
    reply = gate.send(from_ask("X-A: 1\n" * (MOST_FIELDS + 1) + FROM_ASK), TEXT)
    assert (reply.accepted, reply.edits) == (True, ())
    assert len(gate.records()) == 1
    assert f"{MOST_FIELDS} fields" in json.dumps(gate.records()[0])


def test_cut_in_the_body_leaves_one_record(gate: Daemon) -> None:
    mail = from_ask(FROM_ASK)
    client = gate.connect(connection=ASK)
    client.mail("ask@hosted.example", "ask")
    client.recipient("you@receiver.example")
    for each in mail.header:
        client.header(each)
    client.end_of_header("4F2A")
    client.body(TEXT)
    client.close(quietly=True)
    assert eventually(lambda: len(gate.records()) == 1)
    assert "aborted" in gate.records()[0]["error"]
    assert gate.records()[0]["decision"]["signatures"] == []


def test_broken_policy_at_reload_names_line_and_column(gate: Daemon) -> None:
    gate.policy("version: 1\nrulez: []\n")
    gate.reload()
    assert "policy.yaml:2:1: unknown key 'rulez'" in gate.log
    assert len(gate.send(from_ask(FROM_ASK), TEXT).inserted) == 1


def reload_under_load(gate: Daemon, step: int, reloads: int) -> None:
    policy = (gate.folder / "policy.yaml").read_text()

    def one(client: MilterClient, queue_id: str) -> bool:
        reply = client.send(from_ask(FROM_ASK, queue_id=queue_id), TEXT)
        return reply.accepted and len(reply.inserted) == 1

    load = Load(lambda: gate.connect(connection=ASK), one, connections=8, each=7)
    for number in range(1, reloads + 1):
        assert load.more(step)
        gate.policy(f"{policy}# {number}\n")
        gate.reload()
    assert load.more(step)
    load.finish()
    assert load.problems == []
    records = gate.records()
    assert Counter(each["queue_id"] for each in records) == Counter(f"Q{number}" for number in range(1, load.sent + 1))
    assert all(each["decision"]["signatures"] for each in records)
    assert len({each["policy"] for each in records}) == reloads + 1
    assert "ended" not in gate.log


@pytest.mark.heavy
def test_reload_under_load(gate: Daemon) -> None:
    reload_under_load(gate, step=150, reloads=2)
    gate.signal(signal.SIGTERM)
    assert gate.process.wait(20) == 0


@pytest.mark.servers
def test_reload_under_heavy_load(gate: Daemon) -> None:
    reload_under_load(gate, step=500, reloads=10)


OPENDKIM = (
    'Authentication-Results: mx.forwarder.example;\n\tdkim=pass (2048-bit key) header.d=hosted.example header.i=@hosted.example header.b="{b}"\n'
    "Authentication-Results: mx.forwarder.example; dmarc=pass (p=reject dis=none) header.from=hosted.example\n"
)


def test_a_message_that_passes_twice_is_signed_once(gate: Daemon) -> None:
    """Out as a user's own, then put into the queue again, then back from outside by a loop of aliases."""
    submitted = from_ask(FROM_ASK)
    departed, body = split_message(gate.send(submitted, TEXT).apply(submitted.header, TEXT))
    again = replace(submitted, connection=REINJECTED, header=departed)
    assert gate.send(again, body).edits == ()

    b = departed[0].value.rpartition(b"b=")[2][:8].decode()
    looped = replace(again, header=(*fields(OPENDKIM.replace("{b}", b) + BORDER), *departed))
    assert gate.send(looped, body).edits == ()
    assert gate.send(looped, body + b"Pay here.\r\n").edits == ()

    first, second, third, changed = gate.records()
    assert (first["own_signature"], [each["selector"] for each in first["decision"]["signatures"]]) == (
        False,
        ["gate"],
    )
    assert (second["own_signature"], second["decision"]["rule"], second["decision"]["sign"]) == (
        True,
        "own-users",
        "none",
    )
    assert (
        second["departure"]["dmarc"],
        second["departure"]["dkim_aligned"],
        second["departure"]["signature_holds"],
    ) == (
        "pass",
        True,
        "yes",
    )
    assert (third["own_signature"], third["arrival"]["dmarc"], third["arrival"]["aligned"]) == (True, "none", False)
    assert (third["departure"]["dmarc"], third["departure"]["dkim_aligned"]) == ("none", True)
    # the word of ours that is left has to be proved, and nobody answers here
    assert (changed["own_signature"], changed["arrival"]["dmarc"], changed["departure"]["dkim_aligned"]) == (
        False,
        "temperror",
        False,
    )


def test_of_many_keys_those_that_are_broken_are_told_after_the_start(folder: Path) -> None:
    gone = [{"domain": f"d{n}.example", "selector": "default", "file": f"gone{n}.pem"} for n in range(120)]
    keys = [{"domain": "hosted.example", "selector": "default", "file": "key.pem"}, *gone]
    daemon = real(folder, keys=keys, verify={"when": "never"})
    try:
        assert eventually(lambda: daemon.log.count("leaves UNSIGNED") == len(gone))
        assert [each.name for each in daemon.send(from_ask(FROM_ASK), TEXT).inserted] == [b"DKIM-Signature"]
    finally:
        daemon.end()


def test_one_key_that_is_gone_does_not_stop_the_others(folder: Path) -> None:
    """At start the other domains go on, loudly; at a reload the old keys do."""
    keys = [
        {"domain": domain, "selector": "default", "file": file}
        for domain, file in (("hosted.example", "key.pem"), ("gone.example", "gone.pem"))
    ]
    daemon = real(folder, keys=keys, verify={"when": "never"})
    try:
        assert "gone.pem" in daemon.log and "leaves UNSIGNED" in daemon.log
        assert [each.name for each in daemon.send(from_ask(FROM_ASK), TEXT).inserted] == [b"DKIM-Signature"]
        (folder / "key.pem").rename(folder / "moved.pem")
        daemon.reload()
        assert eventually(lambda: "not reloaded" in daemon.log)
        assert [each.name for each in daemon.send(from_ask(FROM_ASK), TEXT).inserted] == [b"DKIM-Signature"]
    finally:
        daemon.end()
