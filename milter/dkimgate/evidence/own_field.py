"""An Authentication-Results field in our own name (RFC 8601 section 2.2), for the results of our own checks."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dkimgate.facts import Claim, Standing

_METHODS = ("spf", "dkim", "arc", "dmarc")
_PROPERTIES = ("smtp.mailfrom", "smtp.helo", "header.d", "header.s", "header.a", "header.from", "policy.dmarc")
_PLAIN = re.compile(r"[A-Za-z0-9._-]+")  # a token of RFC 2045 that no reader has to quote
_MOST = 20


def results_field(authserv_id: str, claims: Iterable[Claim]) -> bytes:
    """The value of the field, without white space in front; folds are LF and a tab. Only what was checked here goes into it.

    Nothing that a sender wrote is repeated but domain names and selectors that are plain tokens: a value that would have to be quoted
    is left out, for not every reader unquotes it. Of an address, the domain alone is told.
    """
    checked = [claim for claim in claims if claim.standing is Standing.VERIFIED and claim.method in _METHODS]
    stated = [_resinfo(claim) for claim in sorted(checked, key=lambda claim: _METHODS.index(claim.method))[-_MOST:]]
    return (f"{authserv_id};" + ("".join(f"\n\t{text};" for text in stated)[:-1] if stated else " none")).encode("ascii")


def _resinfo(claim: Claim) -> str:
    told = [f"{claim.method}={claim.result}"]
    for name, value in claim.properties:
        plain = value.rpartition("@")[2]
        if name in _PROPERTIES and _PLAIN.fullmatch(plain):
            told.append(f"{name}={plain}")
    return " ".join(told)
