"""Records as the gate writes them, for the tests of the commands that read them."""

from __future__ import annotations

from dkimgate.facts import (
    Arrival,
    Assessment,
    Decision,
    Departure,
    Facts,
    Origin,
    Risk,
    Sign,
    Spam,
)
from dkimgate.message.message import Message
from dkimgate.record import record
from tests.world.keys import MadeWith

NOON = 1_795_262_400.0  # 2026-11-21T12:00:00Z


def phish(queue_id: str, minutes: float = 0) -> bytes:
    facts = Facts(
        sender="friend@hosted.example",
        recipients=("victim@receiver.example",),
        author="hosted.example",
        origin=Origin.FORWARDED,
        arrival=Arrival("fail", spam=Spam(True, 14.9, 3.0)),
        message_id=f"<{queue_id}@hosted.example>",
    )
    decision = Decision("never-launder", risk=Risk(348.3, (("dmarc=fail", 100.0), ("spam", 248.3))))
    return line(queue_id, facts, decision, Departure("fail", False, False), minutes)


def own(queue_id: str, minutes: float = 0) -> bytes:
    facts = Facts(
        sender="a@other.example",
        author="other.example",
        hosted="other.example",
        origin=Origin.LOCAL,
        arrival=Arrival("none"),
    )
    return line(
        queue_id,
        facts,
        Decision("own-users", Sign.AUTHOR),
        Departure("pass", True, False),
        minutes,
        (MadeWith(),),
    )


def line(
    queue_id: str,
    facts: Facts,
    decision: Decision,
    departure: Departure,
    minutes: float,
    keys: tuple[MadeWith, ...] = (),
    error: str | None = None,
) -> bytes:
    assessment = Assessment(facts, decision, departure)
    message = Message(queue_id=queue_id)
    made = record.make(
        message, assessment, signatures=keys, time=NOON + 60 * minutes, ms=0.4, policy_hash="sha256:0", error=error
    )
    return record.to_line(made)
