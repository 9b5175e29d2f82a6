"""Header sections as an MTA hands them over, for tests of everything that reads them."""

from __future__ import annotations

from dkimgate.config.dkimgate_yaml import Config, Trust
from dkimgate.message.message import Connection, Envelope, Message, split_message

TRUST = Trust(hosts=("mx.forwarder.example", "*.mail.forwarder.example"), authserv_ids=("mx.forwarder.example",))
CONFIG = Config(trust=TRUST)
REINJECTED = Connection(ip="127.0.0.1", name="localhost", daemon="mx.forwarder.example")
OUTSIDE = Connection(ip="192.0.2.66", name="client.attacker.example", helo="client.attacker.example")

BORDER = """\
Received: from client.attacker.example (client.attacker.example [192.0.2.66])
\tby mx.forwarder.example (Postfix) with ESMTP id 4F2A
\tfor <ask@hosted.example>; Sat, 21 Nov 2026 16:20:25 +0000 (UTC)
"""
AUTHOR = """\
From: Friend <ask@hosted.example>
To: victim@receiver.example
Subject: Your account has been recorded
Date: Sat, 21 Nov 2026 16:20:20 +0000
Message-ID: <4711@hosted.example>
"""


def message(
    header: str,
    connection: Connection = REINJECTED,
    sender: str = "friend@hosted.example",
    recipients: tuple[str, ...] = ("v@receiver.example",),
) -> Message:
    """A message of that header section (LF line ends), as the milter sees it."""
    fields, _ = split_message(header.encode("utf-8", "surrogateescape") + b"\n")
    return Message(connection, Envelope(sender, recipients), fields, "4F2B")
