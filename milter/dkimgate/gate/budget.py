"""What a message may cost. One that has cost too much is deferred once, so that the others go first; when it comes
again it is judged by what hurts alone, and leaves unsigned. Without the first, one message could keep a gate busy;
without the second, it would be tried again for ever."""

from __future__ import annotations

import hashlib
import threading

from dkimgate.message.message import Message

MOST_SECONDS = 2.0
"""CPU of one message, without the hashing of its body, which grows with nothing but its size."""

AGAIN = f"it cost more than {MOST_SECONDS:g} s of CPU when it came before, so nothing that helps is believed"
"""Message.problem of a message that comes again."""

DEFERRED = f"deferred once: it cost more than {MOST_SECONDS:g} s of CPU"

_DAY = 86_400.0
_MOST_KNOWN = 1000
_MOST_RECEIVED = 20  # from the top: those that hosts of ours have written
_NAMES = ("message-id", "from", "date", "subject")


class Costly:
    """The messages that have cost too much, for a day. Each worker has its own memory: one may be deferred once by
    each. Safe in many threads."""

    def __init__(self) -> None:
        self._known: dict[bytes, float] = {}
        self._lock = threading.Lock()

    def knows(self, message: Message, now: float) -> bool:
        """Has it been deferred for its cost? `now` in seconds since the epoch."""
        if not self._known:
            return False
        with self._lock:
            known = [self._known[mark] for mark in _marks(message) if mark in self._known]
        return any(0 <= now - at < _DAY for at in known)

    def remember(self, message: Message, now: float) -> None:
        """It is deferred now."""
        with self._lock:
            for mark in _marks(message):
                while len(self._known) >= _MOST_KNOWN:
                    del self._known[next(iter(self._known))]
                self._known[mark] = now


def _marks(message: Message) -> list[bytes]:
    """What a message is known by when it comes again, by whatever queue id and with whatever trace fields: by the
    client, and any one of its Received fields. A filter of ours writes another one each time. But that of the hop by
    which the message entered stays, and no sender can foretell that of another's mail, as he can the rest."""
    client = message.connection
    same = hashlib.sha256(f"{client.ip} {client.auth}\n".encode("utf-8", "surrogateescape"))
    for field in message.header:
        if field.key in _NAMES:
            same.update(field.value[:4096] + b"\n")
    received = [field.value for field in message.header if field.key == "received"][:_MOST_RECEIVED]
    return [hashlib.sha256(same.digest() + value).digest() for value in received or [b""]]
