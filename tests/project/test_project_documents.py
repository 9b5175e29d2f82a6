"""The documents can be followed: links lead somewhere, examples load, commands exist."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.config import dkimgate_yaml
from tests.documents import DOCUMENTS, EXAMPLES, ROOT, Example, links_of, target_of

COMMAND = re.compile(r"(?m)(?:^ {4,}(?:sudo )?|`(?:sudo )?)(dkimgate [a-z][^`#\n]*)")
OF_THE_SHELL = re.compile(r"\s(?:[|<]|>>?)\s.*|\$\(.*")


def anchors(file: Path) -> set[str]:
    """The names that headings get, as a web page of a repository makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", file.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links() -> Iterator[tuple[Path, str]]:
    for file in DOCUMENTS:
        for link in links_of(file):
            yield file, link


def test_every_link_leads_somewhere(subtests: pytest.Subtests) -> None:
    for file, link in links():
        with subtests.test(f"{file.relative_to(ROOT)}: {link}"):
            target, anchor = target_of(file, link), link.partition("#")[2]
            assert target.exists()
            assert not anchor or anchor in anchors(target)


def test_a_link_into_the_void_would_be_seen() -> None:
    assert len(list(links())) > 20
    assert "no-such-heading" not in anchors(ROOT / "README.md")


@pytest.mark.parametrize("example", [each for each in EXAMPLES if not each.is_cases and not each.is_policy], ids=str)
def test_every_example_of_the_configuration_loads(example: Example, tmp_path: Path) -> None:
    (tmp_path / "dkimgate.yaml").write_text(example.text)
    dkimgate_yaml.load(tmp_path / "dkimgate.yaml")


def commands() -> Iterator[tuple[str, str]]:
    for file in DOCUMENTS:
        for command in COMMAND.findall(file.read_text("utf-8")):
            yield str(file.relative_to(ROOT)), OF_THE_SHELL.sub("", command).strip()


def parses(command: str) -> bool:
    """Would the command line take it? What is only named (`dkimgate keys`) is a command if its help says so."""
    words = shlex.split(command)[1:]
    said = io.StringIO()
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(said):
        try:
            cli.parser().parse_args(words)
        except SystemExit:
            with contextlib.suppress(SystemExit):
                cli.parser().parse_args([*words, "--help"])
            return said.getvalue().startswith(f"usage: {command} ")
    return True


def test_every_command_exists() -> None:
    assert [(file, command) for file, command in sorted(set(commands())) if not parses(command)] == []


@pytest.mark.parametrize(
    "command", ["dkimgate sing x", "dkimgate check --colour", "dkimgate log list", "dkimgate keys new --size 3 a b"]
)
def test_a_command_that_does_not_exist_would_be_seen(command: str) -> None:
    assert not parses(command)


def test_the_entry_page_names_every_document_beside_it() -> None:
    entry = (ROOT / "config" / "README.md").read_text("utf-8")
    beside = {file.name for file in (ROOT / "config").glob("*.md")} - {"README.md"}
    assert {name for name in beside if f"({name})" not in entry} == set()
    policies = {file.name for file in (ROOT / "config" / "policies").glob("*.yaml")}
    assert {name for name in policies if f"`{name}`" not in entry} == set()


def test_make_reference_writes_what_the_documents_hold(tmp_path: Path) -> None:
    """Its commands, as the Makefile has them, over copies."""
    made = subprocess.run(["make", "-n", "reference"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    calls = re.findall(r"(?m)^\S+/python -m (dkimgate\.\S+) (config/\S+\.md)$", made)
    assert {file for _, file in calls} == {"config/configuration.md", "config/policy.md"}
    for module, file in calls:
        copy = tmp_path / Path(file).name
        copy.write_text((ROOT / file).read_text("utf-8"), "utf-8")
        subprocess.run([sys.executable, "-m", module, str(copy)], check=True)
        assert copy.read_text("utf-8") == (ROOT / file).read_text("utf-8"), "run `make reference`"


def words_of(file: Path) -> list[str]:
    """The first column of its tables, where it is a plain word."""
    return [
        word for word in re.findall(r"(?m)^\| ([A-Za-z][A-Za-z -]*) \| ", file.read_text("utf-8")) if word != "word"
    ]


def test_the_glossary_has_every_word_of_the_design_once_and_in_order() -> None:
    glossary = words_of(ROOT / "config" / "glossary.md")
    design = (ROOT / "milter" / "README.md").read_text("utf-8").partition("## The words")[2].partition("\n## ")[0]
    words = re.findall(r"(?m)^\| ([a-z][a-z ]*) \| ", design)
    assert len(words) > 8
    assert set(words) - {"word"} <= set(glossary)
    assert glossary == sorted(set(glossary), key=str.lower)
