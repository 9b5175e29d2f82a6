"""`explain`: the output that one shows to a colleague, and the record that a program reads."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.cli.demo_world import demo_file
from dkimgate.message.message import Connection
from dkimgate.record import record
from tests.world.host import configured
from tests.world.keys import ed25519_key, pem_of


@pytest.fixture
def config(tmp_path: Path) -> str:
    for name in ("extortion.eml", "forged-pass.eml", "cron.eml", "friend.eml"):
        (tmp_path / name).write_bytes(demo_file(name))
    keys = "keys: [{domain: hosted.example, selector: ed, file: key.pem}]"
    return str(configured(tmp_path, keys, demo_file("policy.yaml").decode(), pem_of(ed25519_key())))


def test_a_forgery_in_words(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sender = ("--sender", "bounce@elsewhere.example", "--recipient", "victim@receiver.example")
    assert cli.main(["explain", "--config", config, *sender, str(tmp_path / "extortion.eml")]) == 0
    assert (
        capsys.readouterr().out
        == """\
author    hosted.example (hosted: our key for hosted.example covers it)
envelope  <bounce@elsewhere.example> to victim@receiver.example
client    localhost [127.0.0.1]
origin    forwarded
          mx.forwarder.example took it from 203.0.113.24, which is not ours

Route, newest hop first
  border  mx.forwarder.example  from 203-0-113-24.client.example [203.0.113.24]  ESMTP

Claims
  dmarc=fail       trusted   Authentication-Results by mx.forwarder.example  our authserv-id, where only our hosts write
  spf=fail         trusted   Authentication-Results by mx.forwarder.example  our authserv-id, where only our hosts write
  spam=yes 5/5     upstream  X-Spam-Flag                                     spam counts whoever says it; ham counts nothing
  spam=yes 14.9/3  upstream  X-Spam-Status                                   spam counts whoever says it; ham counts nothing

Judgement
  arrival  dmarc=fail spf=fail spam=14.9/3 (badly; no pass is aligned with the author)
  header   from_equals_to, return_path_mismatch
  risk     378.3 = dmarc=fail 100 + spf=fail 20 + header.from_equals_to 5 + header.return_path_mismatch 5 + spam 248.3

Rules, the first that matches decides
  no         own-users              none of these matches: (origin is 'forwarded', wanted one of submitted, local); (client.relay is false, wanted true)
  no         own-users-at-risk      none of these matches: (origin is 'forwarded', wanted one of submitted, local); (client.relay is false, wanted true)
  decides    never-launder          sign: none, envelope: unalign
  not asked  arrived-authenticated  arrival.dmarc is 'fail', wanted pass
  not asked  other-peoples-mail     would also match
  not asked  default                would also match

decision   no signature of ours
           rule never-launder
departure  dmarc=fail, nothing aligned passes
"""
    )


def test_own_mail_in_words(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        cli.main(["explain", "--config", config, "--sender", "backup@hosted.example", str(tmp_path / "cron.eml")]) == 0
    )
    said = capsys.readouterr().out
    assert "decides    own-users              sign: author\n" in said
    assert "decision   signed by hosted.example\n" in said
    assert "no Received field" in said


def test_an_author_without_a_key_is_told_why_nothing_signs(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.eml").write_text("From: a@elsewhere.example\nMessage-ID: <1@elsewhere.example>\n\nx\n")
    assert cli.main(["explain", "--config", config, str(tmp_path / "own.eml")]) == 0
    said = capsys.readouterr().out
    assert "sign: author; not signed: no key is aligned with the author domain elsewhere.example" in said
    assert "not hosted: no key of ours covers it" in said


def test_a_message_that_would_be_laundered_by_spf_is_a_finding(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = (
        demo_file("policy.yaml")
        .decode()
        .replace("    envelope: unalign\n    otherwise: hold\n    text:", "    disposition: accept\n    #")
    )
    allowed = 'allow_laundering: [never-launder]\nlaundering_reason: "the old way, to be shown"\n'
    (tmp_path / "policy.yaml").write_text(policy + allowed)
    assert (
        cli.main(["explain", "--config", config, "--sender", "ask@hosted.example", str(tmp_path / "extortion.eml")])
        == 1
    )
    said = capsys.readouterr().out
    assert "departure  dmarc=pass, by aligned SPF" in said
    assert "`envelope: unalign` in the rule prevents that" in said
    assert "the policy allows this rule to launder: the old way, to be shown" in said


def test_the_second_door_is_closed_by_holding_the_message(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        cli.main(["explain", "--config", config, "--sender", "ask@hosted.example", str(tmp_path / "extortion.eml")])
        == 0
    )
    said = capsys.readouterr().out
    assert "no signature of ours, hold: arrived with dmarc=fail" in said
    assert "departure  none; if it were let go: dmarc=pass, by aligned SPF" in said


def test_the_second_door_is_closed_by_rewriting_the_sender(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(config).write_text(
        Path(config).read_text() + "unalign: {domain: bounce.forwarder.example, secret_file: srs.secret}\n"
    )
    assert (
        cli.main(["explain", "--config", config, "--sender", "ask@hosted.example", str(tmp_path / "extortion.eml")])
        == 0
    )
    said = capsys.readouterr().out
    assert "=hosted.example=ask@bounce.forwarder.example>" in said
    assert "departure  dmarc=fail, nothing aligned passes" in said


@pytest.mark.parametrize(
    ("options", "origin"),
    [
        ([], "forwarded"),
        (["--client", "203.0.113.66"], "inbound"),
        (["--client", "2001:db8::1", "--helo", "x.example"], "inbound"),
        (["--client", "203.0.113.66", "--auth", "aiko"], "forwarded"),
    ],
)
def test_the_client_is_what_the_options_say(
    options: list[str], origin: str, config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["explain", "--config", config, "--json", *options, str(tmp_path / "forged-pass.eml")])
    told = json.loads(capsys.readouterr().out)
    assert told["origin"] == origin
    assert told["client"]["ip"] == (options[1] if options else "127.0.0.1")
    assert told["decision"]["signatures"] == []


def test_json_is_a_record_a_line_that_can_be_decided_again(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [str(tmp_path / name) for name in ("friend.eml", "cron.eml")]
    assert cli.main(["explain", "--config", config, "--json", "--sender", "bounce@elsewhere.example", *names]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [told["decision"]["rule"] for told in records] == ["other-peoples-mail", "own-users"]
    assert records[1]["decision"]["signatures"] == [
        {"domain": "hosted.example", "selector": "ed", "algorithm": "ed25519-sha256"}
    ]
    assert record.facts_of(record.read(records[0])).arrival.dmarc == "pass"


def test_stdin_and_return_path(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = b"Return-Path: <bounce@elsewhere.example>\r\nFrom: a@b.example\r\n\r\nx\r\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    cli.main(["explain", "--config", config, "--json", "-"])
    assert json.loads(capsys.readouterr().out)["envelope"]["sender"] == "bounce@elsewhere.example"


def test_what_is_no_message_is_named_and_the_others_are_explained(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    names = [str(tmp_path / name) for name in ("missing", "empty", "binary", "", "cron.eml")]
    assert cli.main(["explain", "--config", config, "--json", *names]) == 2
    said = capsys.readouterr()
    assert said.out.count("\n") == 1
    assert [line.partition(": ")[2].partition(": ")[2] for line in said.err.splitlines()] == [
        "No such file or directory",
        "this does not begin with a header field, so it is not a message",
        "this does not begin with a header field, so it is not a message",
        "Is a directory: name a file in it",
    ]


def test_a_client_that_is_no_address(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "--config", config, "--client", "mx.example", "x.eml"]) == 2
    assert capsys.readouterr().err == "dkimgate: --client mx.example: expected an IP address such as 192.0.2.66\n"


def test_an_escape_sequence_in_a_message_does_not_reach_the_terminal(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = b"\x1b]0;owned\x07\x9b2J"
    raw = b"Received: from " + evil + b" by " + evil + b" with " + evil + b"; x\nFrom: " + evil + b"@hosted.example\n"
    raw += (
        b"Authentication-Results: "
        + evil
        + b"; dmarc=fail reason="
        + evil
        + b"\nMessage-ID: "
        + evil
        + b"\nX-Spam-Status: Yes"
        + evil
        + b"\n\n"
    )
    (tmp_path / "evil.eml").write_bytes(raw)
    arguments = ["explain", "--config", config, "--sender", evil.decode("latin-1"), str(tmp_path / "evil.eml")]
    cli.main(arguments)
    cli.main([*arguments, "--json"])
    said = capsys.readouterr()
    assert not any(character in said.out + said.err for character in "\x1b\x07\x9b")


@pytest.mark.parametrize("key", [field.name for field in fields(Connection)])
def test_an_empty_text_of_a_session_is_none_at_all_whoever_gives_it(key: str) -> None:
    """Daemon, `explain` and test cases make one Connection: an empty login in one of them must not be a login in another (law 3)."""
    assert Connection(**{key: ""}) == replace(Connection(**{key: "x"}), **{key: ""}) == Connection()


def test_an_empty_login_is_no_login(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    origins = []
    for login in ([], ["--auth", ""], ["--auth", "alice"]):
        cli.main(
            ["explain", "--config", config, "--json", "--client", "192.0.2.66", *login, str(tmp_path / "cron.eml")]
        )
        record = json.loads(capsys.readouterr().out)
        origins.append((record["origin"], record["client"]["auth"]))
    assert origins == [("inbound", None), ("inbound", None), ("submitted", "alice")]
