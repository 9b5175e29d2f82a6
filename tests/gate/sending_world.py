"""A gate that signs our own users' mail, and what a receiver gets of it by way of Postfix's smtp(8)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dkim

from dkimgate.gate.gate import Gate
from dkimgate.message.message import Connection, Envelope, HeaderField, Message, split_message
from tests import smtp_model
from tests.world.keys import DOMAIN, pem, rsa_record

SUBMITTED = Connection(ip="192.0.2.77", name="laptop.hosted.example", helo="laptop", auth="user", daemon="submission")


def gate(folder: Path, rule: str = "sign: author", more: str = "", domain: str = DOMAIN) -> Gate:
    """Everything is decided by one rule; `more` is more configuration."""
    key = folder / "key.pem"
    key.touch(mode=0o600)
    key.write_bytes(pem())
    rest = "  - {name: rest, sign: none}\n" if "when:" in rule else ""
    (folder / "policy.yaml").write_text(
        f"version: 1\nrules:\n  - {{name: all, {rule}}}\n{rest}allow_laundering: [all{', rest' if rest else ''}]\n"
        "laundering_reason: a test of sending alone\n"
    )
    (folder / "dkimgate.yaml").write_text(
        "trust: {hosts: [mx.forwarder.example], authserv_ids: [mx.forwarder.example]}\n"
        f"keys: [{{domain: {domain}, selector: s, file: key.pem}}, {{domain: forwarder.example, selector: s, file: key.pem}}]\n"
        "forwarder: {domain: forwarder.example}\njournal: {file: decisions.jsonl}\nverify: {when: never}\n"
        + (more or "departure: {line_length_limit: 998, converts_8bit: true}\n")
    )
    return Gate.load(folder / "dkimgate.yaml")


@dataclass(frozen=True, slots=True)
class Left:
    """What left: the fields, the body as Postfix keeps it, and the record."""

    header: tuple[HeaderField, ...]
    body: bytes
    record: dict[str, Any]

    @property
    def departure(self) -> dict[str, Any]:
        """Of the record."""
        found: dict[str, Any] = self.record["departure"]
        return found

    def sent(self, limit: int = 998) -> bytes:
        """What the next host gets."""
        lines = [line for field in self.header for line in (field.name + b":" + field.value).split(b"\n")]
        return smtp_model.header(lines, limit) + b"\r\n" + smtp_model.body(self.body.split(b"\r\n")[:-1], limit)

    def unsent(self) -> bytes:
        """The same without any break."""
        header = b"".join(field.name + b":" + field.value.replace(b"\n", b"\r\n") + b"\r\n" for field in self.header)
        return header + b"\r\n" + self.body

    def value(self, name: str) -> bytes:
        """Of the first field of that name."""
        return next(field.value for field in self.header if field.key == name)


def leaves(
    gate: Gate,
    header: tuple[HeaderField, ...],
    body: bytes,
    connection: Connection = SUBMITTED,
    size: int = 65_535,
    sender: str = "user@elsewhere.example",
) -> Left:
    """Hand a message to the gate, the body in pieces of `size`. Its sender is not aligned with the author, so that signatures alone count."""
    message = Message(connection, Envelope(sender, ("v@receiver.example",)), header, "4F2A")
    passage = gate.judge(message)
    if passage.wants_body:
        for at in range(0, len(body), size):
            passage.body(body[at : at + size])
    outcome = passage.end()
    values = dict(outcome.changed)
    fields = [HeaderField(name.encode(), b" " + value.removeprefix(b" ")) for name, value in outcome.fields]
    # as the session hands a changed value to the MTA
    fields += [
        HeaderField(f.name, b" " + values[at].removeprefix(b" ") if at in values else f.value)
        for at, f in enumerate(header)
        if at not in outcome.remove
    ]
    return Left(tuple(fields), body, json.loads(gate.journal.file.read_text().splitlines()[-1]))


def mail(raw: bytes) -> tuple[tuple[HeaderField, ...], bytes]:
    """Header and body of a stored message."""
    return split_message(raw)


def verifies(raw: bytes) -> bool:
    """Is every signature valid, says dkimpy."""
    count = raw.partition(b"\r\n\r\n")[0].lower().count(b"dkim-signature:")
    try:
        verifier = dkim.DKIM(raw)
        return count > 0 and all(
            verifier.verify(at, dnsfunc=lambda name, timeout=5: rsa_record().encode()) for at in range(count)
        )
    except dkim.DKIMException:
        return False
