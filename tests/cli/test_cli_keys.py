"""`dkimgate keys`, through its command line and over a real DNS socket."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import socketserver
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone
import pytest
import yaml

from dkimgate.cli.keys import add_parser, config_line, zone_line
from dkimgate.config import dkimgate_yaml
from dkimgate.dkim.keys import SigningKey
from dkimgate.gate.key_files import load_key


def run(*words: str | Path) -> int:
    parser = argparse.ArgumentParser(prog="dkimgate")
    add_parser(parser.add_subparsers(required=True), "")
    args = parser.parse_args([str(word) for word in words])
    status = args.run(args)
    assert isinstance(status, int)
    return status


def load(file: Path, domain: str = "hosted.example", selector: str = "s1") -> SigningKey:
    return load_key(dkimgate_yaml.Key(domain=domain, selector=selector, file=str(file)))


@pytest.mark.parametrize(
    ("options", "algorithm", "bits"), [("", "rsa-sha256", 2048), ("--type ed25519", "ed25519-sha256", 256)]
)
def test_new_writes_a_key_that_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: str, algorithm: str, bits: int
) -> None:
    file = tmp_path / "key.pem"
    before = os.umask(0)
    try:
        assert run("keys", "new", "Hosted.Example.", "s1", "--out", file, *options.split()) == 0
    finally:
        os.umask(before)
    key = load(file)
    assert (key.algorithm, key.bits) == (algorithm, bits)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    printed = capsys.readouterr().out
    assert zone_line(key) in printed
    assert config_line(key, file) in printed
    assert file.read_text().splitlines()[1] not in printed
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("bits", [2048, pytest.param(4096, marks=pytest.mark.heavy)])
def test_the_zone_line_is_what_a_name_server_reads(tmp_path: Path, bits: int) -> None:
    file = tmp_path / "key.pem"
    assert run("keys", "new", "hosted.example", "s1", "--out", file, "--bits", str(bits)) == 0
    key = load(file)
    zone = dns.zone.from_text(
        f"@ 300 IN SOA ns root 1 2 3 4 5\n@ 300 IN NS ns\n{zone_line(key)}\n", "hosted.example", check_origin=False
    )
    [record] = zone.find_rdataset("s1._domainkey", "TXT")
    assert b"".join(record.strings).decode() == key.public_record()
    assert all(len(text) <= 255 for text in record.strings)


@pytest.mark.parametrize("selector", ["default", "2027", "0x1f", "true", "no", "1.5", "on", "_x", "-a"])
@pytest.mark.parametrize("name", ["key.pem", "a, b.pem", "a: b.pem", "{x}.pem", "#1.pem", "é.pem", 'quo"te.pem', "007"])
def test_the_config_line_is_read_as_it_is_meant(tmp_path: Path, selector: str, name: str) -> None:
    file = tmp_path / "key.pem"
    assert run("keys", "new", "--type", "ed25519", "--out", file, "--", "hosted.example", selector) == 0
    [entry] = yaml.safe_load(config_line(load(file, selector=selector), tmp_path / name))
    assert entry == {"domain": "hosted.example", "selector": selector, "file": str(tmp_path / name)}


def test_new_never_overwrites_unless_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "key.pem"
    file.write_text("precious")
    command = ("keys", "new", "hosted.example", "s1", "--type", "ed25519", "--out", file)
    assert run(*command) == 2
    assert "exists already" in capsys.readouterr().err
    assert file.read_text() == "precious"
    link = tmp_path / "link.pem"
    link.symlink_to(tmp_path / "elsewhere.pem")
    assert run(*command[:-1], link) == 2
    assert not (tmp_path / "elsewhere.pem").exists()
    file.chmod(0o666)
    assert run(*command, "--force") == 0
    load(file)
    assert {entry.name for entry in tmp_path.iterdir()} == {"key.pem", "link.pem"}


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_new_leaves_nothing_behind_where_it_fails(
    tmp_path: Path, force: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    assert run("keys", "new", "hosted.example", "s1", "--type", "ed25519", "--out", folder, *force) == 2
    assert str(folder) in capsys.readouterr().err
    assert list(tmp_path.rglob("*")) == [folder]


def test_new_removes_a_key_that_could_not_be_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run("keys", "new", "hosted.example", "s1", "--type", "ed25519", "--out", tmp_path / "key.pem") == 2
    assert list(tmp_path.iterdir()) == []


def test_new_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("keys", "new", "hosted.example", "s1", "--type", "ed25519") == 0
    load(tmp_path / "hosted.example.s1.pem")
    assert f"file: {tmp_path}/hosted.example.s1.pem" in capsys.readouterr().out


@pytest.mark.parametrize("options", [["--out", "/no/such/folder/key.pem"], ["--type", "ed25519", "--bits", "2048"]])
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_new_that_can_not_be_done(options: list[str], force: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("keys", "new", "hosted.example", "s1", *options, *force) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("dkimgate: ")


@pytest.mark.parametrize(
    "words",
    [
        "a..example s",
        "ü.example s",
        "hosted.example a/b",
        "hosted.example s --bits 1024",
        "x.example",
        "hosted.example s._domainkey",
    ],
)
def test_new_with_wrong_words(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run("keys", "new", *words.split())
    assert caught.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_help_teaches_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["keys"], ["keys", "new"], ["keys", "check"]):
        with pytest.raises(SystemExit) as caught:
            run(*words, "--help")
        assert caught.value.code == 0
        assert "examples:\n  dkimgate keys" in capsys.readouterr().out


class Zone(socketserver.ThreadingUDPServer):
    """A name server with TXT records; a name that is not in `records` does not exist."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Question)
        self.records: dict[str, list[str] | dns.rcode.Rcode] = {}

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Question(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Zone)
        data, socket = self.request
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        name = query.question[0].name
        found = self.server.records.get(name.to_text().rstrip("."), dns.rcode.NXDOMAIN)
        if isinstance(found, dns.rcode.Rcode):
            answer.set_rcode(found)
        elif found:
            texts = (" ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200)) for text in found)
            answer.answer.append(dns.rrset.from_text(name, 300, "IN", "TXT", *texts))
        socket.sendto(answer.to_wire(), self.client_address)


@pytest.fixture
def zone() -> Iterator[Zone]:
    with Zone() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def setup(folder: Path, port: int, selectors: str = "s1 s2") -> tuple[Path, list[SigningKey]]:
    """A configuration with Ed25519 keys, and those keys."""
    keys = []
    lines = []
    for selector in selectors.split():
        file = folder / f"{selector}.pem"
        assert run("keys", "new", "hosted.example", selector, "--type", "ed25519", "--out", file) == 0
        keys.append(load(file, selector=selector))
        lines.append(config_line(keys[-1], file))
    settings = folder / "dkimgate.yaml"
    verify = f"verify: {{nameservers: [127.0.0.1], port: {port}, deadline: 1.5}}\n"
    settings.write_text((("keys:\n" + "\n".join(lines) + "\n") if lines else "") + verify)
    return settings, keys


def reports(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_check_agrees(tmp_path: Path, zone: Zone, capsys: pytest.CaptureFixture[str]) -> None:
    settings, keys = setup(tmp_path, zone.port)
    zone.records = {key.name: [key.public_record()] for key in keys}
    capsys.readouterr()
    assert run("keys", "check", "--config", settings) == 0
    out = capsys.readouterr().out
    assert out.count("agrees") == 2
    assert "\x1b" not in out
    assert run("keys", "check", "--config", settings, "--json") == 0
    first, second = reports(capsys.readouterr().out)
    assert first == {
        "name": "s1._domainkey.hosted.example",
        "domain": "hosted.example",
        "selector": "s1",
        "algorithm": "ed25519-sha256",
        "bits": 256,
        "status": "agrees",
        "detail": "",
        "record": keys[0].public_record(),
        "strict_alignment": False,
    }
    assert second["selector"] == "s2"


@pytest.mark.parametrize(
    ("record", "told"), [("v=DMARC1; p=reject; adkim=s", True), ("v=DMARC1; p=reject; aspf=s", False)]
)
def test_check_tells_of_a_key_that_can_not_sign_for_sub_domains(
    tmp_path: Path, zone: Zone, capsys: pytest.CaptureFixture[str], record: str, told: bool
) -> None:
    settings, keys = setup(tmp_path, zone.port)
    zone.records = {key.name: [key.public_record()] for key in keys}
    zone.records["_dmarc.hosted.example"] = [record]
    capsys.readouterr()
    assert run("keys", "check", "--config", settings) == 0
    assert ("hosted.example says adkim=s" in capsys.readouterr().out) is told
    assert run("keys", "check", "--config", settings, "--json") == 0
    assert [report["strict_alignment"] for report in reports(capsys.readouterr().out)] == [told, told]


def test_one_missing_record_is_a_finding(tmp_path: Path, zone: Zone, capsys: pytest.CaptureFixture[str]) -> None:
    settings, [first, _] = setup(tmp_path, zone.port)
    zone.records = {first.name: [first.public_record()]}
    assert run("keys", "check", "--config", settings) == 1
    assert "publish the record" in capsys.readouterr().out


def test_check_finds_what_is_wrong(tmp_path: Path, zone: Zone, capsys: pytest.CaptureFixture[str]) -> None:
    settings, keys = setup(tmp_path, zone.port, "good gone empty other two servfail")
    good, _, empty, other, two, servfail = keys
    zone.records = {
        good.name: [good.public_record()],
        empty.name: [],
        other.name: [good.public_record()],
        two.name: [two.public_record(), "v=spf1 -all"],
        servfail.name: dns.rcode.SERVFAIL,
    }
    capsys.readouterr()
    assert run("keys", "check", "--config", settings, "--json") == 1
    statuses = [report["status"] for report in reports(capsys.readouterr().out)]
    assert statuses == ["agrees", "missing", "missing", "differs", "several records", "unanswered"]
    assert run("keys", "check", "--config", settings) == 1
    out = capsys.readouterr().out
    assert zone_line(other) in out
    assert zone_line(good) not in out


def test_what_dns_says_is_not_taken_for_markup(tmp_path: Path, zone: Zone, capsys: pytest.CaptureFixture[str]) -> None:
    settings, [key] = setup(tmp_path, zone.port, "s1")
    zone.records = {key.name: ["[red]x[/blue] \\027[31m"]}
    capsys.readouterr()
    assert run("keys", "check", "--config", settings) == 1
    out = capsys.readouterr().out
    assert "[red]x[/blue]" in out
    assert "\x1b" not in out


@pytest.mark.heavy
def test_a_dead_name_server_is_no_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Zone() as server:  # bound, and nobody answers
        settings, _ = setup(tmp_path, server.port, "s1 s2 s3")
        capsys.readouterr()
        assert run("keys", "check", "--config", settings) == 2
    assert capsys.readouterr().out.count("unanswered") == 3


def test_check_that_can_not_be_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("keys", "check", "--config", tmp_path / "no.yaml") == 2
    assert "no.yaml: No such file" in capsys.readouterr().err
    settings, [key] = setup(tmp_path, 53, "s1")
    (tmp_path / "s1.pem").chmod(0o644)
    assert run("keys", "check", "--config", settings) == 2
    assert f"run chmod 0640 {shlex.quote(str(tmp_path / 's1.pem'))}" in capsys.readouterr().err
    assert key.selector == "s1"


def test_check_without_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings, _ = setup(tmp_path, 53, "")
    assert run("keys", "check", "--config", settings) == 1
    assert "there is no key" in capsys.readouterr().err
