"""Lists of tag=value (RFC 6376 section 3.2): the one grammar of DKIM signatures and keys, of ARC, and of DMARC records.

Who verifies reads a list strictly: what two readers may read in two ways is invalid. Who looks for what hurts, or only
for a hint, reads it loosely. A list beyond the bounds is taken apart by neither.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dkimgate.dkim.kept import kept

WHITE = b" \t\r\n"

LONGEST = 16_384
"""Octets of a list that is read at all; a signature of an 8192-bit key takes 1,400."""

MOST_TAGS = 100
"""Tags of a list that is read at all; the RFCs have 13 for a signature."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class Invalid(ValueError):
    """It is no list of tag=value; the text says why."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag. `value` without the white space around it; `start` and `end`: where it stands in the list, with that
    white space."""

    name: str
    value: bytes
    start: int
    end: int

    @property
    def text(self) -> str:
        """The value as text. Raises Invalid where it is neither ASCII nor UTF-8 (RFC 8616)."""
        try:
            return self.value.decode("utf-8")
        except UnicodeDecodeError:
            raise Invalid(f"{self.name}= is neither ASCII nor UTF-8") from None


def strict(value: bytes) -> Mapping[str, Tag]:
    """The tags by name, in order. Raises Invalid at a part that is no tag=value, at a tag that stands twice, and for a
    list beyond the bounds."""
    found = _strictly(value)
    if isinstance(found, str):
        raise Invalid(found)
    return found


@kept(64)
def _strictly(value: bytes) -> Mapping[str, Tag] | str:
    """The tags, or why it is no list."""
    if (problem := beyond(value)) is not None:
        return problem
    tags: dict[str, Tag] = {}
    for part, tag in _parts(value):
        if tag is None or not _NAME.fullmatch(tag.name):
            return f"{part.strip(WHITE)[:40].decode('ascii', 'replace')!r} is no tag=value"
        if tag.name in tags:
            return f"the tag {tag.name[:20]}= stands twice"
        tags[tag.name] = tag
    return MappingProxyType(tags)


def loose(value: bytes) -> tuple[Tag, ...] | None:
    """Every part that has an equals sign, in order, whatever its name. None for a list beyond the bounds: it may say
    anything. Never raises."""
    if beyond(value) is not None:
        return None
    return tuple(tag for _, tag in _parts(value) if tag is not None)


def beyond(value: bytes) -> str | None:
    """By which of the bounds a list is not read, or None."""
    if len(value) > LONGEST:
        return f"longer than {LONGEST} octets"
    return f"more than {MOST_TAGS} tags" if value.count(b";") > MOST_TAGS else None


def words(text: str) -> list[str]:
    """The items of a value that is a list with colons, in lower case."""
    return [word.strip(" \t\r\n").lower() for word in text.split(":")]


@kept(64)
def _parts(value: bytes) -> tuple[tuple[bytes, Tag | None], ...]:
    """The parts between the semicolons, each with its tag; white space behind the last semicolon is none."""
    parts = value.split(b";")
    if not parts[-1].strip(WHITE):
        parts.pop()
    found: list[tuple[bytes, Tag | None]] = []
    start = 0
    for part in parts:
        name, equals, said = part.partition(b"=")
        at = start + len(name) + 1
        tag = (
            Tag(name.strip(WHITE).decode("utf-8", "replace"), said.strip(WHITE), at, start + len(part))
            if equals
            else None
        )
        found.append((part, tag))
        start += len(part) + 1
    return tuple(found)
