"""A DNS without name servers."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from dkimgate.dns.findings import Findings
from dkimgate.dns.resolver import MOST_QUESTIONS, Answer, Kind, Lookup, Question, Status

Zone = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass
class FakeResolver:
    """A zone instead of the DNS: `FakeResolver({"a.example": {"TXT": ["v=spf1 -all"], "MX": ["10
    mx.a.example"]}})`.

    Names are in lower case. Questions about the names in `failing` fail; all that reach the zone are noted in `asked`.
    `kept`: the answers that were given, where it keeps them, as a real one does; None where it does not.
    """

    zone: Zone
    failing: Collection[str] = ()
    deadline: float = 5.0
    questions: int = MOST_QUESTIONS
    clock: Callable[[], float] = time.monotonic
    asked: list[tuple[str, str]] = field(default_factory=list)
    kept: dict[Question, Answer[object]] | None = None
    findings: Findings[Question] = field(default_factory=Findings)

    def lookup(self) -> Lookup:
        """As of a Resolver."""
        findings = self.findings if self.kept is not None else None
        return Lookup(self, self.deadline, self.questions, self.clock, findings)

    def cached(self, name: str, kind: Kind) -> Answer[object] | None:
        """What it keeps."""
        return self.kept.get((name, kind)) if self.kept is not None else None

    def ask(self, name: str, kind: Kind, seconds: float) -> Answer[object]:
        """Look into the zone."""
        answer = self._look(name, kind)
        if self.kept is not None:
            self.kept[name, kind] = answer
        return answer

    def _look(self, name: str, kind: Kind) -> Answer[object]:
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
