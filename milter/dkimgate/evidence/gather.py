"""All evidence of one message as Facts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from dkimgate.config.dkimgate_yaml import Config
from dkimgate.dns.resolver import Address
from dkimgate.evidence import forgotten_host, grounds, our_signatures, spam
from dkimgate.evidence.claims import arrival_of, claims_of, passes_of_others_told
from dkimgate.evidence.header_signs import message_id, signs_of
from dkimgate.evidence.our_signatures import Ours
from dkimgate.evidence.route import Route, route_of
from dkimgate.facts import Arrival, Claim, Facts, Spam
from dkimgate.message import domains
from dkimgate.message.author import Author, author_of, author_of_ours
from dkimgate.message.lines import LONGEST_LINE
from dkimgate.message.message import Message


@dataclass(frozen=True, slots=True)
class Seen:
    """What the header of a message says: its author, the way it came, and every claim with its standing.
    `by_host_of_ours`: a host of ours handed it in that trust.networks does not name (see `forgotten_host`).
    `remade`: why the next receiver may find another author than that of the header, in words; None where he finds the
    same. Where he surely finds another, there is no `domain`."""

    message: Message
    author: Author
    domain: str | None
    route: Route
    claims: tuple[Claim, ...]
    verdicts: tuple[spam.SpamVerdict, ...]
    by_host_of_ours: bool = False
    remade: str | None = None


def see(message: Message, config: Config, addresses: Collection[Address] = ()) -> Seen:
    """Read a header. Asks nobody. `addresses`: what our own mail may leave from."""
    route = route_of(message, config.trust)
    # of our own mail the gate folds the lines, and one domain behind every reading of From is enough
    author = author_of(message.header, _longest_line(config)) if route.outside else author_of_ours(message.header, 0)
    verdicts = tuple(spam.verdicts_of(message.header, config.spam_fields, route.ours_above))
    claims = claims_of(message, route, config.trust, verdicts)
    by_host_of_ours = forgotten_host.handed_in(message, route, config.trust, addresses)
    if by_host_of_ours:
        claims = grounds.without_spf(claims, forgotten_host.WHY)
    if route.outside and config.demands_passport:
        claims = grounds.without_words(
            claims, "our own word, but no valid passport: passport.required wants one of what came by a border"
        )
    return Seen(message, author, None if message.problem else author.domain, route, claims, verdicts, by_host_of_ours)


def _longest_line(config: Config) -> int:
    """Above 998 octets somebody breaks a line, if not our Postfix then another host (RFC 5322 section 2.1.1)."""
    return min(config.departure.line_length_limit or LONGEST_LINE, LONGEST_LINE)


def facts_of(
    seen: Seen,
    config: Config,
    key_domains: Collection[str],
    outgoing_spf: tuple[bool, str],
    found: tuple[Claim, ...] = (),
    stated: Spam | None = None,
    now: float | None = None,
    ours: Ours | None = None,
    earns: bool = False,
    named: frozenset[str] | None = None,
) -> Facts:
    """Everything the decision may look at. `key_domains`: the domains of the keys we hold. `outgoing_spf`:
    would the envelope pass SPF, aligned, at the next hop; and whence that is known. `found`: claims of our own
    checks and of passports. `stated`: the spam verdict of passports. `now`: the time, in seconds since the epoch; the
    facts hold what follows from it, so that deciding needs no clock. Without it, nothing is far off or expired. `ours`:
    what of the message is our own work.
    `earns`: a pass would earn the message something, so it has to be proved, unless the operator has nothing verified
    here.
    `named`: `key_domains` as names, with those whose keys can't be used.
    """
    message, domain, route = seen.message, seen.domain, seen.route
    claims = seen.claims + found
    if seen.remade is not None:
        claims = grounds.without_none(claims, seen.remade)
    if route.outside and config.verify.when != "never" and (earns or config.verify.when == "always"):
        claims = grounds.proved(claims, domain)
    verdicts = [verdict.spam for verdict in seen.verdicts]
    verdict = spam.worst([*verdicts, stated] if stated is not None else verdicts)
    arrival, upstream = arrival_of(claims, domain, route.outside, config.trust, verdict)
    claims = passes_of_others_told(claims, domain, config.trust)
    if ours is not None:
        claims, arrival = our_signatures.discounted(claims, arrival, domain, ours)
    hosted = domains.covering(domain, key_domains) if domain else None
    spf_passes, spf_source = outgoing_spf
    return Facts(
        client=message.connection,
        sender=message.envelope.sender,
        recipients=message.envelope.recipients,
        author=domain,
        author_problem=message.problem or seen.author.problem or (seen.remade if domain is None else None),
        hosted=hosted,
        origin=route.origin,
        origin_why=_origin_why(route, arrival),
        border=route.border,
        claims=claims,
        arrival=arrival,
        upstream=upstream,
        header=signs_of(message, seen.author, route.outside, frozenset(key_domains) if named is None else named, now),
        spf_passes=spf_passes,
        spf_source=spf_source,
        forwarder_aligns=_forwarder_aligns(config, domain),
        message_id=message_id(message),
        relay=route.relay,
        own_signature=ours is not None and hosted in ours.valid,
    )


def _origin_why(route: Route, arrival: Arrival) -> str:
    if arrival.pass_of is None:
        return route.why
    return f"{route.why}; From was changed after that: the message arrived with the DMARC pass of {arrival.pass_of}"


def _forwarder_aligns(config: Config, author: str | None) -> bool:
    """Without a single author domain, a reader may take any for it: then the forwarder's is taken to align."""
    if config.forwarder is None:
        return False
    return author is None or domains.may_align(config.forwarder.domain, author)
