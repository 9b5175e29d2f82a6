"""All connections of a worker in one thread: none of them keeps the others waiting, whatever it does."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dkimgate import waiting
from dkimgate.daemon import connections as module
from dkimgate.daemon.connections import Connections
from dkimgate.facts import Outcome
from dkimgate.message.message import HeaderField
from dkimgate.postfix.milter_client import MilterClient, MilterError
from dkimgate.wire import protocol as p
from dkimgate.wire.packets import Packets, packet
from tests.daemon.test_daemon_conversation import CLIENT, GREETING, MESSAGE
from tests.daemon.test_daemon_session import Gate
from tests.running import BODY, OUTSIDE, Daemon, eventually, mail

Start = Callable[..., Daemon]
ours = pytest.mark.parametrize("library", ["built-in"], indirect=True, scope="module")


class Worker:
    """Connections in this process. `hold` keeps messages whose sender is slow@ at their end."""

    def __init__(self, folder: Path, *, watched: bool = True) -> None:
        self.address = f"unix:{folder}/s"
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(f"{folder}/s")
        listening.listen(2000)
        self.hold = threading.Event()
        self.gates: list[Gate] = []
        self.connections = Connections(Slow(self), "gate", listening)
        self._watching = watched
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self.connections.lead, self._watch)]
        for thread in self._threads:
            thread.start()

    def _watch(self) -> None:
        while self._watching:
            self.connections.watch()
            time.sleep(0.01)

    def raw(self) -> socket.socket:
        """A connection that has said nothing."""
        connected = socket.socket(socket.AF_UNIX)
        connected.settimeout(5)
        connected.connect(self.address.removeprefix("unix:"))
        return connected

    def client(self) -> MilterClient:
        client = MilterClient(self.address)
        assert client.open(OUTSIDE) is None
        return client

    def end(self) -> None:
        self.hold.set()
        self.connections.stop(orphaned=True)
        assert eventually(lambda: self.connections.ended, 5)
        self._watching = False
        for thread in self._threads:
            thread.join(5)


class Slow(Gate):
    """Each message has a gate of its own, and one from slow@ waits at its end for the word."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    def judge(self, message: object, /) -> Gate:
        worker = self._worker

        class One(Gate):
            def end(self) -> Outcome:
                if self.messages[0].envelope.sender.startswith("slow"):
                    waiting.about_to_wait()
                    waiting.about_to_wait()
                    worker.hold.wait(20)
                return super().end()

        gate = One()
        worker.gates.append(gate)
        return gate.judge(message)  # type: ignore[arg-type]


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.05)
    worker = Worker(tmp_path)
    yield worker
    worker.end()


def at_its_end(worker: Worker) -> MilterClient:
    """A client whose message is being judged, and takes long."""
    client = worker.client()
    client.mail("slow@sender.example")
    client.recipient("a@receiver.example")
    client.header(mail().header[0])
    client.end_of_header("4F2A")
    client.body(BODY)
    client._packet("E", b"")
    return client


def test_messages_that_wait_hold_up_no_other(worker: Worker) -> None:
    waiting = [at_its_end(worker) for _ in range(20)]
    with worker.client() as client:
        begin = time.monotonic()
        for _ in range(50):
            assert client.send(mail(), BODY).accepted
        assert time.monotonic() - begin < 2
    worker.hold.set()
    for each in waiting:
        assert each._read_reply("E").accepted
        assert each.send(mail(), BODY).accepted, "and it goes on"
        each.close()
    assert all(len([told for told in gate.told if told == "end"]) == 1 for gate in worker.gates)


def test_who_says_that_it_waits_holds_up_no_other_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody watches here. Threads are spare behind it, and lead again."""
    worker = Worker(tmp_path, watched=False)
    monkeypatch.setattr(waiting, "_tell", worker.connections.about_to_wait)
    with worker.client() as client:
        for _ in range(3):
            worker.hold.clear()
            slow = [at_its_end(worker) for _ in range(20)]
            assert client.send(mail(), BODY).accepted
            assert eventually(lambda: len(worker.connections._away) == 20, 5)
            worker.hold.set()
            for each in slow:
                assert each._read_reply("E").accepted
                each.close()
            assert client.send(mail(), BODY).accepted
            assert eventually(lambda: len(worker.connections) == 1, 5)
    assert worker.connections._spare == module._MOST_SPARE
    worker.end()


def test_the_mta_hears_that_a_message_is_still_worked_on(worker: Worker) -> None:
    with worker.client() as other, at_its_end(worker) as client:
        assert other.send(mail(), BODY).accepted
        assert [client._receive()[0] for _ in range(3)] == ["p", "p", "p"]
        worker.hold.set()
        assert client._read_reply("E").accepted
        time.sleep(0.2)
        assert client.send(mail(), BODY).accepted
        client._socket.settimeout(0.2)
        with pytest.raises(MilterError, match="no answer"):
            client._receive()


def test_an_mta_that_takes_no_answers_holds_up_no_other_and_gets_them_all(worker: Worker) -> None:
    with worker.raw() as deaf:
        deaf.settimeout(0.5)
        deaf.sendall(GREETING + CLIENT)
        messages = sent = 0
        with contextlib.suppress(TimeoutError):
            while messages < 50_000:
                sent = deaf.send(MESSAGE)
                if sent < len(MESSAGE):
                    break
                messages += 1
                sent = 0
        with worker.client() as client:
            assert client.send(mail(), BODY).accepted
        deaf.settimeout(10)
        rest, packets, verdicts = MESSAGE[sent:] if sent else b"", Packets(), 0
        sender = threading.Thread(target=deaf.sendall, args=(rest,))
        sender.start()
        messages += bool(rest)
        while verdicts < messages:
            verdicts += sum(what == p.SMFIR_ACCEPT for what, _ in packets.cut(deaf.recv(65536)))
        sender.join()
    assert verdicts == messages > 100


def test_octet_by_octet(worker: Worker) -> None:
    stream = GREETING + CLIENT + MESSAGE
    with worker.raw() as slow:
        for at in range(len(stream)):
            slow.sendall(stream[at : at + 1])
        packets = Packets()
        found: list[bytes] = []
        while not found or found[-1] != p.SMFIR_ACCEPT:
            found += [what for what, _ in packets.cut(slow.recv(4096))]
    assert found == [b"O", b"c", b"c", b"c", b"a"]


@pytest.mark.parametrize(
    ("garbage", "why"),
    [
        (b"EHLO client.sender.example\r\n", "a packet of 1162366031 octets"),
        (b"\xff" * 4096, "a packet of 4294967295 octets"),
        (packet(b"Z"), "unknown kind 'Z'"),
        (b"\0\0\0\0\0", "a packet of 0 octets"),
        (GREETING + CLIENT + packet(p.SMFIC_HEADER, b"A\0 b\0"), "'L' out of its order"),
    ],
)
def test_garbage_ends_its_connection_with_one_line(
    worker: Worker, garbage: bytes, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with worker.raw() as connected:
        connected.sendall(garbage)
        while connected.recv(4096):
            pass
    with worker.client() as client:
        assert client.send(mail(), BODY).accepted
    assert [line.partition("from the MTA: ")[2].partition(why)[1] for line in capfd.readouterr().err.splitlines()] == [
        why
    ]


def test_a_connection_that_breaks_while_its_message_waits(worker: Worker) -> None:
    client = at_its_end(worker)
    assert eventually(lambda: bool(worker.connections._away), 5)
    client.close(quietly=True)
    worker.hold.set()
    assert eventually(lambda: len(worker.connections) == 0, 5)


@pytest.mark.parametrize(("limit", "unread"), [("IDLE_SECONDS", False), ("UNTAKEN_SECONDS", True)])
def test_silence_ends_the_connection(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], limit: str, unread: bool
) -> None:
    with worker.raw() as silent:
        silent.sendall(GREETING + CLIENT)
        silent.settimeout(0.1)
        while unread and not any(peer.interest == select.EPOLLOUT for peer in worker.connections._peers.values()):
            with contextlib.suppress(TimeoutError):
                silent.send(MESSAGE)
        monkeypatch.setattr(module, limit, 0.2)
        with worker.client() as client:
            assert client.send(mail(), BODY).accepted
        assert eventually(lambda: len(worker.connections) == 0, 5)
    assert "a connection is closed: nothing from the MTA for 0 s" in capfd.readouterr().err


def test_no_more_files_is_said_once_and_passes(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    listening, refusals = worker.connections._listening, 3

    class Full:
        def accept(self) -> tuple[socket.socket, object]:
            nonlocal refusals
            if refusals:
                refusals -= 1
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return listening.accept()

        def __getattr__(self, name: str) -> object:
            return getattr(listening, name)

    monkeypatch.setattr(worker.connections, "_listening", Full())
    begin = time.monotonic()
    with worker.client() as client:
        assert client.send(mail(), BODY).accepted
    assert time.monotonic() - begin > 0.3
    assert capfd.readouterr().err.count("can't accept a connection: Too many open files") == 1


def test_where_no_thread_can_be_had_the_others_wait_and_nothing_is_lost(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with worker.client() as client:
        monkeypatch.setattr(threading.Thread, "start", lambda _self: (_ for _ in ()).throw(RuntimeError("no more")))
        slow = at_its_end(worker)
        time.sleep(0.1)
        worker.hold.set()
        assert slow._read_reply("E").accepted
        assert client.send(mail(), BODY).accepted
        slow.close()
    monkeypatch.undo()


@pytest.mark.heavy
@ours
def test_a_thousand_connections_to_one_worker(start: Start) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    daemon = start(workers=1)
    clients: list[MilterClient] = []
    try:
        with ThreadPoolExecutor(50) as pool:
            clients += pool.map(lambda _: daemon.connect(), range(1000))
            replies = list(pool.map(lambda pair: pair[1].send(mail(queue_id=f"Q{pair[0]}"), BODY), enumerate(clients)))
            assert all(reply.accepted for reply in replies)
            list(pool.map(MilterClient.close, clients))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert {each["queue_id"] for each in daemon.records()} == {f"Q{number}" for number in range(1000)}
    assert daemon.stop() == 0


@pytest.mark.heavy
@ours
def test_slow_messages_over_a_real_daemon(start: Start) -> None:
    """Twenty that take a second each, in one worker, take little more than one second; others none of it."""
    daemon = start(workers=1)
    with ThreadPoolExecutor(20) as pool, daemon.connect() as client:
        begin = time.monotonic()
        slow = [pool.submit(daemon.send, mail("slow", queue_id=f"Q{number}")) for number in range(20)]
        time.sleep(0.2)
        quick = time.monotonic()
        assert client.send(mail(), BODY).accepted
        assert time.monotonic() - quick < 0.5
        assert all(each.result().accepted for each in slow)
        assert time.monotonic() - begin < 5


@pytest.mark.heavy
@ours
def test_a_long_header_octet_by_octet_holds_up_no_other(start: Start) -> None:
    daemon = start(workers=1)
    with daemon.connect() as slow, daemon.connect() as client:
        slow.mail("a@sender.example")
        field = packet(p.SMFIC_HEADER, b"X-Long\0 " + b"x" * 200_000 + b"\0")
        for at in range(len(field)):
            slow._socket.sendall(field[at : at + 1])
            if at % 20_000 == 0:
                begin = time.monotonic()
                assert client.send(mail(), BODY).accepted
                assert time.monotonic() - begin < 1
        assert slow.end("4F2A").accepted


@pytest.mark.heavy
@ours
def test_a_field_of_every_length_around_the_size_of_a_read(start: Start) -> None:
    daemon = start(workers=1)
    with daemon.connect() as client:
        for octets in (*range(65_500, 65_560, 7), *range(131_050, 131_090, 7)):
            message = mail(queue_id=f"Q{octets}", fields=(HeaderField(b"X", b" " + b"x" * octets),))
            assert client.send(message, BODY).accepted
            assert daemon.records()[-1]["header"][-1][1] == " " + "x" * octets
