"""A plugin of pytest for `make check`: writes .coverage.json, what the workers have run of dkimgate.

slipcover's own plugin measures in each worker, and merges what they found. `python -m slipcover` would measure the process that hands out the tests
too. It runs none of them, and measuring its imports takes five seconds.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def pytest_unconfigure() -> None:
    folder = os.environ.get("SLIPCOVER_COVERAGE_DIR")
    if folder and "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.move(Path(folder) / "merged.json", ".coverage.json")
        shutil.rmtree(folder)
