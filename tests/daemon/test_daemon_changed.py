"""What a reload says of what it changed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dkimgate import config
from dkimgate.daemon.changed import changes
from dkimgate.yamlfile import Document

BASE = {
    "listen": "unix:/run/dkimgate/milter.sock",
    "trust": {"hosts": ["mx.forwarder.example"], "authserv_ids": ["mx.forwarder.example"]},
    "keys": [
        {"domain": "hosted.example", "selector": "default", "file": "/k/a.pem"},
        {"domain": "hosted.example", "selector": "ed", "file": "/k/b.pem"},
        {"domain": "other.example", "selector": "default", "file": "/k/c.pem"},
    ],
}


def settings(text: str = "") -> config.Config:
    return config.from_document(Document(Path("/etc/dkimgate/dkimgate.yaml"), {**BASE, **(yaml.safe_load(text) or {})}))


def told(text: str, before: dict[str, str] | None = None, after: dict[str, str] | None = None) -> list[tuple[str, bool]]:
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
        ("unalign: {domain: b.example, secret_file: /s}", "unalign: domain b.example, secret_file /s; not set before", False),
        ("signature: {expire_days: 14}", "signature.expire_days: 14; not set before", False),
        ("listen: unix:/run/b", "listen: 1; unix:/run/dkimgate/milter.sock (gate) is gone; unix:/run/b (gate) is new", True),
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
    assert list(changes(with_unalign, settings(), {}, {})) == [("unalign: not set; domain b.example, secret_file /s before", True)]


def test_a_list_in_another_order_is_a_change() -> None:
    old, new = (settings(f"departure: {{addresses: [{text}]}}") for text in ("192.0.2.1, 192.0.2.2", "192.0.2.2, 192.0.2.1"))
    assert list(changes(old, new, {}, {})) == [("departure.addresses: 2; in another order, or changed", False)]


def test_policy_and_key_files_under_the_same_name() -> None:
    assert told("", {"policy": "a", "the key x": "1"}, {"policy": "b", "the key x": "1", "the key y": "2"}) == [
        ("policy: b; a before", False)
    ]


def test_every_part_of_the_configuration_is_compared() -> None:
    """Whatever key is added to the configuration: one that differs is told by its name."""
    base = settings()
    for name in config.Config.model_fields:
        other = base.model_copy(update={name: None if name != "keys" else ()})
        told = [line for line, _ in changes(base, other, {}, {})]
        assert len(told) == (getattr(base, name) is not None), name
        assert all(line.startswith(f"{name}: ") for line in told)
