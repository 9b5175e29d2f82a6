"""The configuration reference tells the truth: every key, with a default and an example that load."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dkimgate.config import dkimgate_yaml, reference
from dkimgate.config.dkimgate_yaml import Config, Section

DOCUMENT = (Path(__file__).parents[2] / "config" / "configuration.md").read_text("utf-8")
PART = reference.PART
SECTIONS = {name: (prefix, part) for name, prefix, part in reference.sections()}
ROW = re.compile(r"^\| `([a-z_0-9.\[\]]+)` \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)
ROWS = {key: (meaning, default, example) for key, meaning, default, example in ROW.findall(reference.tables())}


def example_of(part: type[Section]) -> dict[str, Any]:
    """All examples of a part of the file, together."""
    return {name: yaml.safe_load(field.examples[0]) for name, field in part.model_fields.items() if field.examples}


def loaded(settings: dict[str, Any], folder: Path) -> Config:
    (folder / "dkimgate.yaml").write_text(yaml.safe_dump(settings))
    return dkimgate_yaml.load(folder / "dkimgate.yaml")


def test_it_is_of_today() -> None:
    assert PART.renewed(DOCUMENT) == DOCUMENT, "run `make reference`"


def test_a_stale_one_would_be_seen() -> None:
    stale = DOCUMENT.replace("| `journal.on_failure` |", "| `journal.on_error` |")
    assert stale != DOCUMENT
    assert PART.renewed(stale) == DOCUMENT


def test_a_document_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="must stand around it"):
        PART.renewed(DOCUMENT.replace(PART.end, ""))


def test_every_key_is_in_it() -> None:
    keys = set(Config.model_fields)
    for prefix, part in SECTIONS.values():
        keys |= {prefix + name for name in part.model_fields}
    assert set(ROWS) == keys
    assert set(Config.model_fields) - set(SECTIONS) == {key for key in ROWS if "." not in key} - set(SECTIONS)


@pytest.mark.parametrize("key", ROWS)
def test_every_key_has_a_meaning_and_an_example(key: str) -> None:
    meaning, default, example = ROWS[key]
    assert re.search(r"[a-z]{3}.*[.)]$", meaning) and default
    assert (
        example == "see there"
        if key in SECTIONS and key != "listen"
        else example.startswith(f"`{key.rpartition('.')[2]}: ")
    )


def test_the_examples_load_together(tmp_path: Path) -> None:
    settings: dict[str, Any] = example_of(Config)
    for name, (prefix, part) in SECTIONS.items():
        settings[name] = [example_of(part)] if prefix.endswith("[].") else example_of(part)
    dkimgate_yaml = loaded(settings, tmp_path)
    assert (
        dkimgate_yaml.roles == {"border"}
        and dkimgate_yaml.demands_passport is False
        and dkimgate_yaml.unalign is not None
    )


@pytest.mark.parametrize("key", [key for key, (_, default, _) in ROWS.items() if default.startswith("`")])
def test_the_default_in_it_is_the_default(key: str, tmp_path: Path) -> None:
    """Written into the file, it changes nothing."""
    value = yaml.safe_load(ROWS[key][1].strip("`"))
    section, _, name = key.rpartition(".")
    settings: dict[str, Any]
    without: dict[str, Any]
    if section.endswith("[]"):
        whole = {k: v for k, v in example_of(SECTIONS[section[:-2]][1]).items() if k != name}
        settings, without = {section[:-2]: [{**whole, name: value}]}, {section[:-2]: [whole]}
    elif section:
        needed = {
            k: v
            for k, v in example_of(SECTIONS[section][1]).items()
            if SECTIONS[section][1].model_fields[k].is_required()
        }
        settings, without = {section: {**needed, name: value}}, {section: needed}
    else:
        settings, without = {name: value}, {}
    assert loaded(settings, tmp_path) == loaded(without, tmp_path)


@pytest.mark.parametrize("key", ROWS)
def test_what_is_not_set_is_none_and_what_is_an_error_is_required(key: str) -> None:
    section, _, name = key.rpartition(".")
    part = SECTIONS[section.removesuffix("[]")][1] if section else Config
    field = part.model_fields[name]
    assert (ROWS[key][1] == "an error") == field.is_required()
    assert (ROWS[key][1] == "not set") == (field.default is None)
