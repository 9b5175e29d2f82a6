"""One message on its way: from its header to its record. The daemon, `explain`, `policy test` and the border all go
through here.

Nothing here raises for the sake of a message: what goes wrong is written into its record, and it leaves unsigned.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from dkimgate.dkim.keys import SigningKey
from dkimgate.dkim.sent_body import SentBody
from dkimgate.evidence import spam
from dkimgate.evidence.gather import Seen, see
from dkimgate.facts import Assessment, Disposition, Outcome
from dkimgate.gate import replies, sealer
from dkimgate.gate.budget import AGAIN, DEFERRED, MOST_SECONDS
from dkimgate.gate.engine import Engine
from dkimgate.gate.way import Fields, Way, Written
from dkimgate.log import Level, describe, log
from dkimgate.message.author import kind_of_problem
from dkimgate.message.message import Message
from dkimgate.policy import departure
from dkimgate.policy.language import texts
from dkimgate.record import record
from dkimgate.record.journal import JournalError

cpu_seconds = time.thread_time
"""CPU of this thread, in seconds; tests replace it."""


class Passage:
    """One message's way through the gate. Ends with exactly one of `end` and `abort`, and with it exactly one record.

    `message` has its whole header. `way` makes its way: out, or in by a border. `rehearsal`: the time, in seconds since
    the epoch, of a passage of which nothing is written, logged or remembered; None for mail. `error`: what went wrong,
    in words.
    """

    def __init__(
        self, engine: Engine, message: Message, way: Callable[[Engine, Message], Way], rehearsal: float | None = None
    ) -> None:
        self._engine = engine
        self._rehearsal = rehearsal
        self._again = rehearsal is None and engine.costly.knows(message, engine.now())
        self._message = message = replace(message, problem=message.problem or AGAIN) if self._again else message
        self._way = way(engine, message)
        self._cpu = 0.0
        self._spent = 0.0
        self.error: str | None = None
        self._body: SentBody | None = None
        self._seen: Seen | None = None
        self.assessment: Assessment | None = None
        self.recorded: record.Record | None = None
        started, cpu = time.perf_counter(), cpu_seconds()
        try:
            self._open()
        except Exception as error:  # noqa: BLE001 - law 4: whatever it was, the message leaves unsigned and the next one comes
            self._fail("judging", error)
        self._cpu += cpu_seconds() - cpu
        self._spent += time.perf_counter() - started

    def _open(self) -> None:
        seen = see(self._message, self._engine.config, self._engine.way_out.addresses)
        self._seen = self._way.view(seen)
        self._tell_unread(self._seen)
        self._tell_no_author(self._seen)
        opened = self._way.open(self._seen, self._now())
        self._body = opened.body
        if opened.assessment is not None:
            self._decided(opened.assessment)

    def _now(self) -> float:
        return self._engine.now() if self._rehearsal is None else self._rehearsal

    def _tell(self, text: str, level: Level = Level.INFO) -> None:
        if self._rehearsal is None:
            log(f"{self._message.queue_id}: {text}", level)

    def _tell_unread(self, seen: Seen) -> None:
        """A verdict that nobody here can read counts as ham: that must not happen in silence."""
        for name, text in spam.unread(seen.message.header, seen.verdicts):
            if self._is_due(name):
                self._tell(f"{name} says {text!a}, which is read as no spam: if it is spam, describe it in spam_fields")

    def _tell_no_author(self, seen: Seen) -> None:
        """Mail of our own that can't be signed for its From: told once a day for each kind of From."""
        problem = seen.author.problem
        if problem is not None and not seen.route.outside and self._is_due(f"author: {kind_of_problem(problem)}"):
            self._tell(f"our own mail ({seen.route.origin}) is not signed: {problem} (told once a day)")

    def _is_due(self, what: str) -> bool:
        return self._rehearsal is None and self._engine.unread.is_due(what, self._now())

    def _decided(self, assessment: Assessment) -> None:
        self.assessment = assessment
        if assessment.overruled is not None and assessment.decision.mode != "observe":
            self._tell(f"the guard overruled rule {assessment.decision.rule!r}: {assessment.overruled}", Level.ERROR)

    @property
    def wants_body(self) -> bool:
        """The body is needed only where it may have to be signed, sealed or checked, or may break a signature on the
        wire."""
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
        """Decide, sign, write the record, and tell the MTA what to do. Never raises."""
        started, cpu = time.perf_counter(), cpu_seconds()
        self._conclude()
        self._cpu += cpu_seconds() - cpu
        if self._is_too_costly():
            return self._waits_once()
        hindrance = self._way.hindrance(self._seen)
        if hindrance is not None:
            self.error = self.error or f"deferred: {hindrance}"
        fields, keys = self._written()
        self._spent += time.perf_counter() - started
        if not self._record(keys):
            if self._engine.config.journal.on_failure == "defer":
                return Outcome(Disposition.DEFER, replies.NOT_RECORDED)
            fields = ()  # nothing is signed without a trace
        if hindrance is not None:
            return Outcome(Disposition.DEFER, replies.NOT_CHECKED)
        try:
            return self._outcome(fields)
        except Exception as error:  # noqa: BLE001 - law 4: the record is written, and what it promised can't be done
            self._tell(f"telling the MTA: {describe(error)}; the message waits", Level.ERROR)
            return Outcome(Disposition.DEFER, replies.NOT_JUDGED)

    def _conclude(self) -> None:
        """Come to the decision, if it waited for the body, and see what of the body breaks signatures: that is known
        only now."""
        if self._seen is None or self._body is None or self.error is not None:
            return
        try:
            if self.assessment is None:
                self._decided(self._way.conclude(self._seen, self._body, self._now()))
        except Exception as error:  # noqa: BLE001 - law 4
            self._fail("judging", error)
            return
        try:
            if self.assessment is not None:
                self.assessment = self._engine.sent(self.assessment, self._body)
        except Exception as error:  # noqa: BLE001 - law 4
            self._fail("foretelling", error)

    def _is_too_costly(self) -> bool:
        return (
            self._cpu > MOST_SECONDS
            and not self._again
            and self._engine.policy.mode != "observe"
            and self._rehearsal is None
        )

    def _waits_once(self) -> Outcome:
        """The others go first."""
        self.error = DEFERRED
        self._engine.costly.remember(self._message, self._now())
        self._tell(f"{DEFERRED} ({self._cpu:.1f} s)", Level.WARNING)
        self._record(())
        return Outcome(Disposition.DEFER, replies.TOO_COSTLY)

    def _written(self) -> tuple[Fields, tuple[SigningKey, ...]]:
        """The fields that the message gets, and the keys that signed it. None once something went wrong."""
        if self._seen is None or self.assessment is None:
            return (), ()
        made = Written()
        if self.error is None:
            try:
                made = self._way.write(self._seen, self.assessment, self._body, self._now())
            except Exception as error:  # noqa: BLE001 - law 4
                self._fail(self._way.writes, error)
        if self.error is not None:
            made = Written(unsealed=self.error if sealer.wanted(self.assessment) else None)
        if made.trouble is not None:
            self._tell(made.trouble, Level.ERROR)
        if made.sealed or made.unsealed is not None:
            self.assessment = replace(self.assessment, sealed=made.sealed, unsealed=made.unsealed)
        return made.fields, made.keys

    def _outcome(self, fields: Fields) -> Outcome:
        remove = self._way.removed()
        if self.assessment is None:
            return self._unjudged(remove)
        facts, decision, changes = self.assessment.facts, self.assessment.decision, self.assessment.changes
        if decision.mode == "observe":
            return Outcome(Disposition.ACCEPT, None, fields, remove)
        text = texts.fill(decision.text, facts, decision) if decision.text is not None else None
        if decision.disposition is Disposition.HOLD:
            # Postfix shows no reason for what it holds
            self._tell(f"held by rule {decision.rule!r}: {text or self.assessment.overruled or 'no text'}")
        remove = tuple(sorted({*remove, *changes.removed}))
        return Outcome(
            decision.disposition, text, fields + changes.fields, remove, self.assessment.sender, changes.changed
        )

    def _unjudged(self, remove: tuple[int, ...]) -> Outcome:
        """Nobody knows what it is: it leaves unsigned, with an envelope that gives no forgery a pass by SPF, or
        waits."""
        author = self._seen.domain if self._seen is not None else None
        if self._engine.policy.mode == "observe" or not self._engine.may_pass_spf(self._message, author):
            return Outcome(Disposition.ACCEPT, None, (), remove)
        sender = self._engine.unaligned_sender(self._message.envelope.sender, author, self._now())
        if sender is not None:
            return Outcome(Disposition.ACCEPT, None, (), remove, sender)
        return Outcome(Disposition.DEFER, replies.NOT_JUDGED)

    def abort(self, reason: str) -> None:
        """The MTA gave the message up, or the connection broke. Never raises."""
        self.error = self.error or f"aborted: {reason}"
        self._record(())

    def _fail(self, doing: str, error: Exception) -> None:
        self.error = f"{doing}: {describe(error)}"
        self._tell(f"{self.error}; the message leaves unsigned", Level.ERROR)

    def _record(self, signatures: tuple[SigningKey, ...]) -> bool:
        """Hand the record to the operating system. False: it could not be, and the journal has told the operator."""
        try:
            line = self._line(signatures)
        except Exception as error:  # noqa: BLE001 - law 4; law 5 wants a record all the same, of what is left
            self._fail("recording", error)
            self.assessment = None
            try:
                line = self._line(())
            except Exception as again:  # noqa: BLE001 - nothing of this message can be told
                self._fail("recording", again)
                return False
        if self._rehearsal is not None:
            return True
        try:
            self._engine.journal.write(line)
        except JournalError:
            return False
        return True

    def _line(self, signatures: tuple[SigningKey, ...]) -> bytes:
        if self.error is not None and self.assessment is not None:
            unaligned = self.assessment.sender is not None
            self.assessment = replace(
                self.assessment, departure=departure.predict(self.assessment.facts, False, unaligned)
            )
        made = self.recorded = record.make(
            self._message,
            self.assessment,
            signatures=signatures,
            time=self._engine.now(),
            ms=self._spent * 1000,
            policy_hash=f"sha256:{self._engine.policy.digest}",
            error=self.error,
        )
        return record.to_line(made)
