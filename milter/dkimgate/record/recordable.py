"""What outsiders wrote, as a record can tell it: no lone surrogates, no infinite numbers, nothing longer than its
limit.

A record tells `recordable(facts)`, and gives exactly that back. So whoever decides on `recordable(facts)` decides on
what is recorded.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import is_dataclass, replace
from enum import Enum
from itertools import chain
from operator import attrgetter
from typing import Any, TypeVar, cast, get_type_hints

import msgspec

from dkimgate.facts import Assessment, Claim, Facts

TEXT_LIMIT = 512
"""Characters of one value. What is longer loses its middle, so a domain name (at most 253 characters) at its end stays
whole."""
CLAIM_LIMIT = 100
CLAIM_CHARACTERS = 32_768
"""Claims are kept up to both limits; those that are trusted or verified go first."""
RECIPIENT_LIMIT = 1000
RECIPIENT_CHARACTERS = 262_144
"""A recipient beyond either limit still counts, but with an empty address."""

_CUT = "…"
_HALF = (TEXT_LIMIT - len(_CUT)) // 2
_HUGE = 1e9
_SURROGATE = re.compile("[\ud800-\udfff]")

T = TypeVar("T")


def recordable(facts: Facts) -> Facts:
    """The facts as a record can tell them; ordinary mail's are given back as they are."""
    if _is_within(facts, facts):
        return facts
    claims, recipients = _kept_claims(facts.claims), _kept_recipients(facts.recipients)
    if claims is not facts.claims or recipients is not facts.recipients:
        facts = replace(facts, claims=claims, recipients=recipients)
    return cut(facts)


def recordable_whole(assessment: Assessment) -> Assessment:
    """The same of all that was made of a message."""
    risk = assessment.decision.risk
    numbers = (risk.score, *(part for _, part in risk.parts))
    if _is_within(assessment.facts, assessment) and all(map(math.isfinite, numbers)):
        return assessment
    return replace(cut(replace(assessment, facts=Facts())), facts=recordable(assessment.facts))


_ENCODER = msgspec.json.Encoder()


def _is_within(facts: Facts, whole: Facts | Assessment) -> bool:
    """Is nothing of the whole beyond a limit, for certain? The encoder of records tells at once what `cut` has to look
    at each value for: in what it writes, every text stands between two quotation marks."""
    if len(facts.claims) > CLAIM_LIMIT or len(facts.recipients) > RECIPIENT_LIMIT:
        return False
    spam = facts.arrival.spam
    if not (math.isfinite(spam.score) and math.isfinite(spam.required)):
        return False
    try:
        told = _ENCODER.encode(whole)
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return len(told) <= CLAIM_CHARACTERS and max(map(len, told.split(b'"'))) <= TEXT_LIMIT


def cut(value: T) -> T:
    """A text, a number, or a tuple or dataclass of such, at any depth, within the limits; the very same object where
    nothing is beyond."""
    kind, made = type(value), cast(Any, value)
    if kind is str:
        made = _cut_text(made)
    elif kind is float:
        made = _cut_number(made)
    elif kind is tuple:
        made = _cut_each(made)
    elif (values := _values(cast(type, kind))) is not None:
        old = values(value)
        new = _cut_each(old)
        made = made if new is old else replace(made, **dict(zip(_names(cast(type, kind)), new, strict=True)))
    return cast(T, made)


def _cut_each(values: Sequence[object]) -> Sequence[object]:
    made: list[object] | None = None
    for at, old in enumerate(values):
        if old is None or (type(old) is str and len(old) <= TEXT_LIMIT and old.isascii()):
            continue  # most are so: a call for each would cost more than all the rest
        new = cut(old)
        if new is not old:
            made = made or list(values)
            made[at] = new
    return values if made is None else tuple(made)


@functools.cache
def _names(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass that may have to be cut; of anything else none."""
    return tuple(name for name, hint in get_type_hints(kind).items() if _may_be_cut(hint)) if is_dataclass(kind) else ()


@functools.cache
def _values(kind: type) -> Callable[[object], tuple[object, ...]] | None:
    """What gives the values of these fields; None where there are none."""
    names = _names(kind)
    if len(names) == 1:
        return lambda value: (getattr(value, names[0]),)
    return cast(Callable[[object], tuple[object, ...]], attrgetter(*names)) if names else None


def _may_be_cut(hint: object) -> bool:
    return not isinstance(hint, type) or not (issubclass(hint, int | Enum) or (is_dataclass(hint) and not _names(hint)))


def _cut_text(value: str) -> str:
    """A text without lone surrogates (octets that were no UTF-8), within the limit."""
    if len(value) > TEXT_LIMIT:
        value = value[:_HALF] + _CUT + value[-_HALF:]
    return value if value.isascii() or not _SURROGATE.search(value) else _SURROGATE.sub("\ufffd", value)


def _cut_number(value: float) -> float:
    """JSON knows neither infinity nor NaN. The latter counts as huge: what can't be compared must not look harmless."""
    if math.isfinite(value):
        return value
    return -_HUGE if value == -math.inf else _HUGE


def _kept_recipients(recipients: tuple[str, ...]) -> tuple[str, ...]:
    if len(recipients) <= RECIPIENT_LIMIT and sum(map(len, recipients)) <= RECIPIENT_CHARACTERS:
        return recipients
    kept: list[str] = []
    left = RECIPIENT_CHARACTERS
    for recipient in recipients[:RECIPIENT_LIMIT]:
        left -= min(len(recipient), TEXT_LIMIT)
        kept.append(recipient if left >= 0 else "")
    return (*kept, *[""] * (len(recipients) - len(kept)))


def _kept_claims(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    if len(claims) <= CLAIM_LIMIT and sum(map(len, chain.from_iterable(map(_texts, claims)))) <= CLAIM_CHARACTERS:
        return claims
    kept: list[int] = []
    left = CLAIM_CHARACTERS
    for index in sorted(range(len(claims)), key=lambda index: not claims[index].is_believed())[:CLAIM_LIMIT]:
        left -= sum(min(len(text), TEXT_LIMIT) for text in _texts(claims[index]))
        if left < 0:
            break
        kept.append(index)
    return tuple(claims[index] for index in sorted(kept))


def _texts(claim: Claim) -> Iterable[str]:
    return chain((claim.method, claim.result, claim.by or "", claim.field, claim.why), *claim.properties)
