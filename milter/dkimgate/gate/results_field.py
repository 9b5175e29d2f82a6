"""Results in our own name (RFC 8601 section 2.2): the field that a border adds, and what an ARC set says of an arrival.

Nothing that a sender wrote is repeated but domain names and selectors that are plain tokens: a value that would have to
be quoted is left out, for not every reader unquotes it. Of an address, the domain alone is told.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from dkimgate.arc.arc_set import ChainState
from dkimgate.authres import methods
from dkimgate.evidence import grounds
from dkimgate.facts import Claim, Facts, Standing

_METHODS = ("spf", "dkim", "arc", "dmarc")
_PROPERTIES = ("smtp.mailfrom", "smtp.helo", "header.d", "header.s", "header.a", "header.from", "policy.dmarc")
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,253}")  # a token of RFC 2045 that no reader has to quote
_MOST = 20
_SPF, _DKIM = methods.words("spf"), methods.words("dkim")


def results_field(authserv_id: str, claims: Iterable[Claim]) -> bytes:
    """The value of the field, without white space in front; folds are LF and a tab. Only what was checked here goes
    into it."""
    checked = [claim for claim in claims if claim.standing is Standing.VERIFIED and claim.method in _METHODS]
    stated = [_resinfo(claim) for claim in sorted(checked, key=lambda claim: _METHODS.index(claim.method))[-_MOST:]]
    return (f"{authserv_id};" + ("".join(f"\n\t{text};" for text in stated)[:-1] if stated else " none")).encode(
        "ascii"
    )


def arrival_results(authserv_id: str, facts: Facts, chain: ChainState) -> str:
    """What our ARC set says of the arrival (RFC 8617 section 4.1.1), in one line, the authserv-id first.

    Whoever trusts our seal lets a message pass by it, so it says what the decision was made on, and nothing better: one
    DMARC result, the arrival's, with the author domain that it holds for; `pass` and `none` only where a host of ours
    said so. Of SPF and DKIM it tells the results that are believed, or the worst that anyone says. A verdict of spam
    goes with them.
    """
    told = [
        _arc(facts, chain),
        *_believed(facts, "spf", _SPF, facts.arrival.spf),
        *_believed(facts, "dkim", _DKIM, facts.arrival.dkim),
    ]
    return "; ".join((authserv_id, *told, *_dmarc(facts), *_spam(facts)))


def _arc(facts: Facts, chain: ChainState) -> str:
    told = [f"arc={chain.cv}"]
    if facts.outside and facts.border is not None and (address := _address(facts.border.ip)) is not None:
        told.append(f"smtp.remote-ip={address}")
    if chain.oldest_pass is not None:
        told.append(f"header.oldest-pass={chain.oldest_pass}")
    return " ".join(told)


def _address(ip: str | None) -> str | None:
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return None if address.scope_id else f'"{address}"'  # a colon has to be quoted; a scope may hold anything


def _believed(facts: Facts, method: str, words: tuple[str, ...], arrival: str) -> list[str]:
    claims = [
        claim for claim in facts.claims if claim.method == method and claim.is_believed() and claim.result in words
    ]
    # a pass that DMARC may rest on must not fall off the end
    claims.sort(key=lambda claim: facts.author is None or not grounds.aligned_pass(claim, facts.author))
    return list(dict.fromkeys(map(_resinfo, claims)))[:_MOST] or ([f"{method}={arrival}"] if arrival != "none" else [])


def _dmarc(facts: Facts) -> list[str]:
    result, author = facts.arrival.dmarc, facts.author
    if result in ("pass", "none"):
        if author is None or not any(claim.method == "dmarc" and claim.is_believed() for claim in facts.claims):
            return []
    elif result not in methods.hurting("dmarc"):
        return []
    return [f"dmarc={result}" + (f" header.from={author}" if author is not None and _PLAIN.fullmatch(author) else "")]


def _spam(facts: Facts) -> list[str]:
    spam = facts.arrival.spam
    return [f"x-spam=yes policy.score={spam.score:.1f} policy.required={spam.required:.1f}"] if spam.spam else []


def _resinfo(claim: Claim) -> str:
    told = [f"{claim.method}={claim.result}"]
    for name, value in claim.properties:
        plain = value.rpartition("@")[2]
        if name in _PROPERTIES and _PLAIN.fullmatch(plain):
            told.append(f"{name}={plain}")
    return " ".join(told)
