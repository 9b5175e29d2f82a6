"""The milter client against milters that misbehave, and the departing message that it puts together."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

import pytest

from dkimgate.message.message import HeaderField
from dkimgate.postfix.milter_client import Change, Insertion, MilterClient, MilterError, Reply, Verdict
from dkimgate.wire.protocol import CHUNK
from tests.running import OUTSIDE, mail


def packet(command: str, data: bytes = b"") -> bytes:
    return struct.pack("!I", len(data) + 1) + command.encode() + data


def options(steps: int, macros: bytes = b"") -> bytes:
    return packet("O", struct.pack("!III", 6, 0x1, steps) + macros)


class Script:
    """A milter that says what it was told to, whatever it hears, and keeps what it heard."""

    def __init__(self, folder: Path, *says: bytes) -> None:
        self.address = f"unix:{folder}/script.sock"
        self.heard = b""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(f"{folder}/script.sock")
        self._socket.listen()
        self._thread = threading.Thread(target=self._run, args=(says,), daemon=True)
        self._thread.start()

    def _run(self, says: tuple[bytes, ...]) -> None:
        connected, _ = self._socket.accept()
        with connected:
            for each in says:
                connected.sendall(each)
            connected.shutdown(socket.SHUT_WR)
            while part := connected.recv(65536):
                self.heard += part

    def finish(self) -> bytes:
        self._thread.join(5)
        self._socket.close()
        return self.heard


SILENT = 0x80 | 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x40000 | 0x80000 | 0x100000


def test_silent_steps_wait_for_one_answer_only(folder: Path) -> None:
    script = Script(folder, options(SILENT), packet("p"), packet("a"))
    with MilterClient(script.address) as client:
        assert client.open(OUTSIDE) is None
        assert client.send(mail(), b"x" * (CHUNK + 1)) == Reply(Verdict.ACCEPT)
    heard = script.finish()
    assert heard.count(b"\0B" + b"x" * 100) == 1
    assert heard.endswith(packet("E") + packet("Q"))


def test_unwanted_steps_are_not_sent(folder: Path) -> None:
    script = Script(folder, options(0x7F), packet("a"))
    with MilterClient(script.address) as client:
        client.open(OUTSIDE)
        assert client.send(mail(), b"x").accepted
    assert b"hosted.example" not in script.finish()


def test_macros_only_as_asked_for(folder: Path) -> None:
    lists = struct.pack("!I", 0) + b"{daemon_name}\0" + struct.pack("!I", 6) + b"j\0"
    script = Script(folder, options(SILENT, lists), packet("a"))
    with MilterClient(script.address) as client:
        client.open(OUTSIDE)
        client.send(mail(auth="ask"), b"")
    heard = script.finish()
    assert b"DC{daemon_name}\0smtpd\0" in heard
    assert b"DM{auth_authen}\0ask\0" in heard
    assert b"DN" not in heard


def test_refusal_before_the_end(folder: Path) -> None:
    script = Script(folder, options(SILENT & ~0x8000), packet("y", b"450 4.7.1 50%% later\0"))
    with MilterClient(script.address) as client:
        client.open(OUTSIDE)
        assert client.send(mail(), b"x") == Reply(Verdict.TEMPFAIL, "R", "450 4.7.1 50% later")
    assert b"\0E" not in script.finish()


def test_changes_of_every_kind(folder: Path) -> None:
    script = Script(
        folder,
        options(SILENT),
        packet("i", struct.pack("!I", 0) + b"A\0 1\0"),
        packet("h", b"Z\0 2\0"),
        packet("m", struct.pack("!I", 1) + b"from\0 new@hosted.example\0"),
        packet("m", struct.pack("!I", 1) + b"X-Do\0\0"),
        packet("e", b"<b@sender.example>\0"),
        packet("q", b"why\0"),
        packet("c"),
    )
    with MilterClient(script.address) as client:
        client.open(OUTSIDE)
        reply = client.send(mail(), b"x\r\n")
    script.finish()
    assert (reply.sender, reply.quarantine, reply.accepted) == ("b@sender.example", "why", True)
    assert reply.inserted == (Insertion(0, b"A", b" 1"), Insertion(None, b"Z", b" 2"))
    assert reply.apply(mail().header, b"x\r\n") == b"A: 1\r\nfrom: new@hosted.example\r\nZ: 2\r\n\r\nx\r\n"


def test_folds_depart_as_crlf() -> None:
    header = (HeaderField(b"A", b" 1\n\t2"),)
    assert Reply(Verdict.ACCEPT, edits=(Change(2, b"A", b"no such"),)).apply(header, b"") == b"A: 1\r\n\t2\r\n\r\n"


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ((), "closed the connection"),
        ((packet("a"),), "expected the milter's side"),
        ((options(SILENT),), "closed the connection"),
        ((options(SILENT), struct.pack("!I", 0)), "no milter's"),
        ((options(SILENT), struct.pack("!I", 1 << 30)), "no milter's"),
        ((options(SILENT), packet("X")), "unexpected answer"),
        ((options(SILENT), packet("i", b"\0")), "unexpected answer"),
        ((options(SILENT), packet("i", b"\0\0\0\0A")), "unexpected answer"),
        ((options(SILENT), packet("h", b"A")), "unexpected answer"),
        ((options(SILENT), b"\0\0"), "closed the connection"),
    ],
)
def test_broken_milters_give_an_error_that_says_so(folder: Path, says: tuple[bytes, ...], why: str) -> None:
    script = Script(folder, *says)
    with pytest.raises(MilterError, match=why), MilterClient(script.address) as client:
        client.open(OUTSIDE)
        client.send(mail(), b"x")
    script.finish()


def test_silence_ends(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(f"{folder}/mute.sock")
        mute.listen()
        with (
            MilterClient(f"unix:{folder}/mute.sock", timeout=0.1) as client,
            pytest.raises(MilterError, match=r"no answer within 0\.1 s"),
        ):
            client.open(OUTSIDE)


@pytest.mark.parametrize("address", ["unix:/nonexistent/milter.sock", "inet:127.0.0.1:1"])
def test_nobody_there(address: str) -> None:
    with pytest.raises(MilterError, match=address):
        MilterClient(address, timeout=1)
