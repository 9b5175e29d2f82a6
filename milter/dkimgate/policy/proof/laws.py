"""The proof that a policy can't launder: for each rule, either no message exists by which it breaks the first law, or
here is one."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from dkimgate.facts import DMARC_RESULTS, Decision, EnvelopeAction, Facts, Sign
from dkimgate.policy import departure
from dkimgate.policy.decide import decide
from dkimgate.policy.language.model import All, Condition, Flag, Hosted, Leaf, Not, Policy, Rule, Word
from dkimgate.policy.laundering import Law, broken
from dkimgate.policy.proof import universe
from dkimgate.policy.proof.budget import TooHardError
from dkimgate.policy.proof.prover import Prover


@dataclass(frozen=True, slots=True)
class Laundering:
    """A rule breaks a law: `decide` says so of the witness."""

    rule: Rule
    law: Law
    witness: Facts


@dataclass(frozen=True, slots=True)
class Unproved:
    """Whether a rule breaks a law could not be found out: `why` names the condition that is too hard."""

    rule: Rule
    law: Law
    why: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proved of a policy. `launders` has at most one message for a rule and law."""

    launders: tuple[Laundering, ...] = ()
    unproved: tuple[Unproved, ...] = ()

    @property
    def safe(self) -> bool:
        """No rule launders, and that is proved."""
        return not self.launders and not self.unproved


_FAILED = Leaf("arrival.dmarc", (Word("fail"),))
_BROKEN: dict[Law, Condition] = {
    Law.SIGNATURE: All(
        (
            universe.OUTSIDE,
            Leaf("arrival.badly", (Flag(True),)),
            Leaf("from", (Hosted(),)),
            Not(Leaf("own_signature", (Flag(True),))),
        )
    ),
    Law.DEPARTURE: All(
        (
            universe.OUTSIDE,
            Leaf("arrival.dmarc", tuple(Word(word) for word in DMARC_RESULTS if word not in ("pass", "none"))),
            Leaf("outgoing.spf_passes", (Flag(True),)),
        )
    ),
}
"""What a message must be like for a rule that does what `_may_break` asks for to break the law. A signature that breaks
the second law breaks the first as well, so of the second only the envelope is left."""


@functools.lru_cache(maxsize=8)
def prove(policy: Policy) -> Proof:
    """Prove that the policy can't launder, or find out by which messages it does: in a second or two. A command asks
    more than once of the same policy."""
    prover = Prover(policy)
    launders: list[Laundering] = []
    unproved: list[Unproved] = []
    for index, rule in enumerate(policy.all_rules):
        for law in Law:
            if not _may_break(law, rule):
                continue
            try:
                facts = prover.witness(index, _BROKEN[law])
            except TooHardError as error:
                unproved.append(Unproved(rule, law, str(error)))
                continue
            if facts is None:
                continue
            facts = _failed(prover, index, law) or facts
            if breaks(law, facts, decide(facts, policy)):
                launders.append(Laundering(rule, law, facts))
            else:
                unproved.append(Unproved(rule, law, "the message that was found does not do what it should"))
    return Proof(tuple(launders), tuple(unproved))


def _failed(prover: Prover, index: int, law: Law) -> Facts | None:
    """A message of which it is known that DMARC failed, where the rule takes such a one: it is the worst to show."""
    try:
        return prover.witness(index, _BROKEN[law], _FAILED)
    except TooHardError:
        return None


def _may_break(law: Law, rule: Rule) -> bool:
    if law is Law.SIGNATURE:
        return rule.sign is Sign.AUTHOR
    return rule.disposition.leaves and rule.envelope is EnvelopeAction.KEEP


def breaks(law: Law, facts: Facts, decision: Decision) -> bool:
    """Does the decision about this message break the law? What is held, deferred, rejected or discarded does not
    depart."""
    departs = departure.predict(facts, decision.sign is Sign.AUTHOR, decision.envelope is EnvelopeAction.UNALIGN).dmarc
    return law in broken(facts, decision.sign, departs if decision.disposition.leaves else None)
