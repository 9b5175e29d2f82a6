"""Every signature must satisfy verifiers that others wrote, dkimpy and OpenDKIM, and no change of the message may."""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dkimgate.dkim.canonical import BodyHash
from dkimgate.dkim.keys import SigningKey, signing_key
from dkimgate.dkim.sign import FIELD_NAME, sign
from dkimgate.message.message import split_message
from tests.needs import need_program

HEADER = b"From: Ann <ann@hosted.example>\r\nTo: bob@receiver.example\r\nSubject: Lunch\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n"

CORPUS = {
    "empty body": HEADER + b"\r\n",
    "plain": HEADER + b"\r\nHello,\r\nlunch at one?\r\n",
    "no final CRLF": HEADER + b"\r\nHello",
    "trailing white space": HEADER + b"\r\nHello  \r\n\tlunch \t at\tone? \t\r\n",
    "trailing blank lines": HEADER + b"\r\nHello\r\n\r\n\r\n\r\n",
    "blank lines only": HEADER + b"\r\n" + b"\r\n" * 50_000,
    "white lines only": HEADER + b"\r\n" + b" \t \r\n" * 1_000,
    "white lines inside": HEADER + b"\r\nA\r\n \r\n\t\r\n\r\nB\r\n  \r\n",
    "8-bit": HEADER
    + b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xfc\xdfe \xa0 \xff\r\n",
    "folded fields": HEADER
    + b"References: <1@hosted.example>\r\n <2@hosted.example>\r\n\t<3@hosted.example>  \r\nMIME-Version:\r\n 1.0\r\n\r\nx\r\n",
    "repeated fields": HEADER
    + b"To: two\r\nCc: x\r\ncc: y\r\nCC:z\r\nComments: c\r\nList-Id: <a>\r\nList-Id: <b>\r\n\r\nx\r\n",
    "two From": HEADER + b"From: <second@hosted.example>\r\n\r\nx\r\n",
    "UTF-8 header": HEADER + "Reply-To: Žofie <žofie@hosted.example>\r\nSubject: Oběd  é\r\n\r\nČau\r\n".encode(),
    "tabs": b"From:\tAnn\t<ann@hosted.example>\t\r\nSubject:\t\tx\t y\r\n\r\n\tx\t\ty\t\r\n",
    "empty fields": b"From: <ann@hosted.example>\r\nSubject:\r\nTo: \r\nCc:\r\n  \r\n\r\nx\r\n",
    "long lines": HEADER
    + b"References: "
    + b"<0123456789@hosted.example> " * 700
    + b"\r\nCc: "
    + b"x" * 5_000
    + b"\r\n\r\n"
    + b"y " * 9_000
    + b"\r\n",
    "trace fields": b"Received: from a by b\r\nX-Spam-Status: No\r\nAuthentication-Results: b; dmarc=pass\r\n"
    + HEADER
    + b"\r\nx\r\n",
    "dots and From lines": HEADER + b"\r\n.\r\n..\r\nFrom me\r\n>From you\r\n",
    "many fields": HEADER + b"".join(b"Cc: %d@receiver.example\r\n" % n for n in range(300)) + b"\r\nx\r\n",
    "10 MB": HEADER + b"\r\n" + b"The quick  brown fox jumps over the lazy dog. \r\n\r\n" * 200_000,
}

# the signed message, and what somebody did to it on its way
TAMPERED = {
    "body": (b"lunch at one", b"lunch at two"),
    "body, one space added inside a word": (b"lunch", b"lun ch"),
    "line added to the body": (b"one?\r\n", b"one?\r\n\r\nPay here.\r\n"),
    "line taken from the body": (b"Hello,\r\n", b""),
    "From": (b"ann@hosted", b"eve@hosted"),
    "display name": (b"Ann", b"The Bank"),
    "To": (b"bob@", b"eve@"),
    "Subject": (b"Lunch\r\n", b"Invoice\r\n"),
    "Date": (b"21 Nov", b"22 Nov"),
    "From removed": (b"From: Ann <ann@hosted.example>\r\n", b""),
    "Subject removed": (b"Subject: Lunch\r\n", b""),
    "a second From above": (b"From: Ann", b"From: <eve@hosted.example>\r\nFrom: Ann"),
    "a second From below": (b"Subject:", b"From: <eve@hosted.example>\r\nSubject:"),
    "a second From, in capitals": (b"Subject:", b"FROM: <eve@hosted.example>\r\nSubject:"),
    "a second Subject": (b"Subject:", b"Subject: Invoice\r\nSubject:"),
    "a second To": (b"To:", b"To: eve@receiver.example\r\nTo:"),
    "a second Date": (b"Date:", b"Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nDate:"),
    "a Reply-To": (b"To:", b"Reply-To: eve@receiver.example\r\nTo:"),
    "a Content-Type": (b"To:", b'Content-Type: multipart/mixed; boundary="Hello,"\r\nTo:'),
    "a Content-Transfer-Encoding": (b"To:", b"Content-Transfer-Encoding: base64\r\nTo:"),
    "a MIME-Version": (b"To:", b"MIME-Version: 1.0\r\nTo:"),
    "d=": (b"d=hosted.example", b"d=other.example"),
    "t=": (b" t=1", b" t=2"),
    "h=": (b"from:from", b"from:date"),
}

# and what may happen to any message on its way
HARMLESS = {
    "nothing": (b"", b""),
    "Received": (b"From: Ann", b"Received: from x by y\r\nFrom: Ann"),
    "X-Spam-Status": (b"Subject:", b"X-Spam-Status: No\r\nSubject:"),
    "another signature": (
        b"From: Ann",
        b"DKIM-Signature: v=1; a=rsa-sha256; d=other.example; s=a; h=from; bh=; b=\r\nFrom: Ann",
    ),
    "Cc added by a list": (b"Subject:", b"Cc: list@lists.example\r\nSubject:"),
    "List-Id added by a list": (b"Subject:", b"List-Id: <list.lists.example>\r\nSubject:"),
    "Message-ID added by an MTA": (b"Subject:", b"Message-ID: <1@receiver.example>\r\nSubject:"),
    "refolded": (b"bob@receiver.example\r\nSubject: Lunch", b"\r\n bob@receiver.example\r\nSUBJECT:  Lunch "),
    "blank lines at the end": (b"one?\r\n", b"one? \r\n\r\n\r\n"),
}


@pytest.fixture(scope="module")
def rsa_key() -> SigningKey:
    return signing_key("hosted.example", "default", rsa.generate_private_key(65537, 2048))


@pytest.fixture(scope="module")
def ed25519_key() -> SigningKey:
    return signing_key("hosted.example", "ed", Ed25519PrivateKey.generate())


def signed(raw: bytes, key: SigningKey) -> bytes:
    """The message with our signature on top, as Postfix would send it: with a final CRLF."""
    header, _ = split_message(raw)
    _, _, body = raw.partition(b"\r\n\r\n")
    hashed = BodyHash()
    for at in range(0, len(body), 65_535):
        hashed.update(body[at : at + 65_535])
    value = sign(header, hashed.digest(), key, int(time.time()), expire_days=7)
    end = b"" if not body or body.endswith(b"\r\n") else b"\r\n"
    return FIELD_NAME + b": " + value.replace(b"\n", b"\r\n") + b"\r\n" + raw + end


def changed(raw: bytes, old: bytes, new: bytes) -> bytes:
    assert old in raw
    return raw.replace(old, new, 1)


def dkimpy_accepts(message: bytes, key: SigningKey) -> bool:
    """What dkimpy says to the topmost signature. It reads its key from our record."""
    try:
        return bool(dkim.verify(message, dnsfunc=lambda name, timeout=5: key.public_record().encode()))
    except dkim.DKIMException:
        return False


@pytest.mark.heavy
@pytest.mark.parametrize("raw", CORPUS.values(), ids=CORPUS.keys())
def test_dkimpy_accepts(raw: bytes, rsa_key: SigningKey) -> None:
    assert dkimpy_accepts(signed(raw, rsa_key), rsa_key)


@pytest.mark.parametrize(("old", "new"), HARMLESS.values(), ids=HARMLESS.keys())
def test_dkimpy_accepts_what_happens_on_the_way(old: bytes, new: bytes, rsa_key: SigningKey) -> None:
    assert dkimpy_accepts(changed(signed(CORPUS["plain"], rsa_key), old, new), rsa_key)


@pytest.mark.parametrize(("old", "new"), TAMPERED.values(), ids=TAMPERED.keys())
def test_dkimpy_refuses_what_was_tampered_with(old: bytes, new: bytes, rsa_key: SigningKey) -> None:
    assert not dkimpy_accepts(changed(signed(CORPUS["plain"], rsa_key), old, new), rsa_key)


def test_dkimpy_refuses_the_signature_of_another_key(rsa_key: SigningKey) -> None:
    other = signing_key("hosted.example", "default", rsa.generate_private_key(65537, 2048))
    assert not dkimpy_accepts(signed(CORPUS["plain"], other), rsa_key)


@dataclass(frozen=True)
class Verdicts:
    """What `opendkim -t` says about files."""

    succeeded: set[str]
    seen: set[str]


def opendkim(folder: Path, keys: list[SigningKey], messages: dict[str, bytes]) -> Verdicts:
    """Let OpenDKIM verify all messages; the names are those of the messages."""
    need_program("opendkim")
    names = {}
    for number, (name, message) in enumerate(messages.items()):
        file = folder / f"{number}.eml"
        file.write_bytes(message)
        names[str(file)] = name
    records = folder / "records"
    records.write_text("".join(f"{key.name} {key.public_record()}\n" for key in keys))
    settings = folder / "opendkim.conf"
    settings.write_text(f"Mode v\nSocket local:{folder}/unused\nTestPublicKeys {records}\nUserID root\n")
    command = ["opendkim", "-x", str(settings), "-t", ",".join(names)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    verdicts = re.findall(
        r"^opendkim: (\S+): verification \(.*\) (succeeded|failed)", done.stdout + done.stderr, re.MULTILINE
    )
    return Verdicts(
        {names[file] for file, verdict in verdicts if verdict == "succeeded"}, {names[file] for file, _ in verdicts}
    )


class TestOpenDKIM:
    """The same corpus before the verifier that most Debian hosts run."""

    pytestmark = pytest.mark.servers

    def test_accepts_rsa_and_ed25519(self, tmp_path: Path, rsa_key: SigningKey, ed25519_key: SigningKey) -> None:
        messages = {
            f"{key.algorithm}: {name}": signed(raw, key)
            for key in (rsa_key, ed25519_key)
            for name, raw in CORPUS.items()
        }
        assert opendkim(tmp_path, [rsa_key, ed25519_key], messages).succeeded == set(messages)

    def test_accepts_what_happens_on_the_way(self, tmp_path: Path, ed25519_key: SigningKey) -> None:
        whole = signed(CORPUS["plain"], ed25519_key)
        messages = {name: changed(whole, *change) for name, change in HARMLESS.items() if name != "another signature"}
        assert opendkim(tmp_path, [ed25519_key], messages).succeeded == set(messages)

    def test_refuses_what_was_tampered_with(self, tmp_path: Path, rsa_key: SigningKey, ed25519_key: SigningKey) -> None:
        for number, key in enumerate((rsa_key, ed25519_key)):
            folder = tmp_path / str(number)
            folder.mkdir()
            whole = signed(CORPUS["plain"], key)
            messages = {name: changed(whole, *change) for name, change in TAMPERED.items()}
            verdicts = opendkim(folder, [key], messages)
            # it says nothing at all of a message without From
            assert verdicts.seen == set(messages) - {"From removed"}
            assert verdicts.succeeded == set()
