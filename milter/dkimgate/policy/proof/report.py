"""What was proved, in words: a message as a postmaster knows one, with its envelope and header, and what to do about it."""

from __future__ import annotations

from dataclasses import fields

from dkimgate.facts import Facts, HeaderSigns, Origin
from dkimgate.policy.laundering import Law
from dkimgate.policy.model import Policy, Rule
from dkimgate.policy.proof.prover import Laundering, Proof, Unproved

_US = "mx.forwarder.example"  # where no border names a host of ours
_MOST_RECIPIENTS = 3


def problems(policy: Policy, proof: Proof) -> list[str]:
    """Why the policy must not run, each ready to print: rules that launder and are not allowed to, and rules that no message reaches."""
    found = [(each.rule.line, laundering(policy, each)) for each in _first_of_each(proof) if each.rule.name not in policy.allow_laundering]
    found += [(each.rule.line, unproved(policy, each)) for each in proof.unproved if _counts(policy, each)]
    found += [(rule.line, f"{_place(policy, rule)}: no message reaches the rule {rule.name!r}: the rules before it take all that it would "
               "take, or its conditions exclude each other") for rule in proof.unreachable]  # fmt: skip
    return [text for _, text in sorted(found)]


def warnings(policy: Policy, proof: Proof) -> list[str]:
    """What is said of a policy that runs, each in a sentence: the rules that may launder and do, and those that may and don't."""
    busy = {each.rule.name for each in proof.launders} | {each.rule.name for each in proof.unproved if each.law}
    return [
        f"allow_laundering: forgeries that the rule {name!r} takes leave as authentic mail: {policy.laundering_reason}"
        if name in busy
        else f"{policy.file}: allow_laundering: the rule {name!r} launders nothing: take its name off"
        for name in policy.allow_laundering
    ]


def laundering(policy: Policy, found: Laundering) -> str:
    """The message by which a rule launders, in about ten lines."""
    facts = found.witness
    how = " as spam" if facts.arrival.dmarc in ("pass", "none") else f" with dmarc={facts.arrival.dmarc}"
    if found.law is Law.SIGNATURE:
        what = f"would get a signature of {facts.hosted}"
        here = ""
    else:
        what = "would depart with dmarc=pass by SPF, with the envelope as it is"
        here = ", or `envelope: unalign` into this one"
    return "\n".join(
        [
            f"{_place(policy, found.rule)}: the rule {found.rule.name!r} launders: this message arrived from outside{how} and {what}:",
            *(f"    {line}" for line in message(facts)),
            "  No rule ahead stops this message. Put one there, `when: {arrival.badly: true}` with `sign: none` and `envelope: unalign`"
            f"{here}; or say in `allow_laundering` that it is meant so",
        ]
    )


def unproved(policy: Policy, found: Unproved) -> str:
    """One sentence about a question that has no answer."""
    return f"{_place(policy, found.rule)}: the rule {found.rule.name!r} {found.why}"


def summary(facts: Facts) -> str:
    """A message in a few words: what is ordinary is left out."""
    arrival, spam = facts.arrival, facts.arrival.spam
    words = [str(facts.origin), f"from {facts.author or 'no single author'}{' (hosted)' if facts.hosted else ''}", f"dmarc={arrival.dmarc}"]
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
        lines.append(f"X-Spam-Status: {'Yes' if spam.spam else 'No'}, score={_number(spam.score)} required={_number(spam.required)}")
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
        f"{name}={result}" for name, result in (("spf", arrival.spf), ("dkim", arrival.dkim), ("arc", arrival.arc)) if result != "none"
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
    return signs + (["it bears a valid signature of ours"] if facts.own_signature else [])


def _number(number: float) -> str:
    return str(int(number)) if number.is_integer() else repr(number)


def _place(policy: Policy, rule: Rule) -> str:
    return f"{policy.file or 'the policy'}:{rule.line}" if rule.line else f"{policy.file or 'the policy'}"


def _first_of_each(proof: Proof) -> list[Laundering]:
    """Of a rule that breaks both laws, the signature is shown: it opens both doors."""
    found: dict[str, Laundering] = {}
    for each in proof.launders:
        found.setdefault(each.rule.name, each)
    return list(found.values())


def _counts(policy: Policy, found: Unproved) -> bool:
    """A law that could not be proved counts as broken; whether a rule is reached is no matter of safety."""
    return found.law is not None and found.rule.name not in policy.allow_laundering
