"""Mistakes in dkimgate.yaml: each is one line that says where, what was expected, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkimgate.config import dkimgate_yaml, yaml_file

NAME = "dkimgate.yaml"


def mistakes(text: str | bytes, folder: Path) -> list[str]:
    """What `load` says about a file that holds that, without the folder."""
    file = folder / NAME
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(yaml_file.ConfigError) as refused:
        dkimgate_yaml.load(file)
    return [line.removeprefix(f"{folder}/") for line in str(refused.value).splitlines()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("workers: many", "1:1: workers: expected auto, or a whole number from 1 to 256"),
        ("workers: 0", "1:1: workers: expected auto, or a whole number from 1 to 256"),
        ("workers: true", "1:1: workers: expected auto, or a whole number from 1 to 256"),
        ("workers: '2'", "1:1: workers: expected auto, or a whole number from 1 to 256"),
        ("policy: 5", "1:1: policy: expected the path of a file (in quotes if it is a number)"),
        ("policy:", "1:1: policy: expected the path of a file (in quotes if it is a number)"),
        ("journal: {file: [a]}", "1:11: journal.file: expected the path of a file (in quotes if it is a number)"),
        ('journal: {file: "a\\0"}', "1:11: journal.file: expected the path of a file (in quotes if it is a number)"),
        ('policy: "\\ud800"', "1:1: policy: expected the path of a file (in quotes if it is a number)"),
        ("journal: {on_failure: drop}", "1:11: journal.on_failure: must be 'defer' or 'continue', found 'drop'"),
        ("verify: {port: 70000}", "1:10: verify.port: must be less than or equal to 65535, found '70000'"),
        (
            "listen: unix:dkimgate/milter.sock",
            "1:1: listen.0: 'unix:dkimgate/milter.sock': expected the whole path, from / on; "
            "only in main.cf it starts at Postfix's queue directory",
        ),
        (
            "listen: inet:8891@localhost",
            "1:1: listen.0: 'inet:8891@localhost' is no listener: expected unix:PATH or inet:HOST:PORT (IPv6 in brackets: inet:[::1]:8891)",
        ),
    ],
)
def test_a_wrong_value(text: str, expected: str, tmp_path: Path) -> None:
    assert mistakes(text + "\n", tmp_path) == [f"{NAME}:{expected}"]


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        (b"user: a\n# f\xfcr uns\n", "2:4", "save the file as UTF-8"),
        ("user: a\nlisten: \0\n", "2", "the character 0x0000 may not stand here"),
        ("user: a\npolicy policy.yaml\ntrust: {}\n", "3:1", "begins on line 2); expected `key: value`, with a space behind the colon"),
        ("policy:policy.yaml\ntrust: {}\n", "2:6", "behind the colon stands a space"),
        ("trust:\n  hosts: []\n   authserv_ids: []\n", "3:4", "keys that belong together begin in the same column"),
        ("trust:\n  hosts: []\n authserv_ids: []\n", "3:2", "keys that belong together begin in the same column"),
        ("trust:\n  hosts: [a.example\n  authserv_ids: []\n", "3:15", "is a bracket opened and not closed?"),
        ('user: "a\npolicy: b\n', "3:1", "begins on line 1); is a quotation mark opened and not closed?"),
        ("trust: {networks: [::1/128]}\n", "1:20", 'text that begins with a colon must stand in quotes: "::1/128"'),
        ("user: a\n---\nuser: b\n", "2:1", "a file holds one document: take out the line `---`"),
        ("trust:\n\thosts: []\n", "2:1", "indent with spaces, not with tabs"),
    ],
)
def test_no_yaml(text: str | bytes, place: str, hint: str, tmp_path: Path) -> None:
    (said,) = mistakes(text, tmp_path)
    assert said.startswith(f"{NAME}:{place}: not ") and said.endswith(hint)


def test_a_missing_file_says_how_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(yaml_file.ConfigError, match="No such file or directory: name the configuration with --config FILE"):
        dkimgate_yaml.load(tmp_path / NAME)


@pytest.mark.parametrize("workers", ["auto", "1", "256"])
def test_workers(workers: str, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(f"workers: {workers}\n")
    assert str(dkimgate_yaml.load(tmp_path / NAME).workers) == workers


def test_the_socket_of_the_example_is_the_one_that_deployment_tells_postfix(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    (listener,) = dkimgate_yaml.load(root / "config" / "dkimgate.yaml").listen
    in_main_cf = listener.socket.replace("/var/spool/postfix/", "")
    for page in ("README.md", "systemd/README.md"):
        assert f"non_smtpd_milters = {in_main_cf}" in (root / page).read_text()
    folder = listener.socket.removeprefix("unix:").rpartition("/")[0]
    assert f"d {folder} 2750 dkimgate postfix" in (root / "systemd" / "dkimgate.tmpfiles").read_text()
