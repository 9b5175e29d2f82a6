"""Result words (RFC 8601 section 2.7): what the words of all kinds of hosts mean, and which of them help or hurt.

Whoever asks whether a claim helps must ask here: a word that only means `none` helps as much as `none` itself.
"""

from __future__ import annotations

from dkimgate.authres import methods
from dkimgate.dmarc.evaluate import RESULTS

DMARC = RESULTS
"""What a result of DMARC may mean, from good to bad; a word that is not known here means `unknown`."""

BADNESS = ("pass", "neutral", "none", "policy", "temperror", "permerror", "softfail", "fail")
"""The same of the other methods; a word that is not known here means nothing."""

HURTS = {method: methods.hurting(method) for method in methods.RESULTS}
"""The meanings that hurt, by method."""


def meaning(result: str) -> str:
    """The word of RFC 8601 for a result in lower case."""
    return methods.SYNONYMS.get(result, result)


def dmarc_meaning(result: str) -> str:
    """One of DMARC."""
    word = meaning(result)
    return word if word in DMARC else "unknown"


def helps(result: str) -> bool:
    """Is that a result which makes a message look better than if nobody had said anything?"""
    return meaning(result) in ("pass", "none")
