"""Long DNS answers: CPU by size, up to what a DNS message can hold."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence

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


_MANY = {
    "SPF": [f"v=spf1 ip4:192.0.2.{number % 256} -all" for number in range(2400)],
    "DMARC": [f"v=DMARC1; p=none; a={number}" for number in range(2800)],
    "key": [f"v=DKIM1; n={number}; p=AAAA" for number in range(2900)],
    "other": [f"site-verification={number}" for number in range(2900)],
}
"""Records of one name, as many as one answer holds."""

_ASKS = "v=spf1 a mx ptr a:1.x.example mx:2.x.example exists:%{i}.x.example a:3.x.example/24 mx:4.x.example//64 -all"


class _Zone:
    """Texts for SPF, DMARC and the key, whatever the name; so many addresses, mail hosts and names of an address."""

    def __init__(self, records: Mapping[str, Sequence[str]], hosts: int = 0) -> None:
        self._records = records
        self._hosts: dict[Kind, tuple[object, ...]] = {
            "A": tuple(ipaddress.IPv4Address(0xCB007100 + number) for number in range(hosts)),
            "AAAA": tuple(ipaddress.IPv6Address((0x20010DB8 << 96) + number) for number in range(hosts)),
            "MX": tuple((10, f"mx{number}.x.example") for number in range(hosts)),
            "PTR": tuple(f"ptr{number}.x.example" for number in range(hosts)),
        }

    def cached(self, name: str, kind: Kind) -> Answer[object] | None:
        """Nothing is."""
        return None

    def ask(self, name: str, kind: Kind, seconds: float) -> Answer[object]:
        """At once."""
        if kind != "TXT":
            values = self._hosts[kind]
            return Answer(Status.FOUND, values) if values else Answer(Status.NONE)
        what = "DMARC" if name.startswith("_dmarc.") else "key" if "._domainkey." in name else "SPF"
        texts = self._records[what]
        return Answer(Status.FOUND, tuple(text.encode() for text in texts)) if texts else Answer(Status.NONE)


Work = Callable[[Gate, int], Callable[[], object]]


def kinds() -> Iterator[tuple[str, list[Work]]]:
    """For each record: what prepares a check of a stranger's message with one so long, by gate and size."""
    for what, units in _UNITS.items():
        yield f"DNS: {what} record", [_prepared(what, _long(_RECORDS[what], unit)) for unit in units]
    for what, texts in _MANY.items():
        where = ("SPF", "DMARC", "key") if what == "other" else (what,)
        yield f"DNS: many {what} records", [_prepared(each, _first(texts)) for each in where]
    yield (
        "DNS: many addresses, hosts",
        [_prepared("SPF", lambda _: [_ASKS], 1.0), _prepared("SPF", lambda _: [_ASKS], 0.01)],
    )


def _long(text: str, unit: str) -> Callable[[int], list[str]]:
    return lambda size: [text + unit * (min(size, MOST) // len(unit))]


def _first(texts: list[str]) -> Callable[[int], list[str]]:
    """As many as have the size."""
    return lambda size: texts[: size * len(texts) // MOST]


def _prepared(what: str, make: Callable[[int], list[str]], hosts: float = 0) -> Work:
    """`hosts`: of each answer, so many for each 16 octets of the size."""

    def prepare(gate: Gate, size: int) -> Callable[[], object]:
        records = {name: [text] for name, text in _RECORDS.items()}
        zone = _Zone({**records, what: make(size)}, int(min(size, MOST) / 16 * hosts))
        header, body = split_message(_HEADER.encode())
        envelope = Envelope(f"ask@{_ASKER}", ("you@receiver.example",))
        seen = see(Message(_CONNECTION, envelope, header, "4F2A"), gate.config)

        def check() -> object:
            taken = SentBody()
            taken.update(body)
            return gate.check(seen, taken.forms(), Lookup(zone), gate.now())

        return check

    return prepare
