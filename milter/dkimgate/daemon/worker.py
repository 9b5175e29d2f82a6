"""One worker process: the connections of a shared listening socket, until the supervisor lets go of it."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import threading
import time
from typing import NoReturn

from dkimgate.daemon.child import settle
from dkimgate.daemon.connections import Connections
from dkimgate.daemon.session import Judge
from dkimgate.daemon.sockets import Listening
from dkimgate.log import Level, log
from dkimgate.waiting import tell

_TICK = 0.01
"""Seconds. What takes longer, up to twice as long, holds up no other message."""


def work(judge: Judge, listening: Listening, leash: int, ready: int | None) -> NoReturn:
    """Serve connections until the supervisor writes to the pipe `leash`, or dies and thereby closes it. Runs in a
    forked child.

    One byte on `ready` says that it is serving.
    """
    settle()
    _allow_many_files()
    connections = Connections(judge, listening.role, listening.socket)
    tell(connections.about_to_wait)
    threading.Thread(target=connections.lead, daemon=True).start()
    if ready is not None:
        os.write(ready, b".")
        os.close(ready)
    _watch_until(leash, connections)
    connections.stop(orphaned=not os.read(leash, 1))
    _drain(connections, judge.config.drain_seconds)


def _allow_many_files() -> None:
    """A connection is a file, and the usual limit (1024) is for programs that use select(2)."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _watch_until(leash: int, connections: Connections) -> None:
    watching = True
    while True:
        ready, _, _ = select.select([leash, connections.alarm], [], [], _TICK if watching else None)
        if leash in ready:
            return
        if connections.alarm in ready:
            os.eventfd_read(connections.alarm)
        watching = connections.watch()


def _drain(connections: Connections, seconds: float) -> NoReturn:
    """Wait until the open connections have ended, `seconds` at most, then end the process."""
    end = time.monotonic() + seconds
    while not connections.ended and time.monotonic() < end:
        time.sleep(_TICK)
        connections.watch()
    if len(connections):
        log(
            f"{len(connections)} sessions were still open after {seconds} s: the MTA will try these messages again",
            Level.WARNING,
        )
    os._exit(0)
