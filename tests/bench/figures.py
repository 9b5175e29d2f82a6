"""The figures that have a goal: each is a ratio within one run, or a count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `better` says on which side of the goal it should be; the goal itself is reached."""

    name: str
    value: float
    goal: float
    better: Literal["higher", "lower"]
    unit: str = ""

    @property
    def reached(self) -> bool:
        """Is it where it must be?"""
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal

    def as_json(self) -> dict[str, object]:
        """For the report."""
        return {
            "name": self.name,
            "value": round(self.value, 4),
            "goal": self.goal,
            "better": self.better,
            "unit": self.unit,
            "reached": self.reached,
        }

    def row(self) -> tuple[str, str, str, str]:
        """For the table of figures."""
        sign = "≥" if self.better == "higher" else "≤"
        value = f"{self.value:.2f}".rstrip("0").rstrip(".")
        return (
            self.name,
            f"{value} {self.unit}".strip(),
            f"{sign} {self.goal:g} {self.unit}".strip(),
            "reached" if self.reached else "MISSED",
        )
