"""How much of a header is read. The bounds are those of large receivers, so that no mail meets them that could arrive
elsewhere.

A header beyond them is not read further: the message has a `problem`, and so no author domain. Parsers read less, each
as much as an honest field of its kind may have, and say so themselves; what they don't read never helps.
"""

from __future__ import annotations

from collections.abc import Iterable

from dkimgate.message.message import HeaderField

MOST_OCTETS = 512 * 1024
"""Octets of all fields of a header, names and values. Gmail takes 500 KB, Exchange Online 256 KB, Stalwart 512 KiB,
Exim 1 MB, Sendmail 32 KB."""

MOST_FIELDS = 5000
"""Fields of a header: what Gmail takes. Postfix hands over any number."""


class Collected:
    """A header that comes in field by field, within the bounds. `problem` says which of them it goes beyond, or is
    None: behind that nothing is kept, so that no sender chooses what is seen."""

    __slots__ = ("_octets", "fields", "problem")

    def __init__(self, fields: Iterable[HeaderField] = ()) -> None:
        self.fields: list[HeaderField] = []
        self.problem: str | None = None
        self._octets = 0
        for field in fields:
            self.add(field)

    def add(self, field: HeaderField) -> None:
        """The next field from the top."""
        self._octets = octets = self._octets + len(field.name) + len(field.value)
        fields = self.fields
        if octets <= MOST_OCTETS and len(fields) < MOST_FIELDS:
            fields.append(field)
        elif self.problem is None:
            beyond = f"{MOST_OCTETS} octets" if octets > MOST_OCTETS else f"{MOST_FIELDS} fields"
            self.problem = f"the header has more than {beyond}"
