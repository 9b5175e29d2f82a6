"""Many messages over many connections at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dkimgate.postfix.milter_client import MilterClient, MilterError
from tests.running import eventually


class Load:
    """Threads that send messages Q1, Q2, ... until `finish`, a new connection every `each` messages.

    `send` hands over one message of that queue id and says whether all was well. `problems` has a line for every one that was not.
    """

    def __init__(
        self,
        connect: Callable[[], MilterClient],
        send: Callable[[MilterClient, str], bool],
        connections: int,
        each: int,
    ) -> None:
        self.problems: list[str] = []
        self.sent = 0
        self._connect, self._send, self._each = connect, send, each
        self._enough = False
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(connections)]
        for thread in self._threads:
            thread.start()

    def more(self, count: int) -> bool:
        """Wait until so many more have been sent; False if that takes too long."""
        goal = self.sent + count
        return eventually(lambda: self.sent >= goal, 60)

    def finish(self) -> None:
        """Send no more, and wait until what is on its way has arrived."""
        self._enough = True
        for thread in self._threads:
            thread.join(120)

    def _next(self) -> str | None:
        with self._lock:
            if self._enough:
                return None
            self.sent += 1
            return f"Q{self.sent}"

    def _run(self) -> None:
        queue_id = self._next()
        while queue_id is not None:
            try:
                with self._connect() as client:
                    for _ in range(self._each):
                        if not self._send(client, queue_id):
                            self.problems.append(f"{queue_id}: not as expected")
                        queue_id = self._next()
                        if queue_id is None:
                            return
            except MilterError as error:
                self.problems.append(f"{queue_id}: {error}")
                queue_id = self._next()
