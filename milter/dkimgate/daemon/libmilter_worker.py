"""One worker process by libmilter and pymilter, in place of our own `worker`: `milter_library: pymilter`.

libmilter has one listening socket a process, opens it itself, and at its end removes the socket's file (unless it runs
as root) and leaves open sessions without an answer (where it is built with a pool of threads, as Debian's is). None of
that suits workers that come and go behind one socket. So it opens a socket that nobody can reach, and the supervisor's
is put in its place (dup2). When the worker is to stop, an unreachable one is put back: nothing new arrives, what is
open ends in peace, and libmilter itself never stops.
"""

from __future__ import annotations

import contextlib
import os
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

from dkimgate.daemon import packets
from dkimgate.daemon.child import settle
from dkimgate.daemon.session import ACTIONS, Judge, Session
from dkimgate.daemon.sockets import Listening
from dkimgate.log import Level, describe, log

_QUIET_SECONDS = 0.3
"""How long a stopping worker waits for the first word on a connection that was accepted at the last moment."""

_SMALL_PACKETS = (
    f"this libmilter drops the connection at a header field of more than {packets.USUAL} octets, and such mail waits "
    f"without a record: set header_size_limit = {packets.USUAL - packets.MARGIN} in Postfix's main.cf, or "
    "milter_library: built-in"
)

_open_sessions: set[Session] = set()


def work(judge: Judge, listening: Listening, leash: int, ready: int | None) -> NoReturn:
    """Serve connections until the supervisor writes to the pipe `leash`, or dies and thereby closes it. Runs in a
    forked child.

    One byte on `ready` says that it is serving.
    """
    settle()  # what libmilter's own thread would take of signals makes it leave every open session without an answer
    sys.excepthook = _one_line
    if not packets.accept_large():
        log(_SMALL_PACKETS, Level.WARNING)
    nowhere = _unreachable_socket(listening)
    number = _adopt(listening)
    _set_callbacks(judge, listening.role)
    threading.Thread(target=_run_libmilter, daemon=True).start()
    if ready is not None:
        os.write(ready, b".")
        os.close(ready)
    orphaned = not os.read(leash, 1)
    _let_go(number, nowhere, orphaned)
    _drain(judge.config.drain_seconds)


def _run_libmilter() -> None:
    with contextlib.suppress(Milter.error):
        Milter.main()
    log("libmilter has stopped (the mail log may say why)", Level.ERROR)
    os._exit(1)


def _one_line(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """For what pymilter reports by itself: arguments of a callback that it can't turn into text."""
    log(f"from the MTA: {describe(error)}", Level.WARNING)


def _scratch(listening: Listening) -> tempfile.TemporaryDirectory[str]:
    """A folder for a socket that lives a moment: under systemd's ProtectSystem= not every usual place can be written
    to."""
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
        number = os.dup(listening.socket.fileno())
        os.close(number)
        Milter.opensocket(True)
    os.fstat(number)
    os.dup2(listening.socket.fileno(), number, inheritable=False)
    # The one reference left is libmilter's: once it is replaced, this worker holds the address no longer.
    listening.socket.close()
    return number


def _set_callbacks(judge: Judge, role: str) -> None:
    global _judge, _role
    _judge, _role = judge, role
    Milter.set_connect_callback(_callback("connect"))
    Milter.set_helo_callback(_callback("hello"))
    Milter.set_envfrom_callback(_callback("envfrom"))
    Milter.set_envrcpt_callback(_callback("envrcpt"))
    Milter.set_header_callback(_header)
    Milter.set_eoh_callback(_callback("eoh"))
    Milter.set_body_callback(_callback("body"))
    Milter.set_eom_callback(_callback("eom"))
    Milter.set_abort_callback(_callback("abort"))
    Milter.set_close_callback(_close)
    # Only for what fails before a callback of ours is reached; those catch everything themselves.
    Milter.set_exception_policy(Milter.CONTINUE)


_judge: Judge
_role: str


def _callback(step: str) -> Callable[..., int]:
    method = getattr(Session, step)

    def callback(context: Any, *arguments: Any) -> int:
        session: Session = context.getpriv()
        try:
            return int(method(session, context, *arguments))
        except Exception as error:  # noqa: BLE001  what leaves here becomes a traceback in the log and a reply of pymilter's
            return session.failed(step, context, error)

    return callback


def _header(context: Any, name: str, value: bytes) -> int:
    return _callback("header")(context, name.encode("utf-8", "surrogateescape"), value)


def _negotiate(context: Any, options: list[int]) -> int:
    session = Session(_judge, _role)
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


def _let_go(number: int, nowhere: socket.socket, orphaned: bool) -> None:
    """Take no more connections."""
    with socket.socket(fileno=os.dup(number)) as listening:
        os.dup2(nowhere.fileno(), number, inheritable=False)
        if orphaned:
            # Nobody is left to serve what still knocks. Closing is not enough, as libmilter may be waiting on the
            # socket.
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


def _drain(seconds: float) -> NoReturn:
    """Wait until the open sessions have ended, `seconds` at most, then end the process."""
    begin = time.monotonic()
    while time.monotonic() < begin + max(seconds, _QUIET_SECONDS):
        time.sleep(0.05)
        if not _open_sessions and time.monotonic() > begin + _QUIET_SECONDS:
            os._exit(0)
    if _open_sessions:
        log(
            f"{len(_open_sessions)} sessions were still open after {seconds} s: the MTA will try these messages again",
            Level.WARNING,
        )
    os._exit(0)
