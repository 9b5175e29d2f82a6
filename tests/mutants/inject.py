"""A mutant put into the module that is loaded, where everybody who has imported from it sees the change."""

from __future__ import annotations

import ast
import functools
import sys
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from tests.mutants.mutations import Mutant


def watch(path: Path) -> set[str]:
    """From now on the functions of a loaded module write their names into this set when they are called."""
    called: set[str] = set()
    module, tree = _loaded(path), ast.parse(path.read_text("utf-8"))
    functions = {
        f"{outer.name}.{node.name}" if outer is not None else node.name: node
        for outer in (None, *(each for each in tree.body if isinstance(each, ast.ClassDef)))
        for node in (tree if outer is None else outer).body
        if isinstance(node, ast.FunctionDef)
    }
    for name, node in functions.items():
        node.body[:0] = ast.parse(f"{_CALLED}.add({name!r})").body
    vars(module)[_CALLED] = called
    code = compile(ast.fix_missing_locations(tree), str(path), "exec")
    for name in functions:
        _function(module, name).__code__ = _code(code, name.split("."))
    return called


_CALLED = "_functions_called"


def _loaded(path: Path) -> ModuleType:
    return next(
        each
        for each in list(sys.modules.values())
        if getattr(each, "__file__", None) == str(path) and each.__name__.startswith("dkimgate")
    )


def inject(mutant: Mutant, path: Path) -> None:
    """Change the loaded module. Raises what its constants raise."""
    module = _loaded(path)
    if mutant.function is None:
        _assign_again(module, mutant)
    else:
        code = _code(compile(mutant.source, str(path), "exec"), mutant.function.split("."))
        _function(module, mutant.function).__code__ = code
    _forget()


def _code(code: CodeType, names: list[str]) -> CodeType:
    for name in names:
        code = [each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == name][-1]
    return code


def _function(module: ModuleType, name: str) -> FunctionType:
    of_class, _, own = name.rpartition(".")
    found = vars(vars(module)[of_class] if of_class else module)[own]
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, staticmethod | classmethod):
        found = found.__func__
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    assert isinstance(found, FunctionType), name
    return found


def _assign_again(module: ModuleType, mutant: Mutant) -> None:
    """Run the assignments of the module from the changed one on, and give their values to all who imported the old ones."""
    for node in ast.parse(mutant.source).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or (node.end_lineno or 0) < mutant.line:
            continue
        before = dict(vars(module))
        exec(compile(ast.Module([node], []), "mutant", "exec"), vars(module))
        for name, value in list(vars(module).items()):
            old = before.get(name)
            if old is not value and old is not None:
                _instead(old, value)


def _instead(old: object, new: object) -> None:
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is old:
                setattr(module, name, new)


def _forget() -> None:
    """Empty the caches of functions: what they hold was computed without the fault."""
    for module in list(sys.modules.values()):
        if not module.__name__.startswith("dkimgate"):
            continue
        for value in list(vars(module).values()):
            if isinstance(value, functools._lru_cache_wrapper):
                value.cache_clear()
