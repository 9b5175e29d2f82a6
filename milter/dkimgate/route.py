"""Received fields into hops, and from them the border and the origin (RFC 5321 section 4.4).

Only the hops from the top down to the border were written by us; what stands below may be anything. So the walk starts at
the newest field and stops at the first hop that is not surely between two hosts of ours.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace

from dkimgate.config import Trust
from dkimgate.facts import Border, Origin
from dkimgate.message import Connection, HeaderField, Message

MAX_HOPS = 100
"""Postfix bounces a message with more than 50 Received fields (hopcount_limit); what stands behind these is not read."""

_MAX_LENGTH = 4000
_MAX_COMMENTS = 1000  # characters of comments in a from clause; a tenth is usual, and trying each word for an address takes time
_TOKEN = re.compile(r"[^\s();]+|[();]")
_CLAUSES = ("from", "by", "via", "with", "id", "for")
_AUTHENTICATED = re.compile(r"(?:UTF8)?(?:E?SMTP|LMTP)S?A|HTTPS?", re.IGNORECASE)  # RFC 3848, RFC 6531 section 4.3; webmail
_BRACKETED = re.compile(r"\[(?:IPv6:)?([0-9a-fA-F:.]+)\]")
# what the client says of itself, in the words of Exim, and of CommuniGate and qmail
_CLAIMED = re.compile(r"(?<!\S)(?:helo|ident|port)=\S+|\A(?:HELO|EHLO)\s.*")
_LOOPBACK_NAMES = ("localhost", "localhost.localdomain")
_VERDICTS = (
    "authentication-results",
    "arc-seal",
    "arc-message-signature",
    "arc-authentication-results",
    "received-spf",
    "x-dkimgate-passport",
)
_DELIVERIES = ("delivered-to", "x-original-to")


@dataclass(frozen=True, slots=True)
class Hop:
    """One Received field: host `by` took the message from the client `ip`, which called itself `helo`, by `protocol`.

    `local`: there was no client, a process of that host handed the message in. `ours`: a host of ours wrote the field. `inside`:
    and its client was ours too. `position`: index in the header from the top. `named`: every address that the from clause names, the
    client's own words among them.
    """

    position: int
    by: str | None = None
    ip: str | None = None
    helo: str | None = None
    protocol: str | None = None
    local: bool = False
    ours: bool = False
    inside: bool = False
    named: tuple[str, ...] = ()

    @property
    def authenticated(self) -> bool:
        """The client had logged in (RFC 3848), or was a browser that our webmail served."""
        return self.protocol is not None and _AUTHENTICATED.fullmatch(self.protocol) is not None


@dataclass(frozen=True, slots=True)
class Route:
    """The way a message came. `hops` newest first; `border` is one of them or None; `why` tells how the origin was found."""

    hops: tuple[Hop, ...]
    origin: Origin
    why: str
    border_hop: Hop | None = None
    login_in_session: bool = False

    @property
    def border(self) -> Border | None:
        """The border as a fact."""
        hop = self.border_hop
        return Border(hop.by or "", hop.ip) if hop else None

    @property
    def entered(self) -> int:
        """The position of the first field that the message entered with: hosts of ours added those above."""
        return self.border_hop.position + 1 if self.border_hop is not None else 0

    @property
    def ours_above(self) -> int:
        """Fields at positions below this number stand above the border and above every login: only hosts of ours wrote there."""
        if self.border_hop is None or self.login_in_session:
            return 0
        return min([self.border_hop.position, *(hop.position for hop in self.hops if hop.ours and hop.authenticated)])


def route_of(message: Message, trust: Trust) -> Route:
    """Find hops, border and origin of a message. Whatever is doubtful makes it `forwarded`."""
    received = [(at, f) for at, f in enumerate(message.header) if f.key == "received"]
    hops = _judge_hops([parse_hop(f, at) for at, f in received[:MAX_HOPS]], trust)
    client = message.connection
    if client.auth is None and not trust.is_client(client.ip):
        return Route(hops, Origin.INBOUND, f"the client {client.ip or '(no address)'} is not in trust.networks and has not logged in")
    submitted = client.auth is not None
    for hop in hops:
        if not hop.ours:
            if submitted:
                return Route(hops, Origin.SUBMITTED, _login(client, hops))
            return Route(
                hops, Origin.FORWARDED, f"the newest Received fields lead to {hop.by or 'a host without name'}, which is not in trust.hosts"
            )
        if hop.authenticated:
            submitted = True
        elif not hop.inside:
            return Route(
                hops,
                Origin.FORWARDED,
                f"{hop.by} took it from {hop.ip or 'an unnamed client'}, which is not ours",
                hop,
                client.auth is not None,
            )
    if client.auth is not None:
        return Route(hops, Origin.SUBMITTED, _login(client, hops))
    trace = _trace(message, hops)
    if trace is not None:
        return Route(hops, Origin.FORWARDED, f"no hop leads outside, but {trace} does: some Received fields were removed")
    if submitted:
        return Route(hops, Origin.SUBMITTED, _login(client, hops))
    return Route(hops, Origin.LOCAL, "every hop is ours" if hops else "no hop and no other trace of a journey: made on this host")


def _trace(message: Message, hops: tuple[Hop, ...]) -> str | None:
    """The name of a field that a message gets on a journey. Where the Received fields above it are gone, those that are left may be the
    sender's own, so a message that somebody has verified came from outside, whatever its hops say. A delivery on this host is
    no journey where hops of ours tell of it."""
    names = _VERDICTS if hops else _VERDICTS + _DELIVERIES
    return next((field.name.decode("latin-1").strip() for field in message.header if field.key in names), None)


def _login(client: Connection, hops: tuple[Hop, ...]) -> str:
    if client.auth is not None:
        return f"the client logged in as {client.auth}"
    by = next(hop.by for hop in hops if hop.authenticated)
    return f"{by} took it from a client that had logged in"


def _judge_hops(hops: list[Hop], trust: Trust) -> tuple[Hop, ...]:
    """Mark the hops that are ours: an unbroken run from the top. Behind the first client that is not ours, nothing is."""
    judged: list[Hop] = []
    unbroken = True
    for hop in hops:
        inside = _is_inside(hop, trust)
        named = trust.is_host(hop.by) or (inside and (hop.by or "").lower() in _LOOPBACK_NAMES)
        ours = unbroken and named
        judged.append(replace(hop, ours=ours, inside=ours and inside))
        unbroken = ours and (inside or hop.authenticated)
    return tuple(judged)


def _is_inside(hop: Hop, trust: Trust) -> bool:
    """The client of that hop was ours, if the field can be believed at all."""
    if hop.local:
        return True
    if hop.ip is None and hop.protocol is not None and hop.protocol.upper().startswith("LMTP"):
        return trust.is_host(hop.helo)  # Dovecot on a unix-domain socket names its client and has no address to tell
    # which address is the client's is told differently by every MTA, so one that is not ours is enough
    return trust.is_client(hop.ip) and all(trust.is_client(address) for address in hop.named)


def parse_hop(field: HeaderField, position: int = 0) -> Hop:
    """One Received field. What can't be read stays None; it never raises."""
    values: dict[str, str] = {}
    comments: list[str] = []  # those of the from clause alone: by's comment holds the host's own address
    clause: str | None = None
    for text, is_comment in _parts(field.text[:_MAX_LENGTH]):
        if is_comment:
            if clause == "from":
                comments.append(text)
        elif clause is not None and clause not in values:
            values[clause] = text
        elif text.lower() in _CLAUSES and text.lower() not in values:
            clause = text.lower()
    protocol = values.get("with")
    if sum(len(comment) + 2 for comment in comments) > _MAX_COMMENTS:
        comments = ["too long"]
    local = "by" in values and ("from" not in values or (protocol or "").lower() == "local")
    return Hop(
        position,
        by=_host(values.get("by")),
        ip=None if local else _client_address(values.get("from"), comments),
        named=() if local else _addresses_named(values.get("from"), comments),
        helo=_host(values.get("from")),
        protocol=protocol,
        local=local,
    )


def _host(name: str | None) -> str | None:
    return name.lower().rstrip(".") if name else None


def _parts(text: str) -> list[tuple[str, bool]]:
    """Words and outermost comments up to the date's semicolon. An unclosed comment swallows the rest, as it does for any reader."""
    parts: list[tuple[str, bool]] = []
    depth = start = 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token == "(":
            if depth == 0:
                start = match.end()
            depth += 1
        elif token == ")":
            depth = max(depth - 1, 0)
            if depth == 0 and start:
                parts.append((text[start : match.start()], True))
                start = 0
        elif depth == 0:
            if token == ";":
                break
            parts.append((token, False))
    return parts


def _client_address(name: str | None, comments: list[str]) -> str | None:
    """The client's address: in brackets in a comment (Postfix, sendmail, Gmail), bare in it (Exchange), or in brackets in place of the
    name where no comment could hold it (Exim). Two different addresses are none."""
    told = [text for comment in comments if (text := _CLAIMED.sub("", comment).strip())]
    in_place = [] if told else _BRACKETED.findall(name or "")
    for candidates in (_bracketed(told), _bare(told), in_place):
        addresses = {address for candidate in candidates if (address := _address(candidate))}
        if addresses:
            return addresses.pop() if len(addresses) == 1 else None
    return None


def _addresses_named(name: str | None, comments: list[str]) -> tuple[str, ...]:
    words = [*_bracketed(comments), *_bare(comments), *_bracketed([name or ""])]
    return tuple(sorted({address for word in words if (address := _address(word))}))


def _bracketed(comments: list[str]) -> list[str]:
    return [found for comment in comments for found in _BRACKETED.findall(comment)]


def _bare(comments: list[str]) -> list[str]:
    return [word for comment in comments for word in re.split(r"[\s,=]+", comment)]


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
