"""One line an event: nothing that a stranger wrote ends a line of the log, or hides a part of one."""

from __future__ import annotations

import os
import socket
import sys
import unicodedata
from pathlib import Path

import pytest

from dkimgate.cli.screen import Screen, complain
from dkimgate.daemon.notify import notify
from dkimgate.log import describe, log, log_lines, visible
from dkimgate.record.journal import Journal, JournalError

HIDDEN = [
    chr(code)
    for code in range(sys.maxunicode + 1)
    if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
]
"""Every control, format, surrogate, private-use and separator character."""


def test_every_hidden_character_is_shown_as_an_escape() -> None:
    assert len(HIDDEN) > 137_000
    for char in HIDDEN:
        shown = visible(f"a{char}b")
        assert shown.isascii() and shown.isprintable() and len(shown) > 3, hex(ord(char))
        assert shown == f"a{char}b".encode("unicode_escape").decode(), "the escape says which one it was"
        assert visible(shown) == shown


def test_visible_text_stays_as_it_is() -> None:
    for text in ("", "plain text", "a\\b", "Zo\xeb", "\u6771\u4eac", "\U0001f600"):
        assert visible(text) == text


def test_a_text_is_one_line_whatever_is_in_it(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    text = "".join(f"x{char}dkimgate[1]: stopped" for char in HIDDEN if ord(char) < 0xE000 or ord(char) % 997 == 0)
    for write in (log, complain, Screen().line, lambda said: Screen().table([[said, said]])):
        write(text)
        captured = capfd.readouterr()
        lines = (captured.out + captured.err).splitlines()
        assert len(lines) == 1
        assert lines[0].isprintable()
        assert "x\\ndkimgate[1]" in lines[0] and "x\\x85dkimgate[1]" in lines[0] and "x\\u2028dkimgate[1]" in lines[0]


def test_only_a_line_feed_divides_texts_of_our_own(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    log_lines("a.yaml:1:1: one\u2028two\x85three\r\x0b\nnot reloaded")
    one, two = capfd.readouterr().err.splitlines()
    assert one.endswith(r": a.yaml:1:1: one\u2028two\x85three\r\x0b")
    assert two.endswith(": not reloaded")


def test_an_exception_is_told_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    log(describe(ValueError("one\u2028two\x85three\nfour\udc85")))
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_what_defers_all_mail_is_an_error_in_the_journal_of_systemd(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`journalctl -p err` shows it."""
    status = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    with pytest.raises(JournalError):
        Journal(tmp_path / "none\u2028" / "decisions.jsonl").write(b"{}\n")
    assert capfd.readouterr().err == f"<3>journal: {tmp_path}/none\\u2028: no such directory\n"


def test_no_text_becomes_a_state_for_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1", "STATUS=mail is deferred: /var/log/a\nSTOPPING=1\udcff")
        assert told.recv(4096) == b"READY=1\nSTATUS=mail is deferred: /var/log/a\\nSTOPPING=1\\udcff"
