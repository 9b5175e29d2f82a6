"""Law 1: a mail host (MX) of a domain of ours passes on what strangers write. SPF lists it, and that says nothing of the author."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkimgate.message.message import Connection
from tests.laws.attack_world import HOSTED_KEY, ZONE, Forwarder, Wiring, aligned
from tests.world.keys import Signer
from tests.world.mail import REINJECTED, fields

BACKUP, PROVIDER = "198.51.100.50", "198.51.100.60"
MX = {"mx2.backup.example": {"A": [BACKUP], "AAAA": ["2001:db8::50"]}}
BOTH = ["10 mx.forwarder.example", "20 mx2.backup.example"]
HOSTS = {
    "named by mx": {"hosted.example": {"TXT": [f"v=spf1 mx ip4:{PROVIDER} -all"], "MX": BOTH}},
    "named by its address": {"hosted.example": {"TXT": [f"v=spf1 ip4:{BACKUP} ip4:{PROVIDER} -all"], "MX": BOTH}},
    "of a domain without MX": {"hosted.example": {"TXT": [f"v=spf1 a ip4:{PROVIDER} -all"], "A": [BACKUP]}},
    "of the sender's domain": {
        "hosted.example": {"TXT": ["v=spf1 -all"]},
        "mail.hosted.example": {"TXT": [f"v=spf1 mx ip4:{PROVIDER} -all"], "MX": BOTH},
    },
    "of the key's domain": {
        "hosted.example": {"TXT": ["v=spf1 -all"], "MX": BOTH},
        "www.hosted.example": {"TXT": [f"v=spf1 mx:hosted.example ip4:{PROVIDER} -all"]},
    },
}
SENDERS = {"of the sender's domain": "ceo@mail.hosted.example", "of the key's domain": "ceo@www.hosted.example"}
AUTHORS = {"of the key's domain": "ceo@www.hosted.example"}
RECORD = {"_dmarc.hosted.example": {"TXT": ["v=DMARC1; p=reject"]}}
LETTER = (
    "From: CEO <{}>\nTo: ask@hosted.example\nSubject: pay\nDate: Sat, 21 Nov 2026 16:20:20 +0000\nMessage-ID: <1@h>\n"
)
SAID = "Authentication-Results: mx.forwarder.example; spf=pass smtp.mailfrom={}\n"
BY = "Received: from {0} ({0} [{1}])\n\tby mx.forwarder.example (Postfix) with ESMTP id 4F2A; x\n"


def passed_on(
    folder: Path, hosts: str, ip: str, wiring: str, signed: bool = False, failing: frozenset[str] = frozenset()
) -> list[str]:
    forwarder = Forwarder(folder / "gate", Wiring(""), "shipped")
    forwarder.asks({**ZONE, **RECORD, **MX, **HOSTS[hosts]}, failing)
    sender = SENDERS.get(hosts, "ceo@hosted.example")
    author = AUTHORS.get(hosts, "ceo@hosted.example")
    octets = LETTER.format(author).replace("\n", "\r\n").encode()
    if signed:
        octets = Signer(bits=HOSTED_KEY).sign(octets, b"Pay me.\r\n") + octets
    header = fields(octets)
    client = Connection(ip=ip, name="mx2.backup.example", helo="mx2.backup.example")
    if wiring == "behind an alias":
        header = (*fields(SAID.format(sender) + BY.format("mx2.backup.example", ip)), *header)
        client = REINJECTED
    return aligned(forwarder.send(header, client, b"Pay me.\r\n", sender=sender))


@pytest.mark.parametrize("wiring", ["in the session", "behind an alias"])
@pytest.mark.parametrize("hosts", HOSTS)
def test_law_1_what_a_mail_host_of_ours_passes_on_has_no_pass_by_spf(hosts: str, wiring: str, tmp_path: Path) -> None:
    assert passed_on(tmp_path, hosts, BACKUP, wiring) == []


def test_law_1_nor_has_it_at_a_border_that_holds_no_keys(tmp_path: Path) -> None:
    """What it knows of ours is whom the message is to."""
    forwarder = Forwarder(tmp_path / "gate", Wiring("", borders=True), "shipped")
    forwarder.gate.config = forwarder.gate.config.model_copy(update={"keys": ()})
    for ip, result in ((BACKUP, b"fail"), (PROVIDER, b"pass")):
        forwarder.asks({**ZONE, **RECORD, **MX, **HOSTS["named by mx"]})
        header, ceo = LETTER.format("ceo@hosted.example"), "ceo@hosted.example"
        client = Connection(ip=ip, name="mx2.backup.example", helo="mx2.backup.example")
        stated = forwarder.border(header, client, sender=ceo, recipients=("ask@hosted.example",)).fields
        assert b"dmarc=" + result in stated[0][1] and b"dmarc=" + result in stated[1][1]


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize("hosts", HOSTS)
def test_who_only_sends_for_the_domain_has_one_in_the_session(hosts: str, tmp_path: Path) -> None:
    assert len(passed_on(made(tmp_path / "in"), hosts, PROVIDER, "in the session")) == 1
    assert passed_on(made(tmp_path / "behind"), hosts, PROVIDER, "behind an alias") == [], "there the address is a text"


@pytest.mark.parametrize("wiring", ["in the session", "behind an alias"])
def test_a_signature_of_the_domain_passes_by_every_host(wiring: str, tmp_path: Path) -> None:
    assert len(passed_on(tmp_path, "named by mx", BACKUP, wiring, signed=True)) == 1


def test_where_the_mail_hosts_are_not_told_nobody_has(tmp_path: Path) -> None:
    hosts = "named by its address"
    assert passed_on(tmp_path, hosts, PROVIDER, "in the session", failing=frozenset({"mx2.backup.example"})) == []
