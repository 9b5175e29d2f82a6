"""A third verifier, Mail::DKIM in Perl, of the sets that we make."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.arc.sealing import KEYS, LETTER, LIST, Mail, mail
from tests.arc.test_arc_set import ours
from tests.needs import need, need_program

pytestmark = pytest.mark.servers  # SpamAssassin brings it along
RECORDS = [text for key in KEYS for text in (key.name, key.public_record())]


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need_program("perl")
    found = subprocess.run(["perl", "-MMail::DKIM::ARC::Verifier", "-e", "1"], capture_output=True, check=False)
    need(None if found.returncode == 0 else "Mail::DKIM is not installed: `make test` installs it with SpamAssassin")


def judged(message: Mail) -> str:
    script = Path(__file__).with_name("mail_dkim.pl")
    return (
        subprocess.run(["perl", str(script), *RECORDS], input=message.raw, capture_output=True, check=True)
        .stdout.decode()
        .strip()
    )


@pytest.mark.parametrize("number", [0, 1, 4])
def test_on_a_chain_of_that_many_sets(number: int) -> None:
    message = mail()
    for _ in range(number):
        message = message.sealed(LIST)
    sealed = ours(message)
    assert judged(sealed) == "pass"
    assert judged(ours(ours(sealed, LIST))) == "pass"
    for old, new in (
        (b"at one", b"at two"),
        (b"dmarc=fail", b"dmarc=pass"),
        (b"From: Ann", b"From: Eve"),
        (b"cv=none", b"cv=pass"),
    ):
        assert judged(sealed.changed(old, new)) == "fail"


@pytest.mark.parametrize("body", [b"a \t b \r\n\r\n \r\n\r\n", b" \r\n", b"\r\n", b"\xff\x80\r\n", b".\r\n..\r\n"])
def test_bodies(body: bytes) -> None:
    assert judged(ours(replace(mail(), body=body))) == "pass"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"From: Ann", b"FROM:    Ann"),
        (b"Subject: Lunch  at\n one\n", b""),
        (b"Subject: Lunch  at", b"Subject: a\nSubject: b\nsUBJECT: \xe4\xf6\xff"),
        (b"Received", b"DKIM-Signature: v=1; a=rsa-sha256; d=author.example;\n\tb=AA==\nDKIM-Signature: v=2\nReceived"),
    ],
)
def test_headers(old: bytes, new: bytes) -> None:
    assert judged(ours(mail(LETTER.replace(old, new, 1)))) == "pass"


def test_a_chain_that_we_found_broken_stays_so() -> None:
    assert judged(ours(mail().sealed(LIST).changed(b"Ann", b"Eve"))) == "fail"
