"""A daemon goes by no file that was emptied or cut short: `run`, a reload and `check` refuse it, and say what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.config import dkimgate_yaml
from tests.needs import need_root
from tests.problems import refusals, told

SHIPPED = Path(__file__).parents[2] / "config" / "dkimgate.yaml"


def refused(text: str, folder: Path) -> list[str]:
    file = folder / "dkimgate.yaml"
    file.write_text(text)
    return told(refusals(dkimgate_yaml.load_whole, file))


@pytest.mark.parametrize("text", ["", "\n", "# listen: unix:/x\n", "---\n", "null\n", "~\n"])
def test_an_empty_file_is_refused(text: str, tmp_path: Path) -> None:
    assert refused(text, tmp_path) == ["config.empty"]


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("{}", ["listen", "trust", "keys"]),
        ("user: dkimgate\n", ["listen", "trust", "keys"]),
        ("listen: unix:/run/x\n", ["trust", "keys"]),
        ("listen: unix:/run/x\ntrust: {hosts: [mx.forwarder.example]}\n", ["keys"]),
        ("listen: unix:/run/x\nkeys: []\n", ["trust"]),
    ],
)
def test_what_is_missing_is_named(text: str, missing: list[str], tmp_path: Path) -> None:
    found = refused(text, tmp_path)
    assert len(found) == len(missing)
    assert set(found) == {"1:1 yaml.missing-key"}


def test_what_is_wrong_is_told_before_what_is_missing(tmp_path: Path) -> None:
    assert refused("lisen: unix:/x\n", tmp_path) == ["1:1 yaml.unknown-key"]


def test_nothing_to_sign_can_be_said(tmp_path: Path) -> None:
    file = tmp_path / "dkimgate.yaml"
    file.write_text("listen: unix:/run/x\ntrust: {}\nkeys: []\n")
    assert dkimgate_yaml.load_whole(file).keys == ()


def test_what_is_shipped_is_whole_and_none_of_its_beginnings_before_the_keys(tmp_path: Path) -> None:
    """As an editor leaves it on a full disk."""
    assert dkimgate_yaml.load_whole(SHIPPED) == dkimgate_yaml.load(SHIPPED)
    lines = SHIPPED.read_text("utf-8").splitlines(keepends=True)
    keys = next(number for number, line in enumerate(lines) if line.startswith("keys:"))
    for number in range(keys + 1):
        assert refused("".join(lines[:number]), tmp_path)


@pytest.mark.parametrize("command", [["check"], ["run", "--test"], ["run"]])
def test_the_commands_that_a_daemon_is_judged_by_refuse_it(
    command: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal.pthread_sigmask", lambda *_: None)  # of this process, for all tests after this one
    (tmp_path / "dkimgate.yaml").write_text("")
    assert cli.main([*command, "--config", str(tmp_path / "dkimgate.yaml")]) == 2
    assert "dkimgate.yaml: " in capfd.readouterr().err


def test_run_test_loads_and_serves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "dkimgate.yaml"
    file.write_text(f"listen: unix:{tmp_path}/sock\ntrust: {{}}\nkeys: []\njournal: {{file: decisions.jsonl}}\n")
    (tmp_path / "policy.yaml").write_bytes((SHIPPED.parent / "policy.yaml").read_bytes())
    assert cli.main(["run", "--test", "--config", str(file)]) == 0
    assert capsys.readouterr() == ("", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dkimgate.yaml", "policy.yaml"]
    (tmp_path / "policy.yaml").write_text("version: 1\nrulez: []\n")
    assert cli.main(["run", "--test", "--config", str(file)]) == 2
    assert "policy.yaml:2:1: " in capsys.readouterr().err


def test_run_test_as_root_sees_with_the_eyes_of_the_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need_root("to look for another user")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    file = tmp_path / "dkimgate.yaml"
    file.write_text(
        f"listen: unix:{tmp_path}/sock\ntrust: {{}}\nkeys: []\nuser: nobody\njournal: {{file: /dev/null}}\n"
    )
    policy = tmp_path / "policy.yaml"
    policy.write_bytes((SHIPPED.parent / "policy.yaml").read_bytes())
    policy.chmod(0o644)
    file.chmod(0o644)
    assert cli.main(["run", "--test", "--config", str(file)]) == 0
    policy.chmod(0o600)
    assert cli.main(["run", "--test", "--config", str(file)]) == 2
    assert f"{policy}: nobody " in capsys.readouterr().err
    policy.chmod(0o644)
    file.chmod(0o640)
    assert cli.main(["run", "--test", "--config", str(file)]) == 2
    assert f"{file}: nobody " in capsys.readouterr().err


@pytest.mark.parametrize("user", ["", "user: nobody\n"])
@pytest.mark.parametrize("text", [None, "", "garbage"])
def test_run_test_tells_of_a_key_that_a_reload_would_be_refused_for(
    text: str | None, user: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The daemon goes on with the old keys then, and `systemctl reload` must not say that all went well."""
    file, good, bad = (tmp_path / name for name in ("dkimgate.yaml", "good.pem", "bad.pem"))
    assert cli.main(["keys", "new", "hosted.example", "default", "--type", "ed25519", "--out", str(good)]) == 0
    if text is not None:
        bad.write_text(text)
        bad.chmod(0o600)
    file.write_text(
        f"listen: unix:{tmp_path}/sock\ntrust: {{}}\njournal: {{file: /dev/null}}\n{user}keys:\n  - {{domain: "
        "hosted.example, selector: default, file: good.pem}\n  - {domain: other.example, selector: default, file: "
        "bad.pem}\n"
    )
    (tmp_path / "policy.yaml").write_bytes((SHIPPED.parent / "policy.yaml").read_bytes())
    capsys.readouterr()
    assert cli.main(["run", "--test", "--config", str(file)]) == 2
    (_, *more) = [line for line in capsys.readouterr().err.splitlines() if f"{bad}: " in line]
    assert not any("let its group" in line for line in more) or text is not None, "a file that is missing has no group"
