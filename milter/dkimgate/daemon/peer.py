"""One connection of an MTA: its socket, and the conversation over it."""

from __future__ import annotations

import contextlib
import select
import socket
import threading

from dkimgate.daemon.conversation import Conversation
from dkimgate.daemon.session import Judge
from dkimgate.log import Level, describe, log
from dkimgate.wire.packets import ProtocolError, packet
from dkimgate.wire.protocol import SMFIR_PROGRESS

_AT_ONCE = 65_536
"""Octets that are read at once: a chunk of a body."""


class Peer:
    """`serve` it whenever its socket is ready for what `interest` says. `heard`: when that was last so."""

    def __init__(self, connected: socket.socket, judge: Judge, role: str, now: float) -> None:
        self.socket = connected
        self.heard = now
        self._conversation = Conversation(judge, role)
        self._unsent = b""
        self._sending = threading.Lock()

    @property
    def interest(self) -> int:
        """For epoll(7). What the MTA does not take keeps us from reading more of it."""
        return select.EPOLLOUT if self._unsent else select.EPOLLIN

    @property
    def is_over(self) -> bool:
        """Nothing more is to be read or sent."""
        return self._conversation.over and not self._unsent

    def serve(self, now: float) -> None:
        """Read what there is, deal with it, and answer; or send more of an answer. Never raises, never waits for the
        MTA."""
        self.heard = now
        try:
            if self._unsent:
                self._send(b"")
                return
            octets = self.socket.recv(_AT_ONCE)
            if octets:
                self._send(self._conversation.receive(octets))
            else:
                self.give_up()
        except BlockingIOError:
            return
        except OSError:  # it is gone
            self.give_up()
        except ProtocolError as error:
            log(f"from the MTA: {error}: the connection is closed", Level.WARNING)
            self.give_up()
        except Exception as error:  # noqa: BLE001  the other connections go on
            log(f"a connection is given up: {describe(error)}", Level.ERROR)
            self.give_up()

    def give_up(self) -> None:
        """Let the session know that this is the end, and send nothing more."""
        self._unsent = b""
        self._conversation.lost()

    def tell_progress(self) -> None:
        """While another thread works on the end of a message: the MTA shall be patient. Nothing else is being sent
        then."""
        with self._sending, contextlib.suppress(OSError):
            if self._conversation.at_the_end and not self._unsent:
                self.socket.send(packet(SMFIR_PROGRESS))

    def _send(self, answer: bytes) -> None:
        unsent = self._unsent + answer
        if unsent:
            with self._sending:
                try:
                    sent = self.socket.send(unsent)
                except BlockingIOError:
                    sent = 0
                self._unsent = unsent[sent:]
