"""What each condition holds for, and what an operator is told where it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dkimgate.config import yaml_file
from dkimgate.facts import Arrival, Border, Facts, HeaderSigns, Origin, Risk, Spam, Upstream
from dkimgate.message.message import Connection
from dkimgate.policy.describe.explain import describe, why_not
from dkimgate.policy.language import globs
from dkimgate.policy.language.conditions import holds, leaf_holds
from dkimgate.policy.language.loader import from_document
from dkimgate.policy.language.model import Leaf, Rule
from dkimgate.policy.language.vocabulary import FACTS, value_of

EMPTY = Facts()
FULL = Facts(
    client=Connection(
        "192.0.2.66",
        "MX.Friend.example.",
        "[192.0.2.66]",
        "Alice@Hosted.example",
        "ORIGINATING",
        "TLSv1.3 TLS_AES_256_GCM_SHA384",
    ),
    sender="Friend@Hosted.example",
    recipients=("alice@a.example", "bob@b.example"),
    author="hosted.example",
    hosted="hosted.example",
    origin=Origin.FORWARDED,
    border=Border("mx.forwarder.example", "2001:db8::66"),
    arrival=Arrival("fail", "softfail", "none", "pass", True, Spam(True, 14.9, 3.0), "member.example"),
    upstream=Upstream("fail"),
    header=HeaderSigns(True, False, True),
)
RISK = Risk(50.0)


def rule(condition: str) -> Rule:
    text = f"version: 1\nrisk: {{dmarc: {{fail: 100}}, spam: {{per_required: 50}}}}\nrules:\n  - {{name: rule, sign: none, when: {{{condition}}}}}\n"
    return from_document(yaml_file.parse(text, Path("policy.yaml"))).rules[0]


HOLDS = [
    "origin: forwarded",
    "origin: [local, forwarded]",
    "arrival.dmarc: fail",
    "arrival.spf: [fail, softfail]",
    "arrival.dkim: none",
    "arrival.arc: pass",
    "arrival.aligned: true",
    "arrival.badly: true",
    "spam: true",
    "spam: yes",
    'spam.ratio: ">= 4.96"',
    "upstream.dmarc: fail",
    "upstream.dmarc: present",
    'risk: ">= 50"',
    'risk: "<= 50"',
    "risk: 50",
    'risk: "!= 49.99"',
    'risk: ["< 5", "> 49"]',
    "from: hosted",
    "from: Hosted.Example.",
    'from: "*.example"',
    "from: [partner.example, hosted]",
    "sender: friend@hosted.example",
    "sender: hosted.example",
    'sender: "*@hosted.example"',
    'sender: "*"',
    'sender: "friend@*"',
    "recipients: b.example",
    'recipients: "bob@*"',
    "recipients.all: [a.example, b.example]",
    "recipients.count: 2",
    "client.ip: 192.0.2.0/24",
    "client.ip: 192.0.2.66",
    'client.ip: ["2001:db8::/32", 192.0.2.64/30]',
    "client.name: mx.friend.example",
    "client.helo: '[192.0.2.66]'",
    'client.auth: "*@hosted.example"',
    "client.auth: present",
    "client.daemon: originating",
    "client.tls: present",
    'client.tls: "TLSv1.3 *"',
    'border.ip: "2001:db8::/32"',
    'border.by: "*.forwarder.example"',
    "arrival.pass_of: present",
    'arrival.pass_of: "*.example"',
    "header.from_equals_to: true",
    "header.return_path_mismatch: false",
    "header.message_id_missing: true",
    "not: {origin: local}",
    "not: {not: {origin: forwarded}}",
    "origin: forwarded, not: {from: none}",
    "any: [{origin: local}, {spam: true, from: hosted}]",
    "all: [{origin: forwarded}, {any: [{spam: false}, {from: hosted}]}]",
]

FAILS = [
    ("origin: local", "origin is 'forwarded', wanted local"),
    ("arrival.dmarc: pass", "arrival.dmarc is 'fail', wanted pass"),
    ("arrival.dmarc: [pass, none]", "arrival.dmarc is 'fail', wanted one of pass, none"),
    ("spam: false", "spam is true, wanted false"),
    ('risk: "< 50"', "risk is 50, wanted < 50"),
    ('risk: ["< 5", "> 50.5"]', "risk is 50, wanted one of < 5, > 50.5"),
    ("from: none", "from is 'hosted.example', hosted, wanted none"),
    ("from: example", "from is 'hosted.example', hosted, wanted example"),
    ('from: "*.hosted.example"', "from is 'hosted.example', hosted, wanted *.hosted.example"),
    ('sender: ""', "sender is 'friend@hosted.example', wanted \"\""),
    ('sender: "*.hosted.example"', "sender is 'friend@hosted.example', wanted *.hosted.example"),
    ("recipients: c.example", "recipients is 'alice@a.example', 'bob@b.example', wanted c.example"),
    ("recipients.all: a.example", "recipients.all is 'alice@a.example', 'bob@b.example', wanted every one a.example"),
    ('recipients.count: "> 2"', "recipients.count is 2, wanted > 2"),
    ("client.ip: 192.0.2.0/26", "client.ip is 192.0.2.66, wanted 192.0.2.0/26"),
    ('client.ip: "::/0"', "client.ip is 192.0.2.66, wanted ::/0"),
    ("origin: forwarded, spam: true, arrival.arc: fail", "arrival.arc is 'pass', wanted fail"),
    (
        "any: [{origin: local}, {spam: false}]",
        "none of these matches: (origin is 'forwarded', wanted local); (spam is true, wanted false)",
    ),
    (
        "not: {origin: forwarded, spam: true}",
        "origin is 'forwarded', spam is true, wanted not (origin is forwarded and spam is true)",
    ),
]


@pytest.mark.parametrize("condition", HOLDS)
def test_a_condition_that_holds(condition: str) -> None:
    made = rule(condition)
    assert holds(made.when, FULL, RISK)
    assert why_not(made, FULL, RISK) is None


@pytest.mark.parametrize(("condition", "why"), FAILS)
def test_a_condition_that_fails_says_why(condition: str, why: str) -> None:
    made = rule(condition)
    assert not holds(made.when, FULL, RISK)
    assert why_not(made, FULL, RISK) == why


ABSENT = [
    "upstream.dmarc: present",
    "upstream.dmarc: [fail, temperror, permerror]",
    "client.ip: present",
    "client.ip: 0.0.0.0/0",
    'client.ip: "::/0"',
    'client.name: "*"',
    'client.helo: "*"',
    'client.auth: "*"',
    "client.auth: present",
    'client.daemon: "*"',
    "client.tls: present",
    "border.ip: present",
    'border.by: "*"',
    "arrival.pass_of: present",
    'recipients: "*"',
    'recipients.all: "*"',
    "from: hosted",
    'from: "*"',
    'sender: "*.example"',
    'sender: "*"',
]


@pytest.mark.parametrize("condition", ABSENT)
def test_what_a_message_does_not_have_matches_nothing(condition: str) -> None:
    assert not holds(rule(condition).when, EMPTY, Risk())
    assert holds(rule(f"not: {{{condition}}}").when, EMPTY, Risk())


@pytest.mark.parametrize(
    "condition",
    [
        'sender: ""',
        "from: none",
        "recipients.count: 0",
        "risk: 0",
        "arrival.dmarc: unknown",
        "spam: false",
        "arrival.badly: true",
    ],
)
def test_what_holds_for_a_message_without_anything(condition: str) -> None:
    assert holds(rule(condition).when, EMPTY, Risk())


def test_hosted_needs_one_author_domain() -> None:
    """A key alone does not do: of two From fields nobody knows which one a receiver reads."""
    assert not holds(rule("from: hosted").when, replace(EMPTY, hosted="hosted.example"), Risk())


@pytest.mark.parametrize("ip", ["::ffff:192.0.2.66", "192.0.2.66"])
def test_an_address_mapped_into_ipv6_is_the_ipv4_address(ip: str) -> None:
    facts = replace(EMPTY, client=Connection(ip=ip))
    assert holds(rule("client.ip: 192.0.2.0/24").when, facts, Risk())
    assert not holds(rule('client.ip: "::/0"').when, facts, Risk())


@pytest.mark.parametrize("ip", ["", "unknown", "192.0.2", "192.0.2.66 ", "[192.0.2.66]", "192.0.2.66\n"])
def test_what_is_no_address_is_absent(ip: str) -> None:
    assert not holds(
        rule("client.ip: [0.0.0.0/0, '::/0', present]").when, replace(EMPTY, client=Connection(ip=ip)), Risk()
    )


def test_a_root_dot_does_not_step_around_a_condition() -> None:
    facts = replace(EMPTY, sender="a@Evil.example.", client=Connection(helo="evil.example."), author="evil.example")
    assert holds(rule("sender: evil.example, client.helo: evil.example, from: evil.example").when, facts, Risk())


@pytest.mark.parametrize("sender", ["", "root", "root@", "@"])
def test_a_sender_without_a_domain_is_of_no_domain(sender: str) -> None:
    """A pattern without an at sign is one for the domain, be it `*` alone: the null sender is asked for by its own name."""
    assert not holds(rule('sender: "*"').when, replace(EMPTY, sender=sender), Risk())


@pytest.mark.parametrize("fact", ["recipients", "recipients.all"])
def test_of_no_recipients_not_even_all_match(fact: str) -> None:
    when = rule(f'{fact}: "*"').when
    assert isinstance(when, Leaf) and not leaf_holds(when, ())


@pytest.mark.parametrize("sender", ["a@b@evil.example", '"x@hosted.example"@evil.example'])
def test_the_domain_of_a_sender_stands_behind_the_last_at_sign(sender: str) -> None:
    assert holds(rule("sender: evil.example").when, replace(EMPTY, sender=sender), Risk())
    assert not holds(rule("sender: hosted.example").when, replace(EMPTY, sender=sender), Risk())


def test_text_of_a_sender_is_escaped_in_explanations() -> None:
    facts = replace(EMPTY, client=Connection(helo="a\x1b[31m\nb\udcff"))
    why = why_not(rule("client.helo: mx.friend.example"), facts, Risk())
    assert why == r"client.helo is 'a\x1b[31m\nb\udcff', wanted mx.friend.example"


def test_a_fact_that_is_absent_is_said_to_be() -> None:
    assert (
        why_not(rule("border.by: mx.forwarder.example"), EMPTY, Risk())
        == "the message has no border.by, wanted mx.forwarder.example"
    )
    assert why_not(rule("from: hosted"), EMPTY, Risk()) == "from is none (no single author domain), wanted hosted"


def test_long_lists_of_recipients_are_cut_short() -> None:
    facts = replace(EMPTY, recipients=tuple(f"user{n}@a.example" for n in range(1000)))
    why = why_not(rule("recipients: b.example"), facts, Risk())
    assert why == "recipients is 'user0@a.example', 'user1@a.example', 'user2@a.example' and 997 more, wanted b.example"


DESCRIBED = [
    ("origin: [submitted, local], risk: '< 50'", "origin is one of submitted, local and risk < 50"),
    ("any: [{spam: true}, {origin: local, risk: 1}]", "spam is true or (origin is local and risk == 1)"),
    ("not: {client.auth: present}", "not (client.auth is present)"),
    ("recipients.all: [a.example, '*@b.example']", "every recipient is one of a.example, *@b.example"),
    ("sender: ''", 'sender is ""'),
]


@pytest.mark.parametrize(("condition", "words"), DESCRIBED)
def test_a_condition_in_words(condition: str, words: str) -> None:
    assert describe(rule(condition).when) == words
    assert describe(None) == "always"


@pytest.mark.parametrize("fact", FACTS)
def test_every_fact_of_the_vocabulary_has_a_value(fact: str) -> None:
    assert value_of(fact, FULL, RISK) is not None
    if FACTS[fact].optional:
        assert value_of(fact, EMPTY, RISK) is None
    else:
        assert value_of(fact, EMPTY, RISK) is not None


@pytest.mark.parametrize("name", ["arrival", "arrival.x", "client.x", "header.x", "x", ""])
def test_no_other_name_has_one(name: str) -> None:
    with pytest.raises((KeyError, AttributeError)):
        value_of(name, FULL, RISK)


GLOBS = [
    ("", "", True),
    ("", "a", False),
    ("*", "", True),
    ("*", "a.b", True),
    ("a*", "a", True),
    ("a*", "ba", False),
    ("*.a", "b.a", True),
    ("*.a", "c.b.a", True),
    ("*.a", ".a", True),
    ("*.a", "a", False),
    ("*.a", "ba", False),
    ("*@a", "b@a", True),
    ("*@a", "b@c.a", False),
    ("[ab]", "a", False),
]


@pytest.mark.parametrize(("pattern", "text", "matches"), GLOBS)
def test_globs(pattern: str, text: str, matches: bool) -> None:
    assert globs.matches(pattern, text) is matches
