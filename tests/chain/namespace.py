"""A network, mount and process namespace of its own, in which the servers of a test run as if the machine were theirs."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

START_SECONDS = 90.0
"""How long a server may take until it listens. Only a broken one, or a starved machine, needs it."""


class ChainError(Exception):
    """The chain does not work. `str()` says which part, and what it printed."""


def wait_until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Poll until `condition` holds. Raises ChainError when `seconds` have passed without."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ChainError(f"waited {seconds:g} s in vain: {what}")
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Server:
    """A process in the namespace that stays. `log` holds what it prints."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raises ChainError if the server has ended."""
        if (code := self.process.poll()) is not None:
            raise ChainError(f"{self.name} ended with exit code {code}")


class Namespace:
    """Everything in it dies with it: the kernel kills what is left when the first process of a process namespace ends.

    That first process is a `cat` which ends when this process closes its input or ends itself, in whatever way. Files are shared
    with the host, so unix-domain sockets can be reached from both sides; the network is not.
    """

    def __init__(self, folder: Path, addresses: Iterable[str], mounts: Iterable[tuple[Path, Path]] = ()) -> None:
        """`addresses` are put on the loopback interface; each mount shows its first path at the place of its second."""
        self._folder = folder
        self._servers: list[Server] = []
        commands = ["read pid rest < /proc/self/stat", "ip link set lo up"]
        commands += [f"ip address add {address}/32 dev lo" for address in addresses]
        commands += [f"mount --bind {shlex.quote(str(shown))} {shlex.quote(str(place))}" for shown, place in mounts]
        commands += ['echo "$pid"', "exec cat > /dev/null"]
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", "\n".join(commands)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        first = _stream(self._holder.stdout).readline().strip()
        if not first:
            _, errors = self._holder.communicate()
            raise ChainError(f"unshare made no namespace: {errors.decode(errors='replace')}")
        self._enter = ("nsenter", "--net", "--mount", "--pid", f"--target={first.decode()}", "--")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.communicate(b"")
        for server in self._servers:
            server.process.wait()

    def run(self, *argv: str | Path, text: bytes = b"", seconds: float = 20.0) -> str:
        """Run a command to its end, give what it printed. Raises ChainError unless its exit code is 0."""
        command = [*self._enter, *map(str, argv)]
        try:
            done = subprocess.run(
                command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ChainError(
                f"{shlex.join(map(str, argv))} did not end within {seconds:g} s: {error.output!r}"
            ) from None
        output = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            raise ChainError(f"{shlex.join(map(str, argv))} gave exit code {done.returncode}:\n{output}")
        return output

    def start(self, name: str, *argv: str | Path) -> Server:
        """Start a server that stays in the foreground; what it prints goes to `name`.log in the folder."""
        log = self._folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*self._enter, *map(str, argv)], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        server = Server(name, process, log)
        self._servers.append(server)
        return server

    def wait_for_socket(self, server: Server, path: Path) -> None:
        """Wait until `server` takes connections on a unix-domain socket."""
        self._wait(server, lambda: _accepts(path), f"{server.name} takes no connection on {path}")

    def wait_for_port(self, server: Server, address: str, port: int) -> None:
        """Wait until `server` listens on a TCP port."""
        filters = ("src", f"{address}:{port}")
        self._wait(
            server,
            lambda: self.run("ss", "-Hltn", *filters) != "",
            f"{server.name} does not listen on {address}:{port}",
        )

    def _wait(self, server: Server, ready: Callable[[], bool], what: str) -> None:
        def look() -> bool:
            server.check()
            return ready()

        try:
            wait_until(look, what, START_SECONDS)
        except ChainError as error:
            raise ChainError(f"{error}; it printed:\n{server.log.read_text(errors='replace')}") from None


def missing_for_namespaces() -> str | None:
    """Why no namespace can be made here, or None."""
    if os.geteuid() != 0:
        return "the chain of servers needs root, to make namespaces"
    probe = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        return f"unshare makes no namespace here: {probe.stderr.decode(errors='replace').strip()}"
    return None


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream
