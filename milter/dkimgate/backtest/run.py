"""A backtest by as many processes as there are cores."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

from dkimgate.backtest.pieces import Piece, cut, lines, open_all
from dkimgate.backtest.tally import Period, Tally
from dkimgate.message import suffixes
from dkimgate.policy.language.model import Policy
from dkimgate.record.journal_reader import Reader

WORTH_A_PROCESS = 4 << 20
"""Octets of journal below which starting processes takes longer than it saves."""

LOOK_SECONDS = 0.2

_BEGINNING = b'{"v": 1, "time": "'
_TIME = slice(len(_BEGINNING), len(_BEGINNING) + len("2026-11-21T16:20:25.123456Z"))

Progress = Callable[[float], None]


class BacktestError(Exception):
    """The journal can't be read to its end; `str()` says why, in one line."""


def backtest(
    journal: Path,
    policy: Policy,
    period: Period,
    *,
    examples: int = 3,
    processes: int | None = None,
    progress: Progress = lambda done: None,
) -> Tally:
    """Decide all records of a journal and its rotated files again. `progress` is told now and then which part (0 to 1)
    is done.

    Raises OSError where a file can't be read, BacktestError where a process ended before it was done.
    """
    sources = open_all(journal, period.since)
    try:
        cores = processes or len(os.sched_getaffinity(0))
        size = sum(source.size for source in sources)
        if processes is None and size < WORTH_A_PROCESS:
            cores = 1
        pieces = cut(sources, cores)
        tally = Tally(policy, period, examples)
        suffixes.load()  # once for all processes
        if cores == 1:
            _count(tally, pieces, progress)
        else:
            _share(tally, pieces, cores, progress)
        return tally
    finally:
        for source in sources:
            os.close(source.fd)


def _count(tally: Tally, pieces: list[Piece], progress: Progress) -> None:
    whole = sum(piece.weight for piece in pieces) or 1
    done = 0
    for piece in pieces:
        _add(tally, piece)
        done += piece.weight
        progress(done / whole)
    tally.close()


def _add(tally: Tally, piece: Piece) -> None:
    reader = Reader()
    since, until = tally.period.since.encode(), tally.period.until.encode()
    for line in lines(piece):
        if _outside(line, since, until):
            tally.outside += 1
            continue
        for record in reader.of_line(line):
            tally.add(record)
    tally.torn += reader.torn


def _outside(line: bytes, since: bytes, until: bytes) -> bool:
    """Without parsing: the line is one record, as a journal begins it, and not of the period."""
    if not (since or until) or not line.startswith(_BEGINNING):
        return False
    time = line[_TIME]
    return (time < since or (until != b"" and time >= until)) and line.find(b'{"v": ', 1) < 0


def _share(tally: Tally, pieces: list[Piece], processes: int, progress: Progress) -> None:
    """One process a core, each taking the next piece until there is none. Whatever ends this one ends them."""
    context = multiprocessing.get_context("fork")
    position: Any = context.Value("q", 0)  # of the next piece
    done: Any = context.Value("q", 0)  # octets
    whole = sum(piece.weight for piece in pieces) or 1
    workers: list[tuple[ForkProcess, Connection]] = []
    try:
        for _ in range(min(processes, len(pieces)) or 1):
            receiving, sending = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(tally, pieces, position, done, sending), daemon=True)
            process.start()
            sending.close()
            workers.append((process, receiving))
        waiting = [receiving for _, receiving in workers]
        while waiting:
            for ready in wait(waiting, LOOK_SECONDS):
                waiting.remove(ready)  # type: ignore[arg-type]
                tally.merge(_received(ready))  # type: ignore[arg-type]
            progress(done.value / whole)
    finally:
        for process, receiving in workers:
            process.terminate()
            process.join()
            receiving.close()


def _received(connection: Connection) -> Tally:
    try:
        found = connection.recv()
    except EOFError:
        raise BacktestError("a process of the backtest ended too early. The host may be out of memory") from None
    if isinstance(found, Exception):
        raise found
    assert isinstance(found, Tally)
    return found


def _work(tally: Tally, pieces: list[Piece], position: Any, done: Any, sending: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)  # records are trees: what reference counts leave to do is little
    try:
        while True:
            with position.get_lock():
                number = position.value
                position.value += 1
            if number >= len(pieces):
                break
            _add(tally, pieces[number])
            with done.get_lock():
                done.value += pieces[number].weight
        tally.close()
        sending.send(tally)
    except Exception as error:  # noqa: BLE001 - the parent raises it
        with contextlib.suppress(BrokenPipeError):
            sending.send(error)
