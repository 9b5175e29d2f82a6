"""The one decision: a pure function of the facts and the policy."""

from __future__ import annotations

from dkimgate.facts import Decision, Facts, Sign
from dkimgate.policy.conditions import holds
from dkimgate.policy.model import Policy, Rule
from dkimgate.policy.risk import risk_of


def decide(facts: Facts, policy: Policy) -> Decision:
    """What the policy wants done with a message: the first rule whose every condition holds, else the default.

    The decision keeps the name of that rule also where the signature that it asks for can't be made (see `withheld`).
    """
    risk = risk_of(facts, policy.weights)
    rule = next((rule for rule in policy.rules if holds(rule.when, facts, risk)), policy.default)
    sign = Sign.NONE if withheld(rule, facts) else rule.sign
    return Decision(rule.name, sign, rule.disposition, rule.text, risk, policy.mode)


def withheld(rule: Rule, facts: Facts) -> str | None:
    """Why this message can't get the signature that the rule asks for, in words; None where it can, or no signature is asked for."""
    if rule.sign is Sign.NONE:
        return None
    if facts.author is None:
        return f"there is no single author domain: {facts.author_problem or 'unknown why'}"
    if rule.sign is Sign.AUTHOR and facts.hosted is None:
        return f"no key is aligned with the author domain {facts.author}"
    if rule.sign is Sign.AUTHOR and facts.own_signature:
        return f"it bears a valid signature of ours for {facts.hosted} already"
    if rule.sign is Sign.FORWARDER and facts.forwarder_aligns:
        return f"the forwarder's domain is aligned with the author domain {facts.author}"
    return None
