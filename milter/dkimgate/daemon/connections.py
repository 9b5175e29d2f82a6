"""The connections of one worker. One thread serves them all, one piece after another: hand-over between threads costs
more than the milter protocol.

A message that takes long must not hold up the others. Before it waits for DNS it says so (`about_to_wait`), and another
thread takes over the rest; the first one is spare when it is done with its piece. The main thread watches for all else
that takes longer than a moment: the disk, or a message with much in it. So there are as many threads as pieces that
take long, one, and some spare ones.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import socket
import threading
import time
from collections import deque

from dkimgate.daemon.peer import Peer
from dkimgate.daemon.session import Judge
from dkimgate.log import Level, describe, log

IDLE_SECONDS = 7200.0
"""Without a word from the MTA. libmilter's own limit."""
UNTAKEN_SECONDS = 300.0
"""Without that the MTA takes what we have to say."""
_LOOK_SECONDS = 5.0
"""How often to look for those, and to tell the MTA that a message is still being worked on."""
_PAUSE_SECONDS = 0.2
"""No new connections for so long, after the system had none for us."""
_TELL_SECONDS = 60.0
"""The log says so once in this time."""
_SHARE = 8
"""For so many that are open, one more is accepted at a time."""
_MOST_SPARE = 8
"""Threads that wait to take over; a thread that is not kept is started anew."""
_REST_AFTER = 10
"""Calls of `watch` that find nothing to do, until it need not be called any more."""


class Connections:
    """`lead` is the body of the first thread. `alarm` can be read when `watch` is to be called again, and at the
    end."""

    def __init__(self, judge: Judge, role: str, listening: socket.socket) -> None:
        self.alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.ended = False
        self._judge, self._role, self._listening = judge, role, listening
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.epoll()
        self._events: deque[tuple[int, int]] = deque()
        self._peers: dict[int, Peer] = {}
        self._accepts = False
        self._stopping = self._orphaned = False
        self._look_at = self._tell_at = 0.0
        self._lock = threading.Lock()  # for what follows: who leads, and with which piece in hand
        self._in_hand: Peer | None = None
        self._pieces = self._pieces_seen = self._quiet = 0
        self._resting = False
        self._leader = 0
        self._spare = 0
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()  # for the spare threads
        self._away: set[Peer] = set()
        self._back: deque[Peer] = deque()
        listening.setblocking(False)
        self._poll.register(self._wake, select.EPOLLIN)
        self._begin_to_accept()

    def __len__(self) -> int:
        return len(self._peers)

    def stop(self, *, orphaned: bool) -> None:
        """Take no more connections, and end when those that are open have ended. `orphaned`: no other process
        listens."""
        self._stopping, self._orphaned = True, orphaned
        os.eventfd_write(self._wake, 1)

    # -- the main thread --

    def watch(self) -> bool:
        """To be called at a steady pace. Where the piece in hand is the one of the call before, another thread takes
        over. False: no need to call again before the alarm."""
        with self._lock:
            if self._pieces != self._pieces_seen:
                self._pieces_seen, self._quiet = self._pieces, 0
            elif self._in_hand is not None:
                self._hand_over(self._in_hand)
            else:
                self._quiet += 1
            self._resting = self._quiet >= _REST_AFTER
            return not self._resting

    def _hand_over(self, peer: Peer) -> None:
        leader, self._leader, self._in_hand = self._leader, 0, None
        self._poll.unregister(peer.socket)
        self._away.add(peer)
        if self._spare:
            self._spare -= 1
            self._calls.put(None)
            return
        try:
            threading.Thread(target=self.lead, daemon=True).start()
        except RuntimeError:  # the system has no more threads: the others wait
            self._leader, self._in_hand = leader, peer
            self._away.discard(peer)
            self._poll.register(peer.socket, peer.interest)

    # -- the thread that leads --

    def about_to_wait(self) -> None:
        """The piece in hand is going to take long. For the thread that has it; nothing where that leads no more."""
        with self._lock:
            if self._in_hand is not None and self._leader == threading.get_ident():
                self._hand_over(self._in_hand)

    def lead(self) -> None:
        """Serve, until another thread has taken over; be spare then, and lead again when called."""
        try:
            while not self.ended:
                with self._lock:
                    self._leader = threading.get_ident()
                while self._go_on():
                    pass
                with self._lock:
                    if self.ended or self._spare >= _MOST_SPARE:
                        return
                    self._spare += 1
                self._calls.get()
        except BaseException as error:  # noqa: BLE001  a worker that serves nobody must not stay
            log(f"a worker fails: {describe(error)}", Level.ERROR)
            os._exit(1)

    def _go_on(self) -> bool:
        now = time.monotonic()
        if now >= self._look_at:
            self._look(now)
        if not self._events:
            self._events.extend(self._poll.poll(self._look_at - now if self._peers or not self._accepts else None))
            return True
        number, _ = self._events.popleft()
        peer = self._peers.get(number)
        if peer is not None:
            return self._serve(peer, now)
        if number == self._wake:
            os.eventfd_read(self._wake)
            return self._take_back()
        if self._accepts:
            self._accept(now)
        return True

    def _serve(self, peer: Peer, now: float) -> bool:
        """One piece. False: another thread leads by now."""
        with self._lock:
            self._in_hand = peer
            self._pieces += 1
            if self._resting:
                self._resting = False
                os.eventfd_write(self.alarm, 1)
        before = peer.interest
        peer.serve(now)
        with self._lock:
            leads = self._in_hand is peer
            if leads:
                self._in_hand = None
            else:
                self._away.discard(peer)
                self._back.append(peer)
        if not leads:
            os.eventfd_write(self._wake, 1)
            return False
        if peer.is_over:
            self._poll.unregister(peer.socket)
            self._end(peer)
        elif peer.interest != before:
            self._poll.modify(peer.socket, peer.interest)
        return self._has_work()

    def _take_back(self) -> bool:
        """The connections whose piece took long. And the word to stop."""
        while self._back:
            peer = self._back.popleft()
            if peer.is_over:
                self._end(peer)
            else:
                self._poll.register(peer.socket, peer.interest)
        if self._stopping and self._listening.fileno() != -1:
            self._pause()
            if self._orphaned:  # what still knocks shall hear at once that nobody is there
                with contextlib.suppress(OSError):
                    self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
        return self._has_work()

    def _has_work(self) -> bool:
        if self._stopping and not self._peers and self._listening.fileno() == -1:
            with self._lock:
                self.ended = True
                for _ in range(self._spare):
                    self._calls.put(None)
            os.eventfd_write(self.alarm, 1)
        return not self.ended

    def _end(self, peer: Peer) -> None:
        del self._peers[peer.socket.fileno()]
        peer.socket.close()

    def _begin_to_accept(self) -> None:
        self._poll.register(self._listening, select.EPOLLIN)
        self._accepts = True

    def _pause(self) -> None:
        if self._accepts:
            self._poll.unregister(self._listening)
            self._accepts = False

    def _accept(self, now: float) -> None:
        """A few at a time, by how many there are already: where many want in, none waits long behind those that are;
        and a worker leaves the first ones of a burst to the others too."""
        for _ in range(1 + len(self) // _SHARE):
            try:
                connected, _ = self._listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return  # another worker was faster, or the MTA is gone
            except OSError as error:
                self._pause()
                self._look_at = now + _PAUSE_SECONDS
                if now >= self._tell_at:
                    self._tell_at = now + _TELL_SECONDS
                    log(f"can't accept a connection: {error.strerror}: {len(self)} are open", Level.ERROR)
                return
            connected.setblocking(False)
            self._peers[connected.fileno()] = Peer(connected, self._judge, self._role, now)
            self._poll.register(connected, select.EPOLLIN)

    def _look(self, now: float) -> None:
        self._look_at = now + _LOOK_SECONDS
        if not self._accepts and not self._stopping:
            self._begin_to_accept()
        with self._lock:
            away = list(self._away)
        for peer in away:
            peer.tell_progress()
        for peer in list(self._peers.values()):
            patience = UNTAKEN_SECONDS if peer.interest == select.EPOLLOUT else IDLE_SECONDS
            if now - peer.heard >= patience and peer not in away and peer not in self._back:
                log(f"a connection is closed: nothing from the MTA for {patience:.0f} s")
                peer.give_up()
                self._poll.unregister(peer.socket)
                self._end(peer)
