"""What a worker needs of memory does not grow with the messages: bodies are hashed as they stream by, and none is kept."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from dkimgate.postfix.milter_client import MilterClient
from dkimgate.wire.protocol import CHUNK
from tests.arc.sealing import LIST, RELAY, mail
from tests.arc.sealing import Mail as Letter
from tests.running import real
from tests.world.keys import pem_of
from tests.world.mail import BORDER, REINJECTED, fields

AT_ONCE = 20
LINE = b"The quick  brown fox jumps over the lazy dog,\tand nobody knows why. \r\n"
BODY = LINE * (10_000_000 // len(LINE))
MOST = 120 << 20
"""Octets of a worker with AT_ONCE bodies of 10 MB on their way; without any it takes half of that."""


def peak(pid: int) -> int:
    """The most octets of memory that a process has had at a time."""
    found = re.search(r"^VmHWM:\s+([0-9]+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.heavy
@pytest.mark.parametrize("form", ["simple", "relaxed"])
def test_twenty_bodies_of_ten_megabytes_at_once_take_no_memory(folder: Path, form: str) -> None:
    """All are checked here, signed and sealed over a chain, and none ends before all have come."""
    rules = "version: 1\nrules: [{name: all, sign: forwarder, seal: true, envelope: unalign, otherwise: hold}]\n"
    settings: dict[str, object] = {
        "keys": [{"domain": RELAY.domain, "selector": RELAY.selector, "file": "key.pem"}],
        "forwarder": {"domain": RELAY.domain},
        "verify": {"when": "always", "nameservers": ["127.0.0.1"], "port": 9, "deadline": 0.5},
        "workers": 1,
    }
    letter = Letter(mail().header, BODY).sealed(LIST, c=f"relaxed/{form}")
    header = (*fields(BORDER), *letter.header)
    daemon = real(folder, rules, pem_of(RELAY.private), **settings)
    try:
        (worker,) = daemon.workers()
        with ExitStack() as open_ones:
            clients = [open_ones.enter_context(daemon.connect(connection=REINJECTED)) for _ in range(AT_ONCE)]
            for number, client in enumerate(clients):
                assert client.mail("a@author.example") is None
                assert client.recipient("v@receiver.example", f"Q{number}") is None
                assert all(client.header(each) is None for each in header)
                assert client.end_of_header(f"Q{number}") is None
            for start in range(0, len(BODY), CHUNK):
                assert all(client.body(BODY[start : start + CHUNK]) is None for client in clients)
            with ThreadPoolExecutor(AT_ONCE) as pool:
                replies = list(pool.map(MilterClient.end, clients, [f"Q{number}" for number in range(AT_ONCE)]))
            assert all(reply.accepted for reply in replies)
        needed = peak(worker)
        records = daemon.records()
    finally:
        daemon.end()
    assert len(records) == AT_ONCE
    for record in records:
        (chain,) = [claim for claim in record["claims"] if claim["method"] == "arc"]
        assert (chain["result"], record["arrival"]["dmarc"]) == ("temperror", "temperror"), (
            "the body fits, and DNS is silent"
        )
        assert "no answer from DNS" in chain["why"]
    assert needed < MOST, f"{needed >> 20} MB"
