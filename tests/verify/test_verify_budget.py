"""A message that costs too much CPU waits once, is recorded, and is judged by what hurts alone when it comes again; others are not touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkimgate.budget import Costly
from dkimgate.facts import Disposition
from dkimgate.message import Connection, Envelope, Message, split_message
from verify.dkim_world import NOW
from verify.test_verify_gate import BORDER_FIELD, SIGNED, Arrived


@pytest.mark.parametrize("when", ["missing", "never"])
def test_it_is_deferred_once_and_then_leaves_unsigned(when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = Arrived(tmp_path, f"when: {when}")
    clock = iter(range(10_000))
    with monkeypatch.context() as slow:
        slow.setattr("dkimgate.passage.cpu_seconds", lambda: 3.0 * next(clock))
        first = arrived.send(BORDER_FIELD + SIGNED)
        assert first.disposition is Disposition.DEFER and first.fields == ()
        assert "deferred once" in arrived.record["error"] and arrived.record["decision"]["signatures"] == []
        again = arrived.send(b"X-Trace: another\r\n" + BORDER_FIELD + SIGNED)
    assert again.fields == () and again.disposition is not Disposition.DEFER
    assert arrived.record["from"] is None and "CPU" in arrived.record["author_problem"]
    assert len(arrived.gate.journal.file.read_text().splitlines()) == 2, "one message, one record"


def test_others_are_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = Arrived(tmp_path, "when: missing")
    clock = iter(range(10_000))
    with monkeypatch.context() as slow:
        slow.setattr("dkimgate.passage.cpu_seconds", lambda: 3.0 * next(clock))
        arrived.send(BORDER_FIELD + SIGNED.replace(b"Lunch", b"Money"))
    assert len(arrived.send(BORDER_FIELD + SIGNED).fields) == 1


def test_the_memory_is_bounded_and_forgets_after_a_day() -> None:
    costly = Costly()
    messages = [
        Message(Connection(), Envelope("a@b.example"), split_message(b"Message-ID: <%d@x.example>\r\n\r\n" % number)[0])
        for number in range(1500)
    ]
    for message in messages:
        costly.remember(message, NOW)
    assert not costly.knows(messages[0], NOW) and costly.knows(messages[-1], NOW)
    assert not costly.knows(messages[-1], NOW + 90_000)
