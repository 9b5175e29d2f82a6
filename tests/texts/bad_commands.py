"""Bad commands, and what is said of them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import dns.exception

from dkimgate import cli
from dkimgate.backtest import run as backtest_run
from dkimgate.cli import (
    demo,
    demo_world,
    explain,
    keys,
)
from dkimgate.config.problem import Problem
from dkimgate.record.journal_reader import Reader
from tests.cli import test_cli_check_sending as sending
from tests.cli.checking import GOOD
from tests.texts.bad_files import Said


def of_commands(folder: Path, policy_text: str) -> Iterator[Said]:
    (folder / "dkimgate.yaml").write_text(GOOD + f"listen: unix:{folder}/sock\n")
    (folder / "policy.yaml").write_text(policy_text)
    config, message = str(folder / "dkimgate.yaml"), folder / "message.eml"
    message.write_text("no header\n")
    journal = folder / "torn.jsonl"
    journal.write_text("torn\n" * 3)
    empty = folder / "empty.jsonl"
    empty.touch()
    policy = str(folder / "policy.yaml")
    for words in (
        ["explain", "--config", config, str(folder / "none.eml")],
        ["explain", "--config", config, str(message)],
        ["explain", "--config", config, "--client", "x", str(message)],
        ["srs", "--config", config, "a@hosted.example"],
        ["srs", "--out", "x", "a@hosted.example"],
        ["keys", "new", "a.example", "s", "--type", "ed25519", "--bits", "2048"],
        ["keys", "new", "a.example", "s", "--type", "ed25519", "--out", str(folder / "key.pem")],
        ["keys", "new", "a.example", "s", "--type", "ed25519", "--out", str(folder / "no" / "key.pem")],
        ["keys", "new", "a.example", "s", "--type", "ed25519", "--out", str(folder)],
        ["log", "tail", "--file", str(journal)],
        ["log", "show", "--file", str(journal), "x"],
        ["log", "show", "--file", str(empty), "x"],
        ["log", "tail", "--file", str(folder / "none.jsonl")],
        ["backtest", "--policy", policy, "--journal", str(journal)],
        ["backtest", "--policy", policy, "--journal", str(empty)],
        ["backtest", "--policy", policy, "--journal", str(folder / "none.jsonl")],
        ["backtest", "--policy", policy, "--since", "2026-11-21", "--until", "2026-11-20", "--journal", str(journal)],
    ):
        yield from _command(words)
    with patch.object(keys, "_resolver", side_effect=dns.exception.DNSException("no nameservers")):  # type: ignore[no-untyped-call]
        yield from _command(["keys", "check", "--config", config])
    with patch.object(demo, "play", side_effect=OSError("no space left on device")):
        yield from _command(["demo"])
    log = folder / "daemon.log"
    log.write_text("dkimgate[1]: can't start\n")
    dead = SimpleNamespace(poll=lambda: 2)
    with patch.object(demo, "play", lambda: demo_world._wait_until_it_listens(dead, "unix:/nosuch", log)):  # type: ignore[arg-type]
        yield from _command(["demo"])
    with (
        patch.object(demo_world, "forwards", lambda _: []),
        patch.object(demo_world, "read", lambda _: SimpleNamespace(queue_id="4F2A")),
        patch.object(Reader, "records", lambda *_: [{}, {}]),
        patch.object(demo, "play", lambda: demo_world.records(log)),
    ):
        yield from _command(["demo"])
    journal.write_bytes(sending.line(sending.OWN))
    ended = SimpleNamespace(recv=lambda: (_ for _ in ()).throw(EOFError()))
    with patch("dkimgate.cli.backtest.backtest", lambda *_, **__: backtest_run._received(ended)):  # type: ignore[arg-type]
        yield from _command(["backtest", "--policy", policy, "--journal", str(journal)])


def _command(words: list[str]) -> Iterator[Said]:
    """What a command complains about."""
    told: list[Problem] = []

    def complain(*problems: str | Problem) -> None:
        told.extend(each for each in problems if isinstance(each, Problem))

    with (
        patch.object(cli, "complain", complain),
        patch.object(explain, "complain", complain),
        patch.object(keys, "complain", complain),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        cli.main(words)
    shown = " ".join(Path(word).name if Path(word).suffix else word for word in words)
    yield from ((shown, problem) for problem in told)
