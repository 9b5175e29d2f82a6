"""Bounces come home: a real Postfix that looks SRS addresses up in the daemon's socketmap, set as systemd/README.md says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dkimgate.srs import Secrets, new_secret, rewrite
from tests.chain import world
from tests.chain.namespace import Namespace, Server, missing_for_namespaces, wait_until
from tests.chain.servers import NOBODY, Postfix
from tests.needs import need, need_program
from tests.running import ROOT, Daemon

pytestmark = pytest.mark.servers

OURS = "bounce.forwarder.example"
CLASSES = {
    "virtual alias": {"virtual_alias_domains": f"$virtual_alias_maps {OURS}"},
    "local": {"mydestination": OURS, "local_recipient_maps": "texthash:{folder}/nobody"},
    "relay": {"relay_domains": OURS, "relay_recipient_maps": "texthash:{folder}/nobody"},
}
"""The ways in which the domain can be one of Postfix's own; the others than the first are for those who have it so already."""
POSTSRSD = "virtual alias, with postsrsd"
"""The same bounces, restored by postsrsd from the same secrets; the daemon's socketmap is not asked."""


@dataclass(frozen=True, slots=True)
class Host:
    """A Postfix with one mailbox domain, and the daemon beside it."""

    folder: Path
    namespace: Namespace
    server: Server
    daemon: Daemon
    secrets: Secrets

    def srs(self, sender: str, age_days: float = 0) -> str:
        made = rewrite(sender, OURS, self.secrets, time.time() - age_days * 86_400)
        assert isinstance(made, str)
        return made

    def swaks(self, recipient: str, *, sender: str = "<>") -> str:
        """What the dialogue was when a stranger sent a bounce."""
        options = (
            f"--server={world.ADDRESSES[world.FORWARDER]}",
            f"--local-interface={world.ADDRESSES[world.GOOD_HOST]}",
        )
        command = (
            "swaks",
            *options,
            f"--helo={world.GOOD_HOST}",
            f"--from={sender}",
            f"--to={recipient}",
            "--header=Subject: Undelivered",
        )
        # its exit code tells a refusal; what it printed tells more
        return self.namespace.run("sh", "-c", '"$@" || true', "sh", *command)

    def delivered(self, count: int) -> list[str]:
        """The mailbox of friend@hosted.example, once `count` messages have come."""
        inbox = self.folder / "mail" / "friend" / "new"
        wait_until(lambda: inbox.is_dir() and len(list(inbox.iterdir())) >= count, f"{count} messages in {inbox}", 15)
        found = [file.read_text() for file in inbox.iterdir()]
        shutil.rmtree(inbox.parent)
        return found


@pytest.fixture(scope="module", params=[*CLASSES, POSTSRSD])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    for program in ("postfix", "swaks", "postsrsd"):
        need_program(program)
    need(missing_for_namespaces())
    folder = Path(tempfile.mkdtemp(prefix="dkg-"))
    folder.chmod(0o755)
    try:
        yield from _host(folder, CLASSES.get(request.param, CLASSES["virtual alias"]), request.param == POSTSRSD)
    finally:
        shutil.rmtree(folder)


def _host(folder: Path, domain_class: dict[str, str], with_postsrsd: bool) -> Iterator[Host]:
    secret = folder / "srs.secret"
    secret.touch(mode=0o600)
    secret.write_text(new_secret() + "\n")
    shutil.copy(ROOT / "config" / "policy.yaml", folder)
    settings: dict[str, object] = {
        "listen": [{"socket": f"unix:{folder}/srs.sock", "role": "srs"}],
        "socket_mode": "0666",
        "unalign": {"domain": OURS, "secret_file": "srs.secret"},
    }
    (folder / "mail").mkdir()
    os.chown(folder / "mail", NOBODY, NOBODY)
    (folder / "nobody").write_text("nobody-at-all x\n")
    (folder / "boxes").write_text(f"friend@{world.HOSTED} friend/\n")
    postfix = Postfix(world.FORWARDER, folder / "postfix")
    postfix.configure(
        {
            "mydestination": "",
            "recipient_canonical_maps": "tcp:127.0.0.1:10002"
            if with_postsrsd
            else f"socketmap:unix:{folder}/srs.sock:restore",
            "recipient_canonical_classes": "envelope_recipient",
            "virtual_mailbox_domains": world.HOSTED,
            "virtual_mailbox_base": str(folder / "mail"),
            "virtual_mailbox_maps": f"texthash:{folder}/boxes",
            "virtual_uid_maps": f"static:{NOBODY}",
            "virtual_gid_maps": f"static:{NOBODY}",
            "smtpd_relay_restrictions": "reject_unauth_destination",
            "recipient_delimiter": "+",
            "smtp_dns_support_level": "disabled",
            "smtp_host_lookup": "native",
            **{name: value.format(folder=folder) for name, value in domain_class.items()},
        }
    )
    daemon = Daemon(folder, ["-m", "dkimgate", "run", "--config"], settings)
    try:
        daemon.wait_for("READY=1")
        mounts = [(postfix.etc / name, Path("/etc/postfix") / name) for name in ("main.cf", "master.cf")]
        with Namespace(folder, world.ADDRESSES.values(), mounts) as namespace:
            if with_postsrsd:
                postsrsd = namespace.start("postsrsd", "postsrsd", "-4", "-l", "127.0.0.1", "-s", secret, "-d", OURS)
                namespace.wait_for_port(postsrsd, "127.0.0.1", 10002)
            server = namespace.start("postfix", *postfix.command)
            namespace.wait_for_port(server, postfix.address, 25)
            yield Host(folder, namespace, server, daemon, Secrets.load(secret))
    finally:
        daemon.end()


@pytest.mark.parametrize("host", CLASSES, indirect=True)
def test_an_operator_can_ask_as_postfix_does(host: Host) -> None:
    """As systemd/README.md says: the path is relative to the queue directory."""
    queue = host.folder / "postfix" / "queue"
    (queue / "dkimgate").mkdir()
    os.link(host.folder / "srs.sock", queue / "dkimgate" / "srs.sock")
    ask = f"cd {queue} && postmap -q {host.srs('a@hosted.example')} socketmap:unix:dkimgate/srs.sock:restore"
    assert host.namespace.run("sh", "-c", ask) == "a@hosted.example\n"


def test_a_bounce_comes_home(host: Host) -> None:
    said = host.swaks(host.srs(f"friend@{world.HOSTED}"))
    assert "<-  250 2.0.0 Ok: queued" in said
    (message,) = host.delivered(1)
    assert f"\nDelivered-To: friend@{world.HOSTED}\n" in f"\n{message}"


def test_also_where_hosts_on_the_way_have_changed_its_case(host: Host) -> None:
    for address in (host.srs(f"friend@{world.HOSTED}").lower(), host.srs(f"friend@{world.HOSTED}").upper()):
        assert "<-  250 2.0.0 Ok: queued" in host.swaks(address)
    assert len(host.delivered(2)) == 2


def _with_a_plus(address: str, secrets: Secrets) -> str:
    """As a host writes it that takes the standard alphabet of base64 (postsrsd before 2.2.6, and we before 1.0)."""
    _, _, stamp, domain, _ = address.partition("@")[0].split("=")
    for number in range(10_000):
        parts = f"{stamp}{domain}friend+{number}".lower().encode()
        written = base64.b64encode(hmac.new(secrets.all[0], parts, hashlib.sha1).digest()).decode()[:4]
        if "+" in written:
            return f"SRS0={written}={stamp}={domain}=friend+{number}@{OURS}"
    raise AssertionError("no hash has a plus sign")


def test_a_hash_with_the_recipient_delimiter_and_a_long_local_part_are_no_hindrance(host: Host) -> None:
    odd = _with_a_plus(host.srs(f"friend@{world.HOSTED}"), host.secrets)
    long = host.srs(f"friend+{'x' * 170}@{world.HOSTED}")
    assert len(long.partition("@")[0]) > 200
    for address in (odd, long):
        assert "<-  250 2.0.0 Ok: queued" in host.swaks(address), address
    assert len(host.delivered(2)) == 2


def test_a_message_of_ours_that_was_wrapped_twice_comes_home(host: Host) -> None:
    first = host.srs(f"friend@{world.HOSTED}")
    elsewhere = rewrite(first, "srs.other.example", Secrets((b"the secret of another",)), time.time())
    assert isinstance(elsewhere, str)
    host.swaks(host.srs(elsewhere))
    assert len(host.delivered(1)) == 1


def test_what_our_own_postfix_can_not_deliver_comes_home_too(host: Host) -> None:
    """Its bounce goes to the sender that the gate has written."""
    host.namespace.run(
        "sendmail", "-f", host.srs(f"friend@{world.HOSTED}"), f"nobody@{world.HOSTED}", text=b"Subject: x\n\nHello\n"
    )
    (message,) = host.delivered(1)
    assert "Undelivered Mail Returned to Sender" in message


@pytest.mark.parametrize("what", ["forged", "old", "damaged", "stranger"])
def test_what_is_not_ours_is_refused_before_it_is_taken(host: Host, what: str) -> None:
    """A 550 in the session: no bounce of a bounce, and nothing is tried again for days."""
    good = host.srs(f"friend@{world.HOSTED}")
    address = {
        "forged": good.replace("friend", "victim"),
        "old": host.srs(f"friend@{world.HOSTED}", age_days=30),
        "damaged": good.replace(world.HOSTED, ""),
        "stranger": f"nobody@{OURS}",
    }[what]
    said = host.swaks(address)
    assert re.search(r"<\*\* 550 5\.1\.1 .*User unknown", said), said


def test_nobody_relays_by_way_of_it(host: Host) -> None:
    """Who guesses no hash sends nothing out; who has an address of ours reaches the one that it was made of."""
    for address in (
        f"SRS0=aaaa=AA=victim.example=anybody@{OURS}",
        f"SRS1=aaaa=victim.example==anybody@{OURS}",
        f"anybody%victim.example@{OURS}",
    ):
        assert re.search(r"<\*\* 5\d\d 5\.", host.swaks(address)), address


@pytest.mark.parametrize("host", CLASSES, indirect=True)
def test_while_the_daemon_is_away_mail_waits(host: Host) -> None:
    """Last of all: it stops the daemon."""
    good = host.srs(f"friend@{world.HOSTED}")
    assert host.daemon.stop() == 0
    for address in (good, f"friend@{world.HOSTED}"):
        assert re.search(r"<\*\* 451 4\.", host.swaks(address)), address
