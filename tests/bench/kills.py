"""Workers that are killed under load: who notices, beside the messages that such a worker has in hand?"""

from __future__ import annotations

import os
import signal
import time

from tests.bench import peers, processes
from tests.bench.figures import Figure
from tests.bench.load import Sender, finish
from tests.bench.messages import own
from tests.bench.peers import Key
from tests.bench.table import table
from tests.bench.world import World

_CONNECTIONS = 300


def run(world: World) -> str:
    """Measure, and return the table."""
    seconds = 6 if world.quick else 30
    peer = peers.dkimgate(world.new_folder("gate"), [Key(world.key)], world.port)
    with peers.started(peer) as running:
        running.wait()
        process = Sender(world.folder, own()).start(peer.socket, seconds, connections=_CONNECTIONS)
        kills, in_hand = 0, 0
        for second in range(1, seconds):
            time.sleep(1)
            workers = processes.family(running.pid)[1:]
            if workers:
                kills += 1
                in_hand += _kill(workers[second % len(workers)])
        load = finish(process)
    lost, unsigned = load.counts["failed"], load.messages - load.counts["signed"]
    errors = max(0, lost - in_hand) + load.counts["refused_connections"] + unsigned
    world.figures.append(Figure("errors beyond the messages in a killed worker", errors, 0, "lower"))
    world.data["kill"] = {"kills": kills, "in_hand": in_hand, "messages": load.messages, **load.counts}
    rows = [
        ("workers killed", f"{kills}"),
        ("messages signed", f"{load.counts['signed']}"),
        ("messages without a signature", f"{unsigned}"),
        ("connections that the killed workers had", f"{in_hand}"),
        ("connections lost", f"{lost}"),
        ("connections refused", f"{load.counts['refused_connections']}"),
    ]
    return table((f"{_CONNECTIONS} connections, {seconds} s", ""), rows)


def _kill(pid: int) -> int:
    """How many connections that worker had. It is stopped first: then it takes no further one while we count."""
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + 1
    while not processes.is_stopped(pid) and time.monotonic() < end:
        time.sleep(0.002)
    connections = processes.open_sockets(pid) - 1  # the one that it listens on
    os.kill(pid, signal.SIGKILL)
    return connections
