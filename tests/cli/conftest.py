"""What the tests of the commands share."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from dkimgate.cli.demo_world import demo_file
from tests.cli.decisions import own, phish
from tests.world.host import configured


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of a host: a key, secrets, the policy that is shipped."""
    configured(tmp_path, rules=demo_file("policy.yaml").decode())
    (tmp_path / "dkimgate.yaml").unlink()
    return tmp_path


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal with two rotated files; its mail comes a minute apart."""
    file = tmp_path / "decisions.jsonl"
    with gzip.open(tmp_path / "decisions.jsonl.2.gz", "wb") as old:
        old.write(own("OLD1", -2000))
    (tmp_path / "decisions.jsonl.1").write_bytes(phish("OLD2", -1000))
    file.write_bytes(b"".join(own(f"OWN{n}", n) for n in range(12)) + phish("BAD1", 20) + own("OWN99", 21))
    return file
