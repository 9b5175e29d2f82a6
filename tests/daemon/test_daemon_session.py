"""The session without libmilter: what it collects, what it answers, and that nothing an MTA sends makes it raise or forget."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import Milter
import pytest

from dkimgate.config.dkimgate_yaml import Config
from dkimgate.config.problem import Problem
from dkimgate.daemon.session import ACTIONS, Session
from dkimgate.facts import Disposition, Outcome
from dkimgate.message import limits
from dkimgate.message.message import Message
from dkimgate.srs import NotRestored

ALL = 0x1FFFFF


@dataclass
class MTA:
    """libmilter's side: macros to read, and everything that was called."""

    macros: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def getsymval(self, name: str, /) -> str | None:
        value = self.macros.get(name)
        if value == "\udcff":
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
        return value

    def setsymlist(self, stage: int, names: str, /) -> None:
        self.calls.append(("setsymlist", stage, names))

    def setreply(self, code: str, extended: str, text: str, /) -> None:
        self.calls.append(("setreply", code, extended, text))

    def addheader(self, name: str, value: str, index: int, /) -> None:
        self.calls.append(("addheader", name, value, index))

    def chgheader(self, name: str, index: int, value: str | None, /) -> None:
        self.calls.append(("chgheader", name, index, value))

    def chgfrom(self, sender: str, /) -> None:
        self.calls.append(("chgfrom", sender))

    def quarantine(self, reason: str, /) -> None:
        self.calls.append(("quarantine", reason))


@dataclass
class Gate:
    """A gate that remembers what it was asked, and answers as it was told."""

    answer: Outcome = field(default_factory=Outcome)
    wants_body: bool = True
    config: Config = field(default_factory=Config)
    warnings: tuple[Problem, ...] = ()
    broken: tuple[Problem, ...] = ()
    loaded: dict[str, str] = field(default_factory=dict)
    trouble: str = ""
    replaced: dict[str, tuple[str, str]] = field(default_factory=dict)

    def examine(self) -> bool:
        return False

    messages: list[Message] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def judge(self, message: Message, /) -> Gate:
        self.messages.append(message)
        return self

    def restore(self, address: str, /) -> str | NotRestored:
        raise NotImplementedError

    def body(self, chunk: bytes, /) -> None:
        self.told.append(f"body {chunk!r}")

    def end(self) -> Outcome:
        self.told.append("end")
        return self.answer

    def abort(self, reason: str, /) -> None:
        self.told.append(f"abort: {reason}")


def opened(gate: Gate, mta: MTA, offered: int = ALL, actions: int = 0x1FF) -> Session:
    session = Session(gate)
    assert session.negotiate(mta, [actions, offered, 0, 0]) == Milter.CONTINUE
    session.connect(mta, "client.sender.example", 2, ("192.0.2.66", 25))
    session.hello(mta, "client.sender.example")
    return session


def passed(
    session: Session, mta: MTA, sender: bytes = b"<a@sender.example>", header: tuple[tuple[bytes, bytes], ...] = ()
) -> int:
    session.envfrom(mta, sender)
    session.envrcpt(mta, b"<b@receiver.example>")
    for name, value in header:
        session.header(mta, name, value)
    session.eoh(mta)
    session.body(mta, b"x\r\n")
    return session.eom(mta)


def test_negotiation_takes_only_what_is_offered() -> None:
    mta, options = MTA(), [0x1FF, ALL, 0, 0]
    Session(Gate()).negotiate(mta, options)
    assert options[0] == ACTIONS
    assert options[1] & Milter.P_HDR_LEADSPC
    assert options[1] & Milter.P_SKIP
    assert not options[1] & (
        Milter.P_NR_BODY | Milter.P_NR_HELO | Milter.P_NR_CONN | Milter.P_RCPT_REJ | Milter.P_NOBODY | Milter.P_NOHDRS
    )
    assert ("setsymlist", Milter.M_EOH, "i") in mta.calls
    mta, options = MTA(), [Milter.ADDHDRS, 0x7F, 0, 0]
    Session(Gate()).negotiate(mta, options)
    assert options == [Milter.ADDHDRS, 0, 0, 0]
    assert mta.calls == []


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        (b"<a@sender.example>", "a@sender.example"),
        (b"a@sender.example", "a@sender.example"),  # as Postfix sends it to non_smtpd_milters
        (b"<>", ""),
        (b"", ""),
        ("<ü@sender.example>".encode(), "ü@sender.example"),
        (b"<\xff@sender.example>", "\udcff@sender.example"),
    ],
)
def test_sender_in_all_its_forms(argument: bytes, address: str) -> None:
    gate, mta = Gate(), MTA()
    passed(opened(gate, mta), mta, argument)
    assert gate.messages[0].envelope.sender == address


def test_login_counts_for_one_message_only() -> None:
    gate, mta = Gate(), MTA({"{auth_authen}": "ask", "i": "4F2A", "{daemon_name}": "ORIGINATING"})
    session = opened(gate, mta)
    passed(session, mta)
    del mta.macros["{auth_authen}"], mta.macros["i"]
    passed(session, mta)
    assert [each.connection.auth for each in gate.messages] == ["ask", None]
    assert [each.queue_id for each in gate.messages] == ["4F2A", None]
    assert [each.connection.daemon for each in gate.messages] == ["ORIGINATING"] * 2


def test_tls_is_what_the_last_ehlo_says() -> None:
    gate, mta = Gate(), MTA()
    session = opened(gate, mta)
    session.hello(mta, "client.example")
    passed(session, mta)
    mta.macros |= {"{tls_version}": "TLSv1.3", "{cipher}": "TLS_AES_256_GCM_SHA384"}
    session.hello(mta, "client.example")  # behind STARTTLS
    passed(session, mta)
    assert [each.connection.tls for each in gate.messages] == [None, "TLSv1.3 TLS_AES_256_GCM_SHA384"]


def test_login_that_is_no_text_is_no_login() -> None:
    gate, mta = Gate(), MTA({"{auth_authen}": "\udcff", "i": "\udcff"})
    assert passed(opened(gate, mta), mta) == Milter.ACCEPT
    assert gate.messages[0].connection.auth is None
    assert gate.messages[0].queue_id is None


@pytest.mark.parametrize(
    ("address", "ip"),
    [(("192.0.2.66", 25), "192.0.2.66"), (("2001:db8::66", 25, 0, 0), "2001:db8::66"), ("/x", None), (None, None)],
)
def test_client_address(address: tuple[object, ...] | str | None, ip: str | None) -> None:
    gate, mta = Gate(), MTA()
    session = Session(gate)
    session.negotiate(mta, [0x1FF, ALL, 0, 0])
    session.connect(mta, "unknown", 1, address)
    passed(session, mta)
    assert gate.messages[0].connection.ip == ip


def test_nothing_of_a_message_is_left_for_the_next() -> None:
    gate, mta = Gate(), MTA()
    session = opened(gate, mta)
    session.envfrom(mta, b"<first@sender.example>")
    session.envrcpt(mta, b"<first@receiver.example>")
    session.header(mta, b"X-First", b" 1")
    session.abort(mta)
    passed(session, mta, header=((b"X-Second", b" 2"),))
    (message,) = gate.messages
    assert message.envelope.recipients == ("b@receiver.example",)
    assert [each.name for each in message.header] == [b"X-Second"]


def test_next_message_without_an_end_of_the_last_leaves_a_record() -> None:
    gate, mta = Gate(), MTA()
    session = opened(gate, mta)
    session.envfrom(mta, b"<>")
    session.eoh(mta)
    passed(session, mta)
    assert [each for each in gate.told if not each.startswith("body")] == [
        "abort: the next message began before this one ended",
        "end",
    ]


def test_abort_then_close_tells_the_gate_once() -> None:
    gate, mta = Gate(), MTA()
    session = opened(gate, mta)
    session.envfrom(mta, b"<>")
    session.eoh(mta)
    session.abort(mta)
    session.close(mta)
    assert len(gate.told) == 1


def test_abort_before_the_header_is_complete_is_nothing_to_record() -> None:
    gate, mta = Gate(), MTA()
    session = opened(gate, mta)
    session.envfrom(mta, b"<>")
    session.header(mta, b"From", b" a@hosted.example")
    session.abort(mta)
    assert (gate.messages, gate.told) == ([], [])


def test_header_bytes_stay_as_they_are() -> None:
    gate, mta = Gate(), MTA()
    value = b"  \xff\n\tfold \n "
    passed(opened(gate, mta), mta, header=((b"X-Odd", value),))
    assert gate.messages[0].header[0].value == value


def test_mta_that_eats_the_leading_space() -> None:
    gate, mta = Gate(Outcome(fields=(("DKIM-Signature", b" v=1"),))), MTA()
    passed(opened(gate, mta, ALL & ~Milter.P_HDR_LEADSPC), mta, header=((b"From", b"a@hosted.example"),))
    assert gate.messages[0].header[0].value == b" a@hosted.example"
    assert ("addheader", "DKIM-Signature", "v=1", 0) in mta.calls


@pytest.mark.parametrize(("limit", "value"), [("MOST_FIELDS", 3), ("MOST_OCTETS", 35)])
def test_absurd_header_is_cut_off_and_said(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(limits, limit, value)
    gate, mta = Gate(), MTA()
    session = opened(gate, mta)
    assert passed(session, mta, header=((b"X-A", b" 1234567"),) * 10) == Milter.ACCEPT
    assert len(gate.messages[0].header) == 3
    assert str(value) in (gate.messages[0].problem or "")
    passed(session, mta, header=((b"X-A", b" 1"),))
    assert gate.messages[1].problem is None


def test_small_field_behind_one_that_was_too_much_is_not_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a sender could choose which fields we see."""
    monkeypatch.setattr(limits, "MOST_OCTETS", 100)
    gate, mta = Gate(), MTA()
    passed(opened(gate, mta), mta, header=((b"X-Long", b"x" * 200), (b"From", b" a@hosted.example")))
    assert gate.messages[0].header == ()


def test_body_is_skipped_where_nobody_wants_it() -> None:
    gate, mta = Gate(wants_body=False), MTA()
    session = opened(gate, mta)
    session.envfrom(mta, b"<>")
    session.eoh(mta)
    assert session.body(mta, b"x") == Milter.SKIP
    session = opened(gate, mta, ALL & ~Milter.P_SKIP)
    session.envfrom(mta, b"<>")
    session.eoh(mta)
    assert session.body(mta, b"x") == Milter.CONTINUE
    assert gate.told == []


def test_end_without_an_end_of_header_is_judged_all_the_same() -> None:
    gate, mta = Gate(), MTA()
    session = opened(gate, mta)
    session.envfrom(mta, b"<>")
    assert session.eom(mta) == Milter.ACCEPT
    assert gate.told == ["end"]


def test_first_field_of_the_outcome_ends_topmost() -> None:
    gate, mta = Gate(Outcome(fields=(("A", b"1"), ("B", b" 2\r\n\t3")))), MTA()
    passed(opened(gate, mta), mta)
    assert [each for each in mta.calls if each[0] == "addheader"] == [
        ("addheader", "B", " 2\n\t3", 0),
        ("addheader", "A", " 1", 0),
    ]


EDITED = ((b"Subject", b" a"), (b"X", b" 1"), (b"subject", b" b"), (b"x", b" 2"))


def test_fields_are_changed_before_any_is_removed_and_the_last_goes_first() -> None:
    """So that every index is counted in the header as the MTA showed it."""
    gate, mta = Gate(Outcome(fields=(("A", b" 1"),), remove=(0, 1, 3), changed=((2, " ü\n c".encode()),))), MTA()
    assert passed(opened(gate, mta), mta, header=EDITED) == Milter.ACCEPT
    assert [each for each in mta.calls if each[0] in ("chgheader", "addheader")] == [
        ("chgheader", "subject", 2, " ü\n c"),
        ("chgheader", "x", 2, None),
        ("chgheader", "X", 1, None),
        ("chgheader", "Subject", 1, None),
        ("addheader", "A", " 1", 0),
    ]


def test_a_changed_value_gets_its_one_space_from_an_mta_that_eats_it() -> None:
    gate, mta = Gate(Outcome(changed=((0, b" [odd]  a"),))), MTA()
    passed(opened(gate, mta, ALL & ~Milter.P_HDR_LEADSPC), mta, header=EDITED)
    assert ("chgheader", "Subject", 1, "[odd]  a") in mta.calls


@pytest.mark.parametrize(
    ("value", "actions"),
    [(b" a", Milter.ADDHDRS), (b" \xff", 0x1FF), (b" a\nBcc: x", 0x1FF), (b" a\0", 0x1FF), (b" a\r", 0x1FF)],
)
def test_what_cannot_be_changed_does_not_go_on(value: bytes, actions: int) -> None:
    """The signature is made over the changed header. `failed` defers the message, and the MTA forgets what it was asked for."""
    gate, mta = Gate(Outcome(fields=(("DKIM-Signature", b" 1"),), changed=((0, value),))), MTA()
    with pytest.raises((RuntimeError, ValueError)):
        passed(opened(gate, mta, actions=actions), mta, header=EDITED)
    assert [each for each in mta.calls if each[0] in ("chgheader", "addheader")] == []


def test_no_permission_to_add_fields_means_unsigned() -> None:
    gate, mta = Gate(Outcome(fields=(("A", b" 1"),))), MTA()
    assert passed(opened(gate, mta, actions=Milter.QUARANTINE), mta) == Milter.ACCEPT
    assert mta.calls == []


@pytest.mark.parametrize("disposition", [Disposition.ACCEPT, Disposition.HOLD])
def test_sender_is_changed_in_angle_brackets(disposition: Disposition) -> None:
    gate, mta = Gate(Outcome(disposition, sender="SRS0=x=AA=hosted.example=friend@bounce.example")), MTA()
    assert passed(opened(gate, mta), mta) == Milter.ACCEPT
    assert [each for each in mta.calls if each[0] == "chgfrom"] == [
        ("chgfrom", "<SRS0=x=AA=hosted.example=friend@bounce.example>")
    ]


@pytest.mark.parametrize("disposition", [Disposition.DEFER, Disposition.REJECT, Disposition.DISCARD])
def test_sender_of_what_does_not_go_on_stays(disposition: Disposition) -> None:
    gate, mta = Gate(Outcome(disposition, sender="x@bounce.example")), MTA()
    passed(opened(gate, mta), mta)
    assert not any(each[0] == "chgfrom" for each in mta.calls)


@pytest.mark.parametrize("disposition", [Disposition.ACCEPT, Disposition.HOLD])
def test_no_permission_to_change_the_sender_stops_the_message(disposition: Disposition) -> None:
    gate, mta = Gate(Outcome(disposition, sender="x@bounce.example", fields=(("A", b" 1"),), remove=(0,))), MTA()
    session = opened(gate, mta, actions=0x1FF & ~Milter.CHGFROM)
    with pytest.raises(RuntimeError) as caught:
        passed(session, mta, header=((b"X-A", b" 1"),))
    assert not any(each[0] in ("addheader", "chgheader", "quarantine") for each in mta.calls)
    assert session.failed("eom", mta, caught.value) == Milter.TEMPFAIL


@pytest.mark.parametrize(
    "sender",
    ["", "a b@c.example", "a@b.example>\r\nRCPT TO:<x@y.example", "a@b.example\0", "ü@b.example", "<a@b.example>"],
)
def test_sender_that_is_not_one_address_is_not_sent(sender: str) -> None:
    gate, mta = Gate(Outcome(sender=sender)), MTA()
    session = opened(gate, mta)
    with pytest.raises(ValueError, match="not one address"):
        passed(session, mta)
    assert not any(each[0] == "chgfrom" for each in mta.calls)
