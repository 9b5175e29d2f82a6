"""What a passage asks of the way that a message goes: out by the gate, or in by a border listener."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dkimgate.dkim.keys import SigningKey
from dkimgate.dkim.sent_body import SentBody
from dkimgate.evidence.gather import Seen
from dkimgate.facts import Assessment

Fields = tuple[tuple[str, bytes], ...]
"""Names and values of header fields."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What is known after the header was read. `body` takes the body in; None if nobody needs it. `assessment`: the
    decision; None if it waits for the body."""

    body: SentBody | None
    assessment: Assessment | None


@dataclass(frozen=True, slots=True)
class Written:
    """The fields that a message gets, the first topmost, and the keys that signed. `unsealed`: why it gets no ARC set,
    although the policy wants one. `trouble`: what went wrong with that, for the log."""

    fields: Fields = ()
    keys: tuple[SigningKey, ...] = ()
    sealed: bool = False
    unsealed: str | None = None
    trouble: str | None = None


class Way(Protocol):
    """One message's way. A passage calls these in their order, and catches what they raise."""

    writes: str
    """What `write` does, for the log."""

    def view(self, seen: Seen) -> Seen:
        """The message as it is to be judged."""
        ...

    def open(self, seen: Seen, now: float) -> Opened:
        """Read what the header tells."""
        ...

    def conclude(self, seen: Seen, body: SentBody, now: float) -> Assessment:
        """Make the decision that waited for the body."""
        ...

    def hindrance(self, seen: Seen | None) -> str | None:
        """Why the message has to wait (4xx), or None."""
        ...

    def write(self, seen: Seen, assessment: Assessment, body: SentBody | None, now: float) -> Written:
        """Make the fields that it gets. Called only where nothing went wrong before."""
        ...

    def removed(self) -> tuple[int, ...]:
        """Positions of fields that leave the header, whatever was decided."""
        ...
