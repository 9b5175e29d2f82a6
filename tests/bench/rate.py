"""The main table: rate, latency, CPU and memory of each signer, in turns, round by round."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.bench import open_loop, openssl, peers, processes
from tests.bench.case import Case
from tests.bench.figures import Figure
from tests.bench.messages import forgery, own
from tests.bench.numbers import percentile, ratio
from tests.bench.peers import Key
from tests.bench.table import table
from tests.bench.world import World

LIBMILTER, DAEMON = "libmilter alone", "dkimgate's daemon alone"
OPENDKIM, RSPAMD, GATE = "OpenDKIM", "rspamd, signing only", "dkimgate"
REFUSED, BOTH, SEALED = "dkimgate, refused", "dkimgate, RSA+Ed25519", "dkimgate, refused+sealed"

_REFUSING = "    sign: none\n    envelope: unalign\n"
"""Where the shipped policy refuses what arrived badly."""


def run(world: World) -> str:
    """Measure, and return the tables."""
    rounds, seconds = (2, 0.7) if world.quick else (7, 3.0)
    units: list[float] = []
    with ExitStack() as stack:
        cases = _cases(world, stack)
        for case in cases.values():
            case.prove(world.records)
            case.send(0.3)
        for number in range(1, rounds + 1):
            world.say(f"round {number} of {rounds}")
            units.append(openssl.rsa_2048())
            # there and back: nobody always comes behind the same one
            for case in list(cases.values())[:: 1 if number % 2 else -1]:
                case.measure(seconds)
        memory = {name: processes.peak_memory(case.running.pid) for name, case in cases.items()}
        offered = median(cases[OPENDKIM].rates) / 2
        world.say(f"open loop: {offered:.0f} messages a second")
        compared = [cases[OPENDKIM], cases[RSPAMD], cases[GATE]]
        latency = open_loop.measure(compared, offered, *((1, 1.5) if world.quick else (5, 6.0)))
    world.figures += [*_figures(cases, units), open_loop.figure(latency, OPENDKIM, GATE)]
    world.data["rate"] = {
        "rsa2048_seconds": units,
        "cases": {name: {**case.as_json(), "peak_memory": memory[name]} for name, case in cases.items()},
        "open_loop": {"offered": offered, "latency_ms": open_loop.as_json(latency)},
    }
    return "\n".join([_table(cases, units, memory), open_loop.table_of(latency, offered), _about_the_load(cases)])


def _cases(world: World, stack: ExitStack) -> dict[str, Case]:
    """Every milter started, and what is to be measured of it, by name."""
    mine, theirs = own(), forgery()
    rsa, key, new, port = Key(world.key), world.key, world.new_folder, world.port
    shipped = (peers.ROOT / "config" / "policy.yaml").read_text()
    sealing = shipped.replace(_REFUSING, _REFUSING + "    seal: true\n")
    sealer: dict[str, object] = {"forwarder": {"domain": "forwarder.example"}}
    gate = peers.dkimgate(new("gate"), [rsa], port)
    sealed = peers.dkimgate(new("seal"), [rsa, Key(key, "forwarder.example")], port, policy=sealing, more=sealer)
    cases = [
        (LIBMILTER, peers.nothing_in_c(new("c")), mine, "accepted"),
        (OPENDKIM, peers.opendkim(new("od"), key), mine, "signed"),
        (RSPAMD, peers.rspamd(new("rs"), key), mine, "signed"),
        ("dkimpy-milter", peers.dkimpy_milter(new("dp"), key), mine, "signed"),
        (DAEMON, peers.nothing_in_dkimgate(new("nd"), port), mine, "accepted"),
        (GATE, gate, mine, "signed"),
        (REFUSED, gate, theirs, "accepted"),
        (BOTH, peers.dkimgate(new("two"), [rsa, Key(world.ed25519, selector="ed")], port), mine, "signed"),
        (SEALED, sealed, theirs, "sealed"),
    ]
    started: dict[Path, peers.Running] = {}
    for _, peer, _, _ in cases:
        if peer.folder not in started:
            started[peer.folder] = stack.enter_context(peers.started(peer))
    for running in started.values():
        world.say(f"{running.peer.name} answers after {running.wait():.1f} s")
    return {name: Case(name, started[peer.folder], mail, what, world.folder) for name, peer, mail, what in cases}


def _figures(cases: dict[str, Case], units: list[float]) -> list[Figure]:
    def cpu(name: str, over: list[float]) -> float:
        return ratio(cases[name].cpu, over)

    ceiling = [unit + daemon for unit, daemon in zip(units, cases[DAEMON].cpu, strict=True)]
    rates = {name: case.rates for name, case in cases.items()}
    return [
        Figure("signed/s, OpenDKIM 1", ratio(rates[GATE], rates[OPENDKIM]), 2.0, "higher"),
        Figure("signed/s, rspamd 1", ratio(rates[GATE], rates[RSPAMD]), 1.3, "higher"),
        Figure("CPU signed, RSA + daemon alone 1", cpu(GATE, ceiling), 1.3, "lower"),
        Figure("CPU refused, RSA 1", cpu(REFUSED, units), 1.0, "lower"),
        Figure("CPU RSA and Ed25519, RSA 1", cpu(BOTH, units), 2.8, "lower"),
        Figure("CPU refused and sealed, RSA 1", cpu(SEALED, units), 3.0, "lower"),
    ]


def _table(cases: dict[str, Case], units: list[float], memory: dict[str, int]) -> str:
    opendkim = cases[OPENDKIM].rates
    rows = [
        (
            name,
            f"{median(case.rates):.0f}",
            f"{ratio(case.rates, opendkim):.2f}",
            *(f"{percentile(case.latency, each):.1f}" for each in (50, 99)),
            f"{median(case.cpu) * 1000:.2f}",
            f"{ratio(case.cpu, units):.2f}",
            f"{memory[name] / 1e6:.0f}",
        )
        for name, case in cases.items()
    ]
    heads = ("8 connections, 5 KB", "msg/s", "ratio", "p50", "p99", "CPU", "in RSA", "MB")
    note = (
        "ratio: of the rate, OpenDKIM is 1. p50, p99: latency in ms. CPU: ms a message, all processes. "
        f"in RSA: the same in units of one bare RSA-2048 signature, {median(units) * 1000:.3f} ms. "
        "MB: memory at the highest, processes summed."
    )
    return table(heads, rows, note=note)


def _about_the_load(cases: dict[str, Case]) -> str:
    case = cases[LIBMILTER]
    used = median(case.load_cpu) * 1e6
    return (
        f"The load itself takes {used:.0f} us of CPU a message, and makes {median(case.rates):.0f} messages a second\n"
        "against a milter in C that does nothing (libmilter alone).\n"
    )
