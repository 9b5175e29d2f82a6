"""Cases for a policy: what a file says, what is told about a bad one, and what is taken for true that it doesn't say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dkimgate.config import yaml_file
from dkimgate.facts import Facts, Origin, Spam
from dkimgate.policy.language.fact import Kind
from dkimgate.policy.language.vocabulary import FACTS
from dkimgate.policy.testing import cases, stated_facts
from dkimgate.policy.testing.cases import Suite
from dkimgate.policy.testing.stated_facts import COMPUTED, World
from tests.problems import refusals, told

OURS = World(("forwarder.example", "hosted.example"), "forwarder.example")


def parse(text: str, folder: Path = Path()) -> Suite:
    return cases.from_document(yaml_file.parse(text, folder / "cases.yaml"))


def mistakes(text: str) -> list[str]:
    return told(refusals(parse, text))


def case(keys: str) -> str:
    """A file of one case with those keys behind its name, from line 4 column 5 on."""
    return f"policy: p.yaml\ncases:\n  - name: it\n    {keys}\n"


def stated(**facts: object) -> Facts:
    """The facts of a case; names with `__` for the dot."""
    names = {name.replace("__", "."): value for name, value in facts.items()}
    text = case(
        "expect: {sign: none}\n    facts: {"
        + ", ".join(f"{name}: {_written(value)}" for name, value in names.items())
        + "}"
    )
    return stated_facts.facts(parse(text).cases[0].stated, OURS)


def _written(value: object) -> str:
    return (
        {True: "true", False: "false", None: "null"}.get(value, repr(value))
        if isinstance(value, bool | None)
        else repr(value)
    )


def test_a_case_that_says_nothing_is_a_strangers_mail_of_which_nothing_is_known() -> None:
    found = stated()
    assert (found.origin, found.author, found.hosted) == (Origin.FORWARDED, "author.example", None)
    assert (found.sender, found.recipients) == ("author@author.example", ("recipient@recipient.example",))
    assert (found.arrival.dmarc, found.arrival.aligned, found.arrival.badly) == ("unknown", False, True)
    assert found.arrival.spam == Spam() and found.claims == () and found.client.auth is None
    assert not found.spf_passes and not found.unalignable and not found.own_signature and not found.forwarder_aligns


def test_own_mail_of_which_nothing_is_stated_has_a_dmarc_result_of_none() -> None:
    assert stated(origin="local").arrival.dmarc == "none"
    assert stated(origin="submitted").client.auth == "user"
    assert stated(origin="submitted", client__auth="bob").client.auth == "bob"
    assert stated(origin="inbound").arrival.dmarc == "unknown"


@pytest.mark.parametrize(
    ("facts", "author", "hosted"),
    [
        ({"from": "hosted"}, "hosted.example", "hosted.example"),
        ({"from": "hosted.example"}, "hosted.example", "hosted.example"),
        ({"from": "Sub.Hosted.Example"}, "sub.hosted.example", "hosted.example"),
        ({"from": "hosted.example", "hosted": False}, "hosted.example", None),
        ({"from": "other.example", "hosted": True}, "other.example", "other.example"),
        ({"from": "other.example"}, "other.example", None),
        ({"from": "none"}, None, None),
    ],
)
def test_whose_mail_it_is(facts: dict[str, Any], author: str | None, hosted: str | None) -> None:
    found = stated(**facts)
    assert (found.author, found.hosted) == (author, hosted)


def test_the_forwarders_signature_may_align_where_the_author_is_its_own_or_nobody() -> None:
    assert stated(**{"from": "x.forwarder.example"}).forwarder_aligns
    assert stated(**{"from": "none"}).forwarder_aligns
    assert not stated(**{"from": "hosted"}).forwarder_aligns


@pytest.mark.parametrize(
    ("facts", "spam"),
    [
        ({"spam": True}, Spam(True, 5.0, 5.0)),
        ({"spam": True, "spam.score": 2, "spam.required": 3}, Spam(True, 3.0, 3.0)),
        ({"spam.score": 14.9, "spam.required": 3}, Spam(False, 14.9, 3.0)),
        ({"spam": False, "spam.score": 4}, Spam(False, 4.0, 5.0)),
        ({"spam.score": -9.9}, Spam(False, -9.9, 5.0)),
    ],
)
def test_spam_is_as_a_header_would_say_it(facts: dict[str, Any], spam: Spam) -> None:
    assert stated(**facts).arrival.spam == spam


def test_recipients_are_named_or_counted() -> None:
    assert stated(recipients="a@b.example").recipients == ("a@b.example",)
    assert stated(recipients=["a@b.example", "c@d.example"]).recipients == ("a@b.example", "c@d.example")
    assert stated(recipients=[]).recipients == ()
    many = stated(recipients__count=500).recipients
    assert len(set(many)) == 500
    assert stated(recipients__count=0).recipients == ()


def test_an_aligned_signature_that_is_stated_is_still_there_when_the_message_departs() -> None:
    assert [claim.property("header.d") for claim in stated(arrival__dmarc="pass", arrival__dkim="pass").claims] == [
        "author.example"
    ]
    assert stated(arrival__dmarc="pass", arrival__dkim="pass", arrival__aligned=False).claims == ()
    assert stated(arrival__dmarc="pass", arrival__dkim="fail").claims == ()
    assert stated(arrival__dmarc="pass").arrival.aligned


def test_every_fact_can_be_stated_and_is_then_so() -> None:
    """Whatever the vocabulary holds has a way into the facts, so that a condition on it can be tested."""
    samples: dict[Kind, object] = {
        Kind.FLAG: True,
        Kind.NUMBER: 7,
        Kind.ADDRESS: "192.0.2.66",
        Kind.HOST: "mx.partner.example",
        Kind.TEXT: "alice",
        Kind.AUTHOR: "partner.example",
        Kind.MAILBOX: "friend@partner.example",
        Kind.MAILBOXES: "friend@partner.example",
    }
    blank = stated()
    for name, fact in FACTS.items():
        if name in COMPUTED:
            continue
        value = fact.words[-1] if fact.kind is Kind.WORD else samples[fact.kind]
        assert stated(**{name: value}) != blank or name in ("arrival.dmarc",), name


def test_a_fact_that_may_be_absent_can_be_stated_as_absent() -> None:
    assert stated(client__auth=None, origin="submitted").client.auth is None
    assert stated(recipients=None).recipients == ()
    assert stated(border__by=None, border__ip="192.0.2.1").border is not None


BAD_FACTS = [
        ("{arrival.dmarc: faill}", "yaml.unknown-word"),
        ("{dmarc: fail}", "condition.unknown-fact"),
        ("{risk: 50}", "case.computed-fact"),
        ("{arrival.badly: true}", "case.computed-fact"),
        ("{origin: null}", "yaml.unknown-word"),
        ("{spam: yes please}", "case.fact"),
        ("{spam.required: 0}", "case.fact"),
        ('{spam.score: "> 5"}', "case.fact"),
        ("{spam.score: .nan}", "case.fact"),
        ("{recipients.count: 2.5}", "case.fact"),
        ("{recipients.count: 2000000}", "case.fact"),
        ("{client.ip: 192.0.2.0/24}", "case.fact"),
        ("{client.ip: [192.0.2.1]}", "case.fact"),
        ("{sender: <a@b.example>}", "case.fact"),
        ("{recipients: [a@b.example, 1]}", "case.fact"),
        ("{from: no domain}", "case.fact"),
        ("{from: hosted, hosted: true}", "case.facts-contradict"),
        ("{spam: false, spam.score: 9}", "case.facts-contradict"),
        ("{recipients: a@b.example, recipients.count: 1}", "case.facts-contradict"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "expected"),
    BAD_FACTS,
)
def test_a_fact_that_no_message_has_is_told(facts: str, expected: str) -> None:
    (found,) = refusals(parse, case(f"facts: {facts}\n    expect: {{sign: none}}"))
    assert (found.line, found.code) == (4, expected)


BAD_EXPECTATIONS = [
    ("{sign: signed}", "4:14 yaml.unknown-word"),
    ("{rules: x}", "4:14 case.unknown-expectation"),
    ("{dmarc: fail}", "4:14 case.unknown-expectation"),
    ('{risk: "> x"}', "4:14 condition.value"),
    ("{arrival.dmarc: x}", "4:14 condition.value"),
    ("{seal: 1}", "4:14 case.expectation"),
    ("{rule: 1}", "4:14 case.expectation"),
    ("{rule: []}", "4:14 case.expectation"),
    ("{tag: no}", "4:14 case.expectation"),
    ("{add: [x]}", "4:14 case.expectation"),
    ("{remove: x}", "4:14 case.expectation"),
    ("{departure: unknown}", "4:14 yaml.unknown-word"),
    ("{}", "4:5 yaml.empty-mapping"),
    ("[sign]", "4:5 yaml.expected-mapping"),
]


@pytest.mark.parametrize(
    ("expect", "expected"),
    BAD_EXPECTATIONS,
)
def test_an_expectation_that_can_never_hold_is_told(expect: str, expected: str) -> None:
    assert mistakes(case(f"expect: {expect}\n    facts: {{}}")) == [expected]


BAD_FILES = [
        ("cases: []", ["1:1 yaml.too-few"]),
        ("policy: p.yaml", ["1:1 yaml.missing-key"]),
        ("hosts: [x]\ncases: [{name: a, facts: {}, expect: {sign: none}}]", ["1:1 yaml.unknown-key"]),
        ("- x", ["1:1 yaml.expected-mapping"]),
        (case("facts: {}"), ["3:5 yaml.expected-mapping"]),
        (case("expect: {sign: none}"), ["3:5 case.no-message"]),
        (case("facts: {}\n    auth: x\n    expect: {sign: none}"), ["5:5 case.session-with-facts"]),
        (case("facts: {}\n    expct: {sign: none}"), ["3:5 yaml.expected-mapping", "5:5 yaml.unknown-key"]),
        (case("text: x\n    expect: {sign: none}"), ["4:5 case.no-trust", "4:5 case.not-a-message"]),
        ("trust: {}\n" + case("message: gone.eml\n    expect: {sign: none}"), ["5:5 case.message-file"]),
        ("trust: {}\n" + case('text: "A: b"\n    client: x\n    expect: {sign: none}'), ["6:5 value.address"]),
        ("trust: {}\n" + case('text: "A: b"\n    recipients: [1]\n    expect: {sign: none}'), ["6:5 yaml.expected-text"]),
        ("trust: {host: [x]}\n" + case("facts: {}\n    expect: {sign: none}"), ["1:9 yaml.unknown-key"]),
        ("trust: {}\nconfig: c.yaml\n" + case("facts: {}\n    expect: {sign: none}"), ["1:1 case.config-and-own"]),
        (case("facts: {}\n    expect: {sign: none}\n  - name: it\n    facts: {}\n    expect: {sign: none}"), ["6:5 case.name-taken"]),
        (case("facts: {}\n    expect: {sign: none}\n  - facts: {}\n    expect: {sign: none}"), ["6:5 case.name"]),
        ("cases: [x]", ["1:9 yaml.expected-mapping"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    BAD_FILES,
)
def test_a_file_that_says_nothing_sensible_is_told_where(text: str, expected: list[str]) -> None:
    assert mistakes(text) == expected


def test_all_mistakes_are_told_at_once() -> None:
    assert len(mistakes("hosts: x\n" + case("facts: {risk: 1, dmarc: x}\n    expect: {sing: none}"))) == 4


def test_paths_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "m.eml").write_bytes(b"From: a@hosted.example\n\nx\n")
    (tmp_path / "c.yaml").write_text(
        "policy: its.yaml\nverify: {when: always}\ndeparture: {addresses: [192.0.2.1], helo: mx.example}\n"
    )
    found = parse("config: c.yaml\ncases: [{name: a, message: m.eml, expect: {sign: none}}]", tmp_path)
    assert found.policy == tmp_path / "its.yaml"
    assert found.cases[0].message == b"From: a@hosted.example\n\nx\n"
    # nothing that asks DNS is left
    assert found.settings.verify.when == "never" and not found.settings.departure.addresses
    assert found.settings.departure.helo == "mx.example"
