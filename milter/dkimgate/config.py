"""The daemon's configuration file: `config/dkimgate.yaml` is the commented example."""

from __future__ import annotations

import fnmatch
import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationInfo

from dkimgate import authserv, yamlfile
from dkimgate.slow_pattern import repeats_repeats, slowness

DEFAULT_FILE = Path("/etc/dkimgate/dkimgate.yaml")
MOST_WORKERS = 256
LEAST_LINE = 64
MOST_LINE = 1 << 30

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _network(value: object) -> object:
    if isinstance(value, str):
        try:
            return ipaddress.ip_network(value)
        except ValueError as error:
            raise ValueError(f"{error}: expected a network such as 192.0.2.0/24 or 2001:db8::/32") from None
    raise ValueError('expected a network in quotes, such as "::1/128"')


def _address(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('expected an IP address in quotes, such as "192.0.2.1"')
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        raise ValueError(f"{value!r} is no IP address") from None


def _domain(value: str) -> str:
    name = value.lower().rstrip(".")
    if not re.fullmatch(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", name):
        raise ValueError(f"{value!r} is no domain name (write internationalized names as A-labels, xn--...)")
    return name


def _host(value: str) -> str:
    return "*." + _domain(value[2:]) if value.startswith("*.") else _domain(value)


def _mode(value: str) -> str:
    if not re.fullmatch(r"0?[0-7]{3}", value):
        raise ValueError(f'{value!r} is no file mode: expected one such as "0660"')
    return value


def _listen(value: object) -> object:
    items = [value] if isinstance(value, str | dict) else value
    if not isinstance(items, list) or not items or not all(isinstance(item, str | dict) for item in items):
        raise ValueError("expected unix:PATH or inet:HOST:PORT, or a list of them")
    return tuple({"socket": item} if isinstance(item, str) else item for item in items)


def _workers(value: object) -> object:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_WORKERS):
        return value
    raise ValueError(f"expected auto, or a whole number from 1 to {MOST_WORKERS}")


def _line_length(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and (value == 0 or LEAST_LINE <= value <= MOST_LINE):
        return value
    raise ValueError(f"expected a number of octets from {LEAST_LINE} to {MOST_LINE}, or 0 for lines of any length")


def _listener(value: str) -> str:
    if value.startswith("unix:") and len(value) > len("unix:"):
        if not value.startswith("unix:/"):
            raise ValueError(f"{value!r}: expected the whole path, from / on; only in main.cf it starts at Postfix's queue directory")
        if len(os.fsencode(value)) > 107 + len("unix:"):
            raise ValueError("the path of a unix-domain socket has at most 107 bytes")
        return value
    match = re.fullmatch(r"inet6?:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})", value)
    if match and 0 < int(match[2]) < 65536:
        return value
    raise ValueError(f"{value!r} is no listener: expected unix:PATH or inet:HOST:PORT (IPv6 in brackets: inet:[::1]:8891)")


def _path(value: object, info: ValidationInfo) -> Path:
    """Relative paths start at the folder of the configuration file."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not re.fullmatch("[^\0\ud800-\udfff]+", value):
        raise ValueError("expected the path of a file (in quotes if it is a number)")
    base = (info.context or {}).get("folder", Path())
    return Path(base) / value


FIELD_NAME = re.compile(r"[!-9;-~]{1,76}")
"""The name of a header field (RFC 5322 section 3.6.8), as it is written in a configuration or a policy."""


def _field_name(value: str) -> str:
    if not FIELD_NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no name of a header field (write it without the colon)")
    return value


_VERDICT_GROUPS = ("flag", "score", "bar")


def _pattern(value: str) -> str:
    """A pattern that strangers' text is matched with."""
    try:
        groups = re.compile(value, re.IGNORECASE).groupindex
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"not a valid regular expression: {error}") from None
    unknown = sorted(set(groups) - {*_VERDICT_GROUPS, "required"})
    if unknown:
        raise ValueError(f"unknown group {unknown[0]!r}; valid here: flag, score, bar, required")
    if not set(groups) & set(_VERDICT_GROUPS):
        raise ValueError(r"expected a group that says something: (?P<flag>yes), (?P<score>\d+) or (?P<bar>\++)")
    if repeats_repeats(value):
        raise ValueError("a repeated group that holds repetitions or alternatives, such as (a+)*: a sender could make it run for hours")
    if (slow := slowness(value)) is not None:
        raise ValueError(f"a slow pattern, on {slow}: a sender could keep the daemon busy; write it with fewer * and +, or with *+ and ++")
    return value


NetworkText = Annotated[Network, BeforeValidator(_network)]
AddressText = Annotated[Address, BeforeValidator(_address)]
Domain = Annotated[StrictStr, AfterValidator(_domain)]
AuthservId = Annotated[StrictStr, AfterValidator(authserv.valid)]
Host = Annotated[StrictStr, AfterValidator(_host)]
SocketText = Annotated[StrictStr, AfterValidator(_listener)]
FilePath = Annotated[Any, AfterValidator(_path)]


class Section(BaseModel):
    """What all parts have in common: they are frozen, and a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Listener(Section):
    """A socket, and what is done with mail that comes by it: `gate` decides and signs, `border` strips, checks and states. By one with the
    role `srs` no mail comes: it is a socketmap in which Postfix looks up whose bounce an SRS address is."""

    socket: SocketText
    role: Literal["gate", "border", "srs"] = "gate"


class Passport(Section):
    """The field by which a border tells the gate what it found. `max_age` in seconds. `allow_changes`: what may have changed in between
    without the loss of what helps: `shown` (what a reader is shown of the header) and `body`. `required`: where a listener is a border,
    nothing but a passport, and what is verified here, helps a message from outside."""

    secret_file: FilePath
    max_age: Annotated[StrictInt, Field(ge=1, le=86_400)] = 600
    allow_changes: tuple[Literal["shown", "body"], ...] = ()
    required: StrictBool = True


def _is_in(ip: str | None, networks: tuple[Network, ...]) -> bool:
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped if mapped is not None else address
    return any(address.version == network.version and address in network for network in networks)


class Trust(Section):
    """What is ours: the names our hosts write into Received, the clients they are, their authserv-ids.

    `relays`: the clients among them that nobody else can stand behind, which generate mail or relay for our own users. `wide`: large
    networks, and those of bridges and gateways of this host, are meant to be in `networks`.
    """

    hosts: tuple[Host, ...] = ()
    networks: tuple[NetworkText, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
    authserv_ids: tuple[AuthservId, ...] = ()
    relays: tuple[NetworkText, ...] = ()
    wide: StrictBool = False
    arc_sealers: tuple[Host, ...] = ()
    border_strips_forgeries: StrictBool = False

    def is_host(self, name: str | None) -> bool:
        """Is that the name of a host of ours? Case and a trailing dot don't matter; `*.` stands for one label or more."""
        if not name:
            return False
        name = name.lower().rstrip(".")
        return any(fnmatch.fnmatchcase(name, host) if host.startswith("*.") else name == host for host in self.hosts)

    def is_client(self, ip: str | None) -> bool:
        """Is that the address of a client of ours? What is no address is not."""
        return _is_in(ip, self.networks)

    def is_relay(self, ip: str | None) -> bool:
        """Is that the address of a client of ours that relays for nobody else?"""
        return _is_in(ip, self.relays)

    def is_authserv_id(self, name: str | None) -> bool:
        """Is that an authserv-id of ours? Compared without case (RFC 8601 section 2.5: a domain-like token), and by A-labels."""
        return name is not None and authserv.is_one(name, self.authserv_ids)

    def is_spelled_authserv_id(self, name: str) -> bool:
        """The same, in the very spelling of the configuration but for case."""
        return authserv.is_spelled(name, self.authserv_ids)

    @property
    def authserv_spellings(self) -> frozenset[str]:
        """What stands in every text that holds an authserv-id of ours: each name as configured, in A-labels, in U-labels; in lower case,
        without job ids."""
        return authserv.spellings(self.authserv_ids)

    @property
    def authserv_names(self) -> tuple[str, ...]:
        """Those that are no patterns: what we state results under is the first of them."""
        return authserv.names(self.authserv_ids)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name of ours, of verifiers and of hosts, `*.DOMAIN` for all below a domain: what nobody else may state results under."""
        return (*authserv.without_job_ids(self.authserv_ids), *self.hosts)


class Key(Section):
    """One signing key."""

    domain: Domain
    selector: Domain
    file: FilePath


class Forwarder(Section):
    """The domain of `sign: forwarder`."""

    domain: Domain


class Unalign(Section):
    """The domain of senders that are rewritten (SRS), and the file of secrets for it, which postsrsd reads too."""

    domain: Domain
    secret_file: FilePath


class Outgoing(Section):
    """How this host looks to the next receiver: the addresses its mail leaves from, the name it says in EHLO, the domain that Postfix
    appends to a sender without one, and whether its tables may change senders behind the gate; and what Postfix's smtp(8) does to the
    message: `line_length_limit` is smtp_line_length_limit (octets, 0 for none), `converts_8bit` what disable_mime_output_conversion leaves
    on. What is None is found out where that can be; `addresses` that are empty are unknown, and nobody looks for them."""

    addresses: tuple[AddressText, ...] | None = None
    helo: Domain | None = None
    origin: Domain | None = None
    rewrites_senders: StrictBool | None = None
    line_length_limit: Annotated[int, BeforeValidator(_line_length)] | None = None
    converts_8bit: StrictBool | None = None


class Verify(Section):
    """Our own checks of SPF, DKIM, DMARC and ARC, and DNS for them.

    `when`: `never`; `missing`, where no host of ours has stated a DMARC result of mail from outside, or one that would earn the message
    something and is not proved; `always`, for all of it.
    `dmarc`: which reading counts, `both` for the worse of the two. `signatures`: so many DKIM signatures of a message are verified.
    `body_limit`: a larger body (bytes) is not checked. `nameservers`: whom to ask (empty: the system's resolvers).
    `deadline`: how long a message may wait for all its answers (s).
    """

    when: Literal["never", "missing", "always"] = "missing"
    dmarc: Literal["both", "rfc9989", "rfc7489"] = "both"
    signatures: Annotated[StrictInt, Field(ge=1, le=50)] = 10
    body_limit: Annotated[StrictInt, Field(ge=0, le=1 << 30)] = 64 << 20
    nameservers: tuple[AddressText, ...] = ()
    port: Annotated[StrictInt, Field(ge=1, le=65535)] = 53
    deadline: Annotated[float, Field(gt=0, le=60)] = 5.0


class SpamField(Section):
    """A header field with a verdict about spam: what `pattern` finds in it, without regard to case, by the groups named `flag`, `score`,
    `bar` and `required`; `required` is the score of spam where the field names none."""

    field: Annotated[StrictStr, AfterValidator(_field_name)]
    pattern: Annotated[StrictStr, AfterValidator(_pattern)]
    required: Annotated[float, Field(gt=0, le=1e6)] = 5.0


class Journal(Section):
    """Where the records go, and what happens to a message whose record can't be written."""

    file: FilePath = Path("/var/log/dkimgate/decisions.jsonl")
    on_failure: Literal["defer", "continue"] = "defer"


class Signature(Section):
    """What is not said by the key: how long a signature is good for (`x=`, RFC 6376 section 3.5), None for ever."""

    expire_days: Annotated[StrictInt, Field(ge=1, le=3650)] | None = None


class Config(Section):
    """The whole file."""

    listen: Annotated[tuple[Listener, ...], BeforeValidator(_listen)] = (Listener(socket="unix:/run/dkimgate/milter.sock"),)
    socket_mode: Annotated[StrictStr, AfterValidator(_mode)] = "0660"
    socket_group: StrictStr | None = None
    user: StrictStr | None = None
    workers: Annotated[Literal["auto"] | StrictInt, BeforeValidator(_workers)] = "auto"
    drain_seconds: Annotated[StrictInt, Field(ge=0, le=3600)] = 30
    policy: FilePath = Field(default="policy.yaml", validate_default=True)
    trust: Trust = Trust()
    keys: tuple[Key, ...] = ()
    forwarder: Forwarder | None = None
    signature: Signature = Signature()
    passport: Passport | None = None
    unalign: Unalign | None = None
    departure: Outgoing = Outgoing()
    verify: Verify = Verify()
    spam_fields: tuple[SpamField, ...] = ()
    journal: Journal = Journal()

    @property
    def mode(self) -> int:
        """`socket_mode` as a number."""
        return int(self.socket_mode, 8)

    @property
    def roles(self) -> frozenset[str]:
        """Those of the listeners."""
        return frozenset(listener.role for listener in self.listen)

    @property
    def demands_passport(self) -> bool:
        """Results in header fields of ours help nobody: what came by our border has a passport."""
        return self.passport is not None and self.passport.required and "border" in self.roles

    @property
    def worker_count(self) -> int:
        """`workers`, with one a core for `auto`."""
        return len(os.sched_getaffinity(0)) if self.workers == "auto" else self.workers


def load(file: Path) -> Config:
    """Read a configuration file. Raises ConfigError, with file, line and column."""
    return from_document(yamlfile.read(file, ": name the configuration with --config FILE"))


_STATED = {
    "listen": "where Postfix reaches the daemon",
    "trust": "what is ours",
    "keys": "what is signed with (`keys: []` where nothing is)",
}
"""What must stand in the file of a daemon, since a file that was cut short must not pass for one that says little."""


def load_whole(file: Path) -> Config:
    """`load`, for a daemon: a file that is empty, or says nothing of what every daemon needs, is refused."""
    document = yamlfile.read(file, ": name the configuration with --config FILE")
    if document.data is None:
        raise yamlfile.ConfigError(f"{file}: the file is empty, or all of it is commented out: expected at least {', '.join(_STATED)}")
    settings = from_document(document)
    missing = [document.problem((), f"the key {key!r} is missing: {what}") for key, what in _STATED.items() if key not in document.data]
    if missing:
        raise yamlfile.ConfigError(*missing)
    return settings


def from_document(document: yamlfile.Document) -> Config:
    """`load`, of a document at hand."""
    return yamlfile.validate(Config, document, {"folder": document.file.absolute().parent})
