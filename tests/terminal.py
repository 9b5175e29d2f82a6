"""A terminal for commands that look whether they have one."""

from __future__ import annotations

import os
import pty
import subprocess
import sys


def on_terminal(*arguments: str, **environment: str) -> str:
    """What a command prints on a terminal."""
    leader, follower = pty.openpty()
    env = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "dkimgate", *arguments],
        stdout=follower,
        stderr=follower,
        env={**env, "TERM": "xterm-256color", **environment},
    )
    os.close(follower)
    said = b""
    while True:
        try:
            part = os.read(leader, 65_536)
        except OSError:
            break
        if not part:
            break
        said += part
    process.wait(timeout=60)
    os.close(leader)
    return said.decode()
