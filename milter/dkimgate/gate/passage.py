"""A message's way through the engine, from its header to its record.

Nothing here raises for the sake of a message: what goes wrong is written into its record, and it leaves unsigned.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dkimgate.dkim.canonical import BodyForms
from dkimgate.dkim.keys import SigningKey
from dkimgate.dkim.sent_body import SentBody
from dkimgate.dkim.sign import sign
from dkimgate.evidence import spam
from dkimgate.evidence.gather import Seen, see
from dkimgate.facts import Assessment, Disposition
from dkimgate.gate import sealer
from dkimgate.gate.budget import AGAIN, DEFERRED, MOST_SECONDS
from dkimgate.gate.engine import Engine, Questions
from dkimgate.gate.header_changes import MOST_REMOVED, leaving
from dkimgate.log import Level, describe, log
from dkimgate.message.author import kind_of_problem
from dkimgate.message.message import HeaderField, Message
from dkimgate.passport.field import KEY as PASSPORT
from dkimgate.policy import departure, texts
from dkimgate.record import record
from dkimgate.record.journal import JournalError

cpu_seconds = time.thread_time
"""CPU of this thread, in seconds; tests replace it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the MTA is to do. `fields` (name, value) go to the top of the header, the first of them topmost; `text` goes with a refusal;
    `remove` are the positions, from the top, of fields that leave the header, `changed` those of fields that get another value; `sender`
    is the new envelope sender, None where it stays."""

    disposition: Disposition
    text: str | None = None
    fields: tuple[tuple[str, bytes], ...] = ()
    remove: tuple[int, ...] = ()
    sender: str | None = None
    changed: tuple[tuple[int, bytes], ...] = ()


class Passage:
    """One message's way through the gate. Ends with exactly one of `end` and `abort`, and with it exactly one record."""

    _questions: Questions  # set where it begins

    def __init__(self, engine: Engine, message: Message) -> None:
        self._engine = engine
        self._again = engine.costly.knows(message, engine.now())
        self._message = message = replace(message, problem=message.problem or AGAIN) if self._again else message
        self._cpu = 0.0
        self._spent = 0.0
        self._error: str | None = None
        self._assessment: Assessment | None = None
        self._keys: list[SigningKey] = []
        self._body: SentBody | None = None
        self._checks = False  # our own checks want the body
        self._waits = False  # the body decides something: the decision comes at its end
        self._seen: Seen | None = None
        started, cpu = time.perf_counter(), cpu_seconds()
        try:
            self._seen = see(message, engine.config, engine.way_out.addresses)
            self._tell_unread(self._seen)
            self._tell_no_author(self._seen)
            self._begin(self._seen)
        except Exception as error:  # noqa: BLE001 - law 4: whatever it was, the message leaves unsigned and the next one comes
            self._fail("judging", error)
        self._cpu += cpu_seconds() - cpu
        self._spent += time.perf_counter() - started

    def _tell_unread(self, seen: Seen) -> None:
        """A verdict that nobody here can read counts as ham: that must not happen in silence."""
        for name, text in spam.unread(seen.message.header, seen.verdicts):
            if self._engine.unread.is_due(name, self._engine.now()):
                log(f"{self._message.queue_id}: {name} says {text!a}, which is read as no spam: if it is spam, describe it in spam_fields")

    def _tell_no_author(self, seen: Seen) -> None:
        """Mail of our own that can't be signed for its From: told once a day for each kind of From."""
        problem = seen.author.problem
        if problem is None or seen.route.outside:
            return
        kind = f"author: {kind_of_problem(problem)}"
        if self._engine.unread.is_due(kind, self._engine.now()):
            log(f"{self._message.queue_id}: our own mail ({seen.route.origin}) is not signed: {problem} (told once a day)")

    def _begin(self, seen: Seen) -> None:
        self._questions = questions = self._engine.questions(seen)
        self._checks = questions.checks
        self._waits = questions.checks or questions.compares
        if not self._waits:
            self._conclude(seen, None, None)
        may_seal = self._waits or sealer.wanted(self._assessment)
        compared = questions.checks or (questions.chain and may_seal)
        hashed = self._waits or bool(self._keys) or may_seal
        if hashed or (self._assessment is not None and self._engine.has_signature(self._assessment)):
            self._body = self._engine.body_of(self._message, hashed, compared)

    def _conclude(self, seen: Seen, body: BodyForms | None, body_hash: bytes | None, sent_hash: bytes | None = None) -> None:
        """Come to the decision, and find the keys for it."""
        assessment = self._engine.conclude(seen, self._questions, body, body_hash, sent_hash=sent_hash)
        self._assessment = assessment
        self._keys = [key for key in self._engine.keys if key.domain == assessment.signer]
        if assessment.overruled is not None and assessment.decision.mode != "observe":
            queue_id, rule = self._message.queue_id, assessment.decision.rule
            log(f"{queue_id}: the guard overruled rule {rule!r}: {assessment.overruled}", Level.ERROR)

    def _conclude_late(self) -> None:
        if self._seen is None or self._body is None or self._error is not None:
            return
        try:
            self._conclude(self._seen, self._body.forms() if self._checks else None, self._body.digest(), self._body.sent_digest())
        except Exception as error:  # noqa: BLE001 - law 4
            self._fail("judging", error)

    def _see_sent(self) -> None:
        """What of the body breaks signatures is known only now."""
        if self._assessment is None or self._body is None or self._error is not None:
            return
        try:
            self._assessment = self._engine.sent(self._assessment, self._body)
        except Exception as error:  # noqa: BLE001 - law 4
            self._fail("foretelling", error)

    @property
    def wants_body(self) -> bool:
        """The body is needed only where it may have to be signed, sealed or checked, or may break a signature on the wire."""
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
        started, cpu = time.perf_counter(), cpu_seconds()
        if self._waits:
            self._conclude_late()
        self._see_sent()
        self._cpu += cpu_seconds() - cpu
        if self._cpu > MOST_SECONDS and not self._again and self._engine.policy.mode != "observe":
            return self._too_costly()
        fields = self._fields()
        signed = bool(fields)
        fields = (*self._set(fields), *fields)
        self._spent += time.perf_counter() - started
        if not self._record(tuple(self._keys) if signed else ()):
            if self._engine.config.journal.on_failure == "defer":
                return Outcome(Disposition.DEFER, "the decision can't be recorded, try again later")
            fields = ()  # nothing is signed without a trace
        try:
            return self._outcome(fields)
        except Exception as error:  # noqa: BLE001 - law 4: the record is written, and what it promised can't be done
            log(f"{self._message.queue_id}: telling the MTA: {describe(error)}; the message waits", Level.ERROR)
            return Outcome(Disposition.DEFER, "this message can't be judged, try again later")

    def _too_costly(self) -> Outcome:
        """It waits once, and the others go first."""
        self._error = DEFERRED
        self._engine.costly.remember(self._message, self._engine.now())
        log(f"{self._message.queue_id}: {DEFERRED} ({self._cpu:.1f} s)", Level.WARNING)
        self._record(())
        return Outcome(Disposition.DEFER, "this message takes too long to judge, try again later")

    def _outcome(self, fields: tuple[tuple[str, bytes], ...]) -> Outcome:
        remove = self._to_remove()
        if self._assessment is None:
            return self._unjudged(remove)
        facts, decision, changes = self._assessment.facts, self._assessment.decision, self._assessment.changes
        if decision.mode == "observe":
            return Outcome(Disposition.ACCEPT, None, fields, remove)
        text = texts.fill(decision.text, facts, decision) if decision.text is not None else None
        if decision.disposition is Disposition.HOLD:
            # Postfix shows no reason for what it holds
            log(f"{self._message.queue_id}: held by rule {decision.rule!r}: {text or self._assessment.overruled or 'no text'}")
        remove = tuple(sorted({*remove, *changes.removed}))
        return Outcome(decision.disposition, text, fields + changes.fields, remove, self._assessment.sender, changes.changed)

    def _unjudged(self, remove: tuple[int, ...]) -> Outcome:
        """Nobody knows what it is: it leaves unsigned, with an envelope that gives no forgery a pass by SPF, or waits."""
        author = self._seen.domain if self._seen is not None else None
        if self._engine.policy.mode == "observe" or not self._engine.may_pass_spf(self._message, author):
            return Outcome(Disposition.ACCEPT, None, (), remove)
        sender = self._engine.unaligned_sender(self._message.envelope.sender, author, self._engine.now())
        if sender is not None:
            return Outcome(Disposition.ACCEPT, None, (), remove, sender)
        return Outcome(Disposition.DEFER, "this message can't be judged, try again later")

    def _to_remove(self) -> tuple[int, ...]:
        """A passport is for hosts of ours: no outsider sees one. Ours stand topmost; a sender's thousands are not worth the MTA's time."""
        return tuple(at for at, field in enumerate(self._message.header) if field.key == PASSPORT)[:MOST_REMOVED]

    def abort(self, reason: str) -> None:
        """The MTA gave the message up, or the connection broke. Never raises."""
        self._error = self._error or f"aborted: {reason}"
        self._record(())

    def _fields(self) -> tuple[tuple[str, bytes], ...]:
        """The fields to add: the signatures. None once something went wrong."""
        if self._body is None or not self._keys or self._error is not None:
            return ()
        try:
            digest = self._body.sent_digest()
            now, days = int(self._engine.now()), self._engine.config.signature.expire_days
            header = self._leaving()
            values = [sign(header, digest, key, now, days) for key in self._keys]
        except Exception as error:  # noqa: BLE001 - law 4
            self._fail("signing", error)
            return ()
        return tuple(("DKIM-Signature", value) for value in values)

    def _leaving(self) -> Sequence[HeaderField]:
        """The header as it leaves, without our signatures."""
        return leaving(self._message.header, self._assessment.changes) if self._assessment is not None else self._message.header

    def _set(self, signatures: tuple[tuple[str, bytes], ...]) -> tuple[tuple[str, bytes], ...]:
        """The fields of an ARC set, over the message with our signatures on it; without one, the record says why."""
        if self._assessment is None or not sealer.wanted(self._assessment):
            return ()
        made: tuple[tuple[str, bytes], ...] | str
        if self._error is not None or self._body is None:
            made = self._error or "the body was not read"
        else:
            try:
                header = (*(HeaderField(name.encode("ascii"), value) for name, value in signatures), *self._leaving())
                made = self._engine.seal(self._message, self._assessment, header, self._body.forms(), self._body.sent_digest())
            except Exception as error:  # noqa: BLE001 - law 4: a message without a set is none the worse
                made = f"sealing: {describe(error)}"
                log(f"{self._message.queue_id}: {made}; the message leaves without an ARC set", Level.ERROR)
        if isinstance(made, str):
            self._assessment = replace(self._assessment, unsealed=made)
            return ()
        self._assessment = replace(self._assessment, sealed=True)
        return made

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
            try:
                line = self._line(())
            except Exception as again:  # noqa: BLE001 - nothing of this message can be told
                self._fail("recording", again)
                return False
        try:
            self._engine.journal.write(line)
        except JournalError:
            return False
        return True

    def _line(self, signatures: tuple[SigningKey, ...]) -> bytes:
        if self._error is not None and self._assessment is not None:
            unaligned = self._assessment.sender is not None
            self._assessment = replace(self._assessment, departure=departure.predict(self._assessment.facts, False, unaligned))
        made = record.make(
            self._message,
            self._assessment,
            signatures=signatures,
            time=self._engine.now(),
            ms=self._spent * 1000,
            policy_hash=f"sha256:{self._engine.policy.digest}",
            error=self._error,
        )
        return record.to_line(made)
