"""One MTA's side of a talk and ours, without a socket: packets in, the session's callbacks, packets out."""

from __future__ import annotations

import socket
from collections.abc import Callable

from dkimgate.daemon.session import Judge, Session
from dkimgate.wire import protocol as p
from dkimgate.wire.packets import Packets, ProtocolError, number, number_at, packet, strings

_LARGEST_MACROS = 1024 * 1024
"""Octets of one packet of macros. What Postfix sends has a few hundred."""

_VERDICTS = {
    p.SMFIS_CONTINUE: p.SMFIR_CONTINUE,
    p.SMFIS_REJECT: p.SMFIR_REJECT,
    p.SMFIS_DISCARD: p.SMFIR_DISCARD,
    p.SMFIS_ACCEPT: p.SMFIR_ACCEPT,
    p.SMFIS_TEMPFAIL: p.SMFIR_TEMPFAIL,
    p.SMFIS_SKIP: p.SMFIR_SKIP,
}

# The replies that may come with an SMTP reply of ours, and the digit that it begins with
_REFUSALS = {p.SMFIS_REJECT: "5", p.SMFIS_TEMPFAIL: "4"}

_MDS = p.SMFIP_MDS_1M | p.SMFIP_MDS_256K


class Conversation:
    """The milter's end of one connection. It is what a session calls its `Context`.

    `over`: the MTA has said goodbye. `at_the_end`: the session is at the end of a message, and the MTA waits for the
    verdict.
    """

    def __init__(self, judge: Judge, role: str) -> None:
        self.over = False
        self.at_the_end = False
        self._session = Session(judge, role)
        self._packets = Packets()
        self._out: list[bytes] = []
        self._state = _NEW
        self._skips_fields = False
        self._macros: dict[bytes, dict[bytes, bytes]] = {}
        self._wanted_macros: list[bytes] = []
        self._reply: str | None = None

    def receive(self, octets: bytes) -> bytes:
        """Take what has arrived; what is to be sent back. Raises ProtocolError: then the connection is to be closed,
        and `lost` called."""
        for command, data in self._packets.cut(octets):
            if self._skips_fields and command == p.SMFIC_HEADER:
                continue
            if command not in _COMMANDS:
                raise ProtocolError(f"a packet of the unknown kind {_shown(command)}")
            take, least, most, then = _COMMANDS[command]
            if not least <= self._state <= most:
                raise ProtocolError(f"the packet {_shown(command)} out of its order")
            if then is not None:
                self._state, self._skips_fields = then, False
            take(self, data)
            if self.over:
                break
        answer = b"".join(self._out)
        self._out.clear()
        return answer

    def lost(self) -> None:
        """The connection is gone, or is given up."""
        if not self.over:
            self.over = True
            self._call("close", self._session.close)

    # -- what the MTA says --

    def _option_negotiation(self, data: bytes) -> None:
        """Version, actions, steps; newer MTAs may append more, which is theirs."""
        version, actions, steps = (number_at(data, place) for place in (0, 4, 8))
        if version < p.OLDEST_VERSION:
            raise ProtocolError(f"version {version} of the milter protocol: expected {p.OLDEST_VERSION} or newer")
        options = [actions, steps, 0, 0]
        if self._call("negotiate", self._session.negotiate, options) != p.SMFIS_CONTINUE:
            raise ProtocolError("no negotiation")
        # A larger chunk of the body means fewer replies to wait for.
        larger = p.SMFIP_MDS_1M if steps & p.SMFIP_MDS_1M else steps & _MDS
        agreed = (min(version, p.VERSION), options[0], options[1] | larger)
        self._out.append(packet(p.SMFIC_OPTNEG, b"".join((*map(number, agreed), *self._wanted_macros))))

    def _macro(self, data: bytes) -> None:
        """The macros of the step that follows."""
        if len(data) > _LARGEST_MACROS:
            raise ProtocolError(f"{len(data)} octets of macros: expected {_LARGEST_MACROS} at most")
        words = data[1:].split(b"\0")
        self._macros[data[:1]] = dict(zip(words[::2], words[1::2], strict=False))

    def _connect(self, data: bytes) -> None:
        """Name, family, port, address; the latter two only where there are any."""
        name, rest = (*data.split(b"\0", 1), b"")[:2]
        if not rest:
            raise ProtocolError("the client has no address, and no word that it has none")
        family = rest[:1]
        address = (_ip(family, rest[3:]),) if family in _FAMILIES else None
        self._step("connect", self._session.connect, _text(name), 0, address)

    def _hello(self, data: bytes) -> None:
        self._step("hello", self._session.hello, _text_or_none(strings(data, 1, 1)[0]))

    def _mail(self, data: bytes) -> None:
        # Those of a message that was not ended; its own of MAIL are there already.
        self._forget_macros(_OF_A_MESSAGE[1:])
        self._step("envfrom", self._session.envfrom, strings(data, 1, 1)[0])

    def _rcpt(self, data: bytes) -> None:
        self._step("envrcpt", self._session.envrcpt, strings(data, 1, 1)[0])

    def _header(self, data: bytes) -> None:
        name, value = strings(data, 2, 2)
        code = self._call("header", self._session.header, name, value)
        if code != p.SMFIS_NOREPLY:
            self._answer(code)
        else:  # a million tiny ones would be a second's work, and the MTA waits for no answer
            self._skips_fields = self._session.header_is_full

    def _end_of_header(self, _data: bytes) -> None:
        self._step("eoh", self._session.eoh)

    def _body(self, data: bytes) -> None:
        self._step("body", self._session.body, data)

    def _end_of_body(self, data: bytes) -> None:
        """The end of the message, with the last piece of its body where the MTA puts it here."""
        if data:
            self._call("body", self._session.body, data)
        self.at_the_end = True
        try:
            self._step("eom", self._session.eom)
        finally:
            self.at_the_end = False
        self._forget_macros(_OF_A_MESSAGE)

    def _abort(self, _data: bytes) -> None:
        """No reply. It comes without a message too."""
        self._call("abort", self._session.abort)
        self._forget_macros(_OF_A_MESSAGE)

    def _quit(self, _data: bytes) -> None:
        self.lost()

    def _quit_and_next(self, _data: bytes) -> None:
        self._call("close", self._session.close)
        self._macros.clear()

    def _of_no_interest(self, _data: bytes) -> None:
        """DATA and unknown commands, from an MTA too old to leave them out."""
        self._answer(p.SMFIS_CONTINUE)

    def _forget_macros(self, stages: tuple[bytes, ...]) -> None:
        """The next message's login and queue id are its own, or none."""
        for stage in stages:
            self._macros.pop(stage, None)

    # -- the session and its answers --

    def _step(self, step: str, callback: Callable[..., int], *arguments: object) -> None:
        code = self._call(step, callback, *arguments)
        if code != p.SMFIS_NOREPLY:
            self._answer(code)

    def _call(self, step: str, callback: Callable[..., int], *arguments: object) -> int:
        try:
            return callback(self, *arguments)
        except Exception as error:  # noqa: BLE001  one message must not take the others along
            return self._session.failed(step, self, error)

    def _answer(self, code: int) -> None:
        text, self._reply = self._reply, None
        if text is not None and text.startswith(_REFUSALS.get(code, "-")):
            self._out.append(packet(p.SMFIR_REPLYCODE, _octets(text) + b"\0"))
        else:
            self._out.append(packet(_VERDICTS[code]))

    # -- what a session asks of its context --

    def getsymval(self, name: str) -> str | None:
        """A macro's value; where several stages have it, that of the latest. Raises UnicodeDecodeError."""
        wanted = name.encode()
        for stage in _NEWEST_FIRST:
            value = self._macros.get(stage, _NONE).get(wanted)
            if value is not None:
                return value.decode()
        return None

    def setsymlist(self, stage: int, names: str) -> None:
        """Ask for these macros alone at that stage (SMFIM_...)."""
        self._wanted_macros.append(number(stage) + _octets(names) + b"\0")

    def setreply(self, code: str, extended: str, text: str) -> None:
        """The SMTP reply, if the callback refuses."""
        self._reply = f"{code} {extended} {text}"

    def addheader(self, name: str, value: str, index: int) -> None:
        """Insert a field; 0 is the top."""
        self._out.append(packet(p.SMFIR_INSHEADER, number(index) + _octets(f"{name}\0{value}\0")))

    def chgheader(self, name: str, index: int, value: str | None) -> None:
        """Change the `index`-th field of that name, from 1; None removes it."""
        self._out.append(packet(p.SMFIR_CHGHEADER, number(index) + _octets(f"{name}\0{value or ''}\0")))

    def chgfrom(self, sender: str) -> None:
        """Change the envelope sender."""
        self._out.append(packet(p.SMFIR_CHGFROM, _octets(sender) + b"\0"))

    def quarantine(self, reason: str) -> None:
        """Hold the message."""
        self._out.append(packet(p.SMFIR_QUARANTINE, _octets(reason) + b"\0"))


# States: before the negotiation, between messages, and in a message behind the step of that number
_NEW, _READY, _MAIL, _RCPT, _DATA, _HEADER, _EOH, _BODY = range(-1, 7)

# A packet: what takes it, from which state to which it may come, and the state behind it (None: the same). A step of a
# message may be left out, and none goes back, but that the next MAIL may come at any time.
_COMMANDS: dict[bytes, tuple[Callable[[Conversation, bytes], None], int, int, int | None]] = {
    p.SMFIC_OPTNEG: (Conversation._option_negotiation, _NEW, _NEW, _READY),
    p.SMFIC_MACRO: (Conversation._macro, _READY, _BODY, None),
    p.SMFIC_CONNECT: (Conversation._connect, _READY, _READY, None),
    p.SMFIC_HELO: (Conversation._hello, _READY, _BODY, None),
    p.SMFIC_MAIL: (Conversation._mail, _READY, _BODY, _MAIL),
    p.SMFIC_RCPT: (Conversation._rcpt, _MAIL, _RCPT, _RCPT),
    p.SMFIC_DATA: (Conversation._of_no_interest, _MAIL, _DATA, _DATA),
    p.SMFIC_HEADER: (Conversation._header, _MAIL, _HEADER, _HEADER),
    p.SMFIC_EOH: (Conversation._end_of_header, _MAIL, _HEADER, _EOH),
    p.SMFIC_BODY: (Conversation._body, _MAIL, _BODY, _BODY),
    p.SMFIC_BODYEOB: (Conversation._end_of_body, _MAIL, _BODY, _READY),
    p.SMFIC_ABORT: (Conversation._abort, _READY, _BODY, _READY),
    p.SMFIC_UNKNOWN: (Conversation._of_no_interest, _READY, _BODY, None),
    p.SMFIC_QUIT_NC: (Conversation._quit_and_next, _READY, _BODY, _READY),
    p.SMFIC_QUIT: (Conversation._quit, _NEW, _BODY, None),
}

# The stages that macros come with
_OF_A_MESSAGE = (p.SMFIC_MAIL, p.SMFIC_RCPT, p.SMFIC_DATA, p.SMFIC_HEADER, p.SMFIC_EOH, p.SMFIC_BODY, p.SMFIC_BODYEOB)
_NEWEST_FIRST = (*reversed(_OF_A_MESSAGE), p.SMFIC_HELO, p.SMFIC_CONNECT)
_NONE: dict[bytes, bytes] = {}
_FAMILIES = {p.SMFIA_INET: socket.AF_INET, p.SMFIA_INET6: socket.AF_INET6}


def _ip(family: bytes, data: bytes) -> str:
    """The client's address as inet_ntop(3) writes it. Sendmail puts `IPv6:` before one of that family."""
    text = strings(data, 1, 1)[0].removeprefix(b"IPv6:").decode("latin-1")
    try:
        return socket.inet_ntop(_FAMILIES[family], socket.inet_pton(_FAMILIES[family], text))
    except (OSError, ValueError):
        raise ProtocolError(f"not an IP address: {text[:100]!r}") from None


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _text_or_none(octets: bytes) -> str | None:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return None


def _shown(command: bytes) -> str:
    return ascii(command.decode("latin-1"))
