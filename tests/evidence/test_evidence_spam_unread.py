"""Verdicts that nobody here can read are told once a day."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkimgate.evidence import spam
from dkimgate.log import MOST_A_DAY, OnceADay
from tests.world.host import Host
from tests.world.mail import AUTHOR, message

# --- what nobody can read -------------------------------------------------------------------------------------------------------------


def test_what_nobody_can_read_is_told_once_a_day() -> None:
    once = OnceADay()
    assert [once.is_due("x", at) for at in (0.0, 10.0, 86_399.0, 86_400.0, 86_401.0)] == [
        True,
        False,
        False,
        True,
        False,
    ]
    assert once.is_due("x", 10.0)  # the clock was set back
    many = OnceADay()
    assert sum(many.is_due(f"x-{number}-mailscanner-spamcheck", 5.0) for number in range(1000)) == MOST_A_DAY
    assert many.is_due("y", 5.0 + 86_400)


def test_the_daemon_tells_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    host = Host(tmp_path, "trust: null\nkeys: null\nverify: {when: never}\n")
    capfd.readouterr()
    for value in ("\u2028<3>forged", "another", "clean"):
        host.send(f"X-Vade-SpamState: {value}\nX-Spam-Flag: NO\n" + AUTHOR)
    lines = [line for line in capfd.readouterr().err.splitlines() if "spam_fields" in line]
    assert len(lines) == 1
    assert lines[0].endswith(
        "4F2B: x-vade-spamstate says '\\u2028<3>forged', which is read as no spam: if it is spam, describe it in spam_fields"
    )


def test_an_unread_field_by_its_name_in_ascii() -> None:
    header = message(
        "X-Vade-SpamState: xyzzy\nX-a\x85b-MailScanner-SpamCheck: ?\nX-Spam-Level: ***\nX-Spam-Flag: NO\n" + AUTHOR
    ).header
    told = list(spam.unread(header, spam.verdicts_of(header)))
    assert told[0] == ("x-vade-spamstate", "xyzzy")
    assert len(told) == 2 and told[1][0].isascii() and told[1][0].isprintable()
