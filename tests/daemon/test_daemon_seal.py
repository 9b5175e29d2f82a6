"""A set on the wire: `dkimgate run` seals over a real socket, and what leaves verifies."""

from __future__ import annotations

from pathlib import Path

import dkim
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dkimgate.dkim.keys import signing_key
from dkimgate.message.message import Envelope, Message, split_message
from tests import smtp_model
from tests.running import Daemon
from tests.world.mail import AUTHOR, BORDER, REINJECTED

KEY = signing_key("forwarder.example", "arc", rsa.generate_private_key(65537, 2048))
FAILED = "Authentication-Results: mx.forwarder.example; dmarc=fail header.from=hosted.example\n"
BODY = b"Hello \t \r\n\r\n" + b"x" * 70_000 + b"\r\n\r\n"


def test_a_refused_message_leaves_sealed(folder: Path) -> None:
    (folder / "key.pem").write_bytes(KEY.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "key.pem").chmod(0o600)
    (folder / "policy.yaml").write_text(
        "version: 1\nrules: [{name: all, sign: forwarder, seal: true, envelope: unalign, otherwise: hold}]\n"
    )
    settings: dict[str, object] = {
        "trust": {"hosts": ["mx.forwarder.example"], "authserv_ids": ["mx.forwarder.example"]},
        "keys": [{"domain": KEY.domain, "selector": KEY.selector, "file": "key.pem"}],
        "forwarder": {"domain": KEY.domain},
        "verify": {"nameservers": ["127.0.0.1"], "port": 9, "deadline": 0.5},
    }
    daemon = Daemon(folder, ["-m", "dkimgate", "run", "--config"], settings)
    try:
        daemon.wait_for("READY=1")
        header, _ = split_message((FAILED + BORDER + AUTHOR).encode() + b"\n")
        with daemon.connect(connection=REINJECTED) as client:
            reply = client.send(
                Message(REINJECTED, Envelope("a@hosted.example", ("v@receiver.example",)), header, "4F2A"), BODY
            )
        (record,) = daemon.records()
    finally:
        daemon.end()
    leaving = reply.apply(
        header, smtp_model.body(BODY.split(b"\r\n")[:-1])
    )  # the long line is signed as smtp(8) breaks it
    names = [field.name for field in split_message(leaving)[0][:5]]
    assert names == [
        b"ARC-Seal",
        b"ARC-Message-Signature",
        b"ARC-Authentication-Results",
        b"DKIM-Signature",
        b"Authentication-Results",
    ]
    assert dkim.arc_verify(leaving, dnsfunc=lambda name, timeout=5: KEY.public_record().encode())[0] == b"pass"
    assert dkim.verify(
        leaving[leaving.index(b"DKIM-Signature") :], dnsfunc=lambda name, timeout=5: KEY.public_record().encode()
    )
    assert b"dmarc=fail" in leaving[: leaving.index(b"DKIM-Signature")]
    assert (record["decision"]["seal"], len(record["decision"]["signatures"])) == (True, 1)
