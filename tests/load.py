"""Many messages over many connections at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dkimgate.milterclient import MilterClient, MilterError


class Load:
    """Threads that send messages Q1 to Q`total`, a new connection every `each` messages.

    `send` hands over one message of that queue id and says whether all was well. `problems` has a line for every one that was not.
    """

    def __init__(
        self, connect: Callable[[], MilterClient], send: Callable[[MilterClient, str], bool], total: int, connections: int, each: int
    ) -> None:
        self.problems: list[str] = []
        self.sent = 0
        self._connect, self._send, self._total, self._each = connect, send, total, each
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(connections)]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Wait until all is sent."""
        for thread in self._threads:
            thread.join(120)

    def _next(self) -> str | None:
        with self._lock:
            if self.sent >= self._total:
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
