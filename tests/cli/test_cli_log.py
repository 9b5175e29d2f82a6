"""`log`: what an operator sees of the journal."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.config.dkimgate_yaml import Journal
from dkimgate.facts import (
    Arrival,
    Decision,
    Departure,
    Disposition,
    Facts,
    Origin,
    Sign,
    Spam,
)
from dkimgate.gate import budget
from dkimgate.message.message import Message
from dkimgate.record import record
from tests.cli.decisions import NOON, line, own, phish
from tests.terminal import on_terminal
from tests.world.keys import MadeWith


def tail(journal: Path, *options: str) -> int:
    return cli.main(["log", "tail", "--file", str(journal), *options])


def ids(text: str) -> list[str]:
    return [row.split()[1] for row in text.splitlines()]


def test_one_line_a_message_in_columns(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tail(journal, "-n", "2") == 0
    bad, good = capsys.readouterr().out.splitlines()
    assert bad.split() == [
        "2026-11-21T12:20:00Z",
        "BAD1",
        "hosted.example",
        "forwarded",
        "dmarc=fail",
        "spam=14.9/3",
        "risk=348.3",
        "never-launder",
        "signed=none",
        "departs=fail",
    ]
    assert good.split()[1:] == [
        "OWN99",
        "other.example",
        "local",
        "dmarc=none",
        "risk=0",
        "own-users",
        "signed=hosted.example",
        "departs=pass",
    ]
    assert bad.index("risk=") == good.index("risk=")


@pytest.mark.heavy
@pytest.mark.parametrize(("columns", "lines"), [("80", 2), ("120", 2), ("200", 1)])
def test_a_terminal_too_narrow_for_a_record_gets_two_lines_of_it(journal: Path, columns: str, lines: int) -> None:
    said = on_terminal("log", "tail", "--file", str(journal), "-n", "1", COLUMNS=columns, NO_COLOR="1").splitlines()
    assert len(said) == lines
    assert [line.startswith("    ") for line in said] == [False, True][:lines]
    assert " ".join(said).split()[1:5] == ["OWN99", "other.example", "local", "dmarc=none"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [f"OWN{n}" for n in range(4, 12)] + ["BAD1", "OWN99"]),
        (["-n", "1"], ["OWN99"]),
        (["-n", "0", "--rule", "never-*"], ["BAD1"]),
        (["-n", "0", "--rule", "never-*", "--rotated"], ["OLD2", "BAD1"]),
        (["--from", "hosted.example"], ["BAD1"]),
        (["--from", "*.EXAMPLE", "-n", "2"], ["BAD1", "OWN99"]),
        (["--since", "2026-11-21T12:20"], ["BAD1", "OWN99"]),
        (["--since", "2026-11-21T13:20+01:00"], ["BAD1", "OWN99"]),
        (["-n", "0", "--since", "2026-11-20", "--rotated", "--from", "hosted.example"], ["OLD2", "BAD1"]),
        (
            ["-n", "99", "--rotated", "--since", "2026-11-01"],
            ["OLD1", "OLD2", *[f"OWN{n}" for n in range(12)], "BAD1", "OWN99"],
        ),
    ],
)
def test_filters(journal: Path, options: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert tail(journal, *options) == 0
    assert ids(capsys.readouterr().out) == expected


def test_nothing_found_is_status_1_and_no_file_is_status_2(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tail(journal, "--rule", "nosuch") == 1
    assert tail(journal.with_name("nosuch")) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert (
        said.err
        == f"dkimgate: {journal.with_name('nosuch')}: No such file or directory: no message has been recorded there yet\n"
    )


def test_json_is_the_record_itself(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tail(journal, "--json", "-n", "1") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(own("OWN99", 21))


def test_torn_lines_and_strange_records_are_told_and_passed_over(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal.write_bytes(
        phish("A")[:100] + phish("B") + b'{"v": 2, "time": "2030", "queue_id": "C"}\n' + phish("D")[:50]
    )
    assert tail(journal) == 0
    said = capsys.readouterr()
    assert ids(said.out) == ["B", "C"]
    assert "a record of version 2 that can't be shown" in said.out
    assert "2 torn line(s) skipped" in said.err


def test_an_error_and_a_refusal_stand_at_the_end_of_the_line(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = Decision("r", disposition=Disposition.REJECT, text="no")
    failed = record.make(Message(queue_id="E"), None, time=NOON, ms=0, policy_hash="", error="judging: KeyError: 'x'")
    journal.write_bytes(line("R", Facts(), refused, Departure("fail", False, False), 0) + record.to_line(failed))
    assert tail(journal) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("reject")
    assert second.endswith("error: judging: KeyError: 'x'")


def test_what_was_only_observed_is_told_as_such(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It went on its way, signed: the disposition alone would say the contrary."""
    facts = Facts(author="hosted.example", hosted="hosted.example", arrival=Arrival("fail"), origin=Origin.FORWARDED)
    watched = Decision("watched", disposition=Disposition.HOLD, text="arrived with {arrival.dmarc}", mode="observe")
    journal.write_bytes(line("W", facts, watched, Departure("pass", True, False), 0, (MadeWith(),)))
    assert tail(journal) == 0
    assert capsys.readouterr().out.rstrip().endswith("departs=pass  observed: sign: none, hold: arrived with fail")
    assert cli.main(["log", "show", "--file", str(journal), "W"]) == 0
    said = capsys.readouterr().out
    assert "signed by hosted.example\n" in said
    assert (
        "mode: observe: all mail of hosted domains is signed, and nothing is changed; enforce would do: sign: none, hold: arrived with fail"
        in said
    )
    assert "it arrived badly and will look good" in said


def test_signed_spam_of_a_domain_without_a_dmarc_record_is_told_as_laundered(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = Facts(author="hosted.example", hosted="hosted.example", arrival=Arrival("none", spam=Spam(True, 9.0, 5.0)))
    allowed = Decision("relay", Sign.AUTHOR, laundering="the relay checks all")
    journal.write_bytes(line("S", facts, allowed, Departure("none", True, False), 0, (MadeWith(),)))
    assert cli.main(["log", "show", "--file", str(journal), "S"]) == 0
    said = capsys.readouterr().out
    assert "it arrived badly and will look good: an aligned DKIM signature" in said
    assert "the policy allows this rule to launder: the relay checks all" in said


def test_the_journal_of_the_configuration_is_the_default(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = journal.with_name("dkimgate.yaml")
    config.write_text("journal: {file: decisions.jsonl}\n")
    assert cli.main(["log", "tail", "-n", "1", "--config", str(config)]) == 0
    assert ids(capsys.readouterr().out) == ["OWN99"]


@pytest.mark.parametrize(
    ("error", "departs"),
    [
        ("aborted: the MTA aborted the message", False),
        (budget.DEFERRED, False),
        ("deferred: the header could not be searched for forged fields", False),
        ("signing: ValueError", True),
        (None, True),
    ],
)
def test_what_was_given_up_or_deferred_departs_nowhere(
    error: str | None, departs: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "decisions.jsonl"
    facts = Facts(sender="a@other.example", author="other.example", origin=Origin.FORWARDED, arrival=Arrival("pass"))
    file.write_bytes(line("X", facts, Decision("others"), Departure("pass", True, False), 0, error=error))
    assert tail(file) == 0
    row = capsys.readouterr().out
    assert ("departs=pass" in row, "departs=-" in row, "accept" in row) == (departs, not departs, False)
    assert cli.main(["log", "show", "--file", str(file), "X"]) == 0
    said = capsys.readouterr().out
    assert ("none; if it were let go" in said) is not departs and "accept" not in said


@pytest.mark.heavy
def test_follow_shows_new_records_across_rotation_and_ends_quietly(journal: Path) -> None:
    command = [sys.executable, "-m", "dkimgate", "log", "tail", "-f", "-n", "1", "--file", str(journal), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        seen = [json.loads(process.stdout.readline())["queue_id"]]
        with journal.open("ab") as writing:
            writing.write(phish("NEW1"))
        seen.append(json.loads(process.stdout.readline())["queue_id"])
        journal.rename(journal.with_name("decisions.jsonl.0"))
        time.sleep(0.05)
        journal.write_bytes(phish("NEW2"))
        seen.append(json.loads(process.stdout.readline())["queue_id"])
        process.send_signal(2)
        assert process.wait(timeout=20) == 130
        assert process.stderr.read() == b""
    assert seen == ["OWN99", "NEW1", "NEW2"]


def test_a_large_journal_is_read_from_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "d.jsonl"
    with file.open("wb") as writing:
        # 1 GB that takes no room
        os.truncate(writing.fileno(), 1 << 30)
        writing.seek(0, os.SEEK_END)
        writing.write(b"\n" + phish("LAST"))
    started = time.monotonic()
    assert tail(file, "-n", "1") == 0
    assert time.monotonic() - started < 2
    assert ids(capsys.readouterr().out) == ["LAST"]


ODD_RECORDS = (
    {"v": 99, "queue_id": "ODD"},
    {"v": 99, "queue_id": "ODD", "time": 7, "decision": None, "from": ["x"]},
    {"v": [], "queue_id": "ODD", "message_id": {}, "decision": "x"},
    {**json.loads(own("ODD")), "decision": {}},
    {**json.loads(own("ODD")), "claims": 3},
    {**json.loads(own("ODD")), "envelope": None},
)


@pytest.mark.parametrize("odd", ODD_RECORDS)
def test_a_record_that_cannot_be_shown_is_told_of(
    odd: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a later version, or of nobody."""
    file = tmp_path / "decisions.jsonl"
    file.write_text(json.dumps(odd) + "\n" + own("OWN").decode())
    assert cli.main(["log", "show", "--file", str(file), "ODD"]) == 0
    assert (
        f"a record of version {odd['v']!r} that can't be shown: --json prints it as it is\n" in capsys.readouterr().out
    )
    assert cli.main(["log", "show", "--json", "--file", str(file), "ODD"]) == 0
    assert json.loads(capsys.readouterr().out) == odd
    for options in ([], ["--rule", "own-*"], ["--from", "*"], ["--since", "2026-01-01"]):
        assert tail(file, *options) == 0
        assert "OWN" in capsys.readouterr().out


def test_right_after_a_rotation_the_last_messages_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "decisions.jsonl"
    (tmp_path / "decisions.jsonl.1").write_bytes(phish("OLD1") + phish("OLD2", 1))
    assert tail(file) == 0, "logrotate has moved it, and nothing came since"
    assert ids(capsys.readouterr().out) == ["OLD1", "OLD2"]
    file.touch()
    assert tail(file, "-n", "1") == 0, "logrotate has made a new one"
    assert ids(capsys.readouterr().out) == ["OLD2"]
    with monkeypatch.context() as patched:
        patched.setattr("dkimgate.cli.log.follow", lambda *_, start: iter([own("NEW", 2)] if start == 0 else []))
        assert tail(file, "-n", "1", "-f") == 0
    assert ids(capsys.readouterr().out) == ["OLD2", "NEW"], "also ahead of those to come"
    file.write_bytes(own("NEW", 2))
    assert tail(file, "-n", "2") == 0
    assert ids(capsys.readouterr().out) == ["NEW"], "from then on that file alone, unless --rotated is said"


@pytest.mark.parametrize("columns", [80, 100])
def test_no_line_breaks_within_a_word_however_long_a_domain_is(tmp_path: Path, columns: int) -> None:
    file = tmp_path / "decisions.jsonl"
    long = "a-very-long-name-of-a-department." * 3 + "hosted.example"
    file.write_bytes(phish("4F2A").replace(b'"hosted.example"', f'"{long}"'.encode(), 1) + own("4F2B", 1))
    drawn = on_terminal("log", "tail", "--file", str(file), COLUMNS=str(columns), NO_COLOR="1")
    said = re.sub(r"\x1b\[[0-9;]*m", "", drawn).splitlines()
    assert max(map(len, said)) <= columns
    assert [line for line in said if line.startswith("20")] == [line for line in said if not line.startswith(" ")], said
    assert any("hosted.example" in line for line in said)


def test_the_journal_is_read_without_a_readable_configuration(
    journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The configuration names keys: not everybody who may read the log may read it."""
    monkeypatch.setattr("dkimgate.config.dkimgate_yaml.DEFAULT_FILE", tmp_path / "nowhere.yaml")
    monkeypatch.setattr("dkimgate.cli.log.dkimgate_yaml.Journal", lambda: Journal(file=journal))
    assert cli.main(["log", "tail", "--config", str(tmp_path / "nowhere.yaml")]) == 0
    said = capsys.readouterr()
    assert ids(said.out) and "nowhere.yaml" in said.err and "--file" in said.err
    assert cli.main(["log", "tail", "--config", str(tmp_path / "mine.yaml")]) == 2, (
        "who names a configuration means that one"
    )


def test_a_journal_without_records_says_so_and_is_no_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "decisions.jsonl"
    file.touch()
    for options in ([], ["--json"], ["--rule", "x"], ["--rotated"]):
        assert tail(file, *options) == 0
        assert capsys.readouterr() == ("", f"dkimgate: {file}: no records yet\n")
    assert cli.main(["log", "show", "--file", str(file), "X"]) == 2
    assert capsys.readouterr().err == f"dkimgate: {file}: no records yet\n"


@pytest.mark.parametrize(
    "text", ["listen: unix:/x\ntrust: {}\n", "\x7fELF\0\1", '{"a": 1}\n[1]\n', "Nov 30 mx postfix/smtpd: X\n" * 300]
)
def test_a_file_that_is_no_journal_is_asked_about(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "decisions.jsonl"
    file.write_text(text)
    policy = str(Path(__file__).parents[2] / "config" / "policy.yaml")
    commands = (
        ["log", "tail", "--file"],
        ["log", "tail", "-n", "1", "--json", "--file"],
        ["log", "show", "X", "--file"],
    )
    for command in (*commands, ["backtest", "--policy", policy, "--journal"]):
        assert cli.main([*command, str(file)]) == 2
        assert capsys.readouterr().err.startswith(f"dkimgate: {file}: no line is a record")
