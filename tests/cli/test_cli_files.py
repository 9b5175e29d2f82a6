"""What a command says of a file that it can't read or write: one line, with what to do. Never a traceback."""

from __future__ import annotations

import ast
import os
import pwd
import stat
from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.config import files
from dkimgate.config.dkimgate_yaml import Journal
from tests.needs import need_root
from tests.running import free_port
from tests.unprivileged import as_nobody

SOURCES = Path(__file__).parents[2] / "milter" / "dkimgate"
NOBODY = pwd.getpwnam("nobody")
POLICY = (SOURCES.parents[1] / "config" / "policy.yaml").read_text()
SHADOW = 42  # a group that nobody is not in

READERS = {
    "check": ["check", "--config", "FILE"],
    "check --policy": ["check", "--config", "CONFIG", "--policy", "FILE"],
    "explain": ["explain", "--config", "CONFIG", "FILE"],
    "explain --config": ["explain", "--config", "FILE", "x.eml"],
    "keys check": ["keys", "check", "--config", "FILE"],
    "srs": ["srs", "--config", "FILE", "a@b.example"],
    "policy show": ["policy", "show", "--policy", "FILE"],
    "policy show --config": ["policy", "show", "--config", "FILE"],
    "policy test": ["policy", "test", "FILE"],
    "policy test --policy": ["policy", "test", "--policy", "FILE", "CASES"],
    "backtest": ["backtest", "--policy", "FILE"],
    "backtest --config": ["backtest", "--policy", "POLICY", "--config", "FILE"],
    "backtest --journal": ["backtest", "--policy", "POLICY", "--journal", "FILE"],
    "log tail": ["log", "tail", "--file", "FILE"],
    "log tail --config": ["log", "tail", "--config", "FILE"],
    "log show": ["log", "show", "--file", "FILE", "X"],
    "log show --config": ["log", "show", "--config", "FILE", "X"],
}
INSTEAD = {
    "name a file in it",
    "name the configuration with --config FILE",
    "name the policy to try with --policy FILE",
}
INSTEAD |= {"name the policy with --policy FILE"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that everybody may enter, with files that are good."""
    for each in (tmp_path, *tmp_path.parents):
        if each.is_relative_to("/tmp") and each != Path("/tmp"):
            each.chmod(0o755)
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "dkimgate.yaml").write_text(
        f"listen: unix:{tmp_path}/sock\ntrust: {{}}\nkeys: []\nverify: {{when: never}}\n"
    )
    (tmp_path / "cases.yaml").write_text("cases: [{name: a, facts: {}, expect: {sign: none}}]\n")
    return tmp_path


def command(folder: Path, words: list[str], file: Path) -> list[str]:
    here = {
        "FILE": file,
        "CONFIG": folder / "dkimgate.yaml",
        "POLICY": folder / "policy.yaml",
        "CASES": folder / "cases.yaml",
    }
    return [str(here.get(word, word)) for word in words]


@pytest.mark.parametrize("words", READERS.values(), ids=READERS)
def test_who_may_read_it_is_said_to_who_may_not(folder: Path, words: list[str]) -> None:
    need_root("to close a file to others")
    (folder / "closed").mkdir(mode=0o700)
    files_and_who = {"open": "", "open/group": ", or as a member of the group shadow", "closed": ""}
    for name, who in files_and_who.items():
        file = folder / name.replace("/", "-") if name != "closed" else folder / "closed" / "file"
        file.touch(mode=0o640)
        if "group" in name:
            os.chown(file, 0, SHADOW)
        status, out, err = as_nobody(*command(folder, words, file))
        said = err.splitlines()
        assert (status, out, said) == (2, "", [f"dkimgate: {file}: Permission denied: run it as root{who}"])


@pytest.mark.parametrize("words", READERS.values(), ids=READERS)
def test_a_folder_is_no_file(folder: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "folder").mkdir()
    assert cli.main(command(folder, words, folder / "folder")) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert said.out == "" and line.startswith(f"dkimgate: {folder}/folder: Is a directory: ")
    assert line.partition("directory: ")[2] in INSTEAD


@pytest.mark.parametrize("words", READERS.values(), ids=READERS)
def test_a_file_is_no_folder(folder: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(command(folder, words, folder / "policy.yaml" / "x" / "y")) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith(f"dkimgate: {folder}/policy.yaml/x/y: Not a directory: ")
    assert line.partition("directory: ")[2] in {*INSTEAD, f"{folder}/policy.yaml is a file"}


def test_a_folder_that_a_key_names_is_told_by_the_name_of_the_key(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = folder / "dkimgate.yaml"
    config.write_text(config.read_text() + "policy: .\n")
    for words in (["check"], ["policy", "show"], ["run", "--test"]):
        assert cli.main([*words, "--config", str(config)]) == 2
        assert capsys.readouterr().err.endswith("Is a directory: correct `policy:` in the configuration\n")


@pytest.mark.parametrize("action", [["tail"], ["show", "X"]])
def test_the_log_of_a_host_is_closed_to_others(
    folder: Path, action: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Configuration and journal in folders that only root and the daemon's group may enter."""
    need_root("to close a folder to others")
    for name in ("etc", "log"):
        (folder / name).mkdir(mode=0o750)
        os.chown(folder / name, 0, SHADOW)
    config, journal = folder / "etc" / "dkimgate.yaml", folder / "log" / "decisions.jsonl"
    config.touch()
    journal.touch()
    monkeypatch.setattr("dkimgate.config.dkimgate_yaml.DEFAULT_FILE", config)
    monkeypatch.setattr("dkimgate.cli.log.dkimgate_yaml.Journal", lambda: Journal(file=journal))
    assert as_nobody("log", *action) == (
        2,
        "",
        f"dkimgate: {config}: Permission denied: run it as root, or as a member of the group shadow\n",
    )


def test_who_can_not_see_a_socket_folder_is_told_so_and_nothing_breaks(folder: Path) -> None:
    need_root("to close a folder to others")
    (folder / "closed").mkdir(mode=0o700)
    config = folder / "dkimgate.yaml"
    config.write_text(config.read_text().replace(f"{folder}/sock", f"{folder}/closed/below/sock"))
    status, out, err = as_nobody("check", "--config", str(config))
    assert (status, err) == (2, "") and "listen:" in out


def test_the_daemon_is_told_how_its_user_can_read_its_files(folder: Path) -> None:
    need_root("to close a file to others")
    (folder / "policy.yaml").chmod(0o600)
    config = folder / "dkimgate.yaml"
    config.write_text(config.read_text().replace(f"unix:{folder}/sock", f"inet:127.0.0.1:{free_port()}"))
    for words in (["run"], ["run", "--test"]):
        status, _, err = as_nobody(*words, "--config", str(folder / "dkimgate.yaml"))
        assert status == 2
        assert f"{folder}/policy.yaml: nobody can't read this file: chgrp " in err and err.count("chmod 0640") == 1
    (folder / "policy.yaml").chmod(0o644)
    (folder / "dkimgate.yaml").chmod(0o600)
    status, _, err = as_nobody("run", "--config", str(folder / "dkimgate.yaml"))
    assert status == 2 and f"{folder}/dkimgate.yaml: nobody can't read this file: chgrp " in err


WRITERS = (["keys", "new", "hosted.example", "default"], ["srs", "new-secret"], ["passport", "new-secret"])


@pytest.mark.parametrize("words", WRITERS)
def test_what_can_not_be_written_says_what_to_do(
    folder: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    new = folder / "a folder" / "below" / "x"
    assert cli.main([*words, "--out", str(new)]) == 2
    said = capsys.readouterr().err
    assert said.endswith(f"No such file or directory: make the folder first: mkdir -p '{new.parent}'\n")
    assert cli.main([*words, "--out", str(folder / "policy.yaml" / "x")]) == 2
    assert capsys.readouterr().err.endswith(f"Not a directory: {folder}/policy.yaml is a file\n")
    if os.geteuid() == 0:
        assert as_nobody(*words, "--out", str(folder / "x"))[2].endswith(
            "Permission denied: run it as root, or name a file in a folder of your own\n"
        )


@pytest.mark.parametrize("words", WRITERS)
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_a_folder_to_write_to_is_never_to_be_replaced_or_added_to(
    folder: Path, words: list[str], force: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if force and words[0] != "keys":
        return
    before = sorted(folder.iterdir())
    assert cli.main([*words, "--out", str(folder), *force]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"dkimgate: {folder}: ") and said.endswith("Is a directory: name a file in it\n")
    assert ">>" not in said and sorted(folder.iterdir()) == before


@pytest.mark.parametrize("words", WRITERS[1:])
def test_a_secret_is_only_added_to_a_file_of_secrets(
    folder: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--out", str(folder / "policy.yaml")]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"dkimgate: {folder}/policy.yaml: ") and "name another" in said
    assert cli.main([*words, "--out", str(folder / "s")]) == 0
    assert cli.main([*words, "--out", str(folder / "s")]) == 2
    assert f"{folder}/s: " in (said := capsys.readouterr().err) and "name another" not in said


def test_no_module_asks_a_path_in_a_way_that_raises_below_a_closed_folder() -> None:
    """`Path.exists`, `is_file`, `is_dir` do (until Python 3.14): `files.seen` does not."""

    def asked(source: str) -> list[str]:
        names = {"exists", "is_file", "is_dir", "is_symlink", "is_socket"}
        calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and not node.args)
        return [node.func.attr for node in calls if isinstance(node.func, ast.Attribute) and node.func.attr in names]

    assert asked("if usual.exists(): pass") == ["exists"]
    found = {str(file): asked(file.read_text()) for file in sorted(SOURCES.rglob("*.py"))}
    assert len(found) > 100 and not {file: names for file, names in found.items() if names}


def test_what_is_seen(tmp_path: Path) -> None:
    assert files.seen(tmp_path / "none") is None and files.seen(Path("a\0b")) is None
    assert files.is_folder(tmp_path) and not files.is_folder(tmp_path / "none")
    status = files.seen(tmp_path)
    assert status is not None and stat.S_ISDIR(status.st_mode)
