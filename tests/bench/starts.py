"""From the start to the first message, with one key and with 10,000; and who waits for a reload."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.bench import peers
from tests.bench.case import Case
from tests.bench.figures import Figure
from tests.bench.messages import DOMAIN, own
from tests.bench.peers import Key, Late, Peer, Running
from tests.bench.table import table
from tests.bench.world import World, write_rsa

_DOMAINS, _FILES = 10_000, 2_500
_DIFFERENT = 20
"""So many of the files hold different keys: to make one takes a tenth of a second, and nobody compares them."""


def run(world: World) -> str:
    """Measure, and return the table."""
    limit, times = (20.0, 1) if world.quick else (300.0, 5)
    key, new, port = world.key, world.new_folder, world.port
    domains = _domains(world)
    keys = [Key(file, domain) for domain, file in domains]
    one = min(_first(world, peers.dkimgate(new("one"), [Key(key)], port), limit)[0] for _ in range(times))
    theirs_one = min(_first(world, peers.opendkim(new("od"), key), limit)[0] for _ in range(times))
    theirs = min(_first(world, peers.opendkim(new("od"), key, domains), limit)[0] for _ in range(times))
    many, calm, longest, reload = _first_and_reload(world, peers.dkimgate(new("many"), keys, port), limit)
    world.figures += [
        Figure("start to first message, 1 key", one, 0.6, "lower", "s"),
        Figure("start, 10,000 keys, OpenDKIM 1", many / theirs, 1.5, "lower"),
        Figure("reload, 10,000 keys, longest wait", longest, 0.2, "lower", "s"),
    ]
    told = {"one": one, "opendkim_one": theirs_one, "many": many, "opendkim_many": theirs}
    world.data["start"] = {**told, "calm_wait": calm, "reload_wait": longest, "reload": reload, "limit": limit}
    rows = [
        ("OpenDKIM, 1 key", f"{theirs_one:.2f}"),
        ("dkimgate, 1 key", f"{one:.2f}"),
        ("OpenDKIM, 10,000 keys of 2,500 files", f"{theirs:.2f}"),
        ("dkimgate, 10,000 keys of 2,500 files", f"{many:.2f}"),
        ("dkimgate, the same: a reload", f"{reload:.2f}"),
        ("  longest wait of a message without one", f"{calm:.2f}"),
        ("  longest wait of a message meanwhile", f"{longest:.2f}"),
    ]
    note = f"Seconds. {limit:.0f} is where we gave up. A start is the quickest of {times}."
    return table(("start to first message", "s"), rows, note=note)


def _domains(world: World) -> list[tuple[str, Path]]:
    """Four domains share a file; the one of our message is the last."""
    folder = world.new_folder("keys")
    folder.mkdir()
    texts = []
    for number in range(_DIFFERENT):
        file = folder / f"different{number}"
        write_rsa(file)
        texts.append(file.read_bytes())
    files = [folder / f"{number}.pem" for number in range(_FILES)]
    for number, file in enumerate(files):
        file.touch(0o600)
        file.write_bytes(texts[number % _DIFFERENT])
    names = [f"d{number}.hosted{number % 7}.example" for number in range(_DOMAINS - 1)]
    return [*((name, files[number // 4]) for number, name in enumerate(names)), (DOMAIN, world.key)]


def _first(world: World, peer: Peer, limit: float) -> tuple[float, Case | None]:
    """Seconds from the start of the process to the first signature, or the limit."""
    with peers.started(peer) as running:
        return _signed(world, running, limit)


def _signed(world: World, running: Running, limit: float) -> tuple[float, Case | None]:
    case = Case(running.peer.name, running, own(), "signed", world.folder)
    try:
        running.wait(limit)
    except Late:
        return limit, None
    case.prove(world.records)
    return time.monotonic() - running.began, case


def _first_and_reload(world: World, peer: Peer, limit: float) -> tuple[float, float, float, float]:
    """Seconds to the first message; the longest wait of a message, without a reload and with one; the reload."""
    seconds = 3.0 if world.quick else 10.0
    with peers.started(peer) as running:
        start, case = _signed(world, running, limit)
        if case is None:
            return limit, 0.0, limit, limit
        calm = max(case.send(seconds, 50, 64).latency) / 1000
        began = time.monotonic()
        running.process.send_signal(signal.SIGHUP)
        longest = 0.0
        while not (done := "reloaded:" in running.log()) and time.monotonic() < began + limit:
            longest = max(longest, *case.send(seconds, 50, 64).latency)
        return start, calm, longest / 1000 if done else limit, time.monotonic() - began
