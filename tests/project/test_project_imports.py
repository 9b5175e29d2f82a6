"""What a command imports, and what it puts off: told by names, for time is noise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.peers import ENVIRONMENT

HEAVY = ("pydantic", "rich", "yaml", "dns", "cryptography", "msgspec", "spf", "publicsuffixlist", "dkim")
ROOT = Path(__file__).parents[2]
FORGERY = b"From: a@hosted.example\nTo: b@receiver.example\nSubject: x\n\nx\n"
LISTED = "import json, sys; from dkimgate.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"


def imported(*words: str, more: str = "") -> set[str]:
    """The modules that a command has imported at its end."""
    script = f"{LISTED}{more}\nprint('modules', json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    return set(json.loads(done.stdout.splitlines()[-1].removeprefix("modules ")))


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["nosuch"], []])
def test_help_imports_no_library(words: list[str]) -> None:
    assert not imported(*words) & set(HEAVY)


def test_a_daemon_imports_nothing_that_paints_a_terminal() -> None:
    assert not {"rich", "dkim"} & imported("run", "--help")


def test_explain_imports_no_terminal_for_a_pipe_and_compiles_no_form_that_it_does_not_need(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text((ROOT / "config" / "policy.yaml").read_text())
    (tmp_path / "dkimgate.yaml").write_text(
        "listen: unix:/run/x\ntrust: {}\nkeys: []\nverify: {when: never}\ndeparture: {addresses: [192.0.2.1]}\n"
    )
    (tmp_path / "message.eml").write_bytes(FORGERY)
    more = """
from dkimgate.evidence import plain_forms
compiled = [name for name, form in plain_forms._FIELDS.items() if "compiled" in vars(form)]
assert not compiled and "compiled" not in vars(plain_forms._ONE_OF_THEM), compiled
"""
    words = ("explain", str(tmp_path / "message.eml"), "--config", str(tmp_path / "dkimgate.yaml"))
    found = imported(*words, more=more)
    assert not {"rich.console", "rich.table"} & found and "dkimgate.gate.gate" in found
