"""Results that stand in other fields than Authentication-Results: what hurts in them is heard too, and nothing that
helps.

Hosts put a foreign field aside before they write their own (Authentication-Results-Original,
X-Original-Authentication-Results, X-MS-Exchange-Authentication-Results), seal it (ARC-Authentication-Results, RFC 8617
section 4.1.1), or state results under names of their own (X-Proofpoint-SPF-Result, X-Mailgun-Dkim-Check-Result,
X-KSMG-AntiSpam-Auth). No list of such names is ever whole, so the form of the name decides. Nothing is verified here: a
seal, ours too, makes no `fail` truer or less true.
"""

from __future__ import annotations

import functools
import re
from enum import StrEnum

from dkimgate.arc.fields import RESULTS as SEALED
from dkimgate.arc.fields import split_results
from dkimgate.authres import authentication_results
from dkimgate.authres.authentication_results import Reading, Result
from dkimgate.message.message import HeaderField
from dkimgate.spf import received_spf

_LONGEST_KNOWN = 64  # characters: longer names would only fill the cache


class Kind(StrEnum):
    """What a field is, by its name."""

    OTHER = "other"  # it states no results
    RESULTS = "results"  # `method=result` anywhere in it
    SPF = "spf"  # a copy of Received-SPF (RFC 7208 section 9.1)
    METHOD = "method"  # one method, which the name tells; its result is the first word


_ODD = re.compile(r"[^!-9;-~]")  # what some reader drops from a name
_METHOD = re.compile(r"(?:spf|dkim|dmarc)\Z")
_WORD = re.compile(r"[\s\"'(]{0,20}([a-z_-]{1,20})(?![\w-])", re.IGNORECASE)
# `X-DMARC-Policy: reject` says what the domain wants, not what was found
_STATES_A_POLICY = frozenset({"reject", "quarantine"})


def _kind(key: str) -> tuple[Kind, str | None]:
    name = _ODD.sub("", key).replace("_", "-")
    if "authentication-results" in name:
        return Kind.RESULTS, None
    if "received-spf" in name:
        return Kind.SPF, None
    parts = name.split("-")
    if "signature" in parts or "filter" in parts:  # DKIM-Filter tells the version of OpenDKIM
        return Kind.OTHER, None
    # the last of them: X-MDSPF-Result, X-Mailgun-Dkim-Check-Result
    method = next((match[0] for part in reversed(parts) if (match := _METHOD.search(part))), None)
    if method is not None:
        return Kind.METHOD, method
    return (Kind.RESULTS if "auth" in parts or "authentication" in parts else Kind.OTHER), None


_known_kind = functools.lru_cache(maxsize=4096)(_kind)


def kind_of(key: str) -> tuple[Kind, str | None]:
    """What a field is by its name in lower case, and the method that the name tells. For every field but
    Authentication-Results and Received-SPF themselves."""
    return _known_kind(key) if len(key) <= _LONGEST_KNOWN else _kind(key)


def states_results(name: str) -> bool:
    """Could a field of that name say something that hurts?"""
    return kind_of(name.lower())[0] is not Kind.OTHER


def read(field: HeaderField) -> Reading | None:
    """What hurts in such a field; None where it is none. Never raises, and takes time linear in its size."""
    kind, method = kind_of(field.key)
    match kind:
        case Kind.OTHER:
            return None
        case Kind.SPF:
            return _copy_of_received_spf(field.text)
        case Kind.METHOD:
            text = field.text
            stated = _stated(method, text) if method is not None else ()
            return Reading(None, tuple(dict.fromkeys((*stated, *authentication_results.hurting(text)))), strict=False)
        case Kind.RESULTS:
            text = split_results(field)[1] if field.key == SEALED else field.text
            return authentication_results.read_what_hurts(text)


def _stated(method: str, text: str) -> tuple[Result, ...]:
    """The first word, where the field begins with a bad result."""
    match = _WORD.match(text)
    if match is None or match[1].lower() in _STATES_A_POLICY:
        return ()
    return authentication_results.hurting(f"{method}={match[1]}")


def _copy_of_received_spf(text: str) -> Reading:
    found = received_spf.read(text)
    results = authentication_results.hurting(f"spf={found.result}") if found is not None else ()
    return Reading(found.receiver if found is not None else None, results, strict=False)
