"""Medians, percentiles and ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that at least so many per cent of them don't exceed (nearest rank). ValueError where
    there are none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios, round by round: what disturbs the machine for a while disturbs both."""
    return median(our / their for our, their in zip(ours, theirs, strict=True))
