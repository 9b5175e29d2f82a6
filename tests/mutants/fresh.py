"""A pytest plugin: the module that a file names is loaded with a fault. For modules that are only used while others are loaded, as tables are."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

VARIABLE = "DKIMGATE_MUTANT"
"""Of the environment: the file, JSON with `name` and `path` of the module and its `source` with the fault."""


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._faulty = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._faulty, self.path, "exec")


class _Finder(MetaPathFinder):
    def __init__(self, name: str, path: str, source: str) -> None:
        self._name, self._path, self._source = name, path, source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        return spec_from_file_location(fullname, self._path, loader=_Loader(fullname, self._path, self._source))


if VARIABLE in os.environ:
    sys.meta_path.insert(0, _Finder(**json.loads(Path(os.environ[VARIABLE]).read_text("utf-8"))))
