"""The tests run to their end whoever starts them: nohup(1), a CI that ignores signals, a shell's `&`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

IGNORED = """
import signal, subprocess, sys
for number in (signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if sys.argv[2] == "as the tests are":
    exec(open(sys.argv[1]).read())
child = "import os, signal; print(open('/proc/self/status').read().partition('SigIgn:')[2].split()[0])"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True).stdout)
"""


@pytest.mark.parametrize(
    ("how", "ignored"), [("as the tests are", set()), ("as they were started", {signal.SIGINT, signal.SIGHUP})]
)
def test_what_a_test_starts_can_be_interrupted(how: str, ignored: set[signal.Signals]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", IGNORED, str(CONFTEST), how], capture_output=True, text=True, check=True
    )
    mask = int(ran.stdout, 16)
    assert {number for number in (signal.SIGINT, signal.SIGHUP) if mask & 1 << (number - 1)} == ignored
