"""One milter with one message: what comes of it, and what was measured of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dkim

from dkimgate.message.message import Connection, Envelope, Message, split_message
from dkimgate.postfix.milter_client import MilterClient
from tests.bench.load import Load, Sender
from tests.bench.messages import DOMAIN, Mail
from tests.bench.numbers import percentile
from tests.bench.peers import Running


def as_dns(records: dict[str, bytes]) -> Callable[..., bytes | None]:
    """The records as dkimpy asks for them."""

    def answer(name: bytes | str, timeout: float = 5) -> bytes | None:
        text = name.decode() if isinstance(name, bytes) else name
        return records.get(text.rstrip("."))

    return answer


class Case:
    """A milter, a message, and the measurements of each round. CPU in seconds a message, latency in ms.

    `expected` is the count of the load that must be that of the messages: signed, sealed, or accepted (and unsigned).
    """

    def __init__(self, name: str, running: Running, mail: Mail, expected: str, folder: Path) -> None:
        self.name = name
        self.running = running
        self.rates: list[float] = []
        self.cpu: list[float] = []
        self.latency: list[float] = []
        self.load_cpu: list[float] = []
        self._mail = mail
        self._sender = Sender(folder, mail)
        self._expected = expected

    def measure(self, seconds: float, connections: int = 8) -> None:
        """One round of the closed loop."""
        before = self.running.cpu()
        load = self.send(seconds, connections=connections)
        self.rates.append(load.rate)
        self.cpu.append((self.running.cpu() - before) / load.messages)
        self.latency += load.latency
        self.load_cpu.append(load.cpu / load.messages)

    def send(self, seconds: float, rate: float = 0, connections: int = 8) -> Load:
        """Send for so long. RuntimeError where a message did not get what it should."""
        load = self._sender.send(self.running.peer.socket, seconds, rate=rate, connections=connections)
        right = load.counts[self._expected]
        if self._expected == "accepted":
            right -= load.counts["signed"] + load.counts["held"]
        if right != load.messages or not load.messages or load.counts["failed"]:
            raise RuntimeError(f"{self.name}: {right} of {load.messages} messages were {self._expected}: {load.counts}")
        return load

    def prove(self, records: dict[str, bytes]) -> None:
        """Does a verifier take what it signs? RuntimeError where not: a fast wrong signature would be no figure."""
        if self._expected != "signed":
            return
        connection = Connection(self._mail.client, "client", "client", f"ask@{DOMAIN}", "ORIGINATING")
        header, body = split_message(self._mail.text)
        envelope = Envelope(f"ask@{DOMAIN}", ("you@receiver.example",))
        with MilterClient(f"unix:{self.running.peer.socket}") as client:
            client.open(connection)
            reply = client.send(Message(connection, envelope, header, "4F2A"), body)
        departing = reply.apply(header, body)

        header, _ = split_message(departing)
        for number, each in enumerate(each for each in header if each.key == "dkim-signature"):
            if b"ed25519-sha256" in each.value:
                continue  # dkimpy needs PyNaCl for it
            if b"relaxed/relaxed" not in each.value or not dkim.DKIM(departing).verify(number, dnsfunc=as_dns(records)):
                raise RuntimeError(f"{self.name}: a verifier does not take its signature:{each.text}")

    def as_json(self) -> dict[str, object]:
        """All that was measured."""
        return {
            "rates": self.rates,
            "cpu_seconds": self.cpu,
            "latency_ms": {str(each): percentile(self.latency, each) for each in (50, 90, 99, 99.9)},
            "load_cpu_seconds": self.load_cpu,
        }
