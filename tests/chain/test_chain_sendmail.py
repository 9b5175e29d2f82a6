"""What a real Postfix does with what the gate asks for, in `non_smtpd_milters`, where nobody is there to hear a refusal; and what is left of
a header that was changed and signed there."""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import dkim
import pytest
import yaml

from tests.chain import dkimgate_signer, harness, servers, world
from tests.chain.namespace import Namespace, Server, wait_until
from tests.needs import need

pytestmark = pytest.mark.servers

POLICY = """\
version: 1
rules:
  - {name: rejects, when: {sender: "reject@hosted.example"}, disposition: reject, text: "no, <{sender}>: 100% {arrival.dmarc}"}
  - {name: rejects-bounces, when: {sender: ""}, disposition: reject}
  - {name: defers, when: {sender: "defer@hosted.example"}, disposition: defer, text: "later, {origin}"}
  - {name: holds, when: {sender: "hold@hosted.example"}, disposition: hold, text: "held {origin}", sign: author}
  - {name: discards, when: {sender: "discard@hosted.example"}, disposition: discard}
  - {name: changes, when: {sender: "tag@hosted.example"}, sign: author, tag: "[{origin}]", add: {X-Rule: "{rule}"}, remove: [X-Offer]}
default: {envelope: unalign, otherwise: hold}
allow_laundering: [holds, changes]
laundering_reason: a test of dispositions alone
"""


@dataclass(frozen=True, slots=True)
class Host:
    """One host with a Postfix whose pickup(8) asks the gate; mail for everybody goes into one mailbox."""

    folder: Path
    namespace: Namespace
    postfix: Server

    def sendmail(self, sender: str, header: bytes = b"", body: bytes = b"Hello\n") -> None:
        """A program on the host hands a message in. Raises ChainError where sendmail(1) does not take it."""
        text = b"From: Ask <ask@hosted.example>\nTo: you@receiver.example\n" + header + b"\n" + body
        self.namespace.run("sendmail", "-i", "-f", sender, "you@receiver.example", text=text)

    def delivered(self, text: bytes) -> bytes:
        """The message in the mailbox that holds the text; it is taken out."""
        found: list[tuple[Path, bytes]] = []

        def look() -> bool:
            for file in (self.folder / "mail/inbox/new").glob("*"):
                raw = file.read_bytes()
                if text in raw:
                    found.append((file, raw))
            return bool(found)

        wait_until(look, f"nothing with {text!r} arrives:\n{self.log}", harness.DELIVERY_SECONDS)
        found[0][0].unlink()
        return found[0][1]

    def verifies(self, raw: bytes) -> bool:
        """Our signature of it."""
        record = world.Keys(self.folder / "keys").record(world.HOSTED, world.GATE_SELECTOR).encode()
        return bool(
            dkim.verify(
                raw.partition(b"\nDelivered-To: you@receiver.example\n")[2], dnsfunc=lambda name, timeout=5: record
            )
        )

    def says(self, text: str) -> None:
        wait_until(lambda: text in self.log, f"the log never says {text!r}:\n{self.log}", harness.DELIVERY_SECONDS)

    @property
    def log(self) -> str:
        return self.postfix.log.read_text(errors="replace")

    def queue(self, name: str) -> list[bytes]:
        """The queue files there; one may go while it is looked at."""
        found = []
        for file in (self.folder / "host/queue" / name).rglob("*"):
            with suppress(FileNotFoundError):
                if file.is_file():
                    found.append(file.read_bytes())
        return found


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    need(harness.missing())
    folder = Path(tempfile.mkdtemp(prefix="dkimgate-chain-"))
    folder.chmod(0o755)
    try:
        keys = world.make_keys(folder / "keys")
        settings = {
            "listen": f"unix:{folder}/gate.sock",
            "socket_mode": "0666",
            "workers": 1,
            "policy": str(folder / "policy.yaml"),
            "trust": {"hosts": [world.FORWARDER], "authserv_ids": [world.FORWARDER]},
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
        (folder / "policy.yaml").write_text(POLICY)
        (folder / "gate.yaml").write_text(yaml.safe_dump(settings))
        postfix = servers.Postfix(world.FORWARDER, folder / "host")
        postfix.configure(
            {
                "mydestination": "",
                "alternate_config_directories": str(postfix.etc),
                "virtual_mailbox_domains": f"{world.RECEIVER_DOMAIN}, {world.HOSTED}",
                "virtual_mailbox_base": str(folder / "mail"),
                "virtual_mailbox_maps": "static:inbox/",
                "virtual_uid_maps": f"static:{servers.NOBODY}",
                "virtual_gid_maps": f"static:{servers.NOBODY}",
                "non_smtpd_milters": f"unix:{folder}/gate.sock",
            }
        )
        (folder / "mail").mkdir()
        shutil.chown(folder / "mail", servers.NOBODY, servers.NOBODY)
        shown = [(postfix.etc / name, Path("/etc/postfix") / name) for name in ("main.cf", "master.cf")]
        with Namespace(folder, world.ADDRESSES.values(), shown) as namespace:
            gate = namespace.start("gate", dkimgate_signer.PROGRAM, "run", "--config", folder / "gate.yaml")
            namespace.wait_for_socket(gate, folder / "gate.sock")
            running = namespace.start("postfix", *postfix.command)
            namespace.wait_for_port(running, postfix.address, 25)
            yield Host(folder, namespace, running)
    finally:
        with suppress(OSError):
            shutil.rmtree(folder)


def test_a_reject_becomes_a_bounce_to_the_sender_whoever_that_is(host: Host) -> None:
    host.sendmail("reject@hosted.example", b"Subject: one\n")
    bounce = host.delivered(b"Subject: Undelivered Mail Returned to Sender")
    assert b"\nTo: reject@hosted.example\n" in bounce
    assert b"<you@receiver.example>: no, <reject@hosted.example>: 100% none\n" in bounce


def test_a_rejected_message_with_a_null_sender_is_gone(host: Host) -> None:
    host.sendmail("<>", b"Subject: two\n")
    host.says("milter-reject: END-OF-MESSAGE from localhost[127.0.0.1]: 5.7.1 Message refused by policy; from=<>")
    wait_until(lambda: host.queue("maildrop") == [], "the message stays in maildrop", harness.DELIVERY_SECONDS)


def test_a_deferred_message_waits_where_sendmail_left_it_and_comes_again(host: Host) -> None:
    """Not in the deferred queue, whose mail is given up some day: in maildrop, and back whenever pickup(8) looks."""
    host.sendmail("defer@hosted.example", b"Subject: three\n")  # it says yes: exit code 0
    refused = "milter-reject: END-OF-MESSAGE from localhost[127.0.0.1]: 4.7.1 later, local; from=<defer@hosted.example>"
    host.says(refused)
    (waiting,) = host.queue("maildrop")
    assert b"Subject: three" in waiting and host.queue("deferred") == []
    before = host.log.count(refused)
    host.sendmail("discard@hosted.example", b"Subject: wakes pickup(8), as the minute does\n")
    wait_until(lambda: host.log.count(refused) > before, "pickup(8) does not try again", harness.DELIVERY_SECONDS)
    records = [json.loads(line) for line in dkimgate_signer.journal(host.folder).read_text().splitlines()]
    assert [each["envelope"]["sender"] for each in records].count("defer@hosted.example") >= 2
    for file in (host.folder / "host/queue/maildrop").iterdir():
        file.unlink(missing_ok=True)


def test_hold_and_discard_work_as_anywhere(host: Host) -> None:
    host.sendmail("hold@hosted.example", b"Subject: four\n")
    host.says("milter-hold: END-OF-MESSAGE")
    (held,) = host.queue("hold")
    assert b"Subject: four" in held and b"DKIM-Signature" in held
    host.sendmail("discard@hosted.example", b"Subject: five\n")
    host.says("milter-discard: END-OF-MESSAGE")


def test_a_changed_header_arrives_as_it_was_signed(host: Host) -> None:
    header = "Subject:   Mittagessen f\u00fcr\n\talle \nX-Offer: 1\nX-Offers: 3\nDate: Sat, 21 Nov 2026 12:00:00 +0000\nx-oFFer: 2\n"
    host.sendmail("tag@hosted.example", header.encode(), b"a subject\n")
    raw = host.delivered(b"a subject")
    assert "\nSubject: [local]   Mittagessen f\u00fcr\n\talle \nX-Offers: 3\nDate".encode() in raw
    assert b"\nX-Rule: changes\nReceived: " in raw and b"x-offer:" not in raw.lower()
    assert host.verifies(raw)


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        (b"", b"Subject: [local]"),
        (b"Subject:\n", b"Subject: [local]"),
        (b"Subject:no space\n", b"Subject: [local] no space"),
        (b"SUBJECT : with space\n", b"SUBJECT: [local] with space"),
        (b"Subject: [local] already\n", b"Subject: [local] already"),
        (b"Subject: =?utf-8?Q?=C3=BC?=\n =?utf-8?Q?bel?=\n", b"Subject: [local] =?utf-8?Q?=C3=BC?=\n =?utf-8?Q?bel?="),
        (b"Subject: " + b"x " * 480 + b"\n", b"Subject: [local] " + b"x " * 480),
        (b"Subject: " + b"x" * 985 + b"\n", b"Subject: [local]\n " + b"x" * 985),
        (b"Subject: \xfcbel\n", b"Subject: \xfcbel"),
        (b"Subject: one\nX-Offer: 1\nSubject: two\n", b"Subject: one\nSubject: two"),
    ],
)
def test_every_kind_of_subject(host: Host, header: bytes, subject: bytes) -> None:
    mark = uuid.uuid4().hex.encode()
    host.sendmail("tag@hosted.example", b"X-A: b\n" + header, mark + b"\n")
    raw = host.delivered(mark)
    assert b"\n" + subject + b"\n" in raw
    assert host.verifies(raw)
