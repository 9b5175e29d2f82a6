"""The whole thing: `dkimgate run` with the real gate, the shipped policy and a real key, over a real socket."""

from __future__ import annotations

import base64
import json
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dkimgate.message.limits import MOST_FIELDS
from dkimgate.message.message import Connection, Envelope, Message, split_message
from dkimgate.postfix.milter_client import MilterClient, Reply
from tests.load import Load
from tests.running import ROOT, Daemon, eventually
from tests.world.mail import BORDER, REINJECTED

ASK = Connection("192.0.2.7", "laptop.hosted.example", "laptop", "ask", "ORIGINATING")
FROM_ASK = "From: ask@hosted.example\nTo: you@receiver.example\nSubject: Plan\nDate: Sat, 21 Nov 2026 16:20:25 +0000\nMessage-ID: <1@hosted.example>\n"
FAILED = "Authentication-Results: mx.forwarder.example; dmarc=fail header.from=hosted.example\nX-Spam-Status: Yes, score=14.9 required=3.0\n"
TEXT = b"Hello\r\n\r\nworld \r\n\r\n"


def message(header: str, connection: Connection = ASK, queue_id: str = "4F2A") -> Message:
    fields, _ = split_message(header.encode() + b"\n")
    return Message(connection, Envelope("ask@hosted.example", ("you@receiver.example",)), fields, queue_id)


@pytest.fixture
def key(folder: Path) -> rsa.RSAPrivateKey:
    key = rsa.generate_private_key(65537, 2048)
    file = folder / "key.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    file.chmod(0o600)
    return key


@pytest.fixture
def gate(folder: Path, key: rsa.RSAPrivateKey) -> Iterator[Daemon]:
    (folder / "policy.yaml").write_bytes((ROOT / "config" / "policy.yaml").read_bytes())
    settings: dict[str, object] = {
        "trust": {"hosts": ["mx.forwarder.example"], "authserv_ids": ["mx.forwarder.example"]},
        "keys": [{"domain": "hosted.example", "selector": "default", "file": "key.pem"}],
        "verify": {"nameservers": ["127.0.0.1"], "port": 9, "deadline": 0.5},
        "drain_seconds": 20,
    }
    daemon = Daemon(folder, ["-m", "dkimgate", "run", "--config"], settings)
    daemon.wait_for("READY=1")
    yield daemon
    daemon.end()


def send(daemon: Daemon, each: Message, body: bytes = TEXT) -> Reply:
    with daemon.connect(connection=each.connection) as client:
        return client.send(each, body)


def test_own_users_message_verifies_at_the_receiver(gate: Daemon, key: rsa.RSAPrivateKey) -> None:
    mail = message(FROM_ASK)
    reply = send(gate, mail)
    assert reply.accepted
    departing = reply.apply(mail.header, TEXT)
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    assert departing.startswith(b"DKIM-Signature: v=1;")
    assert dkim.verify(departing, dnsfunc=lambda name, timeout=5: record)


def test_forwarded_forgery_departs_unsigned_with_its_record(gate: Daemon) -> None:
    reply = send(gate, message(FAILED + BORDER + FROM_ASK, REINJECTED))
    assert (reply.accepted, reply.edits) == (True, ())
    (record,) = gate.records()
    assert (record["decision"]["rule"], record["decision"]["signatures"]) == ("never-launder", [])
    assert record["arrival"]["dmarc"] == "fail"


def test_header_too_long_to_be_read_departs_unsigned(gate: Daemon) -> None:
    """Even of a user of ours: what was not read could be a second From."""
    reply = send(gate, message("X-A: 1\n" * (MOST_FIELDS + 1) + FROM_ASK))
    assert (reply.accepted, reply.edits) == (True, ())
    assert len(gate.records()) == 1
    assert f"{MOST_FIELDS} fields" in json.dumps(gate.records()[0])


def test_cut_in_the_body_leaves_one_record(gate: Daemon) -> None:
    mail = message(FROM_ASK)
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
    assert len(send(gate, message(FROM_ASK)).inserted) == 1


def reload_under_load(gate: Daemon, step: int, reloads: int) -> None:
    policy = (gate.folder / "policy.yaml").read_text()

    def one(client: MilterClient, queue_id: str) -> bool:
        reply = client.send(message(FROM_ASK, queue_id=queue_id), TEXT)
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
    submitted = message(FROM_ASK)
    departed, body = split_message(send(gate, submitted).apply(submitted.header, TEXT))
    again = replace(submitted, connection=REINJECTED, header=departed)
    assert send(gate, again, body).edits == ()

    b = departed[0].value.rpartition(b"b=")[2][:8].decode()
    above, _ = split_message((OPENDKIM.replace("{b}", b) + BORDER).encode() + b"\n")
    looped = replace(again, header=(*above, *departed))
    assert send(gate, looped, body).edits == ()
    assert send(gate, looped, body + b"Pay here.\r\n").edits == ()

    first, second, third, changed = gate.records()
    assert (first["own_signature"], [each["selector"] for each in first["decision"]["signatures"]]) == (
        False,
        ["default"],
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


def test_one_key_that_is_gone_does_not_stop_the_others(folder: Path, key: rsa.RSAPrivateKey) -> None:
    """At start the other domains go on, loudly; at a reload the old keys do."""
    (folder / "policy.yaml").write_bytes((ROOT / "config" / "policy.yaml").read_bytes())
    keys = [
        {"domain": domain, "selector": "default", "file": file}
        for domain, file in (("hosted.example", "key.pem"), ("gone.example", "gone.pem"))
    ]
    settings: dict[str, object] = {
        "trust": {"hosts": ["mx.forwarder.example"]},
        "keys": keys,
        "verify": {"when": "never"},
    }
    daemon = Daemon(folder, ["-m", "dkimgate", "run", "--config"], settings)
    try:
        daemon.wait_for("READY=1")
        assert "gone.pem" in daemon.log and "leaves UNSIGNED" in daemon.log
        assert [each.name for each in send(daemon, message(FROM_ASK)).inserted] == [b"DKIM-Signature"]
        (folder / "key.pem").rename(folder / "moved.pem")
        daemon.reload()
        assert eventually(lambda: "not reloaded" in daemon.log)
        assert [each.name for each in send(daemon, message(FROM_ASK)).inserted] == [b"DKIM-Signature"]
    finally:
        daemon.end()
