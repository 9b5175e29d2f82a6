"""Spam verdicts in the header, of the filters that people run beside Postfix and of the hosts in front of it.

Nobody's ham is believed, so it does not matter who wrote a field: the worst one counts, and no field at all is the same
as ham. Which fields are read, and on which scale, stands in `spam_fields`; the configuration may add to them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dkimgate.config.dkimgate_yaml import SpamField
from dkimgate.evidence.spam_fields import DEFAULT_REQUIRED, NUMBER, Scale, of_a_filter, scale_of
from dkimgate.facts import Spam
from dkimgate.message.message import HeaderField, kept_by_names, names_of

MAX_LENGTH = 8192
"""Characters of a field that are read: every filter states its verdict ahead of its reasons."""

MOST_VERDICTS = 500
"""Fields whose verdict is read; that with more of them is spam. A filter writes ten."""

CONFIGURED_MAX_LENGTH = 1000
"""Characters that a pattern of the configuration sees: a careless pattern takes time that grows with the text, and
strangers write it."""

_LIMIT = 1e6  # a score beyond it is somebody's joke; finite numbers keep records and sums readable
_NUMBER = re.compile(NUMBER)
_ANYTHING = re.compile("")
_SHOWN = 80
_HAM = Spam()


@dataclass(frozen=True, slots=True)
class SpamVerdict:
    """What the field at that position of the header says. `unread`: nobody here could read it, so it counts as ham."""

    position: int
    spam: Spam
    unread: bool = False


@dataclass(frozen=True, slots=True)
class _Read:
    """One field. `names_required`: it says itself from which score on it is spam. `beside`: another field beside it may
    say so."""

    spam: Spam
    names_required: bool = False
    unread: bool = False
    beside: bool = False


def verdicts_of(
    header: Sequence[HeaderField], configured: Sequence[SpamField] = (), ours_above: int = 0
) -> tuple[SpamVerdict, ...]:
    """Every verdict of a header, from the top down. `configured`: fields that the configuration names, each in the
    place of ours of that name.
    `ours_above`: at positions below this number only hosts of ours wrote."""
    named = {
        field.field.lower(): Scale((re.compile(field.pattern, re.IGNORECASE),), field.required, ham=_ANYTHING)
        for field in configured
    }
    found: dict[int, _Read] = {}
    names = names_of(header)
    scales = _scales(names)
    for position in sorted({at for at, name in enumerate(names) if name in named} | scales.keys() if named else scales):
        field = header[position]
        if field.key in named:
            read = _read(named[field.key], field.text[:CONFIGURED_MAX_LENGTH])
        elif field.key == "x-spam-score" and _is_tenfold(header, position):
            continue  # cPanel's, ten times the score that stands in the field ahead of it
        else:
            read = _read(scales[position], field.text[:MAX_LENGTH])
        if read is None:
            continue
        if len(found) >= MOST_VERDICTS:
            found[position] = _Read(_normalize(True, 0.0, DEFAULT_REQUIRED))
            break
        found[position] = read
    for run in _runs(header, ours_above):
        _share_limit(found, run)
    return tuple(SpamVerdict(position, read.spam, read.unread) for position, read in found.items())


@kept_by_names
def _scales(names: tuple[str, ...]) -> Mapping[int, Scale]:
    """The fields that hold a verdict, by position."""
    return {at: scale for at, name in enumerate(names) if (scale := scale_of(name)) is not None}


def _runs(header: Sequence[HeaderField], ours_above: int) -> Iterator[range]:
    """Where the verdicts of a filter of ours stand in a row, as ranges of positions. Only there does one field tell how
    another is meant: below, a sender could put a field with a limit of 1000 beside the one that our filter writes,
    whose score he may well foretell."""
    start = 0
    for position in range(min(ours_above, len(header)) + 1):
        if position == ours_above or position == len(header) or not of_a_filter(header[position].key):
            if position > start + 1:
                yield range(start, position)
            start = position + 1


def _share_limit(found: dict[int, _Read], run: range) -> None:
    """Some fields of a run name the score from which on it is spam. Where they all state one verdict, its limit also
    holds for the fields beside them that state the same score and name no such limit."""
    read = [found[position] for position in run if position in found]
    named = {(each.spam.score, each.spam.required) for each in read if each.names_required}
    if len(named) != 1:
        return
    ((score, required),) = named
    for position in run:
        each = found.get(position)
        if each is None or not each.beside or each.names_required or each.spam.flag:
            continue
        if -0.1 < score - each.spam.score < 1:  # a bar has as many characters as there are whole points
            found[position] = replace(each, spam=replace(each.spam, required=required))


def verdict_of(field: HeaderField) -> Spam | None:
    """One field's verdict, normalized; None where it states none.

    What can't be read is ham: it helps nobody, for ham never lowers the risk.
    """
    read = _read_known(field)
    return read.spam if read is not None else None


def _read_known(field: HeaderField) -> _Read | None:
    scale = scale_of(field.key)
    return _read(scale, field.text[:MAX_LENGTH]) if scale is not None else None


def unread(header: Sequence[HeaderField], verdicts: Iterable[SpamVerdict]) -> Iterator[tuple[str, str]]:
    """Name (in ASCII) and value of the fields whose verdict nobody could read, for the log; each cut short."""
    for verdict in verdicts:
        if verdict.unread:
            field = header[verdict.position]
            yield ascii(field.key[:_SHOWN])[1:-1], field.text[:_SHOWN]


def worst(verdicts: Iterable[Spam]) -> Spam:
    """The verdicts of a whole header as one: flagged if any is, with the score that stands highest above what it
    required."""
    flagged = False
    chosen = _HAM
    for verdict in verdicts:
        flagged = flagged or verdict.flag
        if verdict.ratio > chosen.ratio:
            chosen = verdict
    if chosen is _HAM and not flagged:
        return _HAM
    return _normalize(flagged, chosen.score, chosen.required)


def _read(scale: Scale, text: str) -> _Read | None:
    flag = matched = False
    scores: list[float] = []
    required: float | None = None
    text = text.replace("\0", "")
    for match in itertools.chain.from_iterable(pattern.finditer(text) for pattern in scale.patterns):
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
    named = required is not None and required > 0
    spam = _normalize(flag, max(scores, default=0.0), required if required is not None and named else scale.required)
    return _Read(spam, named, not flag and not scores and scale.ham.match(text) is None, scale.beside)


def _normalize(flag: bool, score: float, required: float) -> Spam:
    score = min(max(score, 0.0), _LIMIT)
    return Spam(flag, max(score, required) if flag else score, required)


def _number(text: str | None) -> float | None:
    """A number with a point or a comma; what else a pattern of the configuration may have caught is none."""
    match = _NUMBER.match(text.strip()) if text else None
    return float(match[0].replace(",", ".")) if match else None


_INTEGER = re.compile(r"-?\d{1,6}")


def _is_tenfold(header: Sequence[HeaderField], position: int) -> bool:
    """cPanel writes X-Spam-Status with the score, X-Spam-Score with ten times the score, and X-Spam-Bar, one below the
    other.

    Only where all three stand in a row and agree: filters add their fields above those of the sender or below them, so
    he can't put two of his around one of theirs.
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
