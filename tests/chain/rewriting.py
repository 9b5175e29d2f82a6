"""A Postfix with the gate in its smtpd_milters, and behind it a host that writes down what it is told: what becomes of a sender in between."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from dkimgate.srs import new_secret
from tests.chain import world
from tests.chain.namespace import Namespace, missing_for_namespaces, wait_until
from tests.chain.servers import Postfix
from tests.needs import need, need_program
from tests.running import ENVIRONMENT, ROOT, Daemon

PROGRAMS = ("postfix", "smtp-sink", "unshare", "nsenter", "ip", "ss")


def need_machine() -> None:
    """Skip, with the reason, where the programs or namespaces are missing."""
    for program in PROGRAMS:
        need_program(program)
    need(missing_for_namespaces())


STRANGER = world.ADDRESSES[world.ATTACKER]

# swaks and smtplib mend addresses; this says just what it is given
_CLIENT = """
import json, socket, sys
told = json.load(sys.stdin)
with socket.create_connection((told["to"], 25), 20, (told["from"], 0)) as connection, connection.makefile("rb") as said:
    def reply():
        while (line := said.readline())[3:4] == b"-":
            pass
        return line.decode()
    answers = [reply()]
    for line in told["lines"]:
        connection.sendall(line.encode() + b"\\r\\n")
        answers.append(reply())
        if answers[-1][:1] in ("4", "5", ""):
            break
print(json.dumps(answers))
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the next host was told: the argument of MAIL FROM, and the From field; and the gate's record. `refused` is Postfix's answer
    where it does not take the message."""

    sender: str = ""
    author: str = ""
    record: dict[str, Any] = field(default_factory=dict)
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Host:
    """The Postfix, its gate, and the host behind it."""

    folder: Path
    namespace: Namespace
    daemon: Daemon
    environment: dict[str, str]

    def send(
        self, sender: str, author: str, client: str = STRANGER, *, recipient: str = world.VICTIM, held: bool = False
    ) -> Seen:
        """Hand in one message; `sender` stands in MAIL FROM between the angle brackets, `author` is the value of From. What is held comes to
        no next host."""
        self._forget()
        lines = [f"EHLO {world.ATTACKER}", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA"]
        text = [
            f"From: {author}",
            f"To: {world.VICTIM}",
            "Subject: x",
            "Date: Sat, 21 Nov 2026 16:20:25 +0000",
            "",
            "Pay me.",
            ".",
        ]
        to = world.ADDRESSES[world.FORWARDER]
        told = {"to": to, "from": client, "lines": [*lines, "\r\n".join(text), "QUIT"]}
        answers = json.loads(self.namespace.run(sys.executable, "-c", _CLIENT, text=json.dumps(told).encode()))
        if not answers[-1].startswith("221"):
            return Seen(refused=answers[-1].strip())
        return self._seen(held)

    def sendmail(self, sender: str, author: str) -> Seen:
        """Hand it in by sendmail(1), which shows milters the message in cleanup(8)."""
        self._forget()
        text = f"From: {author}\nTo: {world.VICTIM}\nSubject: x\nDate: Sat, 21 Nov 2026 16:20:25 +0000\n\nPay me.\n"
        self.namespace.run("sendmail", "-i", "-f", sender, world.VICTIM, text=text.encode())
        return self._seen(held=False)

    def _forget(self) -> None:
        self.daemon.forget()
        for file in self.sunk():
            file.unlink()

    def _seen(self, held: bool) -> Seen:
        if held:
            (record,) = self.daemon.records()
            return Seen(record=record)
        wait_until(lambda: len(self.sunk()) == 1, "a message at the next host", 15)
        (text_there,) = (file.read_text() for file in self.sunk())
        (record,) = self.daemon.records()
        return Seen(
            _line(text_there, "X-Mail-Args").removeprefix("<").partition(">")[0], _line(text_there, "From"), record
        )

    def check(self) -> str:
        """What `dkimgate check` says, in one line."""
        command = [sys.executable, "-m", "dkimgate", "check", "--config", str(self.daemon.file)]
        return " ".join(
            subprocess.run(command, env=self.environment, capture_output=True, check=False, text=True).stdout.split()
        )

    def sunk(self) -> list[Path]:
        """What has come to the next host, whole."""
        return [file for file in (self.folder / "sink").iterdir() if "\n\nPay me.\n" in _text_of(file)]


def _text_of(file: Path) -> str:
    """smtp-sink(1) takes a file away again whose session ended without a message."""
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""


def _line(text: str, name: str) -> str:
    found = re.search(rf"^{name}: (.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


@contextmanager
def started(
    settings: dict[str, str],
    services: tuple[str, ...] = (),
    departure: dict[str, object] | None = None,
    *,
    enforce: bool = False,
) -> Iterator[Host]:
    """A host whose Postfix has these settings, and in master.cf these lines. The gate asks that Postfix, and is told no more than
    `departure`; it has the shipped policy, in force or watching."""
    folder = Path(tempfile.mkdtemp(prefix="dkg-"))
    folder.chmod(0o755)
    daemon: Daemon | None = None
    try:
        postfix = Postfix(world.FORWARDER, folder / "postfix")
        base = {
            "smtpd_milters": f"unix:{folder}/milter.sock",
            "non_smtpd_milters": f"unix:{folder}/milter.sock",
            "relay_domains": world.RECEIVER_DOMAIN,
            "relayhost": f"[{world.ADDRESSES[world.RECEIVER]}]:25",
            "smtpd_relay_restrictions": "reject_unauth_destination",
            "mydestination": "",
            "smtp_dns_support_level": "disabled",
            "smtp_host_lookup": "native",
            "inet_interfaces": "127.0.0.1",  # else postalias(1), which the gate asks outside of the namespace, does nothing
        }
        own = () if "inet_interfaces" in settings else (f"{postfix.address}:smtp inet n - n - - smtpd",)
        postfix.configure(base | settings, (*services, *own))
        secret = folder / "srs.secret"
        secret.touch(mode=0o600)
        secret.write_text(new_secret() + "\n")
        policy = (ROOT / "config" / "policy.yaml").read_text()
        (folder / "policy.yaml").write_text(policy if enforce else policy.replace("mode: enforce", "mode: observe"))
        (folder / "sink").mkdir()
        shutil.chown(folder / "sink", "nobody")
        # MAIL_CONFIG is how all of Postfix's own programs are told of another folder than /etc/postfix
        with mock.patch.dict(os.environ, {"MAIL_CONFIG": str(postfix.etc)}):
            daemon = Daemon(
                folder,
                ["-m", "dkimgate", "run", "--config"],
                {
                    "socket_mode": "0666",
                    "trust": {"hosts": [world.FORWARDER]},
                    "verify": {"when": "never"},
                    "unalign": {"domain": world.UNALIGN, "secret_file": str(secret)},
                    "departure": {"addresses": [], **(departure or {})},
                },
            )
        daemon.wait_for("READY=1")
        mounts = [
            (postfix.etc / name, Path("/etc/postfix") / name) for name in ("main.cf", "master.cf")
        ]  # sendmail(1) takes no others
        with Namespace(folder, world.ADDRESSES.values(), mounts) as namespace:
            sink = namespace.start(
                "sink",
                *(
                    "smtp-sink",
                    "-u",
                    "nobody",
                    "-D",
                    f"{folder}/sink/%s.",
                    f"{world.ADDRESSES[world.RECEIVER]}:25",
                    "10",
                ),
            )
            namespace.wait_for_port(sink, world.ADDRESSES[world.RECEIVER], 25)
            server = namespace.start("postfix", *postfix.command)
            namespace.wait_for_port(server, postfix.address, 25)
            yield Host(folder, namespace, daemon, {**ENVIRONMENT, "MAIL_CONFIG": str(postfix.etc)})
    finally:
        if daemon is not None:
            daemon.end()
        shutil.rmtree(folder)
