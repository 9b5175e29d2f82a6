"""The passport: one header field in which a border of ours states what it found, so that a re-injected message can
prove it.

`issue` makes it, `field` says how it is written, `binding` what it is bound to; here it is read and judged.

A border issues it, having removed every field of that name that came from outside; a listener behind it reads it; the
message loses it on departure, so that no outsider ever sees one. Were one seen all the same, what it is good for is
small: the same message (author, Message-ID, Date), unchanged, from a client of ours, within `max_age`.

There is no memory of passports seen. One message rightly comes back several times: once for each alias, and again after
every deferral. And workers and hosts share nothing that could remember.

What counts when:

- One field that fits counts. A copy of it is the same one. Two that fit and contradict each other give nothing that
  helps.
- In a stranger's session nothing that helps is left. What hurts is as true there: a border ahead of us in the same
  session has taken off the fields that said so.
- Where something was changed that the operator does not allow, nothing that helps is left; what hurts is as true as
  before.
- A field that does not fit (another message's, stale, of the future) gives nothing that helps. What hurts in it counts
  as upstream.
- A field without a valid MAC may be anybody's. Beside one that fits it is ignored: else whoever can add a field could
  deny a signature. Where none fits, what hurts in it counts as upstream, as in any other field.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dkimgate.evidence import spam as spam_evidence
from dkimgate.facts import Claim, Spam, Standing
from dkimgate.message.message import HeaderField
from dkimgate.passport.binding import Binding, binding_of
from dkimgate.passport.field import (
    FIELD_NAME,
    HURTING,
    KEY,
    Passport,
    PassportResult,
    base64_of,
    mac,
    parse,
    passport_of,
)
from dkimgate.passport.secrets import Secrets

MAX_AGE = 600
"""Seconds for which a passport is good, where the configuration says nothing else: a content filter is done by then."""
MAX_SKEW = 60
"""Seconds by which the clock of the border may be ahead of ours."""
_PROPERTY = {"spf": "smtp.mailfrom", "dkim": "header.d"}


class Validity(StrEnum):
    """What a passport is worth for the message that bears it."""

    ABSENT = "absent"
    VALID = "valid"  # ours, fresh, and the message is as the border saw it
    UNREAD = "unread"  # the same, as far as the header tells: the body has not been compared
    CHANGED = "changed"  # ours, fresh, this message, but `changes` happened to it
    STALE = "stale"  # ours, but older than max_age
    FUTURE = "future"  # ours, but from a clock that is ahead
    REPLAYED = "replayed"  # ours, but of another message
    FORGED = "forged"  # the MAC is wrong
    UNKNOWN_KEY = "unknown-key"  # no secret of that id
    MALFORMED = "malformed"  # not as we write it
    SEVERAL = "several"  # more than one that fits, and they contradict each other


class Part(StrEnum):
    """What of a message may have changed since the border saw it."""

    SHOWN = "shown"  # the text of From, To, Cc, Subject, Reply-To, Sender
    BODY = "body"  # the body, or the MIME fields that say how to show it


_FITS = (Validity.VALID, Validity.UNREAD, Validity.CHANGED)
_AUTHENTIC = (*_FITS, Validity.STALE, Validity.FUTURE, Validity.REPLAYED)


@dataclass(frozen=True, slots=True)
class Judged:
    """One field of the header. `position` from the top; `passport` None where it is malformed."""

    position: int
    outcome: Validity
    passport: Passport | None = None
    changes: frozenset[Part] = frozenset()


@dataclass(frozen=True, slots=True)
class PassportReading:
    """What the passports of a header come to. `changes` counts where some field fits; `body_read` tells whether the
    body was compared;
    `ours`: a client of ours handed the message in."""

    outcome: Validity
    fields: tuple[Judged, ...] = ()
    changes: frozenset[Part] = frozenset()
    body_read: bool = False
    ours: bool = True

    @property
    def fitting(self) -> tuple[Judged, ...]:
        """The fields that are ours, fresh, and of this message."""
        return tuple(field for field in self.fields if field.outcome in _FITS)

    def helps(self, allowed: Collection[Part] = ()) -> bool:
        """May what helps be believed? `allowed`: changes that the operator permits. A body not compared counts as
        changed."""
        changes = self.changes if self.body_read else self.changes | {Part.BODY}
        return self.ours and self.outcome in _FITS and changes <= set(allowed)

    def wants_body(self, allowed: Collection[Part] = ()) -> bool:
        """Could comparing the body make it help? If not, there is no need to read the body for the passport's sake."""
        return bool(self.fields) and not self.helps(allowed) and replace(self, body_read=True).helps(allowed)


NONE = PassportReading(Validity.ABSENT)
"""Of a header without any."""

# --- reading


def read(
    header: Sequence[HeaderField], secrets: Secrets, now: float, max_age: float, body_hash: bytes | None
) -> PassportReading:
    """Read the passports of a header. Never raises, and takes time linear in its size.

    Where the client is not ours, say so of what is read. With `body_hash` None (the body is still to come) a passport
    that fits is UNREAD: ask again when it is there. `now` in seconds since 1970, `max_age` in seconds.
    """
    standing = [(position, field) for position, field in enumerate(header) if field.key == KEY]
    if not standing:
        return NONE
    binding = binding_of(header)
    fields = tuple(_judge(position, field, binding, secrets, now, max_age, body_hash) for position, field in standing)
    fitting = [field for field in fields if field.outcome in _FITS]
    if not fitting:
        return PassportReading(fields[0].outcome, fields)
    changes = frozenset(part for field in fitting for part in field.changes)
    if len({(f.passport.results, f.passport.spam) for f in fitting if f.passport}) > 1:
        return PassportReading(Validity.SEVERAL, fields, changes, body_hash is not None)
    return PassportReading(Validity.CHANGED if changes else fitting[0].outcome, fields, changes, body_hash is not None)


def _judge(
    position: int,
    field: HeaderField,
    binding: Binding,
    secrets: Secrets,
    now: float,
    max_age: float,
    body_hash: bytes | None,
) -> Judged:
    tags = parse(field.value)
    if tags is None:
        return Judged(position, Validity.MALFORMED)
    said = passport_of(tags)
    secret = secrets.find(tags["k"])
    if secret is None:
        return Judged(position, Validity.UNKNOWN_KEY, said)
    if not hmac.compare_digest(mac(tags, secret), tags["b"]):
        return Judged(position, Validity.FORGED, said)
    # the identity holds the author domain too
    if not hmac.compare_digest(tags["mi"], base64_of(binding.identity)):
        return Judged(position, Validity.REPLAYED, said)
    if said.time > now + MAX_SKEW:
        return Judged(position, Validity.FUTURE, said)
    if not now - said.time <= max_age:
        return Judged(position, Validity.STALE, said)
    changes = _changes(tags, binding, body_hash)
    if changes:
        return Judged(position, Validity.CHANGED, said, changes)
    return Judged(position, Validity.UNREAD if body_hash is None else Validity.VALID, said)


def _changes(tags: dict[str, str], binding: Binding, body_hash: bytes | None) -> frozenset[Part]:
    changes = set()
    if not hmac.compare_digest(tags["sh"], base64_of(binding.shown)):
        changes.add(Part.SHOWN)
    if body_hash is not None and not hmac.compare_digest(tags["bh"], base64_of(binding.content(body_hash))):
        changes.add(Part.BODY)
    return frozenset(changes)


# --- what it comes to


def claims(reading: PassportReading, allowed: Collection[Part] = ()) -> tuple[Claim, ...]:
    """The claims of a header's passports: trusted where they fit, upstream and only what hurts elsewhere (see the top
    of this file)."""
    helps = reading.helps(allowed)
    if not reading.fields:
        return ()
    found: list[Claim] = []
    told: set[tuple[Validity, Passport]] = set()  # a copy of a field says nothing new
    for field, said in _counting(reading):
        if (field.outcome, said) in told:
            continue
        told.add((field.outcome, said))
        fits = field.outcome in _FITS
        by = said.host if field.outcome in _AUTHENTIC else None  # a name that nobody vouches for is not repeated
        standing = Standing.TRUSTED if fits and reading.ours else Standing.UPSTREAM
        why = _why(reading if fits else None, field, helps)
        for result in _stated(said):
            if result.result in HURTING or result.result == "yes" or (fits and helps):
                properties = _properties(result, said)
                found.append(
                    Claim(result.method, result.result, by, FIELD_NAME, standing, why, field.position, properties)
                )
    return tuple(found)


def spam(reading: PassportReading) -> Spam:
    """The worst spam verdict of the passports that count. Ham is the same as none."""
    return spam_evidence.worst(said.spam for _, said in _counting(reading) if said.spam is not None)


def _counting(reading: PassportReading) -> list[tuple[Judged, Passport]]:
    """Every field whose statements count for something."""
    if not reading.fields:
        return []
    among = _AUTHENTIC if reading.fitting else tuple(Validity)
    return [
        (field, field.passport) for field in reading.fields if field.passport is not None and field.outcome in among
    ]


def _stated(said: Passport) -> tuple[PassportResult, ...]:
    if said.spam is None:
        return said.results
    return (*said.results, PassportResult("spam", "yes" if said.spam.spam else "no"))


def _properties(result: PassportResult, said: Passport) -> tuple[tuple[str, str], ...]:
    if result.method == "spam" and said.spam is not None:
        return (("score", f"{said.spam.score:g}"), ("required", f"{said.spam.required:g}"))
    if result.method == "dmarc" and said.author is not None:
        return (("header.from", said.author),)
    if result.domain is not None and result.method in _PROPERTY:
        return ((_PROPERTY[result.method], result.domain),)
    return ()


def _why(reading: PassportReading | None, field: Judged, helps: bool) -> str:
    if reading is None:
        return f"a passport that does not count ({field.outcome}): only what hurts was taken from it"
    if not reading.ours:
        return "a passport in a stranger's session: only what hurts was taken from it"
    changed = " and ".join(sorted(reading.changes))
    match reading.outcome:
        case Validity.SEVERAL:
            return (
                "our passport, but beside it stands another of ours that contradicts it: only what hurts was taken "
                "from it"
            )
        case Validity.CHANGED if helps:
            return f"our passport; changed since, as the configuration allows: {changed}"
        case Validity.CHANGED:
            return f"our passport, but changed since: {changed}: only what hurts was taken from it"
        case Validity.UNREAD if not helps:
            return "our passport, but the body has not been compared: only what hurts was taken from it"
        case _:
            return "our passport, and the message is as the border saw it"
