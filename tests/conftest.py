"""For all tests: a slow machine is no counter-example, a change is judged by its own faults, and it matters neither who starts them nor
which Postfix and which routes the machine has.

Properties draw the same examples each time, but where `DKIMGATE_SEED` is `fresh`, as in `make laws`. They draw a quarter of them where
`DKIMGATE_DRAWN` is `some`, as in `make check`.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import gc
import math
import os
import pwd
import signal
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

from dkimgate.config import dkimgate_yaml, secret_file, yaml_file
from dkimgate.config.problem import ConfigError
from dkimgate.policy.language import loader
from dkimgate.policy.proof import subsumption
from dkimgate.postfix import this_host

settings.register_profile(
    "dkimgate", deadline=None, derandomize=os.environ.get("DKIMGATE_SEED") != "fresh", database=None
)
settings.load_profile("dkimgate")

# Whether the rules of a policy can be reached depends on nothing but the policy, and takes 50 ms; the tests load the shipped one hundreds of times
setattr(loader, "unreachable", functools.cache(subsumption.unreachable))  # noqa: B010 - mypy refuses to assign to a function

# PyYAML is slow, and the tests read the same policies and settings hundreds of times under other names. What has a fault is read each time.
_parse = yaml_file.parse


@functools.lru_cache(maxsize=500)
def _parsed(text: str) -> yaml_file.Document:
    return _parse(text, Path())


def _parsed_once(text: str, file: Path) -> yaml_file.Document:
    try:
        known = _parsed(text)
    except ConfigError:
        return _parse(text, file)
    return dataclasses.replace(known, file=file, data=copy.deepcopy(known.data), places=dict(known.places))


setattr(yaml_file, "parse", _parsed_once)  # noqa: B010

# nohup(1), some CI and a shell's `&` start us with signals ignored, and programs inherit that: what a test interrupts would then go on
# for ever. A handler is not inherited (execve(2)): programs begin with the default.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)  # whoever said nohup means that the tests outlive the terminal


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A quarter of the examples of each property, if it is said so."""
    if os.environ.get("DKIMGATE_DRAWN") != "some":
        return
    for test in {item.obj for item in items if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj)}:
        whole = test._hypothesis_internal_use_settings
        test._hypothesis_internal_use_settings = settings(whole, max_examples=math.ceil(whole.max_examples / 4))


def pytest_collection_finish() -> None:
    """The garbage collector need not look at ten thousand tests again and again."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def host_without_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is loaded in this process finds no Postfix here, no route, and no dkimgate that is installed. Daemons that a test starts say under
    `departure:` what they need."""
    monkeypatch.setattr(this_host, "this_host", this_host.System)
    monkeypatch.setattr(dkimgate_yaml, "DEFAULT_FILE", Path("/nonexistent/dkimgate.yaml"))
    entry_of = pwd.getpwnam

    def getpwnam(name: str) -> pwd.struct_passwd:
        if name == secret_file.ACCOUNT:
            raise KeyError(name)
        return entry_of(name)

    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
