"""Memory of a worker over many messages, of which no two are the same."""

from __future__ import annotations

from tests.bench import peers, processes
from tests.bench.case import Case
from tests.bench.figures import Figure
from tests.bench.messages import every_one_another, forgery, own
from tests.bench.peers import Key, Running
from tests.bench.table import table
from tests.bench.world import World


def run(world: World) -> str:
    """Measure, and return the table."""
    total = 20_000 if world.quick else 1_000_000
    peer = peers.dkimgate(world.new_folder("gate"), [Key(world.key)], world.port)
    journal = peer.folder / "decisions.jsonl"
    with peers.started(peer) as running:
        running.wait()
        cases = [
            Case("signed", running, every_one_another(own()), "signed", world.folder),
            Case("refused", running, every_one_another(forgery()), "accepted", world.folder),
        ]
        sent, seen = 0, [(0, _largest(running))]
        while sent < total:
            for case in cases:
                sent += case.send(2.0 if world.quick else 10.0).messages
            with journal.open("r+") as file:
                file.truncate()  # it is opened for appending
            if sent >= seen[-1][0] + total / 10:
                seen.append((sent, _largest(running)))
                world.say(f"  {sent} messages: {seen[-1][1]:.1f} MB")
    growth = seen[-1][1] - seen[1][1]
    world.figures += [
        Figure(f"memory of a worker after {sent:,} messages", seen[-1][1], 60, "lower", "MB"),
        Figure(f"its growth from {seen[1][0]:,} messages on", growth, 1, "lower", "MB"),
    ]
    world.data["memory"] = seen
    rows = [(f"{count:,}", f"{memory:.1f}") for count, memory in seen]
    return table(("messages, signed and refused", "MB, the largest worker"), rows)


def _largest(running: Running) -> float:
    return max(processes.memory(pid) for pid in processes.family(running.pid)[1:]) / 1e6
