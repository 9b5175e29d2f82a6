"""The stage of `dkimgate demo`: a temporary directory with keys and configuration, a DNS of its own, real daemons, and
a receiver who judges what departs with other people's DKIM verifier."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import dkim
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from dkimgate import srs
from dkimgate.cli.screen import CommandError
from dkimgate.dkim.canonical import BodyHash
from dkimgate.dkim.keys import PrivateKey, SigningKey, signing_key
from dkimgate.dkim.sign import sign
from dkimgate.dns.resolver import Lookup
from dkimgate.gate.envelope_spf import outgoing_spf
from dkimgate.message import domains
from dkimgate.message.author import author_of
from dkimgate.message.message import HeaderField, split_message
from dkimgate.postfix.milter_client import MilterClient, MilterError
from dkimgate.postfix.way_out import WayOut
from dkimgate.record.journal_reader import Reader, forwards
from dkimgate.record.record import Record, read

FORWARDER = "mx.forwarder.example"
ADDRESS = "192.0.2.10"
_WAY_OUT = WayOut((ipaddress.ip_address(ADDRESS),), helos=(FORWARDER,))
BOUNCES = "bounce.forwarder.example"
START_SECONDS = 20.0
STOP_SECONDS = 5.0


def demo_file(name: str) -> bytes:
    """A file that is installed with the package."""
    return (resources.files("dkimgate.cli") / "demo_messages" / name).read_bytes()


@dataclass(frozen=True, slots=True)
class Keys:
    """Those of the hosted domain, and that of a stranger who signs his own mail."""

    hosted: tuple[SigningKey, ...]
    friend: SigningKey

    @classmethod
    def new(cls) -> Keys:
        """Make them."""

        def rsa_key() -> PrivateKey:
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)

        return cls(
            (
                signing_key("hosted.example", "rsa", rsa_key()),
                signing_key("hosted.example", "ed", ed25519.Ed25519PrivateKey.generate()),
            ),
            signing_key("friend.example", "main", rsa_key()),
        )

    def zone(self) -> dict[str, dict[str, list[str]]]:
        """What DNS says. The SPF record of the hosted domain lists the forwarder, as such records do, so there are two
        doors to a pass: a signature, and the envelope sender."""
        texts = {
            "hosted.example": f"v=spf1 ip4:198.51.100.25 ip4:{ADDRESS} -all",
            BOUNCES: f"v=spf1 ip4:{ADDRESS} -all",
            "friend.example": "v=spf1 ip4:198.51.100.80 -all",
            "_dmarc.hosted.example": "v=DMARC1; p=none",
            "_dmarc.friend.example": "v=DMARC1; p=reject",
            **{key.name: key.public_record() for key in (*self.hosted, self.friend)},
        }
        return {name: {"TXT": [text]} for name, text in texts.items()}


def sign_as_friend(header: tuple[HeaderField, ...], body: bytes, key: SigningKey) -> tuple[HeaderField, ...]:
    """The message with a signature of its author's own, below the trace fields of later hops."""
    digest = BodyHash()
    digest.update(body)
    field = HeaderField(b"DKIM-Signature", b" " + sign(header, digest.digest(), key, int(time.time())))
    at = next(index for index, each in enumerate(header) if each.key == "date")
    return (*header[:at], field, *header[at:])


@dataclass(frozen=True, slots=True)
class Receiver:
    """The next host: it knows nothing of dkimgate, only what it gets and what DNS says."""

    lookup: Callable[[], Lookup]

    def dmarc(self, message: bytes, sender: str) -> str:
        """Its DMARC result: pass by an aligned DKIM signature that dkimpy verifies, or by aligned SPF; else fail."""
        header, _ = split_message(message)
        author = author_of(header).domain or ""
        signatures = sum(field.key == "dkim-signature" for field in header)
        signed = any(self._verifies(message, index, author) for index in range(signatures))
        spf, _ = outgoing_spf(sender, _WAY_OUT, author, self.lookup())
        return "pass" if signed or spf else "fail"

    def _verifies(self, message: bytes, index: int, author: str) -> bool:
        verifier = dkim.DKIM(message)
        try:
            verified = bool(verifier.verify(idx=index, dnsfunc=self._txt))
        except Exception:  # noqa: BLE001 - a signature that the verifier chokes on does not count (dkimpy lacks Ed25519 without PyNaCl)
            return False
        return verified and domains.aligned(verifier.domain.decode("ascii"), author)

    def _txt(self, name: bytes | str, timeout: float = 5.0) -> bytes | None:
        text = name.decode("ascii") if isinstance(name, bytes) else name
        return next(iter(self.lookup().txt(text).values), None)


@contextmanager
def name_server(zone: dict[str, dict[str, list[str]]]) -> Iterator[int]:
    """A DNS server for that zone on a UDP port of the loopback, which is what it gives."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=_answer_all, args=(listening, zone), daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        # an empty datagram is no question: it ends the thread
        listening.sendto(b"", listening.getsockname())
        thread.join(STOP_SECONDS)
        listening.close()


def _answer_all(listening: socket.socket, zone: dict[str, dict[str, list[str]]]) -> None:
    while True:
        data, asker = listening.recvfrom(4096)
        if not data:
            return
        with suppress(dns.exception.DNSException, OSError, IndexError):
            listening.sendto(_answer(dns.message.from_wire(data), zone).to_wire(), asker)


def _answer(query: dns.message.Message, zone: dict[str, dict[str, list[str]]]) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA | dns.flags.RA
    question = query.question[0]
    found = zone.get(question.name.to_text(omit_final_dot=True).lower())
    if found is None:
        response.set_rcode(dns.rcode.NXDOMAIN)
        return response
    for text in found.get("TXT", []) if question.rdtype == dns.rdatatype.TXT else []:
        strings = " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
        response.answer.append(dns.rrset.from_text(question.name, 60, "IN", "TXT", strings))
    return response


def write_configuration(folder: Path, mode: str, keys: Keys, port: int) -> Path:
    """A configuration with its policy and keys in `folder`; the file's name is given."""
    for key in keys.hosted:
        pem = key.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write_secret(folder / f"{key.selector}.pem", pem)
    _write_secret(folder / "srs.secret", srs.new_secret().encode("ascii") + b"\n")
    policy = demo_file("policy.yaml").decode("utf-8")
    (folder / f"policy-{mode}.yaml").write_text(policy.replace("mode: enforce", f"mode: {mode}"))
    file = folder / f"{mode}.yaml"
    settings = {
        "listen": f"unix:{folder}/{mode}.sock",
        "workers": 1,
        "drain_seconds": 0,
        "policy": f"policy-{mode}.yaml",
        "trust": {"hosts": [FORWARDER], "authserv_ids": [FORWARDER]},
        "keys": [
            {"domain": key.domain, "selector": key.selector, "file": f"{key.selector}.pem"} for key in keys.hosted
        ],
        "unalign": {"domain": BOUNCES, "secret_file": "srs.secret"},
        "departure": {"addresses": [ADDRESS], "helo": FORWARDER, "origin": FORWARDER, "rewrites_senders": False},
        "verify": {"nameservers": ["127.0.0.1"], "port": port},
        "journal": {"file": f"{mode}.jsonl"},
    }
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    return file


def _write_secret(file: Path, content: bytes) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)


@contextmanager
def daemons(files: dict[str, Path]) -> Iterator[dict[str, str]]:
    """A real daemon for each configuration. Yields the addresses of their sockets."""
    running: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
    try:
        for name, file in files.items():
            log = file.with_suffix(".log")
            with log.open("wb") as output:
                command = [sys.executable, "-m", "dkimgate", "run", "--config", str(file)]
                running[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output), log
        addresses = {name: f"unix:{file.with_suffix('.sock')}" for name, file in files.items()}
        for name, (process, log) in running.items():
            _wait_until_it_listens(process, addresses[name], log)
        yield addresses
    finally:
        _stop([process for process, _ in running.values()])


def _wait_until_it_listens(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(MilterError):
            MilterClient(address).close(quietly=True)
            return
        time.sleep(0.02)
    said = " / ".join(log.read_text("utf-8", "replace").splitlines()[-3:])
    raise CommandError("demo.no-daemon", f"the daemon did not start: {said or 'it said nothing'}")


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    # libmilter looks for a signal only every few seconds; a second one does not wait for it
    time.sleep(0.1)
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def records(file: Path) -> dict[str, Record]:
    """The journal, by queue id. Raises CommandError where a message has more than one record: that must never be."""
    found: dict[str, Record] = {}
    for record in map(read, Reader().records(forwards(file))):
        queue_id = record.queue_id or ""
        if queue_id in found:
            raise CommandError("demo.two-records", f"two records for one message: {queue_id}")
        found[queue_id] = record
    return found
