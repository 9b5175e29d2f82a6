"""Risk: the sum of the weights that a policy gives to the facts of a message."""

from __future__ import annotations

import math
from dataclasses import fields
from operator import attrgetter

from dkimgate.facts import Facts, HeaderSigns, Risk, Spam
from dkimgate.policy.language.model import Weights

MAX_PART = 1_000_000.0
"""No part of a risk is larger: a forged score of 1e308 must not make a sum that no longer is a number."""

DIGITS = 2
"""Decimals of a part and of the sum. The rounded number is the one that conditions compare, so a record shows why a
rule held."""

_every_sign = attrgetter(*(sign.name for sign in fields(HeaderSigns)))
_SIGNS = tuple((sign.name, f"header.{sign.name}") for sign in fields(HeaderSigns))


def spam_ratio(spam: Spam) -> float:
    """score / required, from 0 to MAX_PART. A value that is not a number, or can't be divided, counts as the worst."""
    if math.isnan(spam.score) or math.isnan(spam.required):
        return MAX_PART
    if spam.required <= 0:
        return MAX_PART if spam.score >= spam.required else 0.0
    ratio = max(spam.score, 0.0) / spam.required
    return MAX_PART if math.isnan(ratio) else min(ratio, MAX_PART)


def risk_of(facts: Facts, weights: Weights) -> Risk:
    """Add up what the policy's weights say about these facts.

    The result is finite and never negative; absent facts add nothing, and nothing lowers it.
    """
    present = _present(facts)
    parts = [(name, weight) for name, weight in weights.parts if name in present]
    parts.append(("spam", weights.per_required * spam_ratio(facts.arrival.spam)))
    rounded = [(name, round(min(part, MAX_PART), DIGITS)) for name, part in parts]
    counted = tuple([(name, part) for name, part in rounded if part > 0])
    return Risk(round(math.fsum([part for _, part in counted]), DIGITS), counted)


def _present(facts: Facts) -> set[str]:
    """The names of the parts that this message has, whether or not a policy gives them a weight."""
    arrival, header = facts.arrival, facts.header
    names = {f"dmarc={arrival.dmarc}", f"spf={arrival.spf}", f"dkim={arrival.dkim}", f"arc={arrival.arc}"}
    if facts.upstream.dmarc is not None:
        names.add(f"upstream.dmarc={facts.upstream.dmarc}")
    if any(_every_sign(header)):
        names.update(part for sign, part in _SIGNS if getattr(header, sign))
    return names
