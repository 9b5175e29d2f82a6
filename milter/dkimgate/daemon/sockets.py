"""The sockets that Postfix connects to: opened by the supervisor, shared by all workers, removed at the end."""

from __future__ import annotations

import errno
import grp
import os
import socket
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from dkimgate.config.dkimgate_yaml import Config
from dkimgate.daemon.privileges import Owner, StartError


@dataclass(frozen=True, slots=True)
class Listening:
    """An open socket. `address` and `role` are as configured. `path` and `inode` are set only if it is a file."""

    address: str
    socket: socket.socket
    path: Path | None = None
    inode: tuple[int, int] | None = None
    role: str = "gate"

    def remove(self) -> None:
        """Close it, and remove the file unless another daemon has put its own in its place."""
        self.socket.close()
        if self.path is None:
            return
        try:
            if _inode(self.path) == self.inode:
                self.path.unlink()
        except OSError:
            return  # a stale file is replaced at the next start


def open_all(config: Config, owner: Owner | None) -> tuple[Listening, ...]:
    """Open every socket of the configuration, or none. Raises StartError."""
    opened: list[Listening] = []
    try:
        for listener in config.listen:
            opened.append(replace(_open(listener.socket, config, owner), role=listener.role))
    except StartError:
        for listening in opened:
            listening.remove()
        raise
    return tuple(opened)


def _open(address: str, config: Config, owner: Owner | None) -> Listening:
    kind, _, rest = address.partition(":")
    if kind == "unix":
        return _open_unix(address, Path(rest), config, owner)
    return _open_inet(address, kind, rest)


def _open_unix(address: str, path: Path, config: Config, owner: Owner | None) -> Listening:
    _clear_stale(address, path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(path))
        inode = _inode(path)
        # Nobody can connect before listen(): owner, group and mode are complete by then.
        uid, gid = owner.uid if owner else -1, _group(config)
        if (uid, gid) != (-1, -1):
            os.chown(path, uid, gid)
        path.chmod(config.mode)
        _listen(listening)
    except OSError as error:
        listening.close()
        raise StartError("start.socket", f"listen: {address}: {_advice(error, path)}") from None
    except StartError:
        listening.close()
        path.unlink(missing_ok=True)
        raise
    return Listening(address, listening, path, inode)


def _clear_stale(address: str, path: Path) -> None:
    """Remove the socket file of a daemon that is gone. Raises StartError where one is alive, or where it is no
    socket."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise StartError("start.socket", f"listen: {address}: {_advice(error, path)}") from None
    if not stat.S_ISSOCK(mode):
        raise StartError(
            "start.not-a-socket", f"listen: {address}: this file is not a socket: remove it, or name another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        result = probe.connect_ex(str(path))
    if result == errno.ECONNREFUSED:
        try:
            path.unlink()
        except OSError as error:
            raise StartError(
                "start.stale-socket", f"listen: {address}: can't remove the stale socket: {error.strerror}"
            ) from None
    elif result == errno.EACCES:
        raise StartError(
            "start.socket-of-another",
            f"listen: {address}: another user has a socket here: stop that daemon, or name another path",
        )
    elif result != errno.ENOENT:
        raise StartError(
            "start.socket-in-use",
            f"listen: {address}: another daemon is listening here: stop it first, or name another path",
        )


def _group(config: Config) -> int:
    """Without `socket_group` the folder decides: with its setgid bit the socket has the folder's group."""
    if config.socket_group is None:
        return -1
    try:
        return grp.getgrnam(config.socket_group).gr_gid
    except KeyError:
        raise StartError(
            "socket-group.missing",
            f"socket_group: there is no group {config.socket_group!r}: create it, or name another",
        ) from None


def bind_inet(kind: str, place: str) -> socket.socket:
    """A TCP socket with that address, HOST:PORT as the configuration writes it, which nobody can connect to yet. Raises
    OSError."""
    host, _, port = place.rpartition(":")
    family = socket.AF_INET6 if kind == "inet6" or host.startswith("[") else socket.AF_INET
    found = socket.getaddrinfo(host.strip("[]"), int(port), family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit this. libmilter answers in several small writes, and Nagle would hold back the
        # last.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(found[0][4])
    except OSError:
        bound.close()
        raise
    return bound


def _open_inet(address: str, kind: str, place: str) -> Listening:
    try:
        listening = bind_inet(kind, place)
        _listen(listening)
    except socket.gaierror as error:
        host = place.rpartition(":")[0].strip("[]")
        text = f"listen: {address}: {host}: {error.strerror}: name an address of this host"
        raise StartError("start.listen-address", text) from None
    except OSError as error:
        raise StartError("start.socket", f"listen: {address}: {_advice(error, None)}") from None
    return Listening(address, listening)


def _listen(listening: socket.socket) -> None:
    listening.listen(socket.SOMAXCONN)
    # All workers wait on this one socket, and one of them gets a connection: the others must not sleep in accept().
    listening.setblocking(False)


def _advice(error: OSError, path: Path | None) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "the port is in use: stop the program that listens there (ss -ltnp shows it), or choose another port"
        case errno.EADDRNOTAVAIL:
            return "this host does not have that address: name an address of this host"
        case errno.ENOENT if path is not None:
            return (
                f"the folder {path.parent} does not exist: create it (`make install` and systemd-tmpfiles create the "
                "usual folder)"
            )
        case errno.ENOTDIR if path is not None:
            return f"{path.parent} is not a folder"
        case errno.EACCES if path is not None:
            return f"no permission to create a socket in {path.parent}"
        case errno.EACCES:
            return "no permission: only root can open ports below 1024"
        case errno.EPERM:
            return (
                "no permission to give the socket that owner or group: set the setgid bit of its folder instead "
                "(mode 2750), or start as root"
            )
    return error.strerror or str(error)


def _inode(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino
