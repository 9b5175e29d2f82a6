"""`dkimgate check`: load everything that the daemon would load, and say what a postmaster should know about it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from dkimgate.cli import (
    check_departure,
    check_findings,
    check_proof,
    check_sending,
    check_start,
)
from dkimgate.cli.check_proof import Proved
from dkimgate.cli.finding import Finding
from dkimgate.cli.help_text import Formatter
from dkimgate.cli.screen import BAD, DIM, DOUBT, GOOD, Cell, Screen
from dkimgate.config import dkimgate_yaml
from dkimgate.config.dkimgate_yaml import Config, Listener
from dkimgate.facts import Sign
from dkimgate.gate.gate import Gate
from dkimgate.policy.describe.explain import describe, does
from dkimgate.policy.language.model import Policy, Rule

_EPILOG = """\
Run it after every change: the daemon reloads only what passes this check. Errors have file, line and column. A policy
that lets a forgery leave as authentic mail is an error, and the command shows such a message. The command asks Postfix
and DNS for the addresses that mail leaves from, unless `departure:` names them. `dkimgate keys check` compares the
keys with DNS.

Each finding has a level: `problem` (the daemon would not start, or mail is deferred or unsigned), `warning` (probably
not what you want), `note` (good to know). With --json it also has a code, which stays the same in later versions.

examples:
  dkimgate check
  dkimgate check --policy new.yaml          is it safe, and does it fit the configuration?
  dkimgate check --json | jq -r '.findings[] | .code + ": " + .text'

exit status: 0 good or only notes; 1 a warning, or a problem with which the daemon starts; 2 the daemon would not
start, or the check can't run
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], text: str) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "check",
        help=text,
        description="Load configuration, policy and keys as the daemon does, and report what a postmaster should know.",
        epilog=_EPILOG,
        formatter_class=Formatter,
    )
    parser.add_argument(
        "--config", type=Path, default=dkimgate_yaml.DEFAULT_FILE, metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument(
        "--policy", type=Path, metavar="NEW.yaml", help="check this policy instead of the configured policy"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the overview. See the epilog for the exit status."""
    gate = Gate.load(options.config, dkimgate_yaml.load_whole(options.config), policy_file=options.policy)
    found = check_start.with_trials(check_findings.findings(gate), check_start.tried(options.config, gate.config))
    proved = check_proof.proved(gate.policy)
    if options.json:
        print(json.dumps(_as_json(options.config, gate, found, proved), indent=2))
    else:
        _print(options.config, gate, found, proved, Screen())
    if any(finding.stops for finding in found):
        return 2
    return 1 if any(finding.level != "note" for finding in found) else 0


def _listener(listener: Listener) -> str:
    return listener.socket + (f" ({listener.role})" if listener.role != "gate" else "")


def _print(file: Path, gate: Gate, found: list[Finding], proved: Proved, screen: Screen) -> None:
    settings = gate.config
    screen.line(f"{file}: loaded")
    screen.line()
    rows: list[tuple[str, str]] = [
        ("listens on", ", ".join(_listener(each) for each in settings.listen)),
        (
            "workers",
            f"{settings.worker_count} for each listener{_flat(settings)}, as "
            f"{settings.user or 'the user that starts it'}",
        ),
        ("our hosts", ", ".join(settings.trust.hosts) or "none"),
        ("our clients", ", ".join(map(str, settings.trust.networks)) or "none"),
        ("authserv-ids", ", ".join(settings.trust.authserv_ids) or "none"),
        ("ARC sealers", ", ".join(settings.trust.arc_sealers) or "none"),
        ("own checks", _own_checks(settings)),
        ("passports", _passports(gate, settings)),
        ("leaves from", check_departure.leaves_from(gate.way_out)),
        ("smtp breaks", check_sending.breaks(gate.smtp)),
        ("unalign", _unalign_domain(gate, settings)),
        ("forwarder", settings.forwarder.domain if settings.forwarder else "none"),
        ("journal", f"{settings.journal.file} (if it can't be written: {settings.journal.on_failure})"),
        ("policy", f"{settings.policy} (mode: {gate.policy.mode}, sha256:{gate.policy.digest[:12]}…)"),
    ]
    screen.table([[(name, DIM), value] for name, value in rows], indent=0)
    screen.title("Keys")
    screen.table([[key.domain, key.selector, _kind(key.algorithm, key.bits)] for key in gate.keys] or [["none"]])
    screen.title("Rules, the first that matches decides")
    screen.table([_rule(rule, gate.policy) for rule in gate.policy.all_rules])
    check_proof.show(gate.policy, proved, screen, gate.way_out.rests_on())
    screen.title("Findings")
    styles = {"problem": BAD, "warning": DOUBT, "note": DIM}
    screen.table([[(finding.level, styles[finding.level]), str(finding)] for finding in found] or [[("none", GOOD)]])


def _own_checks(settings: Config) -> str:
    verify = settings.verify
    if verify.when == "never":
        return "never"
    servers = ", ".join(map(str, verify.nameservers)) or "the system's resolvers"
    return f"{verify.when}, DMARC by {verify.dmarc}, asking {servers} for {verify.deadline:g} s at most"


def _passports(gate: Gate, settings: Config) -> str:
    if settings.passport is None or gate.secrets is None:
        return "none"
    changes = " and ".join(settings.passport.allow_changes) or "nothing"
    return f"{len(gate.secrets.all)} secrets, good for {settings.passport.max_age} s, {changes} may change"


def _flat(settings: Config) -> str:
    return " (one where its role is srs)" if "srs" in settings.roles else ""


def _unalign_domain(gate: Gate, settings: Config) -> str:
    if settings.unalign is None or gate.srs_secrets is None:
        return "none"
    count = len(gate.srs_secrets.all)
    return f"{settings.unalign.domain}, {count} secret{'s' if count != 1 else ''}"


def _kind(algorithm: str, bits: int) -> str:
    return f"RSA, {bits} bits" if algorithm == "rsa-sha256" else "Ed25519"


def _rule(rule: Rule, policy: Policy) -> list[Cell]:
    action = does(rule)
    style = GOOD if rule.sign is not Sign.NONE else ""
    if policy.mode_of(rule) == "observe":
        action, style = f"observes: {action}", DOUBT
    return [rule.name, (action, style), f"when {describe(rule.when)}" if rule.when is not None else "always"]


def _as_json(file: Path, gate: Gate, found: list[Finding], proved: Proved) -> dict[str, object]:
    settings = gate.config
    return {
        "config": str(file),
        "good": not any(finding.level != "note" for finding in found),
        "listen": [{"socket": each.socket, "role": each.role} for each in settings.listen],
        "trust": settings.trust.model_dump(mode="json"),
        "verify": settings.verify.model_dump(mode="json"),
        "passport": settings.passport.model_dump(mode="json", exclude={"secret_file"}) if settings.passport else None,
        "unalign": settings.unalign.domain if settings.unalign else None,
        "keys": [
            {"domain": key.domain, "selector": key.selector, "algorithm": key.algorithm, "bits": key.bits}
            for key in gate.keys
        ],
        "journal": str(settings.journal.file),
        "policy": {
            "file": str(settings.policy),
            "hash": f"sha256:{gate.policy.digest}",
            "mode": gate.policy.mode,
            "rules": [
                {
                    "name": rule.name,
                    "when": describe(rule.when),
                    "sign": rule.sign.value,
                    "disposition": rule.disposition.value,
                    "mode": gate.policy.mode_of(rule),
                }
                for rule in gate.policy.all_rules
            ],
        },
        "departure": check_departure.as_json(gate.way_out),
        "proof": check_proof.as_json(gate.policy, proved, gate.way_out.rests_on()),
        "findings": [{"level": finding.level, **finding.problem.as_json()} for finding in found],
    }
