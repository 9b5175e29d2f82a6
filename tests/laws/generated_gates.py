"""Gates in many settings, each with a policy that is proved safe, and a message's way through one, with its records in memory."""

from __future__ import annotations

import functools
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dkimgate import srs
from dkimgate.config.dkimgate_yaml import Config, Forwarder, Outgoing, Passport, Trust, Unalign, Verify
from dkimgate.dkim.keys import signing_key
from dkimgate.facts import Disposition, Outcome
from dkimgate.gate import config_checks
from dkimgate.gate.gate import Gate
from dkimgate.message.message import Message
from dkimgate.passport.secrets import Secret, Secrets
from dkimgate.policy.language import loader
from dkimgate.policy.language.model import Policy
from dkimgate.policy.proof import prove
from tests import smtp_model
from tests.laws.attack_world import (
    NOW,
    ZONE,
)
from tests.laws.generated import EXAMPLES
from tests.laws.generated_policies import mended, policies
from tests.world.host import ended, sent
from tests.world.keys import rsa_key, rsa_record
from tests.world.mail import raw_of

CONFIG = Path(__file__).parents[2] / "config"
SHIPPED = tuple(
    loader.load(file)
    for file in (CONFIG / "policy.yaml", *sorted((CONFIG / "policies").glob("*.yaml")))
    if file.stem != "observe"
)
POLICIES = max(200, EXAMPLES // 10)
"""Each of them is proved before a message is judged by it."""

HERE = "192.0.2.10"
KEYS = [signing_key(name, "gate", rsa_key(2048)) for name in ("hosted.example", "open.example", "forwarder.example")]
DNS: dict[str, dict[str, list[str]]] = {
    **ZONE,
    **{key.name: {"TXT": [key.public_record()]} for key in KEYS},
    # the second door stands open: the SPF of each of them names this host
    "hosted.example": {"TXT": [f"v=spf1 ip4:203.0.113.10 ip4:{HERE} include:shared.example -all"]},
    "pay.hosted.example": {"TXT": [f"v=spf1 ip4:{HERE} -all"]},
    "open.example": {"TXT": [f"v=spf1 ip4:{HERE} ~all"]},
    "partner.example": {"TXT": ["v=spf1 a:mx.forwarder.example ip4:198.51.100.9 -all"]},
    "_dmarc.partner.example": {"TXT": ["v=DMARC1; p=quarantine; adkim=s"]},
    "s._domainkey.partner.example": {"TXT": [rsa_record(1024)]},
    "s._domainkey.open.example": {"TXT": [rsa_record(1024)]},
    "_dmarc.forwarder.example": {"TXT": ["v=DMARC1; p=reject"]},
    "mx.forwarder.example": {"TXT": [f"v=spf1 ip4:{HERE} -all"], "A": [HERE]},
    "bounce.forwarder.example": {"TXT": [f"v=spf1 ip4:{HERE} -all"]},
}

OURS = Trust.model_validate(
    {
        "hosts": ["mx.forwarder.example", "*.mail.forwarder.example"],
        "authserv_ids": ["mx.forwarder.example"],
        "networks": ["127.0.0.0/8", "::1/128", "172.17.0.0/16"],
    }
)
WHOLE = Config(
    trust=OURS,
    forwarder=Forwarder(domain="forwarder.example"),
    passport=Passport(secret_file=Path("-")),
    unalign=Unalign(domain="bounce.forwarder.example", secret_file=Path("-")),
    departure=Outgoing.model_validate({"addresses": [HERE], "helo": "mx.forwarder.example"}),
    verify=Verify(body_limit=100_000),
)
SETTINGS = {
    "whole": WHOLE,
    "always": WHOLE.model_copy(update={"verify": Verify(when="always")}),
    "never": WHOLE.model_copy(update={"verify": Verify(when="never")}),
    "one signature": WHOLE.model_copy(update={"verify": Verify(signatures=1, dmarc="rfc7489")}),
    "small bodies": WHOLE.model_copy(update={"verify": Verify(body_limit=4)}),
    "no unalign": WHOLE.model_copy(update={"unalign": None}),
    "sealers": WHOLE.model_copy(update={"trust": OURS.model_copy(update={"arc_sealers": ("lists.example",)})}),
    "no passports": WHOLE.model_copy(update={"passport": None}),
    # a border listener of ours is in front, so this may be said
    "strips": WHOLE.model_copy(update={"trust": OURS.model_copy(update={"border_strips_forgeries": True})}),
    "never, strips": WHOLE.model_copy(
        update={"verify": Verify(when="never"), "trust": OURS.model_copy(update={"border_strips_forgeries": True})}
    ),
}


@functools.cache
def safe_policy(number: int) -> Policy:
    """The policies that are shipped, and others, each of them mended by what the proof says of it."""
    if number < 10 * len(SHIPPED):
        return SHIPPED[number % len(SHIPPED)]
    policy = policies(random.Random(number))
    return mended(policy, prove(policy))


SECRET = bytes(range(32))
"""Of the borders of ours: what they state is bound to it."""


class Lines:
    """A journal in memory."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> None:
        self.lines.append(line)

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@functools.lru_cache(maxsize=1000)
def gate_of(settings: str, number: int) -> Gate:
    """A gate as the daemon would load it: where configuration and policy don't fit, it would not start, so the whole one is taken."""
    return gate_with(SETTINGS[settings], WHOLE, safe_policy(number))


def gate_with(config: Config, whole: Config, policy: Policy) -> Gate:
    """The same of any configuration."""
    if config_checks.problems(Path("dkimgate.yaml"), config, policy):
        config = whole
    gate = Gate(config, policy, KEYS, Secrets((Secret("2026a", SECRET),)), (), srs.Secrets((b"0123456789abcdefghij",)))
    gate.now = lambda: NOW
    return gate


@dataclass(frozen=True)
class Passed:
    """What became of a message: what the MTA hears, and the records that were written."""

    message: Message
    body: bytes
    outcome: Outcome
    records: list[dict[str, Any]]

    @property
    def record(self) -> dict[str, Any]:
        """The one record: law 5."""
        assert len(self.records) == 1, f"{len(self.records)} records"
        return self.records[0]

    @property
    def leaves(self) -> bool:
        return self.outcome.disposition is Disposition.ACCEPT

    @property
    def made(self) -> list[str]:
        """The DKIM-Signature fields that are added."""
        return [value.decode("ascii") for name, value in self.outcome.fields if name.lower() == "dkim-signature"]

    @property
    def raw(self) -> bytes:
        """The message as it leaves, with CRLF, and with its long lines broken as smtp(8) does."""
        header = raw_of(sent(self.message.header, self.outcome), b"").removesuffix(b"\r\n")
        return _sent(header, smtp_model.header) + b"\r\n" + _sent(self.body, smtp_model.body)

    @property
    def plain(self) -> bool:
        """Every reader agrees about where fields and lines begin and end."""
        header, _, _ = self.raw.partition(b"\r\n\r\n")
        lines = header.split(b"\r\n")
        if re.search(rb"[\r\n]", self.body.replace(b"\r\n", b"")):
            return False
        return all(re.fullmatch(rb"([!-9;-~]+:|[ \t])[^\r\n\0]*[^\r\n\0 \t][^\r\n\0]*", line) for line in lines)


def _sent(text: bytes, by: Callable[[list[bytes]], bytes]) -> bytes:
    lines = text.split(b"\r\n")
    return by(lines[:-1]) if max(map(len, lines)) > 998 and not lines[-1] else text


def passes(gate: Gate, message: Message, body: bytes) -> Passed:
    """The whole way through the gate, as the daemon takes it."""
    journal = Lines()
    gate.journal = journal  # type: ignore[assignment]
    outcome = ended(gate.judge(message), body, (len(body) + 1) // 2 or 1)
    return Passed(message, body, outcome, journal.records())
