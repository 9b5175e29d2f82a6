"""`dkimgate policy show`: a policy as a table that one can read without knowing YAML."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from dkimgate.cli.screen import BAD, DIM, DOUBT, GOOD, TITLE, Cell, Screen
from dkimgate.config import dkimgate_yaml, yaml_file
from dkimgate.facts import Sign
from dkimgate.policy.describe import plain_words
from dkimgate.policy.language import loader
from dkimgate.policy.language.model import Policy, Rule
from dkimgate.policy.proof import prove, report

_ENFORCE = "This policy is in force."
_OBSERVE = (
    "THIS POLICY ONLY WATCHES: all mail of our domains is signed as if there were no gate. The records tell what the "
    "policy would do."
)
_RESTS_ON = (
    "The gate looks up SPF for the addresses that mail leaves from. If it does not know them, it assumes that every "
    "sender of the author's domain passes. `dkimgate check` tells which is true on this host."
)
_WORDS = (
    "DMARC tells whether mail comes from its author's domain. It uses SPF, the list of hosts that send for a domain, "
    "and DKIM, a signature.",
    "A signature for the author's domain makes DMARC pass at every receiver. In names and addresses, * means any text.",
)


def run(options: argparse.Namespace) -> int:
    """Show the policy."""
    given: Path | None = options.policy
    policy = (
        loader.load(dkimgate_yaml.load(options.config).policy)
        if given is None
        else loader.from_document(yaml_file.read(given))
    )
    if options.json:
        print(json.dumps(_as_json(policy), indent=2))
    else:
        _print(policy, Screen())
    return 0


def _print(policy: Policy, screen: Screen) -> None:
    screen.line(("The policy ", ""), (policy.file, TITLE))
    screen.line((_OBSERVE, DOUBT) if policy.mode == "observe" else (_ENFORCE, GOOD))
    screen.title("Rules: the first rule that matches a message decides")
    screen.table(_rules(policy), header=("", "rule", "matches a message if", "then the message is"))
    screen.title("Risk: what counts against a message")
    if policy.weights.parts or policy.weights.per_required:
        screen.table(_weights(policy), header=("adds", "if"))
        screen.table([[("Nothing lowers the risk. A message without any of these has a risk of 0.", DIM)]])
    else:
        screen.table([["Nothing: every message has a risk of 0."]])
    screen.title("Forgeries")
    screen.table([[line] for line in _laundering(policy)])
    screen.table([[(_RESTS_ON, DIM)]])
    screen.title("Words")
    screen.table([[(line, DIM)] for line in _WORDS])


def _rules(policy: Policy) -> list[list[Cell]]:
    rows: list[list[Cell]] = [
        [
            str(number),
            (rule.name, TITLE),
            plain_words.who(rule),
            ("; ".join(plain_words.does(rule, policy)), _style(rule)),
        ]
        for number, rule in enumerate(policy.rules, 1)
    ]
    default = policy.default
    return [
        *rows,
        [
            "",
            (default.name, TITLE),
            "no rule matches it",
            ("; ".join(plain_words.does(default, policy)), _style(default)),
        ],
    ]


def _style(rule: Rule) -> str:
    if not rule.disposition.leaves:
        return DOUBT
    return GOOD if rule.sign is not Sign.NONE else ""


def _weights(policy: Policy) -> list[list[Cell]]:
    weighty = [(weight, plain_words.part(name)) for name, weight in policy.weights.parts if weight]
    if policy.weights.per_required:
        spam = "its spam score is exactly the limit of the spam filter; other scores add in proportion"
        weighty.append((policy.weights.per_required, spam))
    return [[f"{weight:g}".rjust(7), text] for weight, text in sorted(weighty, key=lambda entry: -entry[0])]


def _laundering(policy: Policy) -> list[Cell]:
    proof = prove(policy)
    refused, doubtful = report.refused(policy, proof), report.doubtful(policy, proof)
    if refused:
        why = "these rules make mail look genuine that arrived badly from outside"
        return [
            (
                f"THE DAEMON REFUSES THIS POLICY: {why}: {', '.join(refused)}.",
                BAD,
            ),
            f"`dkimgate check --policy {policy.file}` shows such a message for each rule.",
        ]
    if doubtful:
        return [
            (
                "There is no proof that these rules never make mail look genuine that arrived badly from outside: "
                f"{', '.join(doubtful)}.",
                BAD,
            ),
            f"The guards stop every such message. `dkimgate check --policy {policy.file}` names the condition that is "
            "too hard to prove.",
        ]
    if not policy.allow_laundering:
        if policy.mode == "observe":
            return [
                "In force, no rule would make mail look genuine that arrived badly from outside. But this policy "
                "only watches, and stops nothing."
            ]
        return ["No rule makes mail look genuine that arrived badly from outside. This is proved, without exceptions."]
    names = ", ".join(policy.allow_laundering)
    return [
        (f"These rules are exceptions: they may make mail look genuine that arrived badly from outside: {names}.", BAD),
        f"The reason: {policy.laundering_reason}",
    ]


def _as_json(policy: Policy) -> dict[str, Any]:
    proof = prove(policy)
    return {
        "file": policy.file,
        "digest": f"sha256:{policy.digest}",
        "mode": policy.mode,
        "rules": [
            {
                "name": rule.name,
                "line": rule.line,
                "if": plain_words.who(rule),
                "then": plain_words.does(rule, policy),
                "mode": policy.mode_of(rule),
            }
            for rule in policy.all_rules
        ],
        "risk": [{"part": name, "if": plain_words.part(name), "adds": weight} for name, weight in policy.weights.parts],
        "risk_per_required_spam_score": policy.weights.per_required,
        "refused_for": report.refused(policy, proof),
        "unproved": report.doubtful(policy, proof),
        "allow_laundering": list(policy.allow_laundering),
        "laundering_reason": policy.laundering_reason,
    }
