"""The whole gate with the shipped policy: our users' mail of odd but clear From leaves signed, and what can't be is told once a day."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dkimgate.gate import passage
from dkimgate.gate.gate import Gate
from dkimgate.message.message import Connection, Envelope, Message, split_message
from tests.world.dns import FakeResolver
from tests.world.keys import NOW, pem

POLICY = Path(__file__).parents[2] / "config" / "policy.yaml"
MAIL = sorted((Path(__file__).parents[1] / "message" / "own_mail").glob("*.eml"))
USER = Connection("198.51.100.7", "laptop.example", auth="user@hosted.example")
STRANGER = Connection("198.51.100.7", "laptop.example")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    (tmp_path / "key.pem").touch(0o600)
    (tmp_path / "key.pem").write_bytes(pem())
    shutil.copy(POLICY, tmp_path / "policy.yaml")
    (tmp_path / "dkimgate.yaml").write_text(
        "trust: {hosts: [mx.forwarder.example], networks: [127.0.0.0/8], authserv_ids: [mx.forwarder.example]}\n"
        "keys: [{domain: hosted.example, selector: gate, file: key.pem}]\n"
        "verify: {when: never}\njournal: {file: decisions.jsonl}\n"
    )
    made = Gate.load(tmp_path / "dkimgate.yaml")
    made.resolver = FakeResolver({}, frozenset())  # type: ignore[assignment]
    made.now = lambda: NOW
    return made


def signed(gate: Gate, raw: bytes, connection: Connection) -> bool:
    header, body = split_message(raw)
    judged = gate.judge(Message(connection, Envelope("user@hosted.example", ("v@receiver.example",)), header, "4F2A"))
    judged.body(body)
    fields = judged.end().fields
    record = json.loads(gate.journal.file.read_text().splitlines()[-1])
    assert record["error"] is None and bool(record["decision"]["signatures"]) == bool(fields)
    return any(name == "DKIM-Signature" and b"d=hosted.example" in value for name, value in fields)


@pytest.mark.parametrize("file", MAIL, ids=lambda file: str(file.stem))
def test_what_people_reported_is_signed_for_a_user_and_for_nobody_else(gate: Gate, file: Path) -> None:
    assert signed(gate, file.read_bytes(), USER)
    assert not signed(gate, file.read_bytes(), STRANGER)


def test_our_own_mail_without_an_author_is_told_once_a_day_for_each_kind(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(passage, "log", lambda text, *_: told.append(text) if "our own mail" in text else None)
    two, other = b"From: u@hosted.example, x@%s.example\r\n\r\nx\r\n", b"To: x@hosted.example\r\n\r\nx\r\n"
    assert not any(signed(gate, two % name, USER) for name in (b"a", b"b", b"c"))
    assert len(told) == 1 and "4F2A: our own mail (submitted) is not signed" in told[0]
    assert not signed(gate, other, USER)
    assert len(told) == 2 and "no From field" in told[1]
    assert not signed(gate, two % b"d", STRANGER)
    assert len(told) == 2
    gate.now = lambda: NOW + 86_401
    assert not signed(gate, two % b"e", USER)
    assert len(told) == 3
