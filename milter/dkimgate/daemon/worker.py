"""One worker process: libmilter's threads on a shared listening socket, until the supervisor lets go of it.

libmilter has one listening socket a process, opens it itself, and at its end removes the socket's file (unless it runs as
root). None of that suits workers that come and go behind one socket. So it opens a socket that nobody can reach, and the
supervisor's is put in its place (dup2). When the worker is to stop, an unreachable one is put back: nothing new arrives, what
is open ends in peace, and libmilter's own end, in which a connection of the last moment would crash pymilter, never comes.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import Milter

from dkimgate.daemon.log import Level, describe, log
from dkimgate.daemon.session import ACTIONS, Judge, Session
from dkimgate.daemon.sockets import Listening

_QUIET_SECONDS = 0.3
"""How long a stopping worker waits for the first word on a connection that was accepted at the last moment."""

_open_sessions: set[Session] = set()


def work(judge: Judge, listening: Listening, drain: int, ready: int | None) -> NoReturn:
    """Serve connections until the pipe `drain` is closed by the supervisor, or by its death. Runs in a forked child.

    One byte on `ready` says that it is serving.
    """
    _own_signals()
    sys.excepthook = _one_line
    nowhere = _unreachable_socket(listening)
    number = _adopt(listening)
    _set_callbacks(judge)
    seconds = judge.config.drain_seconds
    threading.Thread(target=_wait_for_drain, args=(drain, number, nowhere, seconds), daemon=True).start()
    if ready is not None:
        os.write(ready, b".")
        os.close(ready)
    try:
        Milter.main()
    except Milter.error:
        log("libmilter can't go on (its reason is in the mail log)", Level.ERROR)
        os._exit(1)
    # Somebody sent a signal to this worker itself: libmilter has stopped to listen, and the sessions go on.
    _drain(seconds)


def _own_signals() -> None:
    """Undo what the supervisor blocked, and leave its process group: Ctrl-C is for the supervisor alone."""
    os.setpgid(0, 0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _one_line(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """For what pymilter reports by itself: arguments of a callback that it can't turn into text."""
    log(f"from the MTA: {describe(error)}", Level.WARNING)


def _scratch(listening: Listening) -> tempfile.TemporaryDirectory[str]:
    """A folder for a socket that lives a moment: under systemd's ProtectSystem= not every usual place can be written to."""
    places = ["/tmp", "/dev/shm"]
    if listening.path is not None:
        places.append(str(listening.path.parent.absolute()))
    for place in places:
        try:
            return tempfile.TemporaryDirectory(prefix=".dkimgate-", dir=place)
        except OSError:
            continue
    raise OSError(f"no folder to write to: tried {', '.join(places)}")


def _unreachable_socket(listening: Listening) -> socket.socket:
    """A listening socket to which nobody can connect, because its file is gone."""
    with _scratch(listening) as folder:
        nowhere = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        nowhere.bind(str(Path(folder) / "s"))
    nowhere.listen()
    nowhere.setblocking(False)
    return nowhere


def _adopt(listening: Listening) -> int:
    """Make libmilter listen on a socket that is open already. Returns the descriptor under which libmilter knows it."""
    Milter.set_flags(ACTIONS)
    Milter.register("dkimgate", negotiate=_negotiate)
    with _scratch(listening) as folder:
        own: dict[int, str] = {
            socket.AF_UNIX: f"unix:{folder}/s",
            socket.AF_INET: "inet:0@[127.0.0.1]",
            socket.AF_INET6: "inet6:0@[::1]",
        }
        Milter.setconn(own[listening.socket.family])
        # POSIX: the lowest free descriptor is the next one. Nothing else runs in this process yet.
        number = os.dup(0)
        os.close(number)
        Milter.opensocket(True)
    os.fstat(number)
    os.dup2(listening.socket.fileno(), number, inheritable=False)
    # The one reference left is libmilter's: once it is replaced, this worker holds the address no longer.
    listening.socket.close()
    return number


def _set_callbacks(judge: Judge) -> None:
    global _judge
    _judge = judge
    Milter.set_connect_callback(_callback("connect"))
    Milter.set_helo_callback(_callback("hello"))
    Milter.set_envfrom_callback(_callback("envfrom"))
    Milter.set_envrcpt_callback(_callback("envrcpt"))
    Milter.set_header_callback(_callback("header"))
    Milter.set_eoh_callback(_callback("eoh"))
    Milter.set_body_callback(_callback("body"))
    Milter.set_eom_callback(_callback("eom"))
    Milter.set_abort_callback(_callback("abort"))
    Milter.set_close_callback(_close)
    # Only for what fails before a callback of ours is reached; those catch everything themselves.
    Milter.set_exception_policy(Milter.CONTINUE)


_judge: Judge


def _callback(step: str) -> Callable[..., int]:
    method = getattr(Session, step)

    def callback(context: Any, *arguments: Any) -> int:
        session: Session = context.getpriv()
        try:
            return int(method(session, context, *arguments))
        except Exception as error:  # noqa: BLE001  what leaves here becomes a traceback in the log and a reply of pymilter's
            return session.failed(step, context, error)

    return callback


def _negotiate(context: Any, options: list[int]) -> int:
    session = Session(_judge)
    _open_sessions.add(session)
    context.setpriv(session)
    return _callback("negotiate")(context, options)


def _close(context: Any) -> int:
    session: Session | None = context.getpriv()
    if session is None:
        return int(Milter.CONTINUE)
    try:
        return _callback("close")(context)
    finally:
        _open_sessions.discard(session)


def _wait_for_drain(drain: int, number: int, nowhere: socket.socket, seconds: float) -> None:
    os.read(drain, 1)
    os.dup2(nowhere.fileno(), number, inheritable=False)
    _drain(seconds)


def _drain(seconds: float) -> NoReturn:
    """Wait until the open sessions have ended, `seconds` at most, then end the process."""
    begin = time.monotonic()
    while time.monotonic() < begin + max(seconds, _QUIET_SECONDS):
        time.sleep(0.05)
        if not _open_sessions and time.monotonic() > begin + _QUIET_SECONDS:
            os._exit(0)
    log(f"{len(_open_sessions)} sessions were still open after {seconds} s: the MTA will try their messages again", Level.WARNING)
    os._exit(0)
