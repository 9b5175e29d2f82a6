"""The worker of a listener with `role: srs`: tells Postfix whose bounce an SRS address is, by its socketmap protocol
(socketmap_table(5)).

Requests and replies are netstrings: `44:restore SRS0=mUZt=JK=hosted.example=friend@ours,` is answered `24:OK
friend@hosted.example,`.

What can't be restored is NOTFOUND, forged and expired addresses too: then the address stands as it is, Postfix finds no
such recipient, and says so in the SMTP session (550), so that no bounce of a bounce is ever made. An error reply would
make a 4xx of it, and have every probe retried for days.

One process with many connections: a reply takes microseconds, and smtpd and cleanup keep their connections open.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import selectors
import socket
import time
from dataclasses import dataclass, field
from typing import NoReturn

from dkimgate.daemon.child import settle
from dkimgate.daemon.session import Judge
from dkimgate.daemon.sockets import Listening
from dkimgate.log import Level, describe, log
from dkimgate.srs import NotRestored

MAP = b"restore"
"""The name in main.cf: `socketmap:unix:dkimgate/srs.sock:restore`."""

LONGEST_REQUEST = 10_000
"""Octets. Much more than an address has, because Postfix looks up what it is given, and an error would make it try
again."""

MOST_CONNECTIONS = 500
REQUEST_SECONDS = 10.0
"""For a request from its first octet to its last, and for a reply to be taken."""
IDLE_SECONDS = 100.0
"""Between two requests; Postfix itself closes after 10."""

_LENGTH = re.compile(rb"(0|[1-9][0-9]{0,5})(:|\Z)")
_AT_ONCE = 4096


class ProtocolError(Exception):
    """The request is not a netstring, or it is too long."""


def split(received: bytes) -> tuple[list[bytes], bytes]:
    """The whole netstrings at the front, and what is left. Raises ProtocolError for what can't become one."""
    requests: list[bytes] = []
    at = 0
    while at < len(received):
        length = _LENGTH.match(received, at)
        if length is None:
            raise ProtocolError("not a netstring")
        begin, end = length.end(), length.end() + int(length[1])
        if end - begin > LONGEST_REQUEST:
            raise ProtocolError(f"a request has at most {LONGEST_REQUEST} octets")
        if not length[2] or len(received) <= end:
            break
        if received[end : end + 1] != b",":
            raise ProtocolError("a netstring ends with a comma")
        requests.append(received[begin:end])
        at = end + 1
    return requests, received[at:]


def netstring(content: bytes) -> bytes:
    """As it goes over the wire (cr.yp.to/proto/netstrings.txt)."""
    return b"%d:%s," % (len(content), content)


def reply(judge: Judge, request: bytes) -> bytes:
    """The answer to `restore ADDRESS`. Never raises."""
    name, _, key = request.partition(b" ")
    if name != MAP:
        return b"PERM no such map: expected socketmap:unix:PATH:" + MAP
    address = key.decode("utf-8", "surrogateescape")
    try:
        restored = judge.restore(address)
        if isinstance(restored, str):
            return b"OK " + restored.encode("ascii")
    except Exception as error:  # noqa: BLE001  a bounce waits rather than getting lost
        log(f"restoring an SRS address: {describe(error)}", Level.ERROR)
        return b"TEMP internal error"
    if restored not in (NotRestored.NOT_OURS, NotRestored.NOT_SRS):
        log(f"not restored: <{address[:300]}>: {restored.value}")
    return b"NOTFOUND "


@dataclass(eq=False, slots=True)
class Client:
    """One connection. `due` is when it is given up (by the monotonic clock)."""

    socket: socket.socket
    due: float
    received: bytes = b""
    unsent: bytes = b""

    @property
    def at_rest(self) -> bool:
        """Between two requests."""
        return not self.received and not self.unsent


@dataclass(slots=True)
class Server:
    """The connections of one worker."""

    judge: Judge
    listening: socket.socket
    leash: int
    _clients: set[Client] = field(default_factory=set)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _ends: float = math.inf

    def run(self) -> None:
        """Serve until the leash says stop; then end what has begun, within `drain_seconds`."""
        self.listening.setblocking(False)
        self._selector.register(self.listening, selectors.EVENT_READ)
        self._selector.register(self.leash, selectors.EVENT_READ)
        while time.monotonic() < self._ends and (self._clients or self._ends == math.inf):
            stop = False
            for key, events in self._selector.select(self._patience()):
                if key.fileobj is self.listening:
                    self._accept()
                elif key.fileobj == self.leash:
                    stop = True
                else:
                    self._serve(key.data, events)
            if stop:
                self._stop()
            self._close_late()

    def _patience(self) -> float | None:
        due = min((client.due for client in self._clients), default=math.inf)
        due = min(due, self._ends)
        return None if due == math.inf else max(due - time.monotonic(), 0)

    def _accept(self) -> None:
        try:
            connected, _ = self.listening.accept()
        except BlockingIOError:
            return  # another worker was faster, or the client is gone
        except OSError as error:
            log(f"can't accept a connection: {error.strerror}", Level.ERROR)
            time.sleep(0.1)  # it stays ready
            return
        if len(self._clients) >= MOST_CONNECTIONS:
            self._close(min(self._clients, key=lambda client: (not client.at_rest, client.due)))
        connected.setblocking(False)
        client = Client(connected, time.monotonic() + IDLE_SECONDS)
        self._clients.add(client)
        self._selector.register(connected, selectors.EVENT_READ, client)

    def _serve(self, client: Client, events: int) -> None:
        if client not in self._clients:
            return  # closed in this very round
        try:
            if events & selectors.EVENT_READ:
                self._read(client)
            if client in self._clients and client.unsent:
                self._send(client)
        except BlockingIOError:
            return
        except OSError:
            self._close(client)

    def _read(self, client: Client) -> None:
        data = client.socket.recv(_AT_ONCE)
        if not data:
            self._close(client)
            return
        if not client.received:
            client.due = time.monotonic() + REQUEST_SECONDS
        client.received += data
        try:
            requests, client.received = split(client.received)
        except ProtocolError as error:
            log(f"from a client of the socketmap: {error}", Level.WARNING)
            with contextlib.suppress(OSError):
                client.socket.send(netstring(b"PERM " + str(error).encode()))
            self._close(client)
            return
        if requests and client.received:
            client.due = time.monotonic() + REQUEST_SECONDS
        client.unsent += b"".join(netstring(reply(self.judge, request)) for request in requests)

    def _send(self, client: Client) -> None:
        """What the client does not take yet keeps us from reading more of it."""
        with contextlib.suppress(BlockingIOError):
            client.unsent = client.unsent[client.socket.send(client.unsent) :]
        if client.at_rest:
            if self._ends < math.inf:
                self._close(client)
                return
            client.due = time.monotonic() + IDLE_SECONDS
        self._selector.modify(client.socket, selectors.EVENT_WRITE if client.unsent else selectors.EVENT_READ, client)

    def _stop(self) -> None:
        """Take no more connections, and close those at rest: Postfix opens another, and asks again if it was about
        to."""
        self._ends = time.monotonic() + self.judge.config.drain_seconds
        self._selector.unregister(self.leash)
        self._selector.unregister(self.listening)
        self.listening.close()
        for client in tuple(self._clients):
            self._serve(client, selectors.EVENT_READ if not client.unsent else selectors.EVENT_WRITE)
            if client in self._clients and client.at_rest:
                self._close(client)

    def _close_late(self) -> None:
        now = time.monotonic()
        for client in [client for client in self._clients if client.due <= now]:
            self._close(client)

    def _close(self, client: Client) -> None:
        self._clients.discard(client)
        self._selector.unregister(client.socket)
        client.socket.close()


def work(judge: Judge, listening: Listening, leash: int, ready: int | None) -> NoReturn:
    """Serve until the supervisor writes to the pipe `leash`, or dies and thereby closes it. Runs in a forked child.

    One byte on `ready` says that it is serving.
    """
    settle()
    server = Server(judge, listening.socket, leash)
    if ready is not None:
        os.write(ready, b".")
        os.close(ready)
    server.run()
    os._exit(0)
