"""What a sender can make long: CPU by size. Four times the text must take about four times the time."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from dkimgate.gate.gate import Gate
from dkimgate.message.message import Connection
from tests.bench import hostile_dns, hostile_fields, peers
from tests.bench.figures import Figure
from tests.bench.gate_here import cpu_of, gate_here, judge, message_of
from tests.bench.messages import DOMAIN, HOST, SELECTOR, WHITE_SPACE, Mail, own
from tests.bench.table import table
from tests.bench.world import World

Work = Callable[[Gate, int], Callable[[], object]]
"""What prepares a judgement of something so long (octets)."""

SIZES = (10_000, 100_000, 500_000, 1_000_000, 4_000_000)
"""Octets. A header beyond 512 KiB is not read further, so the third is the dearest."""


@dataclass(frozen=True, slots=True)
class Way:
    """Who hands a message in, and to which listener."""

    connection: Connection
    role: str = "gate"


_STRANGER = Connection("192.0.2.66", "client.attacker.example", "client.attacker.example", daemon="smtpd")
WAYS = (
    Way(Connection("127.0.0.1", "localhost", "localhost", daemon="smtpd")),  # to be sent on
    Way(_STRANGER),
    Way(_STRANGER, "border"),
    Way(Connection("192.0.2.7", "laptop", "laptop", f"ask@{DOMAIN}", "smtpd")),  # a user: it is signed
)
_LONGEST = 10.0
"""Seconds: after that the larger sizes are left out, and count as endless."""


def run(world: World) -> str:
    """Measure, and return the table: for each kind of field the worst text."""
    gate = _gate(world)
    sizes = SIZES[:3] if world.quick else SIZES
    units = hostile_fields.UNITS[: 4 if world.quick else None]
    judge(gate, *message_of(own()))
    found: dict[str, list[float]] = {}
    for kind, worst in _kinds(units):
        world.say(f"  {kind}")
        found[kind] = max((_by_size(gate, make, sizes) for make in worst), key=max)
    worst_time = max(map(max, found.values()))
    steepest = max(growth(times) for times in found.values())
    world.figures += [
        Figure(f"hostile text of up to {_name(sizes[-1])}, the worst, CPU", worst_time * 1000, 100, "lower", "ms"),
        Figure("hostile text of four times the size, the worst", steepest, 5, "lower", "x"),
    ]
    world.data["hostile"] = {"sizes": sizes, "cpu_seconds": found}
    heads = ("CPU in ms, the worst text", *(_name(each) for each in sizes))
    rows = [(kind, *(f"{each * 1000:.1f}" for each in times)) for kind, times in found.items()]
    return table(
        heads,
        rows,
        note="The gate without sockets. A DNS record has 65 KB at most. "
        f"inf: not tried, the size before took over {_LONGEST:g} s.",
    )


def _gate(world: World) -> Gate:
    """With all that reads a header: checks of every message, passports, a policy that seals."""
    secret = world.new_folder("secret")
    secret.touch(0o600)
    secret.write_text(f"2026a:{base64.b64encode(bytes(range(32))).decode()}\n")
    policy = (peers.ROOT / "config" / "policy.yaml").read_text()
    return gate_here(
        world,
        policy.replace(
            "    sign: none\n    envelope: unalign", "    sign: none\n    seal: true\n    envelope: unalign"
        ),
        forwarder={"domain": "forwarder.example"},
        keys=[{"domain": each, "selector": SELECTOR, "file": str(world.key)} for each in (DOMAIN, "forwarder.example")],
        passport={"secret_file": str(secret)},
        trust={"hosts": [HOST], "authserv_ids": [HOST], "networks": ["127.0.0.0/8"], "arc_sealers": [DOMAIN]},
        verify={"when": "always", "nameservers": ["127.0.0.1"], "port": world.port},
    )


def _name(size: int) -> str:
    return f"{size // 1_000_000} MB" if size >= 1_000_000 else f"{size // 1000} KB"


def growth(times: list[float]) -> float:
    """How many times the CPU is at most, where the text is four times as long: from each of the `SIZES` that were tried
    to the next. What takes under 20 ms is noise, and counts as in proportion."""
    steps = [longer / shorter for shorter, longer in itertools.pairwise(SIZES)]
    grown = [
        after / before * 4 / step
        for (before, after), step in zip(itertools.pairwise(times), steps, strict=False)
        if after > 0.02
    ]
    return max(grown, default=4.0)


def _kinds(units: tuple[str, ...]) -> Iterator[tuple[str, list[Work]]]:
    """Each unit goes one of the ways, so that each kind goes them all."""
    ways = list(zip(units, itertools.cycle(WAYS), strict=False))
    for name, value in hostile_fields.FIELDS.items():
        told = name.encode("ascii", "backslashreplace").decode()
        for kind, make in (("one", hostile_fields.one), ("many long", hostile_fields.long_ones)):
            yield f"{told}, {kind}", [_fields(make(name, value, unit), way) for unit, way in ways]
        yield f"{told}, many", [_fields(hostile_fields.many(name, value), way) for way in WAYS]
    yield "a field's name", [_fields(lambda size: b"X" * size + b": a\r\n", way) for way in WAYS]
    yield "body: white space", [_mail(_body(line)) for line in WHITE_SPACE.values()]
    yield from hostile_dns.kinds()


def _fields(make: Callable[[int], bytes], way: Way) -> Work:
    return _mail(lambda size: Mail(hostile_fields.in_forgery(make(size)), "127.0.0.1"), way)


def _body(line: bytes) -> Callable[[int], Mail]:
    return lambda size: own(size, line)


def _mail(make: Callable[[int], Mail], way: Way | None = None) -> Work:
    def prepare(gate: Gate, size: int) -> Callable[[], object]:
        message, body = message_of(make(size))
        if way is not None:
            message = replace(message, connection=way.connection, role=way.role)
        return lambda: judge(gate, message, body)

    return prepare


def _by_size(gate: Gate, prepare: Work, sizes: tuple[int, ...]) -> list[float]:
    times: list[float] = []
    for size in sizes:
        if times and times[-1] > _LONGEST:
            times.append(float("inf"))
            continue
        work = prepare(gate, size)
        first = cpu_of(work)
        times.append(min(first, cpu_of(work, times=2)) if first < 0.5 else first)
    return times
