"""dkimgate as the forwarder's signer, and beside it as a mere observer: configurations, and the records that they write."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from chain import world
from chain.servers import Milter
from dkimgate.passport.secrets import new_secret

POLICY = Path(__file__).parents[2] / "config" / "policy.yaml"
"""The policy that is shipped: the chain proves that one."""

PROGRAM = Path(sys.executable).parent / "dkimgate"


SIGNER = "signer"
CHECKER = "checker"
"""A gate without keys, which looks at what the signer will see."""


def configure(folder: Path, keys: world.Keys) -> Milter:
    """The signer: write its configuration file into `folder`."""
    hosted = (world.HOSTED, world.HOSTED_SPF)
    pairs = [(domain, world.GATE_SELECTOR, keys.file(domain, world.GATE_SELECTOR)) for domain in hosted]
    secret = folder / "passport.secret"
    secret.write_text(new_secret("2026a") + "\n")
    secret.chmod(0o600)
    listeners = [f"unix:{folder / SIGNER}.sock", {"socket": f"unix:{border_socket(folder)}", "role": "border"}]
    return _configure(folder, SIGNER, pairs, {}, listen=listeners, passport={"secret_file": str(secret)})


def border_socket(folder: Path) -> Path:
    """Where the signer's daemon listens as a border."""
    return folder / "border.sock"


def configure_checker(folder: Path) -> Milter:
    """A gate that checks everything itself, signs nothing and writes records of its own."""
    return _configure(folder, CHECKER, [], {"when": "always"})


def _configure(folder: Path, name: str, keys: list[tuple[str, str, Path]], verify: dict[str, object], **more: object) -> Milter:
    socket = folder / f"{name}.sock"
    document = {
        "listen": f"unix:{socket}",
        "socket_mode": "0666",
        "workers": 1,
        "policy": str(POLICY),
        "trust": {"hosts": [world.FORWARDER], "authserv_ids": [world.FORWARDER]},
        "keys": [{"domain": domain, "selector": selector, "file": str(file)} for domain, selector, file in keys],
        "departure": {"addresses": [world.ADDRESSES[world.FORWARDER]], "helo": world.FORWARDER},
        "verify": {"nameservers": ["127.0.0.1"], **verify},
        "journal": {"file": str(journal(folder, name))},
        **more,
    }
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return Milter(name, (PROGRAM, "run", "--config", file), socket)


def journal(folder: Path, name: str = SIGNER) -> Path:
    """The file that the records of that gate go to."""
    return folder / f"{name}.jsonl"


def records(folder: Path, message_id: str, name: str = SIGNER) -> list[dict[str, Any]]:
    """The records that a gate made of one message, oldest first."""
    lines = journal(folder, name).read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["message_id"] == message_id]


def signatures(record: dict[str, Any]) -> list[str]:
    """`domain/selector` of each signature that was made, by its record."""
    return [f"{made['domain']}/{made['selector']}" for made in record["decision"]["signatures"]]
