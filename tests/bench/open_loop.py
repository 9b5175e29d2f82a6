"""Latency where messages arrive at random times, whatever the milter does: nobody waits for it before he sends."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from tests.bench.case import Case
from tests.bench.figures import Figure
from tests.bench.numbers import percentile, ratio
from tests.bench.table import table

CONNECTIONS = 64
"""So many that a message hardly ever waits for a free one; where it does, that counts."""

PERCENTS = (50, 90, 99, 99.9)

Latency = dict[str, list[dict[float, float]]]
"""By name, and round by round: the percentiles in ms."""


def measure(cases: Sequence[Case], offered: float, rounds: int, seconds: float) -> Latency:
    """Offer so many messages a second to each in turn."""
    found: Latency = {case.name: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            load = case.send(seconds, offered, CONNECTIONS)
            found[case.name].append({each: percentile(load.latency, each) for each in PERCENTS})
    return found


def figure(latency: Latency, peer: str, gate: str) -> Figure:
    """The p99 of the gate, in that of the peer."""
    ours, theirs = ([each[99] for each in latency[name]] for name in (gate, peer))
    return Figure("p99 latency, open loop, OpenDKIM 1", ratio(ours, theirs), 1.0, "lower")


def as_json(latency: Latency) -> dict[str, list[dict[str, float]]]:
    """For the report."""
    return {name: [{str(key): value for key, value in each.items()} for each in told] for name, told in latency.items()}


def table_of(latency: Latency, offered: float) -> str:
    """The medians of the rounds."""
    rows = [
        (name, *(f"{median(each[percent] for each in rounds):.1f}" for percent in PERCENTS))
        for name, rounds in latency.items()
    ]
    heads = (f"{offered:.0f} messages/s offered", *(f"p{percent:g}" for percent in PERCENTS))
    return table(
        heads, rows, note="Latency in ms, from the time at which the message arrives. Half of OpenDKIM's full rate."
    )
