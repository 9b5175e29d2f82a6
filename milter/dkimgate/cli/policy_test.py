"""`dkimgate policy test`: does a policy decide about messages as its operator says that it must?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dkimgate import srs
from dkimgate.cli import stored
from dkimgate.cli.screen import BAD, DIM, GOOD, TITLE, Cell, Screen, complain
from dkimgate.config import yaml_file
from dkimgate.config.problem import ConfigError, Problem
from dkimgate.config.yaml_file import nearest
from dkimgate.dkim.keys import signing_key
from dkimgate.facts import Assessment
from dkimgate.gate.gate import Gate
from dkimgate.policy.decide import withheld
from dkimgate.policy.describe.explain import found_as, why_not
from dkimgate.policy.language import loader
from dkimgate.policy.language.model import Policy, Rule, leaves
from dkimgate.policy.language.vocabulary import value_of
from dkimgate.policy.proof import prove, report
from dkimgate.policy.testing import cases, expectations, stated_facts
from dkimgate.policy.testing.cases import Case, Suite
from dkimgate.policy.testing.expectations import Difference
from dkimgate.postfix.way_out import configured
from dkimgate.record.recordable import recordable


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of a case: nothing in `differences` is good. `why` tells the rest, a line each."""

    case: Case
    assessment: Assessment
    differences: list[Difference]
    why: list[tuple[str, str]]


def run(options: argparse.Namespace) -> int:
    """Run every file that can be run: 0 all is as expected, 1 something is not, 2 a file can't be run."""
    screen = Screen()
    status = total = failed = 0
    told: list[dict[str, Any]] = []
    for file in options.files:
        try:
            suite = cases.load(file)
            policy = _policy(suite, options.policy)
        except ConfigError as error:
            complain(*error.problems)
            status = 2
            continue
        verdicts = judge(suite, policy)
        # cases can't show it: who writes them may not think of every way
        proof = prove(policy)
        unsafe = sorted(report.refused(policy, proof))
        total += len(verdicts)
        failed += sum(bool(verdict.differences) for verdict in verdicts)
        if options.json:
            told.append(
                _as_json(suite, policy, verdicts)
                | {"unsafe": unsafe, "unproved": sorted(report.doubtful(policy, proof))}
            )
        else:
            _print(screen, suite, policy, verdicts, options.verbose)
            if unsafe:
                many = f"the rule{'s' if len(unsafe) > 1 else ''} {', '.join(unsafe)}"
                screen.line(
                    (
                        f"  the daemon does not start with this policy, because of {many} (dkimgate check shows why)",
                        BAD,
                    )
                )
                screen.line()
    if options.json:
        print(json.dumps({"files": told, "cases": total, "failed": failed}, indent=2))
    elif total:
        many = f"{total} case{'s' if total != 1 else ''}"
        screen.line((f"{many}, {failed} failed" if failed else f"{many}, all as expected", BAD if failed else GOOD))
    return status or (1 if failed else 0)


def _policy(suite: Suite, given: Path | None) -> Policy:
    """The policy under test: only its own mistakes keep it from being loaded, not what it would do to a daemon."""
    if given is not None:
        return loader.from_document(yaml_file.read(given))
    if suite.policy is None:
        raise ConfigError(
            Problem(
                "case.no-policy",
                "the file names no policy: write `policy: FILE` at the top, or use --policy FILE",
                suite.file,
            )
        )
    file, here = suite.policy.resolve(), Path.cwd()
    shown = file.relative_to(here) if file.is_relative_to(here) else file
    return loader.from_document(yaml_file.read(shown, f": correct `policy:` in {suite.file}"))


def judge(suite: Suite, policy: Policy) -> list[CaseResult]:
    """Every case by the policy. It need not be safe: what launders can be tested too."""
    keys = [signing_key(domain, "test", Ed25519PrivateKey.generate()) for domain in suite.world.keys]
    engine = Gate(suite.settings, policy, keys, None, (), srs.Secrets((b"a secret for tests",)))
    return [_judged(case, engine, suite, policy) for case in suite.cases]


def _judged(case: Case, engine: Gate, suite: Suite, policy: Policy) -> CaseResult:
    assessment = _assess(case, engine, suite)
    found = expectations.differences(case.expected, assessment)
    return CaseResult(case, assessment, found, _why(case, assessment, policy))


def _assess(case: Case, engine: Gate, suite: Suite) -> Assessment:
    if case.message is None:
        return engine.decided(recordable(stated_facts.facts(case.stated, suite.world)))
    session = case.session
    connection = stored.connection(session.client, session.helo, session.auth)
    message, body = stored.message_of(case.message, connection, session.sender, session.recipients)
    # never by the clock: a case that is good today is good tomorrow
    date = next((field.text for field in message.fields("date")), "")
    assessment = engine.assess(message, body, stored.arrived(message) or stored.when(date) or 0.0)
    if not case.stated:
        return assessment
    return engine.decided(recordable(stated_facts.state(assessment.facts, case.stated, suite.world)))


def _why(case: Case, assessment: Assessment, policy: Policy) -> list[tuple[str, str]]:
    """What explains the outcome: the rule that decided, why an expected one did not, and the facts that both ask
    for."""
    facts, decision = assessment.facts, assessment.decision
    deciding = policy.rule(decision.rule)
    rules = [deciding] if deciding else []
    why = [("decided", f"by {_place(policy, deciding)}")] if deciding else []
    names = next((each.wanted for each in case.expected if each.key == "rule"), ())
    for name in names if decision.rule not in names else ():
        wanted = policy.rule(name)
        if wanted is None:
            known = [rule.name for rule in policy.all_rules]
            why.append(("why", f"there is no rule {name!r}{nearest(name, known)}"))
            continue
        rules.append(wanted)
        reason = why_not(wanted, facts, decision.risk) or f"would also match, but {decision.rule} comes first"
        why.append(("why not", f"{_place(policy, wanted)}: {reason}"))
    held_back = withheld(deciding, facts) if deciding else None
    if deciding is not None and held_back is not None:
        why.append(("unsigned", f"sign: {deciding.sign}, but {held_back}"))
    if assessment.overruled is not None:
        why.append(("overruled", f"by the guard: {assessment.overruled}"))
    doors = [
        name
        for name, open_ in (("DKIM", assessment.departure.dkim_aligned), ("SPF", assessment.departure.spf_aligned))
        if open_
    ]
    if doors:
        why.append(("departure", f"dmarc={assessment.departure.dmarc}, by aligned {' and '.join(doors)}"))
    asked = dict.fromkeys(leaf.fact for rule in rules if rule.when for leaf in leaves(rule.when))
    if asked:
        why.append(
            ("facts", ", ".join(f"{name} is {found_as(value_of(name, facts, decision.risk))}" for name in asked))
        )
    if "risk" in asked and decision.risk.parts:
        why.append(("risk", " + ".join(f"{name} {weight:g}" for name, weight in decision.risk.parts)))
    return why


def _place(policy: Policy, rule: Rule) -> str:
    return f"{rule.name} ({policy.file}:{rule.line})" if rule.line else f"{rule.name} (not in the file)"


def _print(screen: Screen, suite: Suite, policy: Policy, verdicts: Sequence[CaseResult], verbose: bool) -> None:
    screen.line((f"{suite.file}", TITLE), (f"  tests {policy.file}", DIM))
    if verbose and any(verdict.case.message is not None for verdict in verdicts):
        screen.line((f"  of whole messages: {configured(suite.settings.departure).rests_on()}", DIM))
    for verdict in verdicts:
        failed = bool(verdict.differences)
        place = f"  {suite.file}:{verdict.case.line}" if failed else ""
        screen.line(
            ("  FAILED  " if failed else "  ok      ", BAD if failed else GOOD), verdict.case.name, (place, DIM)
        )
        if failed or verbose:
            screen.table(_details(verdict), indent=10)
    screen.line()


def _details(verdict: CaseResult) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for difference in verdict.differences:
        rows.append([difference.key, (f"expected {difference.expected}", GOOD)])
        rows.append(["", (f"found    {difference.found}", BAD)])
    if not verdict.differences:
        rows += [[each.key, f"is {_outcome(each, verdict.assessment)}"] for each in verdict.case.expected]
    return rows + [[(label, DIM), (text, DIM)] for label, text in verdict.why]


def _outcome(expected: expectations.Expectation, assessment: Assessment) -> str:
    if expected.condition is not None:
        return found_as(value_of(expected.key, assessment.facts, assessment.decision.risk))
    return expectations.told(expectations.decided(expected.key, assessment))


def _as_json(suite: Suite, policy: Policy, verdicts: Sequence[CaseResult]) -> dict[str, Any]:
    return {
        "file": str(suite.file),
        "policy": policy.file,
        "cases": [
            {
                "name": verdict.case.name,
                "line": verdict.case.line,
                "ok": not verdict.differences,
                "differences": [
                    {"key": each.key, "expected": each.expected, "found": each.found} for each in verdict.differences
                ],
                "decided": {key: expectations.decided(key, verdict.assessment) for key in expectations.DECIDED},
                "risk": verdict.assessment.decision.risk.score,
                "why": [{"about": label, "text": text} for label, text in verdict.why],
            }
            for verdict in verdicts
        ],
    }
