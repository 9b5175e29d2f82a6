"""How long a command takes that a postmaster types."""

from __future__ import annotations

import subprocess
import sys
import time

from tests.bench import peers
from tests.bench.figures import Figure
from tests.bench.messages import forgery
from tests.bench.peers import Key
from tests.bench.table import table
from tests.bench.world import World


def run(world: World) -> str:
    """Measure, and return the table."""
    peer = peers.dkimgate(world.new_folder("gate"), [Key(world.key)], world.port)
    message = peer.folder / "message.eml"
    message.write_bytes(forgery().text)
    file = str(peer.folder / "dkimgate.yaml")
    commands = {
        "dkimgate --help": ["--help"],
        "dkimgate explain, one message": ["explain", str(message), "--config", file],
        "dkimgate check": ["check", "--config", file],
    }
    times = 3 if world.quick else 15
    seconds = {name: min(_seconds(words) for _ in range(times)) for name, words in commands.items()}
    world.figures += [
        Figure("dkimgate --help", seconds["dkimgate --help"], 0.15, "lower", "s"),
        Figure("dkimgate explain", seconds["dkimgate explain, one message"], 0.4, "lower", "s"),
    ]
    world.data["commands"] = seconds
    rows = [(name, f"{value:.2f}") for name, value in seconds.items()]
    return table(("command", "s"), rows, note=f"The quickest of {times}: what disturbs only adds.")


def _seconds(words: list[str]) -> float:
    began = time.monotonic()
    command = [sys.executable, "-m", "dkimgate", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=peers.ENVIRONMENT)
    if "Traceback" in done.stderr or not done.stdout:
        raise RuntimeError(f"dkimgate {' '.join(words)}:\n{done.stderr}")
    return time.monotonic() - began
