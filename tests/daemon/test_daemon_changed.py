"""What a reload says of what it changed."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import pytest
import yaml

from dkimgate.config import dkimgate_yaml
from dkimgate.config.yaml_file import Document
from dkimgate.daemon.changed import changes
from dkimgate.dns.resolver import Answer, Status
from dkimgate.gate.gate import Gate
from dkimgate.passport import secrets as passports
from dkimgate.postfix import settings as postfix
from dkimgate.postfix import this_host

BASE = {
    "listen": "unix:/run/dkimgate/milter.sock",
    "trust": {"hosts": ["mx.forwarder.example"], "authserv_ids": ["mx.forwarder.example"]},
    "keys": [
        {"domain": "hosted.example", "selector": "default", "file": "/k/a.pem"},
        {"domain": "hosted.example", "selector": "ed", "file": "/k/b.pem"},
        {"domain": "other.example", "selector": "default", "file": "/k/c.pem"},
    ],
}


def settings(text: str = "") -> dkimgate_yaml.Config:
    return dkimgate_yaml.from_document(
        Document(Path("/etc/dkimgate/dkimgate.yaml"), {**BASE, **(yaml.safe_load(text) or {})})
    )


def told(
    text: str, before: dict[str, str] | None = None, after: dict[str, str] | None = None
) -> list[tuple[str, bool]]:
    return list(changes(settings(), settings(text), before or {}, after or {}))


@pytest.mark.parametrize(
    ("text", "expected", "gone"),
    [
        (
            "keys: [{domain: other.example, selector: default, file: /k/c.pem}]",
            "keys: 1, 3 before; hosted.example is gone",
            True,
        ),
        ("keys: []", "keys: 0, 3 before; hosted.example is gone; other.example is gone", True),
        (
            """keys: [{domain: hosted.example, selector: '2027', file: /k/a.pem}, {domain: new.example, selector: default, file: /k/d.pem},
                      {domain: other.example, selector: default, file: /k/e.pem}]""",
            "keys: 3; new.example is new; hosted.example has 2027; default, ed before; other.example has another file",
            False,
        ),
        (
            "trust: {hosts: [a.example], authserv_ids: [mx.forwarder.example]}",
            "trust.hosts: 1; mx.forwarder.example is gone; a.example is new",
            True,
        ),
        ("user: dkimgate", "user: dkimgate; not set before", False),
        ("verify: {when: always}", "verify.when: always; missing before", False),
        ("verify: {deadline: 2}", "verify.deadline: 2.0; 5.0 before", False),
        ("departure: {addresses: [192.0.2.1]}", "departure.addresses: 192.0.2.1; not set before", False),
        (
            "unalign: {domain: b.example, secret_file: /s}",
            "unalign: domain b.example, secret_file /s; not set before",
            False,
        ),
        ("signature: {expire_days: 14}", "signature.expire_days: 14; not set before", False),
        (
            "listen: unix:/run/b",
            "listen: 1; unix:/run/dkimgate/milter.sock (gate) is gone; unix:/run/b (gate) is new",
            True,
        ),
        ("journal: {on_failure: continue}", "journal.on_failure: continue; defer before", False),
        ("spam_fields: [{field: X-My, pattern: '(?P<flag>yes)'}]", "spam_fields: 1, 0 before; X-My is new", False),
    ],
)
def test_one_change_is_one_line(text: str, expected: str, gone: bool) -> None:
    assert told(text) == [(expected, gone)]


def test_nothing_changed_is_nothing() -> None:
    assert told("") == []
    assert told("", {"policy": "a"}, {"policy": "a"}) == []


def test_what_is_taken_out_is_gone() -> None:
    with_unalign = settings("unalign: {domain: b.example, secret_file: /s}")
    assert list(changes(with_unalign, settings(), {}, {})) == [
        ("unalign: not set; domain b.example, secret_file /s before", True)
    ]


def test_a_list_in_another_order_is_a_change() -> None:
    old, new = (
        settings(f"departure: {{addresses: [{text}]}}") for text in ("192.0.2.1, 192.0.2.2", "192.0.2.2, 192.0.2.1")
    )
    assert list(changes(old, new, {}, {})) == [("departure.addresses: 2; in another order, or changed", False)]


def test_policy_and_key_files_under_the_same_name() -> None:
    assert told("", {"policy": "a", "the key x": "1"}, {"policy": "b", "the key x": "1", "the key y": "2"}) == [
        ("policy: b; a before", False)
    ]


def test_every_part_of_the_configuration_is_compared() -> None:
    """Whatever key is added to the configuration: one that differs is told by its name."""
    base = settings()
    for name in dkimgate_yaml.Config.model_fields:
        other = base.model_copy(update={name: None if name != "keys" else ()})
        told = [line for line, _ in changes(base, other, {}, {})]
        assert len(told) == (getattr(base, name) is not None), name
        assert all(line.startswith(f"{name}: ") for line in told)


def test_what_is_found_out_and_what_is_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that was replaced, and an address that the host has got, are changes too. Nothing that is printed tells of the secret."""
    (tmp_path / "policy.yaml").write_bytes((Path(__file__).parents[2] / "config" / "policy.yaml").read_bytes())
    srs_file, passport_file, file = (tmp_path / name for name in ("srs.secret", "passport.secret", "dkimgate.yaml"))
    for secret, line in ((srs_file, "0123456789abcdef"), (passport_file, passports.new_secret("2026a"))):
        secret.touch(mode=0o600)
        secret.write_text(line + "\n")
    file.write_text(
        "listen: unix:/run/x\ntrust: {}\nkeys: []\nunalign: {domain: b.example, secret_file: srs.secret}\n"
        "passport: {secret_file: passport.secret}\n"
    )
    host = postfix_host("192.0.2.1")
    monkeypatch.setattr("dkimgate.postfix.this_host.this_host", lambda: host)
    monkeypatch.setattr("dkimgate.dns.resolver.Resolver.ask", lambda *_: Answer(Status.NONE))

    gate = Gate.load(file)

    def reloaded() -> list[str]:
        nonlocal gate
        before, gate = gate, Gate.load(file)
        return [text for text, _ in changes(before.config, gate.config, before.loaded, gate.loaded)]

    assert reloaded() == []
    srs_file.write_text("fedcba9876543210\n" + srs_file.read_text())
    (said,) = reloaded()
    assert re.fullmatch(r"unalign\.secret_file: 2 secrets \(mark \w{8}\); 1 secret \(mark \w{8}\) before", said)
    passport_file.write_text(passports.new_secret("2026a") + "\n")
    (said,) = reloaded()
    assert re.fullmatch(r"passport\.secret_file: 1 secret \(mark \w{8}\); 1 secret \(mark \w{8}\) before", said)
    host = postfix_host("192.0.2.2")
    assert reloaded() == ["departure.addresses: found 192.0.2.2; found 192.0.2.1 before"]
    host = this_host.System()
    assert any(said.startswith("departure.addresses: unknown (no Postfix answers on this host") for said in reloaded())


def postfix_host(address: str) -> this_host.System:
    values = {
        "myhostname": "mx.forwarder.example",
        "inet_protocols": "ipv4",
        "default_transport": "smtp",
        "myorigin": "forwarder.example",
    }
    return this_host.System(lambda: postfix.Settings(values), lambda: (ipaddress.ip_address(address),), lambda _: ())
