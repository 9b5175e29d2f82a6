"""Stored messages, and the session by which one pretends that they come: what `explain` and `policy test` have in
common."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

from dkimgate.message.limits import Collected
from dkimgate.message.message import Connection, Envelope, Message, split_message


def connection(client: str | None, helo: str | None, auth: str | None) -> Connection:
    """The client that hands the message in; without `client`, this host. Raises ValueError if `client` is not an IP
    address."""
    if client is None:
        return Connection("127.0.0.1", "localhost", helo or "localhost", auth)
    return Connection(str(ipaddress.ip_address(client)), None, helo, auth)


def message_of(raw: bytes, session: Connection, sender: str | None, recipients: Sequence[str]) -> tuple[Message, bytes]:
    """A stored message, its header within the bounds of the daemon, and its body, with CRLF line ends. Without `sender`
    its Return-Path counts. Raises ValueError for what does not begin with a header field."""
    header, body = split_message(raw)
    if not header:
        raise ValueError("this does not begin with a header field, so it is not a message")
    if sender is None:
        returns = [field.text for field in header if field.key == "return-path"]
        sender = returns[0] if returns else ""
    kept = Collected(header)
    envelope = Envelope(sender.strip("<>"), tuple(recipients))
    return Message(session, envelope, tuple(kept.fields), problem=kept.problem), body


def arrived(message: Message) -> float | None:
    """When the newest Received field says that the message was taken: a stored one is judged as it was then, by its
    dates too."""
    newest = next((field.text for field in message.fields("received")), "")
    return when(newest.rpartition(";")[2])


def when(text: str) -> float | None:
    """The date of a header field, in seconds since the epoch; None if there is no valid date."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
