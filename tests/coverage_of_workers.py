"""A plugin of pytest for `make check`: measures which lines and branches of dkimgate the workers run, into .coverage.json.

`python -m slipcover` would do it too, but it measures also the process that hands out the tests and runs none: five seconds more.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import slipcover

SOURCE = "milter/dkimgate"
RESULT = Path(".coverage.json")


class Measured:
    """In a worker. It begins before the first module of dkimgate is imported."""

    def __init__(self) -> None:
        self._lines = slipcover.Slipcover(branch=True, source=[SOURCE])
        slipcover.ImportManager(self._lines, slipcover.FileMatcher(sources=[SOURCE])).__enter__()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        session.config.workeroutput["coverage"] = json.dumps(self._lines.get_coverage())  # type: ignore[attr-defined]


class Merged:
    """Where the tests are handed out."""

    def __init__(self) -> None:
        self._whole: dict[str, Any] | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        found = json.loads(getattr(node, "workeroutput", {}).get("coverage", "null"))
        if found and self._whole:
            slipcover.merge_coverage(self._whole, found)
        else:
            self._whole = self._whole or found

    def pytest_unconfigure(self) -> None:
        if self._whole:
            RESULT.write_text(json.dumps(self._whole))


_plugin: Measured | Merged = Measured() if "PYTEST_XDIST_WORKER" in os.environ else Merged()


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_plugin)
