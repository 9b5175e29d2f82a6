"""The supervisor: opens the sockets, gives up root, keeps the workers alive, reloads, stops. It never touches a
message."""

from __future__ import annotations

import math
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from dkimgate.config import dkimgate_yaml as configuration
from dkimgate.config.dkimgate_yaml import Config
from dkimgate.config.problem import ConfigError, Problem
from dkimgate.daemon import privileges, socketmap, sockets, worker
from dkimgate.daemon.changed import changes
from dkimgate.daemon.notify import notify, reloading, watchdog_interval
from dkimgate.daemon.privileges import StartError
from dkimgate.daemon.session import Judge
from dkimgate.daemon.sockets import Listening
from dkimgate.log import Level, describe, log, log_lines

Loader = Callable[[Path, Config | None, Judge | None], Judge]
"""Reads policy, keys and, where it was not read already, the configuration: `Gate.load`. The last argument is what
serves now: what has not changed need not be read again. Raises ConfigError. Starts no thread, because the process forks
after it."""

Work = Callable[[Judge, Listening, int, int | None], NoReturn]
"""The life of a worker: what it judges with, where it listens, its leash, and whom it tells that it serves."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
_LIVED_WELL = 1.0
"""Seconds. A worker that ends later is replaced at once: then one message may have ended it, and the others wait."""
_READY_SECONDS = 20.0
_LATE_SECONDS = 5.0
_LOOK_SECONDS = 5.0
"""How often to look whether mail is in trouble."""


@dataclass(slots=True)
class Slot:
    """A place for one worker. `due`: the time of the next start. `pause`: how long the next start waits after a worker
    ends (s)."""

    listening: Listening
    pid: int | None = None
    started: float = 0.0
    due: float = 0.0
    pause: float = _FIRST_PAUSE


@dataclass(slots=True)
class Generation:
    """The workers of one configuration. Each ends when it reads a byte from the leash, a pipe that only the supervisor
    can write to, or the pipe's end, because the supervisor is dead."""

    judge: Judge
    leash: tuple[int, int]
    slots: list[Slot] = field(default_factory=list)
    kill_at: float = math.inf

    def drain(self) -> None:
        """Let the sessions in flight end, and no new ones begin."""
        os.write(self.leash[1], b"." * len(self.slots))
        for end in self.leash:
            os.close(end)
        self.slots = [slot for slot in self.slots if slot.pid is not None]
        self.kill_at = time.monotonic() + self.judge.config.drain_seconds + _LATE_SECONDS

    def kill(self) -> None:
        """End what is left, at once."""
        for slot in self.slots:
            if slot.pid is not None:
                os.kill(slot.pid, signal.SIGKILL)


def serve(file: Path, load: Loader) -> int:
    """Run the daemon in the foreground until SIGTERM or SIGINT. Returns the exit code: 0, or 2 if it can't start."""
    # Signals are taken with sigtimedwait, one at a time: no handler ever interrupts anything here.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    opened: tuple[Listening, ...] = ()
    try:
        config = configuration.load_whole(file)
        owner = privileges.owner_of(config)
        opened = sockets.open_all(config, owner)
        _milter_work(config)  # imported while this is still root, who can read every file
        if owner is not None:
            privileges.prepare_folder(config.journal.file.parent, owner)
            privileges.become(owner)
        supervisor = Supervisor(file, load, config, opened)
        supervisor.start(load(file, config, None))
    except (ConfigError, StartError) as error:
        log_lines(f"{error}\ncan't start", Level.ERROR)
    except Exception as error:  # noqa: BLE001  an operator gets a line, not a traceback
        log(f"can't start: {describe(error)}", Level.ERROR)
    else:
        return supervisor.run()
    for listening in opened:
        listening.remove()
    return 2


class Supervisor:
    """Workers, by generation: the newest serves, older ones are ending."""

    def __init__(self, file: Path, load: Loader, started_with: Config, opened: tuple[Listening, ...]) -> None:
        self._file = file
        self._load = load
        self._started_with = started_with
        self._opened = opened
        self._current: Generation
        self._old: list[Generation] = []
        self._leashes: set[int] = set()
        self._watchdog = watchdog_interval()
        self._refused = ""
        self._told = ""
        self._unexamined = False

    def start(self, judge: Judge) -> None:
        """Bring up the first workers. Raises StartError."""
        self._current = self._begin(judge)
        self._unexamined = judge.examine()  # of most hosts these are all keys
        self._report("started")
        self._tell_status("READY=1")

    def run(self) -> int:
        """Supervise until told to stop."""
        while True:
            match self._wait():
                case signal.SIGHUP:
                    self._reload()
                case signal.SIGTERM | signal.SIGINT:
                    return self._stop()
            self._reap()
            self._revive()
            self._kill_late()
            self._examine()
            self._tell_status()
            if self._watchdog is not None:
                notify("WATCHDOG=1")

    def _wait(self) -> int | None:
        """The next signal, or None when something is due."""
        now = time.monotonic()
        due = [slot.due for slot in self._current.slots if slot.pid is None]
        due += [old.kill_at for old in self._old]
        pause = min((max(when - now, 0.01) for when in due), default=_LOOK_SECONDS)
        if self._unexamined:
            pause = 0.01
        information = signal.sigtimedwait(_SIGNALS, min(pause, _LOOK_SECONDS, self._watchdog or _LOOK_SECONDS))
        return information.si_signo if information is not None else None

    def _begin(self, judge: Judge) -> Generation:
        """Start the workers of a configuration and wait until all serve. Raises StartError, with none left running."""
        _milter_work(judge.config)  # an import that fails refuses the reload, and is tried once
        generation = Generation(judge, os.pipe())
        self._leashes.add(generation.leash[1])
        ready_read, ready_write = os.pipe()
        for listening in self._opened:
            for _ in range(1 if listening.role == "srs" else judge.config.worker_count):
                slot = Slot(listening)
                generation.slots.append(slot)
                self._fork(generation, slot, ready_write)
        os.close(ready_write)
        serving = _count_ready(ready_read, len(generation.slots))
        os.close(ready_read)
        if serving < len(generation.slots):
            self._retire(generation)
            generation.kill()
            raise StartError("start.no-workers", f"only {serving} of {len(generation.slots)} workers started")
        return generation

    def _fork(self, generation: Generation, slot: Slot, ready: int | None = None) -> None:
        slot.started = time.monotonic()
        try:
            slot.pid = os.fork()
        except OSError as error:
            log(f"can't start a worker: {error.strerror}; trying again in {slot.pause:g} s", Level.ERROR)
            self._schedule(slot)
            return
        if slot.pid != 0:
            return
        try:
            # A leash kept open here would keep the workers of its generation from ending.
            for leash in self._leashes:
                os.close(leash)
            for listening in self._opened:
                if listening is not slot.listening:
                    listening.socket.close()
            work = socketmap.work if slot.listening.role == "srs" else _milter_work(generation.judge.config)
            work(generation.judge, slot.listening, generation.leash[0], ready)
        except BaseException as error:  # noqa: BLE001  a forked child must not return into the supervisor's code
            log(f"a worker can't start: {describe(error)}", Level.ERROR)
        finally:
            os._exit(1)

    def _retire(self, generation: Generation) -> None:
        self._leashes.discard(generation.leash[1])
        generation.drain()
        self._old.append(generation)

    def _schedule(self, slot: Slot) -> None:
        slot.pid = None
        slot.due = time.monotonic() + slot.pause
        slot.pause = min(slot.pause * 2, _LONGEST_PAUSE)

    def _reap(self) -> None:
        """Take note of every child that has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for old in self._old:
                old.slots = [slot for slot in old.slots if slot.pid != pid]
            self._old = [old for old in self._old if old.slots]
            for slot in self._current.slots:
                if slot.pid == pid:
                    self._died(slot, status)

    def _died(self, slot: Slot, status: int) -> None:
        if time.monotonic() - slot.started > _LIVED_WELL:
            slot.pause = _FIRST_PAUSE
        code = os.waitstatus_to_exitcode(status)
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        log(f"worker {slot.pid} ended {how}; the next starts in {slot.pause:g} s", Level.WARNING)
        self._schedule(slot)

    def _revive(self) -> None:
        for slot in self._current.slots:
            if slot.pid is None and slot.due <= time.monotonic():
                self._fork(self._current, slot)

    def _kill_late(self) -> None:
        for old in self._old:
            if old.kill_at <= time.monotonic():
                old.kill()
                old.kill_at += _LATE_SECONDS

    def _reload(self) -> None:
        """Take the new configuration, policy and keys; where they are broken, say so and go on with the old."""
        reloading()
        self._refused = "; the last reload was refused"
        try:
            judge = self._load(self._file, None, self._current.judge)
            gone = [text for text in judge.broken if text not in self._current.judge.broken]
            if gone:  # what signs now goes on signing
                raise ConfigError(*gone)
            fresh = self._begin(judge)
        except (ConfigError, StartError) as error:
            log_lines(f"{error}\nnot reloaded: the old configuration stays in force", Level.ERROR)
        except Exception as error:  # noqa: BLE001  the mail goes on whatever a reload does
            log(f"not reloaded: {describe(error)}: the old configuration stays in force", Level.ERROR)
        else:
            before = self._current.judge
            self._retire(self._current)
            self._current = fresh
            self._unexamined = judge.examine()
            self._refused = ""
            self._report("reloaded")
            self._tell_changes(before, judge)
            for key in ("listen", "user", "socket_mode", "socket_group"):
                if getattr(judge.config, key) != getattr(self._started_with, key):
                    log(f"{key} has changed: this needs a restart; all other changes are in force", Level.WARNING)
        self._told = ""
        self._tell_status("READY=1")

    def _examine(self) -> None:
        """Look at what mail has not needed yet, a little at a time, and tell what is wrong with it."""
        if not self._unexamined:
            return
        judge = self._current.judge
        known = len(judge.broken), len(judge.warnings)
        self._unexamined = judge.examine()
        _tell(judge.broken[known[0] :], judge.warnings[known[1] :])

    def _report(self, what: str) -> None:
        _tell(self._current.judge.broken, self._current.judge.warnings)
        log(f"{what}: {self._status()}")

    def _tell_changes(self, before: Judge, judge: Judge) -> None:
        was, now = ({name: pair[at] for name, pair in judge.replaced.items()} for at in (0, 1))
        told = list(changes(before.config, judge.config, {**before.loaded, **was}, {**judge.loaded, **now}))
        for text, gone in told:
            log(f"changed: {text}", Level.WARNING if gone else Level.INFO)
        if not told:
            log("nothing has changed")

    def _tell_status(self, *states: str) -> None:
        """What `systemctl status` shows, where it is news: what keeps mail waiting comes first."""
        trouble = self._current.judge.trouble
        status = f"{trouble}; {self._status()}" if trouble else self._status()
        if states or status + self._refused != self._told:
            self._told = status + self._refused
            notify(*states, f"STATUS={self._told}")

    def _status(self) -> str:
        addresses = ", ".join(listening.address for listening in self._opened)
        count, serving = len(self._current.slots), sum(slot.pid is not None for slot in self._current.slots)
        of = f"{serving} of " if serving != count else ""
        return f"{of}{count} worker{'s' if count != 1 else ''} on {addresses}"

    def _stop(self) -> int:
        """Let what is in flight end, within bounds; a second signal hurries."""
        log("stopping: open sessions may finish (a second signal ends them)")
        notify("STOPPING=1", "STATUS=Stopping")
        for listening in self._opened:
            listening.remove()
        self._retire(self._current)
        while True:
            self._reap()
            if not self._old:
                break
            if self._wait() in (signal.SIGTERM, signal.SIGINT):
                for old in self._old:
                    old.kill()
            self._kill_late()
        log("stopped")
        return 0


def _milter_work(config: Config) -> Work:
    """What speaks with Postfix. Only who uses libmilter pays for it."""
    if config.milter_library == "built-in":
        return worker.work
    from dkimgate.daemon import libmilter_worker

    return libmilter_worker.work


def _tell(broken: Sequence[Problem], warnings: Sequence[Problem]) -> None:
    for problem in broken:
        log_lines(f"{problem}. Mail for this key leaves UNSIGNED until you repair it", Level.ERROR)
    for warning in warnings:
        log_lines(str(warning), Level.WARNING)


def _count_ready(pipe: int, expected: int) -> int:
    """How many workers said that they serve, until all did, all others are dead, or time is up."""
    count = 0
    end = time.monotonic() + _READY_SECONDS
    while count < expected and time.monotonic() < end:
        if select.select([pipe], [], [], max(end - time.monotonic(), 0))[0]:
            said = os.read(pipe, 4096)
            if not said:
                break
            count += len(said)
    return count
