"""What root is told of files that the daemon's user can't read: why, and a command that works."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.config.permissions import hindrance
from tests.needs import need_root

NOBODY = pwd.getpwnam("nobody")
GROUP = grp.getgrgid(NOBODY.pw_gid).gr_name
SHIPPED = Path(__file__).parents[2] / "config" / "policy.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that everybody may enter."""
    for each in (tmp_path, *tmp_path.parents):
        if each.is_relative_to("/tmp") and each != Path("/tmp"):
            each.chmod(0o755)
    return tmp_path


def test_what_is_told_to_be_done_helps(folder: Path) -> None:
    """The group need not be called as the user is: nobody's is nogroup."""
    need_root("to give files to others")
    file = folder / "a key"
    file.touch(mode=0o600)
    said = hindrance(file, "nobody")
    assert said is not None and (said.code, said.file) == ("file.unreadable", file)
    command = f"chgrp {GROUP} '{file}' && chmod 0640 '{file}'"
    assert said.text.endswith(command)
    subprocess.run(["sh", "-c", command], check=True)
    assert hindrance(file, "nobody") is None
    os.chown(file, NOBODY.pw_uid, 0)
    file.chmod(0o400)
    assert hindrance(file, "nobody") is None


def test_a_closed_folder_is_the_reason(folder: Path) -> None:
    need_root("to close it to others")
    (folder / "root").mkdir(mode=0o700)
    (folder / "root" / "key").touch(mode=0o644)
    assert str(hindrance(folder / "root" / "key", "nobody")).startswith(
        f"{folder}/root/key: nobody may not enter {folder}/root: move the file"
    )


def test_what_is_not_there_is_told_by_whoever_reads_it(folder: Path) -> None:
    assert hindrance(folder / "none", "nobody") is None
    assert hindrance(folder / "none" / "none", "nobody") is None


def test_a_key_that_is_missing_is_told_of_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And nobody is told to change the group of a file that is not there."""
    need_root("to look for another user")
    (folder / "policy.yaml").write_bytes(SHIPPED.read_bytes())
    assert (
        cli.main(["keys", "new", "hosted.example", "default", "--type", "ed25519", "--out", str(folder / "good.pem")])
        == 0
    )
    os.chown(folder / "good.pem", 0, NOBODY.pw_gid)
    (folder / "good.pem").chmod(0o640)
    file = folder / "dkimgate.yaml"
    file.write_text(
        f"listen: unix:{folder}/sock\ntrust: {{}}\njournal: {{file: /dev/null}}\nuser: nobody\nverify: {{when: "
        "never}\nkeys:\n  - {domain: hosted.example, selector: default, file: good.pem}\n  - {domain: other.example, "
        "selector: default, file: bad.pem}\n"
    )
    capsys.readouterr()
    for command in (["check"], ["run", "--test"]):
        assert cli.main([*command, "--config", str(file)]) in (1, 2)
        told = [line for line in "".join(capsys.readouterr()).splitlines() if "bad.pem" in line]
        assert len(told) == 1 and "No such file" in told[0]


def test_a_user_that_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need_root("to look for another user")
    (folder / "policy.yaml").write_bytes(SHIPPED.read_bytes())
    file = folder / "dkimgate.yaml"
    file.write_text(
        f"listen: unix:{folder}/sock\ntrust: {{}}\njournal: {{file: /dev/null}}\nuser: no-such-user\nkeys: []\n"
    )
    assert cli.main(["run", "--test", "--config", str(file)]) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert "there is no user 'no-such-user': create it (adduser --system --group no-such-user)" in told
