"""Received fields into hops, and from them the border and the origin (RFC 5321 section 4.4).

Only the hops from the top down to the border were written by us; what stands below may be anything. So the walk starts
at the newest field and stops at the first hop that is not surely between two hosts of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from dkimgate.config.dkimgate_yaml import Trust
from dkimgate.evidence import sources
from dkimgate.evidence.below_login import why_of_strangers
from dkimgate.facts import Border, Origin, is_outside
from dkimgate.message import domains
from dkimgate.message.author import author_of
from dkimgate.message.message import HeaderField, Message
from dkimgate.message.received import LOOPBACK_NAMES, Hop, is_loopback, parse_hop

__all__ = ["MAX_HOPS", "Hop", "Route", "hops_below", "parse_hop", "route_of"]

MAX_HOPS = 100
"""Postfix bounces a message with more than 50 Received fields (hopcount_limit); what stands behind these is not
read."""

_JOURNEY = sources.names_of(lambda source: source.tells_a_journey)
_DELIVERIES = frozenset({"delivered-to", "x-original-to"})
_READ_BY_VERIFIERS = sources.names_of(lambda source: source.tells_a_journey or source.printed)
# all that OpenDMARC writes behind the authserv-id, and nothing beside it
_WELL = re.compile(
    r"\s*dmarc=(?:pass|none)(?:\s+\(p=[a-z]+(?: sp=[a-z]+)?(?: pct=[0-9]+)? "
    r"dis=[a-z]+\))?\s+header\.from=([A-Za-z0-9.-]+)"
)


@dataclass(frozen=True, slots=True)
class Route:
    """The way a message came. `hops` newest first, as far as they had to be read; `border_hop` is one of them or None;
    `why` tells how the origin was found.
    `login`: the position of the hop that is the login, where the client of this session has not logged in itself.
    `relay`: it was relayed, and trust.relays names every client that did it. `unnamed`: the position of the newest hop
    whose client stands in trust.networks and not in trust.relays, -1 for this session: strangers may have written what
    stands below."""

    hops: tuple[Hop, ...]
    origin: Origin
    why: str
    border_hop: Hop | None = None
    login_in_session: bool = False
    login: int | None = None
    relay: bool = False
    unnamed: int | None = None

    @property
    def outside(self) -> bool:
        """True for what the laws call "from outside"."""
        return is_outside(self.origin, self.relay)

    @property
    def border(self) -> Border | None:
        """The border as a fact."""
        hop = self.border_hop
        return Border(hop.by or "", hop.ip) if hop else None

    @property
    def entered(self) -> int:
        """The position of the first field that the message entered with: hosts of ours added those above."""
        if self.border_hop is not None:
            return self.border_hop.position + 1
        return self.unnamed + 1 if self.unnamed is not None else 0

    @property
    def ours_above(self) -> int:
        """Fields at positions below this number stand above the border and above every login: only hosts of ours wrote
        there."""
        if self.login_in_session or (self.border_hop is None and self.origin is not Origin.RELAYED):
            return 0
        border = self.border_hop.position if self.border_hop is not None else None
        ends = [position for position in (border, self.unnamed, self.login) if position is not None]
        return max(min(ends, default=0), 0)


@dataclass(frozen=True, slots=True)
class _Client:
    """Who handed the message in at one hop, and so who wrote the next field below: `here`, the host that took it
    itself, else a host of that address which goes by one of these names."""

    ip: str | None
    names: frozenset[str]
    here: bool

    def wrote(self, hop: Hop) -> bool:
        """May that field be his? A host has many names for itself, so where he isn't `here`, the field must bear one of
        those by which we know him, or his address."""
        known = self.names - _NO_NAMES
        return self.here or hop.by in known or self.ip in hop.of_itself or not known.isdisjoint(hop.of_itself)


_NO_NAMES = frozenset(("unknown", *LOOPBACK_NAMES))


def route_of(message: Message, trust: Trust) -> Route:
    """Find hops, border and origin of a message. Whatever is doubtful makes it `forwarded`."""
    client = message.connection
    if client.auth is None and not trust.is_client(client.ip):
        return Route(
            (),
            Origin.INBOUND,
            f"the client {client.ip or '(no address)'} is not in trust.networks and has not logged in",
        )
    return _Walk(message, trust).route()


def hops_below(route: Route, message: Message) -> tuple[Hop, ...]:
    """The hops that nobody needed for the route, newest first: for whoever shows them. Of no more than MAX_HOPS in
    all."""
    return tuple(parse_hop(field, at) for at, field in _received(message)[len(route.hops) : MAX_HOPS])


def _received(message: Message) -> list[tuple[int, HeaderField]]:
    return [(at, message.header[at]) for at in message.positions("received")]


class _Walk:
    """From the newest field down to the first that is not surely of a host of ours, or whose client is not. What stands
    below, which a sender wrote, is not even read."""

    def __init__(self, message: Message, trust: Trust) -> None:
        self._message = message
        self._trust = trust
        self._hops: list[Hop] = []
        self._login: Hop | None = None
        self._relayed: list[tuple[int, str | None]] = []  # by clients of that address, at that position
        client = message.connection
        names = frozenset(name.lower().rstrip(".").strip("[]") for name in (client.name, client.helo) if name)
        self._client: _Client | None = _Client(client.ip, names, is_loopback(client.ip))  # None: whoever has logged in

    def route(self) -> Route:
        received = _received(self._message)
        if self._message.connection.auth is not None:
            self._client = None
        elif self._client is not None and not self._client.here:
            self._relayed.append((-1, self._client.ip))
        for position, field in received[:MAX_HOPS]:
            hop = parse_hop(field, position)
            stranger = self._stranger(hop)
            if stranger is not None:
                self._hops.append(hop)
                return self._handed_in() or self._ended(Origin.FORWARDED, stranger)
            inside = _is_inside(hop, self._trust)
            hop = replace(hop, ours=True)
            self._hops.append(hop)
            if hop.login or (hop.mapi and len(self._hops) == len(received)):
                self._login, self._client = self._login or hop, None
            elif not inside:
                why = f"{hop.by} took it from {hop.ip or 'an unnamed client'}, which is not ours"
                return self._ended(Origin.FORWARDED, why, hop)
            elif self._client is not None:
                self._client = _Client(hop.ip, hop.names, hop.from_itself)
                if not self._client.here:
                    self._relayed.append((hop.position, hop.ip))
        if len(received) > MAX_HOPS:
            return self._handed_in() or self._ended(Origin.FORWARDED, f"it has more than {MAX_HOPS} Received fields")
        return self._at_the_end()

    def _at_the_end(self) -> Route:
        """Every hop is ours."""
        handed_in = self._handed_in() or self._by_anybody()
        if handed_in is not None:
            return handed_in
        if self._hops and self._hops[-1].incomplete:
            return self._ended(
                Origin.FORWARDED, "qmail took it from the network, and the field that says from whom was removed"
            )
        trace = _trace(self._message.header, self._hops)
        if trace is not None:
            return self._ended(Origin.FORWARDED, _removed(trace))
        if self._relayed:
            return self._ended(
                Origin.RELAYED, f"{self._relayed[-1][1]}, which trust.relays names, handed it in without a login"
            )
        return self._ended(
            Origin.LOCAL,
            "every hop is ours" if self._hops else "no hop and no other trace of a journey: made on this host",
        )

    def _handed_in(self) -> Route | None:
        """`submitted`, where somebody has logged in. But users' mail is not verified here, and who logs in may hand on
        what others sent him, whether in this session or at a hop. Where a field tells of that, it is `forwarded`."""
        session, login = self._message.connection, self._login
        if session.auth is None and login is None:
            return None
        if (relayed := self._by_anybody()) is not None:
            return relayed
        header = self._message.header
        if session.auth is not None or login is None:
            client, at = session.ip, next((at for at, _ in _received(self._message)), len(header))
        else:
            client, at = login.ip, login.position
        doubt = why_of_strangers(header[at if self._stated_well(at) else 0 :], self._trust, client, MAX_HOPS)
        if doubt is not None:
            return self._ended(Origin.FORWARDED, doubt)
        if session.auth is not None or login is None:
            return self._ended(Origin.SUBMITTED, f"the client of this session logged in as {session.auth}")
        return self._ended(Origin.SUBMITTED, _login_why(login))

    def _by_anybody(self) -> Route | None:
        """`relayed`, where it came by a client behind which a stranger may stand: nothing that this one wrote is
        believed."""
        unnamed = self._unnamed
        if unnamed is None:
            return None
        ip = next(ip for position, ip in self._relayed if position == unnamed)
        return self._ended(
            Origin.RELAYED, f"{ip} handed it in without a login, and trust.relays does not name it: it may be anybody's"
        )

    @property
    def _unnamed(self) -> int | None:
        return next((position for position, ip in self._relayed if not self._trust.is_relay(ip)), None)

    def _is_our_result(self, field: HeaderField) -> bool:
        return sources.RESULTS.holds(field.key) and self._trust.is_authserv_id(field.text.partition(";")[0].strip())

    def _stated_well(self, login: int) -> bool:
        """A submission host whose OpenDMARC sees its own users' mail too finds `pass` or `none`, of the author domain.
        If a pipe had removed what stood between that field and a login that the sender made up, then this is how the
        message arrived: well. So it counts only where he can't have brought it about: nothing but that stands above,
        and below there is nothing that a verifier reads."""
        header = self._message.header
        if any(field.key in _READ_BY_VERIFIERS for field in header[login + 1 :]):
            return False
        stated = [field for field in header[:login] if field.key in _JOURNEY]
        author = author_of(header).domain if stated else None
        return author is not None and all(self._is_our_result(field) and _found_well(field, author) for field in stated)

    def _stranger(self, hop: Hop) -> str | None:
        """Why that field can't be of a host of ours; None where it is."""
        if hop.nameless:
            return (
                None
                if self._client is None or self._client.here
                else "a field without a host's name stands where another host's should"
            )
        if not self._is_ours(hop):
            return f"the newest Received fields lead to {hop.by or 'a host without name'}, which is not in trust.hosts"
        if self._client is not None and not self._client.wrote(hop):
            return (
                f"the client {self._client.ip or '(no address)'} wrote no Received field: the next one is of {hop.by}"
            )
        return None

    def _is_ours(self, hop: Hop) -> bool:
        if self._trust.is_host(hop.by):
            return True
        if hop.by is None or not _is_inside(hop, self._trust):
            return False
        if hop.by in LOOPBACK_NAMES:
            return True
        # a container goes by an id that changes: trusted by its network, where it took the message from a host of ours
        known = self._trust.is_client(hop.ip) and self._trust.is_host(hop.helo)
        return known and "." not in hop.by and not hop.login

    def _ended(self, origin: Origin, why: str, border: Hop | None = None) -> Route:
        """The route, with what has been found out of its hops."""
        login = self._login.position if self._login is not None else None
        in_session = self._message.connection.auth is not None
        relay = origin is Origin.RELAYED and self._unnamed is None
        return Route(tuple(self._hops), origin, why, border, in_session, login, relay, self._unnamed)


def _found_well(field: HeaderField, author: str) -> bool:
    match = _WELL.fullmatch(field.text.partition(";")[2])
    return match is not None and domains.a_label(match[1]) == author


def _removed(trace: str) -> str:
    return f"no hop leads outside, but {trace} does: some Received fields were removed"


def _trace(header: tuple[HeaderField, ...], hops: list[Hop]) -> str | None:
    """The name of a field that a message gets on a journey. Where the Received fields above it are gone, those that are
    left may be the sender's own, so a message that somebody has verified came from outside, whatever its hops say. A
    delivery on this host is no journey where hops of ours tell of it."""
    names = _JOURNEY if hops else _JOURNEY | _DELIVERIES
    return next((_name(field) for field in header if field.key in names), None)


def _name(field: HeaderField) -> str:
    return field.name.decode("latin-1").strip()


def _login_why(hop: Hop) -> str:
    by, how = hop.by or "a host without name", "an Exchange mailbox" if hop.mapi else f"with {hop.protocol}"
    return (
        f"{by} took it from a client that had logged in ({how}, Received field at position {hop.position + 1} of "
        f"the header)"
    )


def _is_inside(hop: Hop, trust: Trust) -> bool:
    """The client of that hop was ours, if the field can be believed at all."""
    if hop.local or hop.nameless:
        return True
    if hop.mapi:
        return trust.is_host(hop.helo)  # it names the mailbox server, and its link-local address
    if hop.ip is None and hop.is_delivery:
        return trust.is_host(hop.helo)  # Dovecot on a unix-domain socket names its client and has no address to tell
    # which address is the client's is told differently by every MTA, so one that is not ours is enough
    return trust.is_client(hop.ip) and all(trust.is_client(address) for address in hop.named)
