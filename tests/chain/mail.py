"""Messages as senders make them and as the receiver finds them."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

import dkim

from dkimgate.message.message import HeaderField, split_message
from tests.chain import world

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
"""The line that every SpamAssassin takes for spam, with a score of 1000."""

FORGED_RESULTS = (
    f"Authentication-Results: {world.FORWARDER}; dmarc=pass (p=quarantine dis=none) header.from={{domain}}",
    f"Authentication-Results: {world.FORWARDER}; spf=pass smtp.mailfrom={{domain}}; dkim=pass header.d={{domain}} header.s=gate",
    f"X-Spam-Checker-Version: SpamAssassin 4.0.1 (2024-03-26) on {world.FORWARDER}",
    "X-Spam-Level:",
    "X-Spam-Status: No, score=-9.9 required=5.0 tests=ALL_TRUSTED autolearn=ham version=4.0.1",
)
"""What the forwarder's own checks write about good mail, written by somebody else; `{domain}` is the author domain."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to send: `raw` with CRLF line ends, and the Message-ID by which it is found again."""

    author: str
    message_id: str
    raw: bytes

    @property
    def domain(self) -> str:
        """The author domain."""
        return self.author.rpartition("@")[2]

    def signed(self, key_file: Path, selector: str) -> Letter:
        """The same message with a DKIM signature of its author domain (RFC 6376), made by dkimpy."""
        signature: bytes = dkim.sign(
            self.raw,
            selector.encode(),
            self.domain.encode(),
            key_file.read_bytes(),
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[b"from", b"to", b"subject", b"date", b"message-id"],
        )
        return Letter(self.author, self.message_id, signature + self.raw)


def letter(
    author: str,
    to: str,
    *,
    more: tuple[str, ...] = (),
    text: str = "The minutes of our meeting are below, as promised.",
) -> Letter:
    """A plain message; `more` are header fields that stand in front of its own."""
    message_id = f"<{uuid.uuid4()}@{author.rpartition('@')[2]}>"
    lines = [
        *more,
        f"From: A Friend <{author}>",
        f"To: {to}",
        "Subject: Minutes of the meeting",
        # of today: SpamAssassin takes an old date for a sign of spam
        f"Date: {formatdate()}",
        f"Message-ID: {message_id}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        text,
        "",
        "Yours, A Friend",
        "",
    ]
    return Letter(author, message_id, "\r\n".join(lines).encode("ascii"))


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message in the receiver's mailbox."""

    raw: bytes
    header: tuple[HeaderField, ...]

    @classmethod
    def read(cls, raw: bytes) -> Delivered:
        """Take a stored message apart."""
        return cls(raw, split_message(raw)[0])

    @property
    def message_id(self) -> str:
        """Its Message-ID, empty where there is none."""
        return next((field.text for field in self.header if field.key == "message-id"), "")

    def fields(self, name: str) -> list[str]:
        """The values of the fields of that name, from the top."""
        return [field.text for field in self.header if field.key == name.lower()]

    def arrival(self, method: str) -> str | None:
        """What the checks at the forwarder's border say: only what stands above the field by which it received the message.

        None where they say nothing of `method`, or the message did not come over SMTP.
        """
        return _result(self._above_border(world.FORWARDER), world.FORWARDER, method)

    def departure(self, method: str) -> str | None:
        """The same, at the receiver's border."""
        return _result(self._above_border(world.RECEIVER), world.RECEIVER, method)

    def spam(self) -> str | None:
        """`Yes` or `No`, as the last X-Spam-Status says: SpamAssassin's is at the end or took the place of a forged one."""
        verdicts = [field.text for field in self.header if field.key == "x-spam-status"]
        return re.split(r"[,\s]", verdicts[-1])[0] if verdicts else None

    def signatures(self) -> list[str]:
        """`domain/selector` of each DKIM signature that it carries, newest first."""
        return [
            f"{tag(field.text, 'd')}/{tag(field.text, 's')}" for field in self.header if field.key == "dkim-signature"
        ]

    def valid_signatures(self) -> list[str]:
        """`domain/selector` of each DKIM signature that verifies at the receiver."""
        return self._valid(world.RECEIVER)

    def valid_on_arrival(self) -> list[str]:
        """The same, at the forwarder's border."""
        return self._valid(world.FORWARDER)

    def _valid(self, host: str) -> list[str]:
        texts = _results(self._above_border(host), host)
        found = [re.findall(r"\bdkim=pass\b[^;]*?header\.d=(\S+)[^;]*?header\.s=([^\s;]+)", text) for text in texts]
        return [f"{domain}/{selector}" for pairs in found for domain, selector in pairs]

    def _above_border(self, host: str) -> list[HeaderField]:
        """The fields above the one by which `host` received the message over SMTP: its own work, where no sender can write."""
        for index, field in enumerate(self.header):
            text = " ".join(field.text.split())
            if field.key == "received" and text.startswith("from ") and f" by {host} " in text:
                return list(self.header[:index])
        return []


def _results(fields: list[HeaderField], host: str) -> list[str]:
    """What `host` says in Authentication-Results (RFC 8601), without comments."""
    texts = [re.sub(r"\([^()]*\)", "", field.text) for field in fields if field.key == "authentication-results"]
    return [text for text in texts if text.startswith(f"{host};")]


def _result(fields: list[HeaderField], host: str, method: str) -> str | None:
    found = [match[1] for text in _results(fields, host) for match in re.finditer(rf"[;\s]{method}=(\w+)", text)]
    return found[0] if found else None


def tag(signature: str, name: str) -> str:
    """The value of a tag of a DKIM-Signature field (RFC 6376 section 3.2), empty where it has none."""
    match = re.search(rf"(?:^|[;:])\s*{name}=\s*([^;\s]+)", signature)
    return match[1] if match else ""
