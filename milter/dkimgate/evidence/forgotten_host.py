"""Did a host of ours hand the message in that trust.networks forgot?

It counts as a stranger then, and its hop as the border. But SPF records of the author domain list the hosts of ours, so
what such a host passes on passes SPF, whoever wrote it: that is no ground for anything. A host of ours gives itself a
name that trust.hosts names, or has one in DNS; or it comes from an address that our own mail leaves from, as a
container does behind the address of its host. Whoever says such a name and is not ours only loses a pass.

So it is with a mail host (MX) of a domain of ours, be it another company's: it takes what strangers write, and hands it
on to us.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from dkimgate.config.dkimgate_yaml import Trust
from dkimgate.dns.resolver import Address, Lookup, Status
from dkimgate.evidence.route import Route
from dkimgate.facts import Origin
from dkimgate.message.message import Message
from dkimgate.message.received import address_of

WHY = (
    "the client is a host of ours by its name or address, so SPF of it says nothing of the author: trust.networks "
    "should name it"
)
TAKES_MAIL = "the client is a mail host (MX) of a domain of ours, so SPF of it says nothing of the author"


def handed_in(message: Message, route: Route, trust: Trust, addresses: Collection[Address]) -> bool:
    """Is the border's client a host of ours? `addresses`: what our own mail may leave from."""
    if route.origin is Origin.INBOUND:
        ip, names = message.connection.ip, {message.connection.name, message.connection.helo}
    elif route.border_hop is not None:
        ip, names = route.border_hop.ip, {route.border_hop.helo, *route.border_hop.names}
    else:
        return False
    return any(map(trust.is_host, names)) or address_of(ip) in addresses


def takes_mail(ip: str, names: Iterable[str], lookup: Lookup) -> bool:
    """Is the client a mail host of one of these domains (RFC 5321 section 5.1)? Where DNS does not answer, it may be
    one."""
    client = address_of(ip)
    for name in names:
        found = lookup.mx(name)
        hosts = [host for _, host in found.values] if found.status is not Status.NONE else [name]
        answers = [found, *(ask(host) for host in hosts if host for ask in (lookup.a, lookup.aaaa))]
        if any(answer.status is Status.FAILED or client in answer.values for answer in answers):
            return True
    return False
