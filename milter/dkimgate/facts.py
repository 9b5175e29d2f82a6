"""The facts of a message and the decision about it: the frozen values that flow from evidence to policy to record."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from dkimgate.authres import methods
from dkimgate.message.message import Connection

DMARC_RESULTS = methods.words("dmarc")
"""What arrival.dmarc may be. `unknown`: it came from outside and nobody we believe says anything about its author
domain."""


class Origin(StrEnum):
    """Where a message came from."""

    SUBMITTED = "submitted"  # an authenticated user handed it in
    LOCAL = "local"  # generated on this host
    RELAYED = "relayed"  # a client in trust.networks handed it in without a login
    FORWARDED = "forwarded"  # a border hop stands in its route
    INBOUND = "inbound"  # this session is the border


def is_outside(origin: Origin, relay: bool) -> bool:
    """What the laws call "from outside", for all that have to know. `relay`: every client that relayed it stands in
    trust.relays."""
    return origin in (Origin.FORWARDED, Origin.INBOUND) or (origin is Origin.RELAYED and not relay)


class Standing(StrEnum):
    """Who vouches for a claim."""

    TRUSTED = "trusted"  # stated by us, where only we can write
    VERIFIED = "verified"  # this process checked it
    UPSTREAM = "upstream"  # anyone else: believed where it hurts, never where it helps


class Sign(StrEnum):
    """Which DKIM signature a message gets."""

    AUTHOR = "author"  # by a domain aligned with the author domain
    FORWARDER = "forwarder"  # by our own domain, unaligned
    NONE = "none"


class Disposition(StrEnum):
    """What the MTA is told to do with a message. Each says of itself what follows from it, and how it is told to
    people."""

    ACCEPT = "accept"
    HOLD = "hold"  # Postfix's hold queue (milter quarantine)
    DEFER = "defer"  # 4xx
    REJECT = "reject"  # 5xx
    DISCARD = "discard"  # accepted and thrown away

    @property
    def leaves(self) -> bool:
        """The message goes on to the next host, now."""
        return self is Disposition.ACCEPT

    @property
    def is_kept(self) -> bool:
        """Postfix has the message, so it is changed and signed: what is held leaves as soon as a person releases it."""
        return self in (Disposition.ACCEPT, Disposition.HOLD)

    @property
    def takes_text(self) -> bool:
        """A text goes with it: to the sender in the SMTP reply, or into the log, where a message is held."""
        return self in (Disposition.HOLD, Disposition.DEFER, Disposition.REJECT)

    @property
    def plain(self) -> str:
        """What happens to the message, in plain words."""
        return _DISPOSED[self]


_DISPOSED = {
    Disposition.ACCEPT: "sent on",
    Disposition.HOLD: "held until a postmaster looks at it",
    Disposition.DEFER: "turned away for now, to be tried again later",
    Disposition.REJECT: "refused",
    Disposition.DISCARD: "thrown away without a word",
}


class EnvelopeAction(StrEnum):
    """What happens to the envelope sender."""

    KEEP = "keep"
    UNALIGN = "unalign"  # rewritten to an address of a domain that no author domain here is aligned with


@dataclass(frozen=True, slots=True)
class Claim:
    """One method=result that a header field states, who stated it, and what it is worth.

    `method` is lower case (`dmarc`, `spf`, `dkim`, `arc`, `spam`); `result` lower case as stated, for `spam` "yes" or
    "no". `by` is the authserv-id, or None. `field` is the name of the header field, `position` its index from the top
    of the header as the milter sees it. `why` says in a few words why it has its standing. `properties` are RFC 8601
    ptype.property pairs in lower case with their values as written, in order.
    """

    method: str
    result: str
    by: str | None
    field: str
    standing: Standing
    why: str = ""
    position: int = 0
    properties: tuple[tuple[str, str], ...] = ()

    def is_believed(self) -> bool:
        """It counts also where it helps (law 2)."""
        return self.standing is not Standing.UPSTREAM

    def passes(self, method: str) -> bool:
        """A pass of that method, and believed."""
        return self.method == method and self.result == "pass" and self.is_believed()

    def property(self, name: str) -> str | None:
        """The last value of that ptype.property, or None."""
        return next((value for key, value in reversed(self.properties) if key == name), None)

    def only(self, name: str) -> str | None:
        """The value of a ptype.property that is there once. Of one that is there twice, nobody knows which one is
        meant: the sender may have written the other, where a verifier prints his words without quotation marks."""
        values = [value for key, value in self.properties if key == name]
        return values[0] if len(values) == 1 else None

    def as_upstream(self, why: str) -> Claim:
        """The same claim as one of anybody: it counts where it hurts. `why` says why it is not believed."""
        return replace(self, standing=Standing.UPSTREAM, why=why)


@dataclass(frozen=True, slots=True)
class Spam:
    """The worst spam verdict of a header, normalized. Without one: flag False, score 0.0 of 5.0, the same as ham."""

    flag: bool = False
    score: float = 0.0
    required: float = 5.0

    @property
    def ratio(self) -> float:
        """score / required, never below 0."""
        return max(self.score, 0.0) / self.required

    @property
    def spam(self) -> bool:
        """It arrived as spam: somebody says Yes, or score >= required."""
        return self.flag or not self.score < self.required  # so that a score that is no number is spam


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of the message as it entered. `dmarc` is one of DMARC_RESULTS; the other three are RFC 8601 results
    ("none" where nobody says). `aligned`: a believed SPF or DKIM pass is of a domain aligned with the author domain.
    `pass_of`: the domain of a believed DMARC pass that is not the author domain, because From was changed after the
    border (by a mailing list, for example); None otherwise."""

    dmarc: str = "unknown"
    spf: str = "none"
    dkim: str = "none"
    arc: str = "none"
    aligned: bool = False
    spam: Spam = field(default_factory=Spam)
    pass_of: str | None = None

    @property
    def badly(self) -> bool:
        """The design's "arrived badly"."""
        return self.dmarc not in ("pass", "none") or self.spam.spam


@dataclass(frozen=True, slots=True)
class Upstream:
    """The worst that hosts which are not ours say about the message, or None where they say nothing."""

    dmarc: str | None = None


@dataclass(frozen=True, slots=True)
class Border:
    """The newest hop at which a host of ours (`by`) took the message from a client that is not ours (`ip`)."""

    by: str
    ip: str | None


@dataclass(frozen=True, slots=True)
class HeaderSigns:
    """What the header itself gives away; each adds to the risk where the policy says so. A sign says what was seen, and
    no more: most of them honest mail shows too."""

    from_equals_to: bool = False  # author and recipient in the header are one address
    return_path_mismatch: bool = False  # bounces go to another organization than the author's
    message_id_missing: bool = False
    message_id_malformed: bool = False  # it is not <left@right> (RFC 5322 section 3.6.4)
    date_missing: bool = False  # or no reader finds a date in it
    date_far_off: bool = False  # more than 7 days before the message was judged, or 1 day after
    display_name_address: bool = False  # the display name holds another address than the author's
    lookalike_domain: bool = False  # the author domain is not ours, and made to be taken for one that is
    recipients_malformed: bool = False  # To or Cc is no list of addresses
    repeated_singletons: bool = False  # a field that may stand once stands twice (RFC 5322 section 3.6)
    no_received: bool = False  # it came from outside, and no host says that it took it
    third_party_signature_only: bool = False  # it bears DKIM signatures, none of them aligned with the author domain
    # it bears a DKIM signature of a domain aligned with the author domain, valid or not
    aligned_signature: bool = False
    # a DKIM signature was past its x= when the message was judged (RFC 6376 section 3.5)
    expired_signature: bool = False
    limited_signature: bool = False  # a DKIM signature covers a part of the body (l=): text may have been added


@dataclass(frozen=True, slots=True)
class Sending:
    """What Postfix's smtp(8) changes of the message behind us, as far as signatures cover it. No condition can name it:
    part of it is known only once the whole message was read.

    `body_broken`: a body line is too long, and will be broken: we sign it broken, and signatures that were made before
    no longer fit.
    `fields_broken`: fields of these names have a line that is too long and can't be folded, so that a signature of ours
    will not hold.
    `others_broken`: the same of every signature aligned with the author domain that the message bears already.
    `eight_bit`: it declares 8-bit content, which a host without 8BITMIME gets as quoted-printable.
    """

    body_broken: bool = False
    fields_broken: tuple[str, ...] = ()
    others_broken: bool = False
    eight_bit: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """All that `decide` may look at. No clock, no DNS, no disk behind it.

    `author` is the author domain (A-labels, lower case), None where there is no single well-formed one: then
    `author_problem` says why. `hosted` is the domain of the key that `sign: author` would use, None where no key of
    ours aligns.
    `spf_passes`: the envelope as it stands would pass SPF, aligned with the author domain, at the next hop;
    `spf_source` says whence that is known ("lookup", "assumed", "unaligned"). `unalignable`: the sender can be
    rewritten so that it no longer does.
    `own_signature`: the message bears a signature of the key that `sign: author` would use, made when it passed here
    before, and valid as Postfix will send it.
    `relay`: it was relayed, by clients that trust.relays names.
    `forwarder_aligns`: a signature of the forwarder's domain would align with the author domain, so it must not be
    made.
    `strict_dkim`: the author domain's DMARC record asks for exact alignment (adkim=s); asked only where a signature is
    by another domain.
    """

    client: Connection = field(default_factory=Connection)
    sender: str = ""
    recipients: tuple[str, ...] = ()
    author: str | None = None
    author_problem: str | None = None
    hosted: str | None = None
    origin: Origin = Origin.FORWARDED
    origin_why: str = ""
    border: Border | None = None
    claims: tuple[Claim, ...] = ()
    arrival: Arrival = field(default_factory=Arrival)
    upstream: Upstream = field(default_factory=Upstream)
    header: HeaderSigns = field(default_factory=HeaderSigns)
    spf_passes: bool = False
    spf_source: str = "unaligned"
    unalignable: bool = False
    forwarder_aligns: bool = False
    own_signature: bool = False
    strict_dkim: bool = False
    sending: Sending = field(default_factory=Sending)
    message_id: str | None = None
    relay: bool = False

    @property
    def outside(self) -> bool:
        """True for what the laws call "from outside". So is what a client relayed that trust.relays does not name:
        behind a container bridge or a load balancer anybody may stand."""
        return is_outside(self.origin, self.relay)


@dataclass(frozen=True, slots=True)
class Risk:
    """One number from 0 up, and the named parts it is the sum of."""

    score: float = 0.0
    parts: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy chose, and by which rule.

    `seal`: an ARC set is wanted. `envelope` is UNALIGN only where the sender is to be rewritten. `text` goes with hold,
    defer and reject. `tag` goes in front of the subject; `add` (name, text) and `remove` (names) change the header.
    Texts may name facts, `{arrival.dmarc}`. `laundering`: the reason for which the policy allows this rule to launder.
    """

    rule: str
    sign: Sign = Sign.NONE
    disposition: Disposition = Disposition.ACCEPT
    text: str | None = None
    risk: Risk = field(default_factory=Risk)
    mode: str = "enforce"
    seal: bool = False
    envelope: EnvelopeAction = EnvelopeAction.KEEP
    tag: str | None = None
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()
    laundering: str | None = None


class Holds(StrEnum):
    """Will a signature be valid at the next host? Of our own, or where we make none of an aligned one that the message
    bears already."""

    YES = "yes"
    NO = "no"  # Postfix changes what it covers
    MAYBE = "maybe"  # not at a host without 8BITMIME
    NONE = "none"  # there is no signature


@dataclass(frozen=True, slots=True)
class Departure:
    """What the next receiver's DMARC will conclude (`pass`, `none` or `fail`), by which of its two doors; does a
    signature hold?"""

    dmarc: str
    dkim_aligned: bool
    spf_aligned: bool
    signature_holds: Holds = Holds.NONE


@dataclass(frozen=True, slots=True)
class HeaderChanges:
    """What becomes of the header beside our signatures.

    `fields` (name, value) go to the top, the first of them topmost; `changed` are positions, from the top, with the
    value that they get; `removed` positions of fields that go. The rest is for the record: the tag as it stands in the
    subject, the names of what was added, removed and folded, and in words what was not done and why. Where the decision
    only observes, the former are empty.
    """

    fields: tuple[tuple[str, bytes], ...] = ()
    changed: tuple[tuple[int, bytes], ...] = ()
    removed: tuple[int, ...] = ()
    tag: str | None = None
    added_names: tuple[str, ...] = ()
    removed_names: tuple[str, ...] = ()
    folded_names: tuple[str, ...] = ()
    not_done: tuple[str, ...] = ()


_UNCHANGED = HeaderChanges()


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the gate made of a message: from what, what, and what the next receiver will conclude.

    `signer`: the domain whose keys sign, or None. `overruled`: why the guard refused what the policy chose, or None.
    `sender`: the address that the envelope sender is rewritten to, or None. `sealed`: an ARC set was made; `unsealed`:
    why not, where one was wanted.
    """

    facts: Facts
    decision: Decision
    departure: Departure
    signer: str | None = None
    overruled: str | None = None
    sender: str | None = None
    sealed: bool = False
    unsealed: str | None = None
    changes: HeaderChanges = _UNCHANGED


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the MTA is to do. `fields` (name, value) go to the top of the header, the first of them topmost; `text` goes
    with a refusal; `remove` are the positions, from the top, of fields that leave the header, `changed` those of fields
    that get another value; `sender` is the new envelope sender, without angle brackets, None where it stays."""

    disposition: Disposition = Disposition.ACCEPT
    text: str | None = None
    fields: tuple[tuple[str, bytes], ...] = ()
    remove: tuple[int, ...] = ()
    sender: str | None = None
    changed: tuple[tuple[int, bytes], ...] = ()
