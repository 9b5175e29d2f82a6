"""The second door: would the envelope pass SPF (RFC 7208) at the next hop, aligned with the author domain?"""

from __future__ import annotations

import re
from enum import StrEnum

from dkimgate.config.by_identity import ByIdentity
from dkimgate.dns.resolver import Address, Lookup
from dkimgate.message import domains
from dkimgate.postfix.way_out import WayOut
from dkimgate.spf.generous import Generous
from dkimgate.spf.query import BELOW, Query

LOOKUP = "lookup"
ASSUMED = "assumed"
UNALIGNED = "unaligned"
"""What Facts.spf_source may be."""


# What RFC 5321 section 4.1.2 lets stand in a reverse path, and a little more (dots anywhere, names that are no host
# names, U-labels). MTAs take what is written in the ways of RFC 822 too, and hand it to milters as the client wrote it:
# Postfix makes friend@hosted.example of `friend@hosted.example(x@elsewhere.example)`, of `friend@"hosted.example"`, and
# of `hosted.example!friend`.
_SPECIAL = r'\s\x00-\x1f\x7f"(),:;<>@\[\\\]'
_PLAIN = re.compile(
    rf'(?:"(?:[^"\\]|\\.)*"|[^{_SPECIAL}]+)@([^{_SPECIAL}!%]+|\[[^{_SPECIAL}]*(?::[^{_SPECIAL}]*)*\])', re.DOTALL
)
_LOCAL = re.compile(rf"[^{_SPECIAL}!%]+")
_ATOMS = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)  # what no MTA writes otherwise

_group = ByIdentity(domains.Group)

# letters of macros (RFC 7208 section 7.2); mailauth replaces p, and d below an include, by the sender's domain
_LOCAL_PART, _EHLO, _OF_THE_RECEIVER = frozenset("ls"), frozenset("h"), frozenset({*"crtp", BELOW})


def envelope_domains(sender: str, way: WayOut) -> frozenset[str] | None:
    """The domains that SPF may look at, as `domains.readings` has them: the sender's, or the names in EHLO where that
    is null; and what Postfix makes of it behind the gate (ADDRESS_REWRITING_README), or puts in its place (aliases(5)).
    None where nobody can say, because MTAs may make any other address of what is written."""
    written = None if way.rewritten_by else _written(sender.strip(" \t\r\n"), way)
    owners = way.origins if way.owners else frozenset[str]()
    # rspamd takes a sender that it can't parse for the null sender
    odd = not sender.isascii() or _ATOMS.fullmatch(sender.rpartition("@")[0] or sender) is None
    if written is None or owners is None or (odd and not way.helos):
        return None
    written |= owners | (frozenset(way.helos) if odd else frozenset())
    names = frozenset(name for domain in written for name in domains.readings(domain))
    if sender and any(_group(way.own).may_align(name) for name in names):
        return None
    return None if "" in names else names | {way.cut(name) for name in names}  # masquerade_exceptions spare some


def _written(sender: str, way: WayOut) -> frozenset[str] | None:
    """The same, as it is written."""
    if not sender:
        return frozenset(way.helos) or None
    if is_bare(sender):
        return way.origins
    plain = _PLAIN.fullmatch(sender)
    if plain is None:
        return None
    domain = plain[1]
    if "." in domain:
        return frozenset({domain})
    if way.suffixes is None:
        return None
    return frozenset({domain, *(f"{domain}.{suffix}" for suffix in way.suffixes if suffix)})


def is_bare(sender: str) -> bool:
    """Is that a sender without a domain, to which Postfix appends $myorigin?"""
    return _LOCAL.fullmatch(sender) is not None


def outgoing_spf(sender: str, way: WayOut, author: str | None, lookup: Lookup | None) -> tuple[bool, str]:
    """Facts.spf_passes and Facts.spf_source of a message.

    `sender` is the reverse path without angle brackets; the null sender is checked by the name this host says (RFC 7208
    section 2.4). A pass of any of the addresses that mail may leave from counts. `author` is the author domain; None
    means that readers may differ about it, so every domain may be aligned with theirs. Without `lookup` nobody is
    asked.

    Where the envelope is not aligned, nobody is asked either. Where nothing can be asked (no addresses known, no name
    in EHLO), or DNS was asked and failed, or the record has an error, or nobody can say what Postfix makes of the
    sender, SPF passes, whoever the author is: the domain of another whose mail leaves by us too names us in its
    record as ours do, and somebody who wants a forgery to pass must gain nothing by making DNS fail, nor by writing an
    address oddly.
    """
    names = envelope_domains(sender, way)
    if names is None:
        return True, ASSUMED
    aligned = sorted(name for name in names if author is None or domains.may_align(name, author))
    if not aligned:
        return False, UNALIGNED
    if lookup is None or not way.addresses:
        return True, ASSUMED
    local = sender.rpartition("@")[0] or sender or "postmaster"
    exact = not way.owners and _ATOMS.fullmatch(local) is not None
    macros = _OF_THE_RECEIVER if exact else _OF_THE_RECEIVER | _LOCAL_PART
    # of the null sender each name is asked about as the one that was said
    asked = [(name, name if not sender else helo) for name in aligned for helo in (way.helos or (None,))]
    unknown = False
    for name, helo in dict.fromkeys(asked):
        for address in way.addresses:
            result = _check(address, local, name, helo, lookup, macros if helo else macros | _EHLO)
            if result is EnvelopeSpf.PASS:
                return True, LOOKUP  # the others cost a record's evaluation each
            unknown = unknown or result in (EnvelopeSpf.TEMPERROR, EnvelopeSpf.PERMERROR)
    return (True, ASSUMED) if unknown else (False, LOOKUP)


class EnvelopeSpf(StrEnum):
    """The results of SPF that make a difference here."""

    PASS = "pass"
    TEMPERROR = "temperror"  # nobody knows
    PERMERROR = "permerror"  # a receiver that stops at the first term that matches may not see the error
    OTHER = "other"  # none, neutral, softfail, fail: DMARC takes none of them for a pass


def _check(
    address: Address,
    local: str,
    domain: str,
    helo: str | None,
    lookup: Lookup,
    unknown: frozenset[str] = _OF_THE_RECEIVER,
) -> EnvelopeSpf:
    """SPF of one address and one domain. `unknown`: the letters of macros for which nobody here knows what stands
    there."""

    def evaluate() -> tuple[EnvelopeSpf, frozenset[str]]:
        return _evaluated(address, local, domain, helo, lookup, unknown)

    result, macros = lookup.finding(("envelope", address, domain, helo, unknown), evaluate)
    # it is the same for every local part, as long as no record asks for it
    return result if macros.isdisjoint(_LOCAL_PART) else evaluate()[0]


def _evaluated(
    address: Address, local: str, domain: str, helo: str | None, lookup: Lookup, unknown: frozenset[str]
) -> tuple[EnvelopeSpf, frozenset[str]]:
    """The result, and the letters of the macros that it may hang on."""
    # void lookups don't count: the limit is a SHOULD that many receivers leave out, and with it the local part of a
    # sender could turn what passes there into an error here, by way of macros
    macros: set[str] = set()
    try:
        found = _result(Query(address, local, domain, helo, lookup, strict=False), macros)
        if found == "pass":
            return EnvelopeSpf.PASS, frozenset(macros)
        generous = _result(Generous(address, local, domain, helo, lookup, strict=False), macros)
    except Exception:  # noqa: BLE001 - pyspf raises what it likes on records that it did not foresee, and they are a stranger's
        return EnvelopeSpf.TEMPERROR, _LOCAL_PART  # nobody knows what it hangs on
    if generous in ("pass", "permerror") or not unknown.isdisjoint(macros):
        return EnvelopeSpf.TEMPERROR, frozenset(macros)
    return EnvelopeSpf(found) if found in ("temperror", "permerror") else EnvelopeSpf.OTHER, frozenset(macros)


def _result(query: Query, macros: set[str]) -> str:
    """The result; the letters of macros that were read go to `macros`. An error is not one to everybody: rspamd asks 30
    questions where section 4.6.4 allows ten, others pass over a term that they don't know."""
    result = str(query.check()[0])
    macros |= query.macros
    return query.lenient_result or result if result == "permerror" else result
