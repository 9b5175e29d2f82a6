"""Whatever a field in our name, or a Received-SPF, must look like to talk Debian's OpenDMARC into a pass: a border takes it off, and without one the gate sees
that OpenDMARC may have been misled."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dkimgate.config.dkimgate_yaml import Trust
from dkimgate.evidence.misled_verifiers import offers_a_pass
from dkimgate.gate.stripping import strip
from dkimgate.message.message import Connection, Message, split_message
from dkimgate.postfix.milter_client import Insertion, MilterClient
from tests.chain import namespace, servers
from tests.needs import need, need_program
from tests.world.mail import message

pytestmark = pytest.mark.servers

OURS = "mx.forwarder.example"
TRUST = Trust(hosts=(OURS,), authserv_ids=(OURS,))
STRANGER = Connection("198.51.100.7", "client.example")
RECORDS = ('_dmarc.hosted.example. TXT "v=DMARC1; p=reject"', 'hosted.example. TXT "v=spf1 -all"')
REST = "From: ask@hosted.example\nTo: r@reader.example\nSubject: x\nDate: Sat, 21 Nov 2026 17:17:07 +0000\nMessage-ID: <1@d.example>\n\nx\n"

WORDS = (
    "mx",
    ".",
    "forwarder",
    ".",
    "example",
    ";",
    " ",
    "spf",
    "=",
    "pass",
    " ",
    "smtp",
    ".",
    "mailfrom",
    "=",
    "hosted.example",
)
RECEIVED_SPF = (
    "pass",
    " ",
    "(x)",
    " ",
    "envelope-from",
    "=",
    "friend@hosted.example",
    ";",
    " ",
    "identity",
    "=",
    "mailfrom",
    ";",
    " ",
    "helo",
    "=",
    "x",
)
NOISE = (
    *(
        '"',
        "\\",
        "(",
        ")",
        "(x)",
        " ",
        "\t",
        "\n ",
        '""',
        '"(',
        ')"',
        "(\\",
        '(")',
        ";",
        "=",
        ".",
        "1",
        "/1",
        "\x0b",
        "\x0c",
        ",",
        "@",
        "<",
        ">",
    ),
    *("[", "]", ":", "?", OURS, "spf=pass"),
)
FIELDS = 1200
LEAST_MISLED = 40
"""Of so many fields OpenDMARC takes so many for its own, or the test has shown nothing."""


def _written(chance: random.Random, plain: Sequence[str]) -> str:
    words = list(plain)
    for _ in range(chance.randint(1, 5)):
        at, noise = chance.randrange(len(words)), chance.choice(NOISE)
        match chance.randrange(4):
            case 0 | 1:
                words.insert(at, noise)
            case 2:
                cut = chance.randint(0, len(words[at]))
                words[at] = words[at][:cut] + noise + words[at][cut:]
            case _:
                words[at] = f'"{words[at]}"'
    return "".join(words)


def _messages(chance: random.Random) -> Iterator[tuple[str, Message, bytes]]:
    for number in range(FIELDS):
        name, plain = (("Authentication-Results", WORDS), ("Received-SPF", RECEIVED_SPF))[number % 2]
        value = _written(chance, plain)
        if re.search(r"\n[ \t]*(?:\n|\Z)", value):
            continue  # a blank line ends the header
        header, body = split_message(f"{name}: {value}\n{REST}".encode())
        yield value, message(header, STRANGER), body


def _states_a_pass(address: str, came: Message, body: bytes) -> bool:
    with MilterClient(address, 30.0) as client:
        client.open(came.connection)
        reply = client.send(came, body)
    stated = [
        edit.value
        for edit in reply.edits
        if isinstance(edit, Insertion) and edit.name.lower() == b"authentication-results"
    ]
    return any(b"dmarc=pass" in value for value in stated)


def test_every_field_that_misleads_opendmarc_is_taken_off_or_casts_doubt_on_its_pass(tmp_path: Path) -> None:
    need(namespace.missing_for_namespaces())
    need_program("opendmarc")
    need_program("unbound")
    tmp_path.chmod(0o755)
    socket = tmp_path / "opendmarc.sock"
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    (tmp_path / "ignore").touch()
    (tmp_path / "opendmarc.conf").write_text(
        f"Socket local:{socket}\nUMask 000\nAuthservID {OURS}\nTrustedAuthservIDs {OURS}\nRejectFailures false\n"
        f"IgnoreHosts {tmp_path}/ignore\nSPFSelfValidate true\nSyslog false\n"
    )
    with namespace.Namespace(tmp_path, (), [(tmp_path / "resolv.conf", Path("/etc/resolv.conf").resolve())]) as host:
        dns = host.start("unbound", *servers.unbound(tmp_path, RECORDS))
        host.wait_for_port(dns, "127.0.0.1", 53)
        host.wait_for_socket(host.start("opendmarc", "opendmarc", "-f", "-c", tmp_path / "opendmarc.conf"), socket)
        misled = [
            (value, offers_a_pass(came, frozenset(), 0, TRUST), strip(came.header, TRUST.names) == (0,))
            for value, came, body in _messages(random.Random(20261130))
            if _states_a_pass(f"unix:{socket}", came, body)
        ]
    assert len(misled) >= LEAST_MISLED
    assert not [value for value, doubted, _ in misled if not doubted]
    assert not [value for value, _, stripped in misled if not stripped]
