"""A body as it streams by: its hash as it came, and its hash as smtp(8) will send it."""

from __future__ import annotations

import re

from dkimgate.dkim.canonical import BodyForm, BodyForms, BodyHash, SimpleHash
from dkimgate.message.lines import LineBreaker, broken

_DECLARED = re.compile(rb"^content-transfer-encoding:[ \t]*\"?(?:8bit|binary)\b", re.IGNORECASE | re.MULTILINE)
_WORDS = (b"8bit", b"8BIT", b"8Bit", b"binary", b"BINARY")


class SentBody:
    """Takes a body in pieces, with CRLF line ends, cut anywhere. The two hashes are one until the first line that is
    too long.

    `limit` is smtp_line_length_limit in octets, 0 for none. `hashed`: without it only the lines are looked at. `parts`:
    the message has parts (multipart), of which each may declare that it is not 7-bit. `simple`: hashed in the simple
    form too, for those who compare it.
    """

    __slots__ = (
        "_arrived",
        "_breaker",
        "_held",
        "_looked",
        "_octets",
        "_parts",
        "_sent",
        "_simple",
        "broken",
        "eight_bit",
    )

    def __init__(self, limit: int = 0, hashed: bool = True, parts: bool = False, simple: bool = False) -> None:
        self._arrived = BodyHash() if hashed else None
        self._simple = SimpleHash() if simple else None
        self._octets = 0
        self._sent: BodyHash | None = None
        self._breaker = LineBreaker(limit)
        self._held = b""  # a CR that may begin the end of a line
        self._parts = parts
        self._looked = False
        self.broken = False
        self.eight_bit = False

    def update(self, chunk: bytes) -> None:
        """Take the next piece."""
        self._octets += len(chunk)
        if self._simple is not None:
            self._simple.update(chunk)
        if self._parts and not self.eight_bit:
            self._look(chunk)
        text = self._held + chunk if self._held else chunk
        self._held = b""
        if text.endswith(b"\r"):
            text, self._held = text[:-1], b"\r"
        self._take(text)

    def _look(self, chunk: bytes) -> None:
        """Octets above 127 somewhere, or a part that declares them near the begin. A guess that costs next to
        nothing."""
        self.eight_bit = not chunk.isascii()
        if not self._looked and not self.eight_bit:
            self.eight_bit = any(word in chunk for word in _WORDS) and _DECLARED.search(chunk) is not None
        self._looked = True

    def _take(self, text: bytes) -> None:
        cuts = self._breaker.cuts(text)
        if cuts and not self.broken:
            self.broken = True
            self._sent = self._arrived.copy() if self._arrived is not None else None
        if self._arrived is not None:
            self._arrived.update(text)
        if self._sent is not None:
            self._sent.update(broken(text, cuts))

    def digest(self) -> bytes:
        """The hash of all so far as it came, 32 octets. Raises ValueError where nothing is hashed."""
        arrived = self._whole()._arrived
        if arrived is None:
            raise ValueError("this body was not hashed")
        return arrived.digest()

    def sent_digest(self) -> bytes:
        """The hash of all so far as it will be sent. Raises ValueError where nothing is hashed."""
        sent = self._whole()._sent
        return sent.digest() if sent is not None else self.digest()

    def forms(self) -> BodyForms:
        """What signatures are compared with, of all so far as it came. Raises ValueError where nothing is hashed."""
        arrived = self._whole()._arrived
        if arrived is None:
            raise ValueError("this body was not hashed")
        simple = BodyForm(self._simple.digest(), self._simple.length) if self._simple is not None else None
        return BodyForms(self._octets, BodyForm(arrived.digest(), arrived.length), simple)

    def _whole(self) -> SentBody:
        """This one, without a CR that waits for what comes next: at the end of a body nothing does."""
        if not self._held:
            return self
        twin = SentBody()
        twin._arrived = self._arrived.copy() if self._arrived is not None else None
        twin._sent = self._sent.copy() if self._sent is not None else None
        twin._breaker, twin.broken = self._breaker.copy(), self.broken
        twin._take(self._held)
        return twin
