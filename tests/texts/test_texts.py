"""The words that users read stand in two files, so that they can be reviewed: they are as the program says them, and none is
missing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.texts import write
from tests.texts.bad_files import Said

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\.[a-z0-9]+(-[a-z0-9]+)*")
MAKERS = {
    "Problem": 0,
    "BadValue": 0,
    "CommandError": 0,
    "StartError": 0,
    "Finding": 1,
    "add": 1,
    "problem": 1,
    "_problem": 0,
}
"""What makes a problem, and the argument that is its code."""

RETURNERS = ("srs.py", "wrong_values.py")
"""Modules with functions that return a pair of code and text."""


@pytest.fixture(scope="module")
def said() -> list[Said]:
    return write.said()


def test_the_words_of_errors_are_written_down(said: list[Said]) -> None:
    assert (write.HERE / "errors.txt").read_text() == write.errors(said), "stale: run `make texts`, and read the diff"


def test_the_help_is_written_down() -> None:
    assert (write.HERE / "help.txt").read_text() == write.helps(), "stale: run `make texts`, and read the diff"


def test_every_code_has_bad_input_that_gives_it(said: list[Said]) -> None:
    given = {problem.code for _, problem in said}
    made = {code: place for file in sorted(ROOT.glob("milter/**/*.py")) for code, place in _codes(file)}
    assert len(made) > 150
    assert not {code: place for code, place in made.items() if code not in given}, "add input to bad_files or bad_hosts"


def test_a_text_is_one_sentence_for_a_person(said: list[Said]) -> None:
    """Nothing of Python's shows through."""
    for shown, problem in said:
        assert CODE.fullmatch(problem.code), problem
        assert problem.text.strip() == problem.text and problem.text, (shown, problem)
        assert not re.search(r"None\b|<class|Traceback|PosixPath|\[Errno", problem.text), (shown, problem)


def _codes(file: Path) -> Iterator[tuple[str, str]]:
    """Each code that stands in a module: as an argument, or first in a pair that a function returns."""
    for node in ast.walk(ast.parse(file.read_text())):
        first: ast.expr | None = None
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            at = MAKERS.get(name)
            first = node.args[at] if at is not None and len(node.args) > at else None
        elif (
            file.name in RETURNERS
            and isinstance(node, ast.Return)
            and isinstance(node.value, ast.Tuple)
            and node.value.elts
        ):
            first = node.value.elts[0]
        for part in ast.walk(first) if first is not None else ():
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and CODE.fullmatch(part.value):
                yield part.value, f"{file.name}:{part.lineno}"
