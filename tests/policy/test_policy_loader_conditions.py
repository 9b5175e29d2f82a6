"""Mistakes in conditions, and what needs quotes: code, line and column."""

from __future__ import annotations

import pytest

from tests.policy.test_policy_loader import mistakes, parse, when
from tests.problems import refusals

CONDITIONS = [
    ("arrival.dmarc: passs", "4:12 condition.value"),
    ("arrival.dmarc: Pass", "4:12 condition.value"),
    ("arrival.dmarc: [pass, noen]", "4:34 condition.value"),
    ("arrival.dmarc: present", "4:12 condition.value"),
    (
        "arrival.dmarc: null",
        "4:12 condition.value",
    ),
    ("upstream.dmarc: pass", "4:12 condition.value"),
    (
        "arrival.dmarc: []",
        "4:12 condition.value",
    ),
    (
        "arrival.dmarc: [[pass]]",
        "4:28 condition.value",
    ),
    ("arrival.dmrac: pass", "4:12 condition.unknown-fact"),
    ("dmarc: pass", "4:12 condition.unknown-fact"),
    ("arrival: {dmarc: pass}", "4:12 condition.unknown-fact"),
    ("on: true", "4:12 yaml.key-not-text"),
    (
        "origin: outside",
        "4:12 condition.value",
    ),
    ("spam: maybe", "4:12 condition.value"),
    ("spam: [true]", "4:12 condition.value"),
    ("arrival.aligned: 1", "4:12 condition.value"),
    ('risk: ">= x"', "4:12 condition.value"),
    ('risk: "50"', "4:12 condition.value"),
    ('risk: "=> 50"', "4:12 condition.value"),
    ("risk: .nan", "4:12 condition.value"),
    ("risk: .inf", "4:12 condition.value"),
    (f'risk: "< {"9" * 400}"', "4:12 condition.value"),
    (f"risk: {'9' * 400}", "4:12 condition.value"),
    ("risk: true", "4:12 condition.value"),
    ('risk: "< 0"', "4:12 condition.value"),
    ("risk: -1", "4:12 condition.value"),
    ("recipients.count: 1.5", "4:12 condition.value"),
    (
        "client.ip: 192.0.2.1/24",
        "4:12 condition.value",
    ),
    (
        "client.ip: 192.0.2",
        "4:12 condition.value",
    ),
    (
        "client.ip: 42",
        "4:12 condition.value",
    ),
    (
        "client.ip: mx.hosted.example",
        "4:12 condition.value",
    ),
    (
        'client.ip: ["::ffff:192.0.2.0/120"]',
        "4:24 condition.value",
    ),
    (
        "client.name: 192.0.2.0/24",
        "4:12 condition.value",
    ),
    (
        "client.auth: 0660",
        "4:12 condition.value",
    ),
    ("client.auth: ''", "4:12 condition.value"),
    ("client.daemon: 2026-11-21", "4:12 condition.value"),
    (
        "from: friend@hosted.example",
        "4:12 condition.value",
    ),
    (
        "from: hostd",
        "4:12 condition.value",
    ),
    ("from: bücher.example", "4:12 condition.value"),
    (
        "from: no",
        "4:12 condition.value",
    ),
    ("from: two words.example", "4:12 condition.value"),
    (
        "sender: '@hosted.example'",
        "4:12 condition.value",
    ),
    ("sender: <>", "4:12 condition.value"),
    (
        "sender: none",
        "4:12 condition.value",
    ),
    ("sender: <friend@hosted.example>", "4:12 condition.value"),
    ("recipients: ''", "4:12 condition.value"),
    ("any: {spam: true}", "4:12 condition.expected-list"),
    ("any: []", "4:12 condition.expected-list"),
    ("all: []", "4:12 condition.expected-list"),
    ("any: [{}]", "4:18 yaml.empty-mapping"),
    (
        "not: [{spam: true}]",
        "4:12 condition.list",
    ),
    ("not: {}", "4:12 yaml.empty-mapping"),
    (
        "any: [{spam: true}, {origin: {a: b}}]",
        "4:33 condition.value",
    ),
    ("not: {" * 30 + "spam: true" + "}" * 30, "4:132 condition.too-deep"),
    (
        "all: [{spam: true}, {spam: false}]",
        "4:5 policy.unreachable",
    ),
    (
        "origin: inbound, from: hosted, client.auth: present",
        "4:5 policy.unreachable",
    ),
    ("from: '*_*'", "4:12 condition.value"),
    ("client.helo: 'mail?.example'", "4:12 condition.value"),
    ("client.helo: 'mail*'", "4:12 condition.value"),
    ("client.tls: 'TLS*3'", "4:12 condition.value"),
    ("sender: '*@*.partner.example'", "4:12 condition.value"),
    ("sender: 'owner-*@lists.example'", "4:12 condition.value"),
    ("spam.score: '> 5'", "4:12 condition.unknown-fact"),
    (
        "risk: '> 5', spam: true",
        "4:5 policy.unreachable",
    ),
    ("spam.ratio: '< 0'", "4:12 condition.value"),
    (
        "recipients.count: '> 2000000'",
        "4:12 condition.value",
    ),
]


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS)
def test_mistakes_in_conditions(condition: str, expected: str) -> None:
    assert mistakes(when(condition)) == [expected]


QUOTES = [
    "risk: >= 50",
    "risk: > 50",
    "risk: != 50",
    "sender: *@hosted.example",
    "sender: *.hosted.example",
    "sender: @hosted.example",
]


@pytest.mark.parametrize("condition", QUOTES)
@pytest.mark.parametrize("layout", ["    when:\n      {}\n", "    when: {{{}}}\n"])
def test_what_needs_quotes_is_told_so(condition: str, layout: str) -> None:
    """YAML takes these for blocks, tags and aliases; its own words would send an operator the wrong way."""
    (found,) = refusals(parse, "version: 1\nrules:\n  - name: rule\n    sign: none\n" + layout.format(condition))
    assert found.code == "yaml.syntax" and found.line in (5, 6)
    assert '">= 50"' in found.text  # what to write instead
