"""A message of 10 MB: what it costs, and what it leaves in memory."""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median

from tests.bench import peers, processes
from tests.bench.case import Case
from tests.bench.figures import Figure
from tests.bench.messages import WHITE_SPACE, own
from tests.bench.peers import Key
from tests.bench.table import table
from tests.bench.world import World

_SIZE = 10_000_000


def run(world: World) -> str:
    """Measure, and return the table."""
    rounds, seconds = (1, 0.5) if world.quick else (5, 1.0)
    key, text = world.key, own(_SIZE)
    with ExitStack() as stack:
        gate = peers.dkimgate(world.new_folder("gate"), [Key(key)], world.port)
        other = [
            peers.opendkim(world.new_folder("od"), key),
            peers.rspamd(world.new_folder("rs"), key),
            gate,
        ]
        running = {peer.name: stack.enter_context(peers.started(peer)) for peer in other}
        for each in running.values():
            each.wait()
        cases = [Case(name, each, text, "signed", world.folder) for name, each in running.items()]
        cases += [
            Case(f"dkimgate, {what}", running[gate.name], own(_SIZE, line), "signed", world.folder)
            for what, line in WHITE_SPACE.items()
        ]
        small = {name: Case(name, each, own(), "signed", world.folder) for name, each in running.items()}
        growth = {}
        for case in cases:
            pid = case.running.pid
            small[case.running.peer.name].send(0.3)
            processes.forget_peak(pid)
            before = processes.memory(pid)
            case.measure(seconds, connections=1)
            growth[case.name] = (processes.peak_memory(pid) - before) / 1e6
        for _ in range(rounds - 1):
            for case in cases:
                case.measure(seconds, connections=1)
    cpu = {case.name: median(case.cpu) * 1000 for case in cases}
    white = max(value for name, value in cpu.items() if name.startswith("dkimgate, "))
    ours = max(value for name, value in growth.items() if name.startswith("dkimgate"))
    world.figures += [
        Figure("10 MB of text, CPU", cpu["dkimgate"], 45, "lower", "ms"),
        Figure("10 MB of the worst white space, CPU", white, 120, "lower", "ms"),
        Figure("10 MB, growth of memory", ours, 4, "lower", "MB"),
    ]
    world.data["big"] = {"cpu_ms": cpu, "growth_mb": growth}
    rows = [(name, f"{cpu[name]:.0f}", f"{growth[name]:.1f}") for name in cpu]
    note = "CPU: ms a message, all processes. Growth: of the highest memory over that after small messages."
    return table(("10 MB, signed", "CPU", "growth MB"), rows, note=note)
