"""Our end of the milter protocol, without a socket: what any octets do to it, and what the MTA hears."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.daemon.conversation import Conversation
from dkimgate.daemon.session import Context, Session
from dkimgate.facts import Disposition, Outcome
from dkimgate.message import limits
from dkimgate.wire import protocol as p
from dkimgate.wire.packets import Packets, ProtocolError, number, packet
from tests.daemon.test_daemon_session import Gate

GREETING = packet(p.SMFIC_OPTNEG, b"".join(map(number, (6, p.ALL_ACTIONS, p.ALL_STEPS))))
CLIENT = (
    packet(p.SMFIC_MACRO, b"C{daemon_name}\0ORIGINATING\0")
    + packet(p.SMFIC_CONNECT, b"client.example\x004\0\x19192.0.2.66\0")
    + packet(p.SMFIC_MACRO, b"H{tls_version}\0TLSv1.3\0{cipher}\0AES\0")
    + packet(p.SMFIC_HELO, b"client.example\0")
)
MESSAGE = (
    packet(p.SMFIC_MACRO, b"M{auth_authen}\0ask\0")
    + packet(p.SMFIC_MAIL, b"<a@sender.example>\0SIZE=1\0")
    + packet(p.SMFIC_MACRO, b"Ri\x004F2A\0")
    + packet(p.SMFIC_RCPT, b"<b@receiver.example>\0")
    + packet(p.SMFIC_HEADER, b"From\0 a@hosted.example\0")
    + packet(p.SMFIC_HEADER, b"X-\xff\0 \xff\n\tfold\0")
    + packet(p.SMFIC_EOH)
    + packet(p.SMFIC_BODY, b"Hello\r\n")
    + packet(p.SMFIC_BODYEOB)
)


def answers(octets: bytes) -> list[tuple[bytes, bytes]]:
    return list(Packets().cut(octets))


def talk(gate: Gate, *octets: bytes) -> list[tuple[bytes, bytes]]:
    """What comes back behind the negotiation."""
    conversation = Conversation(gate, "gate")
    conversation.receive(GREETING)
    return answers(b"".join(map(conversation.receive, octets)))


def test_a_message_from_first_to_last() -> None:
    gate = Gate(Outcome(fields=(("DKIM-Signature", b" v=1;\r\n\tb=A"),)))
    assert talk(gate, CLIENT + MESSAGE + packet(p.SMFIC_QUIT)) == [
        (b"c", b""),  # client
        (b"c", b""),  # HELO
        (b"c", b""),  # body
        (b"i", b"\0\0\0\0DKIM-Signature\0 v=1;\n\tb=A\0"),
        (b"a", b""),
    ]
    (message,) = gate.messages
    connection = message.connection
    assert (connection.ip, connection.name, connection.helo) == ("192.0.2.66", "client.example", "client.example")
    assert (connection.tls, connection.daemon, connection.auth) == ("TLSv1.3 AES", "ORIGINATING", "ask")
    assert (message.envelope.sender, message.envelope.recipients) == ("a@sender.example", ("b@receiver.example",))
    assert [(each.name, each.value) for each in message.header] == [
        (b"From", b" a@hosted.example"),
        (b"X-\xff", b" \xff\n\tfold"),
    ]
    assert message.queue_id == "4F2A"
    assert gate.told == ["body b'Hello\\r\\n'", "end"]


def test_cut_at_every_octet_it_is_the_same_talk() -> None:
    stream = CLIENT + MESSAGE + MESSAGE + packet(p.SMFIC_QUIT)
    whole = Gate()
    expected = talk(whole, stream)
    for at in range(1, len(stream)):
        gate = Gate()
        assert talk(gate, stream[:at], stream[at:]) == expected
        assert (gate.messages, gate.told) == (whole.messages, whole.told)
    gate = Gate()
    assert talk(gate, *(stream[at : at + 1] for at in range(len(stream)))) == expected


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        ((6, 0x1FF, p.ALL_STEPS), (6, 0x171, 0x14C780)),
        ((2, 0x3F, 0x7F), (2, 0x31, 0)),
        ((4, 0x3F, 0x3FF), (4, 0x31, 0x380)),
        ((9, 0xFFFFFFFF, 0xFFFFFFFF), (6, 0x171, p.SMFIP_MDS_1M)),
        ((6, 0x1FF, p.SMFIP_MDS_256K), (6, 0x171, p.SMFIP_MDS_256K)),
        ((6, 0x1FF, p.SMFIP_MDS_256K | p.SMFIP_MDS_1M), (6, 0x171, p.SMFIP_MDS_1M)),
    ],
)
def test_negotiation_with_new_and_old_mtas(offer: tuple[int, ...], agreed: tuple[int, int, int]) -> None:
    """What neither knows is left out; so are the lists of macros where the MTA takes none."""
    conversation = Conversation(Gate(), "gate")
    ((what, data),) = answers(conversation.receive(packet(p.SMFIC_OPTNEG, b"".join(map(number, offer)))))
    version, actions, steps = (int.from_bytes(data[at : at + 4]) for at in (0, 4, 8))
    assert what == p.SMFIC_OPTNEG
    assert (version, actions) == agreed[:2]
    assert steps & ~offer[2] == 0
    assert steps & agreed[2] == agreed[2]
    assert (b"{auth_authen}\0" in data) is bool(offer[1] & p.SMFIF_SETSYMLIST)


def test_an_mta_of_version_2_hears_an_answer_to_every_step() -> None:
    conversation = Conversation(Gate(), "gate")
    conversation.receive(packet(p.SMFIC_OPTNEG, b"".join(map(number, (2, 0x3F, 0x7F)))))
    data = packet(p.SMFIC_DATA)
    stream = CLIENT + MESSAGE.replace(packet(p.SMFIC_HEADER, b"From"), data + packet(p.SMFIC_HEADER, b"From"))
    assert [what for what, _ in answers(conversation.receive(stream))] == [b"c"] * 8 + [b"a"]


def test_behind_the_bounds_fields_are_skipped_until_the_next_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message has any number of them, and each would cost a microsecond."""
    monkeypatch.setattr(limits, "MOST_FIELDS", 3)
    called: list[bytes] = []
    real = Session.header

    def header(session: Session, context: Context, name: bytes, value: bytes) -> int:
        called.append(value)
        return real(session, context, name, value)

    monkeypatch.setattr(Session, "header", header)
    fields = b"".join(packet(p.SMFIC_HEADER, b"X-%d\0 %d\0" % (at, at)) for at in range(50))
    long = MESSAGE.replace(packet(p.SMFIC_EOH), fields + packet(p.SMFIC_EOH))
    gate = Gate()
    assert [what for what, _ in talk(gate, CLIENT + long + MESSAGE)] == [b"c", b"c", *[b"c", b"a"] * 2]
    assert [(len(message.header), message.problem is None) for message in gate.messages] == [(3, False), (2, True)]
    assert len(called) == 2 + 2 + 2  # the last one of the first message found that it was too much


def test_an_mta_that_waits_for_an_answer_to_each_field_hears_it_behind_the_bounds_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MOST_FIELDS", 1)
    conversation = Conversation(Gate(), "gate")
    conversation.receive(packet(p.SMFIC_OPTNEG, b"".join(map(number, (2, 0x3F, 0x7F)))))
    stream = CLIENT + MESSAGE.replace(packet(p.SMFIC_EOH), packet(p.SMFIC_HEADER, b"X\0 1\0") * 3 + packet(p.SMFIC_EOH))
    assert [what for what, _ in answers(conversation.receive(stream))] == [b"c"] * 11 + [b"a"]


@pytest.mark.parametrize(
    ("outcome", "last"),
    [
        (Outcome(Disposition.REJECT, "100% no"), (b"y", b"550 5.7.1 100%% no\0")),
        (Outcome(Disposition.DEFER, "later"), (b"y", b"451 4.7.1 later\0")),
        (Outcome(Disposition.DISCARD), (b"d", b"")),
        (Outcome(), (b"a", b"")),
    ],
)
def test_verdicts(outcome: Outcome, last: tuple[bytes, bytes]) -> None:
    assert talk(Gate(outcome), CLIENT + MESSAGE)[-1] == last


def test_every_change() -> None:
    gate = Gate(
        Outcome(
            Disposition.HOLD,
            "look",
            fields=(("A", b" 1"),),
            sender="x@bounce.example",
            remove=(1,),
            changed=((0, " ü".encode()),),
        )
    )
    assert talk(gate, CLIENT + MESSAGE)[3:] == [
        (b"e", b"<x@bounce.example>\0"),
        (b"m", b"\0\0\0\1From\0 \xc3\xbc\0"),
        (b"m", b"\0\0\0\1X-\xff\0\0"),
        (b"i", b"\0\0\0\0A\0 1\0"),
        (b"q", b"look\0"),
        (b"a", b""),
    ]


def test_macros_of_a_message_are_not_the_next_ones() -> None:
    """Postfix sends no packet of macros where it has none to tell."""
    gate = Gate()
    bare = b"".join(packet(*each) for each in answers(MESSAGE) if each[0] != p.SMFIC_MACRO)
    talk(gate, CLIENT + MESSAGE + bare)
    assert [(each.connection.auth, each.queue_id) for each in gate.messages] == [("ask", "4F2A"), (None, None)]
    assert {each.connection.daemon for each in gate.messages} == {"ORIGINATING"}


@pytest.mark.parametrize("end", [p.SMFIC_ABORT, p.SMFIC_QUIT_NC])
def test_macros_of_an_aborted_message_are_not_the_next_ones(end: bytes) -> None:
    gate = Gate()
    bare = b"".join(packet(*each) for each in answers(MESSAGE) if each[0] != p.SMFIC_MACRO)
    begun = MESSAGE.removesuffix(packet(p.SMFIC_BODYEOB))
    again = CLIENT if end == p.SMFIC_QUIT_NC else b""
    assert talk(gate, CLIENT + begun + packet(end) + again + bare)[-1] == (b"a", b"")
    assert [(each.connection.auth, each.queue_id) for each in gate.messages] == [("ask", "4F2A"), (None, None)]
    assert sum(each.startswith("abort") for each in gate.told) == 1


def test_the_next_client_on_the_same_connection_is_another() -> None:
    gate = Gate()
    other = packet(p.SMFIC_CONNECT, b"other.example\x006\0\x19IPv6:2001:db8::66\0")
    assert talk(gate, CLIENT + packet(p.SMFIC_QUIT_NC) + other + MESSAGE)[-1] == (b"a", b"")
    connection = gate.messages[0].connection
    assert (connection.ip, connection.name, connection.helo) == ("2001:db8::66", "other.example", None)
    assert (connection.tls, connection.daemon) == (None, None)


@pytest.mark.parametrize(
    ("client", "ip"),
    [
        (b"x\x004\0\x19192.0.2.66\0", "192.0.2.66"),
        (b"x\x006\0\x19IPv6:2001:db8:0::66\0", "2001:db8::66"),
        (b"x\x006\0\x19::ffff:192.0.2.66\0", "::ffff:192.0.2.66"),
        (b"localhost\0U", None),
        (b"localhost\0L\0\0/run/socket\0", None),
    ],
)
def test_addresses_of_clients(client: bytes, ip: str | None) -> None:
    gate = Gate()
    talk(gate, packet(p.SMFIC_CONNECT, client) + MESSAGE)
    assert gate.messages[0].connection.ip == ip


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (packet(b"Z"), "unknown kind 'Z'"),
        (packet(b"\xff"), r"unknown kind '\\xff'"),
        (GREETING, "'O' out of its order"),
        (packet(p.SMFIC_RCPT, b"<a>\0"), "out of its order"),
        (packet(p.SMFIC_BODYEOB), "out of its order"),
        (MESSAGE + packet(p.SMFIC_BODY, b"x"), "out of its order"),
        (MESSAGE.removesuffix(packet(p.SMFIC_BODYEOB)) + packet(p.SMFIC_HEADER, b"A\0 b\0"), "out of its order"),
        (packet(p.SMFIC_MAIL, b"<a>\0") + packet(p.SMFIC_HEADER, b"A\0 b"), "a string in a packet has no end"),
        (packet(p.SMFIC_MAIL, b"<a>"), "a string in a packet has no end"),
        (packet(p.SMFIC_CONNECT, b"x\0"), "no address"),
        (packet(p.SMFIC_CONNECT, b"x\x004\0"), "a string in a packet has no end"),
        (packet(p.SMFIC_CONNECT, b"x\x004\0\x19300.0.0.1\0"), "not an IP address"),
        (packet(p.SMFIC_MACRO, b"C" + b"x" * 2_000_000), "2000001 octets of macros"),
    ],
)
def test_what_is_not_the_protocol_ends_the_connection_and_says_why(octets: bytes, why: str) -> None:
    conversation = Conversation(Gate(), "gate")
    conversation.receive(GREETING)
    with pytest.raises(ProtocolError, match=why):
        conversation.receive(octets)


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (CLIENT, "'D' out of its order"),
        (packet(p.SMFIC_OPTNEG, b"\0\0\0\6"), "in the middle of a number"),
        (packet(p.SMFIC_OPTNEG, b"".join(map(number, (1, 0xF, 0x3F)))), "version 1 of the milter protocol"),
    ],
)
def test_without_a_negotiation_there_is_no_conversation(octets: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        Conversation(Gate(), "gate").receive(octets)


class Raising(Gate):
    def end(self) -> Outcome:
        raise MemoryError("no more")


def test_an_error_of_the_gate_defers_the_message_and_the_next_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    found = talk(Raising(), CLIENT + MESSAGE + MESSAGE)
    assert [each for each in found if each[0] != b"c"] == [
        (b"y", b"451 4.3.0 This message could not be judged, try again later\0")
    ] * 2
    assert capfd.readouterr().err.count("MemoryError") == 2


STEPS = [(what, data) for what, data in answers(CLIENT + MESSAGE)] + [
    (p.SMFIC_ABORT, b""),
    (p.SMFIC_QUIT_NC, b""),
    (p.SMFIC_DATA, b""),
    (p.SMFIC_UNKNOWN, b"XYZZY\0"),
]


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Steps in any order, some of them with other octets in their data, or cut short, or no packets at all."""
    pieces: list[bytes] = [GREETING] if draw(st.booleans()) or draw(st.booleans()) else []
    for what, data in draw(st.lists(st.sampled_from(STEPS), max_size=25)):
        match draw(st.sampled_from(["whole"] * 8 + ["data", "garbage"])):
            case "whole":
                pieces.append(packet(what, data))
            case "data":
                pieces.append(packet(what, draw(st.binary(max_size=40))))
            case "garbage":
                pieces.append(draw(st.binary(max_size=20)))
    return b"".join(pieces)


def _pieces(octets: bytes, cuts: list[int]) -> Iterator[bytes]:
    places = sorted({0, len(octets), *(cut % (len(octets) + 1) for cut in cuts)})
    for begin, end in pairwise(places):
        yield octets[begin:end]


@given(streams(), st.lists(st.integers(0, 5000), max_size=6))
@settings(max_examples=400)
def test_law_5_any_octets_in_any_pieces_end_every_message_once(octets: bytes, cuts: list[int]) -> None:
    """Nothing but ProtocolError is raised; each passage that begins is ended once, or given up once."""
    outcomes = []
    for pieces in ([octets], list(_pieces(octets, cuts))):
        gate = Gate(replace(Outcome(), fields=(("A", b" 1"),)))
        conversation = Conversation(gate, "gate")
        out, error = b"", ""
        try:
            for piece in pieces:
                if not conversation.over:
                    out += conversation.receive(piece)
        except ProtocolError as raised:
            error = str(raised)
        conversation.lost()
        ends = [told for told in gate.told if not told.startswith("body")]
        assert len(ends) == len(gate.messages)
        outcomes.append((error, gate.messages, gate.told))
    assert outcomes[0] == outcomes[1]
