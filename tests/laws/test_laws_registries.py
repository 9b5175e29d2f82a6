"""Law 1 below a registry that publishes a DMARC policy: OpenDMARC, which reads a list of public suffixes, says `dmarc=none` there and is right by
RFC 7489. A receiver that goes by RFC 9989 makes one organization of all below the registry, and then everything that leaves us in a name
of one of us there is aligned with everybody there.

The judge of these tests is an evaluation of RFC 9989 of their own, and dkimpy.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import dkim
import pytest

from dkimgate.facts import Disposition, Outcome, Sign
from dkimgate.gate.key_ring import KeyRing
from dkimgate.message.message import Connection
from dkimgate.policy.language.model import Rule
from tests.laws.attack_world import BORDER, HOSTED_KEY, STRANGER, ZONE
from tests.laws.test_laws_second_door import FORWARDERS, OURS, Door
from tests.world.keys import Signer, rsa_record
from tests.world.mail import REINJECTED

Zone = dict[str, dict[str, list[str]]]
BODY = b"Pay me.\r\n"

REGISTRIES: dict[str, Zone] = {
    "none": {},
    "of the registry": {"_dmarc.gov.uk": {"TXT": ["v=DMARC1; p=reject"]}},
    "of the suffix above it": {"_dmarc.uk": {"TXT": ["v=DMARC1; p=none"]}},
    "of one that says what it is": {"_dmarc.gov.uk": {"TXT": ["v=DMARC1; p=reject; psd=y"]}},
}
PUBLISHED: Zone = {
    "victim.gov.uk": {"TXT": ["v=spf1 -all"]},
    "s._domainkey.victim.gov.uk": {"TXT": [rsa_record(HOSTED_KEY)]},
    "council.gov.uk": {"TXT": [OURS]},
    "forwarder.gov.uk": {"TXT": [OURS]},
    "bounce.forwarder.gov.uk": {"TXT": [OURS]},
    "customer.gov.uk": {"TXT": ["v=spf1 -all"]},
    **{f"a._domainkey.{name}": {"TXT": [rsa_record(HOSTED_KEY)]} for name in ("forwarder.gov.uk", "customer.gov.uk")},
}

SIGNING = Rule("forwarded", sign=Sign.FORWARDER)
LEAVES: dict[str, dict[str, Any]] = {
    "with the forwarder's signature": {"rule": SIGNING},
    "with the sender of a customer": {"sender": "friend@council.gov.uk"},
    "with a null sender, by the name in EHLO": {"sender": "", "helo": "council.gov.uk"},
    "with a rewritten sender": {"sender": "friend@council.gov.uk", "unalign": "bounce.forwarder.gov.uk"},
    "with a signature of its own domain": {"author": "customer.gov.uk", "rule": Rule("ours", sign=Sign.AUTHOR)},
}
"""All that may pass at the next receiver behind us: what carries a name of ours, or of a customer whose SPF record lists us."""

STATED = {
    "nothing": "",
    "none": "Authentication-Results: mx.forwarder.example; dmarc=none (p=none dis=none) header.from={}\n",
    "none of no domain": "Authentication-Results: mx.forwarder.example; dmarc=none\n",
    "best guess": "Authentication-Results: mx.forwarder.example; dmarc=bestguesspass header.from={}\n",
    "a pass that rests on nothing": "Authentication-Results: mx.forwarder.example; dmarc=pass (p=reject dis=none) header.from={}\n",
}
CHECKS = [("missing", "both"), ("missing", "rfc7489")]
WAYS: dict[str, tuple[Connection, str, bool]] = {
    "pipe alias": (REINJECTED, BORDER, False),
    "virtual alias": (STRANGER, "", True),
}


def passes(zone: Zone, author: str, names: list[str]) -> bool:
    """RFC 9989 section 5.3, relaxed: does DMARC pass where these domains were authenticated?"""

    def record(name: str) -> str | None:
        found = [text for text in zone.get(f"_dmarc.{name}", {}).get("TXT", []) if text.startswith("v=DMARC1")]
        return found[0] if len(found) == 1 else None

    def organization(domain: str) -> str:
        labels = domain.split(".")
        ways = [".".join(labels[at:]) for at in range(len(labels))]
        found = [name for name in ways if record(name)]
        for name in found:
            if "psd=n" in (record(name) or ""):
                return name
            if "psd=y" in (record(name) or "") and name != domain:
                return ways[ways.index(name) - 1]
        return found[-1] if found else domain

    if not any(record(".".join(author.split(".")[at:])) for at in range(author.count(".") + 1)):
        return False
    return any(organization(name) == organization(author) for name in names)


class Registry:
    """A forwarder below a registry."""

    def __init__(self, folder: Path) -> None:
        self.door = Door(folder)
        self.gate = self.door.gate
        self.plain = (self.gate.config, self.gate.policy, self.gate.way_out)

    def wired(self, leaves: dict[str, Any], registry: str, checks: tuple[str, str], strips: bool) -> Zone:
        gate = self.gate
        config, policy, way = self.plain
        unalign, forwarder = config.unalign, config.forwarder
        assert unalign is not None
        assert forwarder is not None
        gate.config = config.model_copy(
            update={
                "unalign": unalign.model_copy(update={"domain": leaves.get("unalign", unalign.domain)}),
                "forwarder": forwarder.model_copy(update={"domain": "forwarder.gov.uk"}),
                "verify": config.verify.model_copy(update={"when": checks[0], "dmarc": checks[1]}),
                "trust": config.trust.model_copy(update={"border_strips_forgeries": strips}),
            }
        )
        (key,) = gate.ring.all()[:1]
        gate.ring = KeyRing.of_keys([replace(key, domain=name) for name in ("forwarder.gov.uk", "customer.gov.uk")])
        gate.policy = replace(policy, rules=policy.rules[:1], default=leaves["rule"]) if "rule" in leaves else policy
        gate.way_out = replace(way, helos=(leaves.get("helo", "mx.forwarder.example"),))
        zone = ZONE | FORWARDERS | PUBLISHED | REGISTRIES[registry]
        self.door.asks(zone)
        return zone


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(tmp_path_factory.mktemp("registry"))


def letter(author: str) -> bytes:
    return (
        f"From: Ann <ann@{author}>\nTo: victim@receiver.example\nSubject: Lunch\n"
        f"Date: Sat, 21 Nov 2026 16:20:20 +0000\nMessage-ID: <1@{author}>\n"
    ).encode()


def speak(zone: Zone, header: bytes, outcome: Outcome, sender: str, helo: str) -> list[str]:
    """The domains that the next receiver finds authenticated: signatures that dkimpy verifies, and SPF of our address."""
    ours = b"".join(name.encode() + b": " + value.replace(b"\r\n", b"\n") + b"\n" for name, value in outcome.fields)
    raw = (ours + header).replace(b"\n", b"\r\n") + b"\r\n" + BODY

    def ask(name: bytes, timeout: int = 5) -> bytes | None:
        found = zone.get(name.decode().rstrip("."), {}).get("TXT")
        return found[0].encode() if found else None

    count = sum(line.lower().startswith(b"dkim-signature:") for line in raw.split(b"\r\n"))
    verifiers = [(at, dkim.DKIM(raw)) for at in range(count)]
    signed = [each.domain.decode() for at, each in verifiers if each.verify(idx=at, dnsfunc=ask)]
    left = outcome.sender if outcome.sender is not None else sender
    domain = left.rpartition("@")[2] or helo
    return signed + [domain] * (zone.get(domain, {}).get("TXT") == [OURS])


CASES = [
    (leaves, stated, way, checks)
    for leaves, stated, way, checks in itertools.product(LEAVES, STATED, WAYS, CHECKS)
    if checks[1] == "both" or "pass that" not in stated
]


@pytest.mark.parametrize("registry", REGISTRIES)
@pytest.mark.parametrize(("leaves", "stated", "way", "checks"), CASES)
def test_law_1_no_registry_makes_a_forgery_pass_behind_us(
    leaves: str, stated: str, way: str, checks: tuple[str, str], registry: str, below: Registry
) -> None:
    """Nothing of the forgery was authenticated for its author domain, so whatever passes at the next receiver is of our making."""
    case = LEAVES[leaves]
    author, sender = case.get("author", "victim.gov.uk"), case.get("sender", "eve@attacker.example")
    client, border, strips = WAYS[way]
    zone = below.wired(case, registry, checks, strips)
    header = (STATED[stated].format(author) + border).encode() + letter(author)
    outcome, record = below.door.goes(header, sender, client)
    if outcome.disposition is Disposition.ACCEPT:
        found = speak(zone, header, outcome, sender, below.gate.way_out.helos[0])
        assert not passes(zone, author, found), (found, record["arrival"]["dmarc"], record["departure"])


@pytest.mark.parametrize("registry", REGISTRIES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stated", ["nothing", "none"])
def test_honest_mail_of_a_domain_without_a_record_is_still_signed(
    stated: str, way: str, registry: str, below: Registry
) -> None:
    """The forwarder signs what he forwards of it, unless a receiver may take that for the author's signature."""
    client, border, strips = WAYS[way]
    below.wired({"rule": SIGNING}, registry, CHECKS[0], strips)
    fields = letter("victim.gov.uk")
    signature = Signer(domain="victim.gov.uk", names=("from", "to", "subject", "date")).sign(
        fields.replace(b"\n", b"\r\n"), BODY
    )
    header = (STATED[stated].format("victim.gov.uk") + border).encode() + signature.replace(b"\r\n", b"\n") + fields
    outcome, record = below.door.goes(header, "ann@victim.gov.uk", client)
    assert record["arrival"]["dmarc"] in ("none", "pass")
    assert outcome.disposition is Disposition.ACCEPT
    signed = [value for name, value in outcome.fields if name == "DKIM-Signature"]
    one = registry in ("of the registry", "of the suffix above it")
    assert signed or one
