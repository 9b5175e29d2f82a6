"""A set on the wire: `dkimgate run` seals over a real socket, and what leaves verifies."""

from __future__ import annotations

from pathlib import Path

import dkim
from cryptography.hazmat.primitives.asymmetric import rsa

from dkimgate.dkim.keys import signing_key
from tests import smtp_model
from tests.running import real
from tests.world.keys import pem_of
from tests.world.mail import AUTHOR, BORDER, fields, message

KEY = signing_key("forwarder.example", "arc", rsa.generate_private_key(65537, 2048))
FAILED = "Authentication-Results: mx.forwarder.example; dmarc=fail header.from=hosted.example\n"
BODY = b"Hello \t \r\n\r\n" + b"x" * 70_000 + b"\r\n\r\n"


def test_a_refused_message_leaves_sealed(folder: Path) -> None:
    daemon = real(
        folder,
        "version: 1\nrules: [{name: all, sign: forwarder, seal: true, envelope: unalign, otherwise: hold}]\n",
        pem_of(KEY.private),
        keys=[{"domain": KEY.domain, "selector": KEY.selector, "file": "key.pem"}],
        forwarder={"domain": KEY.domain},
    )
    came = message(FAILED + BORDER + AUTHOR, sender="a@hosted.example")
    try:
        reply = daemon.send(came, BODY)
        (record,) = daemon.records()
    finally:
        daemon.end()
    leaving = reply.apply(
        came.header, smtp_model.body(BODY.split(b"\r\n")[:-1])
    )  # the long line is signed as smtp(8) breaks it
    names = [field.name for field in fields(leaving)[:5]]
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
