"""The signing keys of a configuration. There may be 100,000 of them: a key file is read when one of its keys is first
used, or when somebody wants to know whether all are good."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from dkimgate.config import dkimgate_yaml
from dkimgate.config.problem import ConfigError, Problem
from dkimgate.dkim.keys import PrivateKey, SigningKey
from dkimgate.gate.key_files import load_key, open_folder, weaknesses

_Mark = tuple[int, ...] | None
_AT_ONCE = 50
"""Entries that `examine` looks at."""


class _File:
    """A key file: its mark when it was named, which tells whether it has changed since, and what was read."""

    __slots__ = ("mark", "parsed", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mark = _mark(path)
        self.parsed: dict[Path, PrivateKey] = {}


class _Entry:
    """A key of the configuration, and what came of it: nothing before it is read, then a key or problems."""

    __slots__ = ("broken", "file", "is_read", "key", "named", "warnings")

    def __init__(self, named: dkimgate_yaml.Key, file: _File) -> None:
        self.named = named
        self.file = file
        self.is_read = False
        self.key: SigningKey | None = None
        self.broken: tuple[Problem, ...] = ()
        self.warnings: tuple[Problem, ...] = ()


class KeyRing:
    """The keys, by domain. Messages may ask in many threads at once.

    `before`: the ring that was in use until now. What has not changed since is taken over as it is, read or not; other
    keys are read at once, so that a reload tells which of them are broken. Raises ConfigError where two entries
    contradict each other.
    """

    def __init__(self, named: Iterable[dkimgate_yaml.Key] = (), before: KeyRing | None = None) -> None:
        self._lock = threading.Lock()
        self._order: list[_Entry] = []
        self._entries: dict[str, list[_Entry]] = {}
        self._given: list[SigningKey] = []
        self._folders: dict[Path, Path | None] = {}
        self._broken: list[Problem] = []
        self._warnings: list[Problem] = []
        self._usable: dict[str, tuple[SigningKey, ...]] = {}
        self.replaced: dict[str, tuple[str, str]] = {}
        files: dict[Path, _File] = {}
        fresh = [
            entry for each in named if (entry := self._take(each, files, before)) is not None and before is not None
        ]
        self._unread = iter([entry for entry in self._order if not entry.is_read])
        self.names = frozenset(self._entries)
        self.domains: Collection[str] = _Domains(self)
        self.by_name: Mapping[str, Mapping[str, SigningKey]] = _ByName(self)
        self._refuse_twins()
        for entry in fresh:
            self._read(entry)
            self._note_replaced(entry, before)

    @classmethod
    def of_keys(cls, keys: Iterable[SigningKey]) -> KeyRing:
        """A ring of keys at hand."""
        ring = cls()
        for key in keys:
            ring._given.append(key)
            ring._usable[key.domain] = (*ring._usable.get(key.domain, ()), key)
        ring.names = frozenset(ring._usable)
        return ring

    def _take(self, named: dkimgate_yaml.Key, files: dict[Path, _File], before: KeyRing | None) -> _Entry | None:
        """Take an entry into the ring. Returns it where it is not one of the ring before."""
        file = files.get(named.file)
        if file is None:
            file = files[named.file] = _File(named.file)
        old = before.find(named) if before is not None else None
        same = old is not None and old.file.mark is not None and old.file.mark == file.mark
        entry = old if old is not None and same else _Entry(named, file)
        self._order.append(entry)
        if entry.is_read:
            self._note(entry)
        self._entries.setdefault(named.domain, []).append(entry)
        return None if same else entry

    def find(self, named: dkimgate_yaml.Key) -> _Entry | None:
        """The entry of the same domain, selector and file."""
        wanted = (named.selector, named.file)
        entries = self._entries.get(named.domain, ())
        return next((each for each in entries if (each.named.selector, each.named.file) == wanted), None)

    def of(self, domain: str | None) -> tuple[SigningKey, ...]:
        """The keys that sign for a domain, in the order of the configuration, without those that can't be used."""
        known = self._usable.get(domain or "")
        if known is None:
            entries = self._entries.get(domain or "", ())
            for entry in entries:
                self._read(entry)
            known = tuple(entry.key for entry in entries if entry.key is not None)
            if entries:
                self._usable[domain or ""] = known
        return known

    def all(self) -> list[SigningKey]:
        """Every key that can be used, in the order of the configuration. This reads all files."""
        for entry in self._order:
            self._read(entry)
        return [*self._given, *(entry.key for entry in self._order if entry.key is not None)]

    def examine(self) -> bool:
        """Read some of the files that nobody has read yet. False where none is left."""
        for count, entry in enumerate(self._unread, 1):
            self._read(entry)
            if count == _AT_ONCE:
                return True
        return False

    def signs(self) -> bool:
        """Is there a key that can be used?"""
        return bool(self._given) or any(self.of(entry.named.domain) for entry in self._order)

    @property
    def broken(self) -> tuple[Problem, ...]:
        """Why keys can't be used, as far as they were read."""
        return tuple(self._broken)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is to be said of keys that can be used, as far as they were read."""
        return tuple(self._warnings)

    def _read(self, entry: _Entry) -> None:
        with self._lock:
            if entry.is_read:
                return
            named = entry.named
            try:
                entry.key = load_key(named, entry.file.parsed)
                entry.warnings = (*weaknesses(entry.key, named.file), *open_folder(named.file, self._folders))
            except ConfigError as error:
                entry.broken = tuple(error.problems)
            entry.is_read = True
            self._note(entry)

    def _note(self, entry: _Entry) -> None:
        self._broken += entry.broken
        self._warnings += entry.warnings

    def _note_replaced(self, entry: _Entry, before: KeyRing | None) -> None:
        old = before.find(entry.named) if before is not None else None
        if old is None or entry.key is None:
            return
        was, now = old.key.fingerprint if old.key is not None else "not read", entry.key.fingerprint
        if was != now:
            self.replaced[f"the key {entry.key.name}"] = (was, now)

    def _refuse_twins(self) -> None:
        problems = []
        for entries in self._entries.values():
            selectors: set[str] = set()
            for entry in entries:
                named = entry.named
                if named.selector in selectors:
                    text = (
                        f"`keys` has the selector {named.selector} of {named.domain} twice: give each key its own "
                        "selector"
                    )
                    problems.append(Problem("key.selector-twice", text, named.file))
                selectors.add(named.selector)
        if problems:
            self.all()
            raise ConfigError(*self.broken, *problems)


class _Domains(Collection[str]):
    """The domains of the keys. One is among them if a key of it can be used; to go through them reads no file."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def __contains__(self, domain: object) -> bool:
        return domain in self._ring.names and bool(self._ring.of(str(domain)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._ring.names)

    def __len__(self) -> int:
        return len(self._ring.names)


class _ByName(Mapping[str, Mapping[str, SigningKey]]):
    """The keys by the names that signatures give them: domain, then selector in lower case."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def __getitem__(self, domain: str) -> Mapping[str, SigningKey]:
        if domain not in self._ring.names:
            raise KeyError(domain)
        return {key.selector.lower(): key for key in self._ring.of(domain)}

    def __iter__(self) -> Iterator[str]:
        return iter(self._ring.names)

    def __len__(self) -> int:
        return len(self._ring.names)


def _mark(file: Path) -> _Mark:
    """What tells one content of a file from another; None where it is not there."""
    try:
        state = os.stat(file)  # noqa: PTH116  Path.stat takes twice the time
    except OSError:
        return None
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def load_keys(keys: Iterable[dkimgate_yaml.Key]) -> tuple[list[SigningKey], list[Problem]]:
    """Read all key files; the second list is warnings, ready to print. Raises one ConfigError that holds every
    mistake."""
    ring = KeyRing(keys)
    loaded = ring.all()
    if ring.broken:
        raise ConfigError(*ring.broken)
    return loaded, list(ring.warnings)
