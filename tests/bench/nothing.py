"""dkimgate's daemon with a judge that does nothing: the milter protocol, every callback, and no more.

`python -m tests.bench.nothing CONFIG`
"""

from __future__ import annotations

import sys
from pathlib import Path

from dkimgate.config import dkimgate_yaml as configuration
from dkimgate.config.dkimgate_yaml import Config
from dkimgate.config.problem import Problem
from dkimgate.daemon.server import serve
from dkimgate.facts import Outcome
from dkimgate.message.message import Message
from dkimgate.srs import NotRestored

_OUTCOME = Outcome()


class Passage:
    """It takes the body, and leaves the message as it is."""

    wants_body = True

    def body(self, chunk: bytes) -> None:
        """Nothing."""

    def end(self) -> Outcome:
        """No change."""
        return _OUTCOME

    def abort(self, reason: str) -> None:
        """Nothing."""


class Nothing:
    """The judge."""

    warnings: tuple[Problem, ...] = ()
    broken: tuple[Problem, ...] = ()
    loaded: dict[str, str] = {}  # noqa: RUF012  nobody writes to it
    trouble = ""
    replaced: dict[str, tuple[str, str]] = {}  # noqa: RUF012

    def examine(self) -> bool:
        """Nothing to look at."""
        return False

    def __init__(self, config: Config) -> None:
        self.config = config

    @classmethod
    def load(cls, file: Path, settings: Config | None, before: object = None) -> Nothing:
        """Only the configuration. Raises ConfigError."""
        return cls(settings if settings is not None else configuration.load_whole(file))

    def judge(self, message: Message) -> Passage:
        """The passage of a message."""
        return Passage()

    def restore(self, address: str) -> str | NotRestored:
        """Nobody asks."""
        return address


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), Nothing.load))
