"""What the supervisor promises: workers come back, reloads lose nothing, stops drain, one daemon a socket, root is given up."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dkimgate.postfix.milter_client import MilterClient, MilterError
from tests.needs import need_root
from tests.running import BODY, DOUBLE, ENVIRONMENT, Daemon, alive, double, eventually, free_port, mail

pytestmark = pytest.mark.heavy

Start = Callable[..., Daemon]


@pytest.fixture
def as_root() -> None:
    need_root("to give a process and its files to others")


root_only = pytest.mark.usefixtures("as_root")


def in_flight(daemon: Daemon, queue_id: str = "4F2A", do: str = "sign") -> MilterClient:
    """A connection with a message whose body has begun."""
    client = daemon.connect()
    client.mail("a@sender.example")
    client.recipient("a@receiver.example")
    for each in mail(do).header:
        client.header(each)
    client.end_of_header(queue_id)
    client.body(BODY)
    return client


def test_killed_worker_is_replaced(start: Start) -> None:
    daemon = start(workers=1)
    (first,) = daemon.workers()
    client = in_flight(daemon)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(MilterError):
        client.end()
    assert daemon.send().accepted
    assert daemon.workers() != [first]
    assert "ended by signal 9; the next starts in 0.1 s" in daemon.log
    assert daemon.stop() == 0


@pytest.mark.heavy
def test_worker_that_dies_again_and_again_is_started_ever_later(start: Start) -> None:
    daemon = start(workers=1)
    for _ in range(3):
        with pytest.raises(MilterError):
            daemon.send(mail("die"))
    assert eventually(lambda: daemon.log.count("with exit code 9") == 3)
    assert [line.rpartition("in ")[2] for line in daemon.log.splitlines() if "exit code 9" in line] == [
        "0.1 s",
        "0.2 s",
        "0.4 s",
    ]
    assert daemon.send().accepted


def test_worker_that_is_killed_every_second_is_replaced_at_once_each_time(start: Start) -> None:
    """It had served: the others would wait ever longer for what one message, or somebody, does to it."""
    daemon = start(workers=1)
    for _ in range(3):
        (worker,) = daemon.workers()
        assert daemon.send().accepted
        time.sleep(1.05)
        os.kill(worker, signal.SIGKILL)
        assert eventually(lambda worker=worker: daemon.workers() not in ([], [worker]))  # type: ignore[misc]
    assert daemon.log.count("ended by signal 9; the next starts in 0.1 s") == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_worker_ends_at_its_supervisors_word_alone(start: Start, number: signal.Signals) -> None:
    """A service manager may signal the whole group. libmilter by itself would never answer the open session again."""
    daemon = start(workers=1)
    client = in_flight(daemon)
    (worker,) = daemon.workers()
    for _ in range(5):
        os.kill(worker, number)
    time.sleep(0.2)
    assert client.end("4F2A").accepted
    client.close()
    assert daemon.send().accepted
    assert daemon.workers() == [worker]


def test_hup_for_everybody_is_a_reload(start: Start) -> None:
    """As by an operator's `pkill -HUP dkimgate`."""
    daemon = start(workers=2)
    client = in_flight(daemon)
    daemon.policy("second")
    for pid in daemon.workers():
        os.kill(pid, signal.SIGHUP)
    daemon.reload()
    assert client.end("4F2A").accepted
    client.close()
    assert daemon.send().accepted
    assert [each["generation"] for each in daemon.records()] == ["first", "second"]
    assert "ended" not in daemon.log


def test_term_for_everybody_drains(start: Start) -> None:
    daemon = start(workers=2)
    client = in_flight(daemon)
    for pid in (daemon.process.pid, *daemon.workers() * 5):
        os.kill(pid, signal.SIGTERM)
    time.sleep(0.2)
    assert client.end("4F2A").accepted
    client.close()
    assert daemon.process.wait(5) == 0


def test_no_zombies(start: Start) -> None:
    daemon = start(workers=2)
    for pid in daemon.workers():
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: len(daemon.workers()) == 2)
    children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children").read_text().split()
    assert len(children) == 2


def test_workers_do_not_outlive_a_killed_supervisor(start: Start) -> None:
    daemon = start(workers=2)
    workers = daemon.workers()
    client = in_flight(daemon)
    daemon.process.kill()
    daemon.process.wait()
    assert client.end("4F2A").accepted, "what is in flight may end"
    client.close()
    assert eventually(lambda: not any(alive(pid) for pid in workers), 5)


def test_next_daemon_may_start_while_orphaned_workers_drain(start: Start) -> None:
    daemon = start(workers=2)
    client = in_flight(daemon)
    daemon.process.kill()
    daemon.process.wait()
    time.sleep(0.3)
    second = start()
    assert second.send().accepted
    assert client.end("4F2A").accepted
    client.close()


def test_term_lets_messages_in_flight_end(start: Start, folder: Path) -> None:
    daemon = start(drain_seconds=10)
    client = in_flight(daemon)
    daemon.signal(signal.SIGTERM)
    daemon.wait_for("STOPPING=1")
    assert eventually(lambda: not (folder / "milter.sock").exists())
    with pytest.raises(MilterError):
        daemon.connect()
    assert daemon.process.poll() is None
    assert client.end("4F2A").accepted
    client.close()
    assert daemon.process.wait(5) == 0
    assert [each["how"] for each in daemon.records()] == ["end"]


def test_term_is_bounded(start: Start) -> None:
    daemon = start(drain_seconds=1)
    client = in_flight(daemon)
    assert daemon.stop(5) == 0
    assert "1 sessions were still open after 1 s" in daemon.log
    client.close(quietly=True)


def test_second_term_hurries(start: Start) -> None:
    daemon = start(drain_seconds=60)
    client = in_flight(daemon)
    daemon.signal(signal.SIGTERM)
    daemon.wait_for("STOPPING=1")
    daemon.signal(signal.SIGTERM)
    assert daemon.process.wait(5) == 0
    client.close(quietly=True)


def test_int_stops_like_term(start: Start) -> None:
    daemon = start()
    daemon.signal(signal.SIGINT)
    assert daemon.process.wait(5) == 0


def test_idle_stop_is_quick(start: Start) -> None:
    daemon = start()
    begin = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begin < 2


def test_second_daemon_is_refused_and_the_first_serves_on(start: Start) -> None:
    daemon = start()
    second = start(ready=False)
    assert second.process.wait(10) == 2
    assert "another daemon is listening here" in second.log
    assert daemon.send().accepted


def test_second_daemon_on_a_port_is_refused(start: Start) -> None:
    address = f"inet:127.0.0.1:{free_port()}"
    start(listen=address)
    second = start(ready=False, listen=address)
    assert second.process.wait(10) == 2
    assert "the port is in use" in second.log


def test_one_bad_listener_of_several_leaves_nothing_behind(start: Start, folder: Path) -> None:
    daemon = start(ready=False, listen=[f"unix:{folder}/a.sock", f"unix:{folder}/none/b.sock"])
    assert daemon.process.wait(10) == 2
    assert not (folder / "a.sock").exists()
    assert f"the folder {folder}/none does not exist" in daemon.log


def test_stale_socket_is_replaced(start: Start, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(f"{folder}/milter.sock")
    assert start().send().accepted


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_socket_is_never_removed(start: Start, folder: Path, kind: str) -> None:
    path = folder / "milter.sock"
    if kind == "file":
        path.write_text("precious")
    else:
        path.symlink_to(folder / "policy.yaml")
    daemon = start(ready=False)
    assert daemon.process.wait(10) == 2
    assert "not a socket" in daemon.log
    assert path.read_text()


def test_foreign_socket_in_our_place_is_left_alone(start: Start, folder: Path) -> None:
    daemon = start()
    (folder / "milter.sock").unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"{folder}/milter.sock")
        assert daemon.stop() == 0
        assert (folder / "milter.sock").exists()


@pytest.mark.parametrize(("mode", "bits"), [("0660", 0o660), ("0600", 0o600), ("666", 0o666)])
def test_socket_mode(start: Start, folder: Path, mode: str, bits: int) -> None:
    start(socket_mode=mode)
    assert stat.S_IMODE((folder / "milter.sock").stat().st_mode) == bits


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"listen": "inet:192.0.2.1:8891"}, "this host does not have that address"),
        ({"listen": "inet:nowhere.example:8891"}, "name an address of this host"),
        ({"user": "no-such-user"}, "there is no user 'no-such-user'"),
        ({"socket_group": "no-such-group"}, "there is no group 'no-such-group'"),
        ({"drain": 1}, ":1: unknown key 'drain'"),
    ],
)
def test_what_cannot_start_says_why_and_exits_2(
    start: Start, settings: dict[str, object], text: str, folder: Path
) -> None:
    daemon = start(ready=False, **settings)
    assert daemon.process.wait(15) == 2
    assert text in daemon.log
    assert "Traceback" not in daemon.log
    assert not (folder / "milter.sock").exists()


@pytest.mark.parametrize("policy", ["broken", "crash"])
def test_broken_policy_at_start(start: Start, folder: Path, policy: str) -> None:
    (folder / "policy.yaml").write_text(policy)
    daemon = start(ready=False)
    assert daemon.process.wait(10) == 2
    assert "can't start" in daemon.log
    assert not (folder / "milter.sock").exists()


def test_systemd_hears_everything(start: Start) -> None:
    daemon = start(ready=False)
    daemon.wait_for("READY=1")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for("RELOADING=1")
    began = next(state for state in daemon.states if state.startswith("MONOTONIC_USEC="))
    assert 0 < int(began.partition("=")[2]) <= time.monotonic_ns() // 1000
    daemon.wait_for("READY=1")
    daemon.stop()
    daemon.wait_for("STOPPING=1")


def test_systemd_hears_that_mail_is_deferred_and_that_it_goes_on(start: Start) -> None:
    daemon = start(workers=2)
    status = f"2 workers on {daemon.socket}"
    daemon.send(mail("no-journal"))
    daemon.wait_for(f"STATUS=mail is deferred: no space left; {status}")
    daemon.send()
    daemon.wait_for(f"STATUS={status}")


def test_systemd_hears_of_missing_workers(start: Start) -> None:
    daemon = start(workers=2)
    os.kill(daemon.workers()[0], signal.SIGKILL)
    daemon.wait_for(f"STATUS=1 of 2 workers on {daemon.socket}")
    daemon.wait_for(f"STATUS=2 workers on {daemon.socket}")


def test_watchdog(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    daemon = start()
    for _ in range(3):
        daemon.wait_for("WATCHDOG=1", 1)


@root_only
def test_root_is_given_up_for_good(start: Start, folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    logs = folder / "log"
    daemon = start(user="nobody", journal={"file": str(logs / "decisions.jsonl")})
    daemon.journal = logs / "decisions.jsonl"
    daemon.send()
    (record,) = daemon.records()
    assert record["uid"] == [nobody.pw_uid] * 3
    assert record["gid"] == [nobody.pw_gid] * 3
    assert 0 not in record["groups"]
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    assert f"Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}\t{nobody.pw_uid}" in status
    assert "CapEff:\t0000000000000000" in status
    assert logs.stat().st_uid == nobody.pw_uid
    assert "running as root" not in daemon.log
    daemon.policy("second")
    daemon.reload()
    time.sleep(0.5)
    assert (folder / "milter.sock").exists(), "libmilter removes the socket of an unprivileged worker that ends"
    assert daemon.send().accepted
    assert daemon.stop() == 0
    assert not (folder / "milter.sock").exists()


@root_only
def test_reload_without_root_works_where_only_root_could_open_the_socket(start: Start, folder: Path) -> None:
    daemon = start(user="nobody", journal={"file": "/dev/null"})
    daemon.policy("second")
    daemon.reload()
    assert daemon.send().accepted
    assert daemon.stop() == 0


def test_start_without_standard_input(folder: Path) -> None:
    daemon = double(folder)
    daemon.end()
    tried = subprocess.Popen(
        ["sh", "-c", f"exec {sys.executable} {DOUBLE} {daemon.file} <&-"], env=ENVIRONMENT, stderr=subprocess.DEVNULL
    )
    try:
        assert eventually(lambda: (folder / "milter.sock").exists())
        assert daemon.send().accepted
    finally:
        tried.terminate()
        assert tried.wait(10) == 0


@root_only
def test_setgid_folder_gives_the_socket_its_group(start: Start, folder: Path) -> None:
    group = pwd.getpwnam("mail").pw_gid
    os.chown(folder, -1, group)
    folder.chmod(0o2755)
    start(user="nobody", journal={"file": "/dev/null"})
    assert (folder / "milter.sock").stat().st_gid == group


@root_only
def test_socket_group(start: Start, folder: Path) -> None:
    start(socket_group="mail")
    assert (folder / "milter.sock").stat().st_gid == pwd.getpwnam("mail").pw_gid


@root_only
def test_running_as_root_is_warned_about(start: Start) -> None:
    assert "running as root" in start().log
