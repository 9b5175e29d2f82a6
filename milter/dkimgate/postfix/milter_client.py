"""The MTA's side of the milter protocol, version 6: hands a message to a milter as Postfix does and collects the
answer."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import TracebackType

from dkimgate.message.message import Connection, HeaderField, Message
from dkimgate.wire import protocol as p
from dkimgate.wire.packets import LARGEST, number, number_at, packet
from dkimgate.wire.protocol import CHUNK

# A step: the bit that says "don't send it to me", the bit that says "I won't answer it", the number of its macro list.
_NOT_WANTED = {
    "C": p.SMFIP_NOCONNECT,
    "H": p.SMFIP_NOHELO,
    "M": p.SMFIP_NOMAIL,
    "R": p.SMFIP_NORCPT,
    "B": p.SMFIP_NOBODY,
    "L": p.SMFIP_NOHDRS,
    "N": p.SMFIP_NOEOH,
}
_NO_ANSWER = {
    "C": p.SMFIP_NR_CONN,
    "H": p.SMFIP_NR_HELO,
    "M": p.SMFIP_NR_MAIL,
    "R": p.SMFIP_NR_RCPT,
    "L": p.SMFIP_NR_HDR,
    "N": p.SMFIP_NR_EOH,
    "B": p.SMFIP_NR_BODY,
}
_MACRO_LIST = {
    p.SMFIM_CONNECT: "C",
    p.SMFIM_HELO: "H",
    p.SMFIM_ENVFROM: "M",
    p.SMFIM_ENVRCPT: "R",
    p.SMFIM_EOM: "E",
    p.SMFIM_EOH: "N",
}


class MilterError(Exception):
    """The milter can't be reached, closed the connection, was silent for too long, or broke the protocol."""


class Verdict(Enum):
    """The answer to a step, by the octet that stands for it."""

    CONTINUE = "c"
    ACCEPT = "a"
    REJECT = "r"
    TEMPFAIL = "t"
    DISCARD = "d"
    SKIP = "s"


@dataclass(frozen=True, slots=True)
class Insertion:
    """A field for the header at `index` (0 is the top), or at its end where that is None."""

    index: int | None
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """The `index`-th field of that name (from 1) gets another value; an empty one removes it."""

    index: int
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What a milter made of a message. `text` is the SMTP reply (`550 5.7.1 ...`), None where it leaves that to the
    MTA.

    `step` is the protocol's letter for the event it answers: E is the end of the message.
    """

    verdict: Verdict
    step: str = "E"
    text: str | None = None
    edits: tuple[Insertion | Change, ...] = ()
    sender: str | None = None
    quarantine: str | None = None

    @property
    def inserted(self) -> tuple[Insertion, ...]:
        """The fields to insert or add, in the order in which the milter named them."""
        return tuple(edit for edit in self.edits if isinstance(edit, Insertion))

    @property
    def accepted(self) -> bool:
        """The message goes on its way (held or not)."""
        return self.verdict in (Verdict.CONTINUE, Verdict.ACCEPT)

    def apply(self, header: Iterable[HeaderField], body: bytes) -> bytes:
        """The message as it departs: header and body with the milter's changes, CRLF line ends."""
        fields = list(header)
        for edit in self.edits:
            match edit:
                case Insertion(None, name, value):
                    fields.append(HeaderField(name, value))
                case Insertion(int(index), name, value):
                    fields.insert(index, HeaderField(name, value))
                case Change(index, name, value):
                    same = [place for place, each in enumerate(fields) if each.key == name.decode("latin-1").lower()]
                    if index <= len(same):
                        fields[same[index - 1] : same[index - 1] + 1] = [HeaderField(name, value)] if value else []
        lines = [
            each.name + b":" + each.value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"\r\n" for each in fields
        ]
        return b"".join(lines) + b"\r\n" + body


class MilterClient:
    """One connection to a milter: `open`, then any number of messages, then `close` (a `with` does both ends).

    `send` hands over a whole message; the methods from `mail` to `end` are its steps. Each may raise MilterError. A
    step returns the reply that ended the message before its time, or None where it goes on.
    """

    def __init__(self, address: str, timeout: float = 10.0, *, angle_brackets: bool = True) -> None:
        """`address` as Postfix writes it: unix:PATH or inet:HOST:PORT. `timeout`: seconds for any one answer.

        Postfix sends envelope addresses in angle brackets for mail that comes by SMTP, and without for sendmail(1)'s.
        """
        self._timeout = timeout
        self._brackets = angle_brackets
        self._socket = _dial(address, timeout)
        self._steps = 0
        self._macros: dict[str, frozenset[str]] = {}
        self._skip_body = False

    def __enter__(self) -> MilterClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self, connection: Connection) -> Reply | None:
        """Negotiate, and say which SMTP client there is."""
        self._packet("O", b"".join(map(number, (p.VERSION, p.ALL_ACTIONS, p.ALL_STEPS))))
        command, data = self._receive()
        if command != "O" or len(data) < 12:
            raise MilterError("expected the milter's side of the negotiation")
        self._steps = number_at(data, 8)
        self._read_macro_lists(data[12:])
        reply = self._step(
            "C", _connect_data(connection), {"j": "mta.example", "{daemon_name}": connection.daemon or "smtpd"}
        )
        if reply is None and connection.helo is not None:
            version, _, cipher = (connection.tls or "").partition(" ")
            macros = {"{tls_version}": version, "{cipher}": cipher} if connection.tls else {}
            reply = self._step("H", _octets(connection.helo) + b"\0", macros)
        return reply

    def send(self, message: Message, body: bytes, chunk: int = CHUNK) -> Reply:
        """Hand over a message (body with CRLF line ends) and return the verdict."""
        reply = self.mail(message.envelope.sender, message.connection.auth)
        for recipient in message.envelope.recipients:
            reply = reply or self.recipient(recipient, message.queue_id)
        for each in message.header:
            reply = reply or self.header(each)
        reply = reply or self.end_of_header(message.queue_id)
        for start in range(0, len(body), chunk):
            reply = reply or self.body(body[start : start + chunk])
        return reply or self.end(message.queue_id)

    def mail(self, sender: str, auth: str | None = None) -> Reply | None:
        """MAIL FROM; `auth` is the login of an authenticated client."""
        self._skip_body = False
        return self._step("M", self._address(sender), {"{auth_authen}": auth} if auth else {})

    def recipient(self, recipient: str, queue_id: str | None = None) -> Reply | None:
        """RCPT TO."""
        return self._step("R", self._address(recipient), {"i": queue_id} if queue_id else {})

    def header(self, each: HeaderField) -> Reply | None:
        """One header field. A milter that did not ask for the leading space gets the value without one."""
        value = each.value if self._steps & p.SMFIP_HDR_LEADSPC else each.value.removeprefix(b" ")
        return self._step("L", each.name + b"\0" + value + b"\0")

    def end_of_header(self, queue_id: str | None = None) -> Reply | None:
        """The empty line."""
        return self._step("N", b"", {"i": queue_id} if queue_id else {})

    def body(self, chunk: bytes) -> Reply | None:
        """A part of the body, CHUNK octets at most. Nothing is sent once the milter has said that it needs no more."""
        if len(chunk) > CHUNK:
            raise ValueError(f"a body chunk has at most {CHUNK} octets")
        reply = None if self._skip_body else self._step("B", chunk)
        if reply is not None and reply.verdict is Verdict.SKIP:
            self._skip_body = True
            return None
        return reply

    def end(self, queue_id: str | None = None) -> Reply:
        """End of the message: the verdict, and the changes that come with it."""
        self._send_macros("E", {"i": queue_id} if queue_id else {})
        self._packet("E", b"")
        return self._read_reply("E")

    def abort(self) -> None:
        """Give the message at hand up (RSET)."""
        self._packet("A", b"")

    def close(self, *, quietly: bool = False) -> None:
        """End the connection as the protocol wants it, or without a word, as a crash does."""
        with contextlib.suppress(MilterError):  # the milter may have been faster
            if not quietly:
                self._packet("Q", b"")
        self._socket.close()

    def _step(self, step: str, data: bytes, macros: Mapping[str, str] | None = None) -> Reply | None:
        """Send a step that the milter wants, and its answer where it gives one. None: go on."""
        if self._steps & _NOT_WANTED[step]:
            return None
        self._send_macros(step, macros or {})
        self._packet(step, data)
        if self._steps & _NO_ANSWER[step]:
            return None
        reply = self._read_reply(step)
        return None if reply.verdict is Verdict.CONTINUE else reply

    def _address(self, address: str) -> bytes:
        return _octets(f"<{address}>" if self._brackets else address) + b"\0"

    def _send_macros(self, step: str, macros: Mapping[str, str]) -> None:
        wanted = self._macros.get(step)
        known = [(name, value) for name, value in macros.items() if wanted is None or name in wanted]
        if known:
            self._packet(
                "D", step.encode() + b"".join(_octets(name) + b"\0" + _octets(value) + b"\0" for name, value in known)
            )

    def _read_macro_lists(self, data: bytes) -> None:
        while len(data) > 4:
            names, _, rest = data[4:].partition(b"\0")
            step = _MACRO_LIST.get(number_at(data, 0))
            if step is not None:
                self._macros[step] = frozenset(names.decode("latin-1").replace(",", " ").split())
            data = rest

    def _read_reply(self, step: str) -> Reply:
        edits: list[Insertion | Change] = []
        sender = quarantine = None
        while True:  # changes come in packets of their own, ahead of the verdict
            command, data = self._receive()
            place, rest = (data[:4], data[4:]) if command in "im" else (b"", data)
            strings = rest.split(b"\0")
            match command:
                case "p":  # progress: it asks for patience
                    continue
                case "i" | "m" | "h" if len(strings) == 3:
                    name, value = strings[0], self._with_space(strings[1])
                    if command == "m":
                        edits.append(Change(int.from_bytes(place), name, value))
                    else:
                        edits.append(Insertion(int.from_bytes(place) if command == "i" else None, name, value))
                case "e":
                    sender = _text(strings[0]).removeprefix("<").removesuffix(">")
                case "q":
                    quarantine = _text(strings[0])
                case "y":
                    # Sendmail takes the text for a format string, so a per cent sign comes doubled; Postfix undoes it.
                    text = _text(strings[0]).replace("%%", "%")
                    verdict = Verdict.TEMPFAIL if text.startswith("4") else Verdict.REJECT
                    return Reply(verdict, step, text, tuple(edits), sender, quarantine)
                case "c" | "a" | "r" | "t" | "d" | "s":
                    return Reply(Verdict(command), step, None, tuple(edits), sender, quarantine)
                case _:
                    raise MilterError(f"unexpected answer {command!r} to step {step!r}")

    def _with_space(self, value: bytes) -> bytes:
        return value if self._steps & p.SMFIP_HDR_LEADSPC or not value else b" " + value

    def _packet(self, command: str, data: bytes) -> None:
        try:
            self._socket.sendall(packet(command.encode(), data))
        except OSError as error:
            raise MilterError(f"the milter closed the connection: {error.strerror or error}") from None

    def _receive(self) -> tuple[str, bytes]:
        length = number_at(self._exactly(4), 0)
        if not 1 <= length <= LARGEST:
            raise MilterError(f"a packet of {length} octets is no milter's")
        packet = self._exactly(length)
        return chr(packet[0]), packet[1:]

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            try:
                part = self._socket.recv(count - len(data))
            except TimeoutError:
                raise MilterError(f"no answer within {self._timeout:g} s") from None
            except OSError as error:
                raise MilterError(f"the connection broke: {error.strerror}") from None
            if not part:
                raise MilterError("the milter closed the connection")
            data += part
        return data


def _dial(address: str, timeout: float) -> socket.socket:
    kind, _, rest = address.partition(":")
    try:
        if kind == "unix":
            connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connected.settimeout(timeout)
            connected.connect(rest)
            return connected
        host, _, port = rest.rpartition(":")
        connected = socket.create_connection((host.strip("[]"), int(port)), timeout)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise MilterError(f"{address}: {error.strerror or error}") from None
    return connected


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _connect_data(connection: Connection) -> bytes:
    name = _octets(connection.name or "unknown") + b"\0"
    if connection.ip is None:
        return name + b"U"
    family = b"4" if ipaddress.ip_address(connection.ip).version == 4 else b"6"
    return name + family + struct.pack("!H", 0) + connection.ip.encode() + b"\0"
