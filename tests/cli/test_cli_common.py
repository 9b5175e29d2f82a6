"""What all commands have in common: help that teaches, exit statuses, and never a traceback."""

from __future__ import annotations

import argparse
import ast
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from dkimgate import cli
from dkimgate.cli import check, keys, run, srs
from dkimgate.cli.help_text import Formatter
from dkimgate.cli.screen import Screen, complain
from dkimgate.log import visible
from tests.terminal import on_terminal

SHIPPED = Path(__file__).parents[2] / "config" / "policy.yaml"
COMMANDS = ["demo", "explain", "check", "keys", "keys new", "keys check", "srs", "run", "log", "log tail", "log show"]
COMMANDS += ["policy", "policy test", "policy show", "policy schema", "backtest"]


def dkimgate(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "dkimgate", *arguments]
    return subprocess.run(
        command, input=stdin, capture_output=True, timeout=60, env={**os.environ, **environment}, check=False
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main([*command.split(), "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: dkimgate {command}")
    assert max(map(len, text.splitlines())) <= 140


@pytest.mark.parametrize(
    "command", ["explain", "check", "srs", "log tail", "log show", "demo", "policy test", "policy show", "backtest"]
)
def test_help_has_examples_and_says_what_the_exit_status_means(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main([*command.split(), "--help"])
    text = capsys.readouterr().out
    assert "examples:" in text
    assert "exit status: 0" in text


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith("dkimgate ")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sing"],
        ["explain"],
        ["explain", "--colour", "x"],
        ["log"],
        ["log", "tail", "-n", "many"],
        ["log", "tail", "--since", "soon"],
    ],
)
def test_a_wrong_command_line_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert "usage: dkimgate" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [["check"], ["explain", "x.eml"], ["log", "tail"], ["log", "show", "x"], ["backtest", "--policy", str(SHIPPED)]],
)
def test_a_missing_configuration_is_one_line_and_status_2(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "no.yaml"
    assert cli.main([*command, "--config", str(missing)]) == 2
    assert (
        capsys.readouterr().err
        == f"dkimgate: {missing}: No such file or directory: name the configuration with --config FILE\n"
    )


def test_a_mistake_in_the_configuration_is_shown_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "dkimgate.yaml"
    file.write_text("listen: unix:/tmp/x\nworkes: 2\n")
    assert cli.main(["check", "--config", str(file)]) == 2
    assert f"dkimgate: {file}:2:1: unknown key 'workes'; did you mean 'workers'?" in capsys.readouterr().err


def test_a_bug_is_a_line_to_report_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> int:
        raise KeyError("x\x1b[2J")

    monkeypatch.setattr(check, "run", broken)
    monkeypatch.delenv("DKIMGATE_DEBUG", raising=False)
    assert cli.main(["check"]) == 2
    said = capsys.readouterr().err
    assert "internal error: KeyError" in said
    assert "test_cli_common.py:" in said
    assert "Please report it" in said
    assert "Traceback" not in said
    assert "\x1b" not in said
    monkeypatch.setenv("DKIMGATE_DEBUG", "1")
    assert cli.main(["check"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "run", interrupted)
    assert cli.main(["check"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.heavy
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    journal = tmp_path / "d.jsonl"
    journal.write_bytes(b'{"v": 1, "time": "2026-11-21T16:20:25.123456Z", "decision": {}}\n' * 20_000)
    script = f"{sys.executable} -m dkimgate log tail -n 0 --json --file {journal} | head -n 1"
    ran = subprocess.run(["bash", "-o", "pipefail", "-c", script], capture_output=True, timeout=60, check=False)
    assert ran.returncode == 0
    assert ran.stdout.count(b"\n") == 1
    assert ran.stderr == b""


def test_the_module_runs_as_a_program() -> None:
    ran = dkimgate("--version")
    assert ran.returncode == 0
    assert ran.stdout.startswith(b"dkimgate ")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("Zoë 東京", "Zoë 東京"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("one\ntwo\r\ttab", "one\\ntwo\\r\\ttab"),
        ("\x9b31m", "\\x9b31m"),
        ("evil\u202egnp.exe", "evil\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_a_sender_wrote_cannot_move_the_cursor(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.heavy
def test_colours_stand_on_a_terminal_only_and_never_with_no_color(tmp_path: Path) -> None:
    config = tmp_path / "dkimgate.yaml"
    (tmp_path / "policy.yaml").write_text("version: 1\nrules:\n  - {name: a, disposition: hold}\n")
    config.write_text("listen: unix:/tmp/x\ntrust: {}\nkeys: []\n")
    arguments = ("check", "--config", str(config))
    assert "\x1b[" in on_terminal(*arguments)
    # bold is no colour
    assert "\x1b[3" not in on_terminal(*arguments, NO_COLOR="1")
    assert b"\x1b" not in dkimgate(*arguments).stdout


@pytest.mark.parametrize("width", [20, 34, 50, 200])
def test_on_a_narrow_terminal_cells_wrap_and_nothing_is_lost(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, no_color=True, highlight=False, color_system=None)
    rows = [["first cell", "a sentence of seven words wraps here", "dmarc=pass"], ["x", "y", "arrived-authenticated"]]
    Screen(console).table(rows, header=["one", "two", "three"])
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    said = "".join("".join(lines).split())
    assert sorted(said) == sorted("onetwothree" + "".join("".join(row) for row in rows).replace(" ", ""))
    if width >= 50:
        assert "arrived-authenticated" in out.getvalue()


def test_plain_tables_are_aligned_and_have_no_trailing_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().table([["a", "東京", "x"], ["long", ("b", "red"), ""]], header=["one", "two", "three"])
    assert capsys.readouterr().out == "  one   two   three\n  a     東京  x\n  long  b\n"


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _parsers(each)


def test_no_help_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    parsers = list(_parsers(cli.parser()))
    assert len(parsers) > 15
    for each in parsers:
        wide = [line for line in each.format_help().splitlines() if len(line) > 80]
        assert not wide, (each.prog, wide)


def test_in_the_systems_journal_complaints_are_errors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dkimgate.cli.screen.to_journal", lambda: True)
    complain("it can't run")
    assert capsys.readouterr().err == "<3>it can't run\n"


SIGNALS = """\
signals:
  HUP      take the new configuration, policy and keys; broken ones are reported
           and the old stay in force.
  TERM     stop

A paragraph whose two lines are a little wider than what the terminal has, the first
and the second. It is wrapped as one.

examples:
  dkimgate one
  dkimgate two                                   what it does, in some words
  dkimgate three FILE
            what that does, in more words than go on a line of it
"""


def test_what_belongs_together_is_wrapped_together() -> None:
    assert Formatter("dkimgate", width=60)._fill_text(SIGNALS, 60, "").split("\n") == [
        "signals:",
        "  HUP      take the new configuration, policy and keys;",
        "           broken ones are reported and the old stay in",
        "           force.",
        "  TERM     stop",
        "",
        "A paragraph whose two lines are a little wider than what the",
        "terminal has, the first and the second. It is wrapped as",
        "one.",
        "",
        "examples:",
        "  dkimgate one",
        "  dkimgate two",
        "      what it does, in some words",
        "  dkimgate three FILE",
        "            what that does, in more words than go on a line",
        "            of it",
    ]


def test_where_there_is_room_help_stays_as_it_was_written() -> None:
    assert Formatter("dkimgate")._fill_text(SIGNALS, 200, "").split("\n") == SIGNALS.splitlines()


@pytest.mark.parametrize("width", [30, 60, 80, 100])
def test_no_word_of_help_is_lost(width: int) -> None:
    for module in (check, run, srs, keys):
        texts = [text for name, text in vars(module).items() if isinstance(text, str) and name.isupper()]
        assert texts
        for text in texts:
            assert Formatter("dkimgate")._fill_text(text, width, "").replace(" \\\n", "\n").split() == text.split()


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_an_example_that_is_broken_over_lines_can_be_pasted(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def examples(columns: int) -> list[list[str]]:
        monkeypatch.setenv("COLUMNS", str(columns))
        helps = [
            re.sub(r" \\\n *", " ", each.format_help().partition("examples:")[2]) for each in _parsers(cli.parser())
        ]
        commands = (re.split(r"(?<=\S)  +(?=[a-z])", line.strip())[0] for text in helps for line in text.splitlines())
        return [shlex.split(command) for command in commands if command.startswith("dkimgate ")]

    assert len(examples(300)) > 30 and examples(width) == examples(300)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_shows_the_usage_of_its_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    need = {"explain": ["x"], "keys new": ["a.example", "b"], "srs": ["a"], "log show": ["X"], "policy test": ["x"]}
    need |= {"backtest": ["--policy", "x"], "log": ["tail"], "keys": ["check"], "policy": ["show"]}
    with pytest.raises(SystemExit) as stopped:
        cli.main([*command.split(), *need.get(command, []), "--colour"])
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and said.endswith(": error: unknown argument: --colour\n")
    assert said.startswith(f"usage: dkimgate {command} ")


@pytest.mark.parametrize(
    ("option", "expected"), [("-5", "from 1 up, or 0 for all"), ("many", "from 1 up, or 0 for all")]
)
def test_a_wrong_number_says_which_are_right(option: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["log", "tail", "-n", option])
    assert expected in capsys.readouterr().err


_ANOTHER_WORD = re.compile(
    r"(holds|fits) decides|would (hold|fit) too|never holds?\b|(rules?|conditions?|of these) (all )?(holds?|fits?)\b"
)


def test_rules_and_conditions_match_and_only_messages_are_held() -> None:
    """`hold` is a disposition: what people read says of a rule that it matches, and nothing else."""
    assert _ANOTHER_WORD.search("Rules, the first that holds decides") and _ANOTHER_WORD.search(
        "none of these holds: x"
    )
    root = Path(__file__).parents[2]
    read = [file for folder in ("cli", "policy") for file in (root / "milter" / "dkimgate" / folder).rglob("*.py")]
    texts = {file: " ".join(_texts(ast.parse(file.read_text()))) for file in read}
    texts |= {
        file: file.read_text()
        for folder in ("config", "systemd")
        for file in (root / folder).rglob("*.*")
        if file.is_file()
    }
    assert len(texts) > 60
    assert not {file.name: found[0] for file, text in texts.items() if (found := _ANOTHER_WORD.search(text))}


def _texts(tree: ast.AST) -> Iterator[str]:
    """What a module prints: its texts, without docstrings."""
    spoken = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    yield from (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in spoken
    )
