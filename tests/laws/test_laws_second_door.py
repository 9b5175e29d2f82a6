"""The second door, as somebody tries it who has read the source: a forged message departs with pass by SPF, without any signature."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dkimgate.facts import Disposition
from dkimgate.gate import Gate
from dkimgate.message import Connection, Envelope, Message, split_message
from dkimgate.passage import Outcome
from dkimgate.resolver import FakeResolver
from dkimgate.srs import new_secret
from laws.attack_world import AUTHOR, HOSTED_KEY, NOW, SHIPPED, STRANGER, ZONE
from verify.dkim_world import pem

OURS = "v=spf1 ip4:203.0.113.10 -all"
FORWARDERS: dict[str, dict[str, list[str]]] = {
    "forwarder.example": {"TXT": [OURS]},
    "bounce.forwarder.example": {"TXT": [OURS]},
    "_dmarc.forwarder.example": {"TXT": ["v=DMARC1; p=reject"]},
    "partner.example": {"TXT": [OURS]},
    "_dmarc.partner.example": {"TXT": ["v=DMARC1; p=reject"]},
}
"""Beside those that the attacks know: the forwarder's own domains, and one whose mail leaves by us too, though we hold no key of it."""

Write = Callable[[str], Path]


class Door:
    """A forwarder whose address stands in the SPF records of its domains; nothing has checked a message before the gate does."""

    def __init__(self, folder: Path, policy: str = "") -> None:
        for name, content in (("key.pem", pem(HOSTED_KEY)), ("srs.secret", new_secret().encode() + b"\n")):
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o600)
        (folder / "policy.yaml").write_text(policy or SHIPPED.read_text())
        (folder / "dkimgate.yaml").write_text(
            "trust: {hosts: [mx.forwarder.example], authserv_ids: [mx.forwarder.example]}\n"
            "keys: [{domain: hosted.example, selector: a, file: key.pem}, {domain: forwarder.example, selector: a, file: key.pem}]\n"
            "forwarder: {domain: forwarder.example}\nunalign: {domain: bounce.forwarder.example, secret_file: srs.secret}\n"
            "departure: {addresses: [203.0.113.10], helo: mx.forwarder.example}\njournal: {file: decisions.jsonl}\n"
        )
        self.gate = Gate.load(folder / "dkimgate.yaml")
        self.gate.now = lambda: NOW
        self.gate.resolver = FakeResolver(ZONE | FORWARDERS)  # type: ignore[assignment]

    def passes(self, header: bytes, sender: str, client: Connection = STRANGER) -> tuple[Outcome, dict[str, Any]]:
        fields, _ = split_message(header + b"\n")
        passage = self.gate.judge(Message(client, Envelope(sender, ("victim@receiver.example",)), fields, "4F2A"))
        passage.body(b"Pay me.\r\n")
        outcome = passage.end()
        return outcome, json.loads(self.gate.journal.file.read_text().splitlines()[-1])


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def by(author: str) -> bytes:
    return AUTHOR.replace(b"ask@hosted.example", author.encode())


ODD = (
    "friend@{0}(x@elsewhere.example)",
    "friend@{0}(@elsewhere.example",
    'friend@"{0}"',
    "friend@{0};",
    "{0}!friend",
    "friend%{0}",
    '"friend@{0}"',
)


@pytest.mark.parametrize("author", ["hosted.example", "partner.example"])
@pytest.mark.parametrize("written", ODD)
def test_no_way_of_writing_the_sender_hides_it(written: str, author: str, door: Door) -> None:
    """Postfix makes friend@AUTHOR of each, after it has shown it to the milters as it is written here."""
    outcome, record = door.passes(by(f"ask@{author}"), written.format(author))
    assert outcome.disposition is Disposition.HOLD
    assert record["departure"]["spf_aligned"] is True


@pytest.mark.parametrize("author", ["ceo@forwarder.example", "ceo@hosted.example, ceo@forwarder.example"])
@pytest.mark.parametrize("sender", ["friend@hosted.example", "x@bounce.forwarder.example", "ceo@forwarder.example", "x@(a)hosted.example"])
def test_a_message_that_cannot_be_judged_is_not_rewritten_to_a_sender_that_aligns(
    sender: str, author: str, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The domain of the rewritten senders may align with the forwarder's own."""

    def fails(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(door.gate, "conclude", fails)
    assert door.passes(by(author), sender)[0].disposition is Disposition.DEFER
    outcome, _ = door.passes(by("ask@hosted.example"), "friend@hosted.example")
    assert (outcome.disposition, (outcome.sender or "").rpartition("@")[2]) == (Disposition.ACCEPT, "bounce.forwarder.example")
