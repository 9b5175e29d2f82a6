"""What nobody has checked, this process checks: SPF, DKIM, DMARC and ARC of the message as it arrived.

Nothing is asked and no body is wanted where the answer could not count: for mail from inside, and with `when: missing` where a host of ours
has stated a DMARC result already.
"""

from __future__ import annotations

from dataclasses import replace

from dkimgate.config import Config
from dkimgate.evidence import arc
from dkimgate.evidence.own_dkim import check_signatures
from dkimgate.evidence.own_dmarc import BOTH, check_dmarc, prepare
from dkimgate.evidence.own_spf import check_spf, entry_of
from dkimgate.facts import Claim, Standing
from dkimgate.message import Message
from dkimgate.resolver import Lookup
from dkimgate.route import Route

_ARC = "arc-seal"


def wanted(claims: tuple[Claim, ...], route: Route, config: Config) -> bool:
    """Is anything to be checked here, beside the claims of the header?"""
    if not route.origin.outside:
        return False
    match config.verify.when:
        case "never":
            return False
        case "always":
            return True
    return not _settled(claims)


def _settled(claims: tuple[Claim, ...]) -> bool:
    """A DMARC result that is believed is there."""
    return any(claim.method == "dmarc" and claim.standing is not Standing.UPSTREAM for claim in claims)


def own_claims(
    message: Message, route: Route, author: str | None, body: bytes, config: Config, lookup: Lookup, now: float
) -> tuple[Claim, ...]:
    """The claims of the checks. Never raises for the sake of a message; where DNS fails, a result is never `pass` for that.

    `author` is the author domain, `body` has CRLF line ends, `now` is the time of arrival in seconds. The results of a trusted ARC sealer
    stand for our own DMARC where nobody else has stated one: what he changed, no check here could pass. So his chain comes
    first; a stranger's comes last, where it can't use up the time and the questions of the other checks.
    """
    sealers = config.trust.arc_sealers
    chained = any(field.key == _ARC for field in message.header)
    found: tuple[Claim, ...] = ()
    if chained and sealers:
        found = _arc_claims(message, route, author, body, config, lookup, now)
        if _settled(found) and config.verify.when != "always":
            return found
    found += _dmarc_claims(message, route, author, body, config, lookup, now)
    if chained and not sealers:
        found += _arc_claims(message, route, author, body, config, lookup, now)
    return found


def too_large(limit: int) -> tuple[Claim, ...]:
    """What stands for the checks of a message whose body is too large for them: nobody knows, and that is no pass."""
    return (
        Claim("dmarc", "temperror", None, "", Standing.VERIFIED, f"not checked: the body is larger than verify.body_limit ({limit} bytes)"),
    )


def _above(route: Route) -> int:
    """How many fields from the top our hosts added after the message had entered."""
    return route.border_hop.position + 1 if route.border_hop is not None else 0


def _dmarc_claims(
    message: Message, route: Route, author: str | None, body: bytes, config: Config, lookup: Lookup, now: float
) -> tuple[Claim, ...]:
    if author is not None:
        prepare(author, lookup)
    entry = entry_of(message, route)
    spf = check_spf(entry.ip, entry.helo, entry.sender, lookup)
    signatures = check_signatures(message.header, body, author, lookup, now, _above(route), config.verify.signatures)
    readings = BOTH if config.verify.dmarc == "both" else (config.verify.dmarc,)
    dmarc = check_dmarc(author, spf, signatures, lookup, readings).claim()
    claims = [spf.claim()] if spf is not None else []
    claims += [signature.claim() for signature in signatures]
    return (*claims, dmarc) if dmarc is not None else tuple(claims)


def _arc_claims(
    message: Message, route: Route, author: str | None, body: bytes, config: Config, lookup: Lookup, now: float
) -> tuple[Claim, ...]:
    above = _above(route)
    chain = arc.validate(message.header[above:], body, lookup, now)
    return tuple(replace(claim, position=claim.position + above) for claim in arc.claims(chain, config.trust.arc_sealers, author))
