"""How fast Authentication-Results are read, beside authres: `python tests/authres/speed_of_results.py`.

CPU time over the fields of results_in_the_wild.yaml that both accept; it prints, and asserts nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import authres
import yaml

from dkimgate.authres.authentication_results import read

FIELDS = [
    row["field"] for row in yaml.safe_load((Path(__file__).parent / "results_in_the_wild.yaml").read_text("utf-8"))
]


def by_authres(text: str) -> None:
    """Parse with authres. Raises authres.AuthResError."""
    authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {text}")


def accepted(text: str) -> bool:
    """Do both read all of it?"""
    try:
        by_authres(text)
    except authres.AuthResError:
        return False
    return read(text).strict


def cost(reader: Callable[[str], object], fields: list[str], rounds: int) -> float:
    """Microseconds of CPU a field, the best of five runs."""
    times = []
    for _ in range(5):
        started = time.process_time()
        for _ in range(rounds):
            for field in fields:
                reader(field)
        times.append((time.process_time() - started) / rounds / len(fields) * 1e6)
    return min(times)


def main() -> None:
    """Print the three numbers."""
    fields = [field for field in FIELDS if accepted(field)]
    ours, theirs = cost(read, fields, 100), cost(by_authres, fields, 10)
    print(
        f"{len(fields)} fields: dkimgate {ours:.1f} us, authres {theirs:.1f} us a field: {theirs / ours:.1f} times as fast"
    )


if __name__ == "__main__":
    main()
