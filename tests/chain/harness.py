"""The chain: sender, forwarder, receiver, and the DNS between them, all of them Debian's real servers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tests.chain import dkimgate_signer, servers, world
from tests.chain.mail import Delivered, Letter
from tests.chain.namespace import Namespace, Server, missing_for_namespaces, wait_until

DELIVERY_SECONDS = 30.0
"""How long a message may be under way. It takes about one; the rest is for a busy machine."""

PASSWORD = "correct-horse"

MOUNT_POINTS = (Path("/etc/resolv.conf"), Path("/etc/postfix/main.cf"), Path("/etc/postfix/master.cf"))
"""Files that the servers in the namespace see in another version. The originals are not touched."""


class Signer(Enum):
    """Who signs on the forwarder."""

    OPENDKIM = "opendkim"
    DKIMGATE = "dkimgate"


@dataclass(frozen=True, slots=True)
class Crossed:
    """A forwarder that checks everything twice: behind OpenDKIM and OpenDMARC, and again where mail leaves, stands a gate that checks it
    all itself and signs nothing. There is no SpamAssassin. OpenDMARC is set as systemd/README.md wants it.

    `records` are more DNS records; the name server refuses to speak of the zones `silent`.
    """

    records: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that runs. `folder` holds every configuration file, log and mailbox of it."""

    signer: Signer
    folder: Path
    keys: world.Keys
    namespace: Namespace
    running: tuple[Server, ...]
    forwarder: servers.Postfix
    port: int = 25

    def send(self, letter: Letter, *, client: str, recipient: str, sender: str | None = None) -> Delivered:
        """From outside: the host `client` of the world hands it to the forwarder's `port`."""
        self.hand_in(letter, client=client, recipient=recipient, sender=sender)
        return self.receive(letter)

    def hand_in(self, letter: Letter, *, client: str, recipient: str, sender: str | None = None) -> None:
        """The same, without waiting until it has arrived. The null sender is the empty string."""
        sender = letter.author if sender is None else sender or "<>"
        host = (f"--port={self.port}", f"--local-interface={world.ADDRESSES[client]}", f"--helo={client}")
        self._swaks(letter, *host, f"--from={sender}", f"--to={recipient}")

    def submit(self, letter: Letter, *, user: str) -> Delivered:
        """From a user with a password, to the forwarder's submission service."""
        self.hand_in_with_password(letter, user=user)
        return self.receive(letter)

    def hand_in_with_password(self, letter: Letter, *, user: str) -> None:
        """The same, without waiting."""
        envelope = (f"--from={letter.author}", f"--to={world.VICTIM}")
        login = ("--port=587", "--auth=PLAIN", f"--auth-user={user}", f"--auth-password={PASSWORD}")
        self._swaks(
            letter, f"--local-interface={world.ADDRESSES[world.LAPTOP]}", f"--helo={world.LAPTOP}", *envelope, *login
        )

    def sendmail(self, letter: Letter) -> Delivered:
        """From a program on the forwarder itself, through sendmail(1)."""
        self.hand_in_locally(letter)
        return self.receive(letter)

    def hand_in_locally(self, letter: Letter) -> None:
        """The same, without waiting."""
        command = ("sendmail", "-C", self.forwarder.etc, "-i", "-f", letter.author, world.VICTIM)
        self.namespace.run(*command, text=letter.raw.replace(b"\r\n", b"\n"))

    def receive(self, letter: Letter) -> Delivered:
        """Wait for a message in the receiver's mailbox. Raises ChainError if it does not come."""
        found: list[Delivered] = []

        def look() -> bool:
            for server in self.running:
                server.check()
            for file in (self.folder / "receiver/mail/inbox/new").glob("*"):
                delivered = Delivered.read(file.read_bytes())
                if delivered.message_id == letter.message_id:
                    found.append(delivered)
            return bool(found)

        wait_until(look, f"{letter.message_id} does not arrive at {world.RECEIVER}", DELIVERY_SECONDS)
        return found[0]

    def logs(self) -> Iterator[tuple[str, str]]:
        """Name and text of each log: its last lines, which are about the last message."""
        for server in self.running:
            if lines := server.log.read_text(errors="replace").splitlines():
                yield server.name, "\n".join(lines[-25:])

    def _swaks(self, letter: Letter, *options: str) -> None:
        file = self.folder / f"letter-{letter.message_id[1:].partition('@')[0]}.eml"
        file.write_bytes(letter.raw)
        self.namespace.run("swaks", f"--server={self.forwarder.address}", f"--data=@{file}", *options)


@contextmanager
def started(signer: Signer, crossed: Crossed | None = None) -> Iterator[Chain]:
    """Start everything, give the chain, tear it down: also where the start fails half-way."""
    folder = Path(tempfile.mkdtemp(prefix="dkimgate-chain-"))
    try:
        # the servers run under accounts of their own, and must get through to their sockets and files
        folder.chmod(0o755)
        with _run(signer, folder, crossed) as chain:
            yield chain
    finally:
        shutil.rmtree(folder)


@contextmanager
def _run(signer: Signer, folder: Path, crossed: Crossed | None) -> Iterator[Chain]:
    keys = world.make_keys(folder / "keys")
    more = crossed or Crossed()
    name_server = servers.unbound(folder, [*world.zone_records(keys), *more.records], more.silent)
    spamd, spamd_socket = servers.spamd(folder)
    checks_at_forwarder = checks(folder, world.FORWARDER, *(safe_opendmarc(folder) if crossed else ()))
    checks_at_receiver = checks(folder, world.RECEIVER)
    sign = (
        servers.opendkim_signer(folder, keys) if signer is Signer.OPENDKIM else dkimgate_signer.configure(folder, keys)
    )
    checkers = [dkimgate_signer.configure_checker(folder)] if crossed else []
    last_checks = checkers or [servers.spamass_milter(folder, spamd_socket)]
    passwords = folder / "sasldb"
    listener = dkimgate_signer.border_socket(folder) if signer is Signer.DKIMGATE else None
    postfix = servers.Postfix(world.FORWARDER, folder / "forwarder")
    forwarder = servers.forwarder(postfix, [*checks_at_forwarder, *last_checks], [*checkers, sign], passwords, listener)
    receiver = servers.receiver(folder / "receiver", checks_at_receiver)
    allow_sendmail([forwarder])

    with Namespace(folder, world.ADDRESSES.values(), mounts(folder, forwarder)) as namespace:
        unbound = namespace.start("unbound", *name_server)
        namespace.wait_for_port(unbound, "127.0.0.1", 53)
        spam_daemons = [] if crossed else [namespace.start("spamd", *spamd)]
        milters = {
            milter: namespace.start(milter.name, *milter.command)
            for milter in (*checks_at_forwarder, *checks_at_receiver, *last_checks, sign)
        }
        hosts = {host: namespace.start(host.host, *host.command) for host in (forwarder, receiver)}
        add_users(namespace, passwords)
        for milter, server in milters.items():
            namespace.wait_for_socket(server, milter.socket)
        for spam_daemon in spam_daemons:
            namespace.wait_for_socket(spam_daemon, spamd_socket)
        for host, server in hosts.items():
            namespace.wait_for_port(server, host.address, 25)
        running = (unbound, *spam_daemons, *milters.values(), *hosts.values())
        yield Chain(signer, folder, keys, namespace, running, forwarder)


def safe_opendmarc(folder: Path) -> tuple[str, str]:
    """What systemd/README.md wants in opendmarc.conf; and a public suffix list, as in Debian's, but one that knows of .example."""
    suffixes = folder / "suffixes.dat"
    suffixes.write_text("example\n")
    return "SPFIgnoreResults true", f"PublicSuffixList {suffixes}"


def checks(folder: Path, host: str, *settings: str) -> list[servers.Milter]:
    """What checks the mail that comes in. OpenDKIM comes first: OpenDMARC reads its result."""
    return [servers.opendkim_verifier(folder, host), servers.opendmarc(folder, host, *settings)]


def allow_sendmail(forwarders: Iterable[servers.Postfix]) -> None:
    """The main.cf that stands for /etc/postfix/main.cf names the folders of all configurations that sendmail(1) may use."""
    folders = [str(each.etc) for each in forwarders]
    for each in folders:
        with (Path(each) / "main.cf").open("a") as file:
            file.write(f"alternate_config_directories = {', '.join(folders)}\n")


def mounts(folder: Path, forwarder: servers.Postfix) -> list[tuple[Path, Path]]:
    """What the servers in the namespace see in place of files of this machine."""
    resolv_conf = folder / "resolv.conf"
    resolv_conf.write_text("nameserver 127.0.0.1\n")
    # sendmail(1) without options is the forwarder's
    shown = (resolv_conf, forwarder.etc / "main.cf", forwarder.etc / "master.cf")
    return list(zip(shown, MOUNT_POINTS, strict=True))


def add_users(namespace: Namespace, passwords: Path) -> None:
    """One user in each hosted domain, for the submission service."""
    for domain in (world.HOSTED, world.HOSTED_SPF):
        namespace.run("saslpasswd2", "-p", "-c", "-f", passwords, "-u", domain, "friend", text=PASSWORD.encode())
    shutil.chown(passwords, "postfix")


def missing() -> str | None:
    """Why no chain can be started here, or None."""
    absent = [program for program in servers.PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"the chain of servers needs {', '.join(absent)}: see tests/chain/README.md"
    absent = [str(place) for place in MOUNT_POINTS if not place.exists()]
    if absent:
        return f"the chain of servers shows its own files in place of {', '.join(absent)}, so the originals must exist"
    return missing_for_namespaces()
