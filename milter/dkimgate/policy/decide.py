"""The one decision: a pure function of the facts and the policy."""

from __future__ import annotations

from dkimgate.config.by_identity import ByIdentity
from dkimgate.facts import Decision, Disposition, EnvelopeAction, Facts, Sign
from dkimgate.policy.language.chooser import Chooser
from dkimgate.policy.language.model import Policy, Rule
from dkimgate.policy.risk import risk_of


def decide(facts: Facts, policy: Policy) -> Decision:
    """The decision of the policy about a message: the first rule whose conditions all match, else the default. The
    decision keeps the name of that rule even if its signature can't be made (see `withheld`)."""
    risk = risk_of(facts, policy.weights)
    rule = _chooser(policy).rule(facts, risk)
    envelope, disposition = _envelope(rule, facts)
    return Decision(
        rule=rule.name,
        sign=Sign.NONE if withheld(rule, facts) else rule.sign,
        disposition=disposition,
        text=rule.text,
        risk=risk,
        mode=policy.mode_of(rule),
        seal=rule.seal,
        envelope=envelope,
        tag=rule.tag,
        add=rule.add,
        remove=rule.remove,
        laundering=policy.laundering_reason if rule.name in policy.allow_laundering else None,
    )


_chooser = ByIdentity(Chooser)


def _envelope(rule: Rule, facts: Facts) -> tuple[EnvelopeAction, Disposition]:
    """What becomes of the envelope and of the message. What `envelope: unalign` takes never leaves with an envelope
    that would pass SPF, aligned: where the sender can't be rewritten, the message does not leave."""
    if rule.envelope is EnvelopeAction.KEEP or not facts.spf_passes:
        return EnvelopeAction.KEEP, rule.disposition
    if facts.unalignable:
        return EnvelopeAction.UNALIGN, rule.disposition
    return EnvelopeAction.KEEP, (rule.otherwise or Disposition.HOLD) if rule.disposition.leaves else rule.disposition


def withheld(rule: Rule, facts: Facts) -> str | None:
    """Why this message can't get the signature of the rule, in words. None if it can, or if the rule does not sign."""
    if rule.sign is Sign.NONE:
        return None
    if facts.author is None:
        return f"there is no single author domain: {facts.author_problem or 'unknown why'}"
    if rule.sign is Sign.AUTHOR and facts.hosted is None:
        return f"no key is aligned with the author domain {facts.author}"
    if rule.sign is Sign.AUTHOR and facts.own_signature:
        return f"it has a valid signature of ours for {facts.hosted} already"
    if rule.sign is Sign.FORWARDER and facts.forwarder_aligns:
        return f"the forwarder's domain is aligned with the author domain {facts.author}"
    return None
