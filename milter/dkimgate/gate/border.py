"""A message's way through a border listener: forged fields are taken off, the message is checked, and the result is stated.

The border signs nothing and refuses nothing. What it states, an Authentication-Results field in our name (RFC 8601) and a passport, is for
the gate that sees the message again on its way out.
"""

from __future__ import annotations

from dkimgate.dkim.canonical import BodyForms
from dkimgate.dkim.content import asks_simple
from dkimgate.dkim.sent_body import SentBody
from dkimgate.evidence import spam
from dkimgate.evidence.gather import Seen, facts_of
from dkimgate.facts import Assessment, Claim, Decision, Disposition, Standing
from dkimgate.gate.budget import AGAIN
from dkimgate.gate.header_changes import MOST_REMOVED
from dkimgate.gate.own_field import results_field
from dkimgate.gate.passage import Outcome, Passage
from dkimgate.gate.stripping import strip
from dkimgate.passport.field import FIELD_NAME
from dkimgate.passport.issue import issue
from dkimgate.policy import departure
from dkimgate.record import record

_BAD = ("fail", "permerror", "temperror")

RULE = "border"
"""What the record of a border names in the place of a rule."""


class BorderPassage(Passage):
    """One message that comes in by a border listener."""

    _forged: tuple[int, ...] | None = None  # None: nobody knows

    def _begin(self, seen: Seen) -> None:
        self._forged = self._find_forged(seen)
        self._waits = self._stranger(seen)
        self._checks = self._waits and self._engine.config.verify.when != "never"
        self._body = SentBody(simple=self._checks and asks_simple(seen.message.header)) if self._waits else None
        if not self._waits:
            self._conclude(seen, None, None)

    def _stranger(self, seen: Seen) -> bool:
        """Not a host of ours, which may have stated results itself, and not a user of ours, who is nobody's business here."""
        connection = seen.message.connection
        return connection.auth is None and not self._engine.config.trust.is_client(connection.ip)

    def _conclude(self, seen: Seen, body: BodyForms | None, body_hash: bytes | None, sent_hash: bytes | None = None) -> None:
        """Gather the facts. There is no decision to be made: that is for the way out."""
        engine = self._engine
        now = engine.now()
        own = engine.check(seen, body, engine.resolver.lookup(), now) if body is not None else ()
        facts = record.recordable(facts_of(seen, engine.config, (), lambda author: (False, "unaligned"), own, now=now))
        self._assessment = Assessment(facts, Decision(RULE), departure.predict(facts, False))

    def end(self) -> Outcome:
        """State the results and take off what is forged. A message that can't be freed of it waits: somebody would believe the rest."""
        outcome = super().end()
        if self._hindrance() is not None:
            return Outcome(Disposition.DEFER, "this message can't be checked, try again later")
        return outcome

    def _hindrance(self) -> str | None:
        """Why forged fields may be left in the header, or None."""
        if self._forged is None:
            return "the header could not be searched for forged fields"
        problem = self._message.problem
        if self._seen is not None and problem not in (None, AGAIN) and not self._is_host_of_ours(self._seen):
            return problem  # of the header, which is not whole then
        if len(self._forged) > MOST_REMOVED:
            return f"more than {MOST_REMOVED} forged fields"
        return None

    def _fields(self) -> tuple[tuple[str, bytes], ...]:
        hindrance = self._hindrance()
        if hindrance is not None:
            self._error = self._error or f"deferred: {hindrance}"
        if hindrance is not None or not self._waits or self._assessment is None or self._body is None:
            return ()
        try:
            return self._statements(self._assessment, self._body.digest())
        except Exception as error:  # noqa: BLE001 - law 4: what can't be stated is unknown on the way out
            self._fail("stating the results", error)
            return ()

    def _statements(self, assessment: Assessment, body_hash: bytes) -> tuple[tuple[str, bytes], ...]:
        engine, facts = self._engine, assessment.facts
        claims = facts.claims
        checked = any(claim.method == "dmarc" and claim.standing is Standing.VERIFIED and claim.result in _BAD for claim in claims)
        if facts.arrival.dmarc in _BAD and not checked:
            # it may rest on a field in our name that is taken off, such as that of an earlier visit: what hurts is believed from anyone
            claims += (Claim("dmarc", facts.arrival.dmarc, None, "", Standing.VERIFIED, "as it arrived"),)
        host = engine.config.trust.authserv_names[0]
        made = [("Authentication-Results", results_field(host, claims))]
        if engine.secrets is not None and self._message.problem is None:
            verdicts = [verdict.spam for verdict in self._seen.verdicts] if self._seen is not None else []
            worst = spam.worst(verdicts) if verdicts else None
            made.append((FIELD_NAME, issue(claims, worst, self._message, body_hash, engine.secrets, engine.now(), host)))
        return tuple(made)

    def _to_remove(self) -> tuple[int, ...]:
        return self._forged or ()

    def _find_forged(self, seen: Seen) -> tuple[int, ...]:
        trust = self._engine.config.trust
        return () if self._is_host_of_ours(seen) else strip(self._message.header, trust.names)

    def _is_host_of_ours(self, seen: Seen) -> bool:
        return seen.message.connection.auth is None and not self._stranger(seen)
