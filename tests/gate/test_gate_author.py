"""The whole gate with the shipped policy: our users' mail of odd but clear From leaves signed, and what can't be is told once a day."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkimgate.gate import passage
from dkimgate.message.message import Connection, split_message
from tests.world.host import Host
from tests.world.keys import NOW

MAIL = sorted((Path(__file__).parents[1] / "message" / "own_mail").glob("*.eml"))
USER = Connection("198.51.100.7", "laptop.example", auth="user@hosted.example")
STRANGER = Connection("198.51.100.7", "laptop.example")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path, "verify: {when: never}\ntrust: {networks: [127.0.0.0/8]}", now=NOW)


def signed(host: Host, raw: bytes, connection: Connection) -> bool:
    header, body = split_message(raw)
    fields = host.send(header, connection, body, sender="user@hosted.example").fields
    assert host.record["error"] is None and bool(host.record["decision"]["signatures"]) == bool(fields)
    return any(name == "DKIM-Signature" and b"d=hosted.example" in value for name, value in fields)


@pytest.mark.parametrize("file", MAIL, ids=lambda file: str(file.stem))
def test_what_people_reported_is_signed_for_a_user_and_for_nobody_else(host: Host, file: Path) -> None:
    assert signed(host, file.read_bytes(), USER)
    assert not signed(host, file.read_bytes(), STRANGER)


def test_our_own_mail_without_an_author_is_told_once_a_day_for_each_kind(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(passage, "log", lambda text, *_: told.append(text) if "our own mail" in text else None)
    two, other = b"From: u@hosted.example, x@%s.example\r\n\r\nx\r\n", b"To: x@hosted.example\r\n\r\nx\r\n"
    assert not any(signed(host, two % name, USER) for name in (b"a", b"b", b"c"))
    assert len(told) == 1 and "4F2B: our own mail (submitted) is not signed" in told[0]
    assert not signed(host, other, USER)
    assert len(told) == 2 and "no From field" in told[1]
    assert not signed(host, two % b"d", STRANGER)
    assert len(told) == 2
    host.now = NOW + 86_401
    assert not signed(host, two % b"e", USER)
    assert len(told) == 3
