"""The gate in this process, without sockets: for what is measured by its own CPU."""

from __future__ import annotations

import time
from collections.abc import Callable

from dkimgate.gate.gate import Gate
from dkimgate.message.limits import Collected
from dkimgate.message.message import Connection, Envelope, Message, split_message
from tests.bench import peers
from tests.bench.messages import DOMAIN, HOST, Mail
from tests.bench.peers import Key
from tests.bench.world import World


def gate_here(world: World, policy: str = "", **settings: object) -> Gate:
    """With the shipped policy or another text, as the daemon has it. `settings`: keys of dkimgate.yaml."""
    peer = peers.dkimgate(world.new_folder("here"), [Key(world.key)], world.port, policy=policy, more=settings)
    return Gate.load(peer.folder / "dkimgate.yaml")


def message_of(mail: Mail) -> tuple[Message, bytes]:
    """As the session hands it over, within the bounds of a header, and its body."""
    header, body = split_message(mail.text)
    kept = Collected(header)
    auth = f"ask@{DOMAIN}" if mail.macros else None
    connection = Connection(mail.client, HOST, HOST, auth, "smtpd")
    envelope = Envelope(f"ask@{DOMAIN}", ("you@receiver.example",))
    return Message(connection, envelope, tuple(kept.fields), "4F2A", kept.problem), body


def judge(gate: Gate, message: Message, body: bytes) -> None:
    """All that the daemon does for a message, but the sockets."""
    passage = gate.judge(message)
    for at in range(0, len(body), 65_535):
        if passage.wants_body:
            passage.body(body[at : at + 65_535])
    passage.end()


def cpu_of(work: Callable[[], object], least: float = 0.0, times: int = 1) -> float:
    """Seconds of CPU of this process for one call: the least of `times`, each of calls for at least `least` seconds."""
    best = float("inf")
    for _ in range(times):
        began, calls = time.process_time(), 0
        while calls == 0 or time.process_time() - began < least:
            work()
            calls += 1
        best = min(best, (time.process_time() - began) / calls)
    return best
