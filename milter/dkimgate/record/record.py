"""The decision record: one JSON object a line, with every fact that the decision used, so that it can be decided again.

What outsiders wrote is made safe in one place, `recordable`: no lone surrogates, no infinite numbers, nothing longer than
its limit. A record tells `recordable(facts)`, and `facts_of` gives exactly that back. So whoever decides on
`recordable(facts)` decides on what is recorded. A line is ASCII, about 1 KB as a rule, and never above 4 MB.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from dkimgate.facts import (
    Arrival,
    Assessment,
    Border,
    Claim,
    Decision,
    Departure,
    Facts,
    HeaderChanges,
    HeaderSigns,
    Origin,
    Sending,
    Spam,
    Standing,
    Upstream,
)
from dkimgate.message.message import Connection, Message
from dkimgate.policy import texts

VERSION = 1

TEXT_LIMIT = 512
"""Characters of one value. What is longer loses its middle, so a domain name (at most 253 characters) at its end stays whole."""
CLAIM_LIMIT = 100
CLAIM_CHARACTERS = 32_768
"""Claims are kept up to both limits; those that are trusted or verified go first."""
RECIPIENT_LIMIT = 1000
RECIPIENT_CHARACTERS = 262_144
"""A recipient beyond either limit still counts, but with an empty address."""

MOST_RECIPIENTS = 10_000_000
"""What is above it is no message's number of recipients: the record is spoilt."""

_SIGNS = tuple(sign.name for sign in fields(HeaderSigns))

_CUT = "…"
_HALF = (TEXT_LIMIT - len(_CUT)) // 2
_HUGE = 1e9
_SURROGATE = re.compile("[\ud800-\udfff]")


class RecordError(ValueError):
    """A record that can't be read; `str()` says in one line what is wrong with it."""


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
) -> dict[str, object]:
    """The record of a message. `time` is in seconds since the epoch, `ms` the milliseconds that the gate took; `signatures`
    are the keys of those that were made.

    Without an assessment, because something failed before there was one, the record says what the MTA said, and `error`.
    """
    known = assessment is not None
    facts = recordable(assessment.facts if assessment else _told_by_mta(message))
    return {
        "v": VERSION,
        "time": datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "queue_id": _text(message.queue_id),
        "message_id": facts.message_id,
        "client": {
            "ip": facts.client.ip,
            "name": facts.client.name,
            "helo": facts.client.helo,
            "auth": facts.client.auth,
            "daemon": facts.client.daemon,
        },
        "envelope": _of_envelope(facts),
        "from": facts.author,
        "author_problem": facts.author_problem,
        "hosted": facts.hosted,
        "forwarder_aligns": facts.forwarder_aligns if known else None,
        "origin": facts.origin.value if known else None,
        "origin_why": facts.origin_why,
        "border": {"by": facts.border.by, "ip": facts.border.ip} if facts.border else None,
        "claims": [_of_claim(claim) for claim in facts.claims],
        "arrival": _of_arrival(facts.arrival) if known else None,
        "upstream": {"dmarc": facts.upstream.dmarc},
        "header": _of_header(facts.header) if known else None,
        "outgoing": _of_outgoing(facts, assessment) if assessment else None,
        "own_signature": facts.own_signature if known else None,
        "relay": facts.relay if known else None,
        "sending": _of_sending(facts.sending) if known else None,
        "risk": _of_risk(assessment.decision) if assessment else None,
        "decision": _of_decision(assessment, signatures),
        "departure": _of_departure(assessment.departure) if assessment else None,
        "policy": policy_hash,
        "ms": round(_number(ms), 3),
        "error": _text(error),
    }


def to_line(record: dict[str, object]) -> bytes:
    """A record as the journal keeps it: ASCII, one line, a line feed at its end, and no octet that a terminal would obey."""
    return json.dumps(record, allow_nan=False).encode("ascii") + b"\n"


def recordable(facts: Facts) -> Facts:
    """The facts as a record can tell them; for ordinary mail they are equal to what was given."""
    client, arrival, border = facts.client, facts.arrival, facts.border
    return replace(
        facts,
        client=Connection(_text(client.ip), _text(client.name), _text(client.helo), _text(client.auth), _text(client.daemon)),
        sender=_cut(facts.sender),
        recipients=_recordable_recipients(facts.recipients),
        author=_text(facts.author),
        author_problem=_text(facts.author_problem),
        hosted=_text(facts.hosted),
        origin_why=_cut(facts.origin_why),
        border=Border(_cut(border.by), _text(border.ip)) if border else None,
        claims=_recordable_claims(facts.claims),
        arrival=Arrival(
            _cut(arrival.dmarc),
            _cut(arrival.spf),
            _cut(arrival.dkim),
            _cut(arrival.arc),
            arrival.aligned,
            Spam(arrival.spam.flag, _number(arrival.spam.score), _number(arrival.spam.required)),
            _text(arrival.pass_of),
        ),
        upstream=Upstream(_text(facts.upstream.dmarc)),
        spf_source=_cut(facts.spf_source),
        sending=replace(facts.sending, fields_broken=tuple(map(_cut, facts.sending.fields_broken))),
        message_id=_text(facts.message_id),
    )


def facts_of(record: dict[str, Any]) -> Facts:
    """The facts that a record tells. Raises RecordError where it tells none or is of another version."""
    if record.get("v") != VERSION:
        raise RecordError(f"a record of version {record.get('v')!r}; this dkimgate reads version {VERSION}")
    if record.get("origin") is None:
        raise RecordError(f"a record without facts: {record.get('error') or 'it does not say why'}")
    try:
        return _facts_of(record)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RecordError(f"a record with a missing or odd value: {type(error).__name__}: {error}") from None


def _cut(value: str) -> str:
    """A text without lone surrogates (octets that were no UTF-8), within the limit."""
    if len(value) > TEXT_LIMIT:
        value = value[:_HALF] + _CUT + value[-_HALF:]
    return value if value.isascii() else _SURROGATE.sub("\ufffd", value)


def _text(value: str | None) -> str | None:
    return None if value is None else _cut(value)


def _number(value: float) -> float:
    """JSON knows neither infinity nor NaN. The latter counts as huge: what can't be compared must not look harmless."""
    if math.isfinite(value):
        return value
    return -_HUGE if value == -math.inf else _HUGE


def _recordable_recipients(recipients: Sequence[str]) -> tuple[str, ...]:
    kept: list[str] = []
    left = RECIPIENT_CHARACTERS
    for recipient in recipients[:RECIPIENT_LIMIT]:
        address = _cut(recipient)
        left -= len(address)
        kept.append(address if left >= 0 else "")
    return (*kept, *[""] * (len(recipients) - len(kept)))


def _recordable_claims(claims: Sequence[Claim]) -> tuple[Claim, ...]:
    ours_first = sorted(range(len(claims)), key=lambda index: not claims[index].is_believed())
    kept: dict[int, Claim] = {}
    left = CLAIM_CHARACTERS
    for index in ours_first[:CLAIM_LIMIT]:
        claim = _recordable_claim(claims[index])
        left -= sum(map(len, (claim.method, claim.result, claim.by or "", claim.field, claim.why)))
        left -= sum(len(key) + len(value) for key, value in claim.properties)
        if left < 0:
            break
        kept[index] = claim
    return tuple(kept[index] for index in sorted(kept))


def _recordable_claim(claim: Claim) -> Claim:
    return Claim(
        _cut(claim.method),
        _cut(claim.result),
        _text(claim.by),
        _cut(claim.field),
        claim.standing,
        _cut(claim.why),
        claim.position,
        tuple((_cut(key), _cut(value)) for key, value in claim.properties),
    )


def _told_by_mta(message: Message) -> Facts:
    identifier = next((field.text for field in message.fields("message-id")), None)
    return Facts(message.connection, message.envelope.sender, message.envelope.recipients, message_id=identifier)


def _of_envelope(facts: Facts) -> dict[str, object]:
    return {
        "sender": facts.sender,
        "recipients": list(facts.recipients[:RECIPIENT_LIMIT]),
        "recipients_total": len(facts.recipients),
    }


def _of_outgoing(facts: Facts, assessment: Assessment) -> dict[str, object]:
    return {
        "spf_passes": facts.spf_passes,
        "spf_source": facts.spf_source,
        "unalignable": facts.unalignable,
        "strict_dkim": facts.strict_dkim,
        "sender": _text(assessment.sender),
    }


def _of_sending(sending: Sending) -> dict[str, object]:
    return {
        "body_broken": sending.body_broken,
        "fields_broken": list(sending.fields_broken),
        "others_broken": sending.others_broken,
        "eight_bit": sending.eight_bit,
    }


def _of_claim(claim: Claim) -> dict[str, object]:
    return {
        "method": claim.method,
        "result": claim.result,
        "by": claim.by,
        "field": claim.field,
        "standing": claim.standing.value,
        "why": claim.why,
        "position": claim.position,
        "properties": [[key, value] for key, value in claim.properties],
    }


def _of_arrival(arrival: Arrival) -> dict[str, object]:
    return {
        "dmarc": arrival.dmarc,
        "spf": arrival.spf,
        "dkim": arrival.dkim,
        "arc": arrival.arc,
        "aligned": arrival.aligned,
        "spam": {"flag": arrival.spam.flag, "score": arrival.spam.score, "required": arrival.spam.required},
        "pass_of": arrival.pass_of,
    }


def _of_header(header: HeaderSigns) -> dict[str, object]:
    return {name: getattr(header, name) for name in _SIGNS}


def _of_risk(decision: Decision) -> dict[str, object]:
    return {"score": _number(decision.risk.score), "parts": {name: _number(weight) for name, weight in decision.risk.parts}}


def _of_decision(assessment: Assessment | None, signatures: Sequence[SignedWith]) -> dict[str, object]:
    decision = assessment.decision if assessment else None
    changes = assessment.changes if assessment else HeaderChanges()
    return {
        "rule": decision.rule if decision else None,
        "sign": decision.sign.value if decision else "none",
        "seal": bool(assessment and assessment.sealed),
        "unsealed": _text(assessment.unsealed) if assessment else None,
        "envelope": decision.envelope.value if decision else "keep",
        "disposition": decision.disposition.value if decision else None,
        "text": texts.fill(decision.text, assessment.facts, decision) if assessment and decision and decision.text else None,
        "signatures": [{"domain": key.domain, "selector": key.selector, "algorithm": key.algorithm} for key in signatures],
        "tag": changes.tag,
        "added": list(changes.added_names),
        "removed": list(changes.removed_names),
        "folded": list(changes.folded_names),
        "not_done": [_cut(reason) for reason in changes.not_done],
        "overruled": _text(assessment.overruled) if assessment else None,
        "laundering": _text(decision.laundering) if decision else None,
        "mode": decision.mode if decision else None,
    }


def _of_departure(departure: Departure) -> dict[str, object]:
    return {
        "dmarc": departure.dmarc,
        "dkim_aligned": departure.dkim_aligned,
        "spf_aligned": departure.spf_aligned,
        "signature_holds": departure.signature_holds.value,
    }


def _facts_of(record: dict[str, Any]) -> Facts:
    client, envelope, arrival, border = record["client"], record["envelope"], record["arrival"], record["border"]
    recipients = tuple(map(str, envelope["recipients"]))
    missing = int(envelope["recipients_total"]) - len(recipients)
    if missing > MOST_RECIPIENTS:
        raise ValueError(f"{missing} recipients")
    spam, told = arrival["spam"], record["header"].get
    return Facts(
        client=Connection(*(_words(client[name]) for name in ("ip", "name", "helo", "auth", "daemon"))),
        sender=str(envelope["sender"]),
        recipients=(*recipients, *[""] * missing),
        author=_words(record["from"]),
        author_problem=_words(record["author_problem"]),
        hosted=_words(record["hosted"]),
        origin=Origin(record["origin"]),
        origin_why=str(record["origin_why"]),
        border=Border(str(border["by"]), _words(border["ip"])) if border else None,
        claims=tuple(map(_claim_of, record["claims"])),
        arrival=Arrival(
            str(arrival["dmarc"]),
            str(arrival["spf"]),
            str(arrival["dkim"]),
            str(arrival["arc"]),
            bool(arrival["aligned"]),
            Spam(bool(spam["flag"]), float(spam["score"]), float(spam["required"])),
            _words(arrival.get("pass_of")),
        ),
        upstream=Upstream(_words(record["upstream"]["dmarc"])),
        # a record that is older than a sign doesn't tell of it
        header=HeaderSigns(*[bool(told(name, False)) for name in _SIGNS]),
        spf_passes=bool(record["outgoing"]["spf_passes"]),
        spf_source=str(record["outgoing"]["spf_source"]),
        # what older records do not tell was not so then: nothing was rewritten, nobody looked for our own signature
        unalignable=bool(record["outgoing"].get("unalignable", False)),
        forwarder_aligns=bool(record["forwarder_aligns"]),
        own_signature=bool(record.get("own_signature", False)),
        strict_dkim=bool(record["outgoing"].get("strict_dkim", False)),
        sending=_sending_of(record.get("sending") or {}),
        message_id=_words(record["message_id"]),
        relay=bool(record.get("relay", False)),
    )


def _sending_of(sending: dict[str, Any]) -> Sending:
    """Older records don't tell: Postfix is taken to have changed nothing."""
    return Sending(
        body_broken=bool(sending.get("body_broken", False)),
        fields_broken=tuple(map(str, sending.get("fields_broken", ()))),
        others_broken=bool(sending.get("others_broken", False)),
        eight_bit=bool(sending.get("eight_bit", False)),
    )


def _claim_of(claim: dict[str, Any]) -> Claim:
    return Claim(
        str(claim["method"]),
        str(claim["result"]),
        _words(claim["by"]),
        str(claim["field"]),
        Standing(claim["standing"]),
        str(claim["why"]),
        int(claim["position"]),
        tuple((str(key), str(value)) for key, value in claim["properties"]),
    )


def _words(value: object) -> str | None:
    """A text, or nothing, as it must stand there."""
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"expected a text, found {value!r:.40}")
