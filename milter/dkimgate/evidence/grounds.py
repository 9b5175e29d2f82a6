"""What a pass rests on: a DMARC pass helps only where something that was checked, or is beyond a sender's reach, is
reason enough for it.

Our own verifiers may have been talked into it, and a local program may have removed what shows that. So where believing
it would earn the message something, a pass of theirs (or `none`: the author domain has no record) needs what this
process has verified: an aligned DKIM signature or, in the session of the border, aligned SPF, by which DMARC passes
(RFC 9989); or a passport of our border.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from dkimgate.evidence import result_words
from dkimgate.evidence.route import Route
from dkimgate.facts import Claim, Standing
from dkimgate.message import domains
from dkimgate.message.message import Message
from dkimgate.message.received import address_of, is_loopback

_PROOFS = ("X-Dkimgate-Passport", "ARC-Authentication-Results")
"""Fields whose trusted claims are proved by themselves: the MAC of a passport, or the seal of a trusted sealer, was
verified here."""

_ADDRESS_TOLD = re.compile(r"(?:client-ip=|designates? )([0-9A-Fa-f:.]{2,45})")
_LATER = "our own word, but of a later hop: it says what came from a host of ours, not how the message arrived"
_NO_PROOF = "our own word, but SPF is proved only in the border's own session, or by a passport"
_OF_ANYBODY = "anyone may send through the client that SPF was asked about (trust.relays does not name it)"


def of_the_arrival(claims: Iterable[Claim], message: Message, route: Route) -> list[Claim]:
    """The claims, those that help made upstream where they are not about the session in which the message entered.

    A host of ours that verifies what another of ours hands on finds that host's address, which the SPF record of the
    author domain may list, and calls a forgery a pass. So a word of ours helps only where it stands between the
    border's Received field and the next newer one over the network (no SPF record lists a loopback address); and not at
    all where a host of the network hands the message to this session, for a verifier of this session writes in the same
    place. Where the field tells an address, it has to be that of the border's client.

    Behind a client of trust.networks that trust.relays does not name (a bridge, a proxy) nobody sees the border, so the
    same holds of the session with that client; and SPF of its address, which may be one of ours, says nothing of who
    stands behind it.
    """
    border = route.border_hop
    entry = border or next((hop for hop in route.hops if hop.position == route.unnamed), None)
    if entry is None:
        return list(claims)
    above = [hop.position for hop in route.hops if hop.position < entry.position and not _is_this_host(hop.ip)]
    newer = max(above, default=-1)
    by_network = not _is_this_host(message.connection.ip) and message.connection.auth is None
    claims = list(claims)
    helping = {claim.position for claim in claims if _helps(claim)}
    later = {at for at in helping if at < newer or by_network or _tells_another(message.header[at].text, entry.ip)}
    found = [claim.as_upstream(_LATER) if claim.position in later and _helps(claim) else claim for claim in claims]
    return found if border is not None else list(without_spf(found, _OF_ANYBODY))


def without_words_of_spf(claims: Iterable[Claim]) -> list[Claim]:
    """The claims, every pass of SPF made upstream.

    SPF is proved in the session of the border alone, where client and sender are at hand and this process asks, or by a
    passport of that border. What stands in a header is a text: a border may have overlooked it, Postfix or a list may
    have made the sender that it tells, and any program on a host of ours can write it, the border's Received field
    with it.
    """
    return [claim.as_upstream(_NO_PROOF) if claim.passes("spf") else claim for claim in claims]


def without_spf(claims: Iterable[Claim], why: str) -> tuple[Claim, ...]:
    """The claims where SPF was asked of a client whose address says nothing of the author: no pass of it helps, and no
    pass of DMARC that for all that is known rests on it."""
    known = [claim.as_upstream(f"our own word, but {why}") if claim.passes("spf") else claim for claim in claims]
    return tuple(stated(known, f"our own result, but it may depend on SPF, and {why}"))


def _helps(claim: Claim) -> bool:
    return claim.is_believed() and result_words.helps(claim.result)


def _tells_another(text: str, ip: str | None) -> bool:
    """Does a field tell a client of another address?"""
    client = address_of(ip)
    return any(client is None or address_of(told) != client for told in _ADDRESS_TOLD.findall(text))


def _is_this_host(ip: str | None) -> bool:
    """A process of this host handed it in: by sendmail(1), a unix-domain socket, or a loopback address."""
    return ip is None or is_loopback(ip)


def domains_of(claim: Claim) -> list[str]:
    """The domains that a result of SPF or DKIM speaks of."""
    names = {"spf": ("smtp.mailfrom",), "dkim": ("header.d", "header.i")}.get(claim.method, ())
    found = (domains.of_address(value) for name in names if (value := claim.only(name)))
    return [domain for domain in found if domain is not None]


def aligned_pass(claim: Claim, author: str) -> bool:
    """A believed pass of SPF or DKIM, of a domain that aligns with the author domain."""
    return (
        claim.is_believed()
        and claim.result == "pass"
        and any(domains.aligned(domain, author) for domain in domains_of(claim))
    )


def stated(claims: Iterable[Claim], why: str) -> list[Claim]:
    """The claims of verifiers that the sender may have misled: a DMARC pass stays trusted only where a pass of SPF or
    DKIM that is trusted too is reason enough for it. Else it is upstream, and `why` says so."""
    claims = list(claims)
    found = {
        domain for claim in claims if claim.is_believed() and claim.result == "pass" for domain in domains_of(claim)
    }
    return [claim if _has_reason(claim, found) else claim.as_upstream(why) for claim in claims]


def _has_reason(claim: Claim, found: set[str]) -> bool:
    if not claim.passes("dmarc"):
        return True
    author = domains.of_address(claim.property("header.from") or "")
    return author is not None and any(domains.aligned(domain, author) for domain in found)


def wants_proof(claims: Iterable[Claim], author: str | None) -> bool:
    """Is there a statement of ours that would help, and is not proved yet?"""
    claims = tuple(claims)
    offered = any(_is_word(claim) and claim.method == "dmarc" and result_words.helps(claim.result) for claim in claims)
    return offered and not _proved(claims, author)


def within_reach(claims: Iterable[Claim], route: Route) -> bool:
    """Is there a word of ours that helps where a sender can have written it, if the border overlooked it? It is proved
    whatever it earns: that a message is not refused, held or weighed is something too."""
    return any(_is_word(claim) and _helps(claim) and claim.position >= route.ours_above for claim in claims)


def proved(claims: Iterable[Claim], author: str | None) -> tuple[Claim, ...]:
    """The claims, those of ours that help without a ground made upstream. `author` is the author domain."""
    claims = tuple(claims)
    whole = _proved(claims, author)
    return tuple(claim if _keeps(claim, claims, author, whole) else _unproved(claim, author) for claim in claims)


def _keeps(claim: Claim, claims: tuple[Claim, ...], author: str | None, whole: bool) -> bool:
    """Is there a ground for what the claim says? `whole`: there is one for the author domain. A pass of another domain
    needs its own."""
    another = pass_of_another(claim, author)
    return whole if another is None else any(aligned_pass(each, another) and not _is_word(each) for each in claims)


def pass_of_another(claim: Claim, author: str | None) -> str | None:
    """The domain of a DMARC pass that says nothing for the author domain, as From was changed since; None for every
    other claim. A verifier may name the domain of the policy, which heads the author's: that is no other one."""
    if claim.method != "dmarc" or claim.result != "pass":
        return None
    named = domains.of_address(claim.property("header.from") or "")
    return None if named is None or domains.is_or_heads(named, author) else named


def without_words(claims: Iterable[Claim], why: str) -> tuple[Claim, ...]:
    """The claims where no statement in a header field may help, but for those of passports."""
    return tuple(claim.as_upstream(why) if _is_word(claim) else claim for claim in claims)


def without_none(claims: Iterable[Claim], why: str) -> tuple[Claim, ...]:
    """The claims where that the author domain has no DMARC record, found by whomever, may not help."""
    return tuple(claim.as_upstream(why) if _is_none(claim) else claim for claim in claims)


def _is_none(claim: Claim) -> bool:
    return claim.method == "dmarc" and claim.is_believed() and result_words.dmarc_meaning(claim.result) == "none"


def _is_word(claim: Claim) -> bool:
    """Stated by a host of ours in plain text, where a passport or a seal would be proof of its own."""
    return claim.standing is Standing.TRUSTED and claim.field not in _PROOFS


def _proved(claims: tuple[Claim, ...], author: str | None) -> bool:
    """Something other than our verifiers' DMARC word tells that it is so."""
    if author is None:
        return False
    return any(
        claim.method == "dmarc"
        and result_words.helps(claim.result)
        and claim.is_believed()
        and not _is_word(claim)
        and pass_of_another(claim, author) is None
        for claim in claims
    )


def _unproved(claim: Claim, author: str | None) -> Claim:
    if not _is_word(claim) or not result_words.helps(claim.result):
        return claim
    if claim.method == "dmarc":
        return claim.as_upstream("our own word, but nothing that was checked here is reason for it")
    if claim.method == "dkim" and author is not None and aligned_pass(claim, author):
        return claim.as_upstream("our own word, but no such signature was verified here")
    return claim
