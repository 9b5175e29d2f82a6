"""The decision record: one JSON object a line, with every fact that the decision used, so that it can be decided again.

`Record` is that object as a value, and its parts are the facts' own wherever it tells a whole one of them. A line is
ASCII, 2 to 4 KB as a rule, and never above 4 MB.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta, Struct, field

from dkimgate.facts import (
    Arrival,
    Assessment,
    Border,
    Claim,
    Departure,
    Disposition,
    EnvelopeAction,
    Facts,
    HeaderSigns,
    Origin,
    Sending,
    Sign,
    Upstream,
)
from dkimgate.message.message import Connection, Message
from dkimgate.policy.language import texts
from dkimgate.record.recordable import RECIPIENT_LIMIT, cut, recordable, recordable_whole

VERSION = 1

MOST_RECIPIENTS = 10_000_000
"""What is above it is no message's number of recipients: the record is spoilt."""

Json = dict[str, Any]


class RecordError(ValueError):
    """A record that can't be read; `str()` says in one line what is wrong with it."""


class Envelope(Struct, frozen=True):
    """The envelope as the MTA handed it in. `recipients` are RECIPIENT_LIMIT at most, of `recipients_total`."""

    sender: str
    recipients: tuple[str, ...]
    recipients_total: Annotated[int, Meta(le=MOST_RECIPIENTS)]


class Outgoing(Struct, frozen=True):
    """The facts of these names, and `sender`, the address that the envelope sender is rewritten to. None: an older
    record doesn't tell."""

    spf_passes: bool
    spf_source: str
    unalignable: bool | None = None
    strict_dkim: bool = False
    sender: str | None = None


class RiskSum(Struct, frozen=True):
    """The risk, and the named parts that it is the sum of."""

    score: float
    parts: dict[str, float]


class Signature(Struct, frozen=True):
    """The key behind a signature that was made."""

    domain: str
    selector: str
    algorithm: str


class Decided(Struct, frozen=True, kw_only=True):
    """What was decided, what of it was done, and why not the rest. Without a rule nothing was decided."""

    rule: str | None
    sign: Sign
    seal: bool = False
    unsealed: str | None = None
    envelope: EnvelopeAction = EnvelopeAction.KEEP
    disposition: Disposition | None
    text: str | None
    signatures: tuple[Signature, ...]
    tag: str | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    not_done: tuple[str, ...] = ()
    overruled: str | None
    laundering: str | None = None
    mode: str | None


class Record(Struct, frozen=True, kw_only=True):
    """One message. The order is that of the line. What has a default came later than the first records; where there are
    no facts, because something failed before, `origin` is None and with it all that only facts can tell."""

    v: int = VERSION
    time: str
    queue_id: str | None
    message_id: str | None
    client: Connection
    envelope: Envelope
    author: str | None = field(name="from")
    author_problem: str | None
    hosted: str | None
    forwarder_aligns: bool | None
    origin: Origin | None
    origin_why: str
    border: Border | None
    claims: tuple[Claim, ...]
    arrival: Arrival | None
    upstream: Upstream
    header: HeaderSigns | None
    outgoing: Outgoing | None
    own_signature: bool | None = None
    relay: bool | None = None
    sending: Sending | None = None
    risk: RiskSum | None
    decision: Decided
    departure: Departure | None
    policy: str
    ms: float
    error: str | None

    @property
    def new_sender(self) -> str | None:
        """The address that the envelope sender is rewritten to."""
        return self.outgoing.sender if self.outgoing is not None else None


class SignedWith(Protocol):
    """The key behind a signature that was made."""

    @property
    def domain(self) -> str: ...
    @property
    def selector(self) -> str: ...
    @property
    def algorithm(self) -> str: ...


def make(
    message: Message,
    assessment: Assessment | None,
    *,
    signatures: Sequence[SignedWith] = (),
    time: float,
    ms: float,
    policy_hash: str,
    error: str | None = None,
) -> Record:
    """The record of a message. `time` is in seconds since the epoch, `ms` the milliseconds that the gate took;
    `signatures` are the keys of those that were made.

    Without an assessment, because something failed before there was one, the record says what the MTA said, and
    `error`.
    """
    known = assessment is not None
    assessment = recordable_whole(assessment) if assessment else None
    facts = assessment.facts if assessment else recordable(_told_by_mta(message))
    return Record(
        time=datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        queue_id=cut(message.queue_id),
        message_id=facts.message_id,
        client=facts.client,
        envelope=Envelope(facts.sender, facts.recipients[:RECIPIENT_LIMIT], len(facts.recipients)),
        author=facts.author,
        author_problem=facts.author_problem,
        hosted=facts.hosted,
        forwarder_aligns=facts.forwarder_aligns if known else None,
        origin=facts.origin if known else None,
        origin_why=facts.origin_why,
        border=facts.border,
        claims=facts.claims,
        arrival=facts.arrival if known else None,
        upstream=facts.upstream,
        header=facts.header if known else None,
        outgoing=_outgoing(facts, assessment) if assessment else None,
        own_signature=facts.own_signature if known else None,
        relay=facts.relay if known else None,
        sending=facts.sending if known else None,
        risk=RiskSum(assessment.decision.risk.score, dict(assessment.decision.risk.parts)) if assessment else None,
        decision=_decided(assessment, signatures) if assessment else _UNDECIDED,
        departure=assessment.departure if assessment else None,
        policy=policy_hash,
        ms=round(cut(ms), 3),
        error=cut(error),
    )


def to_line(record: Record) -> bytes:
    """A record as the journal keeps it: ASCII, one line, a line feed at its end, and no octet that a terminal would
    obey."""
    line = msgspec.json.format(msgspec.json.encode(record), indent=0)
    if not line.isascii():
        line = json.dumps(msgspec.json.decode(line)).encode("ascii")
    return line + b"\n"


def read(told: Json) -> Record:
    """The record that the JSON of a line tells, of any version up to this one. Raises RecordError."""
    version = told.get("v")
    upgrade = _UPGRADES.get(version) if isinstance(version, int) else None
    if upgrade is None:
        raise RecordError(f"a record of version {version!r}; this dkimgate reads version {VERSION}")
    try:
        return msgspec.convert(upgrade(told), Record)
    except (msgspec.ValidationError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"a record with a missing or odd value: {error}") from None


def facts_of(record: Record) -> Facts:
    """The facts that a record tells. Raises RecordError where it tells none."""
    if record.origin is None:
        raise RecordError(f"a record without facts: {record.error or 'it does not say why'}")
    if record.arrival is None or record.header is None or record.outgoing is None:
        raise RecordError("a record with an origin, but without arrival, header or outgoing")
    known, outgoing = record.envelope.recipients, record.outgoing
    return Facts(
        client=record.client,
        sender=record.envelope.sender,
        recipients=(*known, *[""] * (record.envelope.recipients_total - len(known))),
        author=record.author,
        author_problem=record.author_problem,
        hosted=record.hosted,
        origin=record.origin,
        origin_why=record.origin_why,
        border=record.border,
        claims=record.claims,
        arrival=record.arrival,
        upstream=record.upstream,
        header=record.header,
        spf_passes=outgoing.spf_passes,
        spf_source=outgoing.spf_source,
        # what older records do not tell was not so then: nothing was rewritten, nobody looked for our own signature
        unalignable=bool(outgoing.unalignable),
        forwarder_aligns=bool(record.forwarder_aligns),
        own_signature=bool(record.own_signature),
        strict_dkim=outgoing.strict_dkim,
        sending=record.sending or Sending(),
        message_id=record.message_id,
        relay=bool(record.relay),
    )


def _of_version_1(told: Json) -> Json:
    """Parts of the facts have a default for every field, and Record for what came later. What the first records told
    may not be missing."""
    arrival = told["arrival"]
    wholes = [(told["client"], _CLIENT), (told["upstream"], _UPSTREAM)]
    wholes += [(arrival, _ARRIVAL), (arrival["spam"], _SPAM)] if arrival is not None else []
    for part, names in wholes:
        missing = names - part.keys()
        if missing:
            raise KeyError(f"no {', '.join(sorted(missing))}")
    return told


_CLIENT = frozenset(("ip", "name", "helo", "auth", "daemon"))
_UPSTREAM = frozenset(("dmarc",))
_ARRIVAL = frozenset(("dmarc", "spf", "dkim", "arc", "aligned", "spam"))
_SPAM = frozenset(("flag", "score", "required"))

_UPGRADES = {1: _of_version_1}
"""What makes of the JSON of each version that of this one."""


def _told_by_mta(message: Message) -> Facts:
    identifier = next((field.text for field in message.fields("message-id")), None)
    return Facts(message.connection, message.envelope.sender, message.envelope.recipients, message_id=identifier)


def _outgoing(facts: Facts, assessment: Assessment) -> Outgoing:
    return Outgoing(facts.spf_passes, facts.spf_source, facts.unalignable, facts.strict_dkim, assessment.sender)


def _decided(assessment: Assessment, signatures: Sequence[SignedWith]) -> Decided:
    decision, changes = assessment.decision, assessment.changes
    return Decided(
        rule=decision.rule,
        sign=decision.sign,
        seal=assessment.sealed,
        unsealed=assessment.unsealed,
        envelope=decision.envelope,
        disposition=decision.disposition,
        text=_filled(assessment),
        signatures=tuple(Signature(key.domain, key.selector, key.algorithm) for key in signatures),
        tag=changes.tag,
        added=changes.added_names,
        removed=changes.removed_names,
        folded=changes.folded_names,
        not_done=changes.not_done,
        overruled=assessment.overruled,
        laundering=decision.laundering,
        mode=decision.mode,
    )


def _filled(assessment: Assessment) -> str | None:
    facts, decision = assessment.facts, assessment.decision
    return cut(texts.fill(decision.text, facts, decision)) if decision.text else None


_UNDECIDED = Decided(rule=None, sign=Sign.NONE, disposition=None, text=None, signatures=(), overruled=None, mode=None)
