"""The second door: would the envelope, as it stands, pass SPF (RFC 7208) at the next hop, aligned with the author domain?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from dkimgate import domains
from dkimgate.resolver import Address, Lookup
from dkimgate.spf_query import Query

LOOKUP = "lookup"
ASSUMED = "assumed"
UNALIGNED = "unaligned"
"""What Facts.spf_source may be."""


# What RFC 5321 section 4.1.2 lets stand in a reverse path, and a little more (dots anywhere, names that are no host names, U-labels).
# MTAs take what is written in the ways of RFC 822 too, and hand it to milters as the client wrote it: Postfix makes
# friend@hosted.example of `friend@hosted.example(x@elsewhere.example)`, of `friend@"hosted.example"`, and of `hosted.example!friend`.
_SPECIAL = r'\s\x00-\x1f\x7f"(),:;<>@\[\\\]'
_PLAIN = re.compile(rf'(?:"(?:[^"\\]|\\.)*"|[^{_SPECIAL}]+)@([^{_SPECIAL}!%]+|\[[^{_SPECIAL}]*(?::[^{_SPECIAL}]*)*\])', re.DOTALL)
_LOCAL = re.compile(rf"[^{_SPECIAL}!%]+@?")


def envelope_domain(sender: str, helo: str | None) -> str | None:
    """The domain that SPF looks at: the sender's, or `helo` where that is null. Empty where the MTA fills it in (a sender without a domain,
    or with half of one), None where nobody can say, because MTAs may make another address of what is written."""
    sender = sender.strip(" \t\r\n")
    if not sender:
        return helo or ""
    plain = _PLAIN.fullmatch(sender)
    if plain is not None:
        return plain[1] if "." in plain[1] or not plain[1].isascii() else ""
    return "" if _LOCAL.fullmatch(sender) else None


def outgoing_spf(
    sender: str, helo: str | None, addresses: Sequence[Address], author: str | None, hosted: bool, lookup: Lookup | None
) -> tuple[bool, str]:
    """Facts.spf_passes and Facts.spf_source of a message.

    `sender` is the reverse path without angle brackets; the null sender is checked by `helo`, the name this host says (RFC 7208
    section 2.4). `addresses` are those that its mail leaves from: a pass of any of them counts. `author` is the author domain; None
    means that readers may differ about it, so every domain may be aligned with theirs. `hosted`: we hold a key of the author domain
    or of the sender's. Without `lookup` nobody is asked.

    Where the envelope is not aligned, nobody is asked either. Where nothing can be asked (no addresses known, no sender's domain,
    no HELO name), SPF passes for the domains whose keys we hold, since their SPF likely names us, and for no others. Where DNS was
    asked and failed, or nobody can say what domain the MTA makes of the sender, SPF passes for all: somebody who wants a forgery to pass
    must gain nothing by making DNS fail, nor by writing an address oddly.
    """
    domain = envelope_domain(sender, helo)
    if domain is None:
        return True, ASSUMED
    names = domains.readings(domain)
    if names == {""}:
        return hosted, ASSUMED
    aligned = sorted(name for name in names if author is None or domains.may_align(name, author))
    if not aligned:
        return False, UNALIGNED
    if lookup is None or not addresses:
        return hosted, ASSUMED
    local = sender.rpartition("@")[0] or "postmaster"
    results = [_check(address, local, name, helo, lookup) for name in aligned for address in addresses]
    if Result.PASS in results:
        return True, LOOKUP
    return (True, ASSUMED) if Result.TEMPERROR in results else (False, LOOKUP)


class Result(StrEnum):
    """The results of SPF that make a difference here."""

    PASS = "pass"
    TEMPERROR = "temperror"  # nobody knows
    OTHER = "other"  # none, neutral, softfail, fail, permerror: DMARC takes none of them for a pass


def _check(address: Address, local: str, domain: str, helo: str | None, lookup: Lookup) -> Result:
    """SPF of one address and one domain."""
    try:
        # void lookups don't count: the limit is a SHOULD that many receivers leave out, and with it the local part of a sender
        # could turn what passes there into an error here, by way of macros
        result = Query(address, local, domain, helo, lookup, count_voids=False).check()[0]
    except Exception:  # noqa: BLE001 - pyspf raises what it likes on records that it did not foresee, and they are a stranger's
        return Result.TEMPERROR
    return Result(result) if result in ("pass", "temperror") else Result.OTHER
