"""Reloads under load: new workers take over while messages are on their way, and no message and no record is lost."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from dkimgate.milterclient import MilterError
from running import BODY, Daemon, eventually, mail

Start = Callable[..., Daemon]


class Load:
    """Threads that send numbered messages, a new connection every so many, until `total` are through."""

    def __init__(self, daemon: Daemon, total: int, connections: int, each: int) -> None:
        self.problems: list[str] = []
        self.sent = 0
        self._daemon, self._total, self._each = daemon, total, each
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(connections)]
        for thread in self._threads:
            thread.start()

    def _next(self) -> int | None:
        with self._lock:
            if self.sent >= self._total:
                return None
            self.sent += 1
            return self.sent

    def _run(self) -> None:
        number = self._next()
        while number is not None:
            try:
                with self._daemon.connect() as client:
                    for _ in range(self._each):
                        reply = client.send(mail(queue_id=f"Q{number}"), BODY)
                        if not reply.accepted or len(reply.inserted) != 2:
                            self.problems.append(f"Q{number}: {reply}")
                        number = self._next()
                        if number is None:
                            return
            except MilterError as error:
                self.problems.append(f"Q{number}: {error}")
                number = self._next()

    def finish(self) -> None:
        for thread in self._threads:
            thread.join(120)


def reload_under_load(daemon: Daemon, total: int, reloads: int) -> None:
    load = Load(daemon, total, connections=8, each=7)
    for number in range(1, reloads + 1):
        assert eventually(lambda at=number: load.sent > at * total // (reloads + 2), 60)
        daemon.policy(f"generation {number}")
        daemon.reload()
    load.finish()
    assert load.problems == []
    records = daemon.records()
    assert Counter(each["queue_id"] for each in records) == Counter(f"Q{number}" for number in range(1, total + 1))
    assert {each["how"] for each in records} == {"end"}
    assert len({each["generation"] for each in records}) >= reloads, "the reloads came while messages were on their way"
    assert "ended" not in daemon.log, "no worker died of it"
    assert eventually(lambda: len(daemon.workers()) == 2, 10)
    daemon.send()
    assert daemon.records()[-1]["generation"] == f"generation {reloads}"


def test_reload_under_load(start: Start) -> None:
    reload_under_load(start(drain_seconds=20), total=600, reloads=3)


@pytest.mark.servers
def test_reload_under_heavy_load(start: Start) -> None:
    reload_under_load(start(drain_seconds=20), total=5000, reloads=10)


def test_hups_that_come_faster_than_reloads(start: Start) -> None:
    daemon = start(drain_seconds=20)
    load = Load(daemon, 200, connections=4, each=5)
    for _ in range(20):
        daemon.signal(signal.SIGHUP)
        time.sleep(0.01)
    load.finish()
    assert load.problems == []
    assert len(daemon.records()) == 200
    assert eventually(lambda: len(daemon.workers()) == 2, 15)


def test_stop_under_load_loses_no_accepted_message(start: Start) -> None:
    """What was accepted has its record; what was not, the MTA has not heard a verdict for."""
    daemon = start(drain_seconds=10)
    load = Load(daemon, 2000, connections=4, each=10)
    assert eventually(lambda: load.sent > 100, 20)
    assert daemon.stop() == 0
    load.finish()
    failed = {problem.partition(":")[0] for problem in load.problems}
    recorded = {each["queue_id"] for each in daemon.records() if each["how"] == "end"}
    assert {f"Q{number}" for number in range(1, 2001)} - failed <= recorded
    assert len(recorded) > 90
