"""The chart of the README, from a report."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from tests.bench.chart import Bar, chart

_SHOWN = ("OpenDKIM", "rspamd, signing only", "dkimpy-milter", "dkimgate", "dkimgate, refused")

BUSY = 0.5
"""A load average (1 minute, before the start) above this is told: the milters had to share the cores with others."""


def picture(report: Mapping[str, Any]) -> str:
    """Messages a second, and CPU a message in RSA signatures, with machine and date."""
    told = report["tables"]["rate"]
    cases = {name: told["cases"][name] for name in _SHOWN if name in told["cases"]}
    unit = median(told["rsa2048_seconds"])
    rates = [(name, median(case["rates"])) for name, case in cases.items()]
    costs = [(name, median(case["cpu_seconds"]) / unit) for name, case in cases.items()]
    parts = [
        ("Messages a second (more is better)", [_bar(name, value, f"{value:.0f}") for name, value in rates]),
        (
            "CPU a message, in bare RSA-2048 signatures (less is better)",
            [_bar(name, value, f"{value:.1f}") for name, value in costs],
        ),
    ]
    busy = (
        f" Other programs were busy there (load {report['load_before']:.0f})." if report["load_before"] > BUSY else ""
    )
    caption = f"5 KB, RSA-2048, relaxed/relaxed, 8 connections. {report['date']}, {report['machine']}.{busy}"
    return chart(parts, caption)


def _bar(name: str, value: float, text: str) -> Bar:
    return Bar(name, value, text, ours=name.startswith("dkimgate"))
