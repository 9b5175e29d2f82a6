"""A proxy in front of a real Postfix: with the PROXY protocol or XCLIENT the gate sees the true client, without it the proxy alone."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chain import dkimgate_signer, harness, servers, world
from tests.chain.namespace import Namespace, wait_until
from tests.needs import need

pytestmark = pytest.mark.servers

STRANGER = "198.51.100.66"
PLAIN, PROXY, POSTSCREEN = 25, 10025, 10026

CLIENT = """\
import socket, struct, sys
address, port, how, stranger, subject = sys.argv[1:]
connection = socket.create_connection((address, int(port)), 15, source_address=(address, 0))
if how == "proxy1":
    connection.sendall(f"PROXY TCP4 {stranger} {address} 4711 25\\r\\n".encode())
elif how == "proxy2":
    body = socket.inet_aton(stranger) + socket.inet_aton(address) + struct.pack("!HH", 4711, 25)
    connection.sendall(b"\\r\\n\\r\\n\\0\\r\\nQUIT\\n" + b"\\x21\\x11" + struct.pack("!H", len(body)) + body)
answers = connection.makefile("rb")
def said():
    while True:
        line = answers.readline()
        print(line)
        if line[3:4] != b"-":
            assert line[:1] in (b"2", b"3"), line
            return
def say(line):
    connection.sendall(line.encode() + b"\\r\\n")
    said()
said()
say("EHLO c.attacker.example")
if how == "xclient":
    say(f"XCLIENT NAME=[UNAVAILABLE] ADDR={stranger}")
    say("EHLO c.attacker.example")
say("MAIL FROM:<friend@hosted.example>")
say("RCPT TO:<you@hosted.example>")
say("DATA")
say("From: friend@hosted.example\\r\\nSubject: " + subject + "\\r\\n\\r\\nhello\\r\\n.")
say("QUIT")
"""


@dataclass(frozen=True, slots=True)
class Host:
    """One host with a Postfix that asks the gate on every port."""

    folder: Path
    namespace: Namespace
    address: str

    def record(self, port: int, how: str) -> dict[str, Any]:
        """The record of a message that a stranger sends by the proxy."""
        journal = dkimgate_signer.journal(self.folder)
        before = len(journal.read_bytes().splitlines()) if journal.exists() else 0
        self.namespace.run("python3", "-c", CLIENT, self.address, str(port), how, STRANGER, how, seconds=40)
        wait_until(
            lambda: journal.exists() and len(journal.read_bytes().splitlines()) > before,
            "no record",
            harness.DELIVERY_SECONDS,
        )
        told: dict[str, Any] = json.loads(journal.read_bytes().splitlines()[-1])
        return told


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    need(harness.missing())
    folder = Path(tempfile.mkdtemp(prefix="dkimgate-chain-"))
    folder.chmod(0o755)
    try:
        keys = world.make_keys(folder / "keys")
        postfix = servers.Postfix(world.FORWARDER, folder / "host")
        settings = {
            "listen": f"unix:{folder}/gate.sock",
            "socket_mode": "0666",
            "workers": 1,
            "policy": str(Path(__file__).parents[2] / "config/policy.yaml"),
            "trust": {"hosts": [world.FORWARDER], "networks": ["127.0.0.0/8", f"{postfix.address}/32"]},
            "keys": [
                {
                    "domain": world.HOSTED,
                    "selector": world.GATE_SELECTOR,
                    "file": str(keys.file(world.HOSTED, world.GATE_SELECTOR)),
                }
            ],
            "verify": {"when": "never"},
            "journal": {"file": str(dkimgate_signer.journal(folder))},
        }
        (folder / "gate.yaml").write_text(yaml.safe_dump(settings))
        postfix.configure(
            {
                "mydestination": "",
                "virtual_mailbox_domains": world.HOSTED,
                "virtual_transport": "discard:",
                "virtual_mailbox_maps": "static:inbox/",
                "smtpd_milters": f"unix:{folder}/gate.sock",
                "smtpd_authorized_xclient_hosts": postfix.address,
                "postscreen_greet_wait": "1s",
                "postscreen_cache_map": "",
            },
            (
                f"{PROXY} inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy",
                f"{POSTSCREEN} inet n - n - 1 postscreen -o postscreen_upstream_proxy_protocol=haproxy",
                "smtpd pass - - n - - smtpd",
                "dnsblog unix - - n - 0 dnsblog",
                "tlsproxy unix - - n - 0 tlsproxy",
            ),
        )
        shown = [(postfix.etc / name, Path("/etc/postfix") / name) for name in ("main.cf", "master.cf")]
        with Namespace(folder, world.ADDRESSES.values(), shown) as namespace:
            gate = namespace.start("gate", dkimgate_signer.PROGRAM, "run", "--config", folder / "gate.yaml")
            namespace.wait_for_socket(gate, folder / "gate.sock")
            running = namespace.start("postfix", *postfix.command)
            for port in (PLAIN, PROXY, POSTSCREEN):
                namespace.wait_for_port(running, postfix.address, port)
            yield Host(folder, namespace, postfix.address)
    finally:
        with suppress(OSError):
            shutil.rmtree(folder)


def test_a_proxy_that_hands_nothing_on_shows_itself_and_nothing_is_signed(host: Host) -> None:
    """The control: the stranger seems to be a client of ours."""
    told = host.record(PLAIN, "nothing")
    assert (told["client"]["ip"], told["origin"], told["relay"]) == (host.address, "relayed", False), told["origin_why"]
    assert told["decision"]["signatures"] == []


@pytest.mark.parametrize(
    ("port", "how"),
    [(PROXY, "proxy1"), (PROXY, "proxy2"), (POSTSCREEN, "proxy1"), (POSTSCREEN, "proxy2"), (PLAIN, "xclient")],
)
def test_the_gate_sees_the_true_client(host: Host, port: int, how: str) -> None:
    told = host.record(port, how)
    assert (told["client"]["ip"], told["origin"]) == (STRANGER, "inbound"), told["origin_why"]
    assert told["decision"]["signatures"] == []
