"""Sets of whole numbers as ranges, and the scales by which floats, risks, counts and addresses are whole numbers.

Floats can be counted: each has a next one. So "less than 50" is "at most the float before 50", every range is closed,
and no proof depends on what lies between two floats.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from dkimgate.policy.language.model import Compare


@dataclass(frozen=True)
class Ranges:
    """A set of whole numbers: (first, last) pairs, ascending, with a gap between any two."""

    parts: tuple[tuple[int, int], ...]

    def __bool__(self) -> bool:
        return bool(self.parts)

    @property
    def first(self) -> int:
        """The least member of a set that is not empty."""
        return self.parts[0][0]

    @property
    def last(self) -> int:
        """The greatest member of a set that is not empty."""
        return self.parts[-1][1]

    @cached_property
    def size(self) -> int:
        """How many members there are."""
        return sum(last - first + 1 for first, last in self.parts)

    def __and__(self, other: Ranges) -> Ranges:
        """What is in both."""
        found: list[tuple[int, int]] = []
        mine, theirs = iter(self.parts), iter(other.parts)
        a, b = next(mine, None), next(theirs, None)
        while a is not None and b is not None:
            first, last = max(a[0], b[0]), min(a[1], b[1])
            if first <= last:
                found.append((first, last))
            if a[1] < b[1]:
                a = next(mine, None)
            else:
                b = next(theirs, None)
        return Ranges(tuple(found))

    def without(self, other: Ranges) -> Ranges:
        """What is in this one alone."""
        found: list[tuple[int, int]] = []
        holes = list(other.parts)
        for start, last in self.parts:
            first = start
            for low, high in holes:
                if high < first:
                    continue
                if low > last:
                    break
                if low > first:
                    found.append((first, low - 1))
                first = high + 1
            if first <= last:
                found.append((first, last))
        return Ranges(tuple(found))

    def __contains__(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self.parts)


def union(*parts: tuple[int, int]) -> Ranges:
    """The set of all members of the (first, last) pairs, which may overlap; a pair whose last is below its first has
    none."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(parts):
        if first > last:
            continue
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return Ranges(tuple(found))


class Scale:
    """Values in ascending order as whole numbers."""

    def at_least(self, number: float) -> int:
        """Of the first value that is `number` or more."""
        raise NotImplementedError

    def above(self, number: float) -> int:
        """Of the first value that is more than `number`."""
        raise NotImplementedError

    def matching(self, compares: tuple[Compare, ...], among: Ranges) -> Ranges:
        """Those `among` for which one of the comparisons holds."""
        return union(*(part for compare in compares for part in self._matching(compare, among)))

    def _matching(self, compare: Compare, among: Ranges) -> tuple[tuple[int, int], ...]:
        if not among:
            return ()
        least, more = self.at_least(compare.number), self.above(compare.number)
        wanted: list[tuple[int, int]]
        match compare.operator:
            case "<":
                wanted = [(among.first, least - 1)]
            case "<=":
                wanted = [(among.first, more - 1)]
            case ">":
                wanted = [(more, among.last)]
            case ">=":
                wanted = [(least, among.last)]
            case "==":
                wanted = [(least, more - 1)]
            case "!=":
                wanted = [(among.first, least - 1), (more, among.last)]
        return (among & union(*wanted)).parts


class Floats(Scale):
    """Every float that is a number, by its rank: ranks of neighbours differ by one."""

    def at_least(self, number: float) -> int:
        return rank(number)

    def above(self, number: float) -> int:
        return rank(number) + 1


_BEYOND_EVERY_RISK = 1e9


class Cents(Scale):
    """What a risk can be: floats of two decimals, by their hundredths."""

    def at_least(self, number: float) -> int:
        number = min(max(number, -1.0), _BEYOND_EVERY_RISK)
        cents = math.floor(number * 100) - 1
        while cents / 100 < number:
            cents += 1
        return cents

    def above(self, number: float) -> int:
        cents = self.at_least(number)
        return cents + 1 if cents / 100 == number else cents


class Counts(Scale):
    """Whole numbers as themselves."""

    def at_least(self, number: float) -> int:
        return math.ceil(number)

    def above(self, number: float) -> int:
        return math.floor(number) + 1


def rank(number: float) -> int:
    """The place of a float among all floats; 0.0 has 0."""
    bits: int = struct.unpack("<q", struct.pack("<d", number + 0.0))[0]
    return bits if bits >= 0 else -(bits & 0x7FFF_FFFF_FFFF_FFFF)


def unrank(place: int) -> float:
    """The float of that rank."""
    magnitude: float = struct.unpack("<d", struct.pack("<q", abs(place)))[0]
    return magnitude if place >= 0 else -magnitude


ABSENT = -1
"""The number of an address that a message is without."""

_SIXTH = 1 << 33
_MAPPED = _SIXTH + (0xFFFF << 32)

ADDRESSES = union(
    (ABSENT, ABSENT), (0, (1 << 32) - 1), (_SIXTH, _MAPPED - 1), (_MAPPED + (1 << 32), _SIXTH + (1 << 128) - 1)
)
"""IPv4, and behind it IPv6; without IPv4 that is mapped into IPv6, for that is compared as IPv4."""

PRESENT_ADDRESSES = ADDRESSES.without(union((ABSENT, ABSENT)))


def network_range(network: IPv4Network | IPv6Network) -> tuple[int, int]:
    """The numbers of a network's addresses."""
    base = 0 if isinstance(network, IPv4Network) else _SIXTH
    return base + int(network.network_address), base + int(network.broadcast_address)


def number_of(address: IPv4Address | IPv6Address) -> int:
    """The number of an address."""
    return int(address) + (0 if isinstance(address, IPv4Address) else _SIXTH)


def address_of(number: int) -> str | None:
    """The address of that number."""
    if number == ABSENT:
        return None
    return str(IPv4Address(number)) if number < _SIXTH else str(IPv6Address(number - _SIXTH))
