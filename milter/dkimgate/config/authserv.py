"""Our authserv-ids (RFC 8601 section 2.5): which names in Authentication-Results are ours, and every way to write them.

An entry of `trust.authserv_ids` is a name; or `NAME/*`, that name with the job id of a message behind it (OpenDKIM and
OpenDMARC write it with `AuthservIDWithJobID`; the RFC allows the slash); or `*.DOMAIN`, every name below that domain;
or `*.DOMAIN/*`. Each stands for itself alone: `NAME/*` is not NAME.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

import idna

from dkimgate.config.problem import BadValue

_LONGEST_NAME = 253
_JOB = "/*"
_BELOW = "*."
_LABELS = re.compile(r"[\w-]++(?:\.[\w-]++)*+")  # not a comment, nor a quoted string, ahead of our domain
_JOB_ID = re.compile(r"[A-Za-z0-9-]{1,100}")


def valid(entry: str) -> str:
    """The entry itself. Raises BadValue if it contains a star outside a pattern."""
    name = entry.removesuffix(_JOB).removeprefix(_BELOW)
    if "*" in name or not name:
        raise BadValue(
            "value.authserv-id",
            f'{entry!r}: expected a name, "NAME/*" for that name and a job id, or "*.DOMAIN" for every name below a '
            f"domain",
        )
    return entry


def is_one(name: str, entries: tuple[str, ...]) -> bool:
    """Is that name one of them? Compared without case, and by A-labels."""
    return _compiled(entries, _in_a_labels).match(name)


def is_spelled(name: str, entries: tuple[str, ...]) -> bool:
    """The same, in exactly the spelling of the entry, except for case."""
    return _compiled(entries, str.lower).match(name)


def without_job_ids(entries: tuple[str, ...]) -> tuple[str, ...]:
    """The names, and `*.DOMAIN` for those below a domain: for whoever looks for them in a text that may go on with
    anything."""
    return tuple(dict.fromkeys(entry.removesuffix(_JOB) for entry in entries))


def names(entries: tuple[str, ...]) -> tuple[str, ...]:
    """The entries that are not patterns."""
    return tuple(entry for entry in entries if "*" not in entry)


@functools.lru_cache(maxsize=16)
def spellings(entries: tuple[str, ...]) -> frozenset[str]:
    """The spellings of all entries: as configured, in A-labels, in U-labels; in lower case. Every text with an entry
    contains one of them. Cached: one message asks several times, and it took a sixth of the time of a refused
    message."""
    plain = [entry.removesuffix(_JOB).removeprefix("*") for entry in entries]
    labels = {_in_a_labels(name) for name in plain}
    return frozenset({*labels, *map(_in_u_labels, labels), *(name.lower() for name in plain)})


@dataclass(frozen=True, slots=True)
class _Names:
    spelled: Callable[[str], str]
    exact: frozenset[str]
    below: tuple[str, ...]
    with_job: frozenset[str]
    with_job_below: tuple[str, ...]

    def match(self, name: str) -> bool:
        if _is_in(self.spelled(name), self.exact, self.below):
            return True
        head, slash, job = name.rpartition("/")
        return (
            bool(slash)
            and _JOB_ID.fullmatch(job) is not None
            and _is_in(self.spelled(head), self.with_job, self.with_job_below)
        )


def _is_in(name: str, exact: frozenset[str], below: tuple[str, ...]) -> bool:
    return name in exact or any(
        name.endswith(end) and _LABELS.fullmatch(name, 0, len(name) - len(end)) is not None for end in below
    )


@functools.lru_cache(maxsize=32)
def _compiled(entries: tuple[str, ...], spelled: Callable[[str], str]) -> _Names:
    with_job = [entry.removesuffix(_JOB) for entry in entries if entry.endswith(_JOB)]
    plain = [entry for entry in entries if not entry.endswith(_JOB)]
    return _Names(spelled, *_split(plain, spelled), *_split(with_job, spelled))


def _split(entries: list[str], spelled: Callable[[str], str]) -> tuple[frozenset[str], tuple[str, ...]]:
    exact = frozenset(spelled(entry) for entry in entries if not entry.startswith(_BELOW))
    return exact, tuple(f".{spelled(entry.removeprefix(_BELOW))}" for entry in entries if entry.startswith(_BELOW))


def _in_a_labels(name: str) -> str:
    """A name in lower case, its U-labels (RFC 5890) as A-labels; what is no such name is left as it is."""
    name = name.lower()
    if name.isascii() or len(name) > _LONGEST_NAME:
        return name
    try:
        return idna.encode(name, strict=True).decode("ascii")
    except UnicodeError:  # idna.IDNAError is one
        return name


def _in_u_labels(name: str) -> str:
    try:
        return idna.decode(name)
    except UnicodeError:
        return name
