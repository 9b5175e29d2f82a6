"""All evidence of one message as Facts."""

from __future__ import annotations

from collections.abc import Callable, Collection

from dkimgate import domains
from dkimgate.author import author_of
from dkimgate.config import Config
from dkimgate.evidence import spam
from dkimgate.evidence.claims import arrival_of, claims_of
from dkimgate.evidence.signs import message_id, signs_of
from dkimgate.facts import Facts
from dkimgate.message import Message
from dkimgate.route import route_of

OutgoingSpf = Callable[[str | None, bool], tuple[bool, str]]
"""(author domain, is it hosted) -> would the envelope pass SPF, aligned, at the next hop; and whence that is known."""


def facts_of(message: Message, config: Config, key_domains: Collection[str], outgoing_spf: OutgoingSpf, now: float | None = None) -> Facts:
    """Everything the decision may look at. `key_domains`: the domains of the keys we hold. `now`: the time, in seconds since the epoch;
    the facts hold what follows from it, so that deciding needs no clock. Without it, nothing is far off or expired.
    """
    author = author_of(message.header)
    domain = None if message.problem else author.domain
    route = route_of(message, config.trust)
    verdicts = spam.verdicts_of(message.header, config.spam_fields)
    claims = claims_of(message, route, config.trust, verdicts)
    verdict = spam.worst(stated.spam for stated in verdicts)
    arrival, upstream = arrival_of(claims, domain, route.origin.outside, config.trust, verdict)
    hosted = domains.covering(domain, key_domains) if domain else None
    spf_passes, spf_source = outgoing_spf(domain, hosted is not None)
    return Facts(
        client=message.connection,
        sender=message.envelope.sender,
        recipients=message.envelope.recipients,
        author=domain,
        author_problem=message.problem or author.problem,
        hosted=hosted,
        origin=route.origin,
        origin_why=route.why,
        border=route.border,
        claims=claims,
        arrival=arrival,
        upstream=upstream,
        header=signs_of(message, author, route.origin.outside, frozenset(key_domains), now),
        spf_passes=spf_passes,
        spf_source=spf_source,
        forwarder_aligns=_forwarder_aligns(config, domain),
        message_id=message_id(message),
    )


def _forwarder_aligns(config: Config, author: str | None) -> bool:
    """Without a single author domain, a reader may take any for it: then the forwarder's is taken to align."""
    if config.forwarder is None:
        return False
    return author is None or domains.may_align(config.forwarder.domain, author)
