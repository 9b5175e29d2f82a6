"""A dkimgate daemon under test: its process, its configuration, what it tells systemd, what it logs and records."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from dkimgate.message.message import Connection, HeaderField, Message
from dkimgate.postfix.milter_client import MilterClient, Reply
from tests.world.host import configured
from tests.world.mail import message

OUTSIDE = Connection(ip="192.0.2.66", name="client.sender.example", helo="client.sender.example", daemon="smtpd")
BODY = b"Hello\r\n"
ROOT = Path(__file__).parents[1]
DOUBLE = ROOT / "tests" / "daemon" / "double.py"
MILTER_LIBRARY: dict[str, object] = {}
"""`milter_library` of every daemon under test, where a test has chosen one."""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "milter")}


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Does it become true in time?"""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody has."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def alive(pid: int) -> bool:
    """Is that process there, and no zombie?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def mail(
    do: str = "sign", queue_id: str | None = "4F2A", auth: str | None = None, fields: tuple[HeaderField, ...] = ()
) -> Message:
    """A message that says what is to be done with it."""
    header = (
        HeaderField(b"From", b" Friend\n <friend@hosted.example>"),
        HeaderField(b"X-Do", b" " + do.encode()),
        *fields,
    )
    return message(header, replace(OUTSIDE, auth=auth), recipients=("ask@receiver.example",), queue_id=queue_id)


class Daemon:
    """One daemon. `settings` go into its configuration file over defaults that suit a test."""

    def __init__(self, folder: Path, program: list[str], settings: dict[str, object]) -> None:
        self.folder = folder
        self.file = folder / "dkimgate.yaml"
        self.journal = folder / "decisions.jsonl"
        self.socket = f"unix:{folder}/milter.sock"
        if not (folder / "policy.yaml").exists():
            self.policy("first")
        self.configure(**settings)
        self.states: list[str] = []
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"\0dkg-{os.getpid()}-{id(self)}"
        self._told.bind(name)
        self._told.setblocking(False)
        self.stderr = folder / f"stderr-{id(self)}"
        environment = {**os.environ, "PYTHONPATH": ENVIRONMENT["PYTHONPATH"], "NOTIFY_SOCKET": "@" + name[1:]}
        with self.stderr.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, *program, str(self.file)],
                stderr=out,
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )

    def configure(self, **settings: object) -> None:
        """Write the configuration file."""
        # whatever Postfix and routes the machine has
        departure = {
            "addresses": [],
            "helo": "mx.forwarder.example",
            "origin": "mx.forwarder.example",
            "rewrites_senders": False,
        }
        stated: dict[str, object] = {"departure": departure, "listen": self.socket, "trust": {}, "keys": []}
        defaults = {
            **stated,
            "workers": 2,
            "drain_seconds": 5,
            "journal": {"file": str(self.journal)},
            **MILTER_LIBRARY,
        }
        self.file.write_text(yaml.safe_dump({**defaults, **settings}))

    def policy(self, name: str) -> None:
        """Name the next generation."""
        (self.folder / "policy.yaml").write_text(name)

    def wait_for(self, state: str, seconds: float = 15.0) -> None:
        """Wait for a state that systemd would hear, and forget those before it."""
        if (
            not eventually(lambda: state in self._hear() or self.process.poll() is not None, seconds)
            or state not in self.states
        ):
            raise AssertionError(f"never said {state}:\n{self.log}")
        del self.states[: self.states.index(state) + 1]

    def _hear(self) -> list[str]:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.states += self._told.recv(4096).decode().split("\n")
        return self.states

    def reload(self) -> None:
        """HUP, and wait until it has been dealt with."""
        self.signal(signal.SIGHUP)
        self.wait_for("RELOADING=1")
        self.wait_for("READY=1")
        time.sleep(
            0.3
        )  # an old worker hears of it as its thread is scheduled; until then it may still take a connection

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor alone."""
        self.process.send_signal(number)

    def stop(self, seconds: float = 15.0) -> int:
        """TERM, and the exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def end(self) -> None:
        """Leave nothing behind, whatever the test did."""
        workers = self.workers()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._told.close()

    def workers(self) -> list[int]:
        """The process ids of the supervisor's children."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            return [pid for pid in map(int, children) if alive(pid)]
        return []

    @property
    def log(self) -> str:
        """What it logged to stderr."""
        return self.stderr.read_text()

    def forget(self) -> None:
        """Begin with an empty journal and an empty log."""
        self.journal.unlink(missing_ok=True)
        self.stderr.write_text("")

    def records(self) -> list[dict[str, Any]]:
        """Every record so far."""
        if not self.journal.exists():
            return []
        for _ in range(50):
            # A read beside an append may see octets that are not written yet; what is still no record later is a finding.
            with contextlib.suppress(json.JSONDecodeError):
                return [json.loads(line) for line in self.journal.read_text().splitlines()]
            time.sleep(0.02)
        return [json.loads(line) for line in self.journal.read_text().splitlines()]

    def connect(
        self, address: str | None = None, connection: Connection = OUTSIDE, *, angle_brackets: bool = True
    ) -> MilterClient:
        """A connection that has been greeted."""
        client = MilterClient(address or self.socket, angle_brackets=angle_brackets)
        assert client.open(connection) is None
        return client

    def send(self, sent: Message | None = None, body: bytes = BODY, address: str | None = None) -> Reply:
        """One message over a connection of its own."""
        sent = sent or mail()
        with self.connect(address, sent.connection) as client:
            return client.send(sent, body)


def double(folder: Path, **settings: object) -> Daemon:
    """The daemon with a gate that does what the message says."""
    return Daemon(folder, [str(DOUBLE)], settings)


def real(folder: Path, rules: str = "", key: bytes | None = None, **settings: object) -> Daemon:
    """`dkimgate run` on a forwarder with one key, whose DNS is silent. `rules`: a policy, or the shipped one."""
    configured(folder, "", rules, key)
    stated: dict[str, object] = {
        "trust": {"hosts": ["mx.forwarder.example"], "authserv_ids": ["mx.forwarder.example"]},
        "keys": [{"domain": "hosted.example", "selector": "gate", "file": "key.pem"}],
        "verify": {"nameservers": ["127.0.0.1"], "port": 9, "deadline": 0.5},
    }
    daemon = Daemon(folder, ["-m", "dkimgate", "run", "--config"], {**stated, **settings})
    daemon.wait_for("READY=1")
    return daemon
