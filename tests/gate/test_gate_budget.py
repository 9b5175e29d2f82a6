"""A message that costs too much CPU waits once, is recorded, and is judged by what hurts alone when it comes again; others are not touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dkimgate.facts import Disposition
from dkimgate.gate.budget import Costly
from dkimgate.message.message import Connection
from tests.gate.test_gate_checks import BORDER_FIELD, SIGNED, Arrived
from tests.passport.test_passport_border import GOOD, OUR_RESULTS, STRANGER, Forwarder
from tests.world.keys import NOW
from tests.world.mail import OUTSIDE, REINJECTED, message

FILTERED = (
    b"Received: from mx.forwarder.example ([127.0.0.1])\r\n\tby localhost (mx.forwarder.example [127.0.0.1]) (amavisd-new, port 10024)\r\n"
    b"\twith ESMTP id Q7; x\r\n"
)
LOGIN_FIELD = (
    b"Received: from scanner (home.example [203.0.113.9])\r\n\t(Authenticated sender: scan)\r\n"
    b"\tby mx.forwarder.example (Postfix) with ESMTPSA id 7F3C; x\r\n"
)


@pytest.mark.parametrize("when", ["missing", "never"])
def test_it_is_deferred_once_and_then_leaves_unsigned(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = Arrived(tmp_path, f"when: {when}")
    clock = iter(range(10_000))
    with monkeypatch.context() as slow:
        slow.setattr("dkimgate.gate.passage.cpu_seconds", lambda: 3.0 * next(clock))
        first = arrived.send(BORDER_FIELD + SIGNED)
        assert first.disposition is Disposition.DEFER and first.fields == ()
        assert "deferred once" in arrived.record["error"] and arrived.record["decision"]["signatures"] == []
        again = arrived.send(b"X-Trace: another\r\n" + BORDER_FIELD + SIGNED)
    assert again.fields == () and again.disposition is not Disposition.DEFER
    assert arrived.record["from"] is None and "CPU" in arrived.record["author_problem"]
    assert len(arrived.records()) == 2, "one message, one record"


def test_where_the_policy_observes_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is refused there, and what goes on does not come again."""
    arrived = Arrived(tmp_path, "when: missing")
    arrived.gate.policy = replace(arrived.gate.policy, mode="observe")
    clock = iter(range(10_000))
    monkeypatch.setattr("dkimgate.gate.passage.cpu_seconds", lambda: 3.0 * next(clock))
    outcome = arrived.send(BORDER_FIELD + SIGNED)
    assert (outcome.disposition, len(outcome.fields), arrived.record["error"]) == (Disposition.ACCEPT, 1, None)


def test_a_border_defers_it_once_and_then_states_what_hurts_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Forwarder(tmp_path)
    clock = iter(range(10_000))
    header = OUR_RESULTS + GOOD
    with monkeypatch.context() as slow:
        slow.setattr("dkimgate.gate.passage.cpu_seconds", lambda: 3.0 * next(clock))
        assert host.border(header, STRANGER).disposition is Disposition.DEFER
    again = host.border(header, STRANGER)
    assert (again.disposition, again.remove) == (Disposition.ACCEPT, (0,))
    assert [name for name, _ in again.fields] == ["Authentication-Results"], "and no passport"
    assert b"dmarc=permerror" in again.fields[0][1]
    huge = host.border(header, STRANGER, problem="the header has more than 4 bytes")
    assert huge.disposition is Disposition.DEFER, "what of the header nobody has seen may be forged"


def test_others_are_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = Arrived(tmp_path, "when: missing")
    clock = iter(range(10_000))
    with monkeypatch.context() as slow:
        slow.setattr("dkimgate.gate.passage.cpu_seconds", lambda: 3.0 * next(clock))
        arrived.send(BORDER_FIELD + SIGNED.replace(b"Lunch", b"Money"))
    assert len(arrived.send(BORDER_FIELD + SIGNED).fields) == 1


SCAN = b"From: Scanner <scan@hosted.example>\r\nSubject: Scan\r\nTo: boss@receiver.example\r\n"
"""As a device writes it, which has no Message-ID and no clock: anybody can write the same."""

STRANGERS = {
    "to an alias": (REINJECTED, BORDER_FIELD),
    "to an alias, behind a content filter": (REINJECTED, FILTERED + BORDER_FIELD),
    "to an alias, with fields of others below": (REINJECTED, BORDER_FIELD + LOGIN_FIELD.replace(b"7F3C", b"6F3C")),
    "in the session": (OUTSIDE, b""),
    "in the session, with a Received field": (OUTSIDE, BORDER_FIELD),
}
OURS = {
    "a login": (Connection(ip="203.0.113.9", auth="scan"), b""),
    "a login, from where the stranger is": (replace(OUTSIDE, auth="scan"), b""),
    "a program": (REINJECTED, b""),
    "a login, behind a content filter": (REINJECTED, FILTERED.replace(b"id Q7", b"id Q8") + LOGIN_FIELD),
}


@pytest.mark.parametrize("ours", OURS)
@pytest.mark.parametrize("strangers", STRANGERS)
def test_law_7_a_costly_message_takes_nothing_from_others(
    strangers: str, ours: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = Arrived(tmp_path, "when: missing", trust="networks: [127.0.0.0/8]")
    client, above = OURS[ours]
    assert len(arrived.send(above + SCAN, client).fields) == 1
    costs(arrived, STRANGERS[strangers][1] + SCAN, STRANGERS[strangers][0], monkeypatch)
    assert len(arrived.send(above + SCAN, client).fields) == 1


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (BORDER_FIELD, BORDER_FIELD),
        (FILTERED + BORDER_FIELD, FILTERED.replace(b"id Q7", b"id Q8") + BORDER_FIELD),
        (b"X-Trace: 1\r\n" + BORDER_FIELD, b"X-Trace: 2\r\n" + BORDER_FIELD),
        (b"", b""),
        (b"Received: by a; x\r\n" * 10_000, b"Received: by a; x\r\n" * 10_000),
    ],
)
def test_it_is_known_again_whatever_a_filter_writes(
    first: bytes, again: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = Arrived(tmp_path, "when: missing")
    costs(arrived, first + SIGNED, REINJECTED, monkeypatch)
    assert arrived.send(again + SIGNED).fields == () and "CPU" in arrived.record["author_problem"]


def costs(arrived: Arrived, header: bytes, client: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message comes that costs too much."""
    clock = iter(range(10_000))
    with monkeypatch.context() as slow:
        slow.setattr("dkimgate.gate.passage.cpu_seconds", lambda: 3.0 * next(clock))
        assert arrived.send(header, client).disposition is Disposition.DEFER


def test_the_memory_is_bounded_and_forgets_after_a_day() -> None:
    costly = Costly()
    messages = [message(b"Message-ID: <%d@x.example>\r\n" % number, Connection()) for number in range(1500)]
    for each in messages:
        costly.remember(each, NOW)
    assert not costly.knows(messages[0], NOW) and costly.knows(messages[-1], NOW)
    assert not costly.knows(messages[-1], NOW + 90_000)
