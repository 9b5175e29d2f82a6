"""Packets: a length (four octets, network order), an octet that says what it is, and its data. The length counts all
behind itself. Strings in the data end with NUL."""

from __future__ import annotations

import struct
from collections.abc import Iterator

LARGEST = 16 * 1024 * 1024
"""Octets of a packet that is taken. Postfix sends header fields of up to header_size_limit (102,400) whatever was
agreed on. More than is kept of a header (message.limits.MOST_OCTETS), so that a header beyond that is judged as one
that could not be read."""

_LENGTH = struct.Struct("!I")
_FIRST = 5  # octets: the length and what it is


class ProtocolError(Exception):
    """What came is not the milter protocol, or more than is taken."""


def packet(what: bytes, data: bytes = b"") -> bytes:
    """One packet. `what` is one octet."""
    return _LENGTH.pack(len(data) + 1) + what + data


def number(value: int) -> bytes:
    """A number in a packet: four octets, network order."""
    return _LENGTH.pack(value)


def number_at(data: bytes, place: int) -> int:
    """The number that stands there. Raises ProtocolError where the data end before it."""
    if len(data) < place + 4:
        raise ProtocolError("a packet ends in the middle of a number")
    value: int = _LENGTH.unpack_from(data, place)[0]
    return value


def strings(data: bytes, least: int, most: int) -> list[bytes]:
    """The strings at the front of the data, `most` of them at most. Raises ProtocolError where there are fewer than
    `least`."""
    found = data.split(b"\0", most)
    del found[-1]  # what stands behind the last NUL
    if len(found) < least:
        raise ProtocolError("a string in a packet has no end")
    return found


class Packets:
    """Cuts what arrives into packets. It comes in pieces of any size; time and memory grow in proportion to it."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._missing = 0  # octets without which there is no whole packet

    def cut(self, octets: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The packets that are whole with these octets: what it is, and its data. Raises ProtocolError."""
        if self._held:
            self._held += octets
            self._missing -= len(octets)
            if self._missing > 0:
                return
            octets = bytes(self._held)
            self._held.clear()
        at, end = 0, len(octets)
        missing = _FIRST
        while end - at >= _FIRST:
            length: int = _LENGTH.unpack_from(octets, at)[0]
            if not 1 <= length <= LARGEST:
                raise ProtocolError(f"a packet of {length} octets: expected 1 to {LARGEST}")
            following = at + 4 + length
            if following > end:
                missing = 4 + length
                break
            yield octets[at + 4 : at + 5], octets[at + 5 : following]
            at = following
        self._held += memoryview(octets)[at:]
        self._missing = missing - (end - at)
