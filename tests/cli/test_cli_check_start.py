"""`check` tries what the daemon will do, as its user and in its sandbox: what would keep it from starting or taking mail is told."""

from __future__ import annotations

import os
import pwd
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.cli import check_start
from dkimgate.cli.finding import Finding
from dkimgate.config import dkimgate_yaml, systemd_unit
from dkimgate.config.dkimgate_yaml import Config, Listener
from dkimgate.daemon.attempt import attempts
from tests.needs import need_namespace, need_root
from tests.running import eventually, free_port

ROOT = Path(__file__).parents[2]
SHIPPED = systemd_unit.read("dkimgate.service", [ROOT / "systemd"])


def settings(folder: Path, listen: str | None = None, user: str | None = None) -> Config:
    where = Listener(socket=listen or f"unix:{folder}/milter.sock")
    return Config().model_copy(
        update={"listen": (where,), "user": user, "journal": dkimgate_yaml.Journal(file=folder / "decisions.jsonl")}
    )


def test_what_works_leaves_nothing_behind(tmp_path: Path) -> None:
    assert list(attempts(settings(tmp_path))) == []
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_text("{}\n")
    assert list(attempts(settings(tmp_path))) == []
    assert (tmp_path / "decisions.jsonl").read_text() == "{}\n"


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (said,) = attempts(settings(tmp_path, f"inet:127.0.0.1:{port}"))
    assert said.text.startswith(f"listen: inet:127.0.0.1:{port}: Address already in use (")
    assert list(attempts(settings(tmp_path, f"inet:127.0.0.1:{port}"))) == []


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    (said,) = attempts(settings(tmp_path, f"unix:{tmp_path}/none/milter.sock"))
    assert str(said) == f"listen: unix:{tmp_path}/none/milter.sock: {tmp_path}/none: No such file or directory"


@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_what_stands_in_the_place_of_a_socket(what: str, tmp_path: Path) -> None:
    """The daemon would refuse to start: it removes nothing but sockets."""
    path = tmp_path / "milter.sock"
    match what:
        case "file":
            path.touch()
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to(tmp_path / "none")
    assert [*map(str, attempts(settings(tmp_path)))] == [
        f"listen: unix:{path}: this file is not a socket: remove it, or name another path"
    ]
    assert os.path.lexists(path)


def test_the_socket_of_a_daemon_that_runs_is_no_problem(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as running:
        running.bind(str(tmp_path / "milter.sock"))
        assert list(attempts(settings(tmp_path))) == []


HOLD = """
import os, socket, sys, time
with socket.socket() as held:
    held.bind(("127.0.0.1", 0))
    held.listen()
    os.setuid(int(sys.argv[1]))
    print(held.getsockname()[1], flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("name", ["dkimgate", "another"])
def test_a_port_that_a_daemon_holds_which_has_given_up_root(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own user can't see what it has open."""
    need_root("to give it up")
    monkeypatch.setattr(systemd_unit, "FOLDERS", ())
    nobody = pwd.getpwnam("nobody").pw_uid
    with subprocess.Popen([sys.executable, "-c", HOLD, str(nobody), name], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        listen = f"inet:127.0.0.1:{int(holder.stdout.readline())}"
        told = settings(tmp_path, listen, user="nobody").model_copy(
            update={"journal": dkimgate_yaml.Journal(file=Path("/dev/null"))}
        )
        found = [each.text for each in check_start.tried(tmp_path / "dkimgate.yaml", told)]
        holder.kill()
    assert found == ([] if name == "dkimgate" else [f"listen: {listen}: Address already in use (tried as nobody)"])


IN_A_SANDBOX = """
import subprocess, sys
from dkimgate.daemon.attempt import _holder
subprocess.run(["mount", "-t", "proc", "-o", "subset=pid,hidepid=invisible", "proc", "/proc"], check=True)
import socket
with socket.socket() as held:
    held.bind(("127.0.0.1", 0))
    held.listen()
    print(_holder(held.getsockname()[1]))
"""


@pytest.mark.servers
def test_who_holds_a_port_is_seen_where_a_unit_says_procsubset_pid(tmp_path: Path) -> None:
    need_namespace("--mount")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "milter")}
    command = ["unshare", "--mount", "--pid", "--fork", sys.executable, "-c", IN_A_SANDBOX]
    assert "subset=pid" in subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


SMALL = """
import subprocess, sys
from pathlib import Path
from dkimgate.config.dkimgate_yaml import Config, Journal
from dkimgate.daemon.attempt import attempts
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", *sys.argv[2:], "tmpfs", str(folder)], check=True)
for said in attempts(Config().model_copy(update={"listen": (), "journal": Journal(file=folder / "d.jsonl")})):
    print(said)
"""


@pytest.mark.servers
@pytest.mark.parametrize(
    ("options", "why"), [(("-o", "size=16k"), "No space left on device"), (("-o", "ro"), "Read-only file system")]
)
def test_a_disk_that_takes_nothing(tmp_path: Path, options: tuple[str, ...], why: str) -> None:
    need_namespace("--mount")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "milter")}
    command = ["unshare", "-m", sys.executable, "-c", SMALL, str(tmp_path), *options]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert why in said and said.endswith(": all mail would be deferred\n")


def test_it_is_tried_as_the_daemons_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_root("to become another user")
    monkeypatch.setattr(systemd_unit, "FOLDERS", ())
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    found = list(check_start.tried(tmp_path / "dkimgate.yaml", settings(tmp_path, user="nobody")))
    assert [each.text for each in found] == [
        f"journal.file: {tmp_path}: Permission denied: all mail would be deferred (tried as nobody)",
        f"listen: unix:{tmp_path}/milter.sock: {tmp_path}: Permission denied (tried as nobody)",
    ]
    os.chown(tmp_path, pwd.getpwnam("nobody").pw_uid, -1)
    assert list(check_start.tried(tmp_path / "dkimgate.yaml", settings(tmp_path, user="nobody"))) == []


@pytest.mark.parametrize(
    ("key", "listen", "journal", "hidden"),
    [
        ("/etc/dkimgate/k.pem", "unix:/var/spool/postfix/dkimgate/m.sock", "/var/log/dkimgate/d.jsonl", []),
        (
            "/home/a/k.pem",
            "unix:/run/dkimgate/m.sock",
            "/var/log/dkimgate/d.jsonl",
            ["/home/a/k.pem: dkimgate.service hides"],
        ),
        ("/root/k.pem", "inet:127.0.0.1:8891", "/var/log/dkimgate/d.jsonl", ["/root/k.pem: dkimgate.service hides"]),
        ("/etc/k.pem", "inet:127.0.0.1:8891", "/srv/mail/d.jsonl", ["/srv/mail: the daemon can't write here"]),
        (
            "/etc/k.pem",
            "unix:/var/run/x/m.sock",
            "/var/log/dkimgate/d.jsonl",
            ["/var/run/x: the daemon can't write here"],
        ),
        ("/etc/k.pem", "unix:/tmp/m.sock", "/var/log/d.jsonl", ["/var/log: the daemon can't write here"]),
    ],
)
def test_what_the_shipped_unit_takes_away(key: str, listen: str, journal: str, hidden: list[str]) -> None:
    assert SHIPPED is not None
    told = Config().model_copy(
        update={
            "listen": (Listener(socket=listen),),
            "policy": Path("/etc/dkimgate/policy.yaml"),
            "keys": (dkimgate_yaml.Key(domain="hosted.example", selector="s", file=Path(key)),),
            "journal": dkimgate_yaml.Journal(file=Path(journal)),
        }
    )
    found = list(check_start.hidden(SHIPPED, Path("/etc/dkimgate/dkimgate.yaml"), told))
    assert len(found) == len(hidden)
    assert all(str(text).startswith(start) for text, start in zip(found, hidden, strict=True))


def test_the_sandbox_is_the_units_and_starts_nothing_of_it() -> None:
    assert SHIPPED is not None
    command = check_start.sandboxed(SHIPPED, ["python", "-m", "dkimgate"], 7)
    assert command[:6] == ["systemd-run", "--wait", "--pipe", "--quiet", "--collect", "--unit=dkimgate-check-7"]
    assert command[-5:] == ["--property=RuntimeDirectoryPreserve=yes", "--", "python", "-m", "dkimgate"]
    properties = [each.removeprefix("--property=") for each in command if each.startswith("--property=")]
    for wanted in (
        "User=dkimgate",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "SystemCallFilter=@system-service",
        "LogsDirectory=dkimgate",
    ):
        assert wanted in properties
    assert (
        next(each for each in properties if each.startswith("SystemCallFilter=")) == "SystemCallFilter=@system-service"
    ), "in their order"
    assert not [
        each
        for each in properties
        if each.startswith(("Exec", "Type", "Restart=", "RestartSec", "KillMode", "Timeout"))
    ]


def test_what_a_drop_in_says_of_the_output_is_left_out_and_what_it_forbids_is_not() -> None:
    """Else `check` would read nothing of what the trial prints."""
    unit = dict.fromkeys(
        (
            "StandardOutput",
            "StandardError",
            "StandardInput",
            "RemainAfterExit",
            "PIDFile",
            "ExecStartPre",
            "RestartSec",
        ),
        ("x",),
    )
    unit |= dict.fromkeys(("ExecPaths", "NoExecPaths", "RestrictNamespaces", "SystemCallFilter", "Environment"), ("x",))
    properties = {
        each.removeprefix("--property=").partition("=")[0]
        for each in check_start.sandboxed(unit, ["python"], 7)
        if "--prop" in each
    }
    kept = {"ExecPaths", "NoExecPaths", "RestrictNamespaces", "SystemCallFilter", "Environment"}
    assert properties == kept | {"RuntimeDirectoryPreserve"}


def test_a_path_is_told_of_once() -> None:
    told = [Finding("problem", "a.b", "nobody can't read this", file=Path("/k/a.pem")), Finding("note", "a.c", "n")]
    trials = [
        Finding("problem", "a.d", "can't read the key: Permission denied", file=Path("/k/a.pem")),
        Finding("problem", "a.e", "listen: unix:/x/y: /x: Permission denied"),
    ]
    assert check_start.with_trials(told, trials) == [trials[1], *told]


def test_check_tells_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policy.yaml").write_bytes((ROOT / "config" / "policy.yaml").read_bytes())
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        listen = f"inet:127.0.0.1:{other.getsockname()[1]}"
        (tmp_path / "dkimgate.yaml").write_text(
            f"listen: {listen}\ntrust: {{}}\nkeys: []\njournal: {{file: d.jsonl}}\n"
        )
        assert cli.main(["check", "--config", str(tmp_path / "dkimgate.yaml")]) == 2
    assert f"listen: {listen}: Address already in use" in capsys.readouterr().out


WORLDS = {
    "a user that is not there": ("user: nosuch", True),
    "a group that is not there": ("listen: unix:FOLDER/sock\nsocket_group: nosuch", True),
    "a group that no socket would get": ("socket_group: nosuch", False),
    "no folder for the journal": ("journal: {file: FOLDER/none/of/d.jsonl}", True),
    "a journal that is a folder": ("journal: {file: FOLDER}", True),
    "no folder for the socket": ("listen: unix:FOLDER/none/sock", True),
    "a policy that the user can't read": ("user: nobody\npolicy: closed.yaml", True),
    "a secret that the user can't read": ("user: nobody\nunalign: {domain: b.example, secret_file: srs.secret}", True),
    "a policy that is not there": ("policy: none.yaml", True),
    "nothing": ("", False),
    "a warning": ("socket_mode: '0666'", False),
}


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(("text", "stops"), WORLDS.values(), ids=WORLDS)
def test_what_keeps_the_daemon_from_starting_is_one_status(
    text: str, stops: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` exits 2 where `run` does, and nowhere else."""
    need_root("to change to another user")
    for each in (tmp_path, *tmp_path.parents):
        if each.is_relative_to("/tmp") and each != Path("/tmp"):
            each.chmod(0o755)
    policy = "version: 1\nrules: [{name: a, disposition: hold}]\n"
    (tmp_path / "policy.yaml").write_text(policy)
    (tmp_path / "closed.yaml").write_text(policy)
    (tmp_path / "closed.yaml").chmod(0o600)
    (tmp_path / "srs.secret").write_text("Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFi\n")
    (tmp_path / "srs.secret").chmod(0o600)
    said = text.replace("FOLDER", str(tmp_path))
    port = free_port()
    base = {
        "listen": f"inet:127.0.0.1:{port}",
        "journal": f"{{file: {tmp_path}/d.jsonl}}",
        "trust": "{}",
        "keys": "[]",
    }
    (tmp_path / "d.jsonl").touch()
    (tmp_path / "d.jsonl").chmod(0o666)
    lines = [f"{key}: {value}" for key, value in base.items() if not re.search(f"^{key}:", said, re.MULTILINE)]
    config = tmp_path / "dkimgate.yaml"
    config.write_text(
        "\n".join([*lines, "workers: 1", "verify: {when: never}", "departure: {addresses: []}", said]) + "\n"
    )
    checked = cli.main(["check", "--config", str(config)])
    assert (checked == 2) is stops, capsys.readouterr().out
    with subprocess.Popen(
        [sys.executable, "-m", "dkimgate", "run", "--config", str(config)], stderr=subprocess.PIPE
    ) as daemon:
        if not stops:
            assert eventually(lambda: listens(port), 30)
            daemon.terminate()
        status = daemon.wait(timeout=60)
        assert daemon.stderr is not None
        assert status == (2 if stops else 0), daemon.stderr.read().decode()
