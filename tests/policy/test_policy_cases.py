"""Cases for a policy: what a file says, what is told about a bad one, and what is taken for true that it doesn't say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dkimgate.config import yaml_file
from dkimgate.config.yaml_file import ConfigError
from dkimgate.facts import Facts, Origin, Spam
from dkimgate.policy.language.fact import Kind
from dkimgate.policy.language.vocabulary import FACTS
from dkimgate.policy.testing import cases, stated_facts
from dkimgate.policy.testing.cases import Suite
from dkimgate.policy.testing.stated_facts import COMPUTED, World

OURS = World(("forwarder.example", "hosted.example"), "forwarder.example")


def parse(text: str, folder: Path = Path()) -> Suite:
    return cases.from_document(yaml_file.parse(text, folder / "cases.yaml"))


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return [str(problem).removeprefix("cases.yaml:") for problem in caught.value.problems]


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


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ("{arrival.dmarc: faill}", "arrival.dmarc: found 'faill'; did you mean 'fail'?"),
        ("{dmarc: fail}", "unknown fact 'dmarc'; did you mean 'arrival.dmarc' or 'upstream.dmarc'?"),
        ("{risk: 50}", "risk can't be stated: it is computed from the policy's weights: `expect: {risk: ...}` checks it"),
        ("{arrival.badly: true}", "arrival.badly can't be stated: it follows from arrival.dmarc and spam: state those"),
        ("{origin: null}", "origin: found nothing; valid here: submitted, local, relayed, forwarded, inbound (an empty value, null "
            "and ~ are nothing; "),
        ("{spam: yes please}", "spam: expected true or false, found 'yes please'"),
        ("{spam.required: 0}", "spam.required: expected a number that a message may have, found 0"),
        ('{spam.score: "> 5"}', "spam.score: expected a number that a message may have, found '> 5' (a case states what is;"),
        ("{spam.score: .nan}", "spam.score: expected a number that a message may have, found nan"),
        ("{recipients.count: 2.5}", "recipients.count: expected a number that a message may have, found 2.5"),
        ("{recipients.count: 2000000}", "recipients.count: expected a number that a message may have, found 2000000"),
        ("{client.ip: 192.0.2.0/24}", "client.ip: expected an IP address such as 192.0.2.66, found '192.0.2.0/24'"),
        ("{client.ip: [192.0.2.1]}", "client.ip: expected an IP address such as 192.0.2.66, found a list (a message has one: make a case of"),
        ("{sender: <a@b.example>}", "sender: expected an address without angle brackets such as friend@partner.example, or \"\" for"),
        ("{recipients: [a@b.example, 1]}", "recipients: expected an address such as friend@partner.example, or a list of them, found 1"),
        ("{from: no domain}", "from: expected a domain such as partner.example, hosted or none, found 'no domain'"),
        ("{from: hosted, hosted: true}", "hosted: `from: hosted` says it already: leave it out"),
        ("{spam: false, spam.score: 9}", "spam: a score of 9 of 5 is spam: leave `spam: false` out, or lower spam.score"),
        ("{recipients: a@b.example, recipients.count: 1}", "recipients.count: state it or recipients, not both"),
    ],
)  # fmt: skip
def test_a_fact_that_no_message_has_is_told(facts: str, told: str) -> None:
    found = mistakes(case(f"facts: {facts}\n    expect: {{sign: none}}"))
    assert len(found) == 1 and told in found[0]
    assert found[0].startswith("4:")


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ("{sign: signed}", "4:14: sign: found 'signed'; valid here: author, forwarder, none"),
        ("{rules: x}", "4:14: unknown key 'rules'; did you mean 'rule'?"),
        ("{dmarc: fail}", "4:14: unknown key 'dmarc'"),
        ('{risk: "> x"}', '4:14: risk: expected a comparison such as "< 50"'),
        ("{arrival.dmarc: x}", "4:14: arrival.dmarc: it is never 'x'"),
        ("{seal: 1}", "4:14: seal: expected true or false, found 1"),
        ("{rule: 1}", "4:14: rule: expected a name, or a list of names, found 1"),
        ("{rule: []}", "4:14: rule: expected a name, or a list of names, found an empty list"),
        ("{tag: no}", '4:14: tag: expected the text as the message gets it, or "" for none, found false'),
        ("{add: [x]}", "4:14: add: expected a mapping of header fields, {} for none, found a list"),
        ("{remove: x}", "4:14: remove: expected a list of names of header fields, [] for none, found 'x'"),
        ("{departure: unknown}", "4:14: departure: found 'unknown'; valid here: fail, none, pass"),
        ("{}", "4:5: expected `expect`, what is to come out"),
        ("[sign]", "4:5: expected `expect`, what is to come out"),
    ],
)
def test_an_expectation_that_can_never_hold_is_told(expect: str, told: str) -> None:
    found = mistakes(case(f"expect: {expect}\n    facts: {{}}"))
    assert len(found) == 1 and found[0].startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cases: []", ["1:1: cases: "]),
        ("policy: p.yaml", ["1:1: the key 'cases' is missing"]),
        ("hosts: [x]\ncases: [{name: a, facts: {}, expect: {sign: none}}]", ["1:1: unknown key 'hosts'; did you mean 'hosted'?"]),
        ("- x", ["1:1: expected a mapping (`key: value` lines) at the top"]),
        (case("facts: {}"), ["3:5: expected `expect`, what is to come out"]),
        (case("expect: {sign: none}"), ["3:5: a case without a message: add `facts: {...}`, `message: FILE` or `text: |`"]),
        (case("facts: {}\n    auth: x\n    expect: {sign: none}"), ["5:5: auth: it goes with a whole message; beside facts, write `client.auth`"]),
        (case("facts: {}\n    expct: {sign: none}"), ["3:5: expected `expect`", "5:5: unknown key 'expct'; did you mean 'expect'?"]),
        (case("text: x\n    expect: {sign: none}"), ["4:5: a whole message is judged by what is yours: add `trust:", "4:5: text: does not begin"]),
        ("trust: {}\n" + case("message: gone.eml\n    expect: {sign: none}"), ["5:5: message: gone.eml: No such file or directory"]),
        ("trust: {}\n" + case('text: "A: b"\n    client: x\n    expect: {sign: none}'), ["6:5: client: expected an IP address"]),
        ("trust: {}\n" + case('text: "A: b"\n    recipients: [1]\n    expect: {sign: none}'), ["6:5: recipients: expected text, found 1"]),
        ("trust: {host: [x]}\n" + case("facts: {}\n    expect: {sign: none}"), ["1:9: unknown key 'host'; did you mean 'hosts'?"]),
        ("trust: {}\nconfig: c.yaml\n" + case("facts: {}\n    expect: {sign: none}"), ["1:1: trust: the configuration says that"]),
        (case("facts: {}\n    expect: {sign: none}\n  - name: it\n    facts: {}\n    expect: {sign: none}"), ["6:5: name: the case on line 3 is"]),
        (case("facts: {}\n    expect: {sign: none}\n  - facts: {}\n    expect: {sign: none}"), ["6:5: name: expected what the case is about"]),
        ("cases: [x]", ["1:9: expected a case: a mapping with name, facts and expect, found 'x'"]),
    ],
)  # fmt: skip
def test_a_file_that_says_nothing_sensible_is_told_where(text: str, told: list[str]) -> None:
    found = mistakes(text)
    assert len(found) == len(told)
    assert all(problem.startswith(start) for problem, start in zip(found, told, strict=True)), found


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
