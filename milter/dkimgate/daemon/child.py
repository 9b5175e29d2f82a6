"""What every forked worker does first."""

from __future__ import annotations

import os
import signal

# what a service manager, an operator or a terminal may send to the whole group
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def settle() -> None:
    """Leave it to the supervisor alone to end this worker: Ctrl-C and what is sent to the whole group are for the
    supervisor.

    Linux drops an ignored signal unless the main thread blocks it: then another thread (libmilter's) would still get
    it.
    """
    os.setpgid(0, 0)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
