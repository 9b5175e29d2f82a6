"""A daemon whose gate does what the message says in its field X-Do: `python double.py CONFIG`. Everything else is the real thing."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar

from dkimgate.config import dkimgate_yaml as configuration
from dkimgate.config.dkimgate_yaml import Config
from dkimgate.config.problem import ConfigError, Problem
from dkimgate.daemon.server import serve
from dkimgate.facts import Disposition, Outcome
from dkimgate.message.message import Message
from dkimgate.record.notice import Notice
from dkimgate.srs import NotRestored

SIGNED = (("DKIM-Signature", b" v=1; first;\n\tb=AAAA"), ("DKIM-Signature", b" v=1; second"))


OUTCOMES = {
    "unalign": Outcome(fields=SIGNED, sender="SRS0=UNr4=JK=hosted.example=friend@bounce.forwarder.example"),
    "sign": Outcome(fields=SIGNED),
    "reject": Outcome(Disposition.REJECT, "not 100% good\r\n250 OK"),
    "defer": Outcome(Disposition.DEFER),
    "hold": Outcome(Disposition.HOLD, "look at this"),
    "discard": Outcome(Disposition.DISCARD),
    "injection": Outcome(fields=(("X-Good", b" yes"), ("DKIM-Signature", b" v=1\nBcc: everybody@receiver.example"))),
    "nul": Outcome(fields=(("DKIM-Signature", b" v=1\0"),)),
    "binary": Outcome(fields=(("DKIM-Signature", b" v=\xff"),)),
}


class Passage:
    """One message; its record holds everything that the session handed over."""

    def __init__(self, gate: Gate, message: Message, do: str) -> None:
        self._gate, self._message, self._do = gate, message, do
        self._length = 0
        self.wants_body = do != "skip"

    def body(self, chunk: bytes) -> None:
        self._length += len(chunk)
        if self._do == "raise-body":
            raise RuntimeError("the body\nhas two lines")
        if self._do == "die":
            os._exit(9)

    def end(self) -> Outcome:
        if self._do == "raise-end":
            raise MemoryError
        if self._do == "slow":
            time.sleep(1)
        if self._do == "no-journal":
            self._gate.notice.put("no space left")
        else:
            self._gate.notice.clear()
        self._record("end")
        return OUTCOMES.get(self._do, Outcome())

    def abort(self, reason: str) -> None:
        self._record(f"abort: {reason}")
        if self._do == "raise-abort":
            raise RuntimeError("abort")

    def _record(self, how: str) -> None:
        message = self._message
        record = {
            "how": how,
            "connection": asdict(message.connection),
            "sender": message.envelope.sender,
            "recipients": message.envelope.recipients,
            "header": [[each.name.decode("latin-1"), each.value.decode("latin-1")] for each in message.header[:50]],
            "fields": len(message.header),
            "queue_id": message.queue_id,
            "problem": message.problem,
            "body": self._length,
            "generation": self._gate.generation,
            "pid": os.getpid(),
            "uid": os.getresuid(),
            "gid": os.getresgid(),
            "groups": os.getgroups(),
        }
        journal = os.open(self._gate.config.journal.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        os.write(journal, json.dumps(record).encode() + b"\n")
        os.close(journal)


class Gate:
    """The double. Its policy file holds a name for this generation, or something broken."""

    def __init__(self, config: Config, generation: str) -> None:
        self.config = config
        self.generation = generation
        self.warnings = (Problem("test.warning", "a warning"),)
        self.broken: tuple[Problem, ...] = ()
        self.loaded = {"policy": generation}
        self.notice = Notice()

    @classmethod
    def load(cls, file: Path, settings: Config | None, before: object = None) -> Gate:
        config = settings if settings is not None else configuration.load_whole(file)
        generation = Path(config.policy).read_text().strip()
        if generation == "broken":
            told = enumerate(("broken", "more of it"), 1)
            raise ConfigError(*(Problem("test.broken", text, config.policy, line, 1) for line, text in told))
        if generation == "crash":
            raise ZeroDivisionError("a mistake in the code")
        return cls(config, generation)

    replaced: ClassVar[dict[str, tuple[str, str]]] = {}

    def examine(self) -> bool:
        return False

    @property
    def trouble(self) -> str:
        failed = self.notice.get()
        return f"mail is deferred: {failed[0]}" if failed is not None else ""

    def judge(self, message: Message) -> Passage:
        do = next((each.text for each in message.fields("x-do")), "")
        if do == "raise-judge":
            raise ValueError("judge")
        return Passage(self, message, do)

    def restore(self, address: str) -> str | NotRestored:
        if address == "raise":
            raise ValueError("restore")
        if address == "long":
            return "x" * 50_000
        return (
            f"{self.generation}-{os.getpid()}@hosted.example" if address.startswith("SRS0=") else NotRestored[address]
        )


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), Gate.load))
