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
        ("verify: {deadline: 99}", "1:10: verify.deadline: expected a number above 0, up to 60, found 99"),
        ("verify: {port: x}", "1:10: verify.port: expected a whole number from 1 to 65535, found 'x'"),
        ("verify: {port: 5.5}", "1:10: verify.port: expected a whole number from 1 to 65535, found 5.5"),
        ("signature: {expire_days: 0}", "1:13: signature.expire_days: expected a whole number from 1 to 3650, found 0"),
        (
            "trust: {hosts: [5]}",
            "1:17: trust.hosts.0: expected text, found 5 (YAML reads this as a number: put text in quotes)",
        ),
        (
            "user: no",
            "1:1: user: expected text, found false (YAML reads yes, no, on and off as true and false: put words in "
            "quotes)",
        ),
        ("trust: {wide: maybe}", "1:9: trust.wide: expected true or false, found 'maybe'"),
        ("trust: {5: x}", "1:1: trust.5: the key 5 is no text: put it in quotes"),
        ("trust: x", "1:1: trust: expected a mapping: `key: value` lines"),
        ("keys: x", "1:1: keys: expected a list: [a, b], or a line `- a` for each"),
        ("journal: {on_failure: drop}", "1:11: journal.on_failure: must be 'defer' or 'continue', found 'drop'"),
        ("verify: {port: 70000}", "1:10: verify.port: expected a whole number from 1 to 65535, found 70000"),
        (
            "listen: unix:dkimgate/milter.sock",
            "1:1: listen.0: 'unix:dkimgate/milter.sock': expected the whole path, from / on; "
            "only in main.cf it starts at Postfix's queue directory",
        ),
        (
            "listen: inet:8891@localhost",
            "1:1: listen.0: 'inet:8891@localhost' is no listener: expected unix:PATH or inet:HOST:PORT (IPv6 in "
            "brackets: inet:[::1]:8891)",
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
        (
            "user: a\npolicy policy.yaml\ntrust: {}\n",
            "3:1",
            "begins on line 2); expected `key: value`, with a space behind the colon",
        ),
        ("policy:policy.yaml\ntrust: {}\n", "2:6", "behind the colon stands a space"),
        ("trust:\n  hosts: []\n   authserv_ids: []\n", "3:4", "keys that belong together begin in the same column"),
        ("trust:\n  hosts: []\n authserv_ids: []\n", "3:2", "keys that belong together begin in the same column"),
        ("trust:\n  hosts: [a.example\n  authserv_ids: []\n", "3:15", "is a bracket opened and not closed?"),
        ('user: "a\npolicy: b\n', "3:1", "begins on line 1); is a quotation mark opened and not closed?"),
        ("trust: {networks: [::1/128]}\n", "1:20", 'text that begins with a colon must stand in quotes: "::1/128"'),
        (
            "trust: {}\nkeys: []\n  - {domain: a.example}\n",
            "3:3",
            "`keys: []` is already a whole list: delete the `[]`",
        ),
        (
            "trust: {}\nkeys: []   # none\n\n# a key:\n- {domain: a.example}\n",
            "5:1",
            "`keys: []` is already a whole list: delete the `[]`",
        ),
        (
            "trust: {}\n  hosts: [a.example]\n",
            "2:3",
            "`trust: {}` is already a whole mapping: delete the `{}`, or begin in its column",
        ),
        (
            "trust: {}\n  hosts:\n  - a\n",
            "2:3",
            "`trust: {}` is already a whole mapping: delete the `{}`, or begin in its column",
        ),
        ("trust:\n  hosts: []\n  - a.example\n", "3:3", "`hosts: []` is already a whole list: delete the `[]`"),
        ("trust:\n  hosts: []\n    - a.example\n", "3:5", "`hosts: []` is already a whole list: delete the `[]`"),
        (
            "listen: [unix:/a]\n  - unix:/b\n",
            "2:3",
            "is already a whole list: write all of it between the brackets, or all of it below",
        ),
        ("trust:\n  hosts: []\n authserv_ids: []\n", "3:2", "keys that belong together begin in the same column"),
        ("user: a\n---\nuser: b\n", "2:1", "a file holds one document: take out the line `---`"),
        ("trust:\n\thosts: []\n", "2:1", "indent with spaces, not with tabs"),
    ],
)
def test_no_yaml(text: str | bytes, place: str, hint: str, tmp_path: Path) -> None:
    (said,) = mistakes(text, tmp_path)
    assert said.startswith(f"{NAME}:{place}: not ") and said.endswith(hint)


def test_a_missing_file_says_how_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(
        yaml_file.ConfigError, match="No such file or directory: name the configuration with --config FILE"
    ):
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
    assert wrong_values.told(error, ())[1] == "expected another value, found a list"


@pytest.mark.parametrize(
    ("text", "command", "expected"),
    [
        ("rules: []\n", ["policy", "test"], "this looks like a policy, and not like a file of test cases"),
        ("listen: unix:/x\n", ["policy", "test"], "this looks like a configuration, and not like a file of test cases"),
        ("cases: []\n", ["check", "--config"], "this looks like a file of test cases, and not like a configuration"),
        ("version: 1\nrules: []\n", ["check", "--config"], "this looks like a policy, and not like a configuration"),
        ("keys: []\n", ["policy", "show", "--policy"], "this looks like a configuration, and not like a policy"),
        ("cases: []\n", ["policy", "show", "--policy"], "this looks like a file of test cases, and not like a policy"),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_name(
    text: str, command: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(text)
    assert cli.main([*command, str(file)]) == 2
    assert capsys.readouterr().err == f"dkimgate: {file}: {expected}\n"


def test_cases_without_a_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_text("cases: []\n")
    assert cli.main(["policy", "test", str(tmp_path / "c.yaml")]) == 2
    assert capsys.readouterr().err.endswith("c.yaml:1:1: cases: expected at least one, found none\n")
