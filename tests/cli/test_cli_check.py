"""`check`: what a postmaster is told about a configuration."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from dkimgate import cli
from dkimgate.daemon import packets
from dkimgate.postfix import this_host
from dkimgate.postfix.settings import Settings
from dkimgate.postfix.this_host import System
from tests.cli.checking import GOOD, checked, texts
from tests.world.keys import ed25519_key, pem_of, rsa_key


def test_a_good_configuration_has_no_findings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = folder / "new.secret"
    assert cli.main(["srs", "new-secret", "--out", str(secret)]) == 0
    capsys.readouterr()
    srs = f"unalign: {{domain: bounce.forwarder.example, secret_file: {secret}}}\n"
    listen = f"listen: [unix:{folder}/sock, {{socket: unix:{folder}/srs.sock, role: srs}}]\n"
    assert checked(folder, GOOD + listen + srs, capsys) == (0, [])


@pytest.mark.parametrize(
    ("old", "new", "status", "finding"),
    [
        ("[mx.forwarder.example], auth", "[], auth", 1, "warning: trust.no-hosts"),
        ("ids: [mx.forwarder.example]", "ids: []", 1, "warning: trust.no-authserv-ids"),
        ("trust: {", "trust: {border_strips_forgeries: true, ", 1, "warning: trust.border-strips-forgeries"),
        ("trust: {", "trust: {networks: [10.0.0.0/8], ", 1, "warning: trust.network-wide"),
        ("addresses: [192.0.2.10], ", "", 0, "note: departure.addresses-unknown"),
        ("[192.0.2.10]", "[]", 0, "note: departure.addresses-unknown"),
        (", helo: mx.forwarder.example", "", 0, "note: departure.helo-unknown"),
        (", origin: forwarder.example", "", 0, "note: departure.origin-unknown"),
        (
            "departure: {",
            "departure: {rewrites_senders: true, ",
            1,
            "warning: departure.rewrites-senders",
        ),
        (
            "helo: mx.forwarder.example",
            "helo: mx.hosted.example",
            1,
            "warning: departure.helo-aligned",
        ),
        (
            "file: decisions",
            "file: missing/decisions",
            2,
            "problem: journal.unwritable",
        ),
        ("keys:", "keys: []\n#", 1, "warning: keys.none"),
        ("trust:", "socket_mode: '0666'\ntrust:", 1, "warning: socket-mode.open"),
        ("trust:", "socket_group: nosuchgroup\ntrust:", 2, "problem: socket-group.missing"),
        ("trust: {hosts: [", "trust: {hosts: [192.0.2.1, ", 1, "warning: trust.hosts-address"),
        ("trust:", "user: nosuchuser\ntrust:", 2, "problem: user.missing"),
        ("trust:", "user: nobody\ntrust:", 2, "problem: file."),
        ("trust:", "user: nobody\ntrust:", 2, "problem: journal.unwritable"),
    ],
)
def test_findings(
    folder: Path, old: str, new: str, status: int, finding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert old in GOOD
    found = checked(folder, GOOD.replace(old, new, 1), capsys)
    assert found[0] == status
    assert any(text.startswith(finding) for text in found[1]), found[1]


@pytest.mark.parametrize(
    ("hosts", "here", "services", "missing"),
    [
        ("mx.forwarder.example", "mx.forwarder.example", (), []),
        ("mx.forwarder.example", "MX.Forwarder.Example", (), []),
        ('"*.forwarder.example"', "mx.forwarder.example", (), []),
        ("mx.forwarder.example", "mail.forwarder.example", (), ["mail.forwarder.example"]),
        ("mx.forwarder.example", "debian", (), ["debian"]),
        ("mx.forwarder.example", "mx.forwarder.example", ("out.forwarder.example",), ["out.forwarder.example"]),
        ("mx.forwarder.example", "", (), []),
        ("", "mx.forwarder.example", (), []),  # told by the warning that there are none
    ],
)
def test_postfix_of_this_host_is_one_of_ours(
    folder: Path,
    hosts: str,
    here: str,
    services: tuple[str, ...],
    missing: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings({"myhostname": here}, {"myhostname": services})
    monkeypatch.setattr(this_host, "this_host", lambda: System(lambda: settings))
    _, found = checked(folder, GOOD.replace("hosts: [mx.forwarder.example]", f"hosts: [{hosts}]"), capsys)
    assert found.count("warning: postfix.myhostname") == len(missing)
    said = texts(folder, "postfix.myhostname", capsys)
    assert all(name in text for text, name in zip(said, missing, strict=True))


@pytest.mark.parametrize(
    ("limit", "told", "warned"),
    [
        ("102400", True, ""),
        ("33554432", True, "16774681"),
        ("102400", False, "63000"),
        ("63000", False, ""),
    ],
)
def test_header_fields_that_postfix_takes_and_libmilter_does_not(
    folder: Path,
    limit: str,
    told: bool,
    warned: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings({"myhostname": "mx.forwarder.example", "header_size_limit": limit}, {})
    monkeypatch.setattr(this_host, "this_host", lambda: System(lambda: settings))
    monkeypatch.setattr(packets, "accept_large", lambda: told)
    _, found = checked(folder, GOOD + "milter_library: pymilter\n", capsys)
    assert ("warning: postfix.header-size-limit" in found) is bool(warned)
    assert all(warned in text for text in texts(folder, "postfix.header-size-limit", capsys))


@pytest.mark.parametrize(("limit", "warned"), [("102400", ""), ("16774681", ""), ("33554432", "16774681")])
def test_header_fields_that_postfix_takes_and_we_do_not(
    folder: Path, limit: str, warned: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings({"myhostname": "mx.forwarder.example", "header_size_limit": limit}, {})
    monkeypatch.setattr(this_host, "this_host", lambda: System(lambda: settings))
    monkeypatch.setattr(packets, "accept_large", lambda: pytest.fail("libmilter is not asked"))
    _, found = checked(folder, GOOD, capsys)
    assert ("warning: postfix.header-size-limit" in found) is bool(warned)
    assert all(warned in text for text in texts(folder, "postfix.header-size-limit", capsys))


@pytest.mark.parametrize(("action", "warned"), [("accept", True), ("tempfail", False), ("quarantine", False)])
def test_a_postfix_that_lets_mail_go_without_the_gate(
    folder: Path, action: str, warned: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forgery leaves with its envelope then."""
    settings = Settings({"myhostname": "mx.forwarder.example", "milter_default_action": action}, {})
    monkeypatch.setattr(this_host, "this_host", lambda: System(lambda: settings))
    _, found = checked(folder, GOOD, capsys)
    assert ("warning: postfix.milter-default-action" in found) is warned


def test_a_port_that_all_the_world_reaches_is_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dkimgate.yaml").write_text(
        f"listen: [inet:0.0.0.0:8891, inet:127.0.0.1:8892, 'inet6:[::1]:8893']\n{GOOD}"
    )
    (said,) = texts(folder, "listen.open-port", capsys)
    assert "inet:0.0.0.0:8891" in said


def test_a_weak_key_and_one_of_a_kind_that_few_verify(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, key in (("weak.pem", rsa_key(1024)), ("ed.pem", ed25519_key())):
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(pem_of(key))
    keys = "keys: [{domain: a.example, selector: w, file: weak.pem}, {domain: b.example, selector: e, file: ed.pem}]\n#"
    status, found = checked(folder, GOOD.replace("keys:", keys), capsys)
    assert status == 1
    assert {"warning: key.weak", "warning: keys.only-ed25519"} <= set(found)


def test_the_overview(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "dkimgate.yaml"
    file.write_text(f"listen: unix:{folder}/sock\nworkers: 3\n{GOOD}")
    assert cli.main(["check", "--config", str(file)]) == 0
    said = capsys.readouterr().out.replace(str(folder), "/etc/dkimgate")
    start = """\
/etc/dkimgate/dkimgate.yaml: loaded

listens on    unix:/etc/dkimgate/sock
workers       3 for each listener, as the user that starts it
our hosts     mx.forwarder.example
our clients   127.0.0.0/8, ::1/128
authserv-ids  mx.forwarder.example
ARC sealers   none
own checks    missing, DMARC by both, asking the system's resolvers for 5 s at most
passports     none
leaves from   192.0.2.10 as mx.forwarder.example
smtp breaks   lines of more than 998 octets, and makes quoted-printable of 8-bit content for hosts without 8BITMIME
unalign       none
forwarder     none
journal       /etc/dkimgate/decisions.jsonl (if it can't be written: defer)
policy        /etc/dkimgate/policy.yaml (mode: enforce, sha256:"""
    assert said.startswith(start)
    assert "\nKeys\n  hosted.example  default  RSA, 2048 bits\n" in said
    assert re.search(r"\n  own-users +sign: author +when .*origin is one of submitted, local.* and risk < 50\n", said)
    assert "  never-launder          sign: none, envelope: unalign  when arrival.badly is true or risk >= 50\n" in said
    assert "  default                sign: none                     always\n" in said
    ending = "Findings\n  note  user: not set" if os.geteuid() == 0 else "Findings\n  note  unalign: not set"
    assert ending in said


def test_what_keeps_the_daemon_from_starting_is_status_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "policy.yaml").write_text("version: 1\nrules:\n  - {name: a, sign: authr}\n")
    (folder / "key.pem").chmod(0o644)
    (folder / "dkimgate.yaml").write_text(f"listen: unix:{folder}/sock\n" + GOOD)
    assert cli.main(["check", "--config", str(folder / "dkimgate.yaml")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "policy.yaml:3:" in said.err
    assert "key.pem: " in said.err


BORDER = GOOD + "\nlisten: [{socket: unix:/run/dkimgate/b.sock, role: border}]\n"
PASSPORT = "passport: {secret_file: passport.secret}\n"


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        (BORDER + PASSPORT + "verify: {when: never}\n", "warning: verify.never-at-border"),
        (GOOD + "\n" + PASSPORT, "note: passport.no-border"),
    ],
)
def test_a_border_that_lacks_something(
    configuration: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in checked(folder, configuration, capsys)[1]


def test_a_border_without_a_passport_does_not_start(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dkimgate.yaml").write_text(BORDER)
    assert cli.main(["check", "--config", str(folder / "dkimgate.yaml")]) == 2
    assert "`passport: {secret_file: ...}`" in capsys.readouterr().err


SRS_LISTENER = "listen: [{socket: unix:/run/dkimgate/m.sock}, {socket: unix:/run/dkimgate/s.sock, role: srs}]\n"


@pytest.mark.parametrize(
    ("configuration", "status", "said"),
    [
        (
            "unalign: {domain: bounce.forwarder.example, secret_file: srs.secret}\n",
            0,
            "note: unalign.no-srs-listener",
        ),
        (
            "unalign: {domain: bounce.forwarder.example, secret_file: srs.secret}\nuser: nobody\n" + SRS_LISTENER,
            2,
            "problem: file.",
        ),
    ],
)
def test_a_sender_domain_that_lacks_something(
    configuration: str, status: int, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = checked(folder, GOOD + "\n" + configuration, capsys)
    assert found[0] == status
    assert any(text.startswith(said) for text in found[1]), found[1]


def test_a_good_sender_domain_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configuration = GOOD + "\nunalign: {domain: bounce.forwarder.example, secret_file: srs.secret}\n" + SRS_LISTENER
    assert [text for text in checked(folder, configuration, capsys)[1] if text.startswith("note: unalign")] == []
    assert cli.main(["check", "--config", str(folder / "dkimgate.yaml")]) == 0
    said = capsys.readouterr().out
    assert "unix:/run/dkimgate/s.sock (srs)" in said
    assert "for each listener (one where its role is srs)" in said
    assert "bounce.forwarder.example, 1 secret\n" in said
