"""A DNS without name servers."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from dkimgate.dns.resolver import MOST_QUESTIONS, Answer, Kind, Lookup, Status

Zone = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass
class FakeResolver:
    """A zone instead of the DNS: `FakeResolver({"a.example": {"TXT": ["v=spf1 -all"], "MX": ["10
    mx.a.example"]}})`.

    Names are in lower case. Questions about the names in `failing` fail; all that reach the zone are noted in `asked`.
    """

    zone: Zone
    failing: Collection[str] = ()
    deadline: float = 5.0
    questions: int = MOST_QUESTIONS
    clock: Callable[[], float] = time.monotonic
    asked: list[tuple[str, str]] = field(default_factory=list)

    def lookup(self) -> Lookup:
        """As of a Resolver."""
        return Lookup(self, self.deadline, self.questions, self.clock)

    def cached(self, name: str, kind: Kind) -> Answer[object] | None:
        """Nothing, ever."""
        return None

    def ask(self, name: str, kind: Kind, seconds: float) -> Answer[object]:
        """Look into the zone."""
        self.asked.append((name, kind))
        if name in self.failing:
            return Answer(Status.FAILED, why=f"{kind} {name}: failing")
        values = tuple(_from_zone(kind, text) for text in self.zone.get(name, {}).get(kind, ()))
        if values:
            return Answer(Status.FOUND, values)
        below = any(known == name or known.endswith(f".{name}") for known in self.zone)
        return Answer(Status.NONE, no_name=not below)


def _from_zone(kind: Kind, text: str) -> object:
    match kind:
        case "TXT":
            return text.encode("utf-8")
        case "MX":
            preference, _, name = text.partition(" ")
            return int(preference), name.rstrip(".")
        case "PTR":
            return text.rstrip(".")
    return ipaddress.ip_address(text)
