"""Header fields as long as Postfix lets them be (header_size_limit), and longer: each message has its verdict and its one record."""

from __future__ import annotations

import ctypes
import types
from collections.abc import Iterator
from dataclasses import replace

import pytest

from dkimgate.daemon import packets
from dkimgate.message.limits import MOST_OCTETS
from dkimgate.message.message import HeaderField
from dkimgate.wire.packets import LARGEST
from tests.running import BODY, ROOT, Daemon, double, mail

POSTFIX = 102_400
"""Postfix's header_size_limit."""


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory, library: str) -> Iterator[Daemon]:
    daemon = double(tmp_path_factory.mktemp("d"), workers=1)
    daemon.wait_for("READY=1")
    yield daemon
    daemon.end()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, library: str) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("r")
    (folder / "policy.yaml").write_bytes((ROOT / "config" / "policy.yaml").read_bytes())
    daemon = Daemon(folder, ["-m", "dkimgate", "run", "--config"], {"workers": 1})
    daemon.wait_for("READY=1")
    yield daemon
    daemon.end()


@pytest.fixture
def daemon(one: Daemon) -> Daemon:
    """The same double for all tests here, with nothing recorded and nothing logged."""
    one.forget()
    return one


def long_field(octets: int, name: bytes = b"X-Long") -> HeaderField:
    """A field whose packet carries that many octets: name, NUL, value, NUL."""
    return HeaderField(name, b" " + b"x" * (octets - len(name) - 3))


@pytest.mark.parametrize(
    "octets", [65_527, 65_528, 65_534, 65_535, 65_536, 70_000, POSTFIX, POSTFIX + 100, MOST_OCTETS - 1000]
)
def test_a_long_field_is_read_whole_and_the_session_goes_on(daemon: Daemon, octets: int) -> None:
    with daemon.connect() as client:
        for number in range(2):
            message = mail(
                "sign", queue_id=f"LONG{number}", fields=(long_field(octets), HeaderField(b"X-Last", b" seen"))
            )
            assert len(client.send(message, BODY).inserted) == 2
        assert len(client.send(mail("sign", queue_id="NEXT"), BODY).inserted) == 2
    assert [record["queue_id"] for record in daemon.records()] == ["LONG0", "LONG1", "NEXT"]
    first = daemon.records()[0]
    assert [len(value) for name, value in first["header"] if name == "X-Long"] == [octets - 8]
    assert (first["header"][-1], first["problem"]) == (["X-Last", " seen"], None)
    assert "ended" not in daemon.log


@pytest.mark.parametrize("octets", [MOST_OCTETS + 3, 3 * MOST_OCTETS, LARGEST - 1])
def test_a_field_beyond_what_is_kept_makes_a_message_that_could_not_be_read(daemon: Daemon, octets: int) -> None:
    with daemon.connect() as client:
        assert client.send(mail("sign", queue_id="LONG", fields=(long_field(octets),)), BODY).accepted
        assert client.send(mail("sign", queue_id="NEXT"), BODY).accepted
    long, following = daemon.records()
    assert (long["queue_id"], long["problem"]) == ("LONG", f"the header has more than {MOST_OCTETS} octets")
    assert (following["queue_id"], following["problem"]) == ("NEXT", None)


def test_many_long_fields(daemon: Daemon) -> None:
    with daemon.connect() as client:
        assert client.send(mail("sign", fields=(long_field(POSTFIX),) * 4), BODY).accepted
        assert client.send(mail("sign", fields=(long_field(POSTFIX),) * 6), BODY).accepted
    assert [record["problem"] is None for record in daemon.records()] == [True, False]


def test_a_long_sender_and_recipient(daemon: Daemon) -> None:
    """Postfix's smtpd takes no such line, but other MTAs, and the next version, may."""
    envelope = replace(
        mail().envelope, sender="a" * 70_000 + "@hosted.example", recipients=("b" * 70_000 + "@receiver.example",)
    )
    assert daemon.send(replace(mail(), envelope=envelope)).accepted
    assert len(daemon.records()[0]["sender"]) == 70_015


@pytest.mark.parametrize(
    "name", [b"Authentication-Results", b"Received", b"DKIM-Signature", b"From", b"X-Spam-Status", b"To"]
)
def test_the_real_gate_judges_it(real: Daemon, name: bytes) -> None:
    """With the shipped policy: one record a message."""
    before = len(real.records())
    with real.connect() as client:
        for octets in (65_528, 70_000, POSTFIX):
            assert client.send(mail(queue_id=str(octets), fields=(long_field(octets, name),)), BODY).accepted
        assert client.send(mail(queue_id="NEXT"), BODY).accepted
    assert [record["queue_id"] for record in real.records()[before:]] == ["65528", "70000", str(POSTFIX), "NEXT"]


def test_a_libmilter_that_can_not_be_told_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _file: types.SimpleNamespace())
    assert not packets.accept_large()
