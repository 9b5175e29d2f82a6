"""decide and guard: the first rule that holds decides, and the law stands above every rule."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from dkimgate.config import yaml_file
from dkimgate.facts import Arrival, Decision, Disposition, EnvelopeAction, Facts, Origin, Sign, Spam
from dkimgate.policy.decide import decide, withheld
from dkimgate.policy.guard import refuses_envelope, refuses_signature
from dkimgate.policy.language.loader import from_document
from dkimgate.policy.language.model import Policy, Rule
from dkimgate.policy.verdict import guarded

OURS = Facts(author="hosted.example", hosted="hosted.example", origin=Origin.SUBMITTED, arrival=Arrival("none"))


def parse(rules: str, top: str = "") -> Policy:
    return from_document(yaml_file.parse(f"version: 1\n{top}\nrules:\n{rules}", Path("policy.yaml")))


def test_the_first_rule_that_holds_decides() -> None:
    policy = parse(
        "  - {name: one, when: {origin: inbound}, sign: none}\n"
        "  - {name: two, when: {origin: [submitted, inbound], from: hosted}, sign: author}\n"
        "  - {name: three, disposition: reject, text: go away}\n"
    )
    assert decide(OURS, policy) == Decision("two", Sign.AUTHOR)
    assert decide(replace(OURS, origin=Origin.INBOUND), policy).rule == "one"
    assert decide(replace(OURS, origin=Origin.LOCAL), policy) == Decision(
        "three", Sign.NONE, Disposition.REJECT, "go away"
    )


def test_the_default_decides_where_no_rule_holds() -> None:
    policy = parse(
        "  - {name: one, when: {origin: inbound}, sign: none}\n",
        "default: {sign: author, disposition: hold, text: look}",
    )
    assert decide(OURS, policy) == Decision("default", Sign.AUTHOR, Disposition.HOLD, "look")


def test_a_decision_has_the_risk_and_the_mode() -> None:
    policy = parse("  - {name: one, when: {risk: '>= 60'}, sign: none}\n", "mode: observe\nrisk: {dmarc: {fail: 60}}")
    decision = decide(replace(OURS, arrival=Arrival("fail")), policy)
    assert (decision.rule, decision.mode, decision.risk.score, decision.risk.parts) == (
        "one",
        "observe",
        60.0,
        (("dmarc=fail", 60.0),),
    )


WITHHELD = [
    (Sign.AUTHOR, OURS, None),
    (Sign.FORWARDER, OURS, None),
    (Sign.NONE, Facts(), None),
    (Sign.AUTHOR, replace(OURS, hosted=None), "no key is aligned with the author domain hosted.example"),
    (Sign.FORWARDER, replace(OURS, hosted=None), None),
    (
        Sign.AUTHOR,
        replace(OURS, author=None, author_problem="two From fields"),
        "there is no single author domain: two From fields",
    ),
    (
        Sign.FORWARDER,
        replace(OURS, author=None, author_problem="no From field"),
        "there is no single author domain: no From field",
    ),
    (
        Sign.FORWARDER,
        replace(OURS, forwarder_aligns=True),
        "the forwarder's domain is aligned with the author domain hosted.example",
    ),
    (Sign.AUTHOR, replace(OURS, forwarder_aligns=True), None),
    (
        Sign.AUTHOR,
        replace(OURS, own_signature=True),
        "it has a valid signature of ours for hosted.example already",
    ),
    (Sign.FORWARDER, replace(OURS, own_signature=True), None),
    (Sign.AUTHOR, replace(OURS, author=None), "there is no single author domain: unknown why"),
]


@pytest.mark.parametrize(("sign", "facts", "why"), WITHHELD)
def test_a_signature_that_cannot_be_made_is_not_promised(sign: Sign, facts: Facts, why: str | None) -> None:
    rule = Rule("rule", None, sign)
    assert withheld(rule, facts) == why
    decision = decide(facts, Policy(rules=(rule,)))
    assert decision.rule == "rule" and decision.sign is (Sign.NONE if why else sign)


OUTSIDE = replace(OURS, origin=Origin.FORWARDED, arrival=Arrival("pass"))
SPAM = Spam(True, 9.0, 5.0)
REFUSED = [
    (OUTSIDE, None),
    (replace(OUTSIDE, origin=Origin.INBOUND), None),
    (replace(OUTSIDE, arrival=Arrival("none")), None),
    (replace(OUTSIDE, arrival=Arrival("fail")), "it came from outside with dmarc=fail"),
    (replace(OUTSIDE, origin=Origin.INBOUND, arrival=Arrival("fail")), "it came from outside with dmarc=fail"),
    (replace(OUTSIDE, arrival=Arrival("fail"), relay=True), "it came from outside with dmarc=fail"),
    (replace(OUTSIDE, origin=Origin.RELAYED, arrival=Arrival("fail")), "it came from outside with dmarc=fail"),
    (replace(OUTSIDE, origin=Origin.RELAYED, arrival=Arrival("fail"), relay=True), None),
    (replace(OUTSIDE, arrival=Arrival("permerror")), "it came from outside with dmarc=permerror"),
    (replace(OUTSIDE, arrival=Arrival("temperror")), "it came from outside with dmarc=temperror"),
    (replace(OUTSIDE, arrival=Arrival("unknown")), "it came from outside with dmarc=unknown"),
    (replace(OUTSIDE, arrival=Arrival("PASS")), "it came from outside with dmarc=PASS"),
    (replace(OUTSIDE, arrival=Arrival("pass", spam=SPAM)), "it came from outside as spam"),
    (replace(OUTSIDE, arrival=Arrival("pass", spam=Spam(True, -9.0, 5.0))), "it came from outside as spam"),
    (replace(OUTSIDE, arrival=Arrival("pass", spam=Spam(False, 5.0, 5.0))), "it came from outside as spam"),
    (replace(OUTSIDE, arrival=Arrival("pass", spam=Spam(False, math.nan, 5.0))), "it came from outside as spam"),
    (replace(OUTSIDE, author=None), "there is not exactly one author domain"),
    (replace(OURS, author=None), "there is not exactly one author domain"),
    (replace(OURS, arrival=Arrival("fail", spam=SPAM)), None),
    (replace(OURS, origin=Origin.LOCAL, arrival=Arrival("none", spam=SPAM)), None),
]


@pytest.mark.parametrize(("facts", "why"), REFUSED)
def test_no_promotion_whatever_the_policy_says(facts: Facts, why: str | None) -> None:
    """Law 1: the guard stands behind a policy that signs everything."""
    assert refuses_signature(facts, Decision("everything", Sign.AUTHOR)) == why
    assert refuses_signature(replace(facts, forwarder_aligns=True), Decision("everything", Sign.FORWARDER)) == why
    assert refuses_signature(facts, Decision("nothing", Sign.NONE)) is None


def test_only_the_rules_that_allow_laundering_names_may_launder() -> None:
    """`allow_laundering` is the operator's word for one rule, and holds for both doors."""
    policy = parse(
        "  - {name: list, when: {sender: 'list@*'}, sign: author}\n  - {name: others, sign: author}\n",
        "allow_laundering: [list]\nlaundering_reason: members check it",
    )
    forged = replace(BY_SPF, unalignable=True)
    for facts, excused in ((replace(forged, sender="list@hosted.example"), True), (forged, False)):
        decision = decide(facts, policy)
        assert decision.laundering == ("members check it" if excused else None)
        assert (refuses_signature(facts, decision) is None) is excused
        assert (refuses_envelope(facts, decision) is None) is excused


BY_SPF = replace(OUTSIDE, arrival=Arrival("fail"), spf_passes=True)
WITH_SPF = "its envelope would pass SPF, though it came from outside with dmarc={}"


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (BY_SPF, WITH_SPF.format("fail")),
        (replace(BY_SPF, arrival=Arrival("unknown")), WITH_SPF.format("unknown")),
        (replace(BY_SPF, origin=Origin.INBOUND, arrival=Arrival("temperror")), WITH_SPF.format("temperror")),
        (replace(BY_SPF, origin=Origin.RELAYED), WITH_SPF.format("fail")),
        (replace(BY_SPF, author=None), WITH_SPF.format("fail")),
        (replace(BY_SPF, relay=True), WITH_SPF.format("fail")),  # `relay` says nothing where it was not relayed
        (replace(BY_SPF, origin=Origin.RELAYED, relay=True), None),
        (replace(BY_SPF, origin=Origin.SUBMITTED), None),
        (replace(BY_SPF, spf_passes=False), None),
        # it leaves as good as it came
        (replace(BY_SPF, arrival=Arrival("pass")), None),
        (replace(BY_SPF, arrival=Arrival("none")), None),
    ],
)
def test_the_second_door_has_a_guard_too(facts: Facts, why: str | None) -> None:
    """Law 1: behind a policy that accepts everything, the sender is rewritten, or else the message is held."""
    accepting = Decision("everything", Sign.NONE)
    assert refuses_envelope(facts, accepting) == why
    assert guarded(facts, accepting) == (
        accepting if why is None else replace(accepting, disposition=Disposition.HOLD),
        why,
    )
    unalignable = replace(facts, unalignable=True)
    unaligned = replace(accepting, envelope=EnvelopeAction.UNALIGN)
    assert guarded(unalignable, accepting) == (accepting if why is None else unaligned, why)
    for safe in (
        unaligned,
        replace(accepting, disposition=Disposition.REJECT),
        replace(accepting, disposition=Disposition.HOLD),
        replace(accepting, laundering="the operator says so"),
    ):
        assert refuses_envelope(facts, safe) is None


KEEP, UNALIGN = EnvelopeAction.KEEP, EnvelopeAction.UNALIGN
ACCEPT, HOLD, REJECT = Disposition.ACCEPT, Disposition.HOLD, Disposition.REJECT


@pytest.mark.parametrize(
    ("envelope", "spf_passes", "unalignable", "wanted", "otherwise", "decided"),
    [
        (KEEP, True, True, ACCEPT, None, (KEEP, ACCEPT)),
        (UNALIGN, False, False, ACCEPT, None, (KEEP, ACCEPT)),
        (UNALIGN, False, True, ACCEPT, REJECT, (KEEP, ACCEPT)),
        (UNALIGN, True, True, ACCEPT, REJECT, (UNALIGN, ACCEPT)),
        (UNALIGN, True, True, HOLD, None, (UNALIGN, HOLD)),
        # the sender can't be rewritten: it does not leave, whatever the rule would do otherwise
        (UNALIGN, True, False, ACCEPT, None, (KEEP, HOLD)),
        (UNALIGN, True, False, ACCEPT, REJECT, (KEEP, REJECT)),
        # it does not leave anyway
        (UNALIGN, True, False, REJECT, None, (KEEP, REJECT)),
        (UNALIGN, True, False, HOLD, REJECT, (KEEP, HOLD)),
    ],
)
def test_what_unalign_takes_never_leaves_with_an_envelope_that_passes(
    envelope: EnvelopeAction,
    spf_passes: bool,
    unalignable: bool,
    wanted: Disposition,
    otherwise: Disposition | None,
    decided: tuple[EnvelopeAction, Disposition],
) -> None:
    rule = Rule("rule", None, Sign.NONE, disposition=wanted, envelope=envelope, otherwise=otherwise)
    decision = decide(replace(OURS, spf_passes=spf_passes, unalignable=unalignable), Policy(rules=(rule,)))
    assert (decision.envelope, decision.disposition) == decided


def test_both_doors_are_told() -> None:
    signing = Decision("everything", Sign.AUTHOR)
    decision, why = guarded(BY_SPF, signing)
    assert (decision.sign, decision.disposition) == (Sign.NONE, Disposition.HOLD)
    assert why == f"it came from outside with dmarc=fail; {WITH_SPF.format('fail')}"


def test_the_forwarders_own_signature_is_no_promotion() -> None:
    bad = replace(OUTSIDE, arrival=Arrival("fail", spam=SPAM))
    assert refuses_signature(bad, Decision("rule", Sign.FORWARDER)) is None
    assert (
        refuses_signature(replace(bad, author=None), Decision("rule", Sign.FORWARDER))
        == "there is not exactly one author domain"
    )
