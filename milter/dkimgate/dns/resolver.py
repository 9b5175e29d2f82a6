"""DNS: typed answers, a cache for all messages, and one deadline and one budget of questions for each message."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Literal, Protocol, TypeVar, cast

import dns.exception
import dns.message
import dns.name
import dns.rdata
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.TXT
import dns.resolver

from dkimgate.dns.bounded import BoundedNameserver
from dkimgate.dns.findings import Finding, Findings
from dkimgate.dns.health import Health
from dkimgate.waiting import about_to_wait

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Kind = Literal["TXT", "A", "AAAA", "MX", "PTR"]
Question = tuple[str, Kind]
Value = TypeVar("Value", covariant=True)
Found = TypeVar("Found")

MOST_QUESTIONS = 100
"""Questions to name servers for one message. SPF alone may need 10 mx mechanisms with an address of each of 10
hosts."""

LONGEST_TTL = 86400
"""Seconds that an answer is kept at most, whatever its TTL."""

NEGATIVE_TTL = 3600
"""Seconds that "there is no such record" is kept at most (RFC 2308 section 5 advises one to three hours)."""

FAILURE_TTL = 30
"""Seconds that a failure is remembered, so that an outage does not cost every message its whole deadline (RFC 2308
section 7)."""

CACHE_ENTRIES = 10_000
CACHE_OCTETS = 4096
"""What the cache holds at most: so many answers, none of them longer than this."""


class Status(StrEnum):
    """How a question ended."""

    FOUND = "found"
    NONE = "none"  # NXDOMAIN or NODATA: there is no such record
    FAILED = "failed"  # timeout, SERVFAIL, or no time or questions left for this message: nobody knows


@dataclass(frozen=True, slots=True)
class Answer(Generic[Value]):
    """The values of one question, in the order of the DNS message; without any unless `status` is FOUND. `why` explains
    FAILED.

    `no_name`, of NONE: there is no such name at all, nor any below it (NXDOMAIN, RFC 8020). Else it may have records of
    other types.
    """

    status: Status
    values: tuple[Value, ...] = ()
    why: str = ""
    no_name: bool = False


_NOTHING: Answer[object] = Answer(Status.NONE)
_NO_NAME: Answer[object] = Answer(Status.NONE, no_name=True)


class Source(Protocol):
    """Where a Lookup gets its answers: the DNS, or a zone in a test."""

    def cached(self, name: str, kind: Kind) -> Answer[object] | None:
        """What is known without asking anybody."""

    def ask(self, name: str, kind: Kind, seconds: float) -> Answer[object]:
        """Ask, and wait so long at most. Never raises."""


class Lookup:
    """The DNS questions of one message: they share a deadline (seconds from the first of them) and a budget. For one
    thread."""

    def __init__(
        self,
        source: Source,
        deadline: float = 5.0,
        questions: int = MOST_QUESTIONS,
        clock: Callable[[], float] = time.monotonic,
        findings: Findings[Question] | None = None,
    ) -> None:
        self._source = source
        self._findings = findings
        self._deadline = deadline
        self._questions = questions
        self._clock = clock
        self._end: float | None = None
        self._known: dict[Question, Answer[object]] = {}
        self._used: set[Question] = set()  # by what is being found out

    def txt(self, name: str) -> Answer[bytes]:
        """The TXT records, the strings of each joined without a space (RFC 7208 section 3.3, RFC 6376 section
        3.6.2.2)."""
        return cast("Answer[bytes]", self._answer(name, "TXT"))

    def a(self, name: str) -> Answer[ipaddress.IPv4Address]:
        """The IPv4 addresses."""
        return cast("Answer[ipaddress.IPv4Address]", self._answer(name, "A"))

    def aaaa(self, name: str) -> Answer[ipaddress.IPv6Address]:
        """The IPv6 addresses."""
        return cast("Answer[ipaddress.IPv6Address]", self._answer(name, "AAAA"))

    def mx(self, name: str) -> Answer[tuple[int, str]]:
        """The mail hosts: preference and name. The null MX (RFC 7505) has the empty name."""
        return cast("Answer[tuple[int, str]]", self._answer(name, "MX"))

    def ptr(self, name: str) -> Answer[str]:
        """The names of an address that is written as a name (2.0.192.in-addr.arpa)."""
        return cast("Answer[str]", self._answer(name, "PTR"))

    @contextmanager
    def part_of_the_time(self) -> Iterator[None]:
        """For questions whose name servers a stranger has chosen, ahead of others that matter: they get a quarter of
        what is left."""
        now = self._clock()
        end = self._end if self._end is not None else now + self._deadline
        self._end = now + max(end - now, 0.0) / 4
        try:
            yield
        finally:
            self._end = end

    def finding(self, about: Hashable, find: Callable[[], Found]) -> Found:
        """What `find` comes to, which asks this lookup, and hangs on nothing but the answers and `about`. Where an
        earlier message asked the same and the answers have not changed since, it is not found out again. Not to be
        nested."""
        if self._findings is None:
            return find()
        kept = self._findings.get(about)
        if kept is not None and all(self._at_hand(question) is answer for question, answer in kept.answers):
            return cast(Found, kept.value)
        self._used = set()
        value = find()
        answers = tuple((question, self._known[question]) for question in self._used)
        if not any(answer.status is Status.FAILED for _, answer in answers):
            self._findings.put(about, Finding(value, answers))
        return value

    def _at_hand(self, question: Question) -> Answer[object] | None:
        """The answer, where nobody has to be asked."""
        known = self._known.get(question) or self._source.cached(*question)
        if known is not None:
            self._known[question] = known
        return known

    def _answer(self, name: str, kind: Kind) -> Answer[object]:
        question = (name.rstrip(".").lower(), kind)
        self._used.add(question)
        return self._at_hand(question) or self._asked(question)

    def _asked(self, question: Question) -> Answer[object]:
        self._known[question] = answer = self._ask(*question)
        return answer

    def _ask(self, name: str, kind: Kind) -> Answer[object]:
        now = self._clock()
        if self._end is None:
            self._end = now + self._deadline
        if now >= self._end:
            return Answer(Status.FAILED, why=f"no time left: DNS may take {self._deadline:g} s a message")
        if self._questions <= 0:
            return Answer(Status.FAILED, why="no questions left for this message")
        self._questions -= 1
        return self._source.ask(name, kind, self._end - now)


class _Cache:
    """Answers until they expire; where it is full, what was not used for longest goes first. For any number of
    threads."""

    def __init__(self, entries: int, clock: Callable[[], float]) -> None:
        self._entries = entries
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, Kind], tuple[float, Answer[object]]] = OrderedDict()

    def get(self, question: tuple[str, Kind]) -> Answer[object] | None:
        with self._lock:
            if question not in self._kept:
                return None
            expires, answer = self._kept[question]
            if expires <= self._clock():
                del self._kept[question]
                return None
            self._kept.move_to_end(question)
            return answer

    def put(self, question: tuple[str, Kind], answer: Answer[object], ttl: float) -> None:
        # a stranger chooses the names and the records: without a bound on both he would choose how much memory this
        # takes
        if ttl <= 0 or sum(len(value) if isinstance(value, bytes) else 64 for value in answer.values) > CACHE_OCTETS:
            return
        with self._lock:
            self._kept[question] = (self._clock() + ttl, answer)
            self._kept.move_to_end(question)
            while len(self._kept) > self._entries:
                self._kept.popitem(last=False)


class Resolver:
    """Asks name servers; for all threads of a process. `lookup()` is what a message gets.

    No `nameservers`: those of /etc/resolv.conf, and without such a file the one on this host, as resolv.conf(5) has it.
    `deadline` is in seconds a message.
    """

    def __init__(
        self,
        nameservers: Iterable[Address] = (),
        port: int = 53,
        deadline: float = 5.0,
        *,
        entries: int = CACHE_ENTRIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deadline = deadline
        self._clock = clock
        self._cache = _Cache(entries, clock)
        self._findings: Findings[Question] = Findings()
        self._health = Health(clock)
        self._dns = _stub([str(address) for address in nameservers], port)

    def lookup(self) -> Lookup:
        """A fresh deadline and budget, for one message."""
        return Lookup(self, self._deadline, clock=self._clock, findings=self._findings)

    def cached(self, name: str, kind: Kind) -> Answer[object] | None:
        """What an earlier message learnt."""
        return self._cache.get((name, kind))

    def ask(self, name: str, kind: Kind, seconds: float) -> Answer[object]:
        """Ask the name servers, and wait so many seconds at most."""
        qname = _qname(name)
        if qname is None:
            return _NOTHING
        about_to_wait()
        try:
            found = self._dns.resolve(qname, kind, lifetime=seconds, raise_on_no_answer=False, search=False)
            values = tuple(_value(rdata) for rdata in found.rrset or ())
            ttl = found.chaining_result.minimum_ttl
            answer, ttl = (
                (Answer(Status.FOUND, values), min(ttl, LONGEST_TTL)) if values else (_NOTHING, min(ttl, NEGATIVE_TTL))
            )
        except dns.resolver.NXDOMAIN as error:
            answer, ttl = _NO_NAME, min(_negative_ttl(error), NEGATIVE_TTL)
        except (dns.exception.DNSException, OSError, ValueError) as error:
            answer = Answer(Status.FAILED, why=f"{kind} {name}: {_reason(error)}")
            # what failed for want of time says little about the name servers
            ttl = FAILURE_TTL if seconds >= self._deadline / 2 or not isinstance(error, dns.exception.Timeout) else 0
        if answer.status is Status.FAILED:
            self._health.failed(answer.why)
        else:
            self._health.answered()
        self._cache.put((name, kind), answer, ttl)
        return answer


def _stub(nameservers: list[str], port: int) -> dns.resolver.Resolver:
    if not nameservers:
        try:
            stub = dns.resolver.Resolver()
        except (dns.exception.DNSException, OSError, ValueError):
            nameservers = ["127.0.0.1"]
    if nameservers:
        stub = dns.resolver.Resolver(configure=False)
        stub.nameservers = nameservers
    stub.nameservers = [BoundedNameserver(str(address), port) for address in stub.nameservers]
    # 1232 octets fit into one packet nearly everywhere; what is longer comes by TCP
    stub.use_edns(0, 0, 1232)
    return stub


def _qname(name: str) -> dns.name.Name | None:
    """The name for the DNS, None for what can't be one. Not from_text: it would read a backslash of a local part as an
    escape."""
    try:
        return dns.name.Name([*(label.encode("utf-8") for label in name.split(".")), b""])
    except (dns.exception.DNSException, UnicodeError):
        return None


def _value(rdata: dns.rdata.Rdata) -> object:
    match rdata.rdtype.name:
        case "TXT":
            return b"".join(cast(dns.rdtypes.ANY.TXT.TXT, rdata).strings)
        case "MX":
            mx = cast(dns.rdtypes.ANY.MX.MX, rdata)
            return mx.preference, _text(mx.exchange)
        case "PTR":
            return _text(rdata.target)  # type: ignore[attr-defined]
    return ipaddress.ip_address(rdata.address)  # type: ignore[attr-defined]


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).rstrip(".").lower()


def _negative_ttl(error: dns.resolver.NXDOMAIN) -> int:
    """How long there will be no such name, by the SOA record beside the answer (RFC 2308 section 5)."""
    responses: Mapping[dns.name.Name, dns.message.QueryMessage] = error.kwargs["responses"]
    try:
        return min(response.resolve_chaining().minimum_ttl for response in responses.values())
    except (dns.exception.DNSException, ValueError):
        return 0


def _reason(error: Exception) -> str:
    match error:
        case dns.exception.Timeout():
            return "no answer in time"
        case dns.resolver.NoNameservers():
            return "no name server could answer"
    return str(error) or type(error).__name__
