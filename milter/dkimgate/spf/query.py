"""SPF (RFC 7208) of one address and one domain: pyspf's evaluation with our DNS."""

from __future__ import annotations

import re
from typing import SupportsIndex, TypeVar

import spf

from dkimgate.dns.resolver import Address, Answer, Lookup, Status

T = TypeVar("T")

MOST_VOIDS = 2
"""Questions without an answer that a record may cost where they count (RFC 7208 section 4.6.4)."""

MOST_VALUES = 1000
"""Values of answers that one evaluation looks at. An honest record has ten terms of ten hosts; of what is compared, a
stranger's could have forty terms of forty hosts with thousands of addresses each."""

LONGEST_RECORD = 4096
"""Octets of a record that is evaluated; RFC 7208 section 3.4 wants it below 512."""


BELOW = "d below"
"""Among the letters of macros, `%{d}` in the record of an include or a redirect."""

_MACRO = re.compile(r"%\{([a-zA-Z])")


class TooLong(Exception):
    """A record of more than LONGEST_RECORD octets: what it says is not looked at."""


class Query(spf.query):  # type: ignore[misc]
    """pyspf's evaluation with the message's deadline and the common cache instead of pyspf's own lookups.

    `check()[0]` is the result in lower case. It may raise anything, TooLong for one: pyspf does so on records that it
    did not foresee, and they are a stranger's. `strict`: more than two void lookups are a permerror, as section 4.6.4
    recommends. Without it behind a term that is a permerror the rest is read all the same, and `lenient_result` says
    what comes of it. `macros`: the letters in lower case of those that were read, and the result hangs on what they
    stand for (RFC 7208 section 7.2); and BELOW.
    """

    def __init__(
        self, address: Address, local: str, domain: str, helo: str | None, lookup: Lookup, *, strict: bool
    ) -> None:
        super().__init__(i=str(address), s=f"{local}@{domain}", h=helo or "unknown", strict=strict)
        # pyspf splits at the first @, which a quoted local part may hold
        self.l, self.o, self.d = local, domain, domain
        self.lookup = lookup
        self.macros: set[str] = set()
        self._count_voids = strict
        self._values_left = MOST_VALUES

    @property
    def lenient_result(self) -> str | None:
        """After a `check` that came to permerror: what a reader finds who passes over the terms that can't be read;
        None where no one finds anything."""
        found = getattr(self.perm_error, "ext", None)
        return str(found[0]) if found else None

    def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[object]:
        """The values of a question as pyspf wants them. Raises spf.TempError, and spf.PermError at a void lookup too
        many."""
        values = self._ask(name, qtype)
        if not values and not ignore_void and self._count_voids and not self._has_other_addresses(name, qtype):
            self.void_lookups += 1
            if self.void_lookups > MOST_VOIDS:
                raise spf.PermError(f"more than {MOST_VOIDS} void lookups")
        return values

    def _has_other_addresses(self, name: str, qtype: str) -> bool:
        """Does a host merely lack addresses of the client's family? Then its term is answered: honest senders name such
        hosts in two terms and more, and section 4.6.4 is there against names that nobody has set up."""
        match qtype:
            case "AAAA":
                return self.lookup.a(name).status is not Status.NONE
            case "A":
                return self.lookup.aaaa(name).status is not Status.NONE
        return False

    def _ask(self, name: str, qtype: str) -> list[object]:
        match qtype:
            case "TXT":
                return [(bounded(text),) for text in self._values(self.lookup.txt(name))]
            case "A":
                return [str(address) for address in self._values(self.lookup.a(name))]
            case "AAAA":
                return [str(address) for address in self._values(self.lookup.aaaa(name))]
            case "MX":
                return list(self._values(self.lookup.mx(name)))
            case "PTR":
                return list(self._values(self.lookup.ptr(name)))
        return []

    def _values(self, answer: Answer[T]) -> tuple[T, ...]:
        if answer.status is Status.FAILED:
            raise spf.TempError(answer.why)
        self._values_left -= len(answer.values)
        if self._values_left < 0:
            raise spf.PermError(f"more than {MOST_VALUES} hosts and addresses")
        return answer.values

    def expand(self, text: str, stripdot: bool = True) -> object:
        """The text with its macros replaced (RFC 7208 section 7). pyspf looks through all of it once for each label
        that it has."""
        letters = {letter.lower() for letter in _MACRO.findall(text)}
        self.macros |= letters
        if "d" in letters and self.d != self.o:
            self.macros.add(BELOW)
        return super().expand(_OneLabel(text), stripdot)

    def get_explanation(self, spec: str) -> None:
        """Nobody reads the explanation of a failure: it is not worth a question."""


class _OneLabel(str):
    """A text that is looked through once: pyspf finds one label in it."""

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        """The text itself where it is to be split at dots."""
        return [str(self)] if sep == "." else super().split(sep, maxsplit)


def bounded(text: bytes) -> bytes:
    """The text of a TXT record. Raises TooLong where it is a record of SPF that nobody evaluates."""
    if len(text) > LONGEST_RECORD and text[:6].lower() == b"v=spf1":
        raise TooLong(f"an SPF record of {len(text)} octets")
    return text
