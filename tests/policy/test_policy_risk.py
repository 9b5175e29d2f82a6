"""The risk: which parts it has, and that no number an attacker writes makes it anything but a finite sum."""

from __future__ import annotations

import math

import pytest

from dkimgate.facts import Arrival, Facts, HeaderSigns, Risk, Spam, Upstream
from dkimgate.policy.language.model import Weights
from dkimgate.policy.risk import MAX_PART, risk_of, spam_ratio

WEIGHTS = Weights(
    (
        ("dmarc=fail", 100.0),
        ("dmarc=unknown", 40.0),
        ("spf=fail", 20.0),
        ("spf=softfail", 10.0),
        ("dkim=fail", 10.0),
        ("arc=fail", 1.0),
        ("upstream.dmarc=fail", 60.0),
        ("header.from_equals_to", 5.0),
        ("header.return_path_mismatch", 5.5),
        ("header.message_id_missing", 6.0),
    ),
    50.0,
)
GOOD = Arrival("pass")


def facts(arrival: Arrival = GOOD, upstream: str | None = None, header: HeaderSigns | None = None) -> Facts:
    return Facts(arrival=arrival, upstream=Upstream(upstream), header=header or HeaderSigns())


TABLE = [
    (facts(), 0.0, ()),
    (facts(Arrival("fail", spam=Spam(True, 14.9, 3.0))), 348.33, (("dmarc=fail", 100.0), ("spam", 248.33))),
    (facts(Arrival()), 40.0, (("dmarc=unknown", 40.0),)),
    (
        facts(Arrival("none", "softfail", "fail", "fail")),
        21.0,
        (("spf=softfail", 10.0), ("dkim=fail", 10.0), ("arc=fail", 1.0)),
    ),
    (facts(Arrival("none", "none", "none", "none")), 0.0, ()),
    (facts(upstream="fail"), 60.0, (("upstream.dmarc=fail", 60.0),)),
    (facts(upstream="pass"), 0.0, ()),
    (facts(header=HeaderSigns(True, True, True)), 16.5, tuple(WEIGHTS.parts[7:])),
    (facts(Arrival("pass", spam=Spam(False, -100.0, 5.0))), 0.0, ()),
    (facts(Arrival("pass", spam=Spam(False, 4.999, 5.0))), 49.99, (("spam", 49.99),)),
    (facts(Arrival("pass", spam=Spam(True, 5.0, 5.0))), 50.0, (("spam", 50.0),)),
    (facts(Arrival("temperror")), 0.0, ()),
]


@pytest.mark.parametrize(("found", "score", "parts"), TABLE)
def test_the_parts_of_a_risk(found: Facts, score: float, parts: tuple[tuple[str, float], ...]) -> None:
    assert risk_of(found, WEIGHTS) == Risk(score, parts)


def test_without_weights_there_is_no_risk() -> None:
    assert risk_of(facts(Arrival("fail", spam=Spam(True, 99.0, 1.0))), Weights()) == Risk(0.0, ())


SPAM = [
    (Spam(False, 0.0, 5.0), 0.0),
    (Spam(False, -3.0, 5.0), 0.0),
    (Spam(True, 7.5, 5.0), 1.5),
    (Spam(True, 1e308, 1e-308), MAX_PART),
    (Spam(True, math.inf, 5.0), MAX_PART),
    (Spam(False, -math.inf, 5.0), 0.0),
    (Spam(False, math.nan, 5.0), MAX_PART),
    (Spam(False, 1.0, math.nan), MAX_PART),
    (Spam(True, math.inf, math.inf), MAX_PART),
    (Spam(False, 0.0, 0.0), MAX_PART),
    (Spam(False, -1.0, 0.0), 0.0),
    (Spam(True, 1.0, -5.0), MAX_PART),
    (Spam(False, -9.9, -5.0), 0.0),
]


@pytest.mark.parametrize(("spam", "ratio"), SPAM)
def test_a_spam_score_that_makes_no_sense_counts_as_the_worst(spam: Spam, ratio: float) -> None:
    assert spam_ratio(spam) == ratio


@pytest.mark.parametrize("spam", [spam for spam, _ in SPAM])
def test_a_risk_is_always_finite(spam: Spam) -> None:
    risk = risk_of(facts(Arrival("fail", spam=spam)), Weights((("dmarc=fail", MAX_PART),), MAX_PART))
    assert math.isfinite(risk.score) and 0 <= risk.score <= 2 * MAX_PART
