"""dkimgate as the forwarder's signer, and beside it as a mere observer: configurations, and the records that they write."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from dkimgate import srs
from dkimgate.passport import secrets as passport
from tests import running
from tests.chain import world
from tests.chain.servers import Milter

POLICY = Path(__file__).parents[2] / "config" / "policy.yaml"
"""The policy that is shipped: the chain proves that one."""
POLICIES = POLICY.parent / "policies"
"""Those that are shipped beside it."""
LOOKING = Path(__file__).parent / "looking.yaml"

PROGRAM = Path(sys.executable).parent / "dkimgate"


SIGNER = "signer"
CHECKER = "checker"
"""A gate without keys, which looks at what the signer will see."""


def configure(folder: Path, keys: world.Keys) -> Milter:
    """The signer: write its configuration file into `folder`."""
    secret = _secret(folder / "passport.secret", passport.new_secret("2026a"))
    listeners = [f"unix:{folder / SIGNER}.sock", {"socket": f"unix:{border_socket(folder)}", "role": "border"}]
    return _configure(
        folder,
        SIGNER,
        _hosted(keys),
        {},
        listen=listeners,
        passport={"secret_file": str(secret)},
        unalign=unalign(folder),
    )


def configure_gate(folder: Path, keys: world.Keys, name: str, policy: Path, domain: str | None) -> Milter:
    """A gate with that policy, which rewrites senders to that domain. It restores them too, for who asks at `srs_socket`."""
    pairs = [
        *_hosted(keys),
        (world.FORWARDER_DOMAIN, world.GATE_SELECTOR, keys.file(world.FORWARDER_DOMAIN, world.GATE_SELECTOR)),
    ]
    more: dict[str, object] = {"policy": str(policy), "forwarder": {"domain": world.FORWARDER_DOMAIN}}
    if domain is not None:
        more["unalign"] = unalign(folder, domain)
        more["listen"] = [f"unix:{folder / name}.sock", {"socket": f"unix:{srs_socket(folder, name)}", "role": "srs"}]
    return _configure(folder, name, pairs, {}, **more)


def unalign(folder: Path, domain: str = world.UNALIGN) -> dict[str, str]:
    """That section of the configuration. All gates of a chain have one file of secrets."""
    file = srs_secret(folder)
    if not file.exists():
        _secret(file, srs.new_secret())
    return {"domain": domain, "secret_file": str(file)}


def srs_secret(folder: Path) -> Path:
    """The file of secrets."""
    return folder / "srs.secret"


def srs_socket(folder: Path, name: str) -> Path:
    """Where the gate of that name tells whose bounce an SRS address is."""
    return folder / f"{name}.srs.sock"


def _hosted(keys: world.Keys) -> list[tuple[str, str, Path]]:
    hosted = (world.HOSTED, world.HOSTED_SPF)
    return [(domain, world.GATE_SELECTOR, keys.file(domain, world.GATE_SELECTOR)) for domain in hosted]


def _secret(file: Path, text: str) -> Path:
    file.touch(mode=0o600)
    file.write_text(text + "\n")
    return file


def border_socket(folder: Path) -> Path:
    """Where the signer's daemon listens as a border."""
    return folder / "border.sock"


def configure_checker(folder: Path) -> Milter:
    """A gate that checks everything itself, signs nothing and writes records of its own."""
    return _configure(folder, CHECKER, [], {"when": "always"}, policy=str(LOOKING))


def _configure(
    folder: Path, name: str, keys: list[tuple[str, str, Path]], verify: dict[str, object], **more: object
) -> Milter:
    socket = folder / f"{name}.sock"
    document = {
        "listen": f"unix:{socket}",
        "socket_mode": "0666",
        "workers": 1,
        "policy": str(POLICY),
        "trust": {"hosts": [world.FORWARDER], "authserv_ids": [world.FORWARDER]},
        "keys": [{"domain": domain, "selector": selector, "file": str(file)} for domain, selector, file in keys],
        "departure": {
            "addresses": [world.ADDRESSES[world.FORWARDER]],
            "helo": world.FORWARDER,
            "origin": world.FORWARDER,
            "rewrites_senders": False,
        },
        "verify": {"nameservers": ["127.0.0.1"], **verify},
        "journal": {"file": str(journal(folder, name))},
        **running.MILTER_LIBRARY,
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
    file = journal(folder, name)
    lines = file.read_text().splitlines() if file.exists() else []
    return [record for record in map(json.loads, lines) if record["message_id"] == message_id]


def signatures(record: dict[str, Any]) -> list[str]:
    """`domain/selector` of each signature that was made, by its record."""
    return [f"{made['domain']}/{made['selector']}" for made in record["decision"]["signatures"]]
