"""Law 1, whatever the policy says, short of `allow_laundering`. It shares nothing with `decide`, so that one mistake
can't open both.

A forgery can look good by two doors: an aligned DKIM signature, and an envelope that passes SPF, aligned. Each has its
guard.
"""

from __future__ import annotations

from dkimgate.facts import Decision, EnvelopeAction, Facts, Origin, Sign


def refuses_signature(facts: Facts, decision: Decision) -> str | None:
    """Why the decision's signature must not be made, in words; None where the law has nothing against it.

    The forwarder's own signature counts as an aligned one where it would align, and where nobody can say: of two From
    fields a receiver may look at the one that names the forwarder.
    """
    if decision.sign is Sign.NONE or decision.laundering is not None:
        return None
    if facts.author is None:
        return "there is not exactly one author domain"
    if decision.sign is Sign.FORWARDER and not facts.forwarder_aligns:
        return None
    if _ours(facts):
        return None
    if facts.arrival.dmarc not in ("pass", "none"):
        return f"it came from outside with dmarc={facts.arrival.dmarc}"
    # not "score >= required": a score that is no number must not look like ham
    if facts.arrival.spam.flag or not facts.arrival.spam.score < facts.arrival.spam.required:
        return "it came from outside as spam"
    return None


def refuses_envelope(facts: Facts, decision: Decision) -> str | None:
    """Why the message must not leave with this envelope sender, in words; None where the law has nothing against it."""
    if decision.laundering is not None or not decision.disposition.leaves:
        return None
    if not facts.spf_passes or decision.envelope is EnvelopeAction.UNALIGN or _ours(facts):
        return None
    if facts.arrival.dmarc in ("pass", "none"):
        return None
    return f"its envelope would pass SPF, though it came from outside with dmarc={facts.arrival.dmarc}"


def _ours(facts: Facts) -> bool:
    return facts.origin in (Origin.SUBMITTED, Origin.LOCAL) or (facts.origin is Origin.RELAYED and facts.relay)
