"""The daemon's configuration file. The text below each key is its description: config/configuration.md is made from
it."""

from __future__ import annotations

import fnmatch
import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from dkimgate.config import authserv, wrong_kind, yaml_file
from dkimgate.config.by_identity import ByIdentity
from dkimgate.config.problem import BadValue, ConfigError, Problem
from dkimgate.config.uncollected import uncollected
from dkimgate.config.values import (
    AddressText,
    AuthservId,
    Domain,
    FieldName,
    FilePath,
    Host,
    LineLength,
    Mode,
    NetworkText,
    Pattern,
    SocketText,
    Workers,
    is_in,
)

DEFAULT_FILE = Path("/etc/dkimgate/dkimgate.yaml")


def _like(example: str) -> Any:
    """An example of a value, as it is written in YAML, for the reference."""
    return Field(examples=[example])


class Section(BaseModel):
    """What all parts have in common: they are frozen, and a key that is not known is an error. Text below a key
    describes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Listener(Section):
    """An entry of the list: a socket of the daemon, and what the daemon does there."""

    socket: Annotated[SocketText, _like("unix:/var/spool/postfix/dkimgate/border.sock")]
    """The address of the socket: `unix:PATH`, with the whole path, or `inet:HOST:PORT`. Write an IPv6 address in
    brackets: `inet:[::1]:8891`."""
    role: Annotated[Literal["gate", "border", "srs"], _like("border")] = "gate"
    """`gate` decides and signs. `border` is for Postfix's port 25, ahead of all other milters: it removes forged
    fields from mail of strangers, verifies SPF, DKIM and DMARC, and states the results for the gate. `srs` receives
    no mail. It is a lookup table (a socketmap): Postfix uses it to turn an SRS address back into the original
    address."""


class Passport(Section):
    """A header field by which the border tells the gate what it found. A MAC protects the field: no sender and no
    other host can write it. Without this section there are no passports."""

    secret_file: Annotated[FilePath, _like("passport.secret")]
    """The file of secrets, made by `dkimgate passport new-secret`. All hosts of a group have the same file."""
    max_age: Annotated[StrictInt, Field(ge=1, le=86_400), _like("600")] = 600
    """How old a passport may be, in seconds. An older one does not help its message."""
    allow_changes: Annotated[tuple[Literal["shown", "body"], ...], _like("[body]")] = ()
    """What other programs may change between border and gate without the loss of a pass. `shown`: the fields From,
    To, Cc, Subject, Reply-To and Sender. `body`: the body. With `body`, anyone who sees a passport in time can put it
    on a text of his own."""
    required: Annotated[StrictBool, _like("false")] = True
    """`true`: where a listener has the role `border`, every message from outside needs a passport. A `pass` in any
    other field of yours does not help a message without one. `false`: for the time in which you introduce
    passports."""


class Trust(Section):
    """The hosts, clients and names that are yours. Everything that dkimgate finds out about a message rests on this:
    name every host of yours that handles mail."""

    hosts: Annotated[tuple[Host, ...], _like('[mx.forwarder.example, "*.mail.example"]')] = ()
    """The names that your hosts write behind `by` in Received fields (`postconf -h myhostname` on each).
    `"*.mail.example"` means every host below that domain. A Received field with a container ID in place of a name
    (`by 5161f64ea532`) is yours if its client is in `trust.networks` and its HELO name is in `trust.hosts`."""
    networks: Annotated[tuple[NetworkText, ...], _like('[127.0.0.0/8, "::1/128", 10.1.0.0/24]')] = (
        ipaddress.ip_network("127.0.0.0/8"),
        ipaddress.ip_network("::1/128"),
    )
    """The clients that are yours: hosts that hand in mail without a login. The gate reads the Received fields that
    they write, to find the border. A host in `trust.hosts` that hands on mail belongs here too, by its address. If it
    is missing here, it counts as a stranger, and a pass of SPF does not help its mail: the SPF records of your
    domains name your own hosts."""
    authserv_ids: Annotated[tuple[AuthservId, ...], _like('[mx.forwarder.example, "mx.forwarder.example/*"]')] = ()
    """The authserv-ids of your verifiers: the first word of the Authentication-Results fields that your OpenDMARC,
    OpenDKIM and policyd-spf write. `"NAME/*"` also takes a job ID behind the name (OpenDMARC's
    `AuthservIDWithJobID`); then your border must remove forged fields of that form too, as `role: border` does.
    `"*.mail.example"` means every name below that domain."""
    relays: Annotated[tuple[NetworkText, ...], _like("[10.1.0.5]")] = ()
    """The clients in `trust.networks` that relay for nobody else: web servers, printers, your Exchange, a filter that
    writes a Received field of its own. Mail from them is signed like your own (`client.relay` in the policy), and the
    results above their Received fields are believed. Mail from all other clients in `trust.networks` counts as mail
    from outside. Never name a container bridge, a load balancer or a proxy here: a stranger may be behind it."""
    wide: Annotated[StrictBool, _like("true")] = False
    """`true`: you intend to have large networks in `trust.networks` (larger than /24, or /64 of IPv6), or the network
    of a bridge or gateway of this host. Otherwise `dkimgate check` warns about them."""
    arc_sealers: Annotated[tuple[Host, ...], _like("[gateway.partner.example]")] = ()
    """Hosts whose ARC seals you believe, by the domain of the seal (`d=`): a gateway, a list server. Each is believed
    about EVERY author domain. The large mailbox providers seal what their customers send as passed: do not name them. A
    `pass` in such a seal counts for 7 days, not if a key of `keys` made it, only with a `pass` of SPF or DKIM beside
    it, and only in the plain form that verifiers write."""
    border_strips_forgeries: Annotated[StrictBool, _like("true")] = False
    """`true`: your border removes all Authentication-Results fields with a name of yours from incoming mail. Then a
    `pass` (not of SPF) also counts where a sender could have written it, once it is proved. If in doubt: `false`."""

    def is_host(self, name: str | None) -> bool:
        """Is that the name of a host of ours? Case and a dot at the end don't matter. `*.` matches one label or
        more."""
        if not name:
            return False
        name = name.lower().rstrip(".")
        return any(fnmatch.fnmatchcase(name, host) if host.startswith("*.") else name == host for host in self.hosts)

    def is_client(self, ip: str | None) -> bool:
        """Is that the address of a client of ours? False for a text that is not an address."""
        return is_in(ip, self.networks)

    def is_relay(self, ip: str | None) -> bool:
        """Is that the address of a client of ours that relays for nobody else?"""
        return is_in(ip, self.relays)

    def is_authserv_id(self, name: str | None) -> bool:
        """Is that an authserv-id of ours? Compared without case (RFC 8601 section 2.5: a domain-like token), and by
        A-labels."""
        return name is not None and authserv.is_one(name, self.authserv_ids)

    def is_spelled_authserv_id(self, name: str) -> bool:
        """The same, in exactly the spelling of the configuration, except for case."""
        return authserv.is_spelled(name, self.authserv_ids)

    @property
    def authserv_spellings(self) -> frozenset[str]:
        """The spellings of our authserv-ids, without job ids: as configured, in A-labels, in U-labels; in lower
        case."""
        return authserv.spellings(self.authserv_ids)

    def is_named_in(self, text: str) -> bool:
        """Is an authserv-id of ours anywhere in the text?"""
        text = text.lower()
        return any(name in text for name in self.authserv_spellings)

    @property
    def authserv_names(self) -> tuple[str, ...]:
        """The authserv-ids that are not patterns. We state results under the first of them."""
        return authserv.names(self.authserv_ids)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name of ours, of verifiers and of hosts, `*.DOMAIN` for all below a domain: what nobody else may state
        results under."""
        return (*authserv.without_job_ids(self.authserv_ids), *self.hosts)


class Key(Section):
    """The signing keys, each made by `dkimgate keys new DOMAIN SELECTOR`. Without a key nothing is signed. Two
    entries for one domain make two signatures, such as RSA and Ed25519."""

    domain: Annotated[Domain, _like("hosted.example")]
    """The signing domain (`d=`)."""
    selector: Annotated[Domain, _like("default")]
    """The selector (`s=`). The public key is in DNS at `SELECTOR._domainkey.DOMAIN`."""
    file: Annotated[FilePath, _like("keys/hosted.example.default.pem")]
    """The private key, in PEM. A key file of OpenDKIM will do. The daemon's user must be able to read it, and other
    users must not. The daemon reads it when the key is first used: reload the daemon after you replace the file."""


class Forwarder(Section):
    """The domain that signs with `sign: forwarder` and seals with `seal: true`. Without this section no rule may use
    them."""

    domain: Annotated[Domain, _like("forwarder.example")]
    """A domain that your users do not write from. Its key must be in `keys`."""


class Unalign(Section):
    """The domain of rewritten senders (SRS), for `envelope: unalign` in the policy. Without this section such
    messages are held, or what `otherwise` says. systemd/README.md tells how bounces come back."""

    domain: Annotated[Domain, _like("bounce.forwarder.example")]
    """A domain that nobody writes mail from. It needs an MX record that leads to this host, and an SPF record that
    names the addresses that your mail leaves from."""
    secret_file: Annotated[FilePath, _like("srs.secret")]
    """The file of secrets, made by `dkimgate srs new-secret`. postsrsd reads the same file."""


class Outgoing(Section):
    """How your mail looks to the next receiver. The gate uses this to predict whether the envelope passes SPF there,
    and to sign what Postfix really sends. A key that is not set is looked up at every start and reload: in Postfix
    (`postconf`), in the routes of this host and in DNS. `dkimgate check` shows what was found."""

    addresses: Annotated[tuple[AddressText, ...] | None, _like('[192.0.2.10, "2001:db8::10"]')] = None
    """All IP addresses that mail leaves from. Set it behind NAT, and where mail leaves by another host (`relayhost`,
    `transport_maps`). `[]` means: unknown, do not look. While they are unknown, every sender that is aligned with its
    author domain counts as a pass."""
    helo: Annotated[Domain | None, _like("mx.forwarder.example")] = None
    """The name that Postfix says in EHLO (`smtp_helo_name`). Receivers check SPF of this name when the sender is the
    null sender."""
    origin: Annotated[Domain | None, _like("forwarder.example")] = None
    """The domain that Postfix appends to a sender without a domain (`myorigin`)."""
    rewrites_senders: Annotated[StrictBool | None, _like("false")] = None
    """`false`: `canonical_maps`, `sender_canonical_maps` and `smtp_generic_maps` of Postfix change only addresses in
    domains of this host, and none in `unalign.domain` (any sender in such a domain may pass SPF then); and tables of
    `alias_maps` that can't be listed hold no `owner-` aliases. Not set, and Postfix uses one of the former tables: any
    sender may pass SPF, and none can be rewritten."""
    line_length_limit: Annotated[LineLength | None, _like("998")] = None
    """`smtp_line_length_limit` of Postfix, in octets; 0 is no limit. The gate folds longer header lines before it
    signs them, and signs longer body lines in the form in which Postfix will break them."""
    converts_8bit: Annotated[StrictBool | None, _like("false")] = None
    """`false`: Postfix has `disable_mime_output_conversion = yes`. Otherwise Postfix converts 8-bit content to
    quoted-printable for hosts without 8BITMIME, and a signature of such a message does not verify there."""


class Verify(Section):
    """The gate's own verification of SPF, DKIM, DMARC and ARC, and DNS for it. It concerns mail from outside."""

    when: Annotated[Literal["never", "missing", "always"], _like("always")] = "missing"
    """`missing`: the gate verifies where no milter of yours has stated a DMARC result that can be believed. It also
    proves a stated `pass` or `none` before that earns the message a signature, an ARC set, or an envelope that goes on
    passing SPF. `always`: it verifies every message, the worse of both results counts, and a `pass` without a reason
    does not. `never`: it verifies nothing, and believes a `pass` or `none` of your milters."""
    dmarc: Annotated[Literal["both", "rfc9989", "rfc7489"], _like("rfc9989")] = "both"
    """RFC 9989 and RFC 7489 find the DMARC record of a domain in different ways. `both` takes the worse result; or
    name one of them. Where that one finds no record, the other counts."""
    signatures: Annotated[StrictInt, Field(ge=1, le=50), _like("10")] = 10
    """How many DKIM signatures of a message are verified at most."""
    body_limit: Annotated[StrictInt, Field(ge=0, le=1 << 30), _like("10485760")] = 64 << 20
    """The largest body that is verified, in bytes. A message with a larger one gets the DMARC result `temperror`. No
    body is kept in memory, whatever the limit."""
    nameservers: Annotated[tuple[AddressText, ...], _like("[127.0.0.1]")] = ()
    """The addresses of the DNS resolvers. `[]` means the resolvers of the system (`/etc/resolv.conf`)."""
    port: Annotated[StrictInt, Field(ge=1, le=65535), _like("53")] = 53
    """The port of the DNS resolvers."""
    deadline: Annotated[float, Field(gt=0, le=60), _like("5.0")] = 5.0
    """How long a message waits for all its DNS answers together, in seconds."""


class SpamField(Section):
    """Spam filters that dkimgate does not know: each entry is a header field with a verdict. An entry for a known
    field replaces what is known."""

    field: Annotated[FieldName, _like("X-My-Filter")]
    """The name of the header field, without the colon."""
    pattern: Annotated[Pattern, _like(r"'(?P<flag>junk) (?P<score>[\d.]+) of (?P<required>[\d.]+)'")]
    """A regular expression of Python; case does not matter. It needs at least one of these groups: `flag` (spam where
    it matches), `score` (a number), `bar` (its characters are counted). `required` is the limit for spam. Strangers
    can write the field too, so the pattern sees only its first 1000 characters, and a slow pattern such as `(a+)+` is
    refused."""
    required: Annotated[float, Field(gt=0, le=1e6), _like("8")] = 5.0
    """The limit for spam where the field does not name one."""


class Journal(Section):
    """The decision log: one JSON object a line for each message."""

    file: Annotated[FilePath, _like("/var/log/dkimgate/decisions.jsonl")] = Path("/var/log/dkimgate/decisions.jsonl")
    """The file. Rotation needs no signal."""
    on_failure: Annotated[Literal["defer", "continue"], _like("continue")] = "defer"
    """What happens while the file can't be written. `defer`: mail waits (4xx), so no message leaves without its
    record. `continue`: mail leaves, unsigned."""


class Signature(Section):
    """The signatures that dkimgate makes."""

    expire_days: Annotated[StrictInt | None, Field(ge=1, le=3650), _like("14")] = None
    """How many days a signature is valid (the `x=` tag of RFC 6376). Not set: it does not expire."""


def _listen(value: object) -> object:
    items = [value] if isinstance(value, str | dict) else value
    if not isinstance(items, list) or not items or not all(isinstance(item, str | dict) for item in items):
        raise BadValue("value.listen", "expected unix:PATH or inet:HOST:PORT, or a list of them")
    return tuple({"socket": item} if isinstance(item, str) else item for item in items)


class Config(Section):
    """The whole file."""

    listen: Annotated[
        tuple[Listener, ...], BeforeValidator(_listen), _like("unix:/var/spool/postfix/dkimgate/milter.sock")
    ] = (Listener(socket="unix:/run/dkimgate/milter.sock"),)
    """Where Postfix reaches the daemon: `unix:PATH`, `inet:HOST:PORT`, or a list. An entry of the list may be a
    mapping with a role. In Debian Postfix runs in a chroot: it sees only what is below `/var/spool/postfix`, and
    calls this socket `unix:dkimgate/milter.sock`."""
    socket_mode: Annotated[Mode, _like('"0660"')] = "0660"
    """The file mode of unix sockets: who may connect. Keep the quotation marks. Whoever can connect can have any
    message signed."""
    socket_group: Annotated[StrictStr | None, _like("postfix")] = None
    """The group of unix sockets. Postfix must be a member. Not set: the group of the folder where the folder has the
    setgid bit (as `make install` makes it: mode 2750, group postfix), otherwise the group of the daemon."""
    user: Annotated[StrictStr | None, _like("dkimgate")] = None
    """The user of the daemon. If root starts the daemon, it opens its sockets and then becomes this user. The user
    must be able to read policy, keys and secrets; `dkimgate check` tests that. Not set: the daemon stays the user
    that starts it."""
    workers: Annotated[Workers, _like("4")] = "auto"
    """The number of processes for each listener. `auto`: one for each CPU core."""
    milter_library: Annotated[Literal["built-in", "pymilter"], _like("pymilter")] = "built-in"
    """What speaks the milter protocol with Postfix. `built-in`: code of dkimgate's own, with the least CPU a message.
    `pymilter`: Sendmail's libmilter, by way of pymilter. Both do the same for a message."""
    drain_seconds: Annotated[StrictInt, Field(ge=0, le=3600), _like("30")] = 30
    """At a stop or reload: how many seconds the messages in progress have to finish."""
    policy: Annotated[FilePath, _like("policy.yaml")] = Field(default="policy.yaml", validate_default=True)
    """The policy file. policy.md describes it."""
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
    def key_domains(self) -> frozenset[str]:
        """The domains that keys are for, also where a key can't be read."""
        return _domains_of(self.keys)

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


def _domains(keys: tuple[Key, ...]) -> frozenset[str]:
    return frozenset(key.domain for key in keys)


_domains_of = ByIdentity(_domains)  # every message asks


@uncollected()
def load(file: Path) -> Config:
    """Read a configuration file. Raises ConfigError, with file, line and column."""
    return from_document(yaml_file.read(file, ": name the configuration with --config FILE"))


_STATED = {
    "listen": "the sockets for Postfix",
    "trust": "your hosts and names",
    "keys": "the signing keys (`keys: []` for none)",
}
"""What must stand in the file of a daemon, since a file that was cut short must not pass for one that says little."""


@uncollected()
def load_whole(file: Path) -> Config:
    """`load`, for a daemon: a file that is empty, or says nothing of what every daemon needs, is refused."""
    document = yaml_file.read(file, ": name the configuration with --config FILE")
    if document.data is None:
        raise ConfigError(
            Problem(
                "config.empty",
                f"the file is empty, or every line is a comment: expected at least {', '.join(_STATED)}",
                file,
            )
        )
    settings = from_document(document)
    missing = [
        document.problem((), "yaml.missing-key", f"the key {key!r} is missing: {what}")
        for key, what in _STATED.items()
        if key not in document.data
    ]
    if missing:
        raise ConfigError(*missing)
    return settings


def from_document(document: yaml_file.Document) -> Config:
    """`load`, of a document at hand."""
    wrong_kind.refuse(document, wrong_kind.CONFIGURATION)
    return yaml_file.validate(Config, document, {"folder": document.file.absolute().parent})
