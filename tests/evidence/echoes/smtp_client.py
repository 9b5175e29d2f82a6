"""Says to SMTP servers just what it is told, also what no library would let through.

It reads a list of sessions as JSON, and prints as JSON for each the first refusal, or the empty string. It needs nothing but
Python, for it runs in the network namespace by itself.
"""

from __future__ import annotations

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

SECONDS = 30.0
AT_A_TIME = 8


def main() -> None:
    """Play all sessions, some at a time."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        print(json.dumps(list(pool.map(_outcome, json.load(sys.stdin)))))


def _outcome(session: dict[str, Any]) -> str:
    try:
        return play(**session)
    except OSError as error:
        return f"no answer: {error}"


def play(server: str, port: int, client: str, helo: str, sender: str, recipient: str, message: str) -> str:
    """One session; texts hold octets as Latin-1."""
    with (
        socket.create_connection((server, port), SECONDS, (client, 0)) as connection,
        connection.makefile("rb") as replies,
    ):
        lines = [
            None,
            f"EHLO {helo}",
            f"MAIL FROM:<{sender}>{'' if sender.isascii() else ' SMTPUTF8'}",
            f"RCPT TO:<{recipient}>",
            "DATA",
        ]
        body = message.replace("\r\n.", "\r\n..") + ("" if message.endswith("\r\n") else "\r\n") + "."
        for line in [*lines, body]:
            if line is not None:
                connection.sendall(line.encode("utf-8" if line is not body else "latin-1") + b"\r\n")
            reply = _reply(replies)
            if reply[:1] not in ("2", "3"):
                return f"{reply} (to {(line or 'connection')[:40]!r})"
        connection.sendall(b"QUIT\r\n")
    return ""


def _reply(replies: BinaryIO) -> str:
    text = ""
    while True:
        line = replies.readline().decode("latin-1")
        text += line
        if line[3:4] != "-":  # also at the end of the connection
            return text.strip()


if __name__ == "__main__":
    main()
