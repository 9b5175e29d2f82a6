"""The file of secrets, as an operator writes it and gets it wrong, and the command that makes one."""

from __future__ import annotations

import argparse
import base64
import os
import re
import stat
from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.cli.passport import add_parser
from dkimgate.config.problem import BadValue
from dkimgate.passport.secrets import Secrets, is_id, new_secret
from tests.problems import refusals, told

A = "a:" + base64.b64encode(bytes(range(32))).decode()
B = "b:" + base64.b64encode(bytes(range(100, 148))).decode()


def _file(tmp_path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    file = tmp_path / "passport.secret"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(mode)
    return file


def _run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser(prog="dkimgate")
    add_parser(parser.add_subparsers(required=True), "")
    args = parser.parse_args([str(word) for word in words])
    status = args.run(args)
    assert isinstance(status, int)
    return status


@pytest.mark.parametrize(
    "text",
    [
        f"{A}\n{B}\n",
        f"{A}\n{B}",
        f"# ours\n\n  {A}  \r\n\t{B}\r\n",
        f"\ufeff{A}\n{B}\n",
        A.replace(":", " : ") + "\n" + B,
    ],
)
def test_the_first_signs_and_all_verify(tmp_path: Path, text: str) -> None:
    secrets = Secrets.load(_file(tmp_path, text))
    assert [secret.id for secret in secrets.all] == ["a", "b"]
    assert secrets.newest.id == "a"
    found = secrets.find("b")
    assert found is not None
    assert found.key == base64.b64decode(B.partition(":")[2])
    assert secrets.find("c") is None
    assert secrets.find("") is None


SHORT = "s:" + base64.b64encode(bytes(range(31))).decode()
ZEROS = "z:" + base64.b64encode(bytes(32)).decode()
WRONG: list[tuple[str | bytes, int, str]] = [
    ("", 0, "secret.none"),
    ("# nothing yet\n", 0, "secret.none"),
    (f"{A}\nhello\n", 2, "secret.line"),
    (f"{A}\n{A}\n", 2, "secret.id-twice"),
    (f"{A}\n\nb:%%%%\n", 3, "secret.encoding"),
    (f"{SHORT}\n", 1, "secret.length"),
    (f"{ZEROS}\n", 1, "secret.not-random"),
    ("l:" + base64.b64encode(bytes(range(256)) * 5).decode(), 1, "secret.length"),
    ("-x" + A[1:], 1, "secret.id"),
    (f"{'x' * 33}{A[1:]}", 1, "secret.id"),
    (f":{A[2:]}", 1, "secret.id"),
    (b"\xff\xfe" + A.encode("utf-16-le"), 1, "secret.id"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQ\n", 1, "secret.line"),
]


@pytest.mark.parametrize(
    ("text", "line", "expected"), WRONG, ids=[f"{number}: {row[2]}" for number, row in enumerate(WRONG)]
)
def test_a_mistake_is_told_with_its_line_and_without_the_secret(
    tmp_path: Path, text: str | bytes, line: int, expected: str
) -> None:
    file = _file(tmp_path, text)
    problem, *_ = refusals(Secrets.load, file)
    assert (problem.file, problem.line or 0, problem.code) == (file, line, expected)
    assert A.partition(":")[2] not in str(problem)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    found = refusals(Secrets.load, _file(tmp_path, f"x\n{A}\ny\n"))
    assert told(found) == ["1 secret.line", "3 secret.line"]


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o601, 0o660, 0o620, 0o666])
def test_a_file_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    file = _file(tmp_path, A, mode)
    problem, *_ = refusals(Secrets.load, file)
    command = re.search(r"chmod (0[046]{3}) ", problem.text)
    assert problem.code == "file.permissions" and command is not None
    file.chmod(int(command[1], 8))
    assert Secrets.load(file).newest.id == "a"


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_a_file_for_owner_and_group_is_read(tmp_path: Path, mode: int) -> None:
    assert Secrets.load(_file(tmp_path, A, mode)).newest.id == "a"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert told(refusals(Secrets.load, tmp_path / "missing")) == ["file.cant-read"]
    assert told(refusals(Secrets.load, tmp_path)) == ["file.not-regular"]
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert told(refusals(Secrets.load, tmp_path / "pipe")) == ["file.not-regular"]
    assert told(refusals(Secrets.load, _file(tmp_path, (A + "\n") * 2000))) == ["file.too-large"]


def test_a_secret_is_in_no_repr(tmp_path: Path) -> None:
    secrets = Secrets.load(_file(tmp_path, A))
    assert repr(secrets.newest.key) not in repr(secrets)
    assert "key" not in repr(secrets)


def test_new_secrets_differ_and_need_an_id() -> None:
    made = {new_secret("x") for _ in range(20)}
    assert len(made) == 20
    assert all(len(base64.b64decode(line.partition(":")[2])) == 32 for line in made)
    for name in ("", "a b", "a:b", "é", "x" * 33, "a\n"):
        assert not is_id(name)
        with pytest.raises(BadValue) as refused:
            new_secret(name)
        assert refused.value.code == "secret.id"


def test_the_command_makes_a_file_and_then_a_line_to_append(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "passport.secret"
    before = os.umask(0)
    try:
        assert _run("passport", "new-secret", "--out", file) == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = Secrets.load(file)
    told = capsys.readouterr().out
    assert first.newest.id in told
    assert file.read_text().partition(":")[2].strip() not in told

    assert _run("passport", "new-secret", "2027-01") == 0
    with file.open("a") as stream:
        stream.write(capsys.readouterr().out)
    both = Secrets.load(file)
    assert both.newest == first.newest
    assert [secret.id for secret in both.all] == [first.newest.id, "2027-01"]


def test_the_command_replaces_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _file(tmp_path, A)
    assert cli.main(["passport", "new-secret", "--out", str(file)]) == 2
    assert str(file) in capsys.readouterr().err
    assert file.read_text() == A
    assert cli.main(["passport", "new-secret", "--out", str(tmp_path / "no" / "such")]) == 2
    assert str(tmp_path / "no" / "such") in capsys.readouterr().err
    with pytest.raises(SystemExit):
        _run("passport", "new-secret", "a b")
