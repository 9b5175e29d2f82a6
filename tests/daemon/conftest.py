"""Daemons in processes of their own, on sockets in a short temporary folder (a unix socket's path has 107 bytes at most)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import running
from tests.running import Daemon, double


@pytest.fixture(scope="module", params=["built-in", pytest.param("pymilter", marks=pytest.mark.heavy)])
def library(request: pytest.FixtureRequest) -> Iterator[str]:
    """All that a daemon does it does with both milter libraries."""
    running.MILTER_LIBRARY["milter_library"] = request.param
    yield request.param
    running.MILTER_LIBRARY.clear()


@pytest.fixture
def folder(library: str) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="dkg-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Daemon]]:
    """`start(listen=..., workers=...)` writes a configuration, starts the double and waits until it says READY=1."""
    started: list[Daemon] = []

    def start_one(ready: bool = True, **settings: object) -> Daemon:
        daemon = double(folder, **settings)
        started.append(daemon)
        if ready:
            daemon.wait_for("READY=1")
        return daemon

    yield start_one
    for daemon in started:
        daemon.end()
