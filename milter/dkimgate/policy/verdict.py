"""From facts to what really happens: the decision after the guard, the signature, and the departure. A pure function,
like the decision: recorded facts give the same result again."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dkimgate.facts import Decision, Departure, Disposition, EnvelopeAction, Facts, Sign
from dkimgate.policy import departure, guard
from dkimgate.policy.decide import decide
from dkimgate.policy.language.model import Policy


@dataclass(frozen=True, slots=True)
class Verdict:
    """`decision` is the decision after the guard. `overruled` says why the guard refused what the policy chose, or is
    None. `made` is the signature that is really made: if a rule only observes, it differs from the decision.
    `unaligned`: the envelope is rewritten."""

    decision: Decision
    departure: Departure
    made: Sign
    unaligned: bool
    overruled: str | None


def reach(facts: Facts, policy: Policy) -> Verdict:
    """What the gate does with a message of these facts under that policy."""
    decision, overruled = guarded(facts, decide(facts, policy))
    made = signature_made(facts, decision.sign, observed=decision.mode == "observe")
    return Verdict(decision, departs(facts, decision), made, _unaligned(decision), overruled)


def guarded(facts: Facts, decision: Decision) -> tuple[Decision, str | None]:
    """The decision without what the guard refuses, and why it does: no signature; a sender that is rewritten, or else a
    message that is held, so that a person sees it."""
    signature, envelope = guard.refuses_signature(facts, decision), guard.refuses_envelope(facts, decision)
    if signature is not None:
        decision = replace(decision, sign=Sign.NONE)
    if envelope is not None and facts.unalignable:
        decision = replace(decision, envelope=EnvelopeAction.UNALIGN)
    elif envelope is not None:
        decision = replace(decision, disposition=Disposition.HOLD)
    why = "; ".join(reason for reason in (signature, envelope) if reason is not None)
    return decision, why or None


def departs(facts: Facts, decision: Decision) -> Departure:
    """The departure of a message that this was decided of, the guard included."""
    made = signature_made(facts, decision.sign, observed=decision.mode == "observe")
    return departure.predict(facts, made is Sign.AUTHOR, _unaligned(decision), made is not Sign.NONE)


def _unaligned(decision: Decision) -> bool:
    return decision.mode == "enforce" and decision.envelope is EnvelopeAction.UNALIGN


def signature_made(facts: Facts, sign: Sign, *, observed: bool) -> Sign:
    """The signature that a message really gets. Where a rule only observes, all that is hosted is signed, as if there
    were no gate."""
    if observed:
        return Sign.AUTHOR if facts.hosted is not None and not facts.own_signature else Sign.NONE
    if sign is Sign.AUTHOR:
        return Sign.AUTHOR if facts.hosted is not None else Sign.NONE
    if sign is Sign.FORWARDER:
        return Sign.FORWARDER if not facts.forwarder_aligns else Sign.NONE
    return Sign.NONE
