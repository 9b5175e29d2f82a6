"""The gate: everything that was loaded, and a message's way through it from evidence to record.

Nothing here raises for the sake of a message: what goes wrong is written into its record, and it leaves unsigned.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from dkimgate import config, departure, domains, record
from dkimgate.config import Config
from dkimgate.evidence.gather import facts_of
from dkimgate.facts import Assessment, Decision, Disposition, Facts, Sign
from dkimgate.journal.writer import Journal, JournalError
from dkimgate.log import Level, describe, log
from dkimgate.message import Message
from dkimgate.policy import guard, loader
from dkimgate.policy.decide import decide
from dkimgate.policy.model import Policy
from dkimgate.resolver import Resolver
from dkimgate.signing.canonical import BodyHash
from dkimgate.signing.keys import SigningKey, load_keys
from dkimgate.signing.signature import sign
from dkimgate.spf_check import outgoing_spf
from dkimgate.yamlfile import ConfigError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the MTA is to do. `fields` (name, value) go to the top of the header, the first of them topmost; `text` goes with a refusal."""

    disposition: Disposition
    text: str | None = None
    fields: tuple[tuple[str, bytes], ...] = ()


class Gate:
    """Configuration, policy, keys and journal, loaded and consistent. One a process; messages may pass in many threads at once."""

    def __init__(self, settings: Config, policy: Policy, keys: list[SigningKey], warnings: tuple[str, ...]) -> None:
        self.config = settings
        self.policy = policy
        self.keys = keys
        self.warnings = warnings
        self.journal = Journal(settings.journal.file)
        self.resolver = Resolver(settings.verify.nameservers, settings.verify.port, settings.verify.deadline)
        self.now: Callable[[], float] = time.time
        self._key_domains = frozenset(key.domain for key in keys)

    @classmethod
    def load(cls, file: Path) -> Gate:
        """Load a configuration file and all that it names. Raises ConfigError with every mistake found."""
        settings = config.load(file)
        problems: list[str] = []
        policy: Policy | None = None
        keys: list[SigningKey] = []
        warnings: list[str] = []
        try:
            policy = loader.load(settings.policy)
        except ConfigError as error:
            problems += error.problems
        try:
            keys, warnings = load_keys(settings.keys)
        except ConfigError as error:
            problems += error.problems
        if policy is not None and policy.uses_forwarder:
            problems += _forwarder_problems(file, settings)
        if problems or policy is None:
            raise ConfigError(*problems)
        if policy.mode == "observe":
            warnings.append(
                "mode: observe: everything hosted is SIGNED as if there were no gate; only the records tell what enforce would do"
            )
        domains.load()  # before a daemon forks: its workers share the memory
        return cls(settings, policy, keys, tuple(warnings))

    def assess(self, message: Message, now: float | None = None) -> Assessment:
        """Facts, decision and departure of a message: the one way to them, for the daemon and for `explain`. `now`: as if it were that
        time, in seconds since the epoch."""
        now = self.now() if now is None else now
        gathered = facts_of(
            message, self.config, self._key_domains, lambda author, hosted: self._outgoing_spf(message, author, hosted), now
        )
        facts = record.recordable(gathered)  # what is decided on is what the record tells, to the letter
        decision = decide(facts, self.policy)
        overruled = guard.refuses(facts, decision)
        if overruled is not None:
            decision = replace(decision, sign=Sign.NONE)
        signer = self._signer(facts, decision)
        signed_as_author = signer is not None and signer == facts.hosted
        return Assessment(facts, decision, departure.predict(facts, signed_as_author), signer, overruled)

    def _signer(self, facts: Facts, decision: Decision) -> str | None:
        if self.policy.mode == "observe":
            return facts.hosted
        if decision.sign is Sign.AUTHOR:
            return facts.hosted
        if decision.sign is Sign.FORWARDER and self.config.forwarder is not None and not facts.forwarder_aligns:
            return self.config.forwarder.domain
        return None

    def _outgoing_spf(self, message: Message, author: str | None, hosted: bool) -> tuple[bool, str]:
        outgoing = self.config.departure
        sender = message.envelope.sender
        envelope = sender.rpartition("@")[2] if sender else outgoing.helo or ""
        hosted = hosted or any(domains.covering(name, self._key_domains) for name in domains.readings(envelope))
        return outgoing_spf(sender, outgoing.helo, outgoing.addresses, author, hosted, self.resolver.lookup())

    def judge(self, message: Message) -> Passage:
        """Take a message whose header is complete. Never raises."""
        return Passage(self, message)


class Passage:
    """One message's way through the gate. Ends with exactly one of `end` and `abort`, and with it exactly one record."""

    def __init__(self, gate: Gate, message: Message) -> None:
        self._gate = gate
        self._message = message
        self._spent = 0.0
        self._error: str | None = None
        self._assessment: Assessment | None = None
        started = time.perf_counter()
        try:
            self._assessment = gate.assess(message)
        except Exception as error:  # noqa: BLE001 - law 4: whatever it was, the message leaves unsigned and the next one comes
            self._fail("judging", error)
        if self._assessment is not None and self._assessment.overruled is not None:
            log(
                f"{message.queue_id}: the guard overruled rule {self._assessment.decision.rule!r}: {self._assessment.overruled}",
                Level.ERROR,
            )
        self._keys = self._signing_keys()
        self._body = BodyHash() if self._keys else None
        self._spent += time.perf_counter() - started

    @property
    def wants_body(self) -> bool:
        """The body decides nothing: it is needed only where a signature is to be made."""
        return self._body is not None

    def body(self, chunk: bytes) -> None:
        """The next part of the body, with CRLF line ends. Never raises."""
        if self._body is None:
            return
        started = time.perf_counter()
        try:
            self._body.update(chunk)
        except Exception as error:  # noqa: BLE001 - law 4
            self._fail("reading the body", error)
            self._body = None
        self._spent += time.perf_counter() - started

    def end(self) -> Outcome:
        """Sign, write the record, and tell the MTA what to do. Never raises."""
        started = time.perf_counter()
        fields = self._sign()
        self._spent += time.perf_counter() - started
        signatures = tuple(self._keys) if fields else ()
        if not self._record(signatures):
            if self._gate.config.journal.on_failure == "defer":
                return Outcome(Disposition.DEFER, "the decision can't be recorded, try again later")
            fields = ()  # nothing is signed without a trace
        decision = self._decision()
        if decision is None:
            return Outcome(Disposition.ACCEPT)
        if decision.mode == "observe":
            return Outcome(Disposition.ACCEPT, None, fields)
        return Outcome(decision.disposition, decision.text, fields)

    def abort(self, reason: str) -> None:
        """The MTA gave the message up, or the connection broke. Never raises."""
        self._error = self._error or f"aborted: {reason}"
        self._record(())

    def _decision(self) -> Decision | None:
        return self._assessment.decision if self._assessment is not None else None

    def _signing_keys(self) -> list[SigningKey]:
        if self._assessment is None or self._assessment.signer is None:
            return []
        return [key for key in self._gate.keys if key.domain == self._assessment.signer]

    def _sign(self) -> tuple[tuple[str, bytes], ...]:
        if self._body is None:
            return ()
        try:
            digest = self._body.digest()
            now, days = int(self._gate.now()), self._gate.config.signature.expire_days
            values = [sign(self._message.header, digest, key, now, days) for key in self._keys]
        except Exception as error:  # noqa: BLE001 - law 4
            self._fail("signing", error)
            return ()
        return tuple(("DKIM-Signature", value) for value in values)

    def _fail(self, doing: str, error: Exception) -> None:
        self._error = f"{doing}: {describe(error)}"
        log(f"{self._message.queue_id}: {self._error}; the message leaves unsigned", Level.ERROR)

    def _record(self, signatures: tuple[SigningKey, ...]) -> bool:
        """Hand the record to the operating system. False: it could not be, and the journal has told the operator."""
        try:
            line = self._line(signatures)
        except Exception as error:  # noqa: BLE001 - law 4; law 5 wants a record all the same, of what is left
            self._fail("recording", error)
            self._assessment = None
            line = self._line(())
        try:
            self._gate.journal.write(line)
        except JournalError:
            return False
        return True

    def _line(self, signatures: tuple[SigningKey, ...]) -> bytes:
        if self._error is not None and self._assessment is not None:
            self._assessment = replace(self._assessment, departure=departure.predict(self._assessment.facts, False))
        made = record.make(
            self._message,
            self._assessment,
            signatures=signatures,
            time=self._gate.now(),
            ms=self._spent * 1000,
            policy_hash=f"sha256:{self._gate.policy.digest}",
            error=self._error,
        )
        return record.to_line(made)


def _forwarder_problems(file: Path, settings: Config) -> list[str]:
    if settings.forwarder is None:
        return [f"{file}: the policy says `sign: forwarder`, so the configuration must say `forwarder: {{domain: ...}}`"]
    domain = settings.forwarder.domain
    own = [key.domain for key in settings.keys]
    if domain not in own:
        return [f"{file}: forwarder.domain {domain} has no key under `keys:`"]
    aligned = sorted({d for d in own if d != domain and domains.may_align(d, domain)})
    if aligned:
        return [f"{file}: forwarder.domain {domain} may align with the hosted domain {aligned[0]}: take a domain that no mailbox uses"]
    return []
