"""What stands below a login: did the user write the message, or hand on what strangers had sent him?

A mail program sends what its user wrote. But servers log in too, and so does a mailbox that redirects: a customer's
own server that has ours for its smarthost hands on the mail of its users, and what its aliases forward, from anybody.
A stranger can't take off what that server wrote of him. So every Received field below a login has to tell of a user:
of his login, a program or a webmail, or of an address from which no stranger comes. And nobody verifies what a user
writes, so results tell of a stranger too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dkimgate.authres import authentication_results
from dkimgate.config.dkimgate_yaml import Trust
from dkimgate.evidence import sources
from dkimgate.message.addresses import is_inside
from dkimgate.message.message import HeaderField
from dkimgate.message.received import Hop, address_of, parse_hop

_JOURNEY = sources.names_of(lambda source: source.tells_a_journey)
_WEB = ("HTTP", "HTTPS")

# Plesk states SPF of its own users too, and says beside it that they had logged in
_PLESK_RESULT = re.compile(r"\s*(\S+);\s*spf=pass \(sender IP is [0-9A-Fa-f.:]+\) [^;()\"]*")
_PLESK_LOGIN = re.compile(r"\s*pass \((\S+): connection is authenticated\)\s*")


def why_of_strangers(header: Sequence[HeaderField], trust: Trust, client: str | None, most: int) -> str | None:
    """Why it may come from outside, or None where it does not. `header`: the fields from the login down. `client`: the
    address of whoever logged in. `most`: so many Received fields are read, more are doubtful."""
    read = 0
    last: Hop | None = None
    for at, field in enumerate(header):
        if field.key == "received":
            read += 1
            last = parse_hop(field, at)
            if read > most:
                return f"below the login stand more than {most} Received fields"
            if not _of_a_user(last, trust, client):
                return (
                    f"who logged in had it from others: {last.by or 'a host without name'} took it from "
                    f"{last.ip or last.helo or 'an unnamed client'}, which had not logged in there"
                )
        elif tells_of_a_journey(header, at):
            name = field.name.decode("latin-1").strip()
            return f"no hop leads outside, but {name} does: who logged in had it from others"
    if last is not None and last.incomplete:
        return "below the login, qmail took it from the network, and the field that says from whom was removed"
    return None


def tells_of_a_journey(header: Sequence[HeaderField], at: int) -> bool:
    """Does the field at that position tell that a message came from another host? Results that say nothing but that
    its user had logged in do not."""
    field = header[at]
    if field.key not in _JOURNEY:
        return False
    if sources.RESULTS.holds(field.key):
        reading = authentication_results.read(field.text)
        if (
            reading.strict
            and reading.results
            and all((r.method, r.result) == ("auth", "pass") for r in reading.results)
        ):
            return False
        below = header[at + 1] if at + 1 < len(header) else None
        return below is None or not _is_pair_of_plesk(field, below)
    return not (sources.RECEIVED_SPF.holds(field.key) and at > 0 and _is_pair_of_plesk(header[at - 1], field))


def _is_pair_of_plesk(above: HeaderField, below: HeaderField) -> bool:
    """Both fields that it writes for its own user. For a stranger, it writes another result into the second, and a
    field of that name which he wrote stands below it."""
    if not (sources.RESULTS.holds(above.key) and sources.RECEIVED_SPF.holds(below.key)):
        return False
    result, login = _PLESK_RESULT.fullmatch(above.text), _PLESK_LOGIN.fullmatch(below.text)
    return result is not None and login is not None and result[1] == login[1]


def _of_a_user(hop: Hop, trust: Trust, client: str | None) -> bool:
    """Does that field tell of a user, or of the way within one host or network?"""
    if hop.login or hop.local or hop.nameless or hop.mapi or (hop.protocol or "").upper() in _WEB:
        return True
    addresses = {address for address in (hop.ip, *hop.named) if address}
    if not addresses:
        # a delivery over a socket; Google, which names no client of its own: for both, the next field tells
        return hop.is_delivery or (hop.protocol == "SMTP" and not hop.names and not hop.of_itself)
    return all(_no_strangers(address, hop, trust, client) for address in addresses)


def _no_strangers(ip: str, hop: Hop, trust: Trust, client: str | None) -> bool:
    address = address_of(ip)
    return (
        address is None
        or is_inside(address)
        or trust.is_client(ip)
        or address == address_of(client)
        or (ip in hop.of_itself and hop.by in hop.names)
    )
