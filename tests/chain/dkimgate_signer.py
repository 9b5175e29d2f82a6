"""dkimgate as the forwarder's signer: its configuration, and the records that it writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from chain import world
from chain.servers import Milter

POLICY = Path(__file__).parents[2] / "config" / "policy.yaml"
"""The policy that is shipped: the chain proves that one."""

PROGRAM = Path(sys.executable).parent / "dkimgate"


def configure(folder: Path, keys: world.Keys) -> Milter:
    """Write its configuration file into `folder`."""
    socket = folder / "signer.sock"
    document = {
        "listen": f"unix:{socket}",
        "socket_mode": "0666",
        "workers": 1,
        "policy": str(POLICY),
        "trust": {"hosts": [world.FORWARDER], "authserv_ids": [world.FORWARDER]},
        "keys": [
            {"domain": domain, "selector": world.GATE_SELECTOR, "file": str(keys.file(domain, world.GATE_SELECTOR))}
            for domain in (world.HOSTED, world.HOSTED_SPF)
        ],
        "departure": {"addresses": [world.ADDRESSES[world.FORWARDER]], "helo": world.FORWARDER},
        "verify": {"nameservers": ["127.0.0.1"]},
        "journal": {"file": str(journal(folder))},
    }
    file = folder / "dkimgate.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return Milter("signer", (PROGRAM, "run", "--config", file), socket)


def journal(folder: Path) -> Path:
    """The file that its records go to."""
    return folder / "decisions.jsonl"


def records(folder: Path, message_id: str) -> list[dict[str, Any]]:
    """The records of one message, oldest first."""
    lines = journal(folder).read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["message_id"] == message_id]


def signatures(record: dict[str, Any]) -> list[str]:
    """`domain/selector` of each signature that was made, by its record."""
    return [f"{made['domain']}/{made['selector']}" for made in record["decision"]["signatures"]]
