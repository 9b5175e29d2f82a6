"""What a fact is that a condition may name: its kind, its place in `Facts`, and how its value is read."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache

from dkimgate.facts import Facts, Risk

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Kind(Enum):
    """What the value of a fact is, and so what may be written behind its name."""

    WORD = auto()  # one of a few words
    FLAG = auto()  # true or false
    NUMBER = auto()  # compared: "< 50"
    TEXT = auto()  # globs, also `begin*`
    HOST = auto()  # globs over a host name
    AUTHOR = auto()  # hosted, none, globs over a domain
    MAILBOX = auto()  # globs over an address, or over its domain
    MAILBOXES = auto()  # the same, of several addresses
    ADDRESS = auto()  # IP networks


@dataclass(frozen=True, slots=True)
class Author:
    """The value of `from`: the author domain (None without a single one), and whether a key of ours covers it."""

    domain: str | None
    hosted: bool


Value = bool | float | str | tuple[str, ...] | Author | IPAddress | None
"""What a fact is in one message: None where the message is without it. Text is in lower case, as conditions are."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of the table of facts.

    - `meaning`: a sentence for the reference and for editors.
    - `plain`: what `policy show` says. Of a FLAG: where it is true, and where it is not. Of a text: what it is called,
      and what is said where it is there at all. Of the others: what it is called.
    - `at`: the place in `Facts` where the value is read, and put by a test case, if that isn't the name.
    - `compute`: makes a value that stands nowhere in `Facts`. `instead` tells the author of a test case what to state
      for it.
    - `words` of a WORD. `found`: the words that a message may have, where those are more, or in another order.
    - `whole` of a NUMBER: it has no fraction.
    - `optional`: a message may be without the fact, and then no condition on it holds.
    - `examples`: texts that one can read, for messages that the proof makes up.
    - `told`: texts and test cases name it, and conditions name another: that one.
    """

    name: str
    kind: Kind
    meaning: str
    plain: tuple[str, str] = ("", "")
    at: str = ""
    compute: Callable[[Facts, Risk], Value] | None = None
    instead: str = ""
    words: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    whole: bool = False
    optional: bool = False
    examples: tuple[str, ...] = ()
    told: str = ""

    @property
    def place(self) -> str:
        """Where the value stands in `Facts`; empty where it stands nowhere as it is."""
        return self.at or ("" if self.compute is not None else self.name)

    def value(self, facts: Facts, risk: Risk) -> Value:
        """The value in one message."""
        if self.compute is not None:
            return self.compute(facts, risk)
        found: object = facts
        for part in _way(self.place):
            found = getattr(found, part) if found is not None else None
        return None if found is None else _READ[self.kind](found)


@cache
def _way(at: str) -> tuple[str, ...]:
    """The attributes that lead to a place in `Facts`."""
    return tuple(at.split("."))


def plain_address(address: str) -> str:
    """An address as globs compare it: a root dot behind the domain would step around a condition."""
    return address.lower().rstrip(".")


def plain_host(name: object) -> str | None:
    """A host name as globs compare it; an empty one is absent."""
    return plain_address(str(name)) or None


def _number(found: object) -> float:
    return float(str(found)) if not isinstance(found, int | float) else float(found)


def _ip_address(text: object) -> IPAddress | None:
    """The address; one that is IPv4 mapped into IPv6 as the IPv4 address it is. What is no address is absent."""
    try:
        address = ipaddress.ip_address(str(text))
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


_READ: dict[Kind, Callable[[object], Value]] = {
    Kind.WORD: lambda found: str(found).lower(),
    Kind.FLAG: bool,
    Kind.NUMBER: _number,
    Kind.TEXT: lambda found: str(found).lower() or None,
    Kind.HOST: plain_host,
    Kind.MAILBOX: lambda found: plain_address(str(found)),
    Kind.ADDRESS: _ip_address,
}
