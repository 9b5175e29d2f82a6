"""Mistakes in dkimgate.yaml: each is one line that says where, what was expected, and what to do."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from dkimgate import cli
from dkimgate.config import dkimgate_yaml, wrong_values, yaml_file
from dkimgate.policy.testing import cases
from tests.problems import refusals, told

NAME = "dkimgate.yaml"


def mistakes(text: str | bytes, folder: Path) -> list[str]:
    """What `load` says about a file that holds that: `line:column code`."""
    file = folder / NAME
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return told(refusals(dkimgate_yaml.load, file))


WRONG_VALUES = [
    ("workers: many", "1:1 value.workers"),
    ("workers: 0", "1:1 value.workers"),
    ("workers: true", "1:1 value.workers"),
    ("workers: '2'", "1:1 value.workers"),
    ("policy: 5", "1:1 value.file-path"),
    ("policy:", "1:1 value.file-path"),
    ("journal: {file: [a]}", "1:11 value.file-path"),
    ('journal: {file: "a\\0"}', "1:11 value.file-path"),
    ('policy: "\\ud800"', "1:1 value.file-path"),
    ("verify: {deadline: 99}", "1:10 yaml.number"),
    ("verify: {port: x}", "1:10 yaml.number"),
    ("verify: {port: 5.5}", "1:10 yaml.number"),
    ("signature: {expire_days: 0}", "1:13 yaml.number"),
    (
        "trust: {hosts: [5]}",
        "1:17 yaml.expected-text",
    ),
    (
        "user: no",
        "1:1 yaml.expected-text",
    ),
    ("trust: {wide: maybe}", "1:9 yaml.expected-flag"),
    ("trust: {5: x}", "1:1 yaml.key-not-text"),
    ("trust: x", "1:1 yaml.expected-mapping"),
    ("keys: x", "1:1 yaml.expected-list"),
    ("journal: {on_failure: drop}", "1:11 yaml.unknown-word"),
    ("verify: {port: 70000}", "1:10 yaml.number"),
    (
        "listen: unix:dkimgate/milter.sock",
        "1:1 value.socket-path",
    ),
    (
        "listen: inet:8891@localhost",
        "1:1 value.socket",
    ),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    WRONG_VALUES,
)
def test_a_wrong_value(text: str, expected: str, tmp_path: Path) -> None:
    assert mistakes(text + "\n", tmp_path) == [expected]


NO_YAML: list[tuple[str | bytes, str, str]] = [
    (b"user: a\n# f\xfcr uns\n", "2:4", "yaml.not-utf-8"),
    ("user: a\nlisten: \0\n", "2", "yaml.character"),
    (
        "user: a\npolicy policy.yaml\ntrust: {}\n",
        "3:1",
        "yaml.syntax",
    ),
    ("policy:policy.yaml\ntrust: {}\n", "2:6", "yaml.syntax"),
    ("trust:\n  hosts: []\n   authserv_ids: []\n", "3:4", "yaml.syntax"),
    ("trust:\n  hosts: []\n authserv_ids: []\n", "3:2", "yaml.syntax"),
    ("trust:\n  hosts: [a.example\n  authserv_ids: []\n", "3:15", "yaml.syntax"),
    ('user: "a\npolicy: b\n', "3:1", "yaml.syntax"),
    ("trust: {networks: [::1/128]}\n", "1:20", "yaml.syntax"),
    (
        "trust: {}\nkeys: []\n  - {domain: a.example}\n",
        "3:3",
        "yaml.syntax",
    ),
    (
        "trust: {}\nkeys: []   # none\n\n# a key:\n- {domain: a.example}\n",
        "5:1",
        "yaml.syntax",
    ),
    (
        "trust: {}\n  hosts: [a.example]\n",
        "2:3",
        "yaml.syntax",
    ),
    (
        "trust: {}\n  hosts:\n  - a\n",
        "2:3",
        "yaml.syntax",
    ),
    ("trust:\n  hosts: []\n  - a.example\n", "3:3", "yaml.syntax"),
    ("trust:\n  hosts: []\n    - a.example\n", "3:5", "yaml.syntax"),
    (
        "listen: [unix:/a]\n  - unix:/b\n",
        "2:3",
        "yaml.syntax",
    ),
    ("trust:\n  hosts: []\n authserv_ids: []\n", "3:2", "yaml.syntax"),
    ("user: a\n---\nuser: b\n", "2:1", "yaml.syntax"),
    ("trust:\n\thosts: []\n", "2:1", "yaml.syntax"),
]


@pytest.mark.parametrize(
    ("text", "place", "code"),
    NO_YAML,
)
def test_no_yaml(text: str | bytes, place: str, code: str, tmp_path: Path) -> None:
    assert mistakes(text, tmp_path) == [f"{place} {code}"]


def test_a_missing_file_says_how_to_name_another(tmp_path: Path) -> None:
    (problem,) = refusals(dkimgate_yaml.load, tmp_path / NAME)
    assert problem.code == "file.cant-read" and "--config FILE" in problem.text


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


_WRONG: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    10**30,
    1.5,
    math.nan,
    math.inf,
    "",
    "x",
    "1",
    "\ud800",
    [],
    [1],
    [None],
    {},
    {"a": 1},
    {1: 2},
    {None: 1},
)
_WRONG += (datetime.date(2026, 11, 21), b"x", {1, 2}, [[]], [{}])
_MODELS = (dkimgate_yaml.Config, cases._Top)


def _planted(schema: dict[str, Any], part: dict[str, Any], deeper: int = 4) -> Iterator[Any]:
    """Every wrong value in the place of every value of a model."""
    yield from _WRONG
    for each in yaml_file._options(part, schema) if deeper else ():
        for key, inner in each.get("properties", {}).items():
            yield from ({key: value} for value in _planted(schema, inner, deeper - 1))
        if "items" in each:
            yield from ([value] for value in _planted(schema, each["items"], deeper - 1))


@pytest.mark.parametrize("model", _MODELS)
def test_every_mistake_that_a_model_can_find_is_told_in_words_of_ours(model: type[BaseModel]) -> None:
    """Pydantic's are about Python: "Tuple should have at least 1 item after validation, not 0"."""
    schema = model.model_json_schema()
    kinds: set[str] = set()
    for data in _planted(schema, schema):
        try:
            model.model_validate(data, context={"folder": Path()})
        except ValidationError as error:
            found = error.errors()
        else:
            continue
        kinds |= {each["type"] for each in found}
        for each in found:
            said = yaml_file._explain(each, schema, yaml_file.Document(Path(NAME), data))
            assert each["msg"] not in said.text or each["type"] == "value_error", said
            assert not re.search(
                "Input should|after validation|valid (string|integer|tuple)|[Tt]uple|NoneType", said.text
            ), said
    assert kinds <= wrong_values.KNOWN and len(kinds) > 8


def test_a_kind_of_mistake_that_is_new_is_told_in_words_of_ours_too() -> None:
    error: Any = {"type": "brand_new", "input": [1], "loc": ("a",), "msg": "Tuple should", "ctx": {}}
    assert wrong_values.told(error, ()) == ("yaml.value", "expected another value, found a list")


OTHER_KINDS = [
    ("rules: []\n", ["policy", "test"]),
    ("listen: unix:/x\n", ["policy", "test"]),
    ("cases: []\n", ["check", "--config"]),
    ("version: 1\nrules: []\n", ["check", "--config"]),
    ("keys: []\n", ["policy", "show", "--policy"]),
    ("cases: []\n", ["policy", "show", "--policy"]),
]


@pytest.mark.parametrize(
    ("text", "command"),
    OTHER_KINDS,
)
def test_a_file_of_another_kind_is_called_by_its_name(
    text: str, command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(text)
    assert cli.main([*command, str(file)]) == 2
    assert capsys.readouterr().err.startswith(f"dkimgate: {file}: ")


def test_cases_without_a_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_text("cases: []\n")
    assert cli.main(["policy", "test", str(tmp_path / "c.yaml")]) == 2
    assert "c.yaml:1:1: cases: " in capsys.readouterr().err
