"""The load: our own MTA (milter_load.c), and what it tells of a milter."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.messages import Mail
from tests.bench.numbers import percentile

PROGRAMS = Path(__file__).parents[2] / "build" / "bench"
EACH = 100
"""Messages a connection."""


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it. Latency in milliseconds, `cpu` is what the MTA of the bench used itself (s)."""

    seconds: float
    cpu: float
    messages: int
    counts: dict[str, int]
    latency: Sequence[float]

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    def latency_at(self, percent: float) -> float:
        """A percentile of the latency, in milliseconds."""
        return percentile(self.latency, percent)


def load_of_json(text: str) -> Load:
    """What milter_load printed."""
    told: dict[str, Any] = json.loads(text)
    latency = [each / 1000 for each in told.pop("latency_us")]
    return Load(told.pop("seconds"), told.pop("cpu"), told.pop("messages"), told, latency)


class Sender:
    """Sends one message over and over to a socket."""

    def __init__(self, folder: Path, mail: Mail) -> None:
        self._mail = mail
        self._file = folder / f"message-{id(mail)}.eml"
        self._file.write_bytes(mail.text)

    def start(
        self, socket: Path, seconds: float, *, connections: int = 8, rate: float = 0, each: int = EACH
    ) -> subprocess.Popen[str]:
        """Begin; `finish` has the result."""
        numbers = (connections, seconds, rate, each)
        command = [PROGRAMS / "milter_load", socket, self._file, *numbers, self._mail.client, *self._mail.macros]
        return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)

    def send(self, socket: Path, seconds: float, *, connections: int = 8, rate: float = 0, each: int = EACH) -> Load:
        """Send for so many seconds; `rate` 0 is the closed loop, another the open one (messages a second)."""
        return finish(self.start(socket, seconds, connections=connections, rate=rate, each=each))


def finish(process: subprocess.Popen[str]) -> Load:
    """Wait for the end, and the result. RuntimeError where it failed."""
    output, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError("milter_load failed")
    return load_of_json(output)
