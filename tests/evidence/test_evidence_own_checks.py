"""SPF, DKIM and DMARC checked here, one after the other, and what the claims come to as an arrival."""

from __future__ import annotations

import pytest

from dkimgate.dkim.verify import check_signatures
from dkimgate.dmarc.evaluate import check_dmarc, prepare
from dkimgate.evidence import result_claims
from dkimgate.evidence.claims import arrival_of
from dkimgate.evidence.route import route_of
from dkimgate.facts import Arrival, Spam
from dkimgate.message.author import author_of
from dkimgate.message.message import Connection, split_message
from dkimgate.spf.check import check_spf
from tests.world.dns import FakeResolver
from tests.world.keys import BODY, DOMAIN, HEADER, NOW, Signer, zone
from tests.world.mail import REINJECTED, TRUST, forms, message

BORDER = b"Received: from c.example (c.example [%s]) by mx.forwarder.example (Postfix) with ESMTP id 4F2A; Sat, 21 Nov 2026 16:20:25 +0000\r\n"
LISTED, STRANGER = "192.0.2.10", "198.51.100.66"
ZONE = {
    **zone(),
    f"_dmarc.{DOMAIN}": {"TXT": ["v=DMARC1; p=reject"]},
    DOMAIN: {"TXT": [f"v=spf1 ip4:{LISTED} -all"]},
    "evil.example": {"TXT": ["v=spf1 +all"]},
    "s._domainkey.evil.example": zone()[f"s._domainkey.{DOMAIN}"],
}


def arrive(raw: bytes, ip: str, sender: str, failing: str = "", reinjected: bool = False) -> Arrival:
    header, body = split_message((BORDER % ip.encode() if reinjected else b"") + raw)
    mail = message(header, REINJECTED if reinjected else Connection(ip=ip, helo="c.example"), sender)
    route = route_of(mail, TRUST)
    author = author_of(mail.header).domain
    lookup = FakeResolver(ZONE, frozenset({failing})).lookup()
    prepare(author or "", lookup)
    spf = None if reinjected else check_spf(ip, "c.example", sender, lookup)
    above = route.border_hop.position + 1 if route.border_hop else 0
    signatures = check_signatures(mail.header, forms(body), author, lookup, NOW, above)
    dmarc = check_dmarc(author, spf, signatures, lookup)
    claims = [result_claims.of_spf(spf)] if spf else []
    claims += [result_claims.of_signature(signature) for signature in signatures]
    claims += [claim] if (claim := result_claims.of_dmarc(dmarc)) else []
    return arrival_of(claims, author, route.outside, TRUST, Spam())[0]


PLAIN = HEADER + b"\r\n" + BODY
SIGNED = Signer().sign() + PLAIN
EVIL = Signer(domain="evil.example").sign() + PLAIN
TWO = HEADER + b"From: eve@evil.example\r\n\r\n" + BODY
CASES = {
    "signed": (SIGNED, STRANGER, "a@evil.example", False, "pass", "pass", True),
    "sent from a listed address": (PLAIN, LISTED, f"ann@{DOMAIN}", False, "pass", "none", True),
    "forged": (PLAIN, STRANGER, f"ann@{DOMAIN}", False, "fail", "none", False),
    "forged, signed by the forger": (EVIL, STRANGER, "a@evil.example", False, "fail", "pass", False),
    "listed address, another's sender": (PLAIN, LISTED, "a@evil.example", False, "fail", "none", False),
    "changed": (SIGNED + b"Pay here.\r\n", STRANGER, "a@evil.example", False, "fail", "fail", False),
    "two authors": (Signer().sign() + TWO, LISTED, f"ann@{DOMAIN}", False, "permerror", "permerror", False),
    "signed, re-injected": (SIGNED, STRANGER, "alias@forwarder.example", True, "pass", "pass", True),
    "forged, re-injected as a user of ours": (PLAIN, LISTED, f"user@{DOMAIN}", True, "unknown", "none", False),
    "forged, re-injected, Return-Path of the forger": (
        f"Return-Path: <ann@{DOMAIN}>\r\n".encode() + PLAIN,
        LISTED,
        f"user@{DOMAIN}",
        True,
        "unknown",
        "none",
        False,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_message_comes_to(case: str) -> None:
    raw, ip, sender, reinjected, dmarc, dkim, aligned = CASES[case]
    arrival = arrive(raw, ip, sender, reinjected=reinjected)
    assert (arrival.dmarc, arrival.dkim, arrival.aligned) == (dmarc, dkim, aligned)


@pytest.mark.parametrize("failing", [f"_dmarc.{DOMAIN}", f"s._domainkey.{DOMAIN}"])
def test_no_pass_without_dns(failing: str) -> None:
    assert arrive(SIGNED, STRANGER, "a@evil.example", failing).dmarc == "temperror"


def test_no_spf_pass_without_dns() -> None:
    assert arrive(PLAIN, LISTED, f"ann@{DOMAIN}", DOMAIN).dmarc == "temperror"
