"""What launders: the proof, the backtest and `log` go by one function, and `log` tells of one thing more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dkimgate.cli.record_text import laundered
from dkimgate.facts import Arrival, Assessment, Decision, Departure, Facts, Origin, Sign, Spam
from dkimgate.message.message import Message
from dkimgate.policy.laundering import Law, broken
from dkimgate.record import record
from tests.world.keys import MadeWith

FORWARDED = Facts(author="hosted.example", hosted="hosted.example", origin=Origin.FORWARDED)
OWN = replace(FORWARDED, origin=Origin.SUBMITTED)
SPAM = Spam(True, 9.0, 5.0)
BOTH = (Law.SIGNATURE, Law.DEPARTURE)


@pytest.mark.parametrize(
    ("arrival", "sign", "departs", "laws", "told"),
    [
        (Arrival("fail"), Sign.AUTHOR, "pass", BOTH, True),
        (Arrival("fail"), Sign.NONE, "pass", (Law.DEPARTURE,), True),
        (Arrival("unknown"), Sign.FORWARDER, "pass", (Law.DEPARTURE,), True),
        (Arrival("temperror"), Sign.AUTHOR, "fail", (Law.SIGNATURE,), True),
        (Arrival("fail"), Sign.NONE, "fail", (), False),
        (Arrival("pass"), Sign.AUTHOR, "pass", (), False),
        (Arrival("none"), Sign.AUTHOR, "none", (), False),
        (Arrival("none", spam=SPAM), Sign.AUTHOR, "none", (Law.SIGNATURE,), True),
        (Arrival("pass", spam=SPAM), Sign.AUTHOR, "pass", (Law.SIGNATURE,), True),
        # spam that keeps the pass with which it came: nobody here is to blame, and who reads of the message is told
        (Arrival("pass", spam=SPAM), Sign.NONE, "pass", (), True),
        (Arrival("pass", spam=SPAM), Sign.NONE, "fail", (), False),
    ],
)
def test_what_breaks_the_first_law_and_what_log_tells_of(
    arrival: Arrival, sign: Sign, departs: str, laws: tuple[Law, ...], told: bool
) -> None:
    for facts in (replace(FORWARDED, arrival=arrival), replace(FORWARDED, arrival=arrival, origin=Origin.RELAYED)):
        assert broken(facts, sign, departs) == laws
        assert broken(facts, sign, None) == laws[: laws.count(Law.SIGNATURE)], "it stays: only a signature can be wrong"
        assert laundered(_record(facts, sign, departs)) is told
    own = replace(OWN, arrival=arrival)
    assert broken(own, sign, departs) == () and not laundered(_record(own, sign, departs))


def _record(facts: Facts, sign: Sign, departs: str) -> record.Record:
    assessment = Assessment(facts, Decision("rule", sign), Departure(departs, False, False))
    keys = [MadeWith()] if sign is Sign.AUTHOR else []
    return record.make(Message(), assessment, signatures=keys, time=0, ms=0, policy_hash="")
