"""`make mutants MODULE=policy/guard.py`: which faults in a module does no test see?

pytest collects the tests once. They run once as they are, to learn which test goes through which line, and how long it takes. Then each mutant of
the module gets a process of its own, forked from there: it changes the function or the constant in place, and runs the tests that go through the
changed line, the quickest first, up to the first that fails. A mutant that survives shows a test that is missing, or code that does nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

from tests.mutants import fresh, inject, plan
from tests.mutants.mutations import Mutant, mutants

LONGEST = 5.0
"""Seconds of tests for one mutant, as they take without a fault: the quickest that fit into it are run."""

SLACK = 10.0
"""A mutant whose tests take so many seconds more than they should, and three times as long, counts as seen: it hangs."""


class Runner:
    """The pytest plugin that runs mutants in the place of tests. `paths`: the file of each module."""

    def __init__(self, chosen: list[Mutant], paths: dict[str, Path], tests: list[str]) -> None:
        self.chosen, self.paths, self.tests = chosen, paths, tests
        self.survivors: list[Mutant] = []
        self.untested: list[Mutant] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Everything: the tests without a fault, then every mutant."""
        if session.testsfailed:
            raise pytest.UsageError("the tests can't be collected: run them first, with `make check`")
        began = time.monotonic()
        gc.freeze()  # so that the collector leaves the memory alone that the processes share
        learnt = self._learn(session)
        _say(f"{len(session.items)} tests in {time.monotonic() - began:.0f} s, {len(self.chosen)} mutants")
        for at, mutant in enumerate(self.chosen, 1):
            through = learnt.through(mutant)
            if not through and learnt.calls(mutant.module):
                self.untested.append(mutant)
            elif not through:
                if not _is_seen_anew(mutant, self.paths[mutant.module], self.tests):
                    self._survived(mutant)
            elif not _is_seen(session, mutant, self.paths[mutant.module], through, learnt):
                self._survived(mutant)
            if at % 100 == 0:
                _say(f"\n{at} of {len(self.chosen)} after {time.monotonic() - began:.0f} s")
        return True

    def _survived(self, mutant: Mutant) -> None:
        self.survivors.append(mutant)
        _say(f"\nsurvived, line {mutant.line}\n{mutant.text}")

    def _learn(self, session: pytest.Session) -> Learnt:
        """What the tests do without a fault."""

        def work(tell: Callable[[object], None]) -> None:
            called = {name: inject.watch(path) for name, path in self.paths.items()}
            for at, item in enumerate(session.items):
                for names in called.values():
                    names.clear()
                began = time.monotonic()
                passed = _passes(session, at)
                seconds = time.monotonic() - began
                tell(["" if passed else item.nodeid, {name: sorted(names) for name, names in called.items()}, seconds])

        told = [json.loads(line) for line in _in_child(work, None)[0].splitlines()]
        if len(told) != len(session.items):
            raise pytest.UsageError("the tests did not run to their end")
        failed = [nodeid for nodeid, _, _ in told if nodeid]
        if failed:
            raise pytest.UsageError(f"tests that fail without any fault: {', '.join(failed[:5])}")
        return Learnt([called for _, called, _ in told], [seconds for _, _, seconds in told])


class Learnt:
    """Which test calls which functions of which module, and how long it takes."""

    def __init__(self, called: list[dict[str, list[str]]], seconds: list[float]) -> None:
        self._called, self.seconds = called, seconds
        self._saw: Counter[int] = Counter()

    def through(self, mutant: Mutant) -> list[int]:
        """The tests that call the function of a mutant (any of its module, where it is a constant) and fit into LONGEST: the quickest
        first, and those that have seen others."""
        tests = [
            at
            for at, called in enumerate(self._called)
            if (mutant.function in called[mutant.module] if mutant.function else called[mutant.module])
        ]
        chosen: list[int] = []
        left = LONGEST
        for at in sorted(tests, key=lambda at: self.seconds[at] / (1 + self._saw[at])):
            left -= self.seconds[at]
            if left < 0 and chosen:
                break
            chosen.append(at)
        return chosen

    def calls(self, module: str) -> bool:
        """Some test calls a function of that module; of others all was done when they were loaded."""
        return any(called[module] for called in self._called)

    def has_seen(self, test: int) -> None:
        """Count a test that has seen a fault."""
        self._saw[test] += 1


def _is_seen(session: pytest.Session, mutant: Mutant, path: Path, tests: list[int], learnt: Learnt) -> bool:
    def work(tell: Callable[[object], None]) -> None:
        try:
            inject.inject(mutant, path)
        except Exception:  # noqa: BLE001 - whatever the module says to its fault, it says so at once
            tell("can't be loaded")
            return
        for at in tests:
            if not _passes(session, at):
                tell(at)
                return
        tell("survived")

    told, ended = _in_child(work, SLACK + 3 * sum(learnt.seconds[at] for at in tests))
    said = json.loads(told) if told else "died"
    if isinstance(said, int):
        learnt.has_seen(said)
    return not ended or said != "survived"


def _is_seen_anew(mutant: Mutant, path: Path, tests: list[str]) -> bool:
    """The same where the module matters only while others are loaded: the tests begin anew, in seconds."""
    name = "dkimgate." + mutant.module.removesuffix(".py").replace("/", ".")
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump({"name": name, "path": str(path), "source": mutant.source}, file)
        file.flush()
        command = [sys.executable, "-m", "pytest", "-x", "-p", "tests.mutants.fresh", *_OPTIONS, *tests]
        environment = os.environ | {fresh.VARIABLE: file.name}
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode != 0


_OPTIONS = ["-q", "-s", "-p", "no:cacheprovider", "--timeout=0", "-m", "not servers and not heavy"]


def _passes(session: pytest.Session, at: int) -> bool:
    return not any(report.failed for report in runtestprotocol(session.items[at], log=False, nextitem=None))


def _in_child(work: Callable[[Callable[[object], None]], None], limit: float | None) -> tuple[str, bool]:
    """What a forked process tells, a line of JSON each, and whether it came to its end in time."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.setpgid(0, 0)
        quiet = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(quiet, descriptor)
        try:
            work(lambda said: _write(writing, json.dumps(said) + "\n"))
        finally:
            os._exit(0)
    os.close(writing)
    until = None if limit is None else time.monotonic() + limit
    said, ended = b"", False
    while True:
        left = None if until is None else until - time.monotonic()
        if left is not None and left <= 0:
            break
        if not select.select([reading], [], [], left)[0]:
            break
        piece = os.read(reading, 65536)
        if not piece:
            ended = True
            break
        said += piece
    os.close(reading)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return said.decode(), ended


def _write(descriptor: int, text: str) -> None:
    data = text.encode()
    while data:
        data = data[os.write(descriptor, data) :]


def _say(text: str) -> None:
    print(text, file=sys.__stdout__, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description="Which faults in a module does no test see?")
    parser.add_argument(
        "modules", nargs="+", metavar="MODULE", help="its path below milter/dkimgate, such as policy/guard.py"
    )
    parser.add_argument("--tests", nargs="+", help="tests to run; without it those that plan.py names")
    parser.add_argument("--sample", type=int, help="so many mutants of each module, drawn at random")
    parser.add_argument("--seed", type=int, default=1, help="what they are drawn by")
    parser.add_argument("--function", help="only those in the functions of this name")
    asked = parser.parse_args()
    chosen: list[Mutant] = []
    paths: dict[str, Path] = {}
    for name in asked.modules:
        module = importlib.import_module("dkimgate." + name.removesuffix(".py").replace("/", "."))
        paths[name] = Path(str(module.__file__))
        of_module = [
            each for each in mutants(paths[name].read_text("utf-8"), name) if each.text not in plan.equivalent()
        ]
        if asked.function is not None:
            of_module = [each for each in of_module if each.function == asked.function]
        if asked.sample is not None and asked.sample < len(of_module):
            of_module = sorted(
                random.Random(asked.seed).sample(of_module, asked.sample), key=lambda mutant: mutant.line
            )
        chosen += of_module
    tests = asked.tests or sorted({test for name in asked.modules for test in plan.tests_for(name)})
    runner = Runner(chosen, paths, tests)
    status = pytest.main([*_OPTIONS, *tests], plugins=[runner])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return int(status)
    for mutant in runner.untested:
        _say(f"\nno test goes through it, line {mutant.line}\n{mutant.text}")
    for name in asked.modules:
        total, survived, untested = (
            sum(mutant.module == name for mutant in some) for some in (chosen, runner.survivors, runner.untested)
        )
        _say(
            f"{name}: {total} mutants, {total - survived - untested} seen, {survived} survived, {untested} that no test goes through"
        )
    return 1 if runner.survivors or runner.untested else 0


if __name__ == "__main__":
    sys.exit(main())
