"""Result words (RFC 8601 section 2.7): what the words of all kinds of hosts mean, and which of them help or hurt.

Whoever asks whether a claim helps must ask here: a word that only means `none` helps as much as `none` itself.
"""

from __future__ import annotations

DMARC = ("pass", "none", "unknown", "temperror", "permerror", "fail")
"""What a result of DMARC may mean, from good to bad; a word that is not known here means `unknown`."""

BADNESS = ("pass", "neutral", "none", "policy", "temperror", "permerror", "softfail", "fail")
"""The same of the other methods; a word that is not known here means nothing."""

HURTS = {
    "dmarc": frozenset({"fail", "permerror", "temperror"}),
    "spf": frozenset({"fail", "softfail", "permerror", "temperror"}),
    "dkim": frozenset({"fail", "permerror", "temperror"}),
    "arc": frozenset({"fail", "permerror", "temperror"}),
}
"""The meanings that hurt, by method."""

_MEANS = {
    "bestguesspass": "none",  # Microsoft: no record, it would have passed a guessed one
    "hardfail": "fail",
    "reject": "fail",
    "quarantine": "fail",
    "error": "temperror",
    "timeout": "temperror",  # Microsoft, of a key that it could not look up
    **dict.fromkeys(("tempfail", "temp_fail", "temp-fail"), "temperror"),
    **dict.fromkeys(("permfail", "perm_fail", "perm-fail", "invalid"), "permerror"),  # AOL, Yahoo, Mail.ru
}


def meaning(result: str) -> str:
    """The word of RFC 8601 for a result in lower case."""
    return _MEANS.get(result, result)


def dmarc_meaning(result: str) -> str:
    """One of DMARC."""
    word = meaning(result)
    return word if word in DMARC else "unknown"


def helps(result: str) -> bool:
    """Is that a result which makes a message look better than if nobody had said anything?"""
    return meaning(result) in ("pass", "none")
