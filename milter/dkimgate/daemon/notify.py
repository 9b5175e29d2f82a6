"""Telling systemd how the daemon is: the datagrams of sd_notify(3). Without systemd nothing happens."""

from __future__ import annotations

import os
import socket
import time

from dkimgate.log import visible


def notify(*states: str) -> None:
    """Send states such as `READY=1` to the socket that $NOTIFY_SOCKET names. Never raises: no mail waits for
    systemd."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # Linux's abstract namespace
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
            out.sendto("\n".join(map(visible, states)).encode(), address)
    except OSError:
        return


def reloading() -> None:
    """Tell systemd that a reload begins, with the time (sd_notify(3), RELOADING=1)."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=Reloading")


def watchdog_interval() -> float | None:
    """Seconds between two signs of life: half of WatchdogSec=. None if systemd does not expect them from this
    process."""
    asked = os.environ.get("WATCHDOG_USEC", "")
    owner = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not asked.isdecimal() or int(asked) == 0 or owner != str(os.getpid()):
        return None
    return int(asked) / 2_000_000
