"""Keys and secrets are made for the daemon: root hands them over, others are told what is left to do."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.cli.account import account
from dkimgate.config import dkimgate_yaml, secret_file
from dkimgate.srs import Secrets
from tests.needs import need_root

NOBODY = pwd.getpwnam("nobody")
GROUP = grp.getgrgid(NOBODY.pw_gid).gr_name

MAKERS = (
    ["keys", "new", "hosted.example", "default", "--type", "ed25519"],
    ["keys", "new", "hosted.example", "default", "--type", "ed25519", "--force"],
    ["srs", "new-secret"],
    ["passport", "new-secret"],
)


@pytest.fixture
def for_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The configuration of this host names a user that every machine has."""
    file = tmp_path / "dkimgate.yaml"
    file.write_text("user: nobody\n")
    monkeypatch.setattr(dkimgate_yaml, "DEFAULT_FILE", file)


def open_to_all(folder: Path) -> None:
    for each in (folder, *folder.parents):
        if each.is_relative_to("/tmp") and each != Path("/tmp"):
            each.chmod(0o755)


@pytest.mark.usefixtures("for_nobody")
@pytest.mark.parametrize("command", MAKERS, ids=" ".join)
def test_a_folder_that_keeps_the_daemon_out(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as /root, where root made it."""
    need_root("to give files to others")
    open_to_all(tmp_path)
    (tmp_path / "root").mkdir(mode=0o700)
    (tmp_path / "root" / "deeper").mkdir()
    assert cli.main([*command, "--out", str(tmp_path / "root" / "deeper" / "made")]) == 0
    said = capsys.readouterr().out
    assert "mode 0640" in said and f"may not enter {tmp_path}/root" in said


@pytest.mark.usefixtures("for_nobody")
@pytest.mark.parametrize("command", MAKERS, ids=" ".join)
def test_what_root_makes_the_daemon_can_read_and_nobody_else(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_root("to give files to others")
    open_to_all(tmp_path)
    file = tmp_path / "made"
    assert cli.main([*command, "--out", str(file)]) == 0
    state = file.stat()
    assert (state.st_uid, state.st_gid, state.st_mode & 0o7777) == (0, NOBODY.pw_gid, 0o640)
    said = capsys.readouterr().out
    assert f"root:{GROUP}, mode 0640" in said and "can read it" in said


@pytest.mark.parametrize("command", MAKERS, ids=" ".join)
def test_without_the_account_it_stays_with_its_owner(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dkimgate.yaml").write_text("user: no-such-user\n")
    monkeypatch.setattr(dkimgate_yaml, "DEFAULT_FILE", tmp_path / "dkimgate.yaml")
    file = tmp_path / "made"
    assert cli.main([*command, "--out", str(file)]) == 0
    assert (file.stat().st_uid, file.stat().st_mode & 0o7777) == (os.geteuid(), 0o600)
    said = capsys.readouterr().out
    assert "mode 0600" in said and "no account no-such-user" in said


def test_what_an_ordinary_user_makes_is_told_how_to_hand_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that user: `sudo` was forgotten."""
    monkeypatch.setattr("os.geteuid", lambda: 65534)
    file = tmp_path / "made of two words"
    secret_file.create(file, "x", "", Secrets.parse, "nobody" if os.getuid() != NOBODY.pw_uid else "root")
    assert file.stat().st_mode & 0o7777 == 0o600
    said = secret_file.handed(file, "nobody")
    assert "mode 0600" in said and said.endswith(f": chown root:{GROUP} '{file}' && chmod 0640 '{file}'")


def test_the_account_is_the_configured_one_else_the_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dkimgate_yaml, "DEFAULT_FILE", tmp_path / "dkimgate.yaml")
    assert account() == "dkimgate"
    (tmp_path / "dkimgate.yaml").write_text("user: mail\n")
    assert account() == "mail"
    (tmp_path / "dkimgate.yaml").write_text("listen: [\n")
    assert account() == "dkimgate"


def test_the_daemon_itself_may_have_made_it(tmp_path: Path) -> None:
    file = tmp_path / "made"
    secret_file.create(file, "x", "", Secrets.parse, "no-such-user")
    name = pwd.getpwuid(os.geteuid()).pw_name
    assert secret_file.handed(file, name).endswith(f"The daemon ({name}) can read it.")
