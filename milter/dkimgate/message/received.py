"""One Received field as a hop (RFC 5321 section 4.4): who wrote it, from whom he took the message, and by what
protocol.

What is read here is what the field says, whoever wrote it. Whether that can be believed is the route's question. Forms
that help a message (a login, a client on the host itself) are read only as real servers write them; everything else is
a client like any other.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass, field

from dkimgate.message.message import HeaderField

LOOPBACK_NAMES = ("localhost", "localhost.localdomain")
"""What a host calls itself when it talks to itself."""

_MAX_LENGTH = 4000
# characters of comments in a clause; a tenth is usual, and trying each word for an address takes time
_MAX_COMMENTS = 1000
_TOKEN = re.compile(r"[^\s();]+|[();]")
# as Postfix writes it, without the lines that it has for TLS and logins: read at once, which takes a third of the time
_WORD, _COMMENT = r"([^\s();]++)", r"\(([^()]{0,400}+)\)"
_OF_POSTFIX = re.compile(
    rf"from {_WORD} {_COMMENT}\s++by {_WORD} {_COMMENT}\s++with {_WORD} id {_WORD}(?:\s++for {_WORD})?;.*", re.DOTALL
)
_CLAUSES = ("from", "by", "via", "with", "id", "for")

# RFC 3848, RFC 6531 section 4.3; LMTP has deliveries alone
_LOGIN = re.compile(r"(?:UTF8SMTP|E?SMTP)S?A", re.IGNORECASE)
_WEB = re.compile(r"HTTPS?", re.IGNORECASE)
_LOCAL = re.compile(r"local(?:-(?:e?smtp|bsmtp))?", re.IGNORECASE)  # Exim, of a process on its own host
_EXIM = re.compile(r"Exim\b.*")
_SUBMIT = re.compile(r"[\w.+-]+(?:/[\w.+-]+)*/Submit")  # Sendmail's mail submission program
_OPENSMTPD, _OPENSMTPD_LOCAL = re.compile("OpenSMTPD"), re.compile(r"\S+ \[local\]")
_QMAIL = re.compile(r"qmail \d+ invoked (?:by uid \d+|by alias|for bounce|(from network))")
# the login of programs that say it in a comment: of which clause, in what words, and what the comment of another
# clause, or (`with`) the protocol must be beside it
_ACCOUNTS: tuple[tuple[str, re.Pattern[str], str, re.Pattern[str]], ...] = (
    ("from", re.compile(r"Authenticated sender: \S+"), "by", re.compile("Postfix")),
    ("from", re.compile(r"SquirrelMail authenticated user \S+"), "with", _WEB),
    ("from", re.compile(r"account \S+"), "by", re.compile(r"CommuniGate Pro WEBUSER [\d.]+")),
    ("by", re.compile(r"Horde (?:Framework|MIME library)"), "with", _WEB),
    # Roundcube, which sends for nobody who hasn't logged in
    ("with", re.compile(r"HTTP/\d(?:\.\d)? POST"), "with", _WEB),
)
# an address in brackets: RFC 5321 4.1.3, with the zone of a link-local one (RFC 4007), or with a port behind it
_BRACKETED = re.compile(r"\[(?:IPv6:)?([0-9.]+(?=:\d+\])|[0-9a-fA-F:.]+(?:%[\w.-]{1,32})?)(?::\d+)?\]")
_BARE = re.compile(r"[\s,=]+")
_PORT = re.compile(r"\A([0-9.]{7,15}):\d{1,5}\Z")
# asked first: what `ipaddress` refuses, it refuses slowly, and every word of a comment may be one
_LIKE_ADDRESS = re.compile(r"(?=[0-9A-Fa-f]{0,4}[.:])[0-9A-Fa-f.:]{2,45}(?:%[\w.-]{1,32})?")
# what the client says of itself, in the words of Exim, of CommuniGate and qmail, and, of its certificate, of Postfix
_CLAIMED = re.compile(
    r"(?<!\S)(?:helo|ident|port)=\S+|\A(?:account \S+ )?(?:HELO|EHLO)\s.*|\AClient CN \".*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Hop:
    """One Received field: host `by` took the message from the client `ip`, which called itself `helo`, by `protocol`.

    `position`: index in the header from the top. `local`: there was no client, a process of that host handed the
    message in. `login`: the client had logged in, says the field. `mapi`: an Exchange took it out of a mailbox of its
    own. `nameless`: a field of qmail's that names no host; the host that wrote the field above wrote it too.
    `incomplete`: such a field, of a message from the network: a second field of the same host must stand below it.

    `named`: every address that the from clause names, the client's own words among them; `names`: every word there that
    may be the client's name. `of_itself`: addresses and names that the by clause gives the host itself.

    `ours`: a host of ours wrote the field, which the route finds out.
    """

    position: int
    by: str | None = None
    ip: str | None = None
    helo: str | None = None
    protocol: str | None = None
    local: bool = False
    ours: bool = False
    named: tuple[str, ...] = ()
    login: bool = False
    mapi: bool = False
    nameless: bool = False
    incomplete: bool = False
    names: frozenset[str] = frozenset()
    of_itself: frozenset[str] = frozenset()

    @property
    def is_delivery(self) -> bool:
        """By LMTP, whatever letters end its name: Cyrus writes LMTPA for every one."""
        return self.protocol is not None and self.protocol.upper().startswith("LMTP")

    @property
    def from_itself(self) -> bool:
        """The client was the host itself: a process, a unix-domain socket, the loopback, or the address that it gives
        itself."""
        if self.local or self.nameless or self.mapi:
            return True
        if self.ip is None:
            return self.is_delivery
        return is_loopback(self.ip) or (self.ip in self.of_itself and self.by is not None and self.by in self.names)


@functools.lru_cache(maxsize=1024)
def address_of(ip: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, as it is compared: one of IPv4 that an IPv6 socket took (RFC 4291 section 2.5.5.2) is one of IPv4.
    None for what is no address."""
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(ip: str | None) -> bool:
    """Is that an address by which a host talks to itself?"""
    address = address_of(ip)
    return address is not None and address.is_loopback


@dataclass(slots=True)
class _Clauses:
    """What stands behind each of the words `from`, `by`, `with`: its value, the other words, and the outermost
    comments."""

    values: dict[str, str] = field(default_factory=dict)
    words: dict[str, list[str]] = field(default_factory=dict)
    comments: dict[str, list[str]] = field(default_factory=dict)

    @property
    def of_exim(self) -> bool:
        """Does a comment say that it is Exim's?"""
        return any(self.says(where, _EXIM) for where in self.comments)

    def says(self, where: str, pattern: re.Pattern[str]) -> bool:
        """Does a whole comment there match?"""
        return any(pattern.fullmatch(text.strip()) for text in self.comments.get(where, ()))


def parse_hop(field: HeaderField, position: int = 0) -> Hop:
    """One Received field. What can't be read stays None; it never raises."""
    clauses = _clauses(field.text[:_MAX_LENGTH])
    values, comments = clauses.values, clauses.comments.get("from", [])
    if not values and (nameless := _nameless(clauses, position)) is not None:
        return nameless
    protocol, name = values.get("with"), values.get("from")
    local = "by" in values and _is_local(clauses, name, protocol)
    others = [word for word in clauses.words.get("from", []) if _BRACKETED.fullmatch(word)]
    return Hop(
        position,
        by=_host(values.get("by")),
        ip=None if local else _client_address(name, comments, others, bool(comments) or clauses.of_exim),
        named=() if local else _addresses_named(name, comments, others),
        helo=_host(name),
        protocol=protocol,
        local=local,
        login=not local and _is_login(clauses, protocol),
        mapi=(protocol or "").lower() == "mapi",
        names=frozenset(word for text in (name or "", *comments) for word in _names(text)),
        of_itself=_of_itself(clauses.comments.get("by", [])),
    )


def _nameless(clauses: _Clauses, position: int) -> Hop | None:
    """qmail-queue's own field, which holds nothing but a comment."""
    told = clauses.comments.get("", [])
    match = _QMAIL.fullmatch(told[0].strip()) if len(told) == 1 and not clauses.words else None
    return Hop(position, nameless=True, incomplete=match[1] is not None) if match else None


def _is_local(clauses: _Clauses, name: str | None, protocol: str | None) -> bool:
    """A process of the host handed it in, in the words of the servers that say so."""
    if protocol is not None and _LOCAL.fullmatch(protocol):
        return True
    if name is None and not clauses.comments.get("from"):
        # Postfix, Sendmail. By a protocol of the network from nobody: OpenSMTPD that hides its clients
        return protocol is None
    submit = clauses.says("by", _SUBMIT)
    if not submit and not (clauses.says("by", _OPENSMTPD) and clauses.says("from", _OPENSMTPD_LOCAL)):
        return False
    addresses = _addresses_named(name, clauses.comments.get("from", []), clauses.words.get("from", []))
    if submit:
        return (name or "").lower().rstrip(".") in LOOPBACK_NAMES and all(map(is_loopback, addresses))
    return not addresses


def _is_login(clauses: _Clauses, protocol: str | None) -> bool:
    """The client had logged in (RFC 3848), or was a browser that a webmail served: what names an account, or is written
    of no other."""
    if protocol is None:
        return False
    if _LOGIN.fullmatch(protocol):
        return True
    for where, written, also, there in _ACCOUNTS:
        if clauses.says(where, written) and (
            there.fullmatch(protocol) if also == "with" else clauses.says(also, there)
        ):
            return True
    return False


def _host(name: str | None) -> str | None:
    return name.lower().rstrip(".") if name else None


def _clauses(text: str) -> _Clauses:
    """The clauses up to the date's semicolon. Old OpenSMTPD writes one behind the from clause too."""
    usual = _OF_POSTFIX.fullmatch(text)
    if usual is not None:
        name, client, host, program, protocol, identifier, recipient = usual.groups()
        values = {"from": name, "by": host, "with": protocol, "id": identifier}
        if recipient is not None:
            values["for"] = recipient
        return _Clauses(values, comments={"from": [client], "by": [program]})
    return _clauses_of_tokens(text)


def _clauses_of_tokens(text: str) -> _Clauses:
    found = _Clauses()
    clause = ""
    ended = False
    for part, kind in _parts(text):
        if ended and (kind or part.lower() != "by"):
            break
        if kind == ";":
            if clause != "from" or "by" in found.values:
                break
            ended = True
        elif kind == "(":
            found.comments.setdefault(clause, []).append(part)
        elif (
            clause
            and clause not in found.values
            and not (clause == "from" and part.lower() == "by" and found.comments.get("from"))
        ):
            found.values[clause] = part
        elif part.lower() in _CLAUSES and part.lower() not in found.values:
            clause, ended = part.lower(), False
        else:
            found.words.setdefault(clause, []).append(part)
    for where, comments in found.comments.items():
        if sum(len(comment) + 2 for comment in comments) > _MAX_COMMENTS:
            found.comments[where] = ["too long"]
    return found


def _parts(text: str) -> list[tuple[str, str]]:
    """Words (kind ""), outermost comments ("("), semicolons (";"). An unclosed comment swallows the rest, as it does
    for any reader."""
    parts: list[tuple[str, str]] = []
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
                parts.append((text[start : match.start()], "("))
                start = 0
        elif depth == 0:
            parts.append((token, ";" if token == ";" else ""))
    return parts


def _client_address(name: str | None, comments: list[str], others: list[str], in_place_too: bool) -> str | None:
    """The client's address: in brackets in a comment (Postfix, sendmail, Gmail), bare in it (Exchange, qmail), or in
    brackets in place of the name where the comment holds nothing but what the client claims (Exim, CommuniGate), or
    behind it (fetchmail). Two different addresses are none. Without a comment, what stands in place of the name is the
    client's address in a field of Exim; where others tell of a client nothing but its name, it is what the client said
    in EHLO."""
    told = [text for comment in comments if (text := _CLAIMED.sub("", comment).strip())]
    in_place = _BRACKETED.findall(name or "") if in_place_too and not told else []
    for candidates in (_bracketed(told), _bare(told), in_place, _bracketed(others)):
        addresses = _addresses(candidates)
        if addresses:
            return addresses.pop() if len(addresses) == 1 else None
    return None


def _addresses_named(name: str | None, comments: list[str], others: list[str]) -> tuple[str, ...]:
    words = [*_bracketed(comments), *_bare(comments), *_bracketed([name or "", *others])]
    return tuple(sorted(_addresses(words)))


def _of_itself(comments: list[str]) -> frozenset[str]:
    """Addresses and names that a host gives itself behind `by`: Exchange its address, amavisd its name."""
    addresses = _addresses([*_bracketed(comments), *_bare(comments)])
    return frozenset(addresses | {word for comment in comments for word in _names(comment)})


def _names(text: str) -> list[str]:
    """Words that may be a host's name, as they are compared."""
    return [name for word in _BARE.split(text) if (name := word.strip("[]").lower().rstrip("."))]


def _bracketed(comments: list[str]) -> list[str]:
    return [found for comment in comments for found in _BRACKETED.findall(comment)]


def _bare(comments: list[str]) -> list[str]:
    """Words that may be an address; qmail writes a login, or what ident said, ahead of it: user@192.0.2.1; XMail a port
    behind it."""
    return [_PORT.sub(r"\1", word.rpartition("@")[2]) for comment in comments for word in _BARE.split(comment)]


def _addresses(words: list[str]) -> set[str]:
    """Those of the words that are addresses."""
    return {address for word in words if (address := _address(word))}


def _address(text: str) -> str | None:
    return _written(text) if _LIKE_ADDRESS.fullmatch(text) else None


@functools.lru_cache(maxsize=1024)
def _written(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
