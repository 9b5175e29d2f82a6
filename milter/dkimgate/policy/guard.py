"""Law 1, whatever the policy says, short of `allow_laundering`. It shares nothing with `decide`, so that one mistake can't open both."""

from __future__ import annotations

from dkimgate.facts import Decision, Facts, Origin, Sign


def refuses(facts: Facts, decision: Decision) -> str | None:
    """Why the decision's signature must not be made, in words; None where the law has nothing against it.

    The forwarder's own signature counts as an aligned one where it would align, and where nobody can say: of two From fields a
    receiver may look at the one that names the forwarder.
    """
    if decision.sign is Sign.NONE or decision.laundering is not None:
        return None
    if facts.author is None:
        return "there is not exactly one author domain"
    if decision.sign is Sign.FORWARDER and not facts.forwarder_aligns:
        return None
    if facts.origin in (Origin.SUBMITTED, Origin.LOCAL) or (facts.origin is Origin.RELAYED and facts.relay):
        return None
    if facts.arrival.dmarc not in ("pass", "none"):
        return f"it came from outside with dmarc={facts.arrival.dmarc}"
    # not "score >= required": a score that is no number must not look like ham
    if facts.arrival.spam.flag or not facts.arrival.spam.score < facts.arrival.spam.required:
        return "it came from outside as spam"
    return None
