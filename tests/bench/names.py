"""The name server of the bench: the few names that a judgement asks for. `python -m tests.bench.names PORT ZONE`

ZONE is a file with lines `NAME TYPE VALUE`. Every other name doesn't exist.
"""

from __future__ import annotations

import socket
import sys
from collections import defaultdict
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

_TTL = 86_400


def serve(port: int, zone: Path) -> None:
    """Answer on loopback, for ever."""
    records: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in zone.read_text().splitlines():
        name, kind, value = line.split(" ", 2)
        records[name, kind].append(value)
    names = {name for name, _ in records}
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", port))
    while True:
        wire, client = server.recvfrom(4096)
        query = dns.message.from_wire(wire)
        answer = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        name = question.name.to_text().rstrip(".").lower()
        if values := records.get((name, dns.rdatatype.to_text(question.rdtype))):
            answer.answer.append(dns.rrset.from_text_list(question.name, _TTL, "IN", question.rdtype, values))
        elif name not in names:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        server.sendto(answer.to_wire(max_size=65535), client)


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
