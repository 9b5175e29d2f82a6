"""A reload takes the new and lets the old finish; it says what has changed, and what it could not take."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon.test_daemon_supervisor import Start, in_flight
from tests.running import BODY, alive, eventually, mail

pytestmark = pytest.mark.heavy


def test_reload_takes_the_new_and_lets_the_old_finish(start: Start) -> None:
    daemon = start(workers=2)
    old = daemon.workers()
    client = in_flight(daemon, "OLD")
    daemon.policy("second")
    daemon.reload()
    daemon.send(mail(queue_id="NEW"))
    assert client.end("OLD").accepted
    assert client.send(mail(queue_id="SAME-SESSION"), BODY).accepted
    client.close()
    assert {each["queue_id"]: each["generation"] for each in daemon.records()} == {
        "OLD": "first",
        "NEW": "second",
        "SAME-SESSION": "first",
    }
    assert eventually(lambda: not any(alive(pid) for pid in old), 5)
    assert len(daemon.workers()) == 2


@pytest.mark.parametrize("broken", ["broken", "crash", "no yaml"])
def test_broken_reload_keeps_the_old(start: Start, broken: str) -> None:
    daemon = start()
    workers = daemon.workers()
    if broken == "no yaml":
        daemon.file.write_text("listen: [")
    else:
        daemon.policy(broken)
    daemon.reload()
    daemon.send()
    assert daemon.records()[0]["generation"] == "first"
    assert daemon.workers() == workers
    assert "the old configuration stays in force" in daemon.log
    assert "Traceback" not in daemon.log


def test_reload_says_what_takes_a_restart(start: Start, folder: Path) -> None:
    daemon = start(workers=1)
    daemon.configure(workers=3, listen=f"unix:{folder}/other.sock", socket_mode="0600")
    daemon.policy("second")
    daemon.reload()
    assert "listen has changed: this needs a restart" in daemon.log
    assert "socket_mode has changed" in daemon.log
    assert eventually(lambda: len(daemon.workers()) == 3, 5)
    daemon.send()
    assert daemon.records()[0]["generation"] == "second"
    assert not (folder / "other.sock").exists()


def test_reload_says_what_has_changed(start: Start) -> None:
    daemon = start(workers=1, trust={"hosts": ["a.example", "b.example"]})
    daemon.reload()
    assert "nothing has changed" in daemon.log
    daemon.configure(
        workers=1, trust={"hosts": ["a.example"]}, spam_fields=[{"field": "X-My", "pattern": "(?P<flag>yes)"}]
    )
    daemon.policy("second")
    daemon.reload()
    told = [line.partition("changed: ")[2] for line in daemon.log.splitlines() if "]: changed: " in line]
    assert told == [
        "trust.hosts: 1, 2 before; b.example is gone",
        "spam_fields: 1, 0 before; X-My is new",
        "policy: second; first before",
    ]


@pytest.mark.parametrize("text", ["", "workers: 1\n"])
def test_reload_refuses_a_file_that_was_emptied(start: Start, text: str) -> None:
    daemon = start()
    daemon.file.write_text(text)
    daemon.reload()
    assert daemon.send().accepted
    assert "not reloaded: the old configuration stays in force" in daemon.log
