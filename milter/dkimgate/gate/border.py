"""A message's way through a border listener: forged fields are taken off, the message is checked, and the result is
stated.

The border signs nothing and refuses nothing. What it states, an Authentication-Results field in our name (RFC 8601) and
a passport, is for the gate that sees the message again on its way out.
"""

from __future__ import annotations

from dkimgate.authres import methods
from dkimgate.dkim.canonical import BodyForms
from dkimgate.dkim.content import asks_simple
from dkimgate.dkim.sent_body import SentBody
from dkimgate.evidence import our_signatures, spam
from dkimgate.evidence.gather import Seen, facts_of
from dkimgate.facts import Assessment, Claim, Decision, Standing
from dkimgate.gate.budget import AGAIN
from dkimgate.gate.engine import Engine
from dkimgate.gate.envelope_spf import UNALIGNED
from dkimgate.gate.header_changes import removable
from dkimgate.gate.results_field import results_field
from dkimgate.gate.stripping import strip
from dkimgate.gate.way import Opened, Written
from dkimgate.message.message import Message
from dkimgate.passport.field import FIELD_NAME
from dkimgate.passport.issue import issue
from dkimgate.policy import departure
from dkimgate.record.recordable import recordable

_BAD = methods.hurting("dmarc")

RULE = "border"
"""What the record of a border names in the place of a rule."""


class Border:
    """A message that comes in by a border listener."""

    writes = "stating the results"

    def __init__(self, engine: Engine, message: Message) -> None:
        self._engine = engine
        self._message = message
        self._forged: tuple[int, ...] | None = None  # None: nobody knows

    def view(self, seen: Seen) -> Seen:
        """As it arrived."""
        return seen

    def open(self, seen: Seen, now: float) -> Opened:
        """Find what is forged. Of what a stranger sends, the body is needed for the checks and for the passport."""
        self._forged = () if self._is_host_of_ours() else strip(self._message.header, self._engine.config.trust.names)
        if not self._is_strangers():
            return Opened(None, self._gathered(seen, None, now))
        return Opened(SentBody(simple=self._checks and asks_simple(seen.message.header)), None)

    def conclude(self, seen: Seen, body: SentBody, now: float) -> Assessment:
        """Check the message."""
        return self._gathered(seen, body.forms() if self._checks else None, now)

    def _gathered(self, seen: Seen, body: BodyForms | None, now: float) -> Assessment:
        """The facts. There is no decision to be made: that is for the way out."""
        engine = self._engine
        found = engine.check(seen, body, engine.resolver.lookup(), now) if body is not None else ()
        facts = recordable(facts_of(seen, engine.config, (), (False, UNALIGNED), found, now=now))
        return Assessment(facts, Decision(RULE), departure.predict(facts, False))

    @property
    def _checks(self) -> bool:
        return self._engine.config.verify.when != "never"

    def _is_strangers(self) -> bool:
        """Not from a host of ours, which may have stated results itself, and not from a user of ours, who is nobody's
        business here."""
        connection = self._message.connection
        return connection.auth is None and not self._engine.config.trust.is_client(connection.ip)

    def _is_host_of_ours(self) -> bool:
        return self._message.connection.auth is None and not self._is_strangers()

    def hindrance(self, seen: Seen | None) -> str | None:
        """Why forged fields may be left in the header. Then the message waits: somebody would believe the rest."""
        if self._forged is None:
            return "the header could not be searched for forged fields"
        problem = self._message.problem
        if seen is not None and problem not in (None, AGAIN) and not self._is_host_of_ours():
            return problem  # of the header, which is not whole then
        if removable(self._forged) < len(self._forged):
            return f"{len(self._forged)} forged fields, too many for the MTA to find"
        return None

    def write(self, seen: Seen, assessment: Assessment, body: SentBody | None, now: float) -> Written:
        """State the results of what a stranger sent. What can't be stated is unknown on the way out."""
        return Written(self._statements(seen, assessment, body.digest(), now)) if body is not None else Written()

    def _statements(
        self, seen: Seen, assessment: Assessment, body_hash: bytes, now: float
    ) -> tuple[tuple[str, bytes], ...]:
        engine, facts = self._engine, assessment.facts
        claims = facts.claims
        checked = any(
            claim.method == "dmarc" and claim.standing is Standing.VERIFIED and claim.result in _BAD for claim in claims
        )
        if facts.arrival.dmarc in _BAD and not checked:
            # it may rest on a field in our name that is taken off, such as that of an earlier visit: what hurts is
            # believed from anyone
            claims += (Claim("dmarc", facts.arrival.dmarc, None, "", Standing.VERIFIED, "as it arrived"),)
        host = engine.config.trust.authserv_names[0]
        made = [("Authentication-Results", results_field(host, claims))]
        if engine.secrets is not None and self._message.problem is None:
            verdicts = [verdict.spam for verdict in seen.verdicts]
            worst = spam.worst(verdicts) if verdicts else None
            marked = our_signatures.marked(claims, engine.ring.by_name)
            made.append((FIELD_NAME, issue(marked, worst, self._message, body_hash, engine.secrets, now, host)))
        return tuple(made)

    def removed(self) -> tuple[int, ...]:
        """What is forged."""
        return self._forged or ()
