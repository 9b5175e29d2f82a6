"""Does the author domain's DMARC record insist on exact alignment (adkim=s, aspf=s; RFC 9989 section 4.7)? Then a
signature by the key of a parent domain, and a sender in a sub-domain, open no door at the next receiver."""

from __future__ import annotations

from dataclasses import dataclass

from dkimgate.dmarc import walk
from dkimgate.dmarc.walk import Unanswered
from dkimgate.dns.resolver import Lookup


@dataclass(frozen=True, slots=True)
class Strict:
    """By which of the two doors nothing but the author domain itself passes."""

    dkim: bool = False
    spf: bool = False


def strictness(author: str, lookup: Lookup) -> Strict:
    """Ask. Strict only where every record that a receiver may go by says so, the one of RFC 9989 and the one of RFC
    7489. Where DNS fails, or there is none, it is not. Never raises."""
    try:
        applying = (walk.tree_policy_of(author, lookup), walk.listed_policy_of(author, lookup))
    except Unanswered:
        return Strict()
    records = [found.record for found in applying if found is not None]
    if not records or any(record.problem is not None or record.no_policy for record in records):
        return Strict()
    return Strict(all(record.strict_dkim for record in records), all(record.strict_spf for record in records))
