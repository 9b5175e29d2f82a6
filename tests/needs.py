"""What a test needs of the machine it runs on."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


def need(missing: str | None) -> None:
    """Skip the test where something is missing; fail it in CI, where a test that never runs would go unnoticed."""
    if missing is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


def need_root(what_for: str) -> None:
    """`need` root; `what_for` says what only root may do here."""
    need(None if os.geteuid() == 0 else f"needs root, {what_for}")


def need_program(name: str) -> None:
    """`need` a program in PATH."""
    need(f"{name} is not installed: `make test` installs it" if shutil.which(name) is None else None)


def need_namespace(*kinds: str) -> None:
    """`need` namespaces of these kinds (`--mount`, `--net`), which only root can make, and not where its root is no mount point."""
    need_root("to make a namespace")
    tried = subprocess.run(["unshare", *kinds, "true"], capture_output=True, text=True, check=False)
    need(None if tried.returncode == 0 else f"no namespace can be made here: {tried.stderr.strip()}")
