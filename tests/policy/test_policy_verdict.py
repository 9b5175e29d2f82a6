"""From the decision to what really leaves: which signature is made, and what the next receiver's DMARC says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dkimgate.facts import Arrival, Decision, Disposition, EnvelopeAction, Facts, Holds, Origin, Sign
from dkimgate.policy.language.model import Policy, Rule
from dkimgate.policy.verdict import departs, reach, signature_made

OURS = Facts(author="hosted.example", hosted="hosted.example", origin=Origin.SUBMITTED, arrival=Arrival("none"))
FORGED = replace(OURS, origin=Origin.FORWARDED, arrival=Arrival("fail"), spf_passes=True, unalignable=True)
NO_KEY = replace(OURS, hosted=None)
AUTHOR, FORWARDER, NONE = Sign.AUTHOR, Sign.FORWARDER, Sign.NONE


@pytest.mark.parametrize(
    ("facts", "sign", "mode", "made", "dmarc", "holds"),
    [
        (OURS, AUTHOR, "enforce", AUTHOR, "pass", Holds.YES),
        (OURS, NONE, "enforce", NONE, "none", Holds.NONE),
        (NO_KEY, AUTHOR, "enforce", NONE, "none", Holds.NONE),
        # the forwarder's signature holds, and opens no door: it is not aligned
        (OURS, FORWARDER, "enforce", FORWARDER, "none", Holds.YES),
        (replace(OURS, forwarder_aligns=True), FORWARDER, "enforce", NONE, "none", Holds.NONE),
        # what a rule decides that only observes does not happen: what is hosted is signed, as if there were no gate
        (OURS, NONE, "observe", AUTHOR, "pass", Holds.YES),
        (OURS, FORWARDER, "observe", AUTHOR, "pass", Holds.YES),
        (NO_KEY, FORWARDER, "observe", NONE, "none", Holds.NONE),
        (FORGED, NONE, "observe", AUTHOR, "pass", Holds.YES),
        # it bears a signature of ours that is valid as it leaves
        (replace(OURS, own_signature=True), AUTHOR, "observe", NONE, "pass", Holds.YES),
    ],
)
def test_the_departure_is_that_of_the_signature_which_is_made(
    facts: Facts, sign: Sign, mode: str, made: Sign, dmarc: str, holds: Holds
) -> None:
    rule = Rule("rule", None, sign, mode="observe" if mode == "observe" else None)
    reached = reach(facts, Policy(rules=(rule,)))
    assert (reached.made, reached.departure.dmarc, reached.departure.signature_holds) == (made, dmarc, holds)


@pytest.mark.parametrize(
    ("mode", "unalignable", "disposition", "unaligned", "departs"),
    [
        ("enforce", True, Disposition.ACCEPT, True, "fail"),
        ("enforce", False, Disposition.HOLD, False, "pass"),  # if a person releases it
        ("observe", True, Disposition.ACCEPT, False, "pass"),
    ],
)
def test_a_rewritten_sender_counts_where_it_is_rewritten(
    mode: str, unalignable: bool, disposition: Disposition, unaligned: bool, departs: str
) -> None:
    rule = Rule("rule", None, Sign.NONE, mode="observe" if mode == "observe" else None)
    facts = replace(FORGED, hosted=None, unalignable=unalignable)
    reached = reach(facts, Policy(rules=(replace(rule, envelope=EnvelopeAction.UNALIGN),)))
    assert (reached.decision.disposition, reached.unaligned) == (disposition, unaligned)
    assert (reached.departure.dmarc, reached.overruled) == (departs, None)
    guarded = reach(facts, Policy(rules=(rule,)))  # without `unalign`, the guard comes to the same
    assert (guarded.decision, guarded.unaligned) == (reached.decision, unaligned)
    assert guarded.overruled is not None and guarded.departure == reached.departure


@pytest.mark.parametrize(
    ("facts", "sign"), [(NO_KEY, AUTHOR), (replace(OURS, forwarder_aligns=True), FORWARDER), (OURS, NONE)]
)
def test_what_cannot_be_made_is_not_made_whoever_decided_so(facts: Facts, sign: Sign) -> None:
    """A recorded decision, say: law 4, in doubt unsigned."""
    assert signature_made(facts, sign, observed=False) is NONE
    assert departs(facts, Decision("rule", sign)).signature_holds is Holds.NONE
