"""The session that SPF is about, and what hosts of ours state of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dkimgate.evidence import result_words
from dkimgate.evidence.route import Hop, Route
from dkimgate.facts import Claim, Origin, Standing
from dkimgate.message import domains
from dkimgate.message.message import Message
from dkimgate.spf.check import RESULTS, Spf


@dataclass(frozen=True, slots=True)
class Entry:
    """The session in which the message entered: client address and HELO name as our border saw them, and the reverse
    path.

    None stands for what is not known for sure; the null sender is the empty string.
    """

    ip: str | None = None
    helo: str | None = None
    sender: str | None = None


def entry_of(message: Message, route: Route) -> Entry:
    """The session that SPF is about.

    Where this session is the border, it is at hand. For re-injected mail, address and HELO name stand in the border's
    Received field. The reverse path does not: the one of this session may be that of an alias, a list, or a user's
    `sendmail -f`. If it were taken for the border's, a stranger who sends through a shared provider that the hosted
    domain's SPF lists (`include:` of it is common) would get an aligned pass: the provider's address with our user's
    sender, where the real sender was his own. So the only reverse path believed is a Return-Path above the border's
    Received field and below all others there, written at the first delivery; one that stands lower is the sender's own
    invention. Without it there is no SPF of that message.

    The first delivery need not have written one. Then the lowest is of a later one, of a message that a list, an alias
    with an `owner-`, or a user's program has sent on under a sender of its own: so between the two there must be no hop
    but of a delivery. Nor may it be an address that SRS made, for a host of ours that rewrites senders does so before
    it delivers. (`checks_here` leaves out what Postfix may have made of the sender.)
    """
    if route.origin is Origin.INBOUND:
        return Entry(message.connection.ip, message.connection.helo, message.envelope.sender)
    border = route.border_hop
    if border is None or route.ours_above < border.position or route.login_in_session:
        # a user who logged in above the border may have made all that stands below, the border's field too
        return Entry()
    return Entry(border.ip, border.helo, _first_path(message, route, border))


def _first_path(message: Message, route: Route, border: Hop) -> str | None:
    """The reverse path of the border's session, as the first delivery wrote it."""
    written = [at for at in message.positions("return-path") if at < route.ours_above]
    if not written or any(written[-1] < hop.position < border.position and not hop.is_delivery for hop in route.hops):
        return None
    match = re.fullmatch(r"<([^<>]*)>", message.header[written[-1]].text.strip())
    path = match[1].strip() if match else None
    return None if path is None or _SRS.match(path) else path


_SRS = re.compile(r"\"?SRS[01][=+-]", re.IGNORECASE)


def stated_spf(claims: Iterable[Claim]) -> Spf | None:
    """The result of SPF that hosts of ours state, for mail whose envelope is no longer the border's. None where they
    state none.

    It stands in for our own check, so that a DMARC result which does not hang on a signature can still be found wrong.
    Of several results one that is no pass counts, and before all one that hurts, whoever states it. A pass of the name
    in EHLO is none: it counts only for the null sender (RFC 9989 section 4.1), and policyd-spf states it where the
    sender's domain has no record, too.
    """
    claims = [claim for claim in claims if claim.method == "spf"]
    hurting = [claim for claim in claims if result_words.meaning(claim.result) in result_words.HURTS["spf"]]
    stated = hurting or [claim for claim in claims if claim.standing is Standing.TRUSTED]
    worst = next((claim for claim in stated if claim.result != "pass"), stated[0] if stated else None)
    if worst is None:
        return None
    mailfrom = worst.only("smtp.mailfrom") or ""
    domain = domains.of_address(mailfrom)
    result = result_words.meaning(worst.result)
    result = result if result in RESULTS and domain is not None else "neutral"
    if result == "temperror" and not worst.is_believed():
        result = "fail"  # that it may have passed would help, and anybody can write it
    sender = mailfrom if "@" in mailfrom else f"postmaster@{mailfrom}"
    return Spf(result, domain, "mailfrom", sender, why="as a host of ours states")


def stated_elsewhere(claims: Iterable[Claim], domain: str) -> bool:
    """Do results of SPF that hosts of ours state tell another sender's domain than this?"""
    told = {claim.only("smtp.mailfrom") for claim in claims if claim.method == "spf" and claim.is_believed()}
    return any(name is not None and domains.of_address(name) != domain for name in told)
