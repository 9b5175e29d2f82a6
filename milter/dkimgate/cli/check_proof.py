"""What `dkimgate check` says about the proof that the policy can't launder."""

from __future__ import annotations

import time
from dataclasses import dataclass

from dkimgate.cli.screen import DIM, DOUBT, GOOD, Cell, Screen
from dkimgate.facts import Facts
from dkimgate.policy.language.model import Policy
from dkimgate.policy.proof import Overlap, Proof, overlaps, prove, report, uncovered


@dataclass(frozen=True, slots=True)
class Proved:
    """A proof, how long it took, in seconds, and what rules take from each other."""

    proof: Proof
    seconds: float
    overlaps: tuple[Overlap, ...]
    uncovered: Facts | None


def proved(policy: Policy) -> Proved:
    """Everything that can be proved about the policy."""
    start = time.perf_counter()
    proof = prove(policy)
    return Proved(proof, time.perf_counter() - start, overlaps(policy), uncovered(policy))


def show(policy: Policy, found: Proved, screen: Screen, rests_on: str) -> None:
    """Print the result of the proof, its assumptions, and for each rule a message that another rule takes first."""
    screen.title("Proof")
    launders = sorted({each.rule.name for each in found.proof.launders})
    but = f", except for {', '.join(launders)}" if launders else ""
    doubtful = report.doubtful(policy, found.proof)
    but += f", except for {', '.join(doubtful)} (too hard to prove, see the findings)" if doubtful else ""
    over = f"over {len(policy.rules)} rules in {found.seconds:.2g} s"
    screen.line(
        (f"  proved{but}", DOUBT if but else GOOD),
        ": no message that arrived badly from outside gets an aligned signature, and no message departs with a DMARC "
        f"pass without an arrival with pass ({over}). The DMARC result on departure is a prediction: {rests_on}.",
    )
    rows: list[list[Cell]] = [
        [each.rule.name, f"{each.taker.name} comes first", (report.summary(each.witness), DIM)]
        for each in found.overlaps
    ]
    if found.uncovered is not None:
        rows.append(["default", "takes all other mail", (report.summary(found.uncovered), DIM)])
    if rows:
        screen.line(
            ("  For information: if several rules match a message, the first decides. An example for each rule:", DIM)
        )
        screen.table(rows)


def as_json(policy: Policy, found: Proved, rests_on: str) -> dict[str, object]:
    """The same for a program."""
    proof = found.proof
    return {
        "safe": proof.safe,
        "rests_on": rests_on,
        "rules": len(policy.rules),
        "seconds": round(found.seconds, 3),
        "launders": [
            {"rule": each.rule.name, "law": each.law.value, "example": report.message(each.witness)}
            for each in proof.launders
        ],
        "unproved": [{"rule": each.rule.name, "law": each.law.value, "why": each.why} for each in proof.unproved],
        "overlaps": [
            {"rule": each.rule.name, "first": each.taker.name, "example": report.message(each.witness)}
            for each in found.overlaps
        ],
        "uncovered": report.message(found.uncovered) if found.uncovered is not None else None,
    }
