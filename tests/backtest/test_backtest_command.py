"""`backtest` as a user types it, over a journal that the gate wrote."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dkimgate import cli
from dkimgate.backtest import run
from dkimgate.backtest.run import BacktestError, backtest
from dkimgate.backtest.tally import Period, Tally
from tests.backtest import journals
from tests.running import eventually
from tests.terminal import on_terminal
from tests.world.host import Host
from tests.world.mail import message

CONFIG = Path(__file__).parents[2] / "config"
STRICT = CONFIG / "policies" / "strict.yaml"
OLD = """\
version: 1
rules:
  - {name: own, when: {origin: [submitted, local]}, sign: author}
  - {name: proved, when: {arrival.dmarc: pass, from: hosted}, sign: author}
  - {name: bad, when: {arrival.badly: true}, sign: none}
allow_laundering: [proved, bad]
laundering_reason: the old way
"""
NEW = """\
version: 1
rules:
  - {name: own, when: {origin: [submitted, local]}, sign: author}
  - {name: bad, when: {arrival.badly: true}, disposition: reject}
  - {name: never, when: {origin: inbound, arrival.dmarc: none}, disposition: hold}
"""
RULES = "version: 1\nrules: [{name: never, when: {arrival.dmarc: permerror}, sign: none}]\n"
BORDER = "Received: from x (x [192.0.2.66])\n\tby mx.forwarder.example (Postfix) with ESMTP id 4F2A; x\n"
AUTHOR = "From: <ask@hosted.example>\nDate: Sat, 21 Nov 2026 16:20:20 +0000\nMessage-ID: <4711@hosted.example>\n"
RESULT = "Authentication-Results: mx.forwarder.example; dmarc={} header.from=hosted.example\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of a gate that has taken four messages and given up a fifth."""
    host = Host(tmp_path, "verify: {when: never}\n", OLD)
    (tmp_path / "new.yaml").write_text(NEW)
    headers = {
        "OWN": AUTHOR,
        "PASS": RESULT.format("pass") + BORDER + AUTHOR,
        "FAIL1": RESULT.format("fail") + BORDER + AUTHOR,
    }
    headers["FAIL2"] = headers["FAIL1"]
    for queue_id, text in headers.items():
        host.send(text, sender="ask@other.example", queue_id=queue_id)
    host.gate.judge(message("", queue_id="GONE")).abort("connection lost")
    host.gate.journal.close()
    return tmp_path / "dkimgate.yaml"


def tried(config: Path, policy: str, *options: str) -> int:
    return cli.main(["backtest", "--config", str(config), "--policy", str(config.with_name(policy)), *options])


def as_json(config: Path, policy: str, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    tried(config, policy, "--json", *options)
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_the_same_policy_changes_nothing(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tried(config, "policy.yaml") == 0
    said = capsys.readouterr().out
    assert "records      4 decided again\nunchanged    4 (100.0%)\nchanged      0 (0.0%)\n" in said
    assert "passed over  1 of messages that something went wrong with, or that were given up\n" in said
    assert "Changes" not in said


def test_another_policy_changes_exactly_what_it_says(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = as_json(config, "new.yaml", capsys)
    changes = [
        (
            change["messages"],
            *(change[side]["rule"] for side in ("old", "new")),
            *(change[side]["done"]["sign"] for side in ("old", "new")),
            *(change[side]["done"]["disposition"] for side in ("old", "new")),
            *(change[side]["departure"] for side in ("old", "new")),
            [example["queue_id"] for example in change["examples"]],
        )
        for change in told["changes"]
    ]
    assert changes == [
        (1, "proved", "default", "author", "none", "accept", "accept", "pass", "fail", ["PASS"]),
        (2, "bad", "bad", "none", "none", "accept", "reject", "fail", None, ["FAIL1", "FAIL2"]),
    ]
    assert (told["records"], told["changed"], told["unchanged"], told["skipped"]) == (4, 3, 1, {"error": 1})
    assert told["kinds"] == {"newly_unsigned": 1, "newly_rejected": 2, "departure_no_longer_pass": 1}
    assert told["authors"] == {"hosted.example": {"messages": 3, **told["kinds"]}}
    assert told["unused_rules"] == ["never"]
    assert told["laundering"] == {}


def test_what_changes_in_words(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tried(config, "new.yaml", "--examples", "1") == 1
    said = re.sub(r"  +", "  ", capsys.readouterr().out)
    assert said.index("1  25.0%  no longer signed") < said.index("2  50.0%  newly rejected")
    assert "  1  25.0%  proved -> default  sign author -> unsigned  pass -> fail\n" in said
    assert "  2  50.0%  bad  unsigned -> reject  fail -> stays\n" in said
    assert "PASS  hosted.example  forwarded  dmarc=pass  risk=0  no rule is called proved any more\n" in said
    assert "FAIL2" in said
    assert "FAIL1" not in said
    assert "Rules of the new policy that match no message\n  never\n" in said


def test_laundering_is_loud_and_tested_all_the_same(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.with_name("bad.yaml").write_text(
        RULES + "allow_laundering: [default]\nlaundering_reason: our lists rely on it\ndefault: {sign: author}\n"
    )
    assert tried(config, "bad.yaml") == 1
    said = capsys.readouterr().out
    assert "the policy allows default to launder: our lists rely on it" in said
    assert re.search(
        r"LAUNDERING under the new policy.*\n +2 +default\n.*FAIL2.*a signature of ours is aligned\n", said
    )


def test_rotated_files_and_torn_lines(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = config.with_name("decisions.jsonl")
    whole = journal.read_bytes()
    config.with_name("decisions.jsonl.2.gz").write_bytes(gzip.compress(whole))
    config.with_name("decisions.jsonl.1").write_bytes(whole)
    journal.write_bytes(whole + whole[:200])
    tried(config, "new.yaml", "--json")
    said = capsys.readouterr()
    assert json.loads(said.out)["records"] == 12
    assert json.loads(said.out)["torn"] == 1
    assert said.err == f"dkimgate: {journal}: 1 torn line(s) skipped: the disk was full, or a process was killed\n"
    # a record behind a torn one on the same line
    journal.write_bytes(whole[:200] + whole)
    assert as_json(config, "new.yaml", capsys, "--since", "1d")["records"] == 12


def test_only_the_period_is_decided_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = tmp_path / "d.jsonl"
    journal.write_bytes(b"".join(journals.lines(100)))  # from 2026-11-21T12:00:00Z, one each 0.6048 s
    command = ["backtest", "--policy", str(STRICT), "--journal", str(journal), "--json"]
    since, until = ["--since", "2026-11-21T12:00:30"], ["--until", "2026-11-21T12:00:40"]
    counts = []
    for options in ([], since, until, since + until):
        cli.main([*command, *options])
        counts.append(json.loads(capsys.readouterr().out)["records"])
    assert counts == [100, 50, 67, 17]
    assert cli.main([*command, "--since", "2030-01-01"]) == 2
    assert capsys.readouterr().err == f"dkimgate: {journal}: no record can be decided again\n"
    assert cli.main([*command, "--until", "2026-11-01"]) == 2
    assert capsys.readouterr().err == f"dkimgate: {journal}: no record can be decided again: 100 are of another time\n"
    assert cli.main([*command, *since, "--until", "2026-11-21"]) == 2
    assert "is not after --since" in capsys.readouterr().err


def test_what_cannot_run_is_status_2_and_says_why(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.with_name("broken.yaml").write_text("version: 1\nrules: [{name: a, when: {orgin: local}, sgn: none}]\n")
    assert tried(config, "broken.yaml") == 2
    said = capsys.readouterr().err
    assert "broken.yaml:2:41: unknown key 'sgn'; did you mean 'sign'?" in said
    assert "broken.yaml:2:26: unknown fact 'orgin'; did you mean 'origin'?" in said
    missing = config.with_name("no.jsonl")
    assert tried(config, "new.yaml", "--journal", str(missing)) == 2
    assert capsys.readouterr().err == (
        f"dkimgate: {missing}: No such file or directory: no message has been recorded there yet; name the journal with --journal FILE\n"
    )
    missing.write_bytes(b"")
    assert tried(config, "new.yaml", "--journal", str(missing)) == 2
    assert "no record can be decided again" in capsys.readouterr().err


def test_what_the_daemon_would_need_is_noted(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.with_name("f.yaml").write_text(RULES + "default: {sign: forwarder}\n")
    *launders, note = as_json(config, "f.yaml", capsys)["notes"]
    assert len(launders) == 2  # the rule and the default
    assert all("launders: this message arrived from outside with dmarc=" in each for each in launders)
    assert note.startswith(f"the daemon would not start: {config}: the policy says `sign: forwarder`")


@pytest.fixture(scope="module")
def long_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("long") / "d.jsonl"
    every = list(journals.lines(900))
    file.with_name("d.jsonl.1.gz").write_bytes(gzip.compress(b"".join(every[:400])))
    file.write_bytes(b"".join(every[400:]))
    return file


def test_two_processes_find_what_one_does(
    long_journal: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    monkeypatch.setattr("dkimgate.backtest.pieces.PIECE", 100_000)
    monkeypatch.setattr("dkimgate.backtest.pieces._WORTH_SHARING", 1)
    for least in (1 << 30, 0):
        monkeypatch.setattr(run, "WORTH_A_PROCESS", least)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
        assert cli.main(["backtest", "--policy", str(STRICT), "--journal", str(long_journal), "--json"]) == 1
        said.append(json.loads(capsys.readouterr().out))
    assert said[0]["records"] == 899
    assert said[0] == said[1]


def test_a_process_that_dies_is_told(long_journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(self: Tally, record: dict[str, Any]) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(Tally, "add", dies)
    with pytest.raises(BacktestError, match="ended too early"):
        backtest(long_journal, journals.SHIPPED, Period(), processes=2)


@pytest.mark.heavy
def test_a_terminal_is_told_how_far_it_is(long_journal: Path) -> None:
    said = on_terminal(
        "backtest",
        "--policy",
        str(STRICT),
        "--journal",
        str(long_journal),
        "--examples",
        "0",
        COLUMNS="100",
        NO_COLOR="1",
    )
    assert "100% of the journal\r" in said


@pytest.mark.heavy
def test_twenty_thousand_records(tmp_path: Path) -> None:
    """Every one is counted once, and none takes long: a million in a minute on two cores is 120 microseconds of CPU for each."""
    file = tmp_path / "d.jsonl"
    with file.open("wb") as writing:
        writing.writelines(journals.lines(20_000))
    policy = journals.SHIPPED
    started = time.process_time()
    alone = backtest(file, policy, Period(), processes=1)
    each = (time.process_time() - started) / 20_000
    assert (alone.records, alone.changed, alone.torn) == (20_000 - 40, 0, 0)
    assert backtest(file, policy, Period(), processes=3).rules == alone.rules
    assert each < 500e-6  # on a machine that others use too


@pytest.mark.heavy
def test_an_interrupt_ends_it_without_a_word_and_without_orphans(tmp_path: Path) -> None:
    file = tmp_path / "d.jsonl"
    some = b"".join(journals.lines(2000))
    with file.open("wb") as writing:
        writing.writelines([some] * 50)
    command = [sys.executable, "-m", "dkimgate", "backtest", "--policy", str(STRICT), "--journal", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        assert eventually(lambda: children.read_text() != "", 60), "it is at work once its workers are there"
        time.sleep(0.5)
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=20) == (b"", b"")
        assert process.returncode == 130
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
