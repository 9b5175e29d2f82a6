"""What `make install` puts beside the program can be used there: the shipped policies, and their cases."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from dkimgate import cli
from tests.documents import DOCUMENTS, links_of, target_of

ROOT = Path(__file__).parents[2]


def test_the_shipped_policies_and_cases_work_where_they_are_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["make", "-n", "install", f"PREFIX={tmp_path}"]
    recipe = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.replace("\\\n", " ")
    share = [line for line in recipe.splitlines() if re.search(rf"{re.escape(str(tmp_path))}/share/", line)]
    assert share
    for line in share:
        subprocess.run(["sh", "-ec", line], cwd=ROOT, check=True)
    shipped = [file.relative_to(ROOT) for file in DOCUMENTS]
    assert [str(file) for file in shipped if not (tmp_path / "share" / file).is_file()] == []
    installed = [tmp_path / "share" / file for file in shipped]
    assert [
        (str(file), link) for file in installed for link in links_of(file) if not target_of(file, link).exists()
    ] == []
    cases = sorted((tmp_path / "share" / "config" / "policies" / "cases").glob("*.yaml"))
    assert len(cases) == len(list((ROOT / "config" / "policies" / "cases").glob("*.yaml")))
    assert cli.main(["policy", "test", *map(str, cases)]) == 0, capsys.readouterr().err
