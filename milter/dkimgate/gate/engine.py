"""The engine: everything that was loaded, and the one way from a message to a decision."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from dkimgate import srs
from dkimgate.arc.arc_set import ALSO_SIGNED
from dkimgate.arc.state import has_chain
from dkimgate.config import dkimgate_yaml
from dkimgate.config.by_identity import ByIdentity
from dkimgate.config.dkimgate_yaml import Config
from dkimgate.config.problem import ConfigError, Problem
from dkimgate.config.uncollected import uncollected
from dkimgate.dkim.canonical import BodyForms
from dkimgate.dkim.content import asks_simple
from dkimgate.dkim.keys import SigningKey
from dkimgate.dkim.sent_body import SentBody
from dkimgate.dkim.sign import COVERED
from dkimgate.dmarc import walk
from dkimgate.dmarc.strict import strict_dkim
from dkimgate.dns.resolver import Lookup, Resolver
from dkimgate.evidence import checks_here, grounds, our_signatures
from dkimgate.evidence.gather import Seen, facts_of
from dkimgate.facts import Assessment, Claim, Facts, Sending, Sign
from dkimgate.gate import config_checks, header_changes, sealer, sending
from dkimgate.gate.budget import Costly
from dkimgate.gate.envelope_spf import LOOKUP, UNALIGNED, envelope_domains, is_bare, outgoing_spf
from dkimgate.gate.key_ring import KeyRing
from dkimgate.gate.sending import Smtp
from dkimgate.log import OnceADay
from dkimgate.message import domains
from dkimgate.message.message import Message
from dkimgate.passport import reading as passports
from dkimgate.passport.secrets import Secrets
from dkimgate.policy import departure, verdict
from dkimgate.policy.language import loader
from dkimgate.policy.language.model import Policy
from dkimgate.policy.proof import prove, report
from dkimgate.postfix import this_host, way_out
from dkimgate.postfix.way_out import WayOut
from dkimgate.record.journal import Journal
from dkimgate.record.recordable import cut, recordable

Named = TypeVar("Named")
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Questions:
    """What the header leaves open. `checks`: our own checks want the body. `compares`: a passport, or a signature that
    may be our own, wants its hash. `chain`: an ARC set may go on top of others, which are validated over the body then.

    And what was found on the way, for `conclude`: `earns`: a pass has to be proved. `ours`: what may be our own
    work."""

    checks: bool
    compares: bool
    chain: bool
    earns: bool
    ours: our_signatures.Ours


class Engine:
    """Configuration, policy, keys and journal, loaded and consistent. One a process; messages may pass in many threads
    at once."""

    def __init__(
        self,
        settings: Config,
        policy: Policy,
        keys: KeyRing | list[SigningKey],
        secrets: Secrets | None,
        warnings: tuple[Problem, ...],
        srs_secrets: srs.Secrets | None = None,
        way: WayOut | None = None,
        smtp: Smtp | None = None,
    ) -> None:
        self.config = settings
        self.policy = policy
        self.ring = keys if isinstance(keys, KeyRing) else KeyRing.of_keys(keys)
        self.secrets = secrets
        self.srs_secrets = srs_secrets
        self._warnings = warnings
        self.journal = Journal(settings.journal.file)
        self.resolver = _resolver(settings)
        self.way_out = way if way is not None else way_out.configured(settings.departure)
        self.now: Callable[[], float] = time.time
        self.smtp = smtp if smtp is not None else sending.smtp_of(settings.departure)
        known = settings.departure.model_copy(update={"line_length_limit": self.smtp.line_limit})
        self.config = settings.model_copy(update={"departure": known})
        self.unread = OnceADay()
        self.costly = Costly()
        self.sealer = sealer.sealer_of(settings, self.ring)

    @property
    def keys(self) -> list[SigningKey]:
        """Every key that can be used. This reads all of them."""
        return self.ring.all()

    @property
    def broken(self) -> tuple[Problem, ...]:
        """Why keys can't be used, as far as they were read."""
        return self.ring.broken

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What a postmaster should know at every start, ready to print."""
        return (*self.ring.warnings, *self._warnings)

    @classmethod
    @uncollected()
    def load(
        cls,
        file: Path,
        settings: Config | None = None,
        before: Engine | None = None,
        policy_file: Path | None = None,
    ) -> Self:
        """Load a configuration file and all that it names, or another policy than it names. A key is read when it is
        first used: see KeyRing. `settings`: what the file says, where it was read already. `before`: what is in use
        now; the keys that have not changed are taken from it. Raises ConfigError with every mistake found."""
        settings = settings if settings is not None else dkimgate_yaml.load(file)
        if policy_file is not None:
            settings = settings.model_copy(update={"policy": policy_file})
        problems: list[Problem] = []
        given = partial(loader.load, remedy=": name the policy with --policy FILE")
        policy = _read(loader.load if policy_file is None else given, settings.policy, problems)
        known = before.ring if before is not None else None
        ring = _read(lambda named: KeyRing(named, known), settings.keys, problems) or KeyRing()
        warnings: list[Problem] = []
        passport, unalign = settings.passport, settings.unalign
        secrets = _read(Secrets.load, passport.secret_file, problems) if passport is not None else None
        srs_secrets = _read(srs.Secrets.load, unalign.secret_file, problems) if unalign is not None else None
        if policy is not None:
            proof = prove(policy)
            problems += report.problems(policy, proof)
            warnings += report.warnings(policy, proof)
        problems += config_checks.problems(file, settings, policy)
        if not ring.signs():
            problems += ring.broken  # nothing at all could be signed
        if policy is not None and policy.seals:
            problems += sealer.problems(file, settings, ring)
        if problems or policy is None:
            raise ConfigError(*problems)
        warnings += config_checks.observing(policy)
        here = this_host.this_host()
        way = way_out.find(settings.departure, ring.names, here, _resolver(settings).lookup())
        smtp = sending.smtp_of(settings.departure, here.postfix)
        warnings += way.warnings()
        return cls(settings, policy, ring, secrets, tuple(warnings), srs_secrets, way, smtp)

    def questions(self, seen: Seen) -> Questions:
        """What has to wait for the body."""
        reading = self._passports(seen, None)
        allowed = self._allowed_changes()
        claims = seen.claims + passports.claims(reading, allowed)
        ours = our_signatures.look_for(seen.message, self.ring.by_name, seen.route.entered)
        compares = reading.wants_body(allowed) or our_signatures.wants_body(ours, seen.domain)
        chain = self.policy.seals and has_chain(seen.message.header)
        earns = grounds.within_reach(seen.claims, seen.route) or self._earns(seen)
        checks = checks_here.wanted(claims, seen.route, self.config, seen.domain, earns)
        return Questions(checks, compares, chain, earns, ours)

    def conclude(
        self,
        seen: Seen,
        questions: Questions,
        body: BodyForms | None,
        body_hash: bytes | None,
        now: float,
        sent_hash: bytes | None = None,
    ) -> Assessment:
        """The one way to a decision, for the daemon and for `explain`. `questions`: those of the same message. With a
        `body`, what the header leaves open is checked here; one that is larger than verify.body_limit stands for one
        that could not be checked. With a `body_hash`, passports and our own signatures are compared to it. `sent_hash`:
        of the body as Postfix will send it, where that is another."""
        lookup = self.resolver.lookup()
        reading = self._passports(seen, body_hash)
        found = passports.claims(reading, self._allowed_changes())
        ours = our_signatures.verify(questions.ours, seen.message.header, body_hash, seen.domain, now)
        # what rests on a signature of ours is discounted, so it needs no proof: where no reading of DMARC looks past it
        earns = questions.earns and seen.domain not in ours.valid
        if body is not None and checks_here.wanted(seen.claims + found, seen.route, self.config, seen.domain, earns):
            found += self.check(replace(seen, claims=seen.claims + found), body, lookup, now)
        author = seen.domain if seen.remade is None else None  # another may be aligned with any domain
        gathered = facts_of(
            seen,
            self.config,
            self.ring.domains,
            outgoing_spf(seen.message.envelope.sender, self.way_out, author, lookup),
            found,
            passports.spam(reading),
            now,
            ours,
            earns,
            self.ring.names,
        )
        if self.smtp.converts_8bit and sending.eight_bit(seen.message):
            gathered = replace(gathered, sending=Sending(eight_bit=True))
        if sent_hash not in (None, body_hash):
            lasting = our_signatures.verify(questions.ours, seen.message.header, sent_hash, seen.domain, now).valid
            gathered = replace(gathered, own_signature=gathered.hosted in lasting)
        gathered = self._strictly(self._by_tree(gathered, lookup), lookup)
        rewritten = self._rewritten(gathered, now) if seen.remade is None else None
        if rewritten is not None:
            gathered = replace(gathered, unalignable=True)
        # what is decided on is what the record tells, to the letter
        assessment = self.decided(recordable(gathered), rewritten)
        return self._with_header(seen.message, assessment)

    def _with_header(self, message: Message, assessment: Assessment) -> Assessment:
        """What becomes of the header, and what smtp(8) makes of what is left of it."""
        if header_changes.nothing_to_do(message.header, assessment.decision, self.smtp.line_limit):
            return assessment
        seals = sealer.wanted(assessment)
        signed = COVERED if assessment.signer is not None or seals else frozenset[str]()
        limit = self.smtp.line_limit
        changes = header_changes.plan(
            message, assessment.facts, assessment.decision, limit, (*signed, *ALSO_SIGNED) if seals else signed
        )
        found = sending.of_header(
            header_changes.leaving(message.header, changes), signed, assessment.facts.author, limit
        )
        found = replace(found, eight_bit=assessment.facts.sending.eight_bit)
        return replace(self._departing(assessment, found), changes=changes)

    def body_of(self, message: Message, hashed: bool = True, compared: bool = False) -> SentBody:
        """What takes the body of a message in; without `hashed` it only looks at it. `compared`: with the signatures in
        its header."""
        parts = self.smtp.converts_8bit and sending.has_parts(message)
        return SentBody(self.smtp.line_limit, hashed, parts, compared and asks_simple(message.header))

    def sent(self, assessment: Assessment, body: SentBody) -> Assessment:
        """The assessment of a message whose body was read to its end. It does not change without a signature that could
        break."""
        known = assessment.facts.sending
        if not self.has_signature(assessment):
            return assessment
        eight_bit = known.eight_bit or (self.smtp.converts_8bit and body.eight_bit)
        if eight_bit == known.eight_bit and body.broken == known.body_broken:
            return assessment
        return self._departing(assessment, replace(known, body_broken=body.broken, eight_bit=eight_bit))

    def has_signature(self, assessment: Assessment) -> bool:
        """Ours, or one by which it departs with a pass."""
        return assessment.signer is not None or assessment.departure.dkim_aligned

    def _departing(self, assessment: Assessment, found: Sending) -> Assessment:
        if found == assessment.facts.sending:
            return assessment
        facts = replace(assessment.facts, sending=cut(found))
        return replace(assessment, facts=facts, departure=verdict.departs(facts, assessment.decision))

    def decided(self, facts: Facts, rewritten: str | None = None) -> Assessment:
        """What follows from the facts alone: decision, guard, signer and departure. Asks nobody. `rewritten`: the
        unaligned sender."""
        reached = verdict.reach(facts, self.policy)
        sender = rewritten if reached.unaligned else None
        return Assessment(
            facts, reached.decision, reached.departure, self._signer(facts, reached.made), reached.overruled, sender
        )

    def check(self, seen: Seen, body: BodyForms, lookup: Lookup, now: float) -> tuple[Claim, ...]:
        """Our own checks of a message."""
        limit = self.config.verify.body_limit
        if body.octets > limit:
            return checks_here.too_large(limit)
        return checks_here.claims(seen, body, self.config, lookup, now)

    def _earns(self, seen: Seen) -> bool:
        """Would a pass, or that there is no DMARC record, earn the message something: an ARC set that vouches for it,
        or that it leaves in a name by which it may pass? Then it has to be proved."""
        if seen.domain is None:
            return False
        if self.policy.seals or domains.covering(seen.domain, self.ring.domains):
            return True
        names = self._leaves_as(seen.message.envelope.sender)
        if names is None or any(domains.may_align(name, seen.domain) for name in names):
            return True
        if self.config.verify.when == "never" or not grounds.wants_proof(seen.claims, seen.domain):
            return False
        return self._in_one_organization(names, seen.domain, self.resolver.lookup())

    def _leaves_as(self, sender: str) -> frozenset[str] | None:
        """The domains that the next receiver may find authenticated because the message leaves by us: those of SPF, and
        the forwarder's where a rule signs as it. None where nobody can say."""
        names = envelope_domains(sender, self.way_out)
        forwarder = self.config.forwarder if self.policy.uses_forwarder else None
        return names if names is None or forwarder is None else names | {forwarder.domain}

    @staticmethod
    def _in_one_organization(names: Iterable[str], author: str, lookup: Lookup) -> bool:
        return any(walk.organization_holds(author, name, lookup) for name in names)

    def _passports(self, seen: Seen, body_hash: bytes | None) -> passports.PassportReading:
        """What the passports of the header come to. One that a client brings who is not ours helps nobody: no outsider
        is ever given one. But a border ahead of us in his session may have stated there what hurts."""
        if self.secrets is None or self.config.passport is None:
            return passports.NONE
        reading = passports.read(seen.message.header, self.secrets, self.now(), self.config.passport.max_age, body_hash)
        return replace(reading, ours=self.config.trust.is_client(seen.message.connection.ip))

    def _allowed_changes(self) -> frozenset[passports.Part]:
        section = self.config.passport
        return frozenset(passports.Part(part) for part in section.allow_changes) if section is not None else frozenset()

    def _signer(self, facts: Facts, made: Sign) -> str | None:
        if made is Sign.AUTHOR:
            return facts.hosted
        return self.config.forwarder.domain if made is Sign.FORWARDER and self.config.forwarder is not None else None

    def _by_tree(self, facts: Facts, lookup: Lookup) -> Facts:
        """With the doors open that no public suffix list shows, but the tree walk of RFC 9989 finds. Asked only of what
        could be laundered."""
        author = facts.author
        asks = self.config.verify.when != "never" or self.way_out.addresses
        if author is None or not asks or not facts.outside or facts.arrival.dmarc == "pass":
            return facts
        forwarder = self.config.forwarder
        if self.policy.uses_forwarder and forwarder is not None and not facts.forwarder_aligns:
            facts = replace(facts, forwarder_aligns=walk.organization_holds(author, forwarder.domain, lookup))
        names = envelope_domains(facts.sender, self.way_out) if facts.spf_source == UNALIGNED else None
        if names is None or not self._in_one_organization(names, author, lookup):
            return facts
        passes, source = outgoing_spf(facts.sender, self.way_out, None, lookup)
        return replace(facts, spf_passes=passes, spf_source=source)

    def _strictly(self, facts: Facts, lookup: Lookup) -> Facts:
        """With what the author domain's record says of signatures by other domains (adkim=s). Asked only where DNS is
        asked at all, and such a signature is in question."""
        asks = self.config.verify.when != "never" or facts.spf_source == LOOKUP
        if facts.author is None or not asks or not departure.needs_strictness(facts):
            return facts
        return replace(facts, strict_dkim=strict_dkim(facts.author, lookup))

    def _rewritten(self, facts: Facts, now: float) -> str | None:
        """The envelope sender by which the message no longer passes SPF, aligned. None where it does not pass as it
        stands, and where there is no such sender: nothing is configured, or it is null or odd, or the author domain may
        align with ours too."""
        return self.unaligned_sender(facts.sender, facts.author, now) if facts.spf_passes else None

    def _aligned_with_ours(self, name: str) -> bool:
        return _group(self.ring.names).may_align(name)

    def may_pass_spf(self, message: Message, author: str | None) -> bool:
        """Of a message that could not be judged: could its envelope pass SPF, aligned with its author domain (None:
        nobody knows it), or is it of a domain of ours? Not asked of who has logged in."""
        if message.connection.auth is not None:
            return False
        try:
            names = envelope_domains(message.envelope.sender, self.way_out)
            if names is None or any(map(self._aligned_with_ours, names)):
                return True
            return outgoing_spf(message.envelope.sender, self.way_out, author, self.resolver.lookup())[0]
        except Exception:  # noqa: BLE001 - it may be just this that could not be judged
            return True

    def unaligned_sender(self, sender: str, author: str | None, now: float) -> str | None:
        """The sender, rewritten to an address that is aligned with no hosted domain and not with the author domain.
        None if that is not possible, or if the author domain, or what Postfix would make of the sender, is not
        known."""
        if self.config.unalign is None or self.srs_secrets is None or author is None:
            return None
        made = srs.rewrite(self._completed(sender), self.config.unalign.domain, self.srs_secrets, now)
        if not isinstance(made, str):
            return None
        # whoever says that tables change only addresses of his own says it of this domain too
        names = envelope_domains(made, replace(self.way_out, own=frozenset()))
        if names is None or any(domains.may_align(name, author) for name in names):
            return None
        return None if self._in_one_organization(names, author, self.resolver.lookup()) else made

    def _completed(self, sender: str) -> str:
        """With the domain that Postfix would append, so that its bounce finds the same way home; without, where nobody
        knows that."""
        origins = self.way_out.origins or ()
        return f"{sender}@{next(iter(origins))}" if len(origins) == 1 and is_bare(sender) else sender


_group = ByIdentity(domains.Group)


def _read(load: Callable[[Named], Read], named: Named, problems: list[Problem]) -> Read | None:
    """What the configuration names; None where it has mistakes, which go to the others."""
    try:
        return load(named)
    except ConfigError as error:
        problems += error.problems
        return None


def _resolver(settings: Config) -> Resolver:
    return Resolver(settings.verify.nameservers, settings.verify.port, settings.verify.deadline)
