"""A chain with several forwarders side by side, one a way to treat the same mail: without a signer, with OpenDKIM, with dkimgate and one
policy or another. They are one host to the world: the same name, and the same address that mail leaves from."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.chain import dkimgate_signer, harness, mail, servers, world
from tests.chain.dkimgate_signer import POLICIES, POLICY
from tests.chain.harness import Chain, Signer
from tests.chain.mail import Letter
from tests.chain.namespace import Namespace, wait_until
from tests.chain.scenarios import PHISHING
from tests.chain.senders import Sent
from tests.chain.servers import Milter, Postfix

BARE = "bare"
OPENDKIM = "opendkim"
GATE = "gate"
"""dkimgate as systemd/README.md sets it up: the policy that is shipped, `unalign:`, and its own socketmap for bounces."""
UNSET = "unset"
"""The same policy, and no `unalign:`."""
POSTSRSD = "postsrsd"
"""As GATE, by the same gate, and postsrsd restores the senders."""
DISPOSING = "disposing"
"""Every disposition, by the sender."""

HELD = "held"
"""What becomes of a message that does not depart: it stands in the hold queue."""

SHIPPED = tuple(sorted(file.stem for file in POLICIES.glob("*.yaml")))
"""One way for each policy in config/policies."""

DISPOSING_POLICY = Path(__file__).parent / "disposing.yaml"

_ADDRESSES = {
    name: f"192.0.2.{number}" for number, name in enumerate((BARE, OPENDKIM, UNSET, POSTSRSD, DISPOSING, *SHIPPED), 100)
}
"""Where they listen; GATE has the address that the world knows, so bounces come to it."""

PICK_UP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Way(Chain):
    """The chain with one of the forwarders."""

    name: str = ""

    @property
    def gate(self) -> str:
        """The name of its gate."""
        return GATE if self.name == POSTSRSD else self.name

    def record(self, letter: Letter) -> dict[str, Any]:
        """What the gate of this way wrote of a message."""
        (record,) = self.records(letter)
        return record

    def records(self, letter: Letter) -> list[dict[str, Any]]:
        """One for each time that Postfix has shown it to the gate."""
        return dkimgate_signer.records(self.folder, letter.message_id, self.gate)

    def arrived(self, letter: Letter) -> bool:
        """Is it in the receiver's mailbox by now?"""
        return any(
            letter.message_id.encode() in file.read_bytes()
            for file in (self.folder / "receiver/mail/inbox/new").glob("*")
        )

    def wait_until_held(self, letter: Letter) -> None:
        """Raises ChainError if it does not come to the hold queue."""
        self.decided(letter)
        queue_id = self.record(letter)["queue_id"]
        file = self.forwarder.folder / "queue/hold" / queue_id
        wait_until(file.exists, f"{letter.message_id} is not in the hold queue of {self.name}", PICK_UP_SECONDS)
        assert (queue_id, "hold") in [(entry["queue_id"], entry["queue_name"]) for entry in self.queue()]

    def decided(self, letter: Letter) -> None:
        """Wait until the gate has written a record of the message."""
        wait_until(
            lambda: bool(self.records(letter)),
            f"the gate of {self.name} sees nothing of {letter.message_id}",
            PICK_UP_SECONDS,
        )

    def queue(self) -> list[dict[str, Any]]:
        """Postfix's queues, as postqueue(1) shows them."""
        return [
            json.loads(line) for line in self.namespace.run("postqueue", "-c", self.forwarder.etc, "-j").splitlines()
        ]

    def log(self) -> str:
        """What this forwarder's Postfix has written."""
        return (self.folder / f"forwarder-{self.name}.log").read_text(errors="replace")


Ways = Mapping[str, Way]


@contextmanager
def started() -> Iterator[Ways]:
    """Start everything, give the ways by their names, tear it down."""
    folder = Path(tempfile.mkdtemp(prefix="dkimgate-chain-"))
    try:
        folder.chmod(0o755)
        with _run(folder) as ways:
            yield ways
    finally:
        shutil.rmtree(folder)


def _bounces(table: str) -> dict[str, str]:
    """What systemd/README.md has in main.cf for bounces."""
    return {
        "virtual_alias_domains": f"$virtual_alias_maps {world.UNALIGN}",
        "recipient_canonical_maps": table,
        "recipient_canonical_classes": "envelope_recipient",
        "smtpd_restriction_classes": "bounces_only",
        "bounces_only": "check_sender_access regexp:{{/@/ REJECT nothing but bounces}}",
        "smtpd_recipient_restrictions": f"check_recipient_access inline:{{{world.UNALIGN}=bounces_only}}",
    }


def _gates(folder: Path, keys: world.Keys) -> dict[str, Milter]:
    def gate(name: str, policy: Path, domain: str | None = world.UNALIGN) -> Milter:
        return dkimgate_signer.configure_gate(folder, keys, name, policy, domain)

    return {
        GATE: gate(GATE, POLICY),
        UNSET: gate(UNSET, POLICY, None),
        DISPOSING: gate(DISPOSING, DISPOSING_POLICY),
        **{name: gate(name, POLICIES / f"{name}.yaml") for name in SHIPPED},
    }


@contextmanager
def _run(folder: Path) -> Iterator[Ways]:
    keys = world.make_keys(folder / "keys")
    name_server = servers.unbound(folder, world.zone_records(keys), (world.SILENT,))
    settings = harness.safe_opendmarc(folder)
    border = harness.checks(folder, world.FORWARDER, *settings)
    at_receiver = harness.checks(folder, world.RECEIVER, *settings)
    spamd, spamd_socket = servers.spamd(folder)
    spam = servers.spamass_milter(folder, spamd_socket)
    gates = _gates(folder, keys)
    signers = {OPENDKIM: servers.opendkim_signer(folder, keys), **gates, POSTSRSD: gates[GATE]}
    own_socketmap = f"socketmap:unix:{dkimgate_signer.srs_socket(folder, GATE)}:restore"
    bounces = {GATE: _bounces(own_socketmap), POSTSRSD: _bounces("tcp:127.0.0.1:10002")}
    passwords = folder / "sasldb"
    forwarders = {
        name: servers.forwarder(
            Postfix(world.FORWARDER, folder / f"forwarder-{name}", _ADDRESSES.get(name)),
            [*border, spam],
            [signers[name]] if name in signers else [],
            passwords,
            more=bounces.get(name, {}),
        )
        for name in (GATE, *_ADDRESSES)
    }
    receiver = servers.receiver(folder / "receiver", at_receiver)
    harness.allow_sendmail(forwarders.values())

    addresses = (*world.ADDRESSES.values(), *_ADDRESSES.values())
    with Namespace(folder, addresses, harness.mounts(folder, forwarders[GATE])) as namespace:
        unbound = namespace.start("unbound", *name_server)
        namespace.wait_for_port(unbound, "127.0.0.1", 53)
        spam_daemon = namespace.start("spamd", *spamd)
        postsrsd = namespace.start("postsrsd", *servers.postsrsd(world.UNALIGN, dkimgate_signer.srs_secret(folder)))
        milters = {
            milter: namespace.start(milter.name, *milter.command)
            for milter in {*border, spam, *at_receiver, *signers.values()}
        }
        hosts = {host: namespace.start(host.folder.name, *host.command) for host in (receiver, *forwarders.values())}
        harness.add_users(namespace, passwords)
        for milter, server in milters.items():
            namespace.wait_for_socket(server, milter.socket)
        namespace.wait_for_socket(spam_daemon, spamd_socket)
        for host, server in hosts.items():
            namespace.wait_for_port(server, host.address, 25)
        running = (unbound, spam_daemon, postsrsd, *milters.values(), *hosts.values())
        yield {
            name: Way(Signer.DKIMGATE, folder, keys, namespace, running, host, name=name)
            for name, host in forwarders.items()
        }


def at_once(jobs: Mapping[Any, Any]) -> dict[Any, Any]:
    """The results of functions without arguments, run side by side: one message waits for the answer of many servers."""
    with ThreadPoolExecutor(4) as pool:
        futures = {key: pool.submit(job) for key, job in jobs.items()}
        return {key: future.result() for key, future in futures.items()}


Hand = Callable[[Way], Sent]
"""Hands one message in."""


def sent(
    author: str,
    client: str,
    *more: str,
    sender: str | None = None,
    text: str = "Hello, here is the recipe you asked for.",
    selector: str | None = None,
    port: int = 25,
    to: str = f"friend@{world.HOSTED}",
) -> Hand:
    """From outside, to a user who forwards it; signed for its author domain where there is a selector."""

    def hand_in(way: Way) -> Sent:
        letter = mail.letter(author, to, more=more, text=text)
        if selector is not None:
            letter = letter.signed(way.keys.file(letter.domain, selector), selector)
        replace(way, port=port).hand_in(letter, client=client, recipient=to, sender=sender)
        return Sent(letter, client, sender)

    return hand_in


def forged(author: str, *more: str, sender: str | None = None, text: str = PHISHING, port: int = 25) -> Hand:
    """From the attacker's host, with the author as the sender too, if no other is given."""
    return sent(author, world.ATTACKER, *more, sender=sender, text=text, port=port)


def own(domain: str) -> Hand:
    """From a program on the forwarder."""

    def hand_in(way: Way) -> Sent:
        letter = mail.letter(f"friend@{domain}", world.VICTIM)
        way.hand_in_locally(letter)
        return Sent(letter)

    return hand_in


def submitted(domain: str) -> Hand:
    """From a user with a password."""

    def hand_in(way: Way) -> Sent:
        letter = mail.letter(f"friend@{domain}", world.VICTIM)
        way.hand_in_with_password(letter, user=letter.author)
        return Sent(letter)

    return hand_in
