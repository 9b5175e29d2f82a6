"""The real way of mail: smtp-source, a Postfix of our own with each milter at its own port, smtp-sink. Needs root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.bench import peers, processes
from tests.bench.messages import DOMAIN, HOST
from tests.bench.numbers import ratio
from tests.bench.peers import Key, Running
from tests.bench.table import table
from tests.bench.world import World
from tests.running import eventually, free_port

_SERVICES = """\
pickup     unix  n - n 60 1 pickup
cleanup    unix  n - n - 0 cleanup
qmgr       unix  n - n 300 1 qmgr
rewrite    unix  - - n - - trivial-rewrite
bounce     unix  - - n - 0 bounce
defer      unix  - - n - 0 bounce
trace      unix  - - n - 0 bounce
proxymap   unix  - - n - - proxymap
smtp       unix  - - n - - smtp
relay      unix  - - n - - smtp
error      unix  - - n - - error
retry      unix  - - n - - error
anvil      unix  - - n - 1 anvil
scache     unix  - - n - 1 scache
postlog    unix-dgram n - n - 1 postlogd
"""


@dataclass(slots=True)
class _Way:
    """A port of Postfix, the milter behind it, and what was measured: messages a second, CPU in seconds a message."""

    name: str
    port: int
    milter: Running | None
    rates: list[float] = field(default_factory=list)
    postfix: list[float] = field(default_factory=list)
    signer: list[float] = field(default_factory=list)


def run(world: World) -> str:
    """Measure, and return the table. RuntimeError where this is not root."""
    if os.geteuid() != 0:
        raise RuntimeError("a Postfix of our own needs root")
    rounds, count = (1, 200) if world.quick else (5, 3000)
    more = {"socket_mode": "0666", "trust": {"hosts": [HOST], "networks": ["127.0.0.1"], "relays": ["127.0.0.1"]}}
    gate = peers.dkimgate(world.new_folder("gate"), [Key(world.key)], world.port, more=more)
    opendkim = peers.opendkim(world.new_folder("od"), world.key)
    world.folder.chmod(0o711)
    with ExitStack() as stack:
        milters = [stack.enter_context(peers.started(each)) for each in (opendkim, gate)]
        for each in milters:
            each.wait()
        ways = [_Way("no milter", free_port(), None)]
        ways += [_Way(each.peer.name, free_port(), each) for each in milters]
        sink = free_port()
        master = stack.enter_context(_postfix(world.new_folder("postfix"), ways, sink))
        for way in ways:
            _send(way, master, sink, 20)
        for number in range(1, rounds + 1):
            world.say(f"round {number} of {rounds}")
            for way in ways:
                _measure(way, master, sink, count)
        _all_signed(gate.folder / "decisions.jsonl", rounds * count + 20)
    world.data["mail_path"] = {
        way.name: {"rates": way.rates, "postfix_cpu_seconds": way.postfix, "milter_cpu_seconds": way.signer}
        for way in ways
    }
    rows = [
        (
            way.name,
            f"{median(way.rates):.0f}",
            f"{ratio(way.rates, ways[0].rates):.2f}",
            f"{median(way.postfix) * 1000:.2f}",
            f"{median(way.signer) * 1000:.2f}",
        )
        for way in ways
    ]
    note = "Until the sink has the last message. CPU: ms a message, of all processes of Postfix and of the milter."
    return table(("smtp-source, Postfix, smtp-sink", "msg/s", "ratio", "CPU Postfix", "CPU milter"), rows, note=note)


def _measure(way: _Way, master: int, sink: int, count: int) -> None:
    before = processes.cpu(master), way.milter.cpu() if way.milter else 0.0
    way.rates.append(count / _send(way, master, sink, count))
    time.sleep(1)  # Postfix removes the last from its queue
    way.postfix.append((processes.cpu(master) - before[0]) / count)
    way.signer.append(((way.milter.cpu() if way.milter else 0.0) - before[1]) / count)


def _send(way: _Way, master: int, sink: int, count: int) -> float:
    """Seconds until the sink has so many messages."""
    taking = subprocess.Popen(["smtp-sink", "-u", "nobody", "-M", str(count), f"127.0.0.1:{sink}", "256"])
    try:
        time.sleep(0.3)
        began = time.monotonic()
        source = ["smtp-source", "-s", "8", "-m", str(count), "-l", "5000", "-f", f"ask@{DOMAIN}"]
        subprocess.run([*source, "-t", "you@receiver.example", f"127.0.0.1:{way.port}"], check=True)
        taking.wait(120)
        return time.monotonic() - began
    except (subprocess.SubprocessError, OSError) as error:
        raise RuntimeError(f"{way.name}: the mail did not pass: {error}") from None
    finally:
        taking.kill()
        taking.wait()


def _all_signed(journal: Path, count: int) -> None:
    """RuntimeError where the gate signed less."""
    text = journal.read_text()
    signed = sum('"signatures":[{' in line.replace(" ", "") for line in text.splitlines())
    if signed != count:
        raise RuntimeError(f"dkimgate signed {signed} of {count} messages:\n{text[:2000]}")


@contextmanager
def _postfix(folder: Path, ways: list[_Way], sink: int) -> Iterator[int]:
    """A Postfix that hands all mail to the sink; the process id of its master. Nothing of the host's is touched."""
    etc, log = folder / "etc", folder / "log"
    etc.mkdir(parents=True)
    for name in ("queue", "data"):
        (folder / name).mkdir()
    owner = pwd.getpwnam("postfix")
    shutil.chown(folder / "data", owner.pw_uid)
    settings = {
        "compatibility_level": "3.6",
        "myhostname": HOST,
        "mydestination": "",
        "queue_directory": folder / "queue",
        "data_directory": folder / "data",
        "maillog_file": "/dev/stdout",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "mynetworks": "127.0.0.0/8",
        "relayhost": f"[127.0.0.1]:{sink}",
        "alias_maps": "",
        "alias_database": "",
        "smtp_tls_security_level": "none",
        "milter_default_action": "tempfail",
        "in_flow_delay": "0",  # else Postfix holds a fast sender up for a second now and then
    }
    (etc / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    ports = ""
    for way in ways:
        milters = f"unix:{way.milter.peer.socket}" if way.milter else ""
        ports += f"127.0.0.1:{way.port} inet n - n - - smtpd\n  -o smtpd_milters={milters}\n"
    (etc / "master.cf").write_text(ports + _SERVICES)
    with log.open("wb") as out:
        process = subprocess.Popen(["postfix", "-c", str(etc), "start-fg"], stdout=out, stderr=out)
    try:
        if not eventually(lambda: b"daemon started" in log.read_bytes() or process.poll() is not None, 30):
            raise RuntimeError(f"Postfix does not start:\n{log.read_text()}")
        if process.poll() is not None:
            raise RuntimeError(f"Postfix ended:\n{log.read_text()}")
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)
