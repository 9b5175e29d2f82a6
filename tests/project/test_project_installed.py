"""What `make install` puts beside the program can be used there: the shipped policies, and their cases."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from dkimgate import cli

ROOT = Path(__file__).parents[2]


def test_the_shipped_policies_and_cases_work_where_they_are_installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["make", "-n", "install", f"PREFIX={tmp_path}"]
    recipe = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.replace("\\\n", " ")
    share = [line for line in recipe.splitlines() if re.search(rf"{re.escape(str(tmp_path))}/share/", line)]
    assert share
    for line in share:
        subprocess.run(["sh", "-ec", line], cwd=ROOT, check=True)
    documents = [file.relative_to(ROOT) for file in (ROOT / "README.md", *ROOT.glob("config/*.md"), *ROOT.glob("systemd/*.md"))]
    assert len(documents) >= 9
    assert [str(file) for file in documents if not (tmp_path / "share" / file).is_file()] == []
    cases = sorted((tmp_path / "share" / "config" / "policies" / "cases").glob("*.yaml"))
    assert len(cases) == len(list((ROOT / "config" / "policies" / "cases").glob("*.yaml")))
    assert cli.main(["policy", "test", *map(str, cases)]) == 0, capsys.readouterr().err
