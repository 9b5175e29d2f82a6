"""What a sender can make long: CPU by size. Four times the text must take about four times the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dkimgate.gate.gate import Gate
from tests.bench import hostile_dns
from tests.bench.figures import Figure
from tests.bench.gate_here import cpu_of, gate_here, judge, message_of
from tests.bench.messages import FORGED_HEADER, WHITE_SPACE, Mail, own
from tests.bench.table import table
from tests.bench.world import World

Work = Callable[[Gate, int], Callable[[], object]]
"""What prepares a judgement of something so long (octets)."""

SIZES = (10_000, 100_000, 1_000_000, 4_000_000)
_LONGEST = 10.0
"""Seconds: after that the larger sizes are left out, and count as endless."""

_FIELDS = {
    "From": " Friend <ask@hosted.example>",
    "To": " you@receiver.example",
    "Subject": " plan",
    "Date": " Sat, 21 Nov 2026 16:20:20 +0000",
    "Message-ID": " <1@hosted.example>",
    "Received": " from a (b [192.0.2.9]) by mx.forwarder.example with ESMTP; Sat, 21 Nov 2026 16:20:20 +0000",
    "Authentication-Results": " mx.forwarder.example; dmarc=pass header.from=hosted.example",
    "Received-SPF": " pass (mx.forwarder.example: ok) client-ip=192.0.2.9; envelope-from=ask@hosted.example;",
    "X-Spam-Status": " No, score=1.0 required=3.0 tests=A",
    "DKIM-Signature": " v=1; a=rsa-sha256; d=hosted.example; s=default; c=relaxed/relaxed; h=from; bh=AAAA; b=AAAA",
    "ARC-Seal": " i=1; a=rsa-sha256; t=1; cv=none; d=hosted.example; s=default; b=AAAA",
    "ARC-Authentication-Results": " i=1; mx.forwarder.example; dmarc=pass header.from=hosted.example",
    "X-Dkimgate-Passport": " v=1; k=2026a; t=1; m=AAAA",
    "Content-Type": " text/plain; charset=utf-8",
    "X-Unknown": " word",
}
_UNITS = ("a", "(", "((\\)", '"\\', "a@b.example, ", "a=b; ", "=?utf-8?q?a?= ", "<", ",", ";", " \t", ".", "[1.2.3.4] ")


def run(world: World) -> str:
    """Measure, and return the table: for each kind of field the worst text."""
    gate = gate_here(world)
    sizes = SIZES[:3] if world.quick else SIZES
    units = _UNITS[:5] if world.quick else _UNITS
    judge(gate, *message_of(own()))
    found: dict[str, list[float]] = {}
    for kind, worst in _kinds(units):
        world.say(f"  {kind}")
        found[kind] = max((_by_size(gate, make, sizes) for make in worst), key=lambda times: times[-1])
    worst_time = max(times[-1] for times in found.values())
    steepest = max(growth(times) for times in found.values())
    size = f"{sizes[-1] / 1e6:.0f} MB"
    world.figures += [
        Figure(f"hostile text, {size}, the worst, CPU", worst_time * 1000, 100, "lower", "ms"),
        Figure("hostile text, 4 times 1 MB, the worst", steepest, 5, "lower", "x"),
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


def _name(size: int) -> str:
    return f"{size // 1_000_000} MB" if size >= 1_000_000 else f"{size // 1000} KB"


def growth(times: list[float]) -> float:
    """How many times the CPU at the last of `SIZES` that were tried is that at the one before, as if it were four times
    as long. What takes under 20 ms is noise, and counts as in proportion."""
    step = SIZES[len(times) - 1] / SIZES[len(times) - 2]
    return times[-1] / times[-2] * 4 / step if times[-1] > 0.02 else 4.0


def _kinds(units: tuple[str, ...]) -> Iterator[tuple[str, list[Work]]]:
    for name, value in _FIELDS.items():
        yield f"{name}, one", [_mail(_long_field(name, value, unit)) for unit in units]
        yield f"{name}, many", [_mail(_many_fields(name, value))]
    yield "body: white space", [_mail(_body(line)) for line in WHITE_SPACE.values()]
    yield from hostile_dns.kinds()


def _long_field(name: str, value: str, unit: str) -> Callable[[int], Mail]:
    """One field of that size: its usual value, then the unit again and again, folded as a sender may."""

    def make(size: int) -> Mail:
        line = unit * (900 // len(unit)) + "\r\n "
        return _with(f"{name}:{value} {line * (size // len(line))}\r\n")

    return make


def _many_fields(name: str, value: str) -> Callable[[int], Mail]:
    """So many of the usual ones that they have that size together."""
    line = f"{name}:{value}\r\n"
    return lambda size: _with(line * (size // len(line)))


def _with(fields: str) -> Mail:
    """The forgery with those fields below what our own hosts wrote."""
    header, _, rest = FORGED_HEADER.partition("From: ")
    return Mail((header + fields + "From: " + rest + "\r\nHello\r\n").encode(), "127.0.0.1")


def _body(line: bytes) -> Callable[[int], Mail]:
    return lambda size: own(size, line)


def _mail(make: Callable[[int], Mail]) -> Work:
    def prepare(gate: Gate, size: int) -> Callable[[], object]:
        message, body = message_of(make(size))
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
