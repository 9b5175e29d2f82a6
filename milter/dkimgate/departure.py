"""What the DMARC of the next receiver will conclude, predicted from the facts and from whether we sign."""

from __future__ import annotations

from dkimgate import domains
from dkimgate.facts import Claim, Departure, Facts


def predict(facts: Facts, signed_as_author: bool, unaligned: bool = False) -> Departure:
    """The departure of the message, with our aligned signature or without, with its envelope or (`unaligned`) with a rewritten one.

    DMARC has two doors (RFC 9989), an aligned DKIM signature and aligned SPF: a pass by one of them is enough. Where the author
    domain has no DMARC record, which `none` at the arrival from outside says, no door leads to a pass. Nobody has looked for the
    record of our own users' mail: it is taken to exist where a door is open.
    """
    dkim = signed_as_author or _survives(facts)
    spf = facts.spf_passes and not unaligned
    no_record = facts.arrival.dmarc == "none" and (facts.origin.outside or not (dkim or spf))
    result = "none" if no_record else "pass" if dkim or spf else "fail"
    return Departure(dmarc=result, dkim_aligned=dkim, spf_aligned=spf)


def _survives(facts: Facts) -> bool:
    """An aligned signature that made DMARC pass at arrival is still in the header, and nothing here breaks it. So is one of our own,
    which is no proof of a good arrival, but leaves with the message all the same; and so is one that our users' mail bore already."""
    if facts.author is None:
        return False
    if facts.header.aligned_signature and not facts.origin.outside:
        return True  # nobody verified it, for it says nothing of who handed the message in: in doubt it is valid
    if facts.own_signature and (not facts.origin.outside or facts.arrival.dmarc in ("pass", "none")):
        return True
    if facts.arrival.dmarc != "pass":
        return False
    author = facts.author
    return any(domains.aligned(domain, author) for claim in facts.claims for domain in _believed_signers(claim))


def _believed_signers(claim: Claim) -> list[str]:
    """The domain of a DKIM pass that we believe: header.d, or what stands behind the @ of header.i (RFC 8601 section 2.7.1)."""
    if claim.method != "dkim" or claim.result != "pass" or not claim.is_believed():
        return []
    identity = claim.property("header.i")
    written = claim.property("header.d") or (identity.rpartition("@")[2] if identity else "")
    domain = domains.a_label(written)
    return [domain] if domain else []
