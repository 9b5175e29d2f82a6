"""Reloads under load: new workers take over while messages are on their way, and no message and no record is lost."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from dkimgate.postfix.milter_client import MilterClient
from tests.load import Load
from tests.running import BODY, Daemon, eventually, mail

Start = Callable[..., Daemon]


def signed(client: MilterClient, queue_id: str) -> bool:
    reply = client.send(mail(queue_id=queue_id), BODY)
    return reply.accepted and len(reply.inserted) == 2


def reload_under_load(daemon: Daemon, step: int, reloads: int) -> None:
    load = Load(daemon.connect, signed, connections=8, each=7)
    for number in range(1, reloads + 1):
        assert load.more(step)
        daemon.policy(f"generation {number}")
        daemon.reload()
    assert load.more(step)
    load.finish()
    assert load.problems == []
    records = daemon.records()
    assert Counter(each["queue_id"] for each in records) == Counter(f"Q{number}" for number in range(1, load.sent + 1))
    assert {each["how"] for each in records} == {"end"}
    assert len({each["generation"] for each in records}) == reloads + 1, (
        "the reloads came while messages were on their way"
    )
    assert "ended" not in daemon.log, "no worker died of it"
    assert eventually(lambda: len(daemon.workers()) == 2, 10)
    daemon.send()
    assert daemon.records()[-1]["generation"] == f"generation {reloads}"


@pytest.mark.heavy
def test_reload_under_load(start: Start) -> None:
    reload_under_load(start(drain_seconds=20), step=150, reloads=3)


@pytest.mark.servers
def test_reload_under_heavy_load(start: Start) -> None:
    reload_under_load(start(drain_seconds=20), step=500, reloads=10)


@pytest.mark.heavy
def test_hups_that_come_faster_than_reloads(start: Start) -> None:
    daemon = start(drain_seconds=20)
    load = Load(daemon.connect, signed, connections=4, each=5)
    for _ in range(20):
        daemon.signal(signal.SIGHUP)
        time.sleep(0.01)
    load.finish()
    assert load.problems == []
    assert len(daemon.records()) == load.sent
    assert eventually(lambda: len(daemon.workers()) == 2, 15)


def test_stop_under_load_loses_no_accepted_message(start: Start) -> None:
    """What was accepted has its record; what was not, the MTA has not heard a verdict for."""
    daemon = start(drain_seconds=10)
    load = Load(daemon.connect, signed, connections=4, each=10)
    assert load.more(100)
    assert daemon.stop() == 0
    load.finish()
    failed = {problem.partition(":")[0] for problem in load.problems}
    recorded = {each["queue_id"] for each in daemon.records() if each["how"] == "end"}
    assert {f"Q{number}" for number in range(1, load.sent + 1)} - failed <= recorded
    assert len(recorded) > 90
