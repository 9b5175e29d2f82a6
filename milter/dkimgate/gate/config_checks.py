"""What configuration and policy must say together: each file may be right for itself, and the two not fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from dkimgate.config.dkimgate_yaml import Config
from dkimgate.config.problem import Problem
from dkimgate.facts import EnvelopeAction
from dkimgate.message import domains
from dkimgate.policy.language.model import Policy


def problems(file: Path, settings: Config, policy: Policy | None) -> list[Problem]:
    """Every reason why the daemon can't run with both. `file` is the configuration. Without a policy, because it has
    errors of its own, only the configuration is checked."""
    found = [*_border(file, settings), *_srs(file, settings), *_unalign(file, settings)]
    if policy is not None:
        found += [
            *_forwarder(file, settings, policy),
            *_envelope(file, settings, policy),
            *_removed(file, settings, policy),
        ]
    return found


def observing(policy: Policy) -> list[Problem]:
    """A loud line: where the policy only watches, forgeries are signed."""
    loud = "is SIGNED as if there were no gate. Only the records tell what `enforce` would do"
    if policy.mode == "observe":
        return [Problem("policy.observes", f"mode: observe: mail of hosted domains {loud}")]
    rules = [rule.name for rule in policy.all_rules if rule.mode == "observe"]
    text = f"mode: observe in {', '.join(rules)}: mail of hosted domains that matches there {loud}"
    return [Problem("policy.observes", text)] if rules else []


def hosted_domains(settings: Config) -> set[str]:
    """The domains whose users we sign for: the domains of the keys, without the domain of the forwarder."""
    return set(settings.key_domains) - ({settings.forwarder.domain} if settings.forwarder else set())


def aligned_with(domain: str, others: Iterable[str]) -> list[str]:
    """Those of the others that some receiver may find aligned with the domain, sorted."""
    return sorted(domains.aligning(domain, others))


def _forwarder(file: Path, settings: Config, policy: Policy) -> Iterator[Problem]:
    if not (policy.uses_forwarder or policy.seals):
        return
    if settings.forwarder is None:
        asked = "sign: forwarder" if policy.uses_forwarder else "seal: true"
        text = f"the policy says `{asked}`: add `forwarder: {{domain: ...}}`"
        yield Problem("forwarder.not-set", text, file)
        return
    domain = settings.forwarder.domain
    aligned = aligned_with(domain, hosted_domains(settings))
    if domain not in settings.key_domains:
        yield Problem("forwarder.no-key", f"forwarder.domain {domain} has no key under `keys:`", file)
    elif aligned and policy.uses_forwarder:
        text = (
            f"forwarder.domain {domain} may align with the hosted domain {aligned[0]}: choose a domain that no "
            "mailbox uses"
        )
        yield Problem("forwarder.aligned", text, file)


def _envelope(file: Path, settings: Config, policy: Policy) -> Iterator[Problem]:
    """Whoever wants senders rewritten says to what, or what becomes of the message instead."""
    for rule in policy.all_rules if settings.unalign is None else ():
        if rule.envelope is EnvelopeAction.UNALIGN and rule.disposition.leaves and rule.otherwise is None:
            text = (
                f"the rule {rule.name!r} says `envelope: unalign`, but {file} has no domain for that: add `unalign: "
                "{domain: ..., secret_file: ...}` there, or `otherwise: hold` (defer, reject) to the rule"
            )
            yield Problem("unalign.not-configured", text, Path(policy.file), rule.line)


def _removed(file: Path, settings: Config, policy: Policy) -> Iterator[Problem]:
    """A policy does not take off what the configuration says holds verdicts: a message that passes again would be
    signed without them."""
    verdicts = {field.field.lower() for field in settings.spam_fields}
    for rule in policy.all_rules:
        for name in rule.remove:
            if name.lower() in verdicts:
                text = f"the rule {rule.name!r} removes {name}, but spam_fields in {file} reads a spam verdict from it"
                yield Problem("policy.remove-verdict", text, Path(policy.file), rule.line)


def _unalign(file: Path, settings: Config) -> Iterator[Problem]:
    if settings.unalign is None:
        return
    domain = settings.unalign.domain
    aligned = aligned_with(domain, hosted_domains(settings))
    if aligned:
        text = (
            f"unalign.domain {domain} may align with the hosted domain {aligned[0]}, so a rewritten sender could pass "
            "SPF for it: choose a subdomain of a domain that no mailbox uses"
        )
        yield Problem("unalign.aligned", text, file)


def _border(file: Path, settings: Config) -> Iterator[Problem]:
    if "border" not in settings.roles:
        return
    if not settings.trust.authserv_names or not settings.trust.authserv_names[0].isascii():
        text = (
            "a listener with `role: border` states results under the first name in trust.authserv_ids that is not a "
            "pattern: add such a name (in A-labels, xn--...)"
        )
        yield Problem("border.no-authserv-id", text, file)
    if settings.passport is None:
        text = (
            "a listener with `role: border` removes fields that say spam or fail, and keeps their results in a "
            "passport: add `passport: {secret_file: ...}`, with the file that `dkimgate passport new-secret --out "
            "FILE` makes"
        )
        yield Problem("border.no-passport", text, file)


def _srs(file: Path, settings: Config) -> Iterator[Problem]:
    if settings.unalign is None and "srs" in settings.roles:
        text = "a listener with `role: srs` restores rewritten senders: add `unalign: {domain: ..., secret_file: ...}`"
        yield Problem("srs.not-configured", text, file)
