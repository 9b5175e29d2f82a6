"""A policy in plain words: nothing that it says is left out, and no word of it is a program's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dkimgate.config import yaml_file
from dkimgate.policy.describe import plain_words
from dkimgate.policy.language.fact import Kind
from dkimgate.policy.language.loader import from_document, load
from dkimgate.policy.language.model import Policy
from dkimgate.policy.language.vocabulary import CONDITIONS

CONFIG = Path(__file__).parents[2] / "config"


def parse(text: str) -> Policy:
    return from_document(yaml_file.parse(text, Path("policy.yaml")))


def who(when: str) -> str:
    top = "version: 1\nrisk: {dmarc: {fail: 100}}\n"
    return plain_words.who(parse(f"{top}rules:\n  - name: a\n    sign: none\n    when: {{{when}}}\n").rules[0])


def does(keys: str) -> list[str]:
    policy = parse(f"version: 1\nrules:\n  - {{name: a, {keys}}}\n")
    return plain_words.does(policy.rules[0], policy)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("origin: [submitted, local]", "it is our own: a user who logged in or a program of ours has sent it"),
        (
            "origin: [local, forwarded]",
            "it came from outside and is being passed on or a program on a host of ours has made it",
        ),
        ("arrival.dmarc: [pass, none]", "on arrival DMARC passed or found no policy"),
        ("upstream.dmarc: present", "at a host that isn't ours DMARC did badly"),
        ("from: hosted", "its author's domain is one of ours"),
        ('from: [hosted, "*.partner.example"]', "its author's domain is one of ours or *.partner.example"),
        ("from: none", "it does not say in one way who wrote it"),
        ('risk: [">= 50", "< 5"]', "its risk is at least 50 or is below 5"),
        ("recipients.count: 1", "the number of its recipients is 1"),
        ('sender: ""', "it is a bounce (it has no sender address)"),
        ("sender: partner.example", "its sender address is one of partner.example"),
        (
            "client.ip: [192.0.2.1, 192.0.2.128/25]",
            "the address of the computer that hands it in is 192.0.2.1 or within 192.0.2.128/25",
        ),
        ("client.auth: present", "who hands it in has logged in"),
        ("not: {spam: true}", "it is not spam"),
        ("not: {spam: false}", "it is spam"),
        ("not: {from: hosted}", "it is not so that its author's domain is one of ours"),
        ("any: [{spam: true}, {own_signature: false}]", "it is spam, or it has no signature of ours yet"),
        (
            "spam: false, any: [{from: hosted}, {not: {any: [{arrival.spf: fail}, {arrival.dkim: fail}]}}]",
            "it is not spam, and (its author's domain is one of ours, or it is not so that "
            "(on arrival SPF failed, or on arrival its signature (DKIM) failed))",
        ),
    ],
)
def test_who(when: str, said: str) -> None:
    assert who(when) == said


def test_a_rule_without_conditions_takes_the_rest() -> None:
    policy = parse("version: 1\nrules:\n  - {name: a, sign: none}\n")
    assert plain_words.who(policy.rules[0]) == "every other message"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("sign: author", ["signed for its author's domain, if that is ours"]),
        (
            "sign: forwarder, seal: true",
            ["signed in our own name, not its author's", "sealed (ARC): what we know of its arrival goes along"],
        ),
        ("disposition: reject, text: go away", ['refused, with the words "go away"']),
        ("disposition: hold", ["not signed", "held until a postmaster looks at it"]),
        ("disposition: discard", ["thrown away without a word"]),
        ("disposition: defer", ["turned away for now, to be tried again later"]),
        (
            "sign: none, mode: observe",
            ["not signed", "ONLY WATCHED: it is signed as if there were no gate, and the rest is only recorded"],
        ),
        ('tag: "[x]", remove: X-A', ["not signed", 'marked in its subject: "[x]"', "loses the header field X-A"]),
        ("add: {X-A: b}", ["not signed", 'gets the header field "X-A: b"']),
        (
            "envelope: unalign, otherwise: reject, text: stop",
            [
                "not signed",
                "its sender address is rewritten where that alone would make it look genuine; where it can't be, it is refused, with the "
                'words "stop"',
            ],
        ),
    ],
)
def test_what_happens(keys: str, said: list[str]) -> None:
    assert does(keys) == said


def test_there_are_words_for_every_fact_and_every_value() -> None:
    for name, fact in CONDITIONS.items():
        values = {
            Kind.WORD: list(fact.words),
            Kind.FLAG: ["true", "false"],
            Kind.NUMBER: ['"> 7"'],
            Kind.ADDRESS: ["192.0.2.1"],
        }
        for value in [*values.get(fact.kind, ["x.partner.example"]), *(["present"] if fact.optional else [])]:
            said = who(f"{name}: {value}")
            assert not re.search(r"_|\(line|Word|Glob|Flag", said) and ("." not in name or name not in said), said


@pytest.mark.parametrize(
    "file", [CONFIG / "policy.yaml", *sorted((CONFIG / "policies").glob("*.yaml"))], ids=lambda file: file.name
)
def test_what_is_shipped_has_words_for_all_of_it(file: Path) -> None:
    policy = load(file)
    for rule in policy.all_rules:
        assert plain_words.who(rule) and plain_words.does(rule, policy)
    for name, _ in policy.weights.parts:
        assert "=" not in plain_words.part(name) and "_" not in plain_words.part(name)
