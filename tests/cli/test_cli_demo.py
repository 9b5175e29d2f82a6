"""`demo`: the real daemon, real sockets, and a receiver who verifies with other people's code."""

from __future__ import annotations

import dataclasses
import json
import re
import socket
import tempfile
from pathlib import Path

import dns.message
import dns.query
import pytest

from dkimgate import cli
from dkimgate.cli import demo, demo_world
from dkimgate.message.message import split_message
from dkimgate.policy.language import loader
from tests.world.dns import FakeResolver

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def played() -> list[demo.Shown]:
    return demo.play()


def test_every_message_comes_out_as_it_should(played: list[demo.Shown]) -> None:
    assert [outcome.wrong for outcome in played] == [None] * len(demo.CASES)


def test_law_1_what_arrived_badly_departs_without_a_pass_and_would_have_had_one(played: list[demo.Shown]) -> None:
    bad = [outcome for outcome in played if outcome.record.decision.rule == "never-launder"]
    assert len(bad) == 3
    assert {(outcome.signed, outcome.departs, outcome.ungated) for outcome in bad} == {(False, "fail", "pass")}


def test_the_record_predicts_what_the_receiver_concludes(played: list[demo.Shown]) -> None:
    assert [outcome.record.departure.dmarc for outcome in played if outcome.record.departure is not None] == [
        outcome.departs for outcome in played
    ]


@pytest.mark.parametrize("change", [{"rule": "x"}, {"signed": None}, {"departs": "x"}, {"ungated": "x"}])
def test_an_outcome_that_is_not_as_expected_is_told(change: dict[str, object], played: list[demo.Shown]) -> None:
    spoilt = dataclasses.replace(played[0], case=dataclasses.replace(played[0].case, **change))  # type: ignore[arg-type]
    assert spoilt.wrong is not None
    assert "expected" in spoilt.wrong


def test_the_table_and_the_sentence(
    played: list[demo.Shown], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "play", lambda: played)
    assert cli.main(["demo"]) == 0
    said = capsys.readouterr().out
    assert re.search(
        r"extortion in its victim's name.* never-launder +unsigned, sender rewritten, dmarc=fail +signed, dmarc=pass: laundered\n",
        said,
    )
    assert re.search(r"our user, logged in.* own-users +signed, dmarc=pass +signed, dmarc=pass\n", said)
    assert "withheld 3 signatures that would have made bad mail look good. It rewrote 3 senders" in said
    assert cli.main(["demo", "--json"]) == 0
    assert [json.loads(row)["departs"] for row in capsys.readouterr().out.splitlines()] == ["fail"] * 3 + ["pass"] * 4


def test_a_wrong_outcome_is_status_1(
    played: list[demo.Shown], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "play", lambda: [dataclasses.replace(played[0], departs="pass"), *played[1:]])
    assert cli.main(["demo"]) == 1
    assert "extortion.eml: unexpected result: departs pass, expected fail" in capsys.readouterr().out


def test_the_receiver_is_not_fooled() -> None:
    keys = demo_world.Keys.new()
    receiver = demo_world.Receiver(FakeResolver(keys.zone()).lookup)
    header, body = split_message(demo_world.demo_file("cron.eml"))
    friend = demo_world.sign_as_friend(header, body, keys.friend)
    raw = (
        b"".join(field.name + b":" + field.value.replace(b"\n", b"\r\n") + b"\r\n" for field in friend) + b"\r\n" + body
    )
    # a valid signature, but of a domain that is not the author's
    assert receiver.dmarc(raw, "x@friend.example") == "fail"
    signed = demo_world.sign_as_friend(header, body, keys.hosted[0])
    raw = (
        b"".join(field.name + b":" + field.value.replace(b"\n", b"\r\n") + b"\r\n" for field in signed) + b"\r\n" + body
    )
    assert receiver.dmarc(raw, "") == "pass"
    assert receiver.dmarc(raw.replace(b"12 volumes", b"13 volumes"), "") == "fail"
    assert receiver.dmarc(raw, "x@hosted.example") == "pass"


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def broken(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(demo, "daemons", broken)
    assert cli.main(["demo"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_daemon_that_does_not_start_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = demo_world.write_configuration

    def spoilt(folder: Path, mode: str, keys: demo_world.Keys, port: int) -> Path:
        file = real(folder, mode, keys, port)
        file.write_text(file.read_text() + "nonsense: 1\n")
        return file

    monkeypatch.setattr(demo, "write_configuration", spoilt)
    assert cli.main(["demo"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("dkimgate: the daemon did not start: ")
    assert "unknown key 'nonsense'" in said


def test_the_name_server_answers_and_survives_nonsense() -> None:
    zone = {"a.example": {"TXT": ["x" * 600]}}
    with demo_world.name_server(zone) as port:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"\xff" * 30, ("127.0.0.1", port))
        found = dns.query.udp(
            dns.message.make_query("A.example", "TXT", use_edns=True), "127.0.0.1", port=port, timeout=5
        )
        assert b"".join(next(iter(found.answer[0])).strings) == b"x" * 600
        missing = dns.query.udp(dns.message.make_query("b.example", "TXT"), "127.0.0.1", port=port, timeout=5)
        assert missing.rcode() == 3


def test_the_demo_plays_the_policy_that_is_shipped(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(demo_world.demo_file("policy.yaml"))
    demonstrated, shipped = loader.load(file), loader.load(ROOT / "config" / "policy.yaml")
    assert demonstrated.rules == shipped.rules
    assert demonstrated.weights == shipped.weights
    assert demonstrated.default == shipped.default


def test_every_message_is_installed_with_the_package() -> None:
    settings = (ROOT / "pyproject.toml").read_text()
    assert 'dkimgate = ["py.typed", "cli/demo_messages/*"]' in settings
    assert all(demo_world.demo_file(case.file) for case in demo.CASES)
