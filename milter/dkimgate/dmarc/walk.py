"""Where DMARC records stand: the tree walk of RFC 9989 section 4.10, and the public suffix list of RFC 7489 section
3.2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dkimgate.dmarc import record as dmarc_record
from dkimgate.dmarc.record import Record
from dkimgate.dns.resolver import Lookup, Status
from dkimgate.message import domains

MOST_LABELS = 8
"""A walk asks no more questions than this, however many labels the name has."""


class Unanswered(Exception):
    """DNS failed, so nobody knows; the text says where."""


@dataclass(frozen=True, slots=True)
class Found:
    """A record and the domain it was found at."""

    domain: str
    record: Record


def targets(domain: str) -> Iterator[str]:
    """The names of a walk, from the domain up to its last label; long names are cut to seven labels after the first."""
    labels = domain.split(".")
    yield domain
    for start in range(max(1, len(labels) - MOST_LABELS + 1), len(labels)):
        yield ".".join(labels[start:])


def record_at(domain: str, lookup: Lookup) -> Record | None:
    """The policy record of exactly that domain; several are none (RFC 9989 section 4.10). Raises Unanswered."""
    found = _records_at(domain, lookup)
    return found[0] if len(found) == 1 else None


def mention(author: str, lookup: Lookup) -> str | None:
    """The first domain, of all that are asked for the author domain's record, where a text speaks of DMARC, be it a
    record or not. Raises Unanswered."""
    for domain in dict.fromkeys((*targets(author), domains.organizational(author))):
        if any(dmarc_record.MENTION.search(text) for text in _texts_at(domain, lookup)):
            return domain
    return None


def _texts_at(domain: str, lookup: Lookup) -> tuple[bytes, ...]:
    answer = lookup.txt(f"_dmarc.{domain}")
    if answer.status is Status.FAILED:
        raise Unanswered(answer.why)
    return tuple(answer.values)


def _records_at(domain: str, lookup: Lookup) -> list[Record]:
    return dmarc_record.records(_texts_at(domain, lookup))


def walk(domain: str, lookup: Lookup) -> tuple[Found, ...]:
    """All records on the way up; a record that says whether its domain is a public suffix ends it. Raises
    Unanswered."""
    found: list[Found] = []
    for target in targets(domain):
        record = record_at(target, lookup)
        if record is not None:
            found.append(Found(target, record))
            if record.psd != "u":
                break
    return tuple(found)


def organizational(domain: str, found: tuple[Found, ...]) -> str:
    """The organizational domain that a walk from `domain` led to (section 4.10.2)."""
    for step in found:
        if step.record.psd == "n":
            return step.domain
        if step.record.psd == "y" and step.domain != domain:
            return _one_below(step.domain, domain)
    return found[-1].domain if found else domain


def organization_holds(author: str, name: str, lookup: Lookup) -> bool:
    """Does a walk from the author domain lead to an organizational domain that the other name is in too?

    It may be a public suffix: a registry that publishes a policy (`_dmarc.gov.uk`) and does not say psd=y makes one
    organization of all below it (section 4.10.2), which no list shows. Where DNS fails it does not: the suffix's
    servers are no sender's. Names that share not even the last label are asked nothing about.
    """
    if author.rpartition(".")[2] != name.rpartition(".")[2]:
        return False
    try:
        found = organizational(author, walk(author, lookup))
    except Unanswered:
        return False
    return name == found or name.endswith(f".{found}")


def _one_below(suffix: str, domain: str) -> str:
    """The ancestor of `domain` (or itself) one label below `suffix`."""
    return ".".join(domain.split(".")[-(suffix.count(".") + 2) :])


def policy_of(author: str, found: tuple[Found, ...]) -> Found | None:
    """The record that applies, of those on a walk from the author domain: its own, its organizational domain's, its
    public suffix's."""
    if not found:
        return None
    if found[0].domain == author:
        return found[0]
    organization = organizational(author, found)
    own = next((step for step in found if step.domain == organization), None)
    return own or next((step for step in found if step.record.psd == "y"), None)


def tree_policy_of(author: str, lookup: Lookup) -> Found | None:
    """The record that applies by RFC 9989: the author domain's, else what a walk finds. Raises Unanswered."""
    own = record_at(author, lookup)
    return Found(author, own) if own is not None else policy_of(author, walk(author, lookup))


def listed_policy_of(author: str, lookup: Lookup) -> Found | None:
    """The record that applies by RFC 7489 section 6.6.3: the author domain's, else its organizational domain's. Raises
    Unanswered.

    Several records at the author domain end the search (step 5): a record without a policy is found there, and its
    `no_policy` says so.
    """
    for domain in dict.fromkeys((author, domains.organizational(author))):
        records = _records_at(domain, lookup)
        if len(records) > 1:
            return Found(domain, Record(no_policy="several records stand there, so none of them counts"))
        if records:
            return Found(domain, records[0])
    return None


def exists(domain: str, lookup: Lookup) -> bool:
    """Is there such a name in the DNS (RFC 9989 section 3.2.15: a non-existent domain is one with NXDOMAIN)? Where DNS
    fails, there is."""
    return not lookup.a(domain).no_name
