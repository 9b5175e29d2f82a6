"""`dkimgate srs` as an operator types it, and what `check` and the loader say about `unalign:`."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.config import dkimgate_yaml
from dkimgate.gate.engine import Engine
from tests.problems import refusals, told

OURS = "bounce.forwarder.example"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    assert cli.main(["srs", "new-secret", "--out", str(tmp_path / "srs.secret")]) == 0
    made = tmp_path / "dkimgate.yaml"
    made.write_text(f"unalign: {{domain: {OURS}, secret_file: srs.secret}}\n")
    return made


def asked(file: Path, capsys: pytest.CaptureFixture[str], *addresses: str) -> tuple[int, list[dict[str, str | None]]]:
    capsys.readouterr()
    status = cli.main(["srs", "--config", str(file), "--json", *addresses])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_there_and_back(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, (there,) = asked(file, capsys, "<friend@hosted.example>")
    assert status == 0
    assert there["action"] == "rewritten"
    made = there["result"] or ""
    assert re.fullmatch(rf"SRS0=....=..=hosted\.example=friend@{OURS}", made)
    assert asked(file, capsys, made) == (
        0,
        [{"address": made, "action": "restored", "result": "friend@hosted.example", "code": None, "why": None}],
    )


@pytest.mark.parametrize(
    ("address", "status", "action", "code"),
    [
        (f"SRS0=aaaa=JK=hosted.example=friend@{OURS}", 1, "refused", "srs.forged"),
        (f"SRS0=aaaa@{OURS}", 1, "refused", "srs.malformed"),
        ('"a friend"@hosted.example', 1, "refused", "srs.quoted"),
        ("friend", 1, "refused", "srs.no-domain"),
        ("<>", 0, "unchanged", "srs.null-sender"),
        (f"postmaster@{OURS}", 0, "unchanged", "srs.not-srs"),
    ],
)
def test_what_is_not_changed_and_why(
    file: Path, capsys: pytest.CaptureFixture[str], address: str, status: int, action: str, code: str
) -> None:
    told, (answer,) = asked(file, capsys, address)
    assert (told, answer["action"], answer["code"]) == (status, action, code)
    assert cli.main(["srs", "--config", str(file), address, "friend@hosted.example"]) == status
    shown = capsys.readouterr().out
    assert str(answer["why"]) in shown
    assert "SRS0=" in shown


def test_the_secret_is_made_once_and_shown_to_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "srs.secret"
    assert cli.main(["srs", "new-secret", "--out", str(file)]) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = file.read_text()
    assert secret.strip() not in capsys.readouterr().out
    assert cli.main(["srs", "new-secret", "--out", str(file)]) == 2
    assert str(file) in capsys.readouterr().err
    assert file.read_text() == secret
    assert cli.main(["srs", "new-secret", "--out", str(tmp_path / "no" / "such")]) == 2
    assert cli.main(["srs", "new-secret"]) == 0
    assert len(capsys.readouterr().out.strip()) == 32


def test_a_command_that_can_not_run_says_what_to_do(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def error(*words: str) -> str:
        assert cli.main(["srs", "--json", *words]) == 2
        return str(json.loads(capsys.readouterr().out)["errors"][0]["code"])

    assert error("--config", str(file), "--out", "x", "a@hosted.example") == "command.out"
    bare = tmp_path / "bare.yaml"
    bare.write_text("workers: 1\n")
    assert error("--config", str(bare), "a@hosted.example") == "srs.not-configured"
    (tmp_path / "srs.secret").unlink()
    assert error("--config", str(file), "a@hosted.example") == "file.cant-read"


def test_the_daemon_wants_the_secret_and_a_domain_for_the_role(tmp_path: Path, file: Path) -> None:
    (tmp_path / "policy.yaml").write_text("version: 1\nrules: [{name: none, sign: none, envelope: unalign}]\n")
    loaded = Engine.load(file)
    assert loaded.srs_secrets is not None
    (tmp_path / "srs.secret").write_text("short\n")
    assert told(refusals(Engine.load, file)) == ["1 secret.length"]
    file.write_text("listen: {socket: 'unix:/tmp/srs.sock', role: srs}\n")
    assert "srs.not-configured" in told(refusals(Engine.load, file))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unalign: {domain: bounce.example}", "1:1 yaml.missing-key"),
        ("unalign: {secret_file: x}", "1:1 yaml.missing-key"),
        ("unalign: {domain: 'a b', secret_file: x}", "1:11 value.domain"),
        ("unalign: {domain: a.example, secret_fil: x}", "1:30 yaml.unknown-key"),
        ("listen: {socket: 'unix:/x', role: sr}", "1:29 yaml.unknown-word"),
    ],
)
def test_a_wrong_section_is_told_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "dkimgate.yaml"
    file.write_text(text + "\n")
    assert expected in told(refusals(dkimgate_yaml.load, file))
