"""The gate behind the verifiers of the tables: what it makes of each message of theirs, in every way that leads to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dkimgate.facts import Assessment
from dkimgate.message.message import Connection, Message
from dkimgate.policy.verdict import reach
from tests.evidence.echoes import zone
from tests.evidence.echoes.table import Row
from tests.world.host import SIGNS_EVERYTHING, Host, policy
from tests.world.keys import BODY
from tests.world.mail import REINJECTED, message

NOW = 1_800_000_000.0
AUTHORS = (
    "good.example",
    "news.good.example",
    "mail.good.example",
    "quarantined.example",
    "watched.example",
    zone.HOSTED,
)


@dataclass(frozen=True, slots=True)
class Way:
    """How a message comes to the gate, and what it has lost until then."""

    name: str
    row: str
    message: Message


class _Everything(frozenset[str]):
    def __contains__(self, name: object) -> bool:
        return True


class Verified(Host):
    """A host in these settings. `dns`: it has the zone of the cases, else every question fails."""

    def __init__(self, folder: Path, verify: str, strips: bool, dns: bool = False) -> None:
        keys = ", ".join(f"{{domain: {domain}, selector: gate, file: key.pem}}" for domain in AUTHORS)
        super().__init__(
            folder,
            f"trust: {{networks: [127.0.0.0/8], border_strips_forgeries: {str(strips).lower()}}}\n"
            f"keys: [{keys}]\nverify: {{when: {verify}}}\n",
            zone=zone.answers() if dns else {},
            failing=() if dns else _Everything(),
            now=NOW,
        )
        self._careless = policy(SIGNS_EVERYTHING)

    def assess(self, message: Message) -> Assessment:
        """What is found and decided."""
        return self.gate.assess(message, BODY)

    def signs(self, assessment: Assessment) -> bool:
        """Does it sign for the author, by the shipped policy or by one that would sign everything?"""
        careless = reach(assessment.facts, self._careless)
        return assessment.signer is not None or careless.made.value == "author"


def ways(row: Row) -> Iterator[Way]:
    """A message of the tables, as it comes to a gate: handed in again by a local program, or in the session that brings it."""
    for wiring, header in row.messages():
        border = next(at for at, field in enumerate(header) if field.key == "received")
        client = Connection(ip=row.client, name="client.attacker.example", helo=row.helo)
        # inbound, Postfix hides its own Received field
        yield Way(f"{wiring}, inbound", row.case, message(header[:border] + header[border + 1 :], client, row.sender))
        yield Way(f"{wiring}, handed in again", row.case, message(header, REINJECTED, row.return_path))


def without_evidence(way: Way) -> Way:
    """The same with another envelope sender, and without the fields beside ours that show what the sender wrote."""
    bare = tuple(field for field in way.message.header if field.key not in ("dkim-signature", "return-path"))
    envelope = replace(way.message.envelope, sender="list-owner@forwarder.example")
    return Way(f"{way.name}, without evidence", way.row, replace(way.message, header=bare, envelope=envelope))
