"""One MTA connection: collects what the MTA hands over, asks the gate, applies the answer. Nothing is judged here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from dkimgate.config.dkimgate_yaml import Config
from dkimgate.config.problem import Problem
from dkimgate.facts import Disposition, Outcome
from dkimgate.log import Level, describe, log
from dkimgate.message.limits import Collected
from dkimgate.message.message import Connection, Envelope, HeaderField, Message
from dkimgate.srs import NotRestored
from dkimgate.wire import protocol as p

ACTIONS: int = p.SMFIF_ADDHDRS | p.SMFIF_CHGHDRS | p.SMFIF_CHGFROM | p.SMFIF_QUARANTINE | p.SMFIF_SETSYMLIST
"""What this milter may ask of the MTA."""

# Connect and helo keep their reply: pymilter may fail there before this code is reached (a HELO that is not UTF-8), and
# an unexpected reply is worse than one round trip a connection. A body chunk keeps it so that the rest can be skipped.
_OPTIONS: int = (
    p.SMFIP_NR_MAIL
    | p.SMFIP_NR_RCPT
    | p.SMFIP_NR_HDR
    | p.SMFIP_NR_EOH
    | p.SMFIP_NODATA
    | p.SMFIP_NOUNKNOWN
    | p.SMFIP_SKIP
    | p.SMFIP_HDR_LEADSPC
)

# The queue id is asked for only behind MAIL FROM: libmilter keeps the macros of MAIL from one message to the next.
_MACROS = (
    (p.SMFIM_CONNECT, "{daemon_name}"),
    (p.SMFIM_HELO, "{tls_version} {cipher}"),
    (p.SMFIM_ENVFROM, "{auth_authen}"),
    (p.SMFIM_ENVRCPT, "i"),
    (p.SMFIM_EOH, "i"),
    (p.SMFIM_EOM, "i"),
)

# the steps that the MTA need not wait for, where it agrees
_NO_REPLY: dict[str, int] = {
    "envfrom": p.SMFIP_NR_MAIL,
    "envrcpt": p.SMFIP_NR_RCPT,
    "header": p.SMFIP_NR_HDR,
    "eoh": p.SMFIP_NR_EOH,
}

_TRY_AGAIN = "This message could not be judged, try again later"


class Context(Protocol):
    """The way back to the MTA: a `Conversation`, or what pymilter calls a milterContext (which may raise
    Milter.error)."""

    def getsymval(self, name: str, /) -> str | None: ...
    def setsymlist(self, stage: int, names: str, /) -> None: ...
    def setreply(self, code: str, extended: str, text: str, /) -> None: ...
    def addheader(self, name: str, value: str, index: int, /) -> None: ...
    def chgheader(self, name: str, index: int, value: str | None, /) -> None: ...
    def chgfrom(self, sender: str, /) -> None: ...
    def quarantine(self, reason: str, /) -> None: ...


class Passage(Protocol):
    """One message on its way through the gate."""

    @property
    def wants_body(self) -> bool: ...
    def body(self, chunk: bytes, /) -> None: ...
    def end(self) -> Outcome: ...
    def abort(self, reason: str, /) -> None: ...


class Judge(Protocol):
    """What the daemon needs of the gate: everything loaded, one a process."""

    @property
    def config(self) -> Config: ...
    @property
    def warnings(self) -> tuple[Problem, ...]: ...
    @property
    def broken(self) -> tuple[Problem, ...]: ...
    @property
    def loaded(self) -> Mapping[str, str]: ...
    @property
    def trouble(self) -> str: ...
    @property
    def replaced(self) -> Mapping[str, tuple[str, str]]: ...
    def examine(self) -> bool: ...
    def judge(self, message: Message, /) -> Passage: ...
    def restore(self, address: str, /) -> str | NotRestored: ...


class Session:
    """The callbacks of one connection, which carries any number of messages. They return libmilter's SMFIS codes.

    What a callback raises is for `failed`: the message is deferred, and the next one goes on.
    """

    def __init__(self, judge: Judge, role: str = "gate") -> None:
        self._judge = judge
        self._role = role
        self._actions = 0
        self._options = 0
        self._connection = Connection()
        self._forget()

    def _forget(self) -> None:
        """Be ready for the next message."""
        self._sender = ""
        self._auth: str | None = None
        self._recipients: list[str] = []
        self._header = Collected()
        self._passage: Passage | None = None
        self._broken = False

    def negotiate(self, context: Context, options: list[int]) -> int:
        """Agree on what the MTA sends and does. `options` holds its offer and is changed into our choice."""
        self._actions = options[0] & ACTIONS
        self._options = options[1] & _OPTIONS
        if self._actions & p.SMFIF_SETSYMLIST:
            for stage, names in _MACROS:
                context.setsymlist(stage, names)
        options[:] = [self._actions, self._options, 0, 0]
        return p.SMFIS_CONTINUE

    def connect(self, context: Context, name: str, _family: int, address: tuple[object, ...] | str | None) -> int:
        """The client, by name and address; a client without an IP address has none."""
        ip = str(address[0]) if isinstance(address, tuple) else None
        self._connection = Connection(ip=ip, name=name, daemon=_macro(context, "{daemon_name}"))
        return p.SMFIS_CONTINUE

    def hello(self, context: Context, name: str | None) -> int:
        """HELO or EHLO; None where it is no text. It comes again after STARTTLS, and only then Postfix tells about
        TLS."""
        tls = " ".join(filter(None, (_macro(context, "{tls_version}"), _macro(context, "{cipher}"))))
        self._connection = replace(self._connection, helo=name, tls=tls or None)
        return p.SMFIS_CONTINUE

    def envfrom(self, context: Context, sender: bytes, *_parameters: bytes) -> int:
        """MAIL FROM: a message begins."""
        self._abandon("the next message began before this one ended")
        self._forget()
        self._sender = _address(sender)
        self._auth = _macro(context, "{auth_authen}")
        return self._go_on("envfrom")

    def envrcpt(self, _context: Context, recipient: bytes, *_parameters: bytes) -> int:
        """RCPT TO."""
        self._recipients.append(_address(recipient))
        return self._go_on("envrcpt")

    def header(self, _context: Context, name: bytes, value: bytes) -> int:
        """One header field. Behind the bounds nothing is kept: the message goes on, unsigned."""
        if self._header.problem is None:
            # Without the option the MTA has eaten the one space that nearly every value begins with.
            space = b"" if self._options & p.SMFIP_HDR_LEADSPC else b" "
            self._header.add(HeaderField(name, space + value))
        return self._go_on("header")

    @property
    def header_is_full(self) -> bool:
        """Nothing is kept of the fields that follow."""
        return self._header.problem is not None

    def eoh(self, context: Context) -> int:
        """The header is complete: the gate judges."""
        self._begin(context)
        return self._go_on("eoh")

    def body(self, context: Context, chunk: bytes) -> int:
        """A piece of the body, CRLF line ends, cut anywhere."""
        if not self._broken and (passage := self._begin(context)).wants_body:
            passage.body(chunk)
            return p.SMFIS_CONTINUE
        return p.SMFIS_SKIP if self._options & p.SMFIP_SKIP else p.SMFIS_CONTINUE

    def eom(self, context: Context) -> int:
        """The message is complete: the record is written, then the MTA hears the verdict."""
        if self._broken:
            self._abandon("an internal error")
            self._forget()
            return _refuse(context, "451", "4.3.0", _TRY_AGAIN)
        outcome = self._begin(context).end()
        header = self._header.fields
        self._forget()
        return self._apply(context, outcome, header)

    def abort(self, _context: Context) -> int:
        """The message ends here (RSET, a lost connection, a refusal by another milter)."""
        self._abandon("the MTA aborted the message")
        self._forget()
        return p.SMFIS_CONTINUE

    def close(self, _context: Context) -> int:
        """The connection ends."""
        self._abandon("the MTA closed the connection")
        self._forget()
        return p.SMFIS_CONTINUE

    def failed(self, step: str, context: Context, error: Exception) -> int:
        """The answer to the MTA when a callback raised `error`: this message is deferred, and no traceback leaves."""
        log(f"{step}: {describe(error)}: the message is deferred", Level.ERROR)
        self._broken = True
        if step == "negotiate":
            return p.SMFIS_REJECT
        if step != "eom":
            return self._go_on(step)
        self._forget()
        try:
            return _refuse(context, "451", "4.3.0", _TRY_AGAIN)
        except Exception:  # noqa: BLE001  the refusal matters, not its text
            return p.SMFIS_TEMPFAIL

    def _go_on(self, step: str) -> int:
        return p.SMFIS_NOREPLY if self._options & _NO_REPLY.get(step, 0) else p.SMFIS_CONTINUE

    def _begin(self, context: Context) -> Passage:
        """The passage of the message at hand; some MTAs send no end of header where there is no header."""
        if self._passage is None:
            self._passage = self._judge.judge(
                Message(
                    connection=replace(self._connection, auth=self._auth),
                    envelope=Envelope(self._sender, tuple(self._recipients)),
                    header=tuple(self._header.fields),
                    queue_id=_macro(context, "i"),
                    problem=self._header.problem,
                    role=self._role,
                )
            )
        return self._passage

    def _abandon(self, reason: str) -> None:
        passage, self._passage = self._passage, None
        if passage is None:
            return
        try:
            passage.abort(reason)
        except Exception as error:  # noqa: BLE001  this message is over, and the next must not pay for it
            log(f"can't end a message that was given up: {describe(error)}", Level.ERROR)

    def _apply(self, context: Context, outcome: Outcome, header: list[HeaderField]) -> int:
        match outcome.disposition:
            case Disposition.DEFER:
                return _refuse(context, "451", "4.7.1", outcome.text or _TRY_AGAIN)
            case Disposition.REJECT:
                return _refuse(context, "550", "5.7.1", outcome.text or "Message refused by policy")
            case Disposition.DISCARD:
                return p.SMFIS_DISCARD
        self._change_sender(context, outcome.sender)
        self._edit(context, outcome, header)
        self._insert(context, outcome.fields)
        if outcome.disposition is Disposition.HOLD:
            context.quarantine(_plain(outcome.text or "held by policy"))
        return p.SMFIS_ACCEPT

    def _change_sender(self, context: Context, sender: str | None) -> None:
        """Rewrite the envelope sender. Where that can't be done the message must not go on: it would pass where it
        should not."""
        if sender is None:
            return
        if not self._actions & p.SMFIF_CHGFROM:
            raise RuntimeError("the MTA lets no milter change the envelope sender")
        if not re.fullmatch(r"[!-;=?-~]+", sender):
            raise ValueError(f"not one address: {sender!r}")
        context.chgfrom(f"<{sender}>")

    def _edit(self, context: Context, outcome: Outcome, header: list[HeaderField]) -> None:
        """Change fields, and take fields off the header. The MTA counts those of one name, in any case, from 1; changes
        leave the count as it is, so they come first; then from the last to the first, for a field that is gone may no
        longer count.

        All or nothing: what can't be removed must not go on, somebody would believe it; and our signature is made over
        what is changed.
        """
        if not outcome.changed and not outcome.remove:
            return
        values: dict[int, str | None] = {
            position: self._outgoing(value, "utf-8") for position, value in outcome.changed
        }
        values |= dict.fromkeys(outcome.remove)
        if not self._actions & p.SMFIF_CHGHDRS:
            raise RuntimeError("the MTA lets no milter change or remove header fields")
        changing: list[tuple[str, int, str | None]] = []
        removing: list[tuple[str, int, str | None]] = []
        standing: Counter[bytes] = Counter()
        for position, field in enumerate(header):
            name = field.name.rstrip(b" \t")
            standing[name.lower()] += 1
            if position in values:
                edit = (name.decode("utf-8", "surrogateescape"), standing[name.lower()], values[position])
                (removing if edit[2] is None else changing).append(edit)
        for edit in (*changing, *reversed(removing)):
            context.chgheader(*edit)

    def _insert(self, context: Context, fields: tuple[tuple[str, bytes], ...]) -> None:
        """Put fields at the top. All or none: a part of a signature set is none, and no signature is worth a lost
        message."""
        try:
            ready = [(name, self._outgoing(value, "ascii")) for name, value in fields]
        except ValueError as error:
            log(f"can't add a header field, so the message leaves without new fields: {describe(error)}", Level.ERROR)
            return
        if ready and not self._actions & p.SMFIF_ADDHDRS:
            log("the MTA does not allow new header fields: the message leaves unsigned", Level.ERROR)
            return
        for name, value in reversed(ready):
            context.addheader(name, value, 0)

    def _outgoing(self, value: bytes, charset: str) -> str:
        """A value as pymilter takes it. Raises ValueError where it can't be sent."""
        text = value.replace(b"\r\n", b"\n").decode(charset)
        if "\0" in text or "\r" in text or re.search(r"\n(?![ \t])", text):
            raise ValueError(f"not one header field: {text!r}")
        # One space behind the colon: ours to write, or else the MTA's.
        return (" " if self._options & p.SMFIP_HDR_LEADSPC else "") + text.removeprefix(" ")


def _macro(context: Context, name: str) -> str | None:
    """An MTA's macro; one that is no UTF-8 counts as absent, which never helps a message."""
    try:
        return context.getsymval(name) or None
    except UnicodeDecodeError:
        return None


def _address(argument: bytes) -> str:
    """The address of MAIL FROM or RCPT TO. Postfix sends none of the angle brackets for mail from sendmail(1)."""
    text = argument.decode("utf-8", "surrogateescape").strip()
    return text[1:-1] if text.startswith("<") and text.endswith(">") else text


def _plain(text: str) -> str:
    """One line of printable ASCII that fits into an SMTP reply (RFC 5321 section 4.5.3.1.5: 512 octets)."""
    return re.sub(r"[^\x20-\x7e]+", " ", text).strip()[:450]


def _refuse(context: Context, code: str, extended: str, text: str) -> int:
    # Sendmail takes the text for a format; Postfix undoes the doubling.
    context.setreply(code, extended, _plain(text).replace("%", "%%"))
    return p.SMFIS_TEMPFAIL if code.startswith("4") else p.SMFIS_REJECT
