"""The results of each method, as RFC 8601 section 2.7 and the RFCs of the methods define them, and the words that hosts
write instead."""

from __future__ import annotations

from enum import StrEnum


class Result(StrEnum):
    """What all methods have in common."""

    @property
    def hurts(self) -> bool:
        """The message looks worse with it than if nobody had said anything."""
        return self.value in ("fail", "softfail", "permerror", "temperror")


class DmarcResult(Result):
    """DMARC (RFC 9989 section 9.2)."""

    PASS = "pass"  # an aligned DKIM signature or aligned SPF passed
    NONE = "none"  # the author domain has no record
    FAIL = "fail"  # it has one, and nothing aligned passed
    PERMERROR = "permerror"  # the record can't be read
    TEMPERROR = "temperror"  # DNS gave no answer
    UNKNOWN = "unknown"  # our own word: it came from outside, and nobody who is believed says anything


class SpfResult(Result):
    """SPF (RFC 7208 section 2.6)."""

    NONE = "none"  # the domain has no record
    PASS = "pass"  # the client may send for the domain
    FAIL = "fail"  # it may not
    SOFTFAIL = "softfail"  # it probably may not
    POLICY = "policy"  # a local rule decided (RFC 8601 section 2.7.2)
    NEUTRAL = "neutral"  # the record says nothing about this client
    TEMPERROR = "temperror"  # DNS gave no answer
    PERMERROR = "permerror"  # the record can't be read


class DkimResult(Result):
    """DKIM (RFC 8601 section 2.7.1)."""

    NONE = "none"  # the message is not signed
    PASS = "pass"  # a signature verifies
    FAIL = "fail"  # it does not
    POLICY = "policy"  # it verifies, and is not accepted
    NEUTRAL = "neutral"  # the signature can't be read
    TEMPERROR = "temperror"  # the key could not be looked up
    PERMERROR = "permerror"  # the signature can't ever be verified


class ArcResult(Result):
    """ARC (RFC 8617 section 4.4), and the errors of those who look keys up."""

    NONE = "none"  # there is no chain
    PASS = "pass"  # the chain is whole
    FAIL = "fail"  # it is not
    TEMPERROR = "temperror"  # a key could not be looked up
    PERMERROR = "permerror"  # a key can't be read


RESULTS: dict[str, type[Result]] = {"dmarc": DmarcResult, "spf": SpfResult, "dkim": DkimResult, "arc": ArcResult}
"""By the name of the method in Authentication-Results."""

SYNONYMS = {
    "bestguesspass": "none",  # Microsoft: no record, it would have passed a guessed one
    "hardfail": "fail",
    "reject": "fail",
    "quarantine": "fail",
    "error": "temperror",
    "timeout": "temperror",  # Microsoft, of a key that it could not look up
    **dict.fromkeys(("tempfail", "temp_fail", "temp-fail"), "temperror"),
    **dict.fromkeys(("permfail", "perm_fail", "perm-fail", "invalid"), "permerror"),  # AOL, Yahoo, Mail.ru
}
"""What hosts write, and the result that they mean."""


def words(method: str) -> tuple[str, ...]:
    """The results of a method, as text."""
    return tuple(str(result) for result in RESULTS[method])


def hurting(method: str) -> frozenset[str]:
    """Those that hurt."""
    return frozenset(str(result) for result in RESULTS[method] if result.hurts)
