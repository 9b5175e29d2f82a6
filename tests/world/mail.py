"""A message: its fields and its body, who brings it, and what the gate reads in it.

message(BORDER + AUTHOR)                      # came from outside, and a local program hands it in again
message(AUTHOR, OUTSIDE, sender="a@b.example")  # a stranger's session brings it
facts(BORDER + AUTHOR).arrival.dmarc          # what its header says
"""

from __future__ import annotations

from collections.abc import Iterable

from dkimgate.config.dkimgate_yaml import Config, Trust
from dkimgate.dkim.canonical import BodyForms
from dkimgate.dkim.sent_body import SentBody
from dkimgate.evidence.gather import facts_of, see
from dkimgate.facts import Facts
from dkimgate.message.message import Connection, Envelope, HeaderField, Message, split_message

TRUST = Trust(hosts=("mx.forwarder.example", "*.mail.forwarder.example"), authserv_ids=("mx.forwarder.example",))
STRIPS = TRUST.model_copy(update={"border_strips_forgeries": True})
CONFIG = Config(trust=TRUST)
REINJECTED = Connection(ip="127.0.0.1", name="localhost", daemon="mx.forwarder.example")
OUTSIDE = Connection(ip="192.0.2.66", name="client.attacker.example", helo="client.attacker.example")
USER = Connection(ip="192.0.2.77", name="laptop.hosted.example", helo="laptop", auth="user", daemon="submission")

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

Header = str | bytes | Iterable[HeaderField]


def fields(text: str | bytes) -> tuple[HeaderField, ...]:
    """The fields of a header section (line ends LF or CRLF), as the milter sees them."""
    return split_message(text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text)[0]


def raw_of(header: Iterable[HeaderField], body: bytes) -> bytes:
    """The message as it is stored or sent, with CRLF line ends."""
    return b"".join(f.name + b":" + f.value.replace(b"\n", b"\r\n") + b"\r\n" for f in header) + b"\r\n" + body


def message(
    header: Header,
    connection: Connection = REINJECTED,
    sender: str = "friend@hosted.example",
    recipients: tuple[str, ...] = ("v@receiver.example",),
    queue_id: str | None = "4F2B",
    problem: str | None = None,
    role: str = "gate",
) -> Message:
    """A message of that header section, as it comes to a listener of that role."""
    read = fields(header) if isinstance(header, str | bytes) else tuple(header)
    return Message(connection, Envelope(sender, recipients), read, queue_id, problem, role)


def facts(arrived: Header | Message, connection: Connection = REINJECTED, config: Config | Trust = CONFIG) -> Facts:
    """What the header alone says, where the key of hosted.example is ours and SPF passes for nobody."""
    read = arrived if isinstance(arrived, Message) else message(arrived, connection)
    config = Config(trust=config) if isinstance(config, Trust) else config
    return facts_of(see(read, config), config, ["hosted.example"], (False, "lookup"))


def forms(body: bytes, piece: int = 65_536) -> BodyForms:
    """Both forms of a body with CRLF line ends, as signatures are compared with it; handed over in pieces of so many octets."""
    taken = SentBody(simple=True)
    for start in range(0, len(body), piece):
        taken.update(body[start : start + piece])
    return taken.forms()
