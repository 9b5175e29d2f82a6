"""Signatures made with keys that we hold: is one valid on this message, and which claims speak of one?

A message that loops, or is put into the queue again, bears our signature already. It says that the message passed here
before, and nothing of how it arrived this time: were it taken for proof, whoever got one message signed could have it
signed again for ever, whatever had become of it. So what rests on our own signature alone counts as if nobody had said
it: neither for the message nor against it.

The public half of our key verifies, and no DNS is asked.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dkimgate.dkim import signature
from dkimgate.dkim.content import Content
from dkimgate.dkim.keys import SigningKey
from dkimgate.dkim.public_key import PublicKey
from dkimgate.dkim.signature import Refused, Tags
from dkimgate.evidence.claims import combined
from dkimgate.evidence.grounds import aligned_pass
from dkimgate.facts import Arrival, Claim
from dkimgate.message import domains
from dkimgate.message.message import HeaderField, Message

OWN = "own"
"""What a passport says in the place of `pass` of a signature made with a key that the border holds."""

MOST_READ = 100
"""DKIM-Signature fields that are looked at, from the top."""

MOST_VERIFIED = 20
"""Signatures under a name of ours that are verified. Who hides ours behind more of them gets a second signature at
most, where the message has earned one without the first."""

Keys = Mapping[str, Mapping[str, SigningKey]]
"""The keys that we hold, by domain, and then by selector."""


@dataclass(frozen=True, slots=True)
class Named:
    """A DKIM-Signature field under domain and selector of a key that we hold. Anybody can write one."""

    position: int
    field: HeaderField
    tags: Tags
    key: SigningKey


@dataclass(frozen=True, slots=True)
class Ours:
    """What of a message may be our own work. `named`: fields under our names. `valid`: the domains that have really
    signed it.
    `entered`: how many fields from the top were added after the message had entered. `more`: of so many signatures not
    all were read."""

    keys: Keys = field(default_factory=dict)
    named: tuple[Named, ...] = ()
    valid: frozenset[str] = frozenset()
    entered: int = 0
    more: bool = False


def by_name(keys: Iterable[SigningKey]) -> Keys:
    """The keys by the names that signatures give them."""
    named: dict[str, dict[str, SigningKey]] = {}
    for key in keys:
        named.setdefault(key.domain, {})[key.selector.lower()] = key
    return named


def look_for(message: Message, keys: Keys, entered: int = 0) -> Ours:
    """Find the fields that say they were made with a key of ours. Never raises."""
    signed = message.positions("dkim-signature") if keys else ()
    named = [found for at in signed[:MOST_READ] if (found := _named(at, message.header[at], keys)) is not None]
    return Ours(keys, tuple(named), entered=entered, more=len(signed) > MOST_READ)


def _named(position: int, field: HeaderField, keys: Keys) -> Named | None:
    selectors = keys.get(signature.claimed_domain(field.value) or "")
    if selectors is None:
        return None
    try:
        tags = signature.read(field.value)
    except Refused:
        return None
    key = selectors.get(tags.selector)
    return Named(position, field, tags, key) if key is not None and key.algorithm == tags.algorithm else None


def wants_body(ours: Ours, author: str | None) -> bool:
    """Is there a signature that the body's hash could prove to be ours?"""
    return bool(_candidates(ours, author))


def verify(ours: Ours, header: Sequence[HeaderField], body_hash: bytes | None, author: str | None, now: float) -> Ours:
    """Find out which signatures are valid on the message as it stands, among those that may align with its author.
    Never raises.

    `body_hash` is what BodyHash.digest() gave, `now` in seconds. A signature of the simple form of the body (OpenDKIM
    made such with the same key) counts as not valid, for only the relaxed form is hashed as it streams; so does one
    with l=.
    """
    fitting = [named for named in _candidates(ours, author) if named.tags.body_hash == body_hash]
    if not fitting:
        return ours
    content = Content(header, None)
    return replace(
        ours, valid=frozenset(named.key.domain for named in fitting[:MOST_VERIFIED] if _verifies(named, content, now))
    )


def _candidates(ours: Ours, author: str | None) -> list[Named]:
    if author is None:
        return []
    return [
        named
        for named in ours.named
        if named.tags.body_form == "relaxed" and named.tags.length is None and domains.aligned(named.key.domain, author)
    ]


def _verifies(named: Named, content: Content, now: float) -> bool:
    tags = named.tags
    try:
        signature.acceptable(tags, now)
    except Refused:
        return False
    if (
        tags.expires is not None and tags.expires <= now
    ):  # to the second: what the next receiver may refuse is not signed yet
        return False
    if content.count(b"from") != 1:
        return False
    signed = content.digest(tags.names, tags.header_form, named.field)
    return PublicKey(named.key.private.public_key()).verifies(tags.signature, signed)


def discounted(
    claims: Sequence[Claim], arrival: Arrival, author: str | None, ours: Ours
) -> tuple[tuple[Claim, ...], Arrival]:
    """Claims and arrival without the help of our own signature.

    Where no other pass that is believed and aligned with the author domain is reason for a DMARC pass, `pass` becomes
    `none`. What hurts stays as it is.
    """
    claims = tuple(claims)
    if author is None or not ours.keys:
        return claims, arrival
    own = {at for at, claim in enumerate(claims) if _speaks_of_ours(claim, ours)}
    if not own and not ours.valid:
        return claims, arrival
    others = [claim for at, claim in enumerate(claims) if at not in own]
    reasoned = any(aligned_pass(claim, author) for claim in others)
    rests = (
        arrival.dmarc == "pass"
        and not reasoned
        and bool(ours.valid or any(claims[at].result == OWN or aligned_pass(claims[at], author) for at in own))
    )
    told = tuple(_told(claim, at in own, rests) for at, claim in enumerate(claims))
    without = replace(
        arrival,
        dmarc="none" if rests else arrival.dmarc,
        dkim="none" if arrival.dkim == "pass" and combined(others, "dkim") != "pass" else arrival.dkim,
        aligned=reasoned,
    )
    return told, without


def marked(claims: Iterable[Claim], keys: Keys) -> tuple[Claim, ...]:
    """The claims for a passport: a pass of a signature of ours says OWN instead. Behind the border a program may take
    the signature off, and the gate could not tell any more what a DMARC pass rests on."""
    ours = Ours(keys)
    return tuple(replace(claim, result=OWN) if _speaks_of_ours(claim, ours) else claim for claim in claims)


def _told(claim: Claim, own: bool, rests: bool) -> Claim:
    if own:
        return replace(claim, why=f"{claim.why}; but it is our own signature, which proves nothing")
    if rests and claim.passes("dmarc"):
        return replace(claim, why=f"{claim.why}; but it depends on our own signature, which proves nothing")
    return claim


def _speaks_of_ours(claim: Claim, ours: Ours) -> bool:
    """Is that a believed pass of a signature by one of our keys?

    Not every verifier tells the selector. Without it b= tells the signature (RFC 6008), and without either every
    signature of that domain may be meant: then one under a name of ours is enough, for a stranger can write others
    beside it.
    """
    if claim.method == "dkim" and claim.result == OWN and claim.is_believed():
        return True
    if not claim.passes("dkim"):
        return False
    told = {name: claim.only(name) for name in ("header.d", "header.i", "header.s", "header.b")}
    domain = domains.of_address(told["header.d"] or told["header.i"] or "")
    if domain is None:
        return False
    if told["header.d"] and told["header.s"]:
        return told["header.s"].lower() in ours.keys.get(domain, {})
    start = (told["header.b"] or "").encode("utf-8", "replace")
    return ours.more or any(
        named.position >= ours.entered
        and (domain == named.tags.domain or domain.endswith(f".{named.tags.domain}"))  # header.i may be below d=
        and base64.b64encode(named.tags.signature).startswith(start)
        for named in ours.named
    )
