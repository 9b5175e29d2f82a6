"""What configuration and policy must say together: each file may be right for itself, and the two not fit."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dkimgate.config.dkimgate_yaml import Config
from dkimgate.facts import EnvelopeAction
from dkimgate.message import domains
from dkimgate.policy.language.model import Policy


def problems(file: Path, settings: Config, policy: Policy | None) -> list[str]:
    """Every reason why the daemon can't run with both, ready to print. `file` is that of the configuration; where there
    is no policy, because it has mistakes of its own, only the configuration is looked at."""
    found = [*_border(file, settings), *_srs(file, settings), *_unalign(file, settings)]
    if policy is not None:
        found += [
            *_forwarder(file, settings, policy),
            *_envelope(file, settings, policy),
            *_removed(file, settings, policy),
        ]
    return found


def observing(policy: Policy) -> list[str]:
    """A loud line: where the policy only watches, forgeries are signed."""
    loud = "is SIGNED as if there were no gate; only the records tell what enforce would do"
    if policy.mode == "observe":
        return [f"mode: observe: everything hosted {loud}"]
    rules = [rule.name for rule in policy.all_rules if rule.mode == "observe"]
    return [f"mode: observe in {', '.join(rules)}: everything hosted that is taken there {loud}"] if rules else []


def hosted_domains(settings: Config) -> set[str]:
    """The domains whose users we sign for: those of the keys, without the forwarder's own."""
    return {key.domain for key in settings.keys} - ({settings.forwarder.domain} if settings.forwarder else set())


def aligned_with(domain: str, others: Iterable[str]) -> list[str]:
    """Those of the others that some receiver may find aligned with the domain, sorted."""
    return sorted(other for other in others if domains.may_align(domain, other))


def _forwarder(file: Path, settings: Config, policy: Policy) -> list[str]:
    asked = [
        what
        for what, is_asked in (("sign: forwarder", policy.uses_forwarder), ("seal: true", policy.seals))
        if is_asked
    ]
    if not asked:
        return []
    if settings.forwarder is None:
        return [f"{file}: the policy says `{asked[0]}`, so the configuration must say `forwarder: {{domain: ...}}`"]
    domain = settings.forwarder.domain
    if domain not in {key.domain for key in settings.keys}:
        return [f"{file}: forwarder.domain {domain} has no key under `keys:`"]
    aligned = aligned_with(domain, hosted_domains(settings))
    if aligned and policy.uses_forwarder:
        return [
            f"{file}: forwarder.domain {domain} may align with the hosted domain {aligned[0]}: take a domain that no "
            f"mailbox uses"
        ]
    return []


def _envelope(file: Path, settings: Config, policy: Policy) -> list[str]:
    """Whoever wants senders rewritten says to what, or what becomes of the message instead."""
    if settings.unalign is not None:
        return []
    return [
        f"{policy.file}:{rule.line}: the rule {rule.name!r} says `envelope: unalign`, but {file} names no domain for "
        f"it: add "
        "`unalign: {domain: ..., secret_file: ...}` there, or `otherwise: hold` (defer, reject) to the rule"
        for rule in policy.all_rules
        if rule.envelope is EnvelopeAction.UNALIGN and rule.disposition.leaves and rule.otherwise is None
    ]


def _removed(file: Path, settings: Config, policy: Policy) -> list[str]:
    """A policy does not take off what the configuration says holds verdicts: a message that passes again would be
    signed without them."""
    verdicts = {field.field.lower() for field in settings.spam_fields}
    return [
        f"{policy.file}:{rule.line}: the rule {rule.name!r} removes {name}, which {file} says holds a spam verdict "
        f"(spam_fields)"
        for rule in policy.all_rules
        for name in rule.remove
        if name.lower() in verdicts
    ]


def _unalign(file: Path, settings: Config) -> list[str]:
    if settings.unalign is None:
        return []
    domain = settings.unalign.domain
    aligned = aligned_with(domain, hosted_domains(settings))
    if not aligned:
        return []
    return [
        f"{file}: unalign.domain {domain} may align with the hosted domain {aligned[0]}, so a rewritten sender could "
        f"pass for it: take one "
        "below a domain that no mailbox uses"
    ]


def _border(file: Path, settings: Config) -> list[str]:
    if "border" not in settings.roles:
        return []
    found = []
    if not settings.trust.authserv_names or not settings.trust.authserv_names[0].isascii():
        found.append(
            f"{file}: a listener with `role: border` states results under the first name in trust.authserv_ids that "
            f"is no pattern: "
            "name one (in A-labels, xn--...)"
        )
    if settings.passport is None:
        found.append(
            f"{file}: a listener with `role: border` takes fields off that say spam or fail, and keeps what they said "
            f"in a passport: "
            "add `passport: {secret_file: ...}`, with the file that `dkimgate passport new-secret --out FILE` makes"
        )
    return found


def _srs(file: Path, settings: Config) -> list[str]:
    if settings.unalign is not None or "srs" not in settings.roles:
        return []
    return [
        f"{file}: a listener with `role: srs` restores senders that were rewritten: add `unalign: {{domain: ..., "
        f"secret_file: ...}}`"
    ]
