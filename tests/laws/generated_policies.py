"""Policies that nobody thought of, and facts on their borders: for the laws, whatever a policy says.

What is drawn comes from `tests/policy/drawn.py`; here it gets every key that a policy can have, is written as YAML and read by the real
loader, and is mended by what the proof says of it. Nothing here asks the code that the laws are about whether a law is broken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import yaml

from dkimgate.config import yaml_file
from dkimgate.config.problem import ConfigError
from dkimgate.facts import (
    DMARC_RESULTS,
    Arrival,
    Claim,
    Decision,
    Disposition,
    EnvelopeAction,
    Facts,
    Origin,
    Sign,
    Spam,
    Standing,
)
from dkimgate.policy.language import loader
from dkimgate.policy.language.model import (
    All,
    Any,
    Compare,
    Condition,
    Flag,
    Hosted,
    Leaf,
    NoAuthor,
    Not,
    Policy,
    Present,
    Rule,
    Within,
    Word,
)
from dkimgate.policy.proof import Law, Proof, universe
from tests.policy import drawn

_STAYS = (Disposition.DEFER, Disposition.REJECT, Disposition.DISCARD)
_PARTS = {part: (group, key) for group, names in loader.WEIGHTS.items() for key, part in names.items()}


def policies(random: Random, observing: bool = False) -> Policy:
    """A policy with every key that there is. One of ten has been through the loader; others say what no file can. `observing`: some
    rules may only observe, and some are allowed to launder."""
    policy = drawn.policies(random)
    if random.random() < 0.3:
        policy = replace(policy, rules=(_almost_all(random), *policy.rules))
    rules = tuple(_furnished(random, rule, observing) for rule in policy.rules)
    policy = replace(policy, rules=rules, default=_furnished(random, policy.default, observing))
    if observing and random.random() < 0.2:
        named = tuple(rule.name for rule in policy.all_rules if random.random() < 0.3)
        policy = replace(policy, allow_laundering=named, laundering_reason="a test of it" if named else None)
    if observing and random.random() < 0.1:
        policy = replace(policy, mode="observe")
    return (loaded(policy) or policy) if random.random() < 0.1 else policy


def _almost_all(random: Random) -> Rule:
    """A guard that somebody wrote out, and may have forgotten a word of."""
    bad = [word for word in DMARC_RESULTS if word not in ("pass", "none")]
    words = Leaf("arrival.dmarc", tuple(Word(word) for word in random.sample(bad, random.randint(3, 4))))
    spam = random.choice((Leaf("spam", (Flag(True),)), Leaf("spam.ratio", (Compare(random.choice((">", ">=")), 1.0),))))
    return Rule("written-out", Any((words, spam)) if random.random() < 0.7 else words, envelope=EnvelopeAction.UNALIGN)


def _furnished(random: Random, rule: Rule, observing: bool) -> Rule:
    """The rule with some of the keys that say what else it does."""
    chance = random.random
    if chance() < 0.1:
        rule = replace(rule, disposition=random.choice(tuple(Disposition)))
    if rule.disposition in _STAYS and chance() < 0.9:
        return replace(rule, sign=Sign.NONE, envelope=EnvelopeAction.KEEP)
    if chance() < 0.6:
        return rule
    unaligns = rule.envelope is EnvelopeAction.UNALIGN
    return replace(
        rule,
        seal=chance() < 0.4,
        otherwise=random.choice((None, *_STAYS)) if unaligns and rule.disposition is Disposition.ACCEPT else None,
        text="dmarc={arrival.dmarc}, risk {risk}"
        if chance() < 0.3 and (unaligns or rule.disposition is Disposition.HOLD)
        else None,
        tag="[{arrival.dmarc}]" if chance() < 0.3 else None,
        add=(("X-Arrived-With", "dmarc={arrival.dmarc}"),) if chance() < 0.3 else (),
        remove=("X-Spam-Level", "Authentication-Results") if chance() < 0.3 else (),
        mode=random.choice(("observe", "enforce", None)) if observing and chance() < 0.3 else None,
    )


def loaded(policy: Policy) -> Policy | None:
    """The policy as the loader reads it from a file; None where it finds mistakes, such as a rule that is never reached."""
    try:
        return loader.from_document(yaml_file.parse(text_of(policy), Path("generated.yaml")))
    except ConfigError:
        return None


def text_of(policy: Policy) -> str:
    """The policy as one writes it."""
    top: dict[str, object] = {"version": 1, "mode": policy.mode}
    groups: dict[str, dict[str, float]] = {}
    for name, weight in (*policy.weights.parts, ("spam", policy.weights.per_required)):
        group, key = _PARTS[name]
        groups.setdefault(group, {})[key] = weight
    top |= {
        "risk": groups,
        "rules": [{"name": rule.name, **_keys(rule)} for rule in policy.rules],
        "default": _keys(policy.default),
    }
    if policy.allow_laundering:
        top |= {"allow_laundering": list(policy.allow_laundering), "laundering_reason": policy.laundering_reason}
    return yaml.safe_dump(top, sort_keys=False)


def _keys(rule: Rule) -> dict[str, object]:
    keys: dict[str, object] = {} if rule.when is None else {"when": _condition(rule.when)}
    keys |= {"sign": str(rule.sign), "disposition": str(rule.disposition), "text": rule.text, "seal": rule.seal or None}
    keys |= {
        "envelope": None if rule.envelope is EnvelopeAction.KEEP else str(rule.envelope),
        "tag": rule.tag,
        "mode": rule.mode,
    }
    keys |= {
        "otherwise": None if rule.otherwise is None else str(rule.otherwise),
        "remove": list(rule.remove),
        "add": dict(rule.add),
    }
    return {key: value for key, value in keys.items() if value not in (None, [], {})}


def _condition(condition: Condition) -> dict[str, object]:
    match condition:
        case Not(part):
            return {"not": _condition(part)}
        case All(parts):
            return {"all": [_condition(part) for part in parts]}
        case Any(parts):
            return {"any": [_condition(part) for part in parts]}
        case Leaf(fact, atoms):
            written = [_atom(atom) for atom in atoms]
            return {fact: written if len(written) > 1 else written[0]}


def _atom(atom: object) -> str | bool:
    match atom:
        case Flag(wanted):
            return wanted
        case Compare(operator, number):
            return f"{operator} {number!r}"
        case Within(network):
            return str(network)
        case Word(word):
            return word
        case Present():
            return "present"
        case Hosted():
            return "hosted"
        case NoAuthor():
            return "none"
    return str(getattr(atom, "pattern"))  # noqa: B009 - of a Glob or a DomainGlob


def mended(policy: Policy, proof: Proof) -> Policy:
    """The policy without the signatures and with rewritten envelopes where the proof found laundering, and nowhere else."""
    does: dict[str, dict[str, object]] = {}
    for each in proof.launders:
        change = {"sign": Sign.NONE} if each.law is Law.SIGNATURE else {"envelope": EnvelopeAction.UNALIGN}
        does.setdefault(each.rule.name, {}).update(change)
    rules = tuple(replace(rule, **does.get(rule.name, {})) for rule in policy.rules)  # type: ignore[arg-type]
    return replace(policy, rules=rules, default=replace(policy.default, **does.get("default", {})))  # type: ignore[arg-type]


def facts_for(random: Random, policy: Policy, number: int) -> Iterator[Facts]:
    """Messages that evidence may gather, on the borders of the policy's conditions, with claims beside."""
    for facts in drawn.messages(random, policy, number):
        aligns = random.random() < (0.9 if facts.author is None else 0.1)
        yield replace(
            facts,
            claims=_claims(random, facts),
            forwarder_aligns=aligns,
            message_id=random.choice((None, "<1@a.example>")),
        )


def as_forged(random: Random, facts: Facts) -> Facts:
    """The message as a forger would have it: it comes in from outside, and a door stands open."""
    origin = facts.origin if outside(facts) else Origin.FORWARDED
    arrival = replace(facts.arrival, dmarc=random.choice(("fail", "permerror", "temperror", "unknown")))
    author = facts.author or "hosted.example"
    forged = replace(
        facts,
        origin=origin,
        arrival=arrival,
        author=author,
        author_problem=None,
        hosted=author,
        spf_passes=True,
        own_signature=False,
    )
    return forged if possible(forged) else facts


def _claims(random: Random, facts: Facts) -> tuple[Claim, ...]:
    pick = random.choice
    said = ("pass", "fail", "none", facts.arrival.dkim)
    by = (facts.author or "hosted.example", "attacker.example")
    return tuple(
        Claim(pick(("dkim", "dmarc", "spf")), pick(said), "mx.forwarder.example", "Authentication-Results", pick(tuple(Standing)), "", at, ((pick(("header.d", "header.from", "smtp.mailfrom")), pick(by)),))
        for at in range(pick((0, 0, 1, 2)))
    )  # fmt: skip


_ODD = ("", "PASS", "Fail", "\udcff\x00", "weird", "p\u0430ss", "x" * 600, "\u202e", "none ")


def wild(random: Random, facts: Facts) -> Facts:
    """The facts with what no evidence comes to, should it ever fail to keep its word: numbers that are none, results that are none."""
    pick, chance = random.choice, random.random
    spam = Spam(
        chance() < 0.3,
        pick((math.nan, math.inf, -math.inf, -1.0, 0.0, 1e308)),
        pick((math.nan, 0.0, -5.0, 5.0, math.inf)),
    )
    arrival = facts.arrival
    if chance() < 0.7:
        arrival = Arrival(
            pick((*_ODD, arrival.dmarc)), pick(_ODD), pick(_ODD), pick(_ODD), chance() < 0.5, pick((arrival.spam, spam))
        )
    return replace(
        facts,
        origin=pick(tuple(Origin)),
        author=pick((facts.author, facts.author, *_ODD)),
        hosted=pick((facts.hosted, facts.hosted, *_ODD)),
        arrival=arrival,
        sender=pick((facts.sender, *_ODD)),
        recipients=(*facts.recipients, pick(_ODD)),
        unalignable=chance() < 0.5,
        own_signature=chance() < 0.3,
    )


def badly(facts: Facts) -> bool:
    """The design's "arrived badly", in this file's own words. What is no number is not below anything."""
    spam = facts.arrival.spam
    below = not math.isnan(spam.score) and not math.isnan(spam.required) and spam.score < spam.required
    return facts.arrival.dmarc not in {"pass", "none"} or spam.flag or not below


def outside(facts: Facts) -> bool:
    return facts.origin in {Origin.FORWARDED, Origin.INBOUND} or (facts.origin is Origin.RELAYED and not facts.relay)


def promoted(facts: Facts, decision: Decision) -> bool:
    """It departs with a DMARC pass that it did not arrive with, by either door: in this file's own words. Where it arrived with `none`,
    there is no DMARC record to pass by."""
    if not outside(facts) or facts.arrival.dmarc in {"pass", "none"} or decision.disposition is not Disposition.ACCEPT:
        return False
    return decision.sign is Sign.AUTHOR or (facts.spf_passes and decision.envelope is EnvelopeAction.KEEP)


def laundered(facts: Facts, decision: Decision) -> bool:
    """It arrived badly from outside, and gets an aligned signature."""
    return outside(facts) and badly(facts) and decision.sign is Sign.AUTHOR


def possible(facts: Facts) -> bool:
    return universe.is_possible(facts) is None
