"""Long DNS answers: CPU by size, up to what a DNS message can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dkimgate.dkim.sent_body import SentBody
from dkimgate.dns.resolver import Answer, Kind, Lookup, Status
from dkimgate.evidence.gather import see
from dkimgate.gate.gate import Gate
from dkimgate.message.message import Connection, Envelope, Message, split_message

MOST = 65_000
"""Octets of a record: the message that carries it has 65,535 at most."""

_ASKER = "attacker.example"
_CONNECTION = Connection("192.0.2.66", f"client.{_ASKER}", f"client.{_ASKER}", daemon="smtpd")
_HEADER = f"""\
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={_ASKER}; s=s; h=from;
 bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA
From: ask@{_ASKER}
To: you@receiver.example

"""
_RECORDS = {
    "SPF": "v=spf1 -all",
    "DMARC": "v=DMARC1; p=reject",
    "key": "v=DKIM1; k=rsa; p=AAAA",
}
_UNITS = {
    "SPF": (" ip4:192.0.2.1", " a:%{i}.x.example", " exists:%{i}.%{h}.x", "  ", " x=y", " -"),
    "DMARC": ("; a=b", ";", "; rua=mailto:a@b.example", " ", "; p=none"),
    "key": ("; a=b", ";", "A", " ", ":sha256", "="),
}


class _Zone:
    """One text for SPF, one for DMARC, one for the key, whatever the name; nothing else."""

    def __init__(self, records: dict[str, str]) -> None:
        self._records = records

    def cached(self, name: str, kind: Kind) -> Answer[object] | None:
        """Nothing is."""
        return None

    def ask(self, name: str, kind: Kind, seconds: float) -> Answer[object]:
        """At once."""
        if kind != "TXT":
            return Answer(Status.NONE)
        what = "DMARC" if name.startswith("_dmarc.") else "key" if "._domainkey." in name else "SPF"
        return Answer(Status.FOUND, (self._records[what].encode(),))


def kinds() -> Iterator[tuple[str, list[Callable[[Gate, int], Callable[[], object]]]]]:
    """For each record: what prepares a check of a stranger's message with one so long, by gate and size."""
    for what, units in _UNITS.items():
        yield f"DNS: {what} record", [_prepared(what, unit) for unit in units]


def _prepared(what: str, unit: str) -> Callable[[Gate, int], Callable[[], object]]:
    def prepare(gate: Gate, size: int) -> Callable[[], object]:
        zone = _Zone({**_RECORDS, what: _RECORDS[what] + unit * (min(size, MOST) // len(unit))})
        header, body = split_message(_HEADER.encode())
        envelope = Envelope(f"ask@{_ASKER}", ("you@receiver.example",))
        seen = see(Message(_CONNECTION, envelope, header, "4F2A"), gate.config)

        def check() -> object:
            taken = SentBody()
            taken.update(body)
            return gate.check(seen, taken.forms(), Lookup(zone), gate.now())

        return check

    return prepare
