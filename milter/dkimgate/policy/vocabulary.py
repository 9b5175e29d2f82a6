"""The facts that a condition may name: what kind each is, what it may be, and where its value stands in `Facts`."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, fields
from enum import Enum, auto

from dkimgate.facts import DMARC_RESULTS, Disposition, Facts, HeaderSigns, Origin, Risk, Sign
from dkimgate.policy.risk import spam_ratio

ORIGINS = tuple(str(origin) for origin in Origin)
SIGNS = tuple(str(sign) for sign in Sign)
DISPOSITIONS = tuple(str(disposition) for disposition in Disposition)
SPF_RESULTS = ("none", "pass", "fail", "softfail", "policy", "neutral", "temperror", "permerror")
DKIM_RESULTS = ("none", "pass", "fail", "policy", "neutral", "temperror", "permerror")
ARC_RESULTS = ("none", "pass", "fail", "temperror", "permerror")
UPSTREAM_DMARC_RESULTS = ("fail", "temperror", "permerror")  # law 2: of others, only what hurts is heard

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Kind(Enum):
    """What the value of a fact is, and so what may be written behind its name."""

    WORD = auto()  # one of a few words
    FLAG = auto()  # true or false
    NUMBER = auto()  # compared: "< 50"
    TEXT = auto()  # globs
    HOST = auto()  # globs over a host name
    AUTHOR = auto()  # hosted, none, globs over a domain
    MAILBOX = auto()  # globs over an address, or over its domain
    MAILBOXES = auto()  # the same, of several addresses
    ADDRESS = auto()  # IP networks


@dataclass(frozen=True, slots=True)
class Fact:
    """One name. `words` of a WORD; `least` of a NUMBER: it is never below; `optional`: a message may be without it, and then no
    condition on it holds; `whole`: the number has no fraction."""

    kind: Kind
    words: tuple[str, ...] = ()
    least: float | None = None
    optional: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Author:
    """The value of `from`: the author domain, None where there is no single one, and whether a key of ours covers it."""

    domain: str | None
    hosted: bool


FACTS: dict[str, Fact] = {
    "origin": Fact(Kind.WORD, ORIGINS),
    "arrival.dmarc": Fact(Kind.WORD, DMARC_RESULTS),
    "arrival.spf": Fact(Kind.WORD, SPF_RESULTS),
    "arrival.dkim": Fact(Kind.WORD, DKIM_RESULTS),
    "arrival.arc": Fact(Kind.WORD, ARC_RESULTS),
    "arrival.aligned": Fact(Kind.FLAG),
    "arrival.badly": Fact(Kind.FLAG),
    "spam": Fact(Kind.FLAG),
    "spam.score": Fact(Kind.NUMBER),
    "spam.required": Fact(Kind.NUMBER, least=0),
    "spam.ratio": Fact(Kind.NUMBER, least=0),
    "upstream.dmarc": Fact(Kind.WORD, UPSTREAM_DMARC_RESULTS, optional=True),
    "risk": Fact(Kind.NUMBER, least=0),
    "from": Fact(Kind.AUTHOR),
    "sender": Fact(Kind.MAILBOX),
    "recipients": Fact(Kind.MAILBOXES, optional=True),
    "recipients.all": Fact(Kind.MAILBOXES, optional=True),
    "recipients.count": Fact(Kind.NUMBER, least=0, whole=True),
    "client.ip": Fact(Kind.ADDRESS, optional=True),
    "client.name": Fact(Kind.HOST, optional=True),
    "client.helo": Fact(Kind.HOST, optional=True),
    "client.auth": Fact(Kind.TEXT, optional=True),
    "client.daemon": Fact(Kind.TEXT, optional=True),
    "client.relay": Fact(Kind.FLAG),
    "border.ip": Fact(Kind.ADDRESS, optional=True),
    "border.by": Fact(Kind.HOST, optional=True),
    "outgoing.spf_passes": Fact(Kind.FLAG),
    "outgoing.unalignable": Fact(Kind.FLAG),
    "own_signature": Fact(Kind.FLAG),
    **{f"header.{sign.name}": Fact(Kind.FLAG) for sign in fields(HeaderSigns)},
}

Value = bool | float | str | tuple[str, ...] | Author | IPAddress | None
"""What a fact is in one message: None where the message is without it. Text is in lower case, as conditions are."""


def value_of(fact: str, facts: Facts, risk: Risk) -> Value:
    """The value of the fact of that name. Raises KeyError for a name that is not in FACTS."""
    area, _, _ = fact.partition(".")
    match area:
        case "arrival" | "spam" | "upstream" | "origin":
            return _of_arrival(fact, facts)
        case "client" | "border":
            return _of_hop(fact, facts)
        case "header":
            return bool(getattr(facts.header, fact.removeprefix("header.")))
        case "recipients":
            addresses = tuple(_plain(address) for address in facts.recipients)
            return float(len(addresses)) if fact == "recipients.count" else addresses or None
    match fact:
        case "risk":
            return float(risk.score)
        case "from":
            return Author(_host(facts.author), facts.author is not None and facts.hosted is not None)
        case "sender":
            return _plain(facts.sender)
        case "outgoing.spf_passes":
            return facts.spf_passes
        case "outgoing.unalignable":
            return facts.unalignable
        case "own_signature":
            return facts.own_signature
    raise KeyError(fact)


def _of_arrival(fact: str, facts: Facts) -> Value:
    arrival = facts.arrival
    match fact:
        case "origin":
            return str(facts.origin)
        case "arrival.dmarc":
            return arrival.dmarc.lower()
        case "arrival.spf":
            return arrival.spf.lower()
        case "arrival.dkim":
            return arrival.dkim.lower()
        case "arrival.arc":
            return arrival.arc.lower()
        case "arrival.aligned":
            return arrival.aligned
        case "arrival.badly":
            return arrival.badly
        case "spam":
            return arrival.spam.spam
        case "spam.score":
            return float(arrival.spam.score)
        case "spam.required":
            return float(arrival.spam.required)
        case "spam.ratio":
            return spam_ratio(arrival.spam)
        case "upstream.dmarc":
            return None if facts.upstream.dmarc is None else facts.upstream.dmarc.lower()
    raise KeyError(fact)


def _of_hop(fact: str, facts: Facts) -> Value:
    client, border = facts.client, facts.border
    match fact:
        case "client.relay":
            return facts.relay
        case "client.ip":
            return _address(client.ip)
        case "client.name":
            return _host(client.name)
        case "client.helo":
            return _host(client.helo)
        case "client.auth":
            return client.auth.lower() if client.auth else None
        case "client.daemon":
            return client.daemon.lower() if client.daemon else None
        case "border.ip":
            return _address(border.ip) if border else None
        case "border.by":
            return _host(border.by) if border else None
    raise KeyError(fact)


def _plain(address: str) -> str:
    """An address as globs compare it: a root dot behind the domain would step around a condition."""
    return address.lower().rstrip(".")


def _host(name: str | None) -> str | None:
    return (name.lower().rstrip(".") or None) if name else None


def _address(text: str | None) -> IPAddress | None:
    """The address; one that is IPv4 mapped into IPv6 as the IPv4 address it is. What is no address is absent."""
    try:
        address = ipaddress.ip_address(text or "")
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address
