"""`log show`: one message whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.facts import (
    Assessment,
    Decision,
    Departure,
    Facts,
    HeaderChanges,
)
from dkimgate.message.message import Connection, Envelope, Message
from dkimgate.record import record
from tests.cli.decisions import NOON, own


def test_show_tells_what_became_of_the_header(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = HeaderChanges(tag="[odd]", added_names=("X-A", "X-B"), removed_names=("X-C",), not_done=("add X-D: no",))
    assessment = Assessment(Facts(), Decision("r"), Departure("fail", False, False), changes=changes)
    journal.write_bytes(record.to_line(record.make(Message(queue_id="C"), assessment, time=NOON, ms=0, policy_hash="")))
    assert cli.main(["log", "show", "--file", str(journal), "C"]) == 0
    said = capsys.readouterr().out
    assert "header: subject tagged [odd]; added X-A, X-B; removed X-C\n" in said
    assert "header, not done: add X-D: no\n" in said


def test_a_record_that_is_older_than_header_changes_is_shown(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = json.loads(own("O"))
    for key in ("tag", "added", "removed", "not_done"):
        del old["decision"][key]
    journal.write_text(json.dumps(old) + "\n")
    assert cli.main(["log", "show", "--file", str(journal), "O"]) == 0
    assert "rule own-users\n" in capsys.readouterr().out


def test_show_finds_by_queue_id_and_message_id_also_in_rotated_files(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("BAD1", "<BAD1@hosted.example>", "BAD1@hosted.example"):
        assert cli.main(["log", "show", "--file", str(journal), name]) == 0
        said = capsys.readouterr().out
        assert said.startswith("BAD1  <BAD1@hosted.example>\n")
        assert "risk     348.3 = dmarc=fail 100 + spam 248.3\n" in said
        assert "decision   no signature of ours\n           rule never-launder\n" in said
    assert cli.main(["log", "show", "--json", "--file", str(journal), "OLD1", "BAD1"]) == 0
    assert [json.loads(row)["queue_id"] for row in capsys.readouterr().out.splitlines()] == ["OLD1", "BAD1"]


def test_show_names_what_is_not_there(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["log", "show", "--file", str(journal), "BAD1", "BAD"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith("BAD1")
    assert said.err == f"dkimgate: BAD: no such record in {journal} or its rotated files\n"


def test_show_of_a_record_without_facts(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = Message(Connection("192.0.2.66"), Envelope("a@b.example"), (), "E1")
    journal.write_bytes(
        record.to_line(record.make(message, None, time=NOON, ms=0, policy_hash="", error="judging: broken"))
    )
    assert cli.main(["log", "show", "--file", str(journal), "E1"]) == 0
    assert "error  judging: broken\n" in capsys.readouterr().out
