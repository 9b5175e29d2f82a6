"""What the DMARC of the next receiver will conclude, predicted from the facts and from whether we sign."""

from __future__ import annotations

import operator

from dkimgate.facts import Claim, Departure, Facts, Holds
from dkimgate.message import domains


def predict(facts: Facts, signed_as_author: bool, unaligned: bool = False, signed: bool | None = None) -> Departure:
    """The departure of the message, with our aligned signature or without, with its envelope or (`unaligned`) with a
    rewritten one.
    `signed`: a signature of ours is made, aligned or not; by default where an aligned one is.

    DMARC has two doors (RFC 9989), an aligned DKIM signature and aligned SPF: a pass by one of them is enough. Where
    the author domain has no DMARC record, which `none` at the arrival from outside says, no door leads to a pass.
    Nobody has looked for the record of our own users' mail: it is taken to exist where a door is open, or would be if
    the signature held. Nor has anybody looked for that of a message without an author; what DMARC says of such a one is
    no `none`.

    A signature opens the door only if it is valid at the next receiver: what smtp(8) changes on the way (Facts.sending)
    shuts it.
    """
    sending = facts.sending
    again, survives = _signed_again(facts), _survives(facts)
    theirs = (again or (survives and not sending.body_broken)) and not sending.others_broken
    survives = survives or again
    dkim = (signed_as_author and not sending.fields_broken and _exact_enough(facts)) or theirs
    spf = facts.spf_passes and not unaligned
    if _no_record(facts, spf or signed_as_author or survives):
        # without an author domain no door leads to a pass, and somebody has said already what DMARC makes of it
        result = "fail" if facts.author is None and facts.upstream.dmarc is not None else "none"
    else:
        result = "pass" if dkim or spf else "fail"
    made = signed_as_author if signed is None else signed
    return Departure(result, dkim, spf, _holds(facts, made and not sending.fields_broken, theirs, made or survives))


def needs_strictness(facts: Facts) -> bool:
    """May a signature by another domain than the author's own, though aligned, open the door?"""
    if facts.author is None:
        return False
    if facts.hosted not in (None, facts.author):
        return True
    signers = {domain for claim in facts.claims for domain in _believed_signers(claim)} - {facts.author}
    return facts.arrival.dmarc == "pass" and any(domains.aligned(domain, facts.author) for domain in signers)


def _exact_enough(facts: Facts) -> bool:
    """Our signature is of the author domain itself, or its DMARC record does not insist on that (adkim=s)."""
    return not facts.strict_dkim or facts.hosted is None or facts.hosted == facts.author


def _no_record(facts: Facts, door: bool) -> bool:
    if facts.arrival.dmarc != "none":
        return False
    if facts.author is None:
        return facts.outside
    return facts.outside or not door


def _holds(facts: Facts, ours: bool, theirs: bool, any_made: bool) -> Holds:
    if not any_made:
        return Holds.NONE
    if not (ours or theirs):
        return Holds.NO
    return Holds.MAYBE if facts.sending.eight_bit else Holds.YES


def _signed_again(facts: Facts) -> bool:
    """The message bears a signature of our own, made over what will be sent: no proof of a good arrival, but it leaves
    with the message."""
    if facts.author is None or not facts.own_signature or not _exact_enough(facts):
        return False
    return not facts.outside or facts.arrival.dmarc in ("pass", "none")


def _survives(facts: Facts) -> bool:
    """An aligned signature that made DMARC pass at arrival is still in the header, and nothing here breaks it; so is
    one that our users' mail bore already."""
    if facts.author is None:
        return False
    if facts.header.aligned_signature and not facts.outside:
        return True  # nobody verified it, for it says nothing of who handed the message in: in doubt it is valid
    if facts.arrival.dmarc != "pass":
        return False
    author, aligned = facts.author, operator.eq if facts.strict_dkim else domains.aligned
    return any(aligned(domain, author) for claim in facts.claims for domain in _believed_signers(claim))


def _believed_signers(claim: Claim) -> list[str]:
    """The domain of a DKIM pass that we believe: header.d, or what stands behind the @ of header.i (RFC 8601 section
    2.7.1)."""
    if not claim.passes("dkim"):
        return []
    domain = domains.of_address(claim.property("header.d") or claim.property("header.i") or "")
    return [domain] if domain else []
