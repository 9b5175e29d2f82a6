"""Plain YAML takes the quick way, and says the same on both ways."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.config import yaml_file, yaml_plain
from dkimgate.config.problem import ConfigError
from tests.bench.peers import Key, dkimgate

ROOT = Path(__file__).parents[2]
TEXTS = [file.read_text() for file in sorted((ROOT / "config").glob("*.yaml"))]
TEXTS += [text for file in sorted((ROOT / "tests").rglob("*.yaml")) if len(text := file.read_text()) < 6_000]
ODD = [*":-[]{},#'\"?!&*|>%@`~=\\é\n\t ", "\x85", "\ufeff", "---", "...", "<<: ", "0x1", "1_0", "2001-01-01", "null"]


def plain(text: str) -> tuple[object, object]:
    return yaml_plain.parse(text, yaml_file.DEEPEST, yaml_file.MOST_VALUES)


def whole(text: str) -> tuple[object, object] | str:
    try:
        return yaml_file._parse(text, Path("x.yaml"))
    except ConfigError as error:
        return str(error)


def shown(found: object) -> str:
    return repr(found)  # 1, 1.0 and True are equal


@pytest.mark.parametrize("text", [pytest.param(text, id=f"file {number}") for number, text in enumerate(TEXTS)])
def test_a_file_says_the_same_on_both_ways(text: str) -> None:
    try:
        found = plain(text)
    except yaml_plain.NotPlain:
        return
    slow = whole(text)
    assert isinstance(slow, tuple) and shown(found[0]) == shown(slow[0]) and found[1] == slow[1]


@given(st.data())
def test_a_file_with_mistakes_says_the_same_on_both_ways(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(TEXTS))
    start = data.draw(st.integers(0, len(text)))
    text = text[start : start + data.draw(st.integers(10, 200))]
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.sampled_from(ODD)) + text[at + data.draw(st.integers(0, 2)) :]
    try:
        found = plain(text)
    except yaml_plain.NotPlain:
        return
    slow = whole(text)
    assert isinstance(slow, tuple) and shown(found[0]) == shown(slow[0]) and found[1] == slow[1]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "- a\n",
            "a: &x 1\nb: *x\n",
            "a: !!str 1\n",
            "<<: {a: 1}\n",
            "a: 1\na: 2\n",
            "1: a\ntrue: b\n",
            "? [a]\n: b\n",
        ),
        *(
            "a: b?\n",
            "a: b\t\n",
            "a: \ufeffb\n",
            "a: |\n  b\n",
            "a: [\n",
            "--- {a: 1}\n--- {b: 1}\n",
            "a: 2001-99-01\n",
        ),
        *("a: " + "[" * 60 + "]" * 60 + "\n", "a: \ud800\n"),
    ],
)
def test_what_is_not_plain_is_left_to_the_other_way(text: str) -> None:
    with pytest.raises(yaml_plain.NotPlain):
        plain(text)


def test_more_values_than_are_allowed_are_left_to_the_other_way() -> None:
    with pytest.raises(yaml_plain.NotPlain):
        yaml_plain.parse("a: [1, 2, 3, [4, 5]]\n", 50, 4)


def test_values_in_quotes_are_texts() -> None:
    assert plain("a: '1'\nb: \"true\"\nc: 1\nd: true\ne:\nf: 1.5\ng: ''\n")[0] == {
        "a": "1",
        "b": "true",
        "c": 1,
        "d": True,
        "e": None,
        "f": 1.5,
        "g": "",
    }


def test_a_configuration_of_many_keys_is_read_by_libyaml_alone(tmp_path: Path) -> None:
    """PyYAML takes a second for each 5,000 keys."""
    file = dkimgate(tmp_path / "gate", [Key(tmp_path / "key.pem", f"d{n}.example") for n in range(200)], 53).folder
    with patch.object(yaml_file, "_parse", side_effect=AssertionError):
        document = yaml_file.read(file / "dkimgate.yaml")
        yaml_file.read(file / "policy.yaml")
    assert len(document.data["keys"]) == 200 and document.places["keys", 199, "domain"][0] > 200


def test_without_libyaml_pyyaml_reads_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert yaml.__with_libyaml__
    monkeypatch.setattr(yaml_plain, "_Parser", None)
    assert yaml_file.parse("a: 1\n", Path("x.yaml")).data == {"a": 1}
