"""What hosts of ours state of SPF, where this process can't ask."""

from __future__ import annotations

from collections.abc import Iterable

from dkimgate.evidence import result_words
from dkimgate.facts import Claim, Standing
from dkimgate.message import domains
from dkimgate.spf.check import RESULTS, Spf


def stated_spf(claims: Iterable[Claim]) -> Spf | None:
    """The result of SPF that hosts of ours state, for mail whose session with the border is over; never a pass. None
    where they state none.

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
    result = result if result in RESULTS and result != "pass" and domain is not None else "neutral"
    if result == "temperror" and not worst.is_believed():
        result = "fail"  # that it may have passed would help, and anybody can write it
    sender = mailfrom if "@" in mailfrom else f"postmaster@{mailfrom}"
    return Spf(result, domain, "mailfrom", sender, why="as a host of ours states")
