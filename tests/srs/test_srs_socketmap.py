"""The socketmap: netstrings cut anywhere, hostile clients, and a real daemon that is reloaded and stopped under them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.daemon import socketmap
from dkimgate.daemon.socketmap import LONGEST_REQUEST, ProtocolError, netstring, split
from dkimgate.message.message import Envelope
from dkimgate.srs import new_secret
from tests.running import ROOT, Daemon, alive, double, eventually, mail

KEY = "SRS0=mUZt=JK=hosted.example=friend@bounce.forwarder.example"


@given(st.lists(st.binary(max_size=200), max_size=6), st.integers(1, 40))
def test_netstrings_may_be_cut_anywhere(contents: list[bytes], size: int) -> None:
    stream = b"".join(map(netstring, contents))
    found: list[bytes] = []
    left = b""
    for at in range(0, len(stream), size):
        more, left = split(left + stream[at : at + size])
        found += more
    assert (found, left) == (contents, b"")


@pytest.mark.parametrize(
    "wrong",
    [
        b"get x\n",
        b":",
        b",",
        b"-1:x,",
        b"01:x,",
        b"1x",
        b"3:abcd",
        b"1:ab",
        b"999999999",
        b"9999999",
        b"%d:" % (LONGEST_REQUEST + 1),
        b"QUIT\r\n",
        b"\0",
    ],
)
def test_what_is_no_netstring_is_an_error_at_once(wrong: bytes) -> None:
    with pytest.raises(ProtocolError):
        split(wrong)


@given(st.binary(max_size=300))
def test_no_octets_raise_anything_else(octets: bytes) -> None:
    try:
        _, left = split(octets)
    except ProtocolError:
        return
    assert len(left) <= LONGEST_REQUEST + 10


class Lookup:
    """A client as Postfix is one."""

    def __init__(self, path: Path, seconds: float = 5.0) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(seconds)
        self.socket.connect(str(path))
        self._received = b""

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def reply(self) -> bytes:
        """The next reply, or nothing where the server has closed."""
        while not (found := split_reply(self._received))[0]:
            more = self.socket.recv(65_536)
            if not more:
                return b""
            self._received += more
        self._received = self._received[found[1] :]
        return found[0]

    def ask(self, key: str, name: str = "restore") -> str:
        self.send(netstring(f"{name} {key}".encode("utf-8", "surrogateescape")))
        return self.reply().decode()


def split_reply(received: bytes) -> tuple[bytes, int]:
    length, colon, rest = received.partition(b":")
    if not colon or len(rest) <= int(length):
        return b"", 0
    assert rest[int(length) : int(length) + 1] == b","
    return rest[: int(length)], len(length) + 1 + int(length) + 1


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="dkg-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Daemon]]:
    running: list[Daemon] = []

    def start_one(**settings: object) -> Daemon:
        listen = [f"unix:{folder}/milter.sock", {"socket": f"unix:{folder}/srs.sock", "role": "srs"}]
        running.append(double(folder, **{"listen": listen, **settings}))
        running[-1].wait_for("READY=1")
        return running[-1]

    yield start_one
    for daemon in running:
        daemon.end()


def test_the_protocol_over_a_socket(folder: Path, start: Callable[..., Daemon]) -> None:
    daemon = start()
    path = folder / "srs.sock"
    assert len(daemon.workers()) == 3, "two for the milter, one for the map"
    lookup = Lookup(path)
    assert lookup.ask(KEY).startswith("OK first-")
    for problem, logged in (
        ("NOT_OURS", False),
        ("NOT_SRS", False),
        ("FORGED", True),
        ("EXPIRED", True),
        ("MALFORMED", True),
    ):
        before = daemon.log.count("not restored")
        assert lookup.ask(problem) == "NOTFOUND ", "no error: Postfix is to refuse, not to try again"
        assert (daemon.log.count("not restored") > before) == logged, problem
    assert lookup.ask("raise") == "TEMP internal error"
    assert "ValueError: restore" in daemon.log
    assert lookup.ask("x", name="forward").startswith("PERM no such map: expected socketmap:unix:PATH:restore")
    assert len(lookup.ask("long")) == 50_003
    for octets in netstring(f"restore {KEY}".encode()):
        lookup.send(bytes([octets]))
    assert lookup.reply().startswith(b"OK ")
    lookup.send(netstring(b"restore NOT_SRS") * 1000)
    assert [lookup.reply() for _ in range(1000)] == [b"NOTFOUND "] * 1000
    lookup.send(b"get friend@hosted.example\n")
    assert lookup.reply().startswith(b"PERM not a netstring")
    assert lookup.reply() == b"", "and closed"
    assert daemon.send().accepted, "the milter is as it was"
    assert daemon.stop() == 0
    assert not path.exists()


@pytest.mark.heavy
def test_a_client_that_takes_no_replies_holds_up_nobody(folder: Path, start: Callable[..., Daemon]) -> None:
    start()
    greedy = Lookup(folder / "srs.sock")
    greedy.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        greedy.send(netstring(b"restore long") * 100_000)
    assert Lookup(folder / "srs.sock").ask(KEY).startswith("OK ")


@pytest.mark.heavy
def test_connections_without_end_push_out_the_idle_ones(folder: Path, start: Callable[..., Daemon]) -> None:
    start()
    working = Lookup(folder / "srs.sock")
    working.send(b"1")
    crowd = [Lookup(folder / "srs.sock") for _ in range(socketmap.MOST_CONNECTIONS + 50)]
    assert crowd[-1].ask(KEY).startswith("OK ")
    assert crowd[0].reply() == b"", "closed, the one that was idle for longest"
    working.send(b"5:restore NOT_SRS,")
    assert working.reply() == b"NOTFOUND "


@pytest.mark.heavy
def test_a_request_that_never_ends_is_cut_off(folder: Path, start: Callable[..., Daemon]) -> None:
    start()
    lookup = Lookup(folder / "srs.sock", socketmap.REQUEST_SECONDS + 5)
    begin = time.monotonic()
    lookup.send(b"50:restore ")
    assert lookup.reply() == b""
    assert socketmap.REQUEST_SECONDS - 1 < time.monotonic() - begin < socketmap.REQUEST_SECONDS + 4


@pytest.mark.heavy
def test_a_reload_ends_what_has_begun_and_closes_what_is_at_rest(folder: Path, start: Callable[..., Daemon]) -> None:
    daemon = start()
    at_rest, begun = Lookup(folder / "srs.sock"), Lookup(folder / "srs.sock")
    assert at_rest.ask(KEY).startswith("OK first-")
    begun.send(netstring(f"restore {KEY}".encode())[:10])
    time.sleep(0.1)
    daemon.policy("second")
    daemon.reload()
    assert at_rest.reply() == b""
    begun.send(netstring(f"restore {KEY}".encode())[10:])
    assert begun.reply().startswith(b"OK first-")
    assert begun.reply() == b""
    assert Lookup(folder / "srs.sock").ask(KEY).startswith("OK second-")
    assert eventually(lambda: len(daemon.workers()) == 3)
    assert "ended" not in daemon.log


@pytest.mark.heavy
def test_no_lookup_fails_twice_while_the_daemon_reloads(folder: Path, start: Callable[..., Daemon]) -> None:
    """Postfix opens a new connection where the old one was closed on it, and asks once more."""
    daemon = start(workers=1)
    failed: list[str] = []
    done = threading.Event()

    def look_up() -> None:
        lookup = Lookup(folder / "srs.sock")
        while not done.is_set():
            for attempt in (1, 2):
                try:
                    said = lookup.ask(KEY)
                except OSError as error:
                    said = str(error)
                if said.startswith("OK "):
                    break
                lookup = Lookup(folder / "srs.sock")
                if attempt == 2:
                    failed.append(said)

    askers = [threading.Thread(target=look_up) for _ in range(3)]
    for asker in askers:
        asker.start()
    for number in range(3):
        daemon.policy(f"generation{number}")
        daemon.reload()
    done.set()
    for asker in askers:
        asker.join()
    assert failed == []


def test_a_killed_worker_comes_back_and_none_outlives_its_supervisor(
    folder: Path, start: Callable[..., Daemon]
) -> None:
    daemon = start(workers=1)
    pid = int(Lookup(folder / "srs.sock").ask(KEY).partition("-")[2].partition("@")[0])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    assert Lookup(folder / "srs.sock").ask(KEY).startswith(f"OK first-{pid}@"), "the supervisor alone ends it"
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: "ended by signal 9" in daemon.log)
    fresh = int(Lookup(folder / "srs.sock").ask(KEY).partition("-")[2].partition("@")[0])
    assert fresh != pid
    daemon.process.kill()
    daemon.process.wait()
    assert eventually(lambda: not alive(fresh))


def test_the_real_gate_restores(folder: Path) -> None:
    from dkimgate.srs import Secrets, rewrite

    secret = folder / "srs.secret"
    secret.touch(mode=0o600)
    secret.write_text(new_secret() + "\n")
    shutil.copy(ROOT / "config" / "policy.yaml", folder)
    settings: dict[str, object] = {
        "listen": [{"socket": f"unix:{folder}/srs.sock", "role": "srs"}],
        "unalign": {"domain": "bounce.forwarder.example", "secret_file": "srs.secret"},
    }
    daemon = Daemon(folder, ["-m", "dkimgate", "run", "--config"], settings)
    try:
        daemon.wait_for("READY=1")
        lookup = Lookup(folder / "srs.sock")
        made = rewrite("friend@hosted.example", "bounce.forwarder.example", Secrets.load(secret), time.time())
        assert isinstance(made, str)
        assert lookup.ask(made) == "OK friend@hosted.example"
        assert lookup.ask(made.replace("friend", "foe")) == "NOTFOUND "
        assert "its hash is not ours" in daemon.log
        assert lookup.ask("friend@hosted.example") == "NOTFOUND "
        assert lookup.ask("x" * 9000) == "NOTFOUND "
        assert lookup.ask("\udcff\0@bounce.forwarder.example") == "NOTFOUND "
        assert daemon.stop() == 0
    finally:
        daemon.end()


BREAKS = (
    "\n",
    "\r",
    "\r\n",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "\x1b[2K",
    "\u202e",
    "\udc85",
)
"""What ends a line somewhere, or hides one; the last is the octet 0x85 alone."""


def test_no_recipient_writes_a_line_of_the_log(folder: Path) -> None:
    """Postfix looks up what RCPT TO says. The real gate, asked by both of its sockets."""
    secret = folder / "srs.secret"
    secret.touch(mode=0o600)
    secret.write_text(new_secret() + "\n")
    shutil.copy(ROOT / "config" / "policy.yaml", folder)
    settings: dict[str, object] = {
        "listen": [f"unix:{folder}/milter.sock", {"socket": f"unix:{folder}/srs.sock", "role": "srs"}],
        "unalign": {"domain": "bounce.forwarder.example", "secret_file": "srs.secret"},
    }
    daemon = Daemon(folder, ["-m", "dkimgate", "run", "--config"], settings)
    try:
        daemon.wait_for("READY=1")
        before = len(daemon.stderr.read_bytes().splitlines())
        lookup = Lookup(folder / "srs.sock")
        addresses = [f"SRS0=x{text}dkimgate[1]: stopped@bounce.forwarder.example" for text in BREAKS]
        for address in addresses:
            assert lookup.ask(address) == "NOTFOUND "
            assert daemon.send(
                replace(mail(), envelope=Envelope(address, (address, address)), queue_id=address)
            ).accepted
        log = daemon.stderr.read_bytes().decode("utf-8", "surrogateescape")
        assert log.count("not restored: <SRS0=x") == len(addresses)
        assert all(re.match(r"dkimgate\[\d+\]: (?!dkimgate)", line) for line in log.splitlines()), log
        assert log.count("\n") == len(log.splitlines()) >= before + len(addresses)
        assert log.replace("\n", "").isprintable()
        for shown in ("SRS0=x\\ndkimgate", "SRS0=x\\x85dkimgate", "SRS0=x\\u2028dkimgate", "SRS0=x\\udc85dkimgate"):
            assert shown in log
        assert daemon.stop() == 0
    finally:
        daemon.end()
