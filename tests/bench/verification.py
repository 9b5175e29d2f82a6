"""Our own SPF, DKIM (one signature) and DMARC with a warm cache, beside dkimpy's verification of the signature alone."""

from __future__ import annotations

import itertools
from dataclasses import replace

import dkim

from dkimgate.dkim.sent_body import SentBody
from dkimgate.evidence.gather import see
from dkimgate.gate.gate import Gate
from dkimgate.message.message import Connection, HeaderField, Message
from tests.bench.case import as_dns
from tests.bench.figures import Figure
from tests.bench.gate_here import cpu_of, gate_here, message_of
from tests.bench.messages import own
from tests.bench.numbers import ratio
from tests.bench.table import table
from tests.bench.world import World

_STRANGER = Connection("198.51.100.1", "mx.hosted.example", "mx.hosted.example", daemon="smtpd")


_MESSAGES = 200
"""More than are remembered: each is another one, as in mail, from the same domain by the same host."""


def run(world: World) -> str:
    """Measure, and return the table. RuntimeError where the message is not what it should be."""
    gate = gate_here(world, verify={"when": "always", "nameservers": ["127.0.0.1"], "port": world.port})
    arriving = [_arriving(gate, number) for number in range(_MESSAGES)]
    turn = itertools.cycle(arriving)

    def ours() -> set[str]:
        message, body, _ = next(turn)
        seen = see(message, gate.config)
        taken = SentBody()
        taken.update(body)
        found = gate.check(seen, taken.forms(), gate.resolver.lookup(), gate.now())
        return {f"{claim.method}={claim.result}" for claim in found}

    def theirs() -> bool:
        return bool(dkim.verify(next(turn)[2], dnsfunc=as_dns(world.records)))

    for _ in arriving:
        if not {"spf=pass", "dkim=pass", "dmarc=pass"} <= (told := ours()) or not theirs():
            raise RuntimeError(f"the message should pass: {sorted(told)}")
    rounds, seconds = (3, 0.2) if world.quick else (9, 1.0)
    own_cpu, dkimpy = zip(*((cpu_of(ours, seconds), cpu_of(theirs, seconds)) for _ in range(rounds)), strict=True)
    value = ratio(own_cpu, dkimpy)
    world.figures.append(Figure("own verification, dkimpy 1", value, 0.5, "lower"))
    world.data["verify"] = {"own": own_cpu, "dkimpy": dkimpy}
    rows = [
        ("dkimpy: one signature", f"{min(dkimpy) * 1000:.2f}", "1"),
        ("dkimgate: SPF, one signature, DMARC", f"{min(own_cpu) * 1000:.2f}", f"{value:.2f}"),
    ]
    return table(("CPU, ms a message", "least", "ratio"), rows)


def _arriving(gate: Gate, number: int) -> tuple[Message, bytes, bytes]:
    """A message that its domain's host has signed, its body, and the whole as text."""
    mail = own()
    text = mail.text.replace(b"Subject: ", b"Subject: %d " % number, 1)
    message, body = message_of(replace(mail, text=text))
    passage = gate.judge(message)
    passage.body(body)
    signed = tuple(HeaderField(name.encode(), value) for name, value in passage.end().fields)
    arriving = replace(message, connection=_STRANGER, header=(*signed, *message.header))
    header = b"".join(each.name + b":" + each.value.replace(b"\n", b"\r\n") + b"\r\n" for each in arriving.header)
    return arriving, body, header + b"\r\n" + body
