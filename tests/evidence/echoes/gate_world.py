"""The gate behind the verifiers of the tables: what it makes of each message of theirs, in every way that leads to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dkimgate.config import yaml_file
from dkimgate.facts import Assessment
from dkimgate.gate.gate import Gate
from dkimgate.message.message import Connection, Envelope, HeaderField, Message
from dkimgate.policy.language import loader
from dkimgate.policy.language.model import Policy
from dkimgate.policy.verdict import reach
from tests.evidence.echoes import zone
from tests.evidence.echoes.table import Row
from tests.world.dns import FakeResolver
from tests.world.keys import pem

CONFIG = Path(__file__).parents[3] / "config"
NOW = 1_800_000_000.0
BODY = b"Hello,\r\nlunch at one?\r\n"
CARELESS = "version: 1\nrules: [{name: everything, when: {risk: '>= 0'}, sign: author}]\ndefault: {sign: author}\n"
"""No daemon starts with it; here it shows what the guard is worth alone."""
REINJECTED = Connection(ip="127.0.0.1", name="localhost", daemon=zone.OURS)
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


class Host:
    """A gate in these settings. `dns`: it has the zone of the cases, else every question fails."""

    def __init__(self, folder: Path, verify: str, strips: bool, dns: bool = False) -> None:
        (folder / "key.pem").write_bytes(pem())
        (folder / "key.pem").chmod(0o600)
        keys = ", ".join(f"{{domain: {domain}, selector: gate, file: key.pem}}" for domain in AUTHORS)
        (folder / "dkimgate.yaml").write_text(
            f"trust: {{hosts: [{zone.OURS}], networks: [127.0.0.0/8], authserv_ids: [{zone.OURS}], border_strips_forgeries: {str(strips).lower()}}}\n"
            f"keys: [{keys}]\npolicy: {CONFIG / 'policy.yaml'}\nverify: {{when: {verify}}}\njournal: {{file: decisions.jsonl}}\n"
        )
        self.engine = Gate.load(folder / "dkimgate.yaml")
        self.engine.resolver = FakeResolver(zone.answers() if dns else {}, frozenset() if dns else _Everything())  # type: ignore[assignment]
        self.engine.now = lambda: NOW
        self._careless: Policy = loader.from_document(yaml_file.parse(CARELESS, folder / "careless.yaml"))

    def assess(self, message: Message) -> Assessment:
        """What is found and decided."""
        return self.engine.assess(message, BODY)

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
        yield Way(f"{wiring}, inbound", row.case, _message(header[:border] + header[border + 1 :], row.sender, client))
        yield Way(f"{wiring}, handed in again", row.case, _message(header, row.return_path, REINJECTED))


def without_evidence(way: Way) -> Way:
    """The same with another envelope sender, and without the fields beside ours that show what the sender wrote."""
    bare = tuple(field for field in way.message.header if field.key not in ("dkim-signature", "return-path"))
    envelope = replace(way.message.envelope, sender="list-owner@forwarder.example")
    return Way(f"{way.name}, without evidence", way.row, replace(way.message, header=bare, envelope=envelope))


def _message(header: tuple[HeaderField, ...], sender: str, connection: Connection) -> Message:
    return Message(connection, Envelope(sender, ("someone@receiver.example",)), header, "4F2A")
