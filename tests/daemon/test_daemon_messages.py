"""Messages over real sockets through the real daemon: only the gate is a double, which does what the message says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from dkimgate.message.limits import MOST_FIELDS, MOST_OCTETS
from dkimgate.message.message import Connection, Envelope, HeaderField, Message
from dkimgate.postfix.milter_client import MilterError, Verdict
from dkimgate.wire.protocol import CHUNK
from tests.running import BODY, OUTSIDE, Daemon, double, eventually, free_port, mail

Start = Callable[..., Daemon]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory, library: str) -> Iterator[Daemon]:
    daemon = double(tmp_path_factory.mktemp("d"))
    daemon.wait_for("READY=1")
    yield daemon
    daemon.end()


@pytest.fixture
def daemon(one: Daemon) -> Daemon:
    """The same daemon for all tests here, with nothing recorded and nothing logged."""
    one.forget()
    return one


def test_signed_message_departs_with_its_signatures_on_top(daemon: Daemon) -> None:
    reply = daemon.send(mail("sign"))
    assert reply.accepted
    departing = reply.apply(mail("sign").header, BODY)
    assert departing.startswith(
        b"DKIM-Signature: v=1; first;\r\n\tb=AAAA\r\nDKIM-Signature: v=1; second\r\nFrom: Friend\r\n <friend@"
    )


def test_gate_sees_what_the_mta_sent(daemon: Daemon) -> None:
    odd = (
        HeaderField(b"X-Odd ", b"no space \xff\n  fold\t"),
        HeaderField(b"X-Empty", b""),
        HeaderField(b"X-Long", b" " + b"x" * 60000),
    )
    message = Message(
        Connection(
            "2001:db8::66",
            "client.sender.example",
            "helo.sender.example",
            "ask",
            "ORIGINATING",
            "TLSv1.3 TLS_AES_256_GCM_SHA384",
        ),
        Envelope("", ("a@receiver.example", "b@receiver.example")),
        (*mail().header, *odd),
        "4F2B",
    )
    with daemon.connect(connection=message.connection) as client:
        assert client.send(message, b"x" * (CHUNK * 3 + 7)).accepted
    (record,) = daemon.records()
    assert record["connection"] == {
        "ip": "2001:db8::66",
        "name": "client.sender.example",
        "helo": "helo.sender.example",
        "auth": "ask",
        "daemon": "ORIGINATING",
        "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
    }
    assert (record["sender"], record["recipients"]) == ("", ["a@receiver.example", "b@receiver.example"])
    assert [(name.encode("latin-1"), value.encode("latin-1")) for name, value in record["header"]] == [
        (each.name, each.value) for each in message.header
    ]
    assert (record["queue_id"], record["body"], record["problem"]) == ("4F2B", CHUNK * 3 + 7, None)


def test_mail_from_sendmail_has_no_brackets(daemon: Daemon) -> None:
    with daemon.connect(angle_brackets=False) as client:
        client.send(mail(), BODY)
    assert daemon.records()[0]["sender"] == "friend@hosted.example"


def test_client_without_an_address(daemon: Daemon) -> None:
    with daemon.connect(connection=Connection(name="localhost")) as client:
        client.send(mail(), BODY)
    assert daemon.records()[0]["connection"]["ip"] is None


def test_login_of_one_message_is_not_the_next_ones(daemon: Daemon) -> None:
    """Sent as Postfix does: with nothing to say about a step there is no macro packet at all."""
    with daemon.connect() as client:
        client.send(mail(auth="ask", queue_id="4F2A"), BODY)
        client.send(mail(queue_id=None), BODY)
    first, second = daemon.records()
    assert (first["connection"]["auth"], first["queue_id"]) == ("ask", "4F2A")
    assert second["queue_id"] is None


@pytest.mark.parametrize(
    ("do", "verdict", "text"),
    [
        ("reject", Verdict.REJECT, "550 5.7.1 not 100% good 250 OK"),
        ("defer", Verdict.TEMPFAIL, "451 4.7.1 This message could not be judged, try again later"),
        ("discard", Verdict.DISCARD, None),
        ("raise-judge", Verdict.TEMPFAIL, "451 4.3.0 This message could not be judged, try again later"),
        ("raise-body", Verdict.TEMPFAIL, "451 4.3.0 This message could not be judged, try again later"),
        ("raise-end", Verdict.TEMPFAIL, "451 4.3.0 This message could not be judged, try again later"),
        ("injection", Verdict.ACCEPT, None),
        ("nul", Verdict.ACCEPT, None),
        ("binary", Verdict.ACCEPT, None),
        ("skip", Verdict.ACCEPT, None),
    ],
)
def test_verdicts_and_the_next_message_goes_on(daemon: Daemon, do: str, verdict: Verdict, text: str | None) -> None:
    with daemon.connect() as client:
        reply = client.send(mail(do), b"x" * (2 * CHUNK))
        assert (reply.verdict, reply.text, reply.edits) == (verdict, text, ())
        assert len(client.send(mail("sign"), BODY).inserted) == 2
    assert "Traceback" not in daemon.log
    assert all(line.startswith("dkimgate[") for line in daemon.log.splitlines())


def test_hold_is_a_quarantine(daemon: Daemon) -> None:
    reply = daemon.send(mail("hold"))
    assert (reply.accepted, reply.quarantine) == (True, "look at this")


def test_sender_is_changed(daemon: Daemon) -> None:
    reply = daemon.send(mail("unalign"))
    assert (reply.accepted, reply.sender) == (True, "SRS0=UNr4=JK=hosted.example=friend@bounce.forwarder.example")
    assert len(reply.inserted) == 2
    assert daemon.send(mail("sign")).sender is None


def test_unwanted_body_is_not_transferred(daemon: Daemon) -> None:
    daemon.send(mail("skip"), b"x" * (20 * CHUNK))
    assert daemon.records()[0]["body"] == 0


def test_many_messages_on_one_connection(daemon: Daemon) -> None:
    with daemon.connect() as client:
        for number in range(100):
            assert client.send(mail(queue_id=f"Q{number}"), BODY).accepted
    assert [each["queue_id"] for each in daemon.records()] == [f"Q{number}" for number in range(100)]


def test_abort_in_the_body_is_recorded_and_the_connection_goes_on(daemon: Daemon) -> None:
    with daemon.connect() as client:
        client.mail("a@sender.example", "ask")
        client.recipient("a@receiver.example")
        client.header(mail().header[0])
        client.abort()  # no header yet, nothing to judge: no record
        client.mail("b@sender.example")
        client.recipient("b@receiver.example")
        client.header(mail().header[0])
        client.end_of_header("4F2A")
        client.body(BODY)
        client.abort()
        assert client.send(mail(queue_id="4F2B"), BODY).accepted
    assert [(each["how"], each["queue_id"], each["recipients"]) for each in daemon.records()] == [
        ("abort: the MTA aborted the message", "4F2A", ["b@receiver.example"]),
        ("end", "4F2B", ["ask@receiver.example"]),
    ]


def test_connection_cut_in_the_body_is_recorded(daemon: Daemon) -> None:
    client = daemon.connect()
    client.mail("a@sender.example")
    client.recipient("a@receiver.example")
    client.header(mail().header[0])
    client.end_of_header("4F2A")
    client.body(BODY)
    client.close(quietly=True)
    assert eventually(lambda: len(daemon.records()) == 1)
    assert daemon.records()[0]["how"].startswith("abort")
    assert daemon.send().accepted


def test_failing_abort_harms_nobody(daemon: Daemon) -> None:
    with daemon.connect() as client:
        client.mail("a@sender.example")
        client.recipient("a@receiver.example")
        client.header(mail("raise-abort").header[1])
        client.end_of_header()
        client.abort()
        assert client.send(mail(), BODY).accepted
    assert "can't end a message that was given up: RuntimeError: abort" in daemon.log


def test_helo_that_is_no_text_is_no_helo_and_nothing_else(daemon: Daemon, library: str) -> None:
    """pymilter turns HELO into text before any code of ours is reached, and says so."""
    with daemon.connect(connection=Connection("192.0.2.66", "x", "\udcff\udcfe")) as client:
        assert client.send(mail(), BODY).accepted
        assert client.send(mail(), BODY).accepted
    assert daemon.records()[0]["connection"]["helo"] is None
    assert "Traceback" not in daemon.log
    assert daemon.log.count("UnicodeDecodeError") == (library == "pymilter")


def test_header_name_that_is_no_text_keeps_mail_and_protocol_going(daemon: Daemon) -> None:
    """Postfix knows no such field; with another MTA the next answer must still belong to the next question."""
    with daemon.connect() as client:
        for queue_id in ("4F2A", "4F2B"):
            reply = client.send(mail(queue_id=queue_id, fields=(HeaderField(b"X-\xff", b" x"),)), BODY)
            assert (reply.accepted, len(reply.inserted)) == (True, 2)
    assert [each["queue_id"] for each in daemon.records()] == ["4F2A", "4F2B"]


def test_absurd_header_passes_with_its_problem_told(daemon: Daemon) -> None:
    assert daemon.send(mail(fields=(HeaderField(b"X-A", b" 1"),) * 5_500)).accepted
    assert daemon.send(mail(fields=(HeaderField(b"X-A", b" " + b"x" * 60_000),) * 80)).accepted
    many, large = daemon.records()
    assert (many["fields"], many["problem"]) == (MOST_FIELDS, f"the header has more than {MOST_FIELDS} fields")
    assert large["fields"] < 80
    assert large["problem"] == f"the header has more than {MOST_OCTETS} octets"


def test_garbage_on_the_socket_harms_nobody(daemon: Daemon) -> None:
    for garbage in (b"EHLO client.sender.example\r\n", b"\xff" * 4096, b"\0\0\0\1Z", b"\0\0\0\0"):
        client = daemon.connect()
        client._socket.sendall(garbage)
        client.close(quietly=True)
    assert daemon.send().accepted
    assert len(daemon.workers()) == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_tcp(start: Start, host: str) -> None:
    address = f"inet:{host}:{free_port(host.strip('[]') if '[' in host else '127.0.0.1')}"
    daemon = start(listen=address)
    assert len(daemon.send(address=address).inserted) == 2


def test_tcp_answers_without_waiting_for_acknowledgements(start: Start) -> None:
    """Several small writes and Nagle's algorithm would cost 40 ms a message."""
    address = f"inet:127.0.0.1:{free_port()}"
    daemon = start(listen=address)
    with daemon.connect(address) as client:
        client.send(mail(), BODY)
        begin = time.monotonic()
        for _ in range(20):
            client.send(mail(), BODY)
        assert time.monotonic() - begin < 0.4


def test_several_listeners(start: Start, folder: object) -> None:
    addresses = [f"unix:{folder}/a.sock", f"unix:{folder}/b.sock", f"inet:127.0.0.1:{free_port()}"]
    daemon = start(listen=addresses, workers=1)
    assert len(daemon.workers()) == 3
    for address in addresses:
        assert daemon.send(address=address).accepted
    assert daemon.stop() == 0
    for address in addresses:
        with pytest.raises(MilterError):
            daemon.connect(address, OUTSIDE)
