"""What Postfix's smtp(8) makes of long lines on the wire: it breaks them with CRLF and a space, behind every milter.

A queue file knows lines of any length, SMTP doesn't (RFC 5321 section 4.5.3.1.6), so smtp(8) breaks what is longer than
smtp_line_length_limit (998) wherever that falls, in the middle of a word or of an address too. What is signed must be
what is sent; what is read must be what the next reader reads. The algorithm is that of smtp_text_out() in Postfix 2.9
to 3.10.

Here too: folding at white space (RFC 5322 section 2.2.3), by which a header line can be kept below the limit, and stays
the same to whoever unfolds it.
"""

from __future__ import annotations

import re
from itertools import pairwise

from dkimgate.message.message import HeaderField

LONGEST_LINE = 998
"""Octets of a line without its end (RFC 5322 section 2.1.1), and the default of smtp_line_length_limit."""

RECORD = 2048
"""The default of line_length_limit: how many octets of a line Postfix takes at a time. smtp(8) breaks a line ahead of
time where a break falls on the end of such a piece, even if nothing comes behind it."""

LEAST_LIMIT = 2
"""With 1, smtp(8) would not come to an end."""

_BLANK = b" \t"
_LEADING = re.compile(rb"[ \t]*")


def has_long_line(field: HeaderField, limit: int) -> bool:
    """Does smtp(8) break a line of this field? `limit` in octets; with 0 it breaks none."""
    # as a rule the field as a whole is shorter, and a glance tells
    if not limit or len(field.name) + 1 + len(field.value) <= limit:
        return False
    return any(len(line) > limit for line in _lines(field))


def sent(field: HeaderField, limit: int) -> HeaderField:
    """The field as smtp(8) sends it: long lines are broken with a line end and a space."""
    if not has_long_line(field, limit):
        return field
    name, _, value = b"\n".join(_broken(line, limit) for line in _lines(field)).partition(b":")
    return HeaderField(name, value)


def _lines(field: HeaderField) -> list[bytes]:
    return (field.name + b":" + field.value).replace(b"\r\n", b"\n").split(b"\n")


def _broken(line: bytes, limit: int) -> bytes:
    pieces = [line[:limit], *(line[at : at + limit - 1] for at in range(limit, len(line), limit - 1))]
    return b"\n ".join(pieces)


def folded(field: HeaderField, limit: int) -> bytes | None:
    """The value with its long lines folded at white space, so that none is above the limit; None where there is no
    place for that.

    No octet is changed, and only line ends are added: in front of white space, and so that no line holds nothing else.
    Takes time linear in the size of the field.
    """
    lines: list[bytes] = []
    for number, line in enumerate(_lines(field)):
        parts = _folded(line, limit, len(field.name) + 1 if number == 0 else 0)
        if parts is None:
            return None
        lines += parts
    return b"\n".join(lines)[len(field.name) + 1 :]


def _folded(line: bytes, limit: int, name: int) -> list[bytes] | None:
    """The line in parts of which each but the first begins with white space. `name`: so many octets at its begin are
    name and colon."""
    parts: list[bytes] = []
    start, last = 0, len(line.rstrip(_BLANK))  # behind `last` a fold would leave a blank line
    while len(line) - start > limit:
        text = _text_begin(line, start, name)
        at = _last_blank(line, text + 1, min(start + limit, last - 1) + 1)
        if at is None and not parts and name <= limit and text > name:
            at = name  # nothing but the name ahead of it: lawful, and the last resort
        if at is None:
            return None
        parts.append(line[start:at])
        start = at
    return [*parts, line[start:]]


def _text_begin(line: bytes, start: int, name: int) -> int:
    """Where the first octet stands that is no white space, nor of the field's name."""
    found = _LEADING.match(line, max(start, name))
    return found.end() if found else start


def _last_blank(line: bytes, start: int, end: int) -> int | None:
    """The last space or tab between two places of a line."""
    found = max(line.rfind(b" ", start, end), line.rfind(b"\t", start, end))
    return found if found >= 0 else None


class LineBreaker:
    """Where smtp(8) breaks the lines of a body that comes in pieces. `limit` in octets; with 0 nowhere.

    It costs next to nothing where no line is too long: it leaps from line end to line end, a limit at a time.
    """

    __slots__ = ("_column", "_length", "_limit", "_record")

    def __init__(self, limit: int, record: int = RECORD) -> None:
        self._limit = limit
        self._record = record
        self._column = 0  # octets of the line on the wire so far
        self._length = 0  # octets of the line as it was handed in

    def copy(self) -> LineBreaker:
        """Another one that stands where this one does."""
        twin = LineBreaker(self._limit, self._record)
        twin._column, twin._length = self._column, self._length
        return twin

    def cuts(self, text: bytes) -> list[int]:
        """The places in the next piece of the body at which CRLF and a space are put. The piece must not end between CR
        and LF; only CRLF ends a line. Places come in order."""
        limit, size = self._limit, len(text)
        if not limit:
            return []
        found: list[int] = []
        start, column = 0, self._column
        while True:
            if not column:
                start = self._skip(text, start)
            full = start + limit - column  # where this line has reached the limit
            end = text.rfind(b"\r\n", start, full + 2)
            if end >= 0:
                if end == full and self._ends_a_record(text, start, end):
                    found.append(end)
                start, column, self._length = end + 2, 0, 0
            elif size <= full:
                self._column = column + size - start
                self._length += size - start
                return found
            else:
                found.append(full)
                self._length += full - start
                start, column = full, 1

    def _skip(self, text: bytes, start: int) -> int:
        """Where the next line begins that may be broken, or the last one: the leaps where nothing is amiss."""
        rfind, leap = text.rfind, self._limit + (self._limit % self._record > 0) + 1
        while (end := rfind(b"\n", start, start + leap)) > start and text[end - 1] == 13:
            start = end + 1
        return start

    def _ends_a_record(self, text: bytes, start: int, end: int) -> bool:
        """A line that fills its last line on the wire, and its last record: smtp(8) has begun another one by then."""
        length = self._length + end - start
        return length > 0 and length % self._record == 0 and text.find(b"\r\n", start, end) < 0


def broken(text: bytes, cuts: list[int]) -> bytes:
    """A piece of a body with the breaks in it."""
    edges = [0, *cuts, len(text)]
    return b"\r\n ".join(text[start:end] for start, end in pairwise(edges))
