"""Every regular expression of the product, and the texts that each itself suggests as its worst."""

from __future__ import annotations

import ast
import functools
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import dkimgate
from dkimgate.message.late_pattern import LatePattern
from tests.laws.linear import Text

# --- every pattern ---------------------------------------------------------------------------------------------------------------

_METHODS = "match|fullmatch|search|sub|subn|findall|finditer|split"
_CALLS = {f"re.{method}" for method in (*_METHODS.split("|"), "compile")}


@dataclass(frozen=True, slots=True)
class Named:
    """A pattern, the name that it is known by, and how it is used."""

    name: str
    pattern: re.Pattern[Any]
    methods: tuple[str, ...]

    def run(self, method: str, text: str) -> None:
        """Use it as the package does."""
        subject: str | bytes = (
            text.encode("utf-8", "surrogateescape") if isinstance(self.pattern.pattern, bytes) else text
        )
        match method:
            case "sub" | "subn":
                getattr(self.pattern, method)(b"" if isinstance(subject, bytes) else "", subject)
            case "finditer":
                for _ in self.pattern.finditer(subject):
                    pass
            case _:
                getattr(self.pattern, method)(subject)


@functools.cache
def sources() -> dict[str, str]:
    """The source of every module of the package."""
    found = {}
    for module in pkgutil.walk_packages(dkimgate.__path__, "dkimgate."):
        if not module.name.endswith("__main__"):
            file = importlib.import_module(module.name).__file__
            assert file is not None
            found[module.name] = Path(file).read_text("utf-8")
    return found


@functools.cache
def _uses() -> dict[tuple[str, str], set[str]]:
    """How every name is used in calls like `name.match(`: by the module that calls, and by the module that the name is taken from."""
    uses: dict[tuple[str, str], set[str]] = {}
    for module, source in sources().items():
        for owner, attribute, method in re.findall(rf"(?:\b(\w+)\.)?\b(\w+)\.({_METHODS})\(", source):
            where = owner or module
            uses.setdefault((where, attribute), set()).add(method)
    return uses


@functools.cache
def patterns() -> tuple[Named, ...]:
    """Every compiled pattern that a module of the package holds, alone or inside of something, and every one that stands in a call."""
    seen: dict[int, Named] = {}
    for name in sources():
        for attribute, value in vars(importlib.import_module(name)).items():
            for inner, pattern in _held(value, 0):
                full = f"{name.removeprefix('dkimgate.')}.{attribute}{inner}"
                used = {
                    method
                    for where in (name, name.rpartition(".")[2])
                    for method in _uses().get((where, attribute), ())
                }
                seen.setdefault(id(pattern), Named(full, pattern, tuple(sorted(used)) or ("finditer",)))
    return (*seen.values(), *_in_calls())


def _held(value: object, depth: int) -> Iterator[tuple[str, re.Pattern[Any]]]:
    if isinstance(value, re.Pattern):
        yield "", value
    elif isinstance(value, LatePattern):
        yield "", value.compiled
    elif depth < 3 and isinstance(value, dict):
        for key, item in value.items():
            yield from ((f"[{key!r}]{inner}", found) for inner, found in _held(item, depth + 1))
    elif depth < 3 and isinstance(value, (list, tuple, set, frozenset)):
        for at, item in enumerate(value):
            yield from ((f"[{at}]{inner}", found) for inner, found in _held(item, depth + 1))
    elif depth < 3 and hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        for field in value.__dataclass_fields__:
            yield from ((f".{field}{inner}", found) for inner, found in _held(getattr(value, field), depth + 1))


def _in_calls() -> Iterator[Named]:
    for name, source in sources().items():
        for node in ast.walk(ast.parse(source)):
            if not (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
            ):
                continue
            if node.func.value.id == "re" and node.func.attr in _METHODS.split("|"):
                text = node.args[0]
                where = f"{name.removeprefix('dkimgate.')}:re.{node.func.attr}({ast.unparse(text)})"
                if isinstance(text, ast.Constant):
                    flags = sum(
                        getattr(re, flag).value
                        for flag in ("MULTILINE", "DOTALL", "IGNORECASE")
                        if f"re.{flag}" in ast.unparse(node)
                    )
                    yield Named(where, re.compile(text.value, flags), (node.func.attr,))


def made_while_running() -> list[str]:
    """Calls of `re` inside functions whose pattern is no constant: nobody can time it here, so each is told by name."""
    found = []
    for name, source in sources().items():
        for function in ast.walk(ast.parse(source)):
            if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            for node in ast.walk(function):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                    continue
                if ast.unparse(node.func) in _CALLS and not isinstance(node.args[0], ast.Constant):
                    found.append(f"{name.removeprefix('dkimgate.')}:{ast.unparse(node)}")
    return found


# --- what a pattern itself suggests ----------------------------------------------------------------------------------------------


def suggested(pattern: re.Pattern[Any]) -> Iterator[Text]:
    """Texts that come near to a match of this pattern again and again, and then fail."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    tree = _parser.parse(source, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags)
    examples = {_example(tree, choice) for choice in (0, 1, 2)} - {""}
    for example in sorted(examples):
        for cut in range(1, min(len(example), 40) + 1):
            yield Text("", example[:cut], "\0")
    for before, body in {*_repetitions(list(tree), "", 0), *_repetitions(list(tree), "", 1)}:
        if body:
            for suffix in ("\0", "", "\n!"):
                yield Text(before, body, suffix)
                yield Text(before, body + body[-1], suffix)
            yield Text("", before + body, "\0")


def _example(tree: Any, choice: int) -> str:
    return "".join(_node(op, value, choice) for op, value in tree)


def _node(op: Any, value: Any, choice: int) -> str:
    match op:
        case sre.LITERAL:
            return chr(value)
        case sre.NOT_LITERAL:
            return "a" if value != ord("a") else "b"
        case sre.ANY:
            return "x"
        case sre.IN:
            return _member(value, choice)
        case sre.BRANCH:
            return _example(value[1][choice % len(value[1])], choice)
        case sre.SUBPATTERN:
            return _example(value[3], choice)
        case sre.ATOMIC_GROUP:
            return _example(value, choice)
        case sre.MAX_REPEAT | sre.MIN_REPEAT | sre.POSSESSIVE_REPEAT:
            low, high, body = value
            return _example(body, choice) * int(min(max(low, 1), high))
    return ""


_CATEGORIES = {
    sre.CATEGORY_DIGIT: "1",
    sre.CATEGORY_SPACE: " ",
    sre.CATEGORY_WORD: "a",
    sre.CATEGORY_NOT_SPACE: "a",
    sre.CATEGORY_NOT_WORD: "-",
    sre.CATEGORY_NOT_DIGIT: "a",
}


def _member(parts: Any, choice: int) -> str:
    negated = parts[0][0] is sre.NEGATE
    listed = [*(_member_text(op, value) for op, value in parts[negated:])]
    if not negated:
        return listed[choice % len(listed)][:1]
    for char in "a1 ('\\.":
        single = re.compile("[^" + "".join(map(_range, parts[1:])) + "]")
        if single.fullmatch(char):
            return char
    return "\x01"


def _range(part: Any) -> str:
    op, value = part
    match op:
        case sre.LITERAL:
            return re.escape(chr(value))
        case sre.RANGE:
            return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    return {
        sre.CATEGORY_DIGIT: r"\d",
        sre.CATEGORY_SPACE: r"\s",
        sre.CATEGORY_WORD: r"\w",
        sre.CATEGORY_NOT_SPACE: r"\S",
        sre.CATEGORY_NOT_WORD: r"\W",
        sre.CATEGORY_NOT_DIGIT: r"\D",
    }[value]


def _member_text(op: Any, value: Any) -> str:
    match op:
        case sre.LITERAL:
            return chr(value)
        case sre.RANGE:
            return chr(value[0])
        case sre.CATEGORY:
            return _CATEGORIES[value]
    return "a"


def _repetitions(tree: Any, before: str, choice: int) -> Iterator[tuple[str, str]]:
    """Of each repetition, what stands ahead of it and what it repeats."""
    for op, value in tree:
        match op:
            case sre.MAX_REPEAT | sre.MIN_REPEAT | sre.POSSESSIVE_REPEAT:
                yield before, _example(value[2], choice)
                yield from _repetitions(list(value[2]), before, choice)
            case sre.SUBPATTERN:
                yield from _repetitions(list(value[3]), before, choice)
            case sre.ATOMIC_GROUP:
                yield from _repetitions(list(value), before, choice)
            case sre.BRANCH:
                for branch in value[1]:
                    yield from _repetitions(list(branch), before, choice)
        before += _node(op, value, choice)
