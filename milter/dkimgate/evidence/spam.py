"""Spam verdicts in the header: SpamAssassin's X-Spam-Status, X-Spam-Flag and X-Spam-Score, and what writes the same.

Nobody's ham is believed, so it does not matter who wrote a field: the worst one counts, and no field at all is the same as ham.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from dkimgate.facts import Spam
from dkimgate.message import HeaderField

FIELDS = ("x-spam-status", "x-spam-flag", "x-spam-score")

DEFAULT_REQUIRED = 5.0
"""SpamAssassin's own required_score, where a field names none."""

_LIMIT = 1e6  # a score beyond it is somebody's joke; finite numbers keep records and sums readable
_NUMBER = r"\s*=\s*\"?([-+]?\d{1,12}(?:[.,]\d{1,12})?)"
_SCORE = re.compile(r"\b(?:score|hits)" + _NUMBER, re.IGNORECASE)
_REQUIRED = re.compile(r"\brequired" + _NUMBER, re.IGNORECASE)
_LEADING_NUMBER = re.compile(r"[\s\"]*([-+]?\d{1,12}(?:[.,]\d{1,12})?)")
_YES = re.compile(r"[\s\"]*(?:yes|true|spam)\b", re.IGNORECASE)


def verdict_of(field: HeaderField) -> Spam:
    """One field's verdict, normalized. What can't be read is ham: it helps nobody, for ham never lowers the risk."""
    text = field.text.replace("\0", "")
    if field.key == "x-spam-status":
        return _normalize(_YES.match(text) is not None, _largest(_SCORE, text), _first(_REQUIRED, text))
    if field.key == "x-spam-flag":
        return _normalize(_YES.match(text) is not None, None, None)
    return _normalize(False, _first(_LEADING_NUMBER, text), None)


def worst(verdicts: Iterable[Spam]) -> Spam:
    """The verdicts of a whole header as one: flagged if any is, with the score that stands highest above what it required."""
    flagged = False
    chosen = Spam()
    for verdict in verdicts:
        flagged = flagged or verdict.flag
        if verdict.ratio > chosen.ratio:
            chosen = verdict
    return _normalize(flagged, chosen.score, chosen.required)


def _normalize(flag: bool, score: float | None, required: float | None) -> Spam:
    if required is None or required <= 0:
        required = DEFAULT_REQUIRED
    score = min(max(score or 0.0, 0.0), _LIMIT)
    return Spam(flag, max(score, required) if flag else score, required)


def _number(text: str) -> float:
    value = float(text.replace(",", "."))
    return value if math.isfinite(value) else 0.0


def _first(pattern: re.Pattern[str], text: str) -> float | None:
    match = pattern.search(text) if pattern is not _LEADING_NUMBER else pattern.match(text)
    return _number(match[1]) if match else None


def _largest(pattern: re.Pattern[str], text: str) -> float | None:
    return max((_number(found) for found in pattern.findall(text)), default=None)
