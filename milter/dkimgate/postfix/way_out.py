"""The way out: where mail leaves this host from, the name that it says in EHLO, and what Postfix makes of a sender
behind the gate.

All of it decides what SPF says at the next receiver. What the configuration says under `departure:` counts; the rest is
found out once, when everything is loaded; and what can't be found out is taken to help a forgery.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from dkimgate.config.dkimgate_yaml import Outgoing
from dkimgate.config.problem import Problem
from dkimgate.dns.resolver import Address, Lookup
from dkimgate.message.addresses import is_inside
from dkimgate.postfix import authors
from dkimgate.postfix.authors import Authors
from dkimgate.postfix.settings import Settings
from dkimgate.postfix.this_host import System

T = TypeVar("T")

MOST_DOMAINS = 25
"""Domains of ours whose MX is asked for: they name the same few hosts, and a start must not take long."""


class Known(StrEnum):
    """How the addresses that mail leaves from are known."""

    CONFIGURED = "configured"
    FOUND = "found"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class WayOut:
    """How mail leaves.

    `addresses` are those that it may leave from, and `why` tells in words whence they are known, or why they aren't.
    `helos` are the names that may be said in EHLO; none where nobody knows. `origins` are the domains that Postfix may
    append to a sender without one, None where nobody knows. `suffixes` are what it may append to a domain without a
    dot, "" for nothing; None where nobody knows. `masquerades` is masquerade_domains: whose sub-domains it may cut off.
    `rewritten_by` names the parameters by which it may make any other sender, in tables that are not seen from here.
    `own` are domains of this host whose addresses such tables may change, where the configuration says that they change
    no others: a stranger may write one of them as his sender.
    `owners` are the tables of aliases with which local(8) may forward in the name of an alias's owner, which is a
    sender without a domain (aliases(5)).
    `authors`: whom it makes another author.
    """

    addresses: tuple[Address, ...] = ()
    known: Known = Known.UNKNOWN
    why: str = "nobody has looked"
    helos: tuple[str, ...] = ()
    origins: frozenset[str] | None = None
    suffixes: frozenset[str] | None = None
    masquerades: tuple[str, ...] = ()
    rewritten_by: tuple[str, ...] = ()
    own: frozenset[str] = frozenset()
    owners: tuple[str, ...] = ()
    authors: Authors = field(default_factory=Authors)

    def cut(self, name: str) -> str:
        """What masquerade_domains leaves of a domain, in lower case: the first item that fits decides, and `!` in front
        spares it."""
        for item in self.masquerades:
            domain = item.lstrip("!")
            spares = (len(item) - len(domain)) % 2 == 1
            if domain and (name == domain or name.endswith(f".{domain}")):
                return name if spares else domain
        return name

    def rests_on(self) -> str:
        """What a predicted departure rests on, as the end of a sentence."""
        if self.rewritten_by:
            return (
                f"Postfix may change any sender after the gate ({', '.join(self.rewritten_by)}), so every "
                "sender is assumed to pass SPF, and none can be rewritten"
            )
        if self.known is Known.UNKNOWN:
            return (
                f"the addresses that mail leaves from are unknown ({self.why}), so every aligned sender is assumed to "
                "pass SPF"
            )
        how = "departure.addresses" if self.known is Known.CONFIGURED else f"found: {self.why}"
        return f"SPF is looked up for mail from {', '.join(map(str, self.addresses))} ({how})"

    def warnings(self) -> list[Problem]:
        """What a postmaster must know of it at every start."""
        if not self.rewritten_by:
            return []
        text = (
            f"departure: Postfix may change any sender after the gate ({', '.join(self.rewritten_by)}). So the "
            "gate assumes that every sender passes SPF, and a rewritten sender does not help: mail that arrived badly "
            "is held if the policy says `envelope: unalign`. If these tables change neither senders of strangers nor "
            "`unalign.domain`, set `departure: {rewrites_senders: false}`"
        )
        return [Problem("departure.rewrites-senders", text)]


def configured(outgoing: Outgoing) -> WayOut:
    """What the configuration alone says. Asks nobody."""
    addresses = outgoing.addresses or ()
    return WayOut(
        addresses,
        Known.CONFIGURED if addresses else Known.UNKNOWN,
        "as configured" if addresses else "departure.addresses names none",
        (outgoing.helo,) if outgoing.helo else (),
        frozenset({outgoing.origin}) if outgoing.origin else None,
    )


def find(outgoing: Outgoing, ours: Iterable[str], system: System, lookup: Lookup) -> WayOut:
    """The way out of this host. `ours` are the domains whose keys we hold, for their MX. Never raises, and takes
    bounded time: the host answers within seconds, and so does `lookup`."""
    settings = _quietly(system.postfix)
    said = configured(outgoing)
    ours = frozenset(ours)
    addresses, known, why = said.addresses, said.known, said.why
    if outgoing.addresses is None:
        found = _quietly(lambda: _addresses(settings, system, ours, lookup))
        addresses, why = found if found is not None else ((), "looking for them failed")
        known = Known.FOUND if addresses else Known.UNKNOWN
    vouches, own = outgoing.rewrites_senders is False, _own(settings, ours)
    return WayOut(
        addresses,
        known,
        why,
        said.helos or _helos(settings),
        said.origins if said.origins is not None else _origins(settings),
        _suffixes(settings),
        _masquerades(settings),
        _rewritten_by(settings, outgoing.rewrites_senders),
        own if vouches and _rewritten_by(settings, None) else frozenset(),
        _owners(settings, outgoing.rewrites_senders),
        authors.find(settings, outgoing.rewrites_senders, own),
    )


def _quietly(ask: Callable[[], T]) -> T | None:
    """None where it raises: whatever a host says must not keep the daemon from starting."""
    try:
        return ask()
    except Exception:  # noqa: BLE001
        return None


_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


def _name(text: str) -> str | None:
    name = text.strip().lower().rstrip(".")
    return name if _NAME.fullmatch(name) else None


def _names(texts: Iterable[str]) -> frozenset[str] | None:
    """All of them as names; None where one is none, or there is none."""
    names = [_name(text) for text in texts]
    return frozenset(name for name in names if name) if names and all(names) else None


def _helos(settings: Settings | None) -> tuple[str, ...]:
    if settings is None:
        return ()
    return tuple(sorted(_names(settings.every("smtp_helo_name") or settings.every("myhostname")) or ()))


def _origins(settings: Settings | None) -> frozenset[str] | None:
    if settings is None or settings.may_be("append_at_myorigin", "no"):
        return None  # then the next host makes of it what it likes
    return _names(settings.every("myorigin"))


def _suffixes(settings: Settings | None) -> frozenset[str] | None:
    if settings is None:
        return None
    nothing = frozenset({""}) if settings.may_be("append_dot_mydomain", "no") else frozenset()
    if not settings.may_be("append_dot_mydomain", "yes"):
        return nothing or None
    appended = _names(settings.every("mydomain"))
    return None if appended is None else nothing | appended


def _masquerades(settings: Settings | None) -> tuple[str, ...]:
    if settings is None or not _for_envelope(settings, "masquerade_classes"):
        return ()
    return tuple(word.lower() for word in settings.words("masquerade_domains"))


def _for_envelope(settings: Settings, classes: str) -> bool:
    return "envelope_sender" in settings.words(classes)


def _rewritten_by(settings: Settings | None, said: bool | None) -> tuple[str, ...]:
    """Where no Postfix answers, and nobody has said so, nothing is: such tables are the postmaster's own work, and he
    knows."""
    if said is not None:
        return ("departure.rewrites_senders",) if said else ()
    if settings is None:
        return ()
    found = []
    for tables, classes in (
        ("canonical_maps", "canonical_classes"),
        ("sender_canonical_maps", "sender_canonical_classes"),
    ):
        if settings.every(tables) and _for_envelope(settings, classes):
            found.append(tables)
    if settings.every("smtp_generic_maps"):
        found.append("smtp_generic_maps")
    if settings.owners and settings.may_be("expand_owner_alias", "yes"):
        found.append("expand_owner_alias")
    return tuple(found)


_OF_THIS_HOST = (
    *("myhostname", "mydomain", "myorigin", "mydestination"),
    *("relay_domains", "virtual_alias_domains", "virtual_mailbox_domains"),
)


def _own(settings: Settings | None, ours: Iterable[str]) -> frozenset[str]:
    """As far as Postfix names them: those in tables are not seen from here."""
    words = [word for name in _OF_THIS_HOST for word in settings.words(name)] if settings is not None else []
    return frozenset(name for word in (*words, *ours) if (name := _name(word)) and "." in name)


def _owners(settings: Settings | None, said: bool | None) -> tuple[str, ...]:
    """Who says that senders stay as they are is believed of the tables that can't be listed."""
    if settings is None:
        return ()
    return tuple(table for table, seen in settings.owners.items() if seen or said is not False)


# --- the addresses


class _Unknown(Exception):
    """They can't be known; `str()` says why."""


def _addresses(
    settings: Settings | None, system: System, ours: Iterable[str], lookup: Lookup
) -> tuple[tuple[Address, ...], str]:
    """The addresses and whence they are known; or none, and why."""
    try:
        if settings is None:
            raise _Unknown("no Postfix answers on this host")
        _leaves_itself(settings)
        found = {address: None for family in _families(settings) for address in _of_family(settings, system, family)}
        if not found:
            raise _Unknown("this host has no route to the internet")
        for address in found:
            if is_inside(address):
                raise _Unknown(f"mail may leave from {address}, a private address that something translates")
    except _Unknown as unknown:
        return (), str(unknown)
    # receivers may know this host by more than what its routes show, such as an address that is used only while another
    # one is down
    return tuple(
        found | dict.fromkeys(_published(settings, ours, lookup))
    ), "the routes of this host, Postfix's settings and the MX of its domains"


_ELSEWHERE = (
    "relayhost",
    "smtp_fallback_relay",
    "transport_maps",
    "sender_dependent_relayhost_maps",
    "multi_instance_directories",
)


# the nexthop of a filter on this host: a loopback address, a socket's path, or a word that a pipe(8) takes for nothing
_HERE = re.compile(r"\[?(127\.[0-9.]+|(ipv6:)?::1|localhost)\]?(:[\w-]+)?|unix:.*|/.*|[\w-]*", re.IGNORECASE)


def _leaves_itself(settings: Settings) -> None:
    """This Postfix hands mail to the receivers itself. Raises _Unknown where others may do so for it, from addresses of
    their own."""
    for name in (*_ELSEWHERE, "sender_dependent_default_transport_maps"):
        if settings.every(name):
            raise _Unknown(f"`{name}` may send mail through another host")
    if not all(_HERE.fullmatch(each.partition(":")[2]) for each in settings.every("content_filter")):
        raise _Unknown("`content_filter` may send mail through another host")
    transports = [transport.partition(":") for transport in settings.every("default_transport")]
    if any(transport != "smtp" or nexthop for transport, _, nexthop in transports):
        raise _Unknown("`default_transport` may send mail through another host")


def _families(settings: Settings) -> Iterator[int]:
    protocols = {word.lower() for word in settings.words("inet_protocols")} or {"all"}
    if protocols & {"all", "ipv4"}:
        yield 4
    if protocols & {"all", "ipv6"}:
        yield 6


def _of_family(settings: Settings, system: System, family: int) -> Iterator[Address]:
    """What smtp(8) binds to: smtp_bind_address, else the only address that Postfix has in that family, else the
    kernel's choice."""
    name = "smtp_bind_address" if family == 4 else "smtp_bind_address6"
    for text in settings.every(name):
        try:
            address = ipaddress.ip_address(text.strip("[]"))
        except ValueError:
            raise _Unknown(f"{name} = {text} is not an address") from None
        if not address.is_loopback:  # nothing leaves from there: it is for a service that stays on this host
            yield address
    if settings.text(name) and "" not in settings.services.get(name, ()):
        return
    only = [address for address in _interfaces(settings, system) if address.version == family]
    if len(only) == 1 and not only[0].is_loopback:
        yield only[0]
    else:
        yield from (address for address in system.sources() if address.version == family)


def _interfaces(settings: Settings, system: System) -> Iterator[Address]:
    """What inet_interfaces names; nothing where it stands for all interfaces, or for those of the loopback."""
    for word in settings.words("inet_interfaces"):
        if word.lower() in ("all", "loopback-only"):
            continue
        try:
            yield ipaddress.ip_address(word.strip("[]"))
        except ValueError:
            addresses = system.addresses_of(word)
            if not addresses:
                raise _Unknown(f"inet_interfaces names {word}, which has no address here") from None
            yield from addresses


def _published(settings: Settings, ours: Iterable[str], lookup: Lookup) -> Iterator[Address]:
    """What DNS says of this host and of the mail hosts of our domains. A name server that does not answer says
    nothing."""
    hosts = dict.fromkeys(name for text in settings.every("myhostname") if (name := _name(text)))
    for domain in sorted(ours)[:MOST_DOMAINS]:
        hosts |= dict.fromkeys(host for _, host in lookup.mx(domain).values if host)
    for host in hosts:
        yield from lookup.a(host).values
        yield from lookup.aaaa(host).values
