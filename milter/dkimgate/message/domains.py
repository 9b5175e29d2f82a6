"""Domain names as DMARC compares them: A-labels, organizational domains, alignment."""

from __future__ import annotations

import contextlib
import encodings.idna
import functools
import re
from collections.abc import Collection, Iterable, Iterator

import idna

from dkimgate.message import suffixes

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_NAME = 253  # octets, RFC 1035 section 3.1 without the root
_KEPT = 4096  # names that are not looked at again: whoever sends thousands of others only makes them looked at


def a_label(domain: str) -> str | None:
    """The domain in lower-case A-labels (RFC 5890), or None where receivers could disagree about which domain it is.

    Strict: letters, digits and hyphens; no empty label, trailing dot, underscore or domain literal; no name that ends
    in digits alone, which many take for an IPv4 address. A U-label is accepted only as RFC 5891 writes it (lower case,
    no full-width forms), and only where IDNA 2003, which some readers still follow, gives the same A-label; an A-label
    only where it is the one A-label of a valid U-label.
    """
    return _name_in_a_labels(domain) if len(domain) <= _LONGEST_NAME else None


@functools.lru_cache(_KEPT)
def _name_in_a_labels(domain: str) -> str | None:
    labels = [_a_label(label) for label in domain.split(".")]
    known = [label for label in labels if label is not None]
    name = ".".join(known)
    if len(known) < len(labels) or len(name) > _LONGEST_NAME or known[-1].isdigit():
        return None
    return name


def of_address(text: str) -> str | None:
    """`a_label` of what stands behind the last @ of an address; a text without one is a domain alone."""
    return a_label(text.rpartition("@")[2])


def _a_label(label: str) -> str | None:
    if label.isascii():
        label = label.lower()
        if not _LABEL.fullmatch(label):
            return None
        return label if not label.startswith("xn--") or _is_a_label(label) else None
    try:
        strict = idna.alabel(label).decode("ascii")
        mapped = encodings.idna.ToASCII(label).decode("ascii")
    except UnicodeError:  # idna.IDNAError is one
        return None
    return strict if strict == mapped else None


def _is_a_label(label: str) -> bool:
    try:
        return idna.alabel(idna.ulabel(label)).decode("ascii") == label
    except UnicodeError:
        return False


def readings(domain: str) -> frozenset[str]:
    """Every name that a lenient receiver may make of the domain of an envelope, for refusals: never empty, never an
    error.

    SPF is published at names that are no host names too (`_spf.hosted.example`), so hardly anything is refused here.
    """
    plain = domain.strip(" \t\r\n<>").rstrip(".").lower()
    if plain.isascii() or len(plain) > _LONGEST_NAME:
        return frozenset({plain})
    found = {plain}
    with contextlib.suppress(UnicodeError):
        found.add(plain.encode("idna").decode("ascii").lower())  # as IDNA 2003 has it
    with contextlib.suppress(UnicodeError):
        found.add(idna.encode(plain, uts46=True).decode("ascii").lower())  # as UTS 46 has it
    return frozenset(name for name in found if name)


def _organizational(domain: str, private: bool) -> str:
    known = _known_organizational if len(domain) <= _LONGEST_NAME else _known_organizational.__wrapped__
    return known(domain, private)


@functools.lru_cache(_KEPT)
def _known_organizational(domain: str, private: bool) -> str:
    return suffixes.registered(domain, private) or domain


def organizational(domain: str) -> str:
    """The organizational domain by the public suffix list (RFC 7489 section 3.2); of a public suffix, that suffix
    itself."""
    return _organizational(domain, private=True)


def is_or_heads(named: str | None, author: str | None) -> bool:
    """Is that the author domain, or its organizational domain? A pass may name either: rspamd, and Google at times,
    tell the domain of the DMARC policy that they found where RFC 8601 section 2.7 has that of the author."""
    return named is not None and author is not None and (named == author or named == organizational(author))


def aligned(a: str, b: str) -> bool:
    """Relaxed alignment as most receivers find it: one organizational domain (RFC 7489 section 3.1, RFC 9989)."""
    return a == b or organizational(a) == organizational(b)


def may_align(a: str, b: str) -> bool:
    """Could any receiver find the two aligned? The cautious answer, for refusals.

    Receivers read the public suffix list with or without its private section, or none at all: the tree walk of RFC 9989
    takes an ancestor that has a DMARC record for the organizational domain. So it may stand as high as just below the
    registry's suffix; and where one name is a sub-domain of the other, it may be that other, whatever that is. Two
    names that share nothing but the suffix of a registry (a.co.uk, b.co.uk) have different owners, and do not align:
    unless that registry publishes a DMARC policy, which only DNS tells (`dmarc.walk.organization_holds`).
    """
    if a == b or a.endswith(f".{b}") or b.endswith(f".{a}"):
        return True
    return any(_organizational(a, private) == _organizational(b, private) for private in (True, False))


def aligning(domain: str, others: Iterable[str]) -> Iterator[str]:
    """Those of the others that `may_align` with the domain."""
    widest = _organizational(domain, private=False)  # both ways it ends every name that aligns from below or beside
    near = (other for other in others if other.endswith(widest) or domain.endswith(other))
    return (other for other in near if may_align(domain, other))


class Group:
    """Many domains, asked whether one of them may align with a name. It takes no longer for many than for few."""

    def __init__(self, members: Collection[str]) -> None:
        self._members = frozenset(members)
        self._above = frozenset(above for member in self._members for above in _from_itself_up(member))
        self._organizations = {
            private: frozenset(_organizational(member, private) for member in self._members)
            for private in (True, False)
        }

    def may_align(self, name: str) -> bool:
        """`may_align` of the name and any of them."""
        return (
            name in self._above
            or any(above in self._members for above in _from_itself_up(_end(name)))
            or any(_organizational(name, private) in known for private, known in self._organizations.items())
        )


def _end(name: str) -> str:
    """Of a name that is too long for one, what a name above it may be."""
    return name if len(name) <= _LONGEST_NAME else name[-_LONGEST_NAME - 1 :].partition(".")[2]


def _from_itself_up(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.partition(".")[2]


def covering(author: str, domains: Collection[str]) -> str | None:
    """The longest of `domains` that may sign for the author domain: equal to it, or above it and aligned with it.

    A key of a sub-domain would align too, but its owner need not speak for what is above. A public suffix covers nobody
    but itself: what stands below it belongs to others. With a set or a dictionary this takes no longer for many domains
    than for few.
    """
    labels = author.split(".")
    for start in range(len(labels)):
        domain = ".".join(labels[start:])
        if domain in domains and aligned(domain, author):
            return domain
    return None
