"""Messages put together from what stands in headers, ours and strangers' in any order, and a gate whose policy is proved safe."""

from __future__ import annotations

import functools
import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dkim
import spf
from hypothesis import strategies as st

from dkimgate import srs
from dkimgate.config.dkimgate_yaml import Config, Forwarder, Outgoing, Passport, Trust, Unalign, Verify
from dkimgate.dkim.keys import signing_key
from dkimgate.facts import Disposition, Outcome
from dkimgate.gate import config_checks
from dkimgate.gate.gate import Gate
from dkimgate.message.message import Connection, Envelope, HeaderField, Message, split_message
from dkimgate.passport.secrets import Secret, Secrets
from dkimgate.policy.language import loader
from dkimgate.policy.language.model import Policy
from dkimgate.policy.proof import prove
from tests import smtp_model
from tests.arc.sealing import LIST, mail
from tests.laws.attack_fields import FAKE_PASSPORT, OTHERS, RESULTS, ROUTES
from tests.laws.attack_world import (
    AMAVIS,
    AUTHOR,
    BODY,
    BORDER,
    BRIDGE,
    DKIM,
    DMARC,
    LMTP,
    LOGIN,
    MISLED,
    NOW,
    PRINTED,
    QUOTED,
    SECOND_HOST,
    SPF_PASSES,
    STRANGER,
    ZONE,
)
from tests.laws.generated import EXAMPLES
from tests.laws.generated_policies import mended, policies
from tests.world.dns import FakeResolver
from tests.world.keys import Signer, rsa_key, rsa_record
from tests.world.mail import REINJECTED

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
    policy = safe_policy(number)
    config = SETTINGS[settings]
    if config_checks.problems(Path("dkimgate.yaml"), config, policy):
        config = WHOLE
    gate = Gate(config, policy, KEYS, Secrets((Secret("2026a", SECRET),)), (), srs.Secrets((b"0123456789abcdefghij",)))
    gate.now = lambda: NOW
    return gate


# --- what headers are made of

US = "Authentication-Results: mx.forwarder.example; "
ABOVE = [
    DMARC,
    DKIM,
    MISLED,
    PRINTED,
    QUOTED,
    AMAVIS,
    LMTP,
    SECOND_HOST,
    SPF_PASSES,
    US + "dmarc=none header.from=open.example\n",
    US + "dmarc=pass header.from=open.example\n",
    US + "dmarc=pass header.from=partner.example\n",
    US + "dkim=pass header.d=hosted.example header.s=gate; dmarc=pass header.from=hosted.example\n",
    US + "dkim=pass header.d=hosted.example header.s=s; dmarc=pass header.from=hosted.example\n",
    US + "spf=pass smtp.mailfrom=ask@hosted.example; dmarc=pass header.from=hosted.example\n",
    US + "dmarc=temperror header.from=hosted.example\n",
    US + "spf=fail smtp.mailfrom=hosted.example; dkim=fail header.d=hosted.example\n",
    "X-Spam-Status: Yes, score=14.9 required=3.0\n",
    "X-Spam-Status: No, score=2.9 required=3.0\n",
    "Return-Path: <ask@hosted.example>\n",
    "Delivered-To: ask@hosted.example\n",
    "Received: by mx.forwarder.example (Postfix, from userid 1000) id 4711; Sat, 21 Nov 2026 16:20:25 +0000 (UTC)\n",
    "List-Id: <lunch.lists.example>\n",
]
"""What hosts of ours write, and filters behind them."""

OUTSIDE = [BORDER, BORDER, BORDER.replace("192.0.2.66", "203.0.113.10"), BORDER.replace("192.0.2.66", "203.0.113.70")]
BORDERS = [
    *OUTSIDE,
    BORDER.replace("ESMTP", "ESMTPSA"),
    BORDER.replace("192.0.2.66", "127.0.0.1"),
    BRIDGE,
    "Received: from x by mx.elsewhere.example with ESMTP id 1; x\n",
    "",
]

HURTING = [
    "Authentication-Results: anyone.example; dmarc=fail header.from=hosted.example\n",
    "Authentication-Results: (broken; dmarc=fail\n",
    "Authentication-Results: mx.forwarder.example; dmarc=fail\n",
    "Authentication-Results: anyone.example; spf=fail smtp.mailfrom=x@y.example; dkim=fail header.d=hosted.example\n",
    "Received-SPF: fail (anyone.example) client-ip=192.0.2.66\n",
    "ARC-Authentication-Results: i=9; anyone.example; spf=fail; dmarc=fail header.from=hosted.example\n",
    "X-Original-Authentication-Results: anyone.example; dmarc=fail header.from=hosted.example\n",
    "X-Elsewhere-SPF-Result: fail\n",
    "X-Spam-Status: Yes, score=14.9 required=3.0\n",
    "X-Spam-Flag: YES\n",
    "X-Spam-Score: 99\n",
    "X-Spam-Level: ************\n",
    "X-Rspamd-Action: add header\n",
    "X-Forefront-Antispam-Report: CIP:192.0.2.66;SFV:SPM;SCL:9\n",
]
"""Claims of failure and of spam: believed from anyone."""

_ARC_FIELDS = "".join(
    f"{each.name.decode()}:{each.value.decode()}\n"
    for each in mail(AUTHOR.replace(b"\n", b"\r\n") + b"\r\n" + BODY)
    .sealed(LIST, "mx.lists.example; dkim=pass header.d=hosted.example; dmarc=pass header.from=hosted.example")
    .header[:3]
)
HELPING = [
    US + "dmarc=pass header.from=hosted.example\n",
    US
    + "spf=pass smtp.mailfrom=hosted.example; dkim=pass header.d=hosted.example; dmarc=pass header.from=hosted.example\n",
    "Authentication-Results: mx.forwarder.example 1; dmarc=none header.from=hosted.example\n",
    "Authentication-Results: lists.example; dmarc=pass header.from=hosted.example\n",
    "ARC-Authentication-Results: i=1; mx.forwarder.example; dmarc=pass header.from=hosted.example\n",
    "Authentication-Results: mx.forwarder.example; dmarc=permerror\n",
    "Authentication-Results: anyone.example; dmarc=temperror header.from=hosted.example\n",
    "ARC-Seal: i=1; a=rsa-sha256; d=lists.example; s=arc; cv=none; b=AAAA\n",
    "Received-SPF: pass (mx.forwarder.example: domain of hosted.example) client-ip=203.0.113.10\n",
    "X-Spam-Status: No, score=-9.9 required=5.0\n",
    "X-Spam-Flag: NO\n",
    "X-Spamd-Result: default: False [12.00 / 9999.00]\n",
    "X-Spam-Status: No, score=12 required=9999\n",
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=hosted.example; s=gate; h=from; bh=AAAA; b=AAAA\n",
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=hosted.example; s=s; h=from; l=0; bh=AAAA; b=AAAA\n",
    "DKIM-Signature: v=1; a=rsa-sha256; d=attacker.example; s=a; h=from; bh=AAAA; b=AAAA\n",
    FAKE_PASSPORT,
    "@stolen passport",
    *(
        each.fields
        for table in (RESULTS, OTHERS)
        for each in table.values()
        if isinstance(each.fields, str) and 0 < len(each.fields) < 1500 and "Return-Path" not in each.fields
    ),
]
"""What a sender writes to look better than he is. None of it is worth anything."""

TRACES = [
    BORDER,
    BORDER.replace("ESMTP", "ESMTPSA"),
    "Return-Path: <ask@hosted.example>\n",
    "Received: by mx.forwarder.example (Postfix, from userid 0)\n\tid 1; x\n",
    *(each.fields for each in ROUTES.values() if isinstance(each.fields, str) and 0 < len(each.fields) < 1500),
]
ODDITIES = [
    "X-A: b\n",
    "X-A: \xff\xfe\0\x7f\n",
    "X-Odd: a\rFrom: x@attacker.example\n",
    "X-Folds: a\n \n\t\n b\n",
    "Subject: again\n",
    "From : eve@attacker.example\n",
    "From: eve@attacker.example\n",
    "Sender: eve@attacker.example\n",
    "Message-ID: odd\n",
    "Content-Type: text/plain\n",
    ":\n",
]
GENUINE = ["@hosted", "@open", "@partner", "@attacker", "@gate", "@own open", _ARC_FIELDS]
"""Signatures that are valid where nobody changes what they cover."""

SIGNERS = {
    "@hosted": Signer(),
    "@gate": Signer("gate"),
    "@own open": Signer("gate", "open.example"),
    "@open": Signer(domain="open.example", bits=1024),
    "@partner": Signer(domain="partner.example", bits=1024),
    "@attacker": Signer("a", "attacker.example", bits=1024),
}

_USUAL = AUTHOR.decode()
HOSTED_AUTHORS = [
    _USUAL,
    _USUAL.replace("ask@hosted", "ask@pay.hosted"),
    _USUAL.replace("ask@hosted.example", "ASK@Hosted.Example."),
]
AUTHORS = [
    *HOSTED_AUTHORS,
    _USUAL,
    _USUAL.replace("hosted.example", "open.example"),
    _USUAL.replace("hosted.example", "partner.example"),
    _USUAL.replace("hosted.example", "attacker.example"),
    _USUAL.replace("ask@hosted.example", "x@forwarder.example"),
    _USUAL.replace("<ask@hosted.example>", "<ask@hosted.example>, x@attacker.example"),
    _USUAL.replace("Message-ID: <4711@hosted.example>\n", ""),
    "Subject: nobody\n",
    _USUAL + "Comments: long\nReferences: " + "<4711@hosted.example> " * 60 + "\n",
    _USUAL + "In-Reply-To: <" + "r" * 1200 + "@hosted.example>\n",
]
SENDERS = [
    "friend@hosted.example",
    "ask@pay.hosted.example",
    "list-bounces@open.example",
    "ann@partner.example",
    "eve@attacker.example",
    "",
    '"odd one"@hosted.example',
    "SRS0=abcd=TT=elsewhere.example=x@bounce.forwarder.example",
    "x@bounce.forwarder.example",
    "f\xf6rn@hosted.example",
    "root",
]
FAILING = [
    "hosted.example",
    "_dmarc.hosted.example",
    "s._domainkey.hosted.example",
    "shared.example",
    "partner.example",
    "_dmarc.open.example",
]


@dataclass(frozen=True)
class Drawn:
    """A message and the gate it comes to. `scrambled` by that number: ours and strangers' fields in any order; 0: as they would stand."""

    above: list[str]
    border: str
    below: list[str]
    author: str
    end: list[str]
    client: Connection
    sender: str
    settings: str
    policy: int
    failing: list[str] = field(default_factory=list)
    body: bytes = BODY
    scrambled: int = 0
    borders: bool = False
    problem: str | None = None

    @property
    def gate(self) -> Gate:
        return self.gate_with(self.policy)

    def gate_with(self, policy: int) -> Gate:
        gate = gate_of(self.settings, policy)
        gate.resolver = FakeResolver(DNS, frozenset(self.failing))  # type: ignore[assignment]
        return gate

    @functools.cached_property
    def message(self) -> Message:
        return Message(
            self.client, Envelope(self.sender, ("victim@receiver.example",)), self.header, "4F2B", self.problem
        )

    @property
    def header(self) -> tuple[HeaderField, ...]:
        """As the gate sees it: what came by a border of ours, the border has changed."""
        if self.scrambled:
            parts = [*self.above, self.border, *self.below, self.author, *self.end]
            random.Random(self.scrambled).shuffle(parts)
            return fields_of(parts)
        sent = fields_of([*self.below, self.author, *self.end])
        if self.borders:
            sent = self._through_the_border(sent)
        return (*fields_of([*self.above, self.border]), *sent)

    def _through_the_border(self, sent: tuple[HeaderField, ...]) -> tuple[HeaderField, ...]:
        message = Message(STRANGER, Envelope(self.sender, ("victim@receiver.example",)), sent, "4F2A", None, "border")
        outcome = passes(self.gate_with(self.policy % len(SHIPPED)), message, self.body).outcome
        kept = tuple(each for at, each in enumerate(sent) if at not in outcome.remove)
        return (*(HeaderField(name.encode(), b" " + value) for name, value in outcome.fields), *kept)


def fields_of(parts: Sequence[str]) -> tuple[HeaderField, ...]:
    """The parts from the top down; those that begin with @ are made for what stands below them."""
    found: tuple[HeaderField, ...] = ()
    for part in reversed(parts):
        if part in SIGNERS:
            crlf = b"".join(each.name + b":" + each.value.replace(b"\n", b"\r\n") + b"\r\n" for each in found)
            octets = SIGNERS[part].sign(crlf, BODY).replace(b"\r\n", b"\n")
        else:
            octets = (stolen_passport() if part == "@stolen passport" else part).encode("latin-1", "replace")
        found = (*split_message(b"X-First: \n" + octets + b"\n")[0][1:], *found)
    return found


@functools.cache
def stolen_passport() -> str:
    """What a border of ours has stated of another message, a genuine one."""
    letter = _USUAL.replace("Your account has been recorded", "Lunch")
    message = Message(
        STRANGER, Envelope("ask@hosted.example", ()), fields_of(["@hosted", letter]), "4F29", None, "border"
    )
    gate = gate_of("whole", 0)
    gate.resolver = FakeResolver(DNS)  # type: ignore[assignment]
    outcome = passes(gate, message, BODY).outcome
    return "".join(f"{name}: {value.decode()}\n" for name, value in outcome.fields if "Passport" in name)


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
        changed = dict(self.outcome.changed)
        kept = [
            HeaderField(each.name, changed.get(at, each.value))
            for at, each in enumerate(self.message.header)
            if at not in self.outcome.remove
        ]
        added = [HeaderField(name.encode("ascii"), b" " + value.lstrip()) for name, value in self.outcome.fields]
        header = b"".join(each.name + b":" + each.value.replace(b"\n", b"\r\n") + b"\r\n" for each in (*added, *kept))
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
    passage = gate.judge(message)
    half = len(body) // 2
    passage.body(body[:half])
    passage.body(body[half:])
    return Passed(message, body, passage.end(), journal.records())


# --- what others say of what leaves: dkimpy, pyspf, and alignment in a world where every domain has two labels


def organization(domain: str) -> str:
    return ".".join(domain.lower().rstrip(".").split(".")[-2:])


def signers(passed: Passed) -> list[str]:
    """The domains of the added signatures, by their tags."""
    return [found[1] for value in passed.made if (found := re.search(r"\bd=([^;\s]+)", value))]


def verified(passed: Passed) -> list[str]:
    """The domains of the added signatures that dkimpy verifies on the message as it leaves."""
    dkim_fields = [name.lower() == "dkim-signature" for name, _ in passed.outcome.fields]
    found = []
    for at in range(sum(dkim_fields)):
        try:
            checked = dkim.DKIM(passed.raw)
            if checked.verify(idx=at, dnsfunc=dkim_dns):
                found.append(checked.domain.decode())
        except Exception:  # noqa: BLE001 - what dkimpy can't read, it does not verify
            continue
    return found


def dkim_dns(name: bytes, timeout: int = 5) -> bytes | None:
    texts = DNS.get(name.decode().rstrip("."), {}).get("TXT", [])
    return texts[0].encode() if texts else None


class _Spf(spf.query):  # type: ignore[misc]
    """pyspf with the zone for DNS, and nothing of the gate's."""

    def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[object]:
        values = DNS.get(name.lower().rstrip("."), {}).get(qtype, [])
        return [(value.encode(),) for value in values] if qtype == "TXT" else list(values)


def spf_domain(passed: Passed) -> str | None:
    """The domain for which SPF passes at the next hop, with the sender that leaves; None where it does not pass."""
    sender = passed.outcome.sender if passed.outcome.sender is not None else passed.message.envelope.sender
    domain = sender.rpartition("@")[2] if "@" in sender else "" if sender else "mx.forwarder.example"
    if not domain or not domain.isascii():
        return None
    return _spf(HERE, sender, domain, "mx.forwarder.example")


def spf_passes(ip: str, sender: str, helo: str) -> str | None:
    """The domain for which SPF passes of that session; None where it does not pass."""
    domain = sender.rpartition("@")[2] if sender else helo
    return _spf(ip, sender, domain, helo) if "." in domain and re.fullmatch(r"[A-Za-z0-9.-]+", domain) else None


def _spf(ip: str, sender: str, domain: str, helo: str) -> str | None:
    query = _Spf(i=ip, s=sender or f"postmaster@{domain}", h=helo)
    query.o = query.d = domain
    return domain if query.check()[0] == "pass" else None


_STRANGERS = [*HELPING, *(HURTING * 3), *TRACES, *(ODDITIES * 2), *(GENUINE * 8)]

numbers = st.integers(0, POLICIES - 1)
messages = st.builds(
    Drawn,
    above=st.lists(st.sampled_from(ABOVE), max_size=4),
    border=st.sampled_from(BORDERS),
    below=st.lists(st.sampled_from(GENUINE), max_size=2) | st.lists(st.sampled_from(_STRANGERS), max_size=5),
    author=st.sampled_from(AUTHORS),
    end=st.lists(st.sampled_from([*HURTING, *ABOVE, *ODDITIES]), max_size=1),
    client=st.sampled_from([REINJECTED, REINJECTED, REINJECTED, STRANGER, STRANGER, LOGIN, Connection()]),
    sender=st.sampled_from(SENDERS),
    settings=st.sampled_from(sorted(SETTINGS)),
    policy=numbers,
    failing=st.sampled_from([*[[]] * 8, FAILING, *([each] for each in FAILING)]),
    body=st.sampled_from([BODY, BODY, BODY, b"", b"Something else.\r\n", b"a\n\rb\r" * 20, b"x" * 3000 + b"\r\n"]),
    scrambled=st.sampled_from([*[0] * 40, *range(1, 11)]),
    borders=st.booleans(),
    problem=st.sampled_from([None] * 15 + ["the header has more than 5000 fields"]),
)
"""Whatever comes: good, bad and impossible."""

_SETTINGS_OPEN = sorted(name for name in SETTINGS if "strips" not in name)
_ALL_VERIFIED = [name for name in _SETTINGS_OPEN if name != "one signature"]
entered = st.builds(
    lambda drawn, border, settings: replace(drawn, scrambled=0, settings=settings, border=border),
    messages,
    st.sampled_from(OUTSIDE),
    st.sampled_from(_ALL_VERIFIED),
)
"""What has entered by a border of ours, and stands there in its order; no signature is one too many to be verified."""

_WAYS = st.sampled_from(
    [
        ([DMARC, DKIM], BORDER, REINJECTED, False),
        ([DKIM], BORDER, REINJECTED, False),
        ([], BORDER, REINJECTED, False),
        ([], BORDER, REINJECTED, True),
        ([AMAVIS, DMARC], BORDER, REINJECTED, False),
        ([SECOND_HOST], BORDER, REINJECTED, True),
        ([DMARC], BORDER, LOGIN, False),
        # anybody may stand behind the bridge, and our own verifiers asked SPF about its address, or about one of ours
        ([MISLED, SPF_PASSES], BRIDGE, REINJECTED, False),
        ([MISLED, SPF_PASSES, SECOND_HOST], BRIDGE, REINJECTED, False),
        # Received fields removed: were DMARC not stated either, a border that the sender invented would be taken for ours
        ([DMARC], "", REINJECTED, False),
        ([], "", STRANGER, False),
        ([DMARC], "", STRANGER, False),
    ]
)


@st.composite
def forgeries(draw: st.DrawFn) -> Drawn:
    """A stranger's message in the name of a domain that is hosted here and has a DMARC record, whatever else he wrote; and what honest hosts
    of ours put above it. Nothing about it is genuine."""
    above, border, client, borders = draw(_WAYS)
    pool = [*HELPING, *HELPING, *TRACES, *HURTING, "X-A: b\n", "@attacker"]
    return Drawn(
        list(above),
        border,
        draw(st.lists(st.sampled_from(pool), max_size=5)),
        draw(st.sampled_from(HOSTED_AUTHORS)),
        draw(st.lists(st.sampled_from([*HURTING, *HELPING]), max_size=1)),
        client,
        draw(st.sampled_from(SENDERS)),
        draw(st.sampled_from(sorted(SETTINGS) if borders else _SETTINGS_OPEN)),
        draw(numbers),
        draw(st.sampled_from([*[[]] * 8, FAILING, *([each] for each in FAILING)])),
        borders=borders,
    )


def with_below(drawn: Drawn, extra: Sequence[str], at: int) -> Drawn:
    """The message with more of what its sender could write."""
    at = min(at, len(drawn.below))
    return replace(drawn, below=[*drawn.below[:at], *extra, *drawn.below[at:]])
