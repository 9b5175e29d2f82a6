"""A host with a gate as the daemon would load it, and a message's passage through it.

    host = Host(folder, "verify: {when: never}", launders("{name: all, sign: author}"), zone=ZONE)
    outcome = host.send(BORDER + AUTHOR)        # what the MTA is told
    host.record["decision"]                     # what was written down
    host.leaves(message(AUTHOR), b"Hello\\r\\n")  # the message as the next host gets it

Only the DNS and, where a test sets it, the clock are the test's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dkim
import yaml

from dkimgate.config import yaml_file
from dkimgate.facts import Outcome
from dkimgate.gate.gate import Gate
from dkimgate.gate.passage import Passage
from dkimgate.message.message import Connection, HeaderField, Message
from dkimgate.passport.secrets import new_secret as passport_secret
from dkimgate.policy.language import loader
from dkimgate.policy.language.model import Policy
from dkimgate.srs import new_secret as srs_secret
from tests import smtp_model
from tests.world.dns import FakeResolver, Zone
from tests.world.keys import BODY, pem, rsa_record
from tests.world.mail import OUTSIDE, REINJECTED, Header, message, raw_of

SHIPPED = Path(__file__).parents[2] / "config" / "policy.yaml"
SETTINGS = """\
trust: {hosts: [mx.forwarder.example], authserv_ids: [mx.forwarder.example]}
keys: [{domain: hosted.example, selector: gate, file: key.pem}]
journal: {file: decisions.jsonl}
"""
FORWARDER = """\
keys: [{domain: hosted.example, selector: s, file: key.pem}, {domain: forwarder.example, selector: s, file: key.pem}]
forwarder: {domain: forwarder.example}
departure: {line_length_limit: 998, converts_8bit: true}
verify: {when: never}
"""
"""It signs in its own name too, and checks nothing."""
SIGNS_EVERYTHING = (
    "version: 1\nrules: [{name: everything, when: {risk: '>= 0'}, sign: author}]\ndefault: {sign: author}\n"
)
"""No daemon starts with it; it shows what the guard is worth alone."""


def launders(rules: str, mode: str = "enforce") -> str:
    """A policy of these rules, each of which may launder: for tests of what follows a decision."""
    names = ", ".join(["default", *re.findall(r"name: ([\w-]+)", rules)])
    return f"version: 1\nmode: {mode}\nrules: [{rules}]\nallow_laundering: [{names}]\nlaundering_reason: a test of what follows\n"


def policy(text: str) -> Policy:
    """A policy by that text, safe or not."""
    return loader.from_document(yaml_file.parse(text, Path("policy.yaml")))


def configured(folder: Path, settings: str = "", rules: str = "", key: bytes | None = None) -> Path:
    """Write what a host has on disk; the dkimgate.yaml. `settings`: over SETTINGS, key by key, and `x: null` takes one off.
    `rules`: a policy, or the shipped one."""
    secrets = {"passport.secret": passport_secret("2026a"), "srs.secret": srs_secret()}
    files = {"key.pem": key or pem(), **{name: f"{text}\n".encode() for name, text in secrets.items()}}
    for name, content in files.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(content)
    (folder / "policy.yaml").write_text(rules or SHIPPED.read_text())
    stated: dict[str, Any] = yaml.safe_load(SETTINGS)
    for name, value in (yaml.safe_load(settings) or {}).items():
        stated[name] = {**stated.get(name, {}), **value} if isinstance(value, dict) else value
    stated = {name: value for name, value in stated.items() if value is not None}
    file = folder / "dkimgate.yaml"
    file.write_text(yaml.safe_dump(stated, allow_unicode=True))
    return file


def sent(header: tuple[HeaderField, ...], outcome: Outcome, received: Header = ()) -> tuple[HeaderField, ...]:
    """The header as the MTA has it behind the milter. `received`: the field that Postfix wrote and hid from the milter."""
    values = dict(outcome.changed)
    new = [HeaderField(name.encode(), b" " + value.removeprefix(b" ")) for name, value in outcome.fields]
    kept = [
        HeaderField(each.name, b" " + values[at].removeprefix(b" ")) if at in values else each
        for at, each in enumerate(header)
        if at not in outcome.remove
    ]
    return (*new, *message(received).header, *kept)


def ended(passage: Passage, body: bytes, size: int = 65_535) -> Outcome:
    """What the MTA is told at the end of a body, which comes in pieces of `size`."""
    for at in range(0, len(body), size):
        passage.body(body[at : at + size])
    return passage.end()


@dataclass(frozen=True, slots=True)
class Left:
    """What left: the fields, the body as Postfix keeps it, what the MTA was told, and the record."""

    header: tuple[HeaderField, ...]
    body: bytes
    outcome: Outcome
    record: dict[str, Any]

    @property
    def departure(self) -> dict[str, Any]:
        """Of the record."""
        found: dict[str, Any] = self.record["departure"]
        return found

    def sent(self, limit: int = 998) -> bytes:
        """What the next host gets of it by smtp(8)."""
        lines = [line for field in self.header for line in (field.name + b":" + field.value).split(b"\n")]
        return smtp_model.header(lines, limit) + b"\r\n" + smtp_model.body(self.body.split(b"\r\n")[:-1], limit)

    def unsent(self) -> bytes:
        """The same without any break."""
        return raw_of(self.header, self.body)

    def value(self, name: str) -> bytes:
        """Of the first field of that name."""
        return next(field.value for field in self.header if field.key == name)


def verifies(raw: bytes) -> bool:
    """Has it a signature, and is every one valid, says dkimpy."""
    count = raw.partition(b"\r\n\r\n")[0].lower().count(b"dkim-signature:")
    try:
        verifier = dkim.DKIM(raw)
        return count > 0 and all(
            verifier.verify(at, dnsfunc=lambda name, timeout=5: rsa_record().encode()) for at in range(count)
        )
    except dkim.DKIMException:
        return False


class Host:
    """One configuration, loaded. `now`: the clock, in seconds since the epoch, or None for that of the machine.

    `sender` and `size`: the envelope sender of what `send` is handed, and the octets of a piece of its body.
    """

    sender = "friend@hosted.example"
    size = 65_535

    def __init__(
        self,
        folder: Path,
        settings: str = "",
        rules: str = "",
        *,
        zone: Zone | None = None,
        failing: Collection[str] = (),
        key: bytes | None = None,
        now: float | None = None,
    ) -> None:
        self.gate = Gate.load(configured(folder, settings, rules, key))
        self.asks(zone or {}, failing)
        self.now = now
        if now is not None:
            self.gate.now = lambda: self.now or 0.0
        self.kept = False
        self._records: list[dict[str, Any]] = []
        self._read = 0

    def asks(self, zone: Zone, failing: Collection[str] = ()) -> None:
        """From now on it asks this DNS."""
        self.dns = FakeResolver(zone, failing)
        self.gate.resolver = self.dns  # type: ignore[assignment]

    def passes(self, arrived: Message, body: bytes = BODY, size: int | None = None) -> Outcome:
        """What the MTA is told of a message, whose body comes in pieces. `kept`: the gate wanted the body."""
        passage = self.gate.judge(arrived)
        self.kept = passage.wants_body
        return ended(passage, body, size or self.size)

    def send(self, header: Header, connection: Connection = REINJECTED, body: bytes = BODY, **more: Any) -> Outcome:
        """The same of a header; `more`: what `message` takes."""
        return self.passes(message(header, connection, **{"sender": self.sender, **more}), body)

    def border(self, header: Header, connection: Connection = OUTSIDE, body: bytes = BODY, **more: Any) -> Outcome:
        """What the MTA is told where a border takes it."""
        return self.send(header, connection, body, role="border", **more)

    def leaves(self, arrived: Message, body: bytes = BODY, size: int | None = None) -> Left:
        """What leaves of a message."""
        outcome = self.passes(arrived, body, size)
        return Left(sent(arrived.header, outcome), body, outcome, self.record)

    def records(self) -> list[dict[str, Any]]:
        """Every record so far."""
        if self.gate.journal.file.exists():
            with self.gate.journal.file.open("rb") as journal:
                journal.seek(self._read)
                self._records += map(json.loads, journal)
                self._read = journal.tell()
        return self._records

    @property
    def record(self) -> dict[str, Any]:
        """The last."""
        return self.records()[-1]
