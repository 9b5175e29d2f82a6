"""Spam verdicts in the header, of the filters that people run beside Postfix and of the hosts in front of it.

Nobody's ham is believed, so it does not matter who wrote a field: the worst one counts, and no field at all is the same as ham.
Which fields are read, and on which scale, stands in `spam_fields`; the configuration may add to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dkimgate.config import SpamField
from dkimgate.evidence.spam_fields import NUMBER, Scale, scale_of
from dkimgate.facts import Spam
from dkimgate.message import HeaderField

MAX_LENGTH = 8192
"""Characters of a field that are read: every filter states its verdict ahead of its reasons."""

OWN_MAX_LENGTH = 1000
"""Characters that a pattern of the configuration sees: a careless pattern takes time that grows with the text, and strangers write it."""

_LIMIT = 1e6  # a score beyond it is somebody's joke; finite numbers keep records and sums readable
_NUMBER = re.compile(NUMBER)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the field at that position of the header says."""

    position: int
    spam: Spam


def verdicts_of(header: Sequence[HeaderField], own: Sequence[SpamField] = ()) -> tuple[Verdict, ...]:
    """Every verdict of a header, from the top down. `own`: fields that the configuration names, each in the place of ours of that name."""
    named = {field.field.lower(): Scale(re.compile(field.pattern, re.IGNORECASE), field.required) for field in own}
    found: list[Verdict] = []
    for position, field in enumerate(header):
        scale = named.get(field.key)
        if scale is not None:
            verdict = _read(scale, field.text[:OWN_MAX_LENGTH])
        elif field.key == "x-spam-score" and _is_tenfold(header, position):
            continue  # cPanel's, ten times the score that stands in the field ahead of it
        else:
            verdict = verdict_of(field)
        if verdict is not None:
            found.append(Verdict(position, verdict))
    return tuple(found)


def verdict_of(field: HeaderField) -> Spam | None:
    """One field's verdict, normalized; None where it states none.

    What can't be read is ham: it helps nobody, for ham never lowers the risk.
    """
    scale = scale_of(field.key)
    return _read(scale, field.text[:MAX_LENGTH]) if scale is not None else None


def worst(verdicts: Iterable[Spam]) -> Spam:
    """The verdicts of a whole header as one: flagged if any is, with the score that stands highest above what it required."""
    flagged = False
    chosen = Spam()
    for verdict in verdicts:
        flagged = flagged or verdict.flag
        if verdict.ratio > chosen.ratio:
            chosen = verdict
    return _normalize(flagged, chosen.score, chosen.required)


def _read(scale: Scale, text: str) -> Spam | None:
    flag = matched = False
    scores: list[float] = []
    required: float | None = None
    for match in scale.pattern.finditer(text.replace("\0", "")):
        matched = True
        groups = match.groupdict()
        flag = flag or groups.get("flag") is not None
        if (score := _number(groups.get("score"))) is not None:
            scores.append(score)
        if (bar := groups.get("bar")) is not None:
            scores.append(float(len(bar)))
        if required is None:
            required = _number(groups.get("required"))
    if scale.quiet and not matched:
        return None
    return _normalize(flag, max(scores, default=0.0), scale.required if required is None or required <= 0 else required)


def _normalize(flag: bool, score: float, required: float) -> Spam:
    score = min(max(score, 0.0), _LIMIT)
    return Spam(flag, max(score, required) if flag else score, required)


def _number(text: str | None) -> float | None:
    """A number with a point or a comma; what else a pattern of the configuration may have caught is none."""
    match = _NUMBER.match(text.strip()) if text else None
    return float(match[0].replace(",", ".")) if match else None


_INTEGER = re.compile(r"-?\d{1,6}")


def _is_tenfold(header: Sequence[HeaderField], position: int) -> bool:
    """cPanel writes X-Spam-Status with the score, X-Spam-Score with ten times the score, and X-Spam-Bar, one below the other.

    Only where all three agree: a stranger's field between those of a filter would have to know its score.
    """
    if not 0 < position < len(header) - 1:
        return False
    above, here, below = header[position - 1], header[position], header[position + 1]
    tenfold = _INTEGER.fullmatch(here.text)
    if tenfold is None or above.key != "x-spam-status" or below.key != "x-spam-bar":
        return False
    status, bar = verdict_of(above), verdict_of(below)
    if status is None or bar is None:
        return False
    score = max(int(tenfold[0]) / 10, 0.0)
    return abs(status.score - score) <= 0.1 and abs(bar.score - score) <= 1
