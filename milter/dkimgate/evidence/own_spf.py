"""SPF checked by ourselves (RFC 7208), of the session in which the message entered."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import spf

from dkimgate.dns.resolver import Lookup
from dkimgate.evidence import words
from dkimgate.evidence.route import Route
from dkimgate.facts import Claim, Origin, Standing
from dkimgate.message import domains
from dkimgate.message.message import Message
from dkimgate.spf.query import Query

RESULTS = ("pass", "fail", "softfail", "neutral", "none", "temperror", "permerror")

LONGEST_SENDER = 512
"""Characters of a reverse path; RFC 5321 section 4.5.3.1.3 permits 256. Macros of a record repeat it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The session in which the message entered: client address and HELO name as our border saw them, and the reverse path.

    None stands for what is not known for sure; the null sender is the empty string.
    """

    ip: str | None = None
    helo: str | None = None
    sender: str | None = None


def entry_of(message: Message, route: Route) -> Entry:
    """The session that SPF is about.

    Where this session is the border, it is at hand. For re-injected mail, address and HELO name stand in the border's Received field. The
    reverse path does not: the one of this session may be that of an alias, a list, or a user's `sendmail -f`. If it were taken
    for the border's, a stranger who sends through a shared provider that the hosted domain's SPF lists (`include:` of it is
    common) would get an aligned pass: the provider's address with our user's sender, where the real sender was his own. So the only
    reverse path believed is a Return-Path above the border's Received field and below all others there, written at the
    first delivery; one that stands lower is the sender's own invention. Without it there is no SPF of that message.
    """
    if route.origin is Origin.INBOUND:
        return Entry(message.connection.ip, message.connection.helo, message.envelope.sender)
    border = route.border_hop
    if border is None or route.ours_above < border.position or route.login_in_session:
        return Entry()  # a user who logged in above the border may have made all that stands below, the border's field too
    paths = [field.text for field in message.header[: route.ours_above] if field.key == "return-path"]
    return Entry(border.ip, border.helo, _path(paths[-1]) if paths else None)


def _path(text: str) -> str | None:
    match = re.fullmatch(r"<([^<>]*)>", text.strip())
    return match[1].strip() if match else None


@dataclass(frozen=True, slots=True)
class Spf:
    """The result (one of RESULTS) for `domain`, the SPF domain of DMARC: of MAIL FROM, or of HELO where the sender is null.

    `domain` is in lower-case A-labels, or None where there is no domain that could be asked.
    """

    result: str
    domain: str | None
    identity: Literal["mailfrom", "helo"] = "mailfrom"
    sender: str = ""
    ip: str = ""
    why: str = ""

    def claim(self) -> Claim:
        """As this process's own claim (RFC 8601 section 2.7.2)."""
        value = self.sender if self.identity == "mailfrom" else self.domain or ""
        why = f"checked here: {self.ip}" + (f": {self.why}" if self.why else "")
        return Claim("spf", self.result, None, "", Standing.VERIFIED, why, properties=((f"smtp.{self.identity}", value),))


def stated_spf(claims: Iterable[Claim]) -> Spf | None:
    """The result of SPF that hosts of ours state, for mail whose envelope is no longer the border's. None where they state none.

    It stands in for our own check, so that a DMARC result which does not hang on a signature can still be found wrong. Of several results
    one that is no pass counts, and before all one that hurts, whoever states it.
    """
    claims = [claim for claim in claims if claim.method == "spf"]
    hurting = [claim for claim in claims if words.meaning(claim.result) in words.HURTS["spf"]]
    stated = hurting or [claim for claim in claims if claim.standing is Standing.TRUSTED]
    worst = next((claim for claim in stated if claim.result != "pass"), stated[0] if stated else None)
    if worst is None:
        return None
    mailfrom, helo = _only(worst, "smtp.mailfrom"), _only(worst, "smtp.helo")
    if any(key == "smtp.mailfrom" for key, _ in worst.properties):
        helo = None  # it was asked about the sender, whoever that is
    domain = domains.of_address(mailfrom or helo or "")
    result = words.meaning(worst.result)
    result = result if result in RESULTS and domain is not None else "neutral"
    if result == "temperror" and not worst.is_believed():
        result = "fail"  # that it may have passed would help, and anybody can write it
    return Spf(result, domain, "mailfrom" if mailfrom else "helo", mailfrom or "", why="as a host of ours states")


def _only(claim: Claim, name: str) -> str | None:
    """The value of a property that is there once. Of one that is there twice, nobody knows which one is meant: the sender may have
    written the other, where a verifier prints MAIL FROM without quotation marks."""
    values = [value for key, value in claim.properties if key == name]
    return values[0] if len(values) == 1 else None


def check_spf(ip: str | None, helo: str | None, sender: str | None, lookup: Lookup) -> Spf | None:
    """SPF of the MAIL FROM identity; of a null sender, postmaster at the HELO name (section 2.4). Never raises.

    None where the client's address or the sender is not known. Two void lookups are the limit here (section 4.6.4): what helps is
    measured as the strictest receiver would.
    """
    address = _address(ip)
    if address is None or sender is None:
        return None
    identity: Literal["mailfrom", "helo"] = "mailfrom" if sender else "helo"
    local, _, written = sender.rpartition("@") if sender else ("", "", helo or "")
    domain = _domain(written) if len(sender) <= LONGEST_SENDER and (not sender or "@" in sender) else None
    if domain is None:
        return Spf("none", None, identity, sender, str(address), "no domain with SPF could be of that form")  # section 4.3
    result, why = _evaluate(_OfAClient(address, local or "postmaster", domain, helo, lookup, count_voids=True))
    return Spf(result, domain, identity, sender, str(address), why)


MOST_NAMES = 10
"""Names of a client's address that are looked at (RFC 7208 section 4.6.4)."""


class _OfAClient(Query):
    """SPF of a client whom we don't know: he chooses what name servers answer for his address."""

    def validated_ptrs(self) -> list[str]:
        """The names of the client (RFC 7208 section 5.5). Where DNS fails for them, `ptr` does not match: else whoever lets the DNS of his
        own address fail would turn `fail` into `temperror`."""
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
    """The name that is asked: underscores are well, for SPF is published at such names too; domain literals and single labels are not."""
    name = written.lower().removesuffix(".")
    if not name.isascii():
        return domains.a_label(name)
    return name if _NAME.fullmatch(name) else None
