"""How many examples a law is shown by, from which seeds, and in how many pieces.

`DKIMGATE_EXAMPLES` (2,000) a law; pieces of 500, so that all cores have work. Piece n is drawn from `DKIMGATE_SEED` + n. By default
that is a fixed number, so that a change is judged by its own faults; `make laws` says `fresh`, a new seed each time. A failure names
its seed, and with it the same examples come again.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("DKIMGATE_EXAMPLES", "2000"))
FIXED = 461_977_026
_SEED = os.environ.get("DKIMGATE_SEED") or FIXED
SEED = secrets.randbelow(1 << 32) if _SEED == "fresh" else int(_SEED)
QUICK = 12
"""Examples in `make check`, where a law takes a tenth of a second."""

PIECE = 500

pieces = pytest.mark.parametrize(
    "piece",
    [
        pytest.param(None, id="quick"),
        *(pytest.param(at, marks=pytest.mark.heavy) for at in range(-(-EXAMPLES // PIECE))),
    ],
)


def show(law: Callable[..., None], piece: int | None, **drawn: st.SearchStrategy[object]) -> None:
    """Try to find a counter-example to a law. AssertionError where there is one, with the smallest that was found."""
    number = QUICK if piece is None else min(PIECE, EXAMPLES - piece * PIECE)
    seed = SEED + (piece or 0)
    thorough = settings(
        max_examples=number,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
    )

    # hypothesis counts by the function: each piece is one of its own
    def example(**values: object) -> None:
        law(**values)

    try:
        hypothesis.seed(seed)(thorough(given(**drawn)(example)))()
    except BaseException as error:
        error.add_note(
            f"the same again: DKIMGATE_SEED={SEED} DKIMGATE_EXAMPLES={EXAMPLES}, piece {piece} (seed {seed})"
        )
        raise


randoms = st.randoms(use_true_random=True)
"""A generator of its own for each example: shrinking changes nothing but its seed, which takes a fifth of the time."""
