"""Questions to a name server whose answers are bounded before anything takes them apart.

A stranger chooses the names and the records. To parse an answer of 64 KB, whose names are compressed as hard as they
can be, takes seconds, with no word in between: no deadline stops that.
"""

from __future__ import annotations

import socket
import struct
import time

import dns.exception
import dns.message
import dns.nameserver
import dns.query
import dns.rdatatype

LONGEST_ANSWER = 16_384
"""Octets. A domain's hundred TXT records have a few thousand."""

MOST_RECORDS = 200
MOST_HOSTS = 64
"""Records in all sections of an answer; of MX and PTR, whose values are names, fewer. SPF looks at ten of each (RFC
7208 section 4.6.4)."""

_HEADER = struct.Struct("!HHHHHH")
_OF_NAMES = (dns.rdatatype.MX, dns.rdatatype.PTR)


class TooLarge(dns.exception.FormError):
    """An answer that nobody takes apart; what it says is not known. To dnspython it is one that can't be read: this
    name server is not asked again."""


class BoundedNameserver(dns.nameserver.Do53Nameserver):
    """One name server, asked by UDP, and by TCP where that does not hold the answer."""

    def query(
        self,
        request: dns.message.QueryMessage,
        timeout: float,
        source: str | None,
        source_port: int,
        max_size: bool,
        one_rr_per_rrset: bool = False,
        ignore_trailing: bool = False,
    ) -> dns.message.Message:
        """The answer. Raises TooLarge, and what dns.query does."""
        if not max_size:
            return super().query(request, timeout, source, source_port, False, one_rr_per_rrset, ignore_trailing)
        wire = self._by_tcp(request.to_wire(), time.monotonic() + timeout)
        if len(wire) < _HEADER.size:
            raise dns.query.BadResponse
        most = MOST_HOSTS if request.question[0].rdtype in _OF_NAMES else MOST_RECORDS
        if (records := sum(_HEADER.unpack_from(wire)[3:])) > most:
            raise TooLarge(f"an answer of {records} records")  # type: ignore[no-untyped-call]
        answer = dns.message.from_wire(wire, one_rr_per_rrset=one_rr_per_rrset, ignore_trailing=ignore_trailing)
        if not request.is_response(answer):
            raise dns.query.BadResponse
        return answer

    def _by_tcp(self, wire: bytes, end: float) -> bytes:
        """RFC 7766: two octets say how long a message is."""
        with socket.create_connection((self.address, self.port), _left(end)) as connection:
            connection.sendall(struct.pack("!H", len(wire)) + wire)
            (length,) = struct.unpack("!H", _read(connection, 2, end))
            if length > LONGEST_ANSWER:
                raise TooLarge(f"an answer of {length} octets")  # type: ignore[no-untyped-call]
            return _read(connection, length, end)


def _read(connection: socket.socket, octets: int, end: float) -> bytes:
    read = b""
    while len(read) < octets:
        connection.settimeout(_left(end))
        piece = connection.recv(octets - len(read))
        if not piece:
            raise EOFError("the name server closed the connection in the middle of an answer")
        read += piece
    return read


def _left(end: float) -> float:
    """Seconds. Raises Timeout where none is left."""
    left = end - time.monotonic()
    if left <= 0:
        raise dns.exception.Timeout
    return left
