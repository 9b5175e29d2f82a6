"""SPF checked by ourselves (RFC 7208)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import spf

from dkimgate.dns.resolver import Address, Lookup
from dkimgate.message import domains
from dkimgate.spf.query import Query

RESULTS = ("pass", "fail", "softfail", "neutral", "none", "temperror", "permerror")

_OF_A_MESSAGE = frozenset("lsh")  # macros of the local part and the name in EHLO (RFC 7208 section 7.2)

LONGEST_SENDER = 512
"""Characters of a reverse path; RFC 5321 section 4.5.3.1.3 permits 256. Macros of a record repeat it."""


@dataclass(frozen=True, slots=True)
class Spf:
    """The result (one of RESULTS) for `domain`, the SPF domain of DMARC: of MAIL FROM, or of HELO where the sender is
    null.

    `domain` is in lower-case A-labels, or None where there is no domain that could be asked.
    """

    result: str
    domain: str | None
    identity: Literal["mailfrom", "helo"] = "mailfrom"
    sender: str = ""
    ip: str = ""
    why: str = ""


def check_spf(ip: str | None, helo: str | None, sender: str | None, lookup: Lookup) -> Spf | None:
    """SPF of the MAIL FROM identity; of a null sender, postmaster at the HELO name (section 2.4). Never raises.

    None where the client's address or the sender is not known. Two void lookups are the limit here (section 4.6.4):
    what helps is measured as the strictest receiver would.
    """
    address = _address(ip)
    if address is None or sender is None:
        return None
    identity: Literal["mailfrom", "helo"] = "mailfrom" if sender else "helo"
    local, _, written = sender.rpartition("@") if sender else ("", "", helo or "")
    domain = _domain(written) if len(sender) <= LONGEST_SENDER and (not sender or "@" in sender) else None
    if domain is None:
        why = "no domain with SPF could be of that form"  # section 4.3
        return Spf("none", None, identity, sender, str(address), why)
    result, why = _result(address, local or "postmaster", domain, helo, lookup)
    return Spf(result, domain, identity, sender, str(address), why)


def _result(address: Address, local: str, domain: str, helo: str | None, lookup: Lookup) -> tuple[str, str]:
    """The result, and why; found out once for all senders of a domain whose record doesn't ask who they are."""

    own: tuple[str, str] | None = None

    def evaluate() -> tuple[str, str, bool]:
        nonlocal own
        query = _OfAClient(address, local, domain, helo, lookup, strict=True)
        own = _evaluate(query)
        # pyspf may stop at what it did not foresee before it has read all macros
        return *own, own[0] != "permerror" and _OF_A_MESSAGE.isdisjoint(query.macros)

    result, why, is_for_all = lookup.finding(("client", address, domain), evaluate)
    if is_for_all:
        return result, why
    return own if own is not None else evaluate()[:2]


MOST_NAMES = 10
"""Names of a client's address that are looked at (RFC 7208 section 4.6.4)."""


class _OfAClient(Query):
    """SPF of a client whom we don't know: he chooses what name servers answer for his address."""

    def validated_ptrs(self) -> list[str]:
        """The names of the client (RFC 7208 section 5.5). Where DNS fails for them, `ptr` does not match: else whoever
        lets the DNS of his own address fail would turn `fail` into `temperror`."""
        with self.lookup.part_of_the_time():
            names = [str(name) for name in self._quietly(self.dns_ptr, self.i)[:MOST_NAMES]]
            return [name for name in names if self.cidrmatch(self._quietly(self.dns_a, name, self.A), self.cidrmax)]

    @staticmethod
    def _quietly(ask: Callable[..., list[object]], *about: str) -> list[object]:
        try:
            return ask(*about)
        except spf.TempError:
            return []


def _evaluate(query: Query) -> tuple[str, str]:
    try:
        result = query.check()[0]
    except Exception as error:  # noqa: BLE001 - pyspf raises what it likes on records that it did not foresee
        return "permerror", f"the record can't be evaluated: {error or type(error).__name__}"[:200]
    if result not in RESULTS:
        return "permerror", "the record can't be evaluated"
    return result, str(getattr(query, "prob", ""))[:200] if result in ("temperror", "permerror") else ""


def _address(ip: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return None
    # a zone (fe80::1%eth0) names an interface of the host that wrote it, and pyspf would choke on it
    return ipaddress.ip_address(int(address)) if address.version == 4 else ipaddress.IPv6Address(int(address))


_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+")


def _domain(written: str) -> str | None:
    """The name that is asked: underscores are well, for SPF is published at such names too; domain literals and single
    labels are not."""
    name = written.lower().removesuffix(".")
    if not name.isascii():
        return domains.a_label(name)
    return name if _NAME.fullmatch(name) else None
