"""What was proved, in words: a message as a postmaster knows one, with its envelope and header, and what to do about
it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from dkimgate.config.problem import Problem
from dkimgate.facts import Facts, HeaderSigns, Origin
from dkimgate.policy.describe.explain import short
from dkimgate.policy.language.model import All, Policy, Rule, leaves
from dkimgate.policy.laundering import Law
from dkimgate.policy.proof.laws import Laundering, Proof, Unproved
from dkimgate.policy.proof.subsumption import Unreachable

_US = "mx.forwarder.example"  # where no border names a host of ours
_MOST_RECIPIENTS = 3
_MOST_RULES = 5


def problems(policy: Policy, proof: Proof) -> list[Problem]:
    """Why the policy must not run, each ready to print: the rules that launder and are not allowed to."""
    return [laundering(policy, each) for each in _refused(policy, proof)]


def refused(policy: Policy, proof: Proof) -> list[str]:
    """The names of the rules for which the policy must not run."""
    return [each.rule.name for each in _refused(policy, proof)]


def doubtful(policy: Policy, proof: Proof) -> list[str]:
    """The names of the rules that could not be proved safe, and are not allowed to launder."""
    return list({each.rule.name: None for each in _doubtful(policy, proof)})


def warnings(policy: Policy, proof: Proof) -> list[Problem]:
    """The warnings about a policy that runs: rules that are too hard to prove, rules that may launder and do, rules
    that may launder and don't."""
    busy = {each.rule.name for each in proof.launders} | {each.rule.name for each in proof.unproved}
    hard: dict[str, Problem] = {}
    for each in _doubtful(policy, proof):
        hard.setdefault(each.rule.name, unproved(policy, each))
    failed = {each.rule.name for each in proof.launders if each.witness.arrival.dmarc == "fail"}
    allowed = [
        Problem(
            "policy.launders-failed" if name in failed else "policy.may-launder",
            f"allow_laundering: forgeries that match the rule {name!r} leave as authentic "
            f"mail{', also those with dmarc=fail' if name in failed else ''}: {policy.laundering_reason}",
        )
        if name in busy
        else Problem(
            "policy.launders-nothing",
            f"allow_laundering: the rule {name!r} launders nothing: remove its name",
            Path(policy.file),
        )
        for name in policy.allow_laundering
    ]
    return [*hard.values(), *allowed]


def laundering(policy: Policy, found: Laundering) -> Problem:
    """The message by which a rule launders, in about ten lines."""
    facts = found.witness
    how = " as spam" if facts.arrival.dmarc in ("pass", "none") else f" with dmarc={facts.arrival.dmarc}"
    if found.law is Law.SIGNATURE:
        what = f"would get a signature of {facts.hosted}"
        here = ""
    else:
        what = "would depart with dmarc=pass by SPF, because its envelope stays"
        here = ". Or add `envelope: unalign` to this rule"
    text = "\n".join(
        [
            f"the rule {found.rule.name!r} launders: this message arrived from outside{how} and {what}:",
            *(f"    {line}" for line in message(facts)),
            "  No rule before this one stops the message. Add one there: `when: {arrival.badly: true}` with `sign: "
            f"none` and `envelope: unalign`{here}. If you want this, name the rule in `allow_laundering`",
        ]
    )
    return _problem("policy.launders", text, policy, found.rule)


def unproved(policy: Policy, found: Unproved) -> Problem:
    """A rule that is too hard to prove, and why. Where a rule only observes, nothing is refused."""
    observes = policy.mode_of(found.rule) == "observe"
    guarded = "" if observes else ", and the guards stop every message that it would launder"
    text = (
        f"the rule {found.rule.name!r} could not be proved safe: {found.why}. It runs{guarded}. To have it proved, "
        "simplify that condition"
    )
    return _problem("policy.unproved", text, policy, found.rule)


def unreachable(found: Unreachable) -> str:
    """A rule that no message reaches, and why."""
    name = found.rule.name
    if found.conflict:
        conflict = short(All(found.conflict))
        weighed = any(leaf.fact == "risk" for each in found.conflict for leaf in leaves(each))
        together = " together" if len(found.conflict) > 1 else "es"
        with_ = " with these weights of `risk`" if weighed else ""
        return f"no message can ever match the conditions of the rule {name!r}: {conflict} never match{together}{with_}"
    rules = [f"{taker.name!r} on line {taker.line}" for taker in found.takers]
    match rules:
        case []:
            return (
                f"no message reaches the rule {name!r}: rules before it take all its messages, or its conditions "
                "exclude each other"
            )
        case [one]:
            takers = f"the rule {one} takes"
        case _ if len(rules) > _MOST_RULES:
            takers = f"{len(rules)} rules before it together take"
        case _:
            takers = f"the rules {', '.join(rules[:-1])} and {rules[-1]} together take"
    return f"no message reaches the rule {name!r}: {takers} all its messages. Put the narrower rule first"


def summary(facts: Facts) -> str:
    """A message in a few words: what is ordinary is left out."""
    arrival, spam = facts.arrival, facts.arrival.spam
    words = [
        str(facts.origin),
        f"from {facts.author or 'no single author'}{' (hosted)' if facts.hosted else ''}",
        f"dmarc={arrival.dmarc}",
    ]
    if spam.score:
        words.append(f"spam {_number(spam.score)}/{_number(spam.required)}")
    if facts.spf_passes:
        words.append("its envelope would pass SPF")
    return ", ".join(words + _oddities(facts))


def message(facts: Facts) -> list[str]:
    """The envelope and the header of a message that has these facts, a line each."""
    shown = [f"<{recipient}>" for recipient in facts.recipients[:_MOST_RECIPIENTS]]
    if len(facts.recipients) > _MOST_RECIPIENTS:
        shown.append(f"and {len(facts.recipients) - _MOST_RECIPIENTS} more")
    lines = [f"MAIL FROM:<{facts.sender}> RCPT TO:{', '.join(shown) or 'nobody yet'}; {_client(facts)}"]
    border = facts.border
    if border is not None:
        lines.append(f"Received: from {f'[{border.ip}]' if border.ip else 'unknown'} by {border.by}")
    elif facts.origin is Origin.FORWARDED:
        lines.append("Received: from elsewhere, by no host of ours")
    lines += _results(facts)
    spam = facts.arrival.spam
    if spam.score:
        lines.append(
            f"X-Spam-Status: {'Yes' if spam.spam else 'No'}, score={_number(spam.score)} "
            f"required={_number(spam.required)}"
        )
    local = facts.sender.rpartition("@")[0] or "friend"
    lines.append(f"From: {local}@{facts.author}" if facts.author else "From: (more than one, or none that can be read)")
    odd = _oddities(facts)
    if facts.spf_passes:
        odd.insert(0, "the envelope would pass SPF at the next hop, aligned")
    return lines + ([f"({'; '.join(odd)})"] if odd else [])


def _client(facts: Facts) -> str:
    client = facts.client
    told = [f"client {client.ip or 'without an address'}{f' {client.name}' if client.name else ''}"]
    told += [f"HELO {client.helo}"] if client.helo else []
    told += [f"logged in as {client.auth}"] if client.auth else []
    told += [f"by the listener {client.daemon}"] if client.daemon else []
    return ", ".join(told)


def _results(facts: Facts) -> list[str]:
    """What our own host states about the arrival, and what others do."""
    arrival = facts.arrival
    stated = [f"dmarc={arrival.dmarc}"] if arrival.dmarc != "unknown" else []
    stated += [
        f"{name}={result}"
        for name, result in (("spf", arrival.spf), ("dkim", arrival.dkim), ("arc", arrival.arc))
        if result != "none"
    ]
    by = facts.border.by if facts.border else _US
    lines = [f"Authentication-Results: {by}; {'; '.join(stated)}"] if stated else []
    if arrival.pass_of is not None:
        lines.append(f"Authentication-Results: {by}; dmarc=pass header.from={arrival.pass_of}")
    elif arrival.dmarc == "unknown":
        lines.append("(nobody who is believed states a result of DMARC)")
    if facts.upstream.dmarc is not None:
        lines.append(f"Authentication-Results: mx.elsewhere.example; dmarc={facts.upstream.dmarc}")
    return lines


def _oddities(facts: Facts) -> list[str]:
    signs = [f"header.{sign.name}" for sign in fields(HeaderSigns) if getattr(facts.header, sign.name)]
    return signs + (["it has a valid signature of ours"] if facts.own_signature else [])


def _number(number: float) -> str:
    return str(int(number)) if number.is_integer() else repr(number)


def _problem(code: str, text: str, policy: Policy, rule: Rule) -> Problem:
    return Problem(code, text, Path(policy.file or "the policy"), rule.line or None)


def _refused(policy: Policy, proof: Proof) -> list[Laundering]:
    """Of a rule that breaks both laws, the signature is shown: it opens both doors."""
    found: dict[str, Laundering] = {}
    for each in proof.launders:
        if each.rule.name not in policy.allow_laundering:
            found.setdefault(each.rule.name, each)
    return list(found.values())


def _doubtful(policy: Policy, proof: Proof) -> list[Unproved]:
    """What could not be proved of rules that are neither allowed to launder nor known to."""
    known = {each.rule.name for each in proof.launders} | set(policy.allow_laundering)
    return [each for each in proof.unproved if each.rule.name not in known]
