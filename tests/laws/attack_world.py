"""A forwarder under attack: its own hosts, its DNS, and the ways by which a forged message may come to its gate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dkimgate.facts import Disposition, Outcome
from dkimgate.message.message import Connection, Message
from tests.arc.sealing import ZONE as ARC_ZONE
from tests.world import mail
from tests.world.host import SIGNS_EVERYTHING, Host, policy, sent
from tests.world.keys import ed25519_record, pem, rsa_record
from tests.world.mail import REINJECTED, fields

NOW = 1_790_000_000.0
POLICIES = ("shipped", "careless")

HOSTED_KEY, ATTACKERS_KEY = 2048, 1024
ZONE: dict[str, dict[str, list[str]]] = {
    **ARC_ZONE,
    "hosted.example": {"TXT": ["v=spf1 ip4:203.0.113.10/31 include:shared.example -all"], "A": ["203.0.113.10"]},
    "_dmarc.hosted.example": {"TXT": ["v=DMARC1; p=reject"]},
    "s._domainkey.hosted.example": {"TXT": [rsa_record(HOSTED_KEY)]},
    "e._domainkey.hosted.example": {"TXT": [ed25519_record()]},
    "revoked._domainkey.hosted.example": {"TXT": ["v=DKIM1; p="]},
    "testing._domainkey.hosted.example": {"TXT": [rsa_record(HOSTED_KEY) + "; t=y"]},
    "strict._domainkey.hosted.example": {"TXT": [rsa_record(HOSTED_KEY) + "; t=s"]},
    "web._domainkey.hosted.example": {"TXT": [rsa_record(HOSTED_KEY) + "; s=tlsrpt"]},
    "sha1._domainkey.hosted.example": {"TXT": [rsa_record(HOSTED_KEY) + "; h=sha1"]},
    "twice._domainkey.hosted.example": {"TXT": [rsa_record(HOSTED_KEY), rsa_record(ATTACKERS_KEY)]},
    "shared.example": {"TXT": ["v=spf1 ip4:203.0.113.64/27 -all"]},
    "attacker.example": {"TXT": ["v=spf1 +all"], "A": ["192.0.2.66"]},
    "_dmarc.attacker.example": {"TXT": ["v=DMARC1; p=none"]},
    "a._domainkey.attacker.example": {"TXT": [rsa_record(ATTACKERS_KEY)]},
    "hosted.example.attacker.example": {"TXT": ["v=spf1 +all"]},
    "a._domainkey.hosted.example.attacker.example": {"TXT": [rsa_record(ATTACKERS_KEY)]},
    "xhosted.example": {"TXT": ["v=spf1 +all"]},
    "a._domainkey.xhosted.example": {"TXT": [rsa_record(ATTACKERS_KEY)]},
    "a._domainkey.example": {"TXT": [rsa_record(ATTACKERS_KEY)]},
}
"""What anybody may ask; attacker.example, hosted.example.attacker.example and xhosted.example are the attacker's own."""

STRANGER = Connection(ip="192.0.2.66", name="c.attacker.example", helo="c.attacker.example")
LOGIN = Connection(ip="203.0.113.5", name="home.example", helo="laptop", auth="ask")

BORDER = mail.BORDER.replace("client.attacker", "c.attacker")
BRIDGE = BORDER.replace("c.attacker.example [192.0.2.66]", "gateway [172.17.0.1]")
THEIR_BORDER = BORDER.replace("mx.forwarder", "mail.customer")
BY_LOGIN = (
    "Received: from mail.customer.example (mail.customer.example [203.0.113.5])\n\t(Authenticated sender: ask)\n"
    "\tby mx.forwarder.example (Postfix) with ESMTPSA id 4F2A; x\n"
)
DMARC = "Authentication-Results: mx.forwarder.example; dmarc=fail (p=reject dis=none) header.from=hosted.example\n"
DKIM = "Authentication-Results: mx.forwarder.example; dkim=none\n"
AMAVIS = "Received: from mx.forwarder.example ([127.0.0.1])\n\tby localhost (mx.forwarder.example [127.0.0.1]) (amavisd-new, port 10024)\n\twith ESMTP id Q7; x\n"
LMTP = "Return-Path: <friend@hosted.example>\nDelivered-To: ask@hosted.example\nReceived: from mx.forwarder.example\n\tby mx.forwarder.example with LMTP\n\tid QAAA; x\n"
DELIVERED = "Return-Path: <list-bounces@hosted.example>\nDelivered-To: ask@hosted.example\n"
BY_PROGRAM = "Received: by mx.forwarder.example (Postfix, from userid 38)\n\tid 6; x\n"
BY_LIST = "Received: from localhost (localhost [127.0.0.1])\n\tby mx.forwarder.example (Postfix) with ESMTP id 7; x\n"
BY_ALIAS = "Received: by mx.forwarder.example (Postfix)\n\tid 7; x\n"
SECOND_HOST = "Received: from mx.forwarder.example (mx.forwarder.example [127.0.0.2])\n\tby out.mail.forwarder.example (Postfix) with ESMTPS id 9; x\n"
MISLED = "Authentication-Results: mx.forwarder.example; dmarc=pass (p=reject dis=none) header.from=hosted.example\n"
SPF_PASSES = "Authentication-Results: mx.forwarder.example; spf=pass smtp.mailfrom=ask@hosted.example\n"
TELLS_THE_MX = (
    "Authentication-Results: mx.forwarder.example; spf=pass (mailfrom) smtp.mailfrom=hosted.example"
    " (client-ip=203.0.113.10; helo=mx.forwarder.example; envelope-from=friend@hosted.example; receiver=hosted.example)\n"
)
PRINTED = (
    "Authentication-Results: mx.forwarder.example; dkim=neutral header.d=attacker.example header.i=x; dmarc=pass"
    ' header.from=hosted.example header.x=@attacker.example header.b="AAAA"\n'
)
QUOTED = (
    "Authentication-Results: mx.forwarder.example; spf=pass (sender SPF authorized) smtp.mailfrom=attacker.example"
    ' (client-ip=192.0.2.66; helo=x; envelope-from="x); dmarc=pass header.from=hosted.example (@attacker.example; receiver=<unknown>)\n'
)
TWO_SENDERS = "Authentication-Results: mx.forwarder.example; spf=pass smtp.mailfrom=x smtp.mailfrom=ask@hosted.example x.y=@attacker.example\n"

AUTHOR = mail.AUTHOR.encode()
BODY = b"Pay me.\r\n"


@dataclass(frozen=True)
class Wiring:
    """What our hosts put around the sender's header (`above`; {} is the border's Received field), who hands it to the gate, and settings.

    `borders`: the message passes a border listener of ours first. `loses`: names of fields that a filter takes off behind it.
    """

    above: str
    client: Connection = REINJECTED
    verify: str = "missing"
    strips: bool = False
    borders: bool = False
    loses: tuple[str, ...] = ()

    @property
    def configuration(self) -> str:
        """dkimgate.yaml."""
        return (
            "listen: [{socket: inet:127.0.0.1:8891, role: border}, inet:127.0.0.1:8892]\n"
            "trust: {hosts: [mx.forwarder.example, '*.mail.forwarder.example'],\n"
            '  networks: [127.0.0.0/8, "::1/128", 203.0.113.10/32, 203.0.113.11/32, 172.17.0.0/16], relays: [203.0.113.10],\n'
            f"  arc_sealers: [lists.example], border_strips_forgeries: {str(self.strips).lower()}}}\n"
            f"verify: {{when: {self.verify}, body_limit: 100000}}\n"
            f"passport: {{secret_file: passport.secret, required: {str(self.borders).lower()}}}\n"
        )


WIRINGS = {
    "verified": Wiring(DMARC + DKIM + "{}"),
    "verified, fields below": Wiring("{}" + DMARC + DKIM, strips=True),
    "verified, silent about DMARC": Wiring(DKIM + "{}", verify="never"),
    "checked by the gate": Wiring("{}"),
    "checked always": Wiring(DKIM + "{}", verify="always"),
    "checked by nobody": Wiring("{}", verify="never"),
    "checked by nobody, border strips": Wiring("{}" + DKIM, verify="never", strips=True),
    "inbound": Wiring("", STRANGER),
    "inbound, never checked": Wiring("", STRANGER, "never"),
    "inbound, verified": Wiring(DMARC + DKIM, STRANGER),
    "border": Wiring("{}", borders=True),
    "border, strips": Wiring("{}", borders=True, strips=True),
    "border, never checks, strips": Wiring("{}", borders=True, strips=True, verify="never"),
    "border, only the passport is left": Wiring(
        "{}", borders=True, strips=True, loses=("authentication-results", "received")
    ),
    "content filter": Wiring(AMAVIS + DMARC + "{}"),
    "LMTP": Wiring(LMTP + DMARC + "{}"),
    "two hosts": Wiring(SECOND_HOST + DMARC + "{}"),
    "redirected with a login": Wiring(DMARC + "{}", LOGIN),
    # its own mail server hands on by a login of ours what one of its users forwards, and has stated nothing
    "a customer's server that logs in": Wiring(THEIR_BORDER, LOGIN),
    "a customer's server that logs in, then a filter": Wiring(AMAVIS + BY_LOGIN + THEIR_BORDER),
    "Received removed": Wiring(DMARC),
    # a list or a user's program has sent it on in its own name, and then it was delivered
    "delivered once more, from a list": Wiring(DELIVERED + BY_PROGRAM + "{}"),
    "delivered once more, from a list that sends by SMTP": Wiring(DELIVERED + BY_LIST + "{}"),
    "delivered once more, from an alias with an owner": Wiring(DELIVERED + BY_ALIAS + "{}"),
    "delivered once more, its sender rewritten by SRS": Wiring(
        DELIVERED.replace("list-", "SRS0=aBcD=XY=attacker.example=") + "{}"
    ),
    # our own verifiers, where something that the sender wrote led them to say what they say
    "misled": Wiring(MISLED + "{}"),
    "printed by OpenDKIM": Wiring(PRINTED + "{}"),
    "printed by policyd-spf": Wiring(QUOTED + "{}"),
    "SPF of two senders": Wiring(TWO_SENDERS + "{}"),
    "SPF of another sender": Wiring(TWO_SENDERS.replace(" smtp.mailfrom=ask@hosted.example x.y=", "") + "{}"),
    "verified, SPF passes": Wiring(MISLED + SPF_PASSES + "{}"),
    "SPF of a quoted sender": Wiring(
        'Return-Path: <"x@hosted.example,b"@attacker.example>\n' + MISLED + SPF_PASSES + "{}"
    ),
    # a host of ours behind the MX verifies once more, and finds the MX, which SPF of the hosted domain lists
    "an inner host verifies the MX": Wiring(
        MISLED + SPF_PASSES + SECOND_HOST.replace("127.0.0.2", "203.0.113.10") + "{}"
    ),
    "the same, never checked": Wiring(
        MISLED + SPF_PASSES + SECOND_HOST.replace("127.0.0.2", "203.0.113.10") + "{}", verify="never"
    ),
    "the same, checked always": Wiring(
        MISLED + SPF_PASSES + SECOND_HOST.replace("127.0.0.2", "203.0.113.10") + "{}", verify="always"
    ),
    "an inner host asks the gate in its session": Wiring(
        MISLED + SPF_PASSES + "{}", Connection(ip="203.0.113.10", name="mx", helo="mx")
    ),
    # a client in trust.networks, and not in trust.relays: anybody may stand behind it
    "behind a bridge": Wiring(MISLED + SPF_PASSES + BRIDGE),
    "behind a bridge, never checked": Wiring(MISLED + SPF_PASSES + BRIDGE, verify="never"),
    "behind a proxy that SPF lists": Wiring(MISLED + SPF_PASSES + BRIDGE.replace("172.17.0.1", "203.0.113.11")),
    "behind a bridge, an inner host verifies the MX": Wiring(
        MISLED + SPF_PASSES + SECOND_HOST.replace("127.0.0.2", "203.0.113.10") + BRIDGE
    ),
    "a field that tells another client": Wiring(MISLED + TELLS_THE_MX + "{}"),
    "a name in EHLO prints a result": Wiring(
        "Authentication-Results: mx.forwarder.example; spf=none smtp.helo=c.attacker.example; dmarc=pass header.from=hosted.example\n{}",
        verify="never",
    ),
    "spam that passes": Wiring(MISLED + "{}"),
    "passes for the attacker": Wiring(MISLED.replace("header.from=hosted", "header.from=attacker") + "{}"),
}


@dataclass(frozen=True)
class Attempt:
    """A forged message. `fields` is what the sender wrote above the usual fields, `author` those. The rest: how he connected."""

    fields: str | bytes = ""
    wiring: str = "checked by the gate"
    author: bytes = AUTHOR
    border: str = BORDER
    sender: str = "friend@hosted.example"
    client: Connection | None = None
    body: bytes = BODY
    failing: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def written(self) -> bytes:
        """The header section as the sender handed it over, with LF."""
        fields = self.fields.encode("utf-8", "surrogateescape") if isinstance(self.fields, str) else self.fields
        return fields.replace(b"\r\n", b"\n") + self.author


class Forwarder(Host):
    """One wiring, with a policy; only DNS and the clock are the test's. Its passages are counted."""

    def __init__(self, folder: Path, wiring: Wiring, rules: str = "shipped") -> None:
        folder.mkdir()
        super().__init__(folder, wiring.configuration, zone=ZONE, key=pem(HOSTED_KEY), now=NOW)
        self.wiring = wiring
        if rules == "careless":
            self.gate.policy = policy(SIGNS_EVERYTHING)
        self.passages = 0

    def passes(self, arrived: Message, body: bytes = BODY, size: int | None = None) -> Outcome:
        self.passages += 1
        return super().passes(arrived, body, size)

    def departs(self, attempt: Attempt) -> Outcome:
        """What the gate makes of an attempt that came the way of this wiring."""
        self.asks(ZONE, attempt.failing)
        envelope: dict[str, Any] = {"sender": attempt.sender, "problem": attempt.problem}
        first = b"X-First: so that no line of his is the first, which mbox would begin with\n"
        header = fields(first + attempt.written)[1:]
        above = fields(self.wiring.above.replace("{}", attempt.border))
        if self.wiring.borders:
            outcome = self.border(header, attempt.client or STRANGER, attempt.body, **envelope)
            if outcome.disposition is not Disposition.ACCEPT:
                return outcome
            header = sent(header, outcome, above)
        else:
            header = (*above, *header)
        client = self.wiring.client if self.wiring.borders or attempt.client is None else attempt.client
        left = tuple(field for field in header if field.key not in self.wiring.loses)
        return self.send(left, client, attempt.body, **envelope)


def aligned(outcome: Outcome) -> list[str]:
    """The DKIM signatures for the hosted domain that depart with a message."""
    found = [value.decode("ascii") for name, value in outcome.fields if name.lower() == "dkim-signature"]
    return [value for value in found if "d=hosted.example;" in value]
