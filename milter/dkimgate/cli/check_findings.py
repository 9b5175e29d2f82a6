"""What `check` finds in a configuration that loads: errors, probable errors, and what is good to know."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from dkimgate.cli import check_departure, check_networks, check_postfix, check_sending, check_start
from dkimgate.cli.finding import Finding
from dkimgate.config import credentials
from dkimgate.config.dkimgate_yaml import Config
from dkimgate.config.files import is_folder, seen
from dkimgate.config.permissions import hindrance
from dkimgate.facts import EnvelopeAction, Sign
from dkimgate.gate import config_checks
from dkimgate.gate.gate import Gate
from dkimgate.policy.describe import unheard_refusals
from dkimgate.record.journal import Journal


def findings(gate: Gate) -> list[Finding]:
    """Everything that can be said about what was loaded, the gravest first."""
    settings = gate.config
    gate.ring.all()  # the daemon reads a key when it is first used
    found = [
        Finding.of("problem", replace(each, text=f"{each.text}. What this key should sign leaves unsigned"))
        for each in gate.broken
    ]
    found += [Finding.of("warning", each) for each in gate.warnings]
    for check in _CHECKS:
        found.extend(check(gate, settings))
    order = ["problem", "warning", "note"]
    return sorted(found, key=lambda finding: order.index(finding.level))


def _user(gate: Gate, settings: Config) -> Iterator[Finding]:
    if settings.user is None:
        return
    try:
        pwd.getpwnam(settings.user)
    except KeyError:
        yield Finding(
            "problem",
            "user.missing",
            f"user: there is no user {settings.user!r} here: `adduser --system --group {settings.user}`",
            stops=True,
        )
        return
    # systemd hands credentials over by ACLs, to nobody but the service
    secrets = [each.secret_file for each in (settings.unalign, settings.passport) if each is not None]
    files = [
        file
        for file in dict.fromkeys((settings.policy, *(key.file for key in settings.keys), *secrets))
        if not credentials.is_credential(file)
    ]
    keys = {key.file for key in settings.keys}  # without one of them the daemon starts, and signs with the others
    for file in files:
        problem = hindrance(file, settings.user)
        if problem is not None:
            yield Finding.of("problem", problem, stops=file not in keys)


def _journal(gate: Gate, settings: Config) -> Iterator[Finding]:
    user = settings.user if settings.user and _exists(settings.user) else None
    problem = Journal(settings.journal.file).probe(user)
    if problem is not None:
        what = (
            "all mail is deferred"
            if settings.journal.on_failure == "defer"
            else "mail leaves unsigned and without a record"
        )
        made = (
            settings.user is not None
            and seen(folder := settings.journal.file.parent) is None
            and is_folder(folder.parent)
        )
        yield Finding(
            "problem",
            "journal.unwritable",
            f"journal: {problem}; until then {what} (journal.on_failure)",
            stops=not made,
        )
    if settings.user is None and os.geteuid() == 0:
        yield Finding(
            "note",
            "user.not-set",
            "user: not set. The findings about the journal and the keys are for root: name the user of the daemon",
        )


def _credentials(gate: Gate, settings: Config) -> Iterator[Finding]:
    yield from check_start.credentials_from_elsewhere(settings)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _is_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _listeners(gate: Gate, settings: Config) -> Iterator[Finding]:
    for listener, role in ((each.socket, each.role) for each in settings.listen):
        kind, _, place = listener.partition(":")
        if kind != "unix":
            host = place.rpartition(":")[0].strip("[]")
            if not (host == "localhost" or host.startswith("127.") or host == "::1"):
                can = "look up rewritten senders" if role == "srs" else "have mail signed"
                yield Finding(
                    "warning",
                    "listen.open-port",
                    f"listen: {listener}: everyone who can reach this port can {can}: use a loopback address",
                )
        elif not is_folder(Path(place).parent):
            yield Finding(
                "note",
                "listen.no-folder",
                f"listen: {Path(place).parent} does not exist yet. The daemon needs it for its socket",
            )
    if settings.socket_group is not None and not _is_group(settings.socket_group):
        missing = f"socket_group: there is no group {settings.socket_group!r} here"
        if any(each.socket.startswith("unix:") for each in settings.listen):
            yield Finding("problem", "socket-group.missing", f"{missing}, so the daemon would not start", stops=True)
        else:
            yield Finding("warning", "socket-group.missing", f"{missing}. Only unix sockets would use it")
    if int(settings.socket_mode, 8) & 0o007:
        yield Finding(
            "warning",
            "socket-mode.open",
            f"socket_mode {settings.socket_mode}: every user of this host can have mail signed",
        )


def _trust(gate: Gate, settings: Config) -> Iterator[Finding]:
    trust = settings.trust
    if not trust.hosts:
        yield Finding(
            "warning",
            "trust.no-hosts",
            "trust.hosts is empty: no Received field is ours. So mail that this host sends on counts as forwarded "
            "without a border, and no result in it is trusted. Add the name that `postconf -h myhostname` prints",
        )
    addresses = [host for host in trust.hosts if host.replace(".", "").isdecimal()]
    if addresses:
        yield Finding(
            "warning",
            "trust.hosts-address",
            f"trust.hosts: {', '.join(addresses)}: expected names, as after `by` in Received. Addresses belong to "
            "trust.networks",
        )
    if not trust.authserv_ids:
        yield Finding(
            "warning",
            "trust.no-authserv-ids",
            "trust.authserv_ids is empty: no Authentication-Results field can help a message, so mail from outside "
            "never has dmarc=pass",
        )
    if trust.border_strips_forgeries:
        yield Finding(
            "warning",
            "trust.border-strips-forgeries",
            "trust.border_strips_forgeries is true: a pass below the Received field of the border is believed too. "
            "That is safe only if the border removes arriving fields with these names: "
            + ", ".join(trust.authserv_ids),
        )
    if own := sorted(settings.key_domains.intersection(trust.arc_sealers)):
        yield Finding(
            "note",
            "trust.arc-sealers-own",
            f"trust.arc_sealers: {', '.join(own)} belongs to a key of `keys`. A seal of yours is not believed: whoever "
            "has a message that passed once could send it again for ever. Behind your own border, use a passport",
        )
    yield from check_networks.findings(settings)


def _postfix(gate: Gate, settings: Config) -> Iterator[Finding]:
    yield from check_postfix.hosts(settings)
    yield from check_postfix.field_sizes(settings)
    yield from check_postfix.default_action(settings)


def _departure(gate: Gate, settings: Config) -> Iterator[Finding]:
    yield from check_departure.findings(gate)


def _sending(gate: Gate, settings: Config) -> Iterator[Finding]:
    yield from check_sending.findings(settings, gate.smtp)


def _keys(gate: Gate, settings: Config) -> Iterator[Finding]:
    if not gate.ring.signs():
        yield Finding(
            "warning",
            "keys.none",
            "keys: there is no key, so nothing is signed. Make one: `dkimgate keys new DOMAIN SELECTOR`",
        )
    for domain in sorted(gate.ring.names):
        kinds = {key.algorithm for key in gate.ring.of(domain)}
        if kinds == {"ed25519-sha256"}:
            yield Finding(
                "warning",
                "keys.only-ed25519",
                f"keys: {domain} has only an Ed25519 key, which many receivers can't verify: add an RSA key",
            )


def _policy(gate: Gate, settings: Config) -> Iterator[Finding]:
    signing = {rule.sign for rule in (*gate.policy.rules, gate.policy.default)}
    if signing == {Sign.NONE}:
        yield Finding("warning", "policy.signs-nothing", "no rule signs", file=settings.policy)
    if settings.forwarder is None:
        return
    forwarder = settings.forwarder.domain
    if not gate.policy.uses_forwarder and not gate.policy.seals:
        yield Finding(
            "note", "forwarder.unused", f"forwarder.domain {forwarder}: no rule says `sign: forwarder` or `seal: true`"
        )
    aligned = config_checks.aligned_with(forwarder, config_checks.hosted_domains(settings))
    if aligned:
        yield Finding(
            "warning",
            "forwarder.aligned",
            f"forwarder.domain {forwarder} may align with {', '.join(aligned)}: `sign: forwarder` does not sign their "
            "mail",
        )


def _sendmail(gate: Gate, settings: Config) -> Iterator[Finding]:
    """Where Postfix is told to ask us we can't see, so it is good to know and no more."""
    for rule, words, instead in unheard_refusals.refusals(gate.policy):
        yield Finding(
            "note",
            "policy.refusal-unheard",
            f"the rule {rule.name} says `{words}`, and it can match mail from sendmail(1) (`non_smtpd_milters`), "
            f"where nobody hears a refusal: {instead}. Use `hold` for such mail, or a condition without it (`origin: "
            "[submitted, inbound]`)",
            file=Path(gate.policy.file),
            line=rule.line or None,
        )


def _border(gate: Gate, settings: Config) -> Iterator[Finding]:
    roles = settings.roles
    if "border" not in roles and settings.passport is not None:
        yield Finding(
            "note",
            "passport.no-border",
            "`passport:` is set, but no listener here has `role: border`. That is right if the border is another host",
        )
    if gate.policy.seals and settings.passport is None:
        yield Finding(
            "note",
            "passport.none-with-seal",
            "`seal: true` without `passport:`: everyone who may call sendmail(1) here can write the fields of your "
            "border, and our seal repeats them",
        )
    if "border" in roles and settings.verify.when == "never":
        yield Finding(
            "warning",
            "verify.never-at-border",
            "a border with `verify: {when: never}` removes the results of others and has no results of its own",
        )


def _srs(gate: Gate, settings: Config) -> Iterator[Finding]:
    if settings.unalign is None:
        for rule in gate.policy.all_rules:
            if rule.envelope is EnvelopeAction.UNALIGN and rule.otherwise is not None:
                yield Finding(
                    "note",
                    "unalign.not-set",
                    f"unalign: not set, so senders can't be rewritten. A message that matches the rule {rule.name} and "
                    f'would pass SPF gets `{rule.otherwise}` (systemd/README.md, "Senders that are rewritten")',
                )
        return
    domain = settings.unalign.domain
    if "srs" not in settings.roles:
        yield Finding(
            "note",
            "unalign.no-srs-listener",
            f"unalign.domain {domain}: no listener here has `role: srs`. Bounces reach the original sender only if "
            "postsrsd or another host restores the address",
        )


_CHECKS: tuple[Callable[[Gate, Config], Iterator[Finding]], ...] = (
    _user,
    _credentials,
    _journal,
    _listeners,
    _trust,
    _postfix,
    _departure,
    _sending,
    _border,
    _srs,
    _keys,
    _policy,
    _sendmail,
)
