"""One record beside what the gate would do under another policy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from dkimgate.facts import Disposition, EnvelopeAction, Facts, Sign
from dkimgate.gate.border import RULE as BORDER
from dkimgate.policy import verdict
from dkimgate.policy.decide import withheld
from dkimgate.policy.describe.explain import why_not
from dkimgate.policy.language.model import Policy
from dkimgate.policy.laundering import broken
from dkimgate.policy.verdict import Verdict
from dkimgate.record.record import Json, Record, RecordError, facts_of, read


class Skipped(Enum):
    """Why a record can't be decided again."""

    BORDER = "of a border listener, which decides nothing"
    ERROR = "of messages that something went wrong with, or that were given up"
    UNREADABLE = "of another version, or with values missing"


class Kind(Enum):
    """What changes for a message, what matters most first. `value` is its name in JSON, `words` are for people."""

    SIGNED = "newly_signed"
    UNSIGNED = "newly_unsigned"
    SIGNER = "other_signer"
    REJECTED = "newly_rejected"
    DISCARDED = "newly_discarded"
    DEFERRED = "newly_deferred"
    HELD = "newly_held"
    ACCEPTED = "newly_accepted"
    WORSE = "departure_no_longer_pass"
    BETTER = "departure_newly_pass"
    DEPARTURE = "departure_otherwise"
    ENVELOPE = "envelope"
    SEAL = "seal"
    RULE = "rule_only"

    @property
    def words(self) -> str:
        """The change in words."""
        return _WORDS[self]


_WORDS = {
    Kind.SIGNED: "newly signed",
    Kind.UNSIGNED: "no longer signed",
    Kind.SIGNER: "signed by another domain",
    Kind.REJECTED: "newly rejected",
    Kind.DISCARDED: "newly discarded",
    Kind.DEFERRED: "newly deferred",
    Kind.HELD: "newly held",
    Kind.ACCEPTED: "newly accepted",
    Kind.WORSE: "departure: no longer pass",
    Kind.BETTER: "departure: newly pass",
    Kind.DEPARTURE: "departure: none or fail, the other way round",
    Kind.ENVELOPE: "envelope sender: rewritten, or no longer",
    Kind.SEAL: "sealed, or no longer",
    Kind.RULE: "by another rule, or what only observe mode would do",
}

_DISPOSED = {
    Disposition.REJECT: Kind.REJECTED,
    Disposition.DISCARD: Kind.DISCARDED,
    Disposition.DEFER: Kind.DEFERRED,
    Disposition.HOLD: Kind.HELD,
    Disposition.ACCEPT: Kind.ACCEPTED,
}

_KEEP = EnvelopeAction.KEEP.value


class Action(NamedTuple):
    """What is done with a message. Plain text, as in records."""

    sign: str
    seal: bool
    envelope: str
    disposition: str

    def __str__(self) -> str:
        if not Disposition(self.disposition).is_kept:
            return self.disposition
        parts = [] if self.disposition == Disposition.ACCEPT else [self.disposition]
        parts.append(f"sign {self.sign}" if self.sign != Sign.NONE else "unsigned")
        return ", ".join([*parts, *["seal"] * self.seal, *["unalign"] * (self.envelope == EnvelopeAction.UNALIGN)])


class Side(NamedTuple):
    """A message under one policy: the rule that took it, what that decided, what is done (another thing where the rule
    only observes), and the departure, None where the message does not leave (what is held may, by the hand of somebody
    who looks at it)."""

    rule: str
    decided: Action
    done: Action
    departure: str | None

    def __str__(self) -> str:
        return str(self.done) if self.done == self.decided else f"{self.done} (observe: {self.decided})"


@dataclass(frozen=True, slots=True)
class Compared:
    """One message under both policies. `laundered`: the new one makes it look better than it arrived."""

    record: Record
    facts: Facts
    verdict: Verdict
    old: Side
    new: Side
    laundered: bool

    @property
    def changed(self) -> bool:
        """Anything is not as it was."""
        return self.old != self.new


def compare(told: Json, policy: Policy) -> Compared | Skipped:
    """Decide again what the JSON of a record tells."""
    try:
        record = read(told)
        if record.decision.rule == BORDER:
            return Skipped.BORDER
        if record.error is not None:
            return Skipped.ERROR
        facts = facts_of(record)
        old = _recorded(record, facts)
    except RecordError:
        return Skipped.UNREADABLE
    reached = verdict.reach(facts, policy)
    new = _reached(reached, facts)
    return Compared(record, facts, reached, old, new, _launders(facts, new))


def kinds(old: Side, new: Side) -> list[Kind]:
    """All that changes from the one to the other, what matters most first."""
    was, now = old.done, new.done
    found: list[Kind] = []
    if was.sign != now.sign:
        found.append(Kind.SIGNED if was.sign == Sign.NONE else Kind.UNSIGNED if now.sign == Sign.NONE else Kind.SIGNER)
    if was.disposition != now.disposition:
        found.append(_DISPOSED[Disposition(now.disposition)])
    if old.departure != new.departure and old.departure is not None and new.departure is not None:
        found.append(
            Kind.WORSE if old.departure == "pass" else Kind.BETTER if new.departure == "pass" else Kind.DEPARTURE
        )
    found += [Kind.ENVELOPE] * (was.envelope != now.envelope) + [Kind.SEAL] * (was.seal != now.seal)
    return found or [Kind.RULE] * (old != new)


def why(compared: Compared, policy: Policy) -> str:
    """Why the new policy does something else with this message, in words."""
    facts, reached = compared.facts, compared.verdict
    if reached.overruled is not None:
        return f"the guard overrules {compared.new.rule}: {reached.overruled}"
    rule = policy.rule(compared.new.rule)
    held_back = withheld(rule, facts) if rule is not None else None
    if held_back is not None:
        return f"{compared.new.rule} would sign, but {held_back}"
    if compared.old.rule == compared.new.rule:
        return "the same rule does something else"
    before = policy.rule(compared.old.rule)
    if before is None:
        return f"no rule is called {compared.old.rule} any more"
    reason = why_not(before, facts, reached.decision.risk)
    return (
        f"not {compared.old.rule}: {reason}"
        if reason is not None
        else f"{compared.new.rule} comes before {compared.old.rule}"
    )


def door(compared: Compared) -> str:
    """By which of DMARC's two doors a laundered message comes to look good."""
    return (
        "a signature of ours is aligned"
        if compared.new.done.sign == Sign.AUTHOR
        else "SPF passes for its envelope at the next receiver"
    )


def _recorded(record: Record, facts: Facts) -> Side:
    decision, departure = record.decision, record.departure
    if decision.rule is None or decision.disposition is None or decision.mode is None or departure is None:
        raise RecordError("a record with facts, but without a decision")
    # what could not be sealed was to be, all the same
    seal = decision.seal or decision.unsealed is not None
    decided = Action(decision.sign.value, seal, decision.envelope.value, decision.disposition.value)
    return _side(decision.rule, decided, decision.mode, facts, departure.dmarc)


def _reached(reached: Verdict, facts: Facts) -> Side:
    decision = reached.decision
    decided = Action(decision.sign.value, decision.seal, decision.envelope.value, decision.disposition.value)
    return _side(decision.rule, decided, decision.mode, facts, reached.departure.dmarc)


def _side(rule: str, decided: Action, mode: str, facts: Facts, departure: str) -> Side:
    stays = not Disposition(decided.disposition).is_kept
    if decided.seal and (stays or mode == "observe"):
        decided = decided._replace(seal=False)  # none is made then, and no record tells that one was wanted
    if mode != "observe":
        return Side(rule, decided, decided, departure if Disposition(decided.disposition).leaves else None)
    made = verdict.signature_made(facts, Sign(decided.sign), observed=True)
    return Side(rule, decided, Action(made.value, False, _KEEP, Disposition.ACCEPT.value), departure)


def _launders(facts: Facts, new: Side) -> bool:
    """It leaves, and breaks the first law. What is held may still leave, by the hand of somebody who looks at it."""
    return Disposition(new.done.disposition).leaves and bool(broken(facts, Sign(new.done.sign), new.departure))
