"""Credentials of systemd, while their service is down: what they are made from is read, by what the unit's files say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.config import credentials, secret_file, systemd_unit
from tests.problems import refusals

UNIT = "dkimgate.service"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host whose units lie in etc/ and lib/, and whose credentials in run/, below a folder of its own."""
    for name in ("etc", "lib", "run", "store"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(systemd_unit, "FOLDERS", (tmp_path / "etc", tmp_path / "lib"))
    monkeypatch.setattr(credentials, "FOLDER", tmp_path / "run")
    monkeypatch.setattr(credentials, "_STORES", (tmp_path / "store",))
    return tmp_path


def unit(host: Path, text: str, drop_ins: dict[str, str] | None = None) -> None:
    (host / "lib" / UNIT).write_text(text)
    for name, more in (drop_ins or {}).items():
        (host / name).parent.mkdir(exist_ok=True)
        (host / name).write_text(more)


@pytest.mark.parametrize(
    ("text", "drop_ins", "expected"),
    [
        ("[Service]\nLoadCredential=a.pem:/k/a.pem\n", {}, "/k/a.pem"),
        ("[Service]\nLoadCredential=b.pem:/k/b.pem\nLoadCredential=a.pem:/k/a.pem\n", {}, "/k/a.pem"),
        ("[Service]\n# LoadCredential=a.pem:/k/b.pem\n LoadCredential = a.pem:/k/a.pem \n", {}, "/k/a.pem"),
        ("[Service]\nLoadCredential=\\\n# between\n  a.pem:/k/a.pem\n", {}, "/k/a.pem"),
        ("[Unit]\nLoadCredential=a.pem:/k/a.pem\n[Service]\nUser=x\n", {}, None),
        ("[Service]\n", {f"etc/{UNIT}.d/k.conf": "[Service]\nLoadCredential=a.pem:/k/a.pem\n"}, "/k/a.pem"),
        ("[Service]\nLoadCredential=a.pem:/k/a.pem\n", {f"etc/{UNIT}.d/k.conf": "[Service]\nLoadCredential=\n"}, None),
        (
            "[Service]\nLoadCredential=a.pem:/k/old.pem\n",
            {
                f"lib/{UNIT}.d/k.conf": "[Service]\nLoadCredential=\nLoadCredential=a.pem:/k/a.pem\n",
                f"lib/{UNIT}.d/z.txt": "no",
            },
            "/k/a.pem",
        ),
        (
            "[Service]\n",
            {
                f"lib/{UNIT}.d/k.conf": "[Service]\nLoadCredential=a.pem:/k/hidden.pem\n",
                f"etc/{UNIT}.d/k.conf": "[Service]\nLoadCredential=a.pem:/k/a.pem\n",
            },
            "/k/a.pem",
        ),
        ("[Service]\nLoadCredential=a.pem\n", {}, "{host}/store/a.pem"),
        ("[Service]\nLoadCredential=a.pem:other.pem\n", {}, "{host}/store/other.pem"),
        ("[Service]\nLoadCredential=keys:{host}/store\n", {}, None),
    ],
)
def test_where_a_credential_comes_from(host: Path, text: str, drop_ins: dict[str, str], expected: str | None) -> None:
    unit(host, text.replace("{host}", str(host)), drop_ins)
    found = credentials.origin(host / "run" / UNIT / "a.pem").file
    assert found == (None if expected is None else Path(expected.replace("{host}", str(host))))


def test_a_unit_of_etc_hides_the_one_of_lib(host: Path) -> None:
    unit(
        host,
        "[Service]\nLoadCredential=a.pem:/k/lib.pem\n",
        {f"etc/{UNIT}": "[Service]\nLoadCredential=a.pem:/k/etc.pem\n"},
    )
    assert credentials.origin(host / "run" / UNIT / "a.pem").file == Path("/k/etc.pem")


def test_a_folder_of_credentials(host: Path) -> None:
    (host / "store" / "a.pem").write_text("x")
    unit(host, f"[Service]\nLoadCredential=keys:{host}/store\n")
    assert credentials.origin(host / "run" / UNIT / "keys_a.pem").file == host / "store" / "a.pem"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "dkimgate.service"),
        ("[Service]\n", "LoadCredential=a.pem:FILE"),
        ("[Service]\nLoadCredentialEncrypted=a.pem:/k/a\n", "LoadCredentialEncrypted="),
        ("[Service]\nSetCredential=a.pem:xyz\n", "SetCredential="),
        (
            "[Service]\nLoadCredential=a.pem:{host}/none.pem\n",
            "LoadCredential= in dkimgate.service",
        ),
    ],
)
def test_what_cannot_be_read_says_why(host: Path, text: str | None, why: str) -> None:
    if text is not None:
        unit(host, text.replace("{host}", str(host)))
    (problem,) = refusals(secret_file.read, host / "run" / UNIT / "a.pem", "the key", "make it")
    assert problem.code in ("file.no-credential", "file.cant-read") and why in problem.text
    assert "chgrp" not in problem.text


def test_a_source_of_root_is_not_for_others(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = host / "store" / "a.pem"
    source.write_text("x")
    unit(host, f"[Service]\nLoadCredential=a.pem:{source}\n")
    monkeypatch.setattr("os.access", lambda *_: False)
    (problem,) = refusals(secret_file.read, host / "run" / UNIT / "a.pem", "the key", "make it")
    assert problem.code == "file.no-credential" and str(source) in problem.text


def test_while_the_service_runs_its_credential_is_read(host: Path) -> None:
    source, made = host / "store" / "a.pem", host / "run" / UNIT / "a.pem"
    unit(host, f"[Service]\nLoadCredential=a.pem:{source}\n")
    made.parent.mkdir()
    for file, text in ((source, "new"), (made, "in force")):
        file.touch(mode=0o600)
        file.write_text(text)
    assert secret_file.read(made, "the key", "") == b"in force"
    made.unlink()
    assert secret_file.read(made, "the key", "") == b"new"


def test_a_trial_in_the_sandbox_has_them_under_another_name(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = host / "run" / "dkimgate-check-7.service" / "a.pem"
    made.parent.mkdir()
    made.touch(mode=0o600)
    made.write_text("x")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(made.parent))
    assert secret_file.read(host / "run" / UNIT / "a.pem", "the key", "") == b"x"


def test_the_commands_work_while_the_daemon_is_down(host: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = host / "store" / "a.pem"
    assert cli.main(["keys", "new", "hosted.example", "default", "--type", "ed25519", "--out", str(source)]) == 0
    unit(host, f"[Service]\nLoadCredential=a.pem:{source}\n")
    made = host / "run" / UNIT / "a.pem"
    file = host / "dkimgate.yaml"
    file.write_text(
        f"listen: unix:{host}/sock\nuser: nobody\ntrust: {{hosts: [mx.forwarder.example], authserv_ids: [mx.forwarder.example]}}\n"
        f"keys: [{{domain: hosted.example, selector: default, file: {made}}}]\njournal: {{file: decisions.jsonl}}\n"
        f"verify: {{nameservers: [127.0.0.9], deadline: 0.1}}\n"
    )
    (host / "policy.yaml").write_bytes((Path(__file__).parents[2] / "config" / "policy.yaml").read_bytes())
    (host / "message.eml").write_text("From: a@hosted.example\nTo: b@hosted.example\n\nHello\n")
    capsys.readouterr()
    assert cli.main(["explain", "--config", str(file), str(host / "message.eml")]) == 0
    assert cli.main(["keys", "check", "--config", str(file)]) == 2  # nobody answers there
    assert "can't read" not in capsys.readouterr().err
    assert cli.main(["check", "--config", str(file), "--json"]) in (1, 2)  # nobody may not write to a folder of root
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [str(source) in each["text"] for each in found if each["code"] == "file.credential-origin"] == [True]
    assert str(made) not in [each["file"] for each in found], "it is systemd that reads it"


def test_one_that_is_named_while_the_service_runs_takes_a_restart(
    host: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Root can read what it will be made from; the daemon is given it at its next start, and would refuse a reload."""
    source, made, file = host / "store" / "a.pem", host / "run" / UNIT / "a.pem", host / "dkimgate.yaml"
    assert cli.main(["keys", "new", "hosted.example", "default", "--type", "ed25519", "--out", str(source)]) == 0
    unit(host, f"[Service]\nLoadCredential=a.pem:{source}\n")
    file.write_text(
        f"listen: unix:{host}/sock\ntrust: {{hosts: [mx.forwarder.example]}}\n"
        f"keys: [{{domain: hosted.example, selector: default, file: {made}}}]\njournal: {{file: decisions.jsonl}}\n"
        f"verify: {{nameservers: [127.0.0.9], deadline: 0.1}}\n"
    )
    (host / "policy.yaml").write_bytes((Path(__file__).parents[2] / "config" / "policy.yaml").read_bytes())
    assert cli.main(["run", "--test", "--config", str(file)]) == 0, "the service is down: the next start makes it"
    made.parent.mkdir()
    capsys.readouterr()
    assert cli.main(["run", "--test", "--config", str(file)]) == 2
    said = capsys.readouterr().err
    assert f"{made}: " in said and f"systemctl restart {UNIT}" in said
    assert cli.main(["check", "--config", str(file), "--json"]) == 1
    told = [each for each in json.loads(capsys.readouterr().out)["findings"] if each["file"] == str(made)]
    assert [each["code"] for each in told] == ["file.credential-new"]
    made.touch(mode=0o600)
    made.write_bytes(source.read_bytes())
    assert cli.main(["run", "--test", "--config", str(file)]) == 0
