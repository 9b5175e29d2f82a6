"""The policy file: what a good one becomes, and what an operator is told about a bad one, with line and column."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from dkimgate.config import yaml_file
from dkimgate.config.yaml_file import ConfigError
from dkimgate.facts import Disposition, Sign
from dkimgate.policy.language.loader import from_document, load
from dkimgate.policy.language.model import (
    All,
    Any,
    Compare,
    DomainGlob,
    Flag,
    Glob,
    Hosted,
    Leaf,
    Not,
    Policy,
    Present,
    Rule,
    Within,
    Word,
    leaves,
)
from dkimgate.policy.proof import prover

FILE = Path("policy.yaml")


def parse(text: str) -> Policy:
    return from_document(yaml_file.parse(text, FILE))


def mistakes(text: str) -> list[str]:
    """Every problem of a file, without its name: `line:column: text`."""
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return [str(problem).removeprefix("policy.yaml:") for problem in caught.value.problems]


def when(condition: str) -> str:
    """A policy of one rule whose `when`, on line 4, is that; the first key in it stands in column 12."""
    return f"version: 1\nrules:\n  - name: rule\n    when: {{{condition}}}\n    sign: author\n"


def rule(keys: str) -> str:
    """A policy of one rule with those keys behind its name, from line 4 column 5 on."""
    return f"version: 1\nrules:\n  - name: rule\n    {keys}\n"


def test_a_whole_policy() -> None:
    policy = parse("""\
version: 1
mode: observe
risk:
  header: {message_id_missing: 5}
  dmarc: {fail: 100, unknown: 0.5}
  upstream: {dmarc_fail: 60}
  spam: {per_required: 50}
rules:
  - name: users
    when: {origin: [submitted, local], risk: "< 50"}
    sign: author
  - name: forged
    when:
      any:
        - {arrival.dmarc: fail, client.ip: [192.0.2.0/24, "2001:db8::1"]}
        - not: {client.auth: present}
          from: [hosted, "*.Partner.example."]
          sender: [friend@partner.example, "*.partner.example", ""]
          spam: no
    disposition: reject
    text: Go away
default: {sign: forwarder, disposition: hold}
""")
    assert policy.mode == "observe"
    assert policy.weights.per_required == 50
    assert policy.weights.parts == (
        ("dmarc=fail", 100.0),
        ("dmarc=unknown", 0.5),
        ("upstream.dmarc=fail", 60.0),
        ("header.message_id_missing", 5.0),
    )
    users, forged = policy.rules
    assert users == Rule(
        "users",
        All((Leaf("origin", (Word("submitted"), Word("local"))), Leaf("risk", (Compare("<", 50.0),)))),
        Sign.AUTHOR,
    )
    assert (users.line, forged.line) == (9, 12)
    assert forged.disposition is Disposition.REJECT and forged.text == "Go away" and forged.sign is Sign.NONE
    assert isinstance(forged.when, Any)
    assert forged.when.parts[1] == All(
        (
            Not(Leaf("client.auth", (Present(),))),
            Leaf("from", (Hosted(), Glob("*.partner.example"))),
            Leaf("sender", (Glob("friend@partner.example"), DomainGlob("*.partner.example"), Glob(""))),
            Leaf("spam", (Flag(False),)),
        )
    )
    networks = [atom.network for test in leaves(forged.when) for atom in test.atoms if isinstance(atom, Within)]
    assert [str(network) for network in networks] == ["192.0.2.0/24", "2001:db8::1/128"]
    assert [test.line for test in leaves(forged.when)] == [15, 15, 16, 17, 18, 19]
    assert policy.default == Rule("default", None, Sign.FORWARDER, Disposition.HOLD)
    assert policy.default.line == 22


def test_what_is_left_out_is_the_safe_choice() -> None:
    policy = parse("version: 1\nrules: [{name: discard-it, disposition: discard}]\n")
    assert policy.mode == "enforce"
    assert policy.default == Rule("default", None, Sign.NONE, Disposition.ACCEPT, None)
    assert policy.rules[0].sign is Sign.NONE
    assert policy.weights.parts == () and policy.weights.per_required == 0


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        (rule("sign: forwarder"), True),
        (rule("sign: author") + "default: {sign: forwarder}\n", True),
        (rule("sign: author"), False),
    ],
)
def test_a_policy_that_needs_the_forwarders_domain_says_so(text: str, uses: bool) -> None:
    assert parse(text).uses_forwarder is uses


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_digest_is_what_sha256sum_says(tmp_path: Path, line_end: str) -> None:
    file = tmp_path / "policy.yaml"
    raw = rule("sign: author  # für uns").replace("\n", line_end).encode()
    file.write_bytes(raw)
    assert load(file).digest == hashlib.sha256(raw).hexdigest()


def test_a_policy_is_hashable_and_compares_by_what_it_says() -> None:
    one, other = parse(rule("sign: author")), parse("\n\n" + rule("sign: author"))
    assert hash(one) != 0 and one.rules == other.rules and one.digest != other.digest


TOP = [
    ("", "1:1: expected a policy: a mapping with the keys version and rules, found nothing"),
    ("- a\n", "1:1: expected a policy: a mapping with the keys version and rules, found a list"),
    ("version: 1\n", "1:1: the key 'rules' is missing: without rules nothing is ever signed"),
    ("version: 1\nrules: []\n", "2:1: rules: expected a list, a `- name: ...` for each rule, found an empty list"),
    ("version: 1\nrules: {a: 1}\n", "2:1: rules: expected a list, a `- name: ...` for each rule, found a mapping"),
    ("rules: [{name: a, sign: none}]\n", "1:1: the key 'version' is missing: write `version: 1` at the top"),
    ("version: 2\nrules: [{name: a, sign: none}]\n", "1:1: version: expected 1, found 2"),
    ("version: yes\nrules: [{name: a, sign: none}]\n", "1:1: version: expected 1, found true"),
    ("version: '1'\nrules: [{name: a, sign: none}]\n", "1:1: version: expected 1, found '1'"),
    (rule("sign: none") + "mode: enforced\n", "5:1: mode: found 'enforced'; did you mean 'enforce'?"),
    (rule("sign: none") + "mdoe: observe\n", "5:1: unknown key 'mdoe'; did you mean 'mode'?"),
    (rule("sign: none") + "on: true\n", "5:1: the key on is not read as text but as true: put it in quotes"),
    (rule("sign: none") + "default: none\n", "5:1: expected a mapping such as {sign: none}, found 'none'"),
    (rule("sign: none") + "default: {when: {spam: true}}\n", "5:11: unknown key 'when'; valid here: add, disposition"),
    (
        rule("sign: none") + "default: {sign: none, seal: 1}\n",
        "5:23: seal: expected true or false, found 1",
    ),
    ("version: 1\nrules: [{name: a, sign: none}]\nrules: []\n", "3:1: the key 'rules' stands here a second time"),
]


@pytest.mark.parametrize(("text", "expected"), TOP)
def test_mistakes_at_the_top(text: str, expected: str) -> None:
    found = mistakes(text)
    assert any(problem.startswith(expected) for problem in found), found


def test_a_misspelt_action_is_one_mistake() -> None:
    assert mistakes("version: 1\nrules:\n  - name: a\n    sing: author\n") == [
        "4:5: unknown key 'sing'; did you mean 'sign'?"
    ]


RULES = [
    ("when: {spam: true}", "3:5: a rule without an action: add `sign: author | forwarder | none`, or a disposition"),
    ("sing: author", "4:5: unknown key 'sing'; did you mean 'sign'?"),
    ("sign: autor", "4:5: sign: found 'autor'; did you mean 'author'?"),
    (
        "sign: no",
        "4:5: sign: found false; valid here: author, forwarder, none (YAML reads yes, no, on and off as true and",
    ),
    ("sign:", "4:5: sign: found nothing; valid here: author, forwarder, none (an empty value, null and ~ are nothing"),
    ("sign: [author]", "4:5: sign: found a list"),
    (
        "disposition: quarantine",
        "4:5: disposition: found 'quarantine'; valid here: accept, defer, discard, hold, reject",
    ),
    ("sign: author\n    seal: yes please", "5:5: seal: expected true or false, found 'yes please'"),
    ("sign: author\n    envelope: unaligned", "5:5: envelope: found 'unaligned'; did you mean 'unalign'?"),
    (
        "sign: author\n    otherwise: hold",
        "5:5: otherwise: it says what becomes of a message that `envelope: unalign` can't unalign",
    ),
    ("envelope: unalign\n    otherwise: accept", "5:5: otherwise: found 'accept'"),
    (
        "disposition: hold\n    envelope: unalign\n    otherwise: defer",
        "6:5: otherwise: a message that is not accepted (hold) needs none",
    ),
    (
        "disposition: reject\n    envelope: unalign",
        "5:5: envelope: a message that the rule does not let through (reject) can't be changed",
    ),
    (
        "disposition: discard\n    seal: true",
        "5:5: seal: a message that the rule does not let through (discard) can't be changed",
    ),
    ("sign: author\n    mode: watch", "5:5: mode: found 'watch'"),
    (
        "sign: author\n  - name: border\n    sign: none",
        "5:5: name: 'border' is the name of what a border listener does",
    ),
    ("tag: ''", "4:5: tag: expected one line of 1 to 200 ASCII characters"),
    ('tag: "[{spam.scor}]"', "4:5: tag: {spam.scor}: no fact is called so; did you mean 'spam.score'?"),
    ('tag: "[{spam.score]"', "4:5: tag: a single '{': a fact is written {arrival.dmarc}"),
    ("add: {From: x@hosted.example}", "4:11: add: From is not for a policy to add"),
    ("add: {X-Spam-Status: 'No'}", "4:11: add: X-Spam-Status is not for a policy to add"),
    ("add: {'X Y': z}", "4:11: add: 'X Y' is no name of a header field"),
    ("add: {X-Y: 'z{'}", "4:11: X-Y: a single '{'"),
    ("remove: [received]", "4:14: remove: received is not for a policy to remove"),
    ("add: {X-Original-To: x}", "4:11: add: X-Original-To is not for a policy to add"),
    ("remove: [Delivered-To]", "4:14: remove: Delivered-To is not for a policy to remove"),
    ("remove: [Authentication-Results]", "4:14: remove: Authentication-Results says how the message arrived"),
    ("remove: [X-Spam-Flag]", "4:14: remove: X-Spam-Flag says how the message arrived"),
    (
        "remove: [X-Acme-MailScanner-SpamCheck]",
        "4:14: remove: X-Acme-MailScanner-SpamCheck says how the message arrived",
    ),
    (
        "remove: [X-Original-Authentication-Results]",
        "4:14: remove: X-Original-Authentication-Results says how the message arrived",
    ),
    ("remove: [X-DMARC-Result]", "4:14: remove: X-DMARC-Result says how the message arrived"),
    ("remove: [X-Vade-SpamState]", "4:14: remove: X-Vade-SpamState says how the message arrived"),
    ("remove: [X-Dkimgate-Passport]", "4:14: remove: X-Dkimgate-Passport is not for a policy to remove"),
    ("add: {X-Dkimgate-Passport: x}", "4:11: add: X-Dkimgate-Passport is not for a policy to add"),
    ("remove: [3]", "4:14: remove: expected the name of a header field, found 3"),
    ("remove: []", "4:5: remove: expected a list of 1 to 20 names"),
    (
        "sign: author\n    disposition: reject",
        "4:5: sign: a message that the rule does not let through (reject) can't be signed",
    ),
    (
        "sign: none\n    text: hello",
        "5:5: text: nobody would read it: it goes with hold, defer and reject, or with `envelope: unalign`; not with accept",
    ),
    (
        "disposition: discard\n    text: hello",
        "5:5: text: nobody would read it: it goes with hold, defer and reject, or with `envelope: unalign`; not with discard",
    ),
    ("disposition: reject\n    text: 550 no", "5:5: text: leave out the reply code"),
    ("disposition: reject\n    text: 5.7.1 no", "5:5: text: leave out the reply code"),
    (
        "disposition: reject\n    text: 550",
        "5:5: text: expected one line of 1 to 200 ASCII characters, found 550 (YAML reads this as a number",
    ),
    ('disposition: reject\n    text: "a\\r\\nb"', "5:5: text: expected one line of 1 to 200 ASCII characters"),
    ("disposition: reject\n    text: grüß", "5:5: text: expected one line of 1 to 200 ASCII characters"),
    ("sign: none\n    when: {}", "5:5: when: no conditions: leave `when` out for a rule that takes every message"),
    ("sign: none\n    when:", "5:5: when: no conditions: leave `when` out"),
    (
        "sign: none\n    when: [{spam: true}]",
        "5:5: expected a mapping of facts, found a list: for alternatives write `any: [{...}, {...}]`",
    ),
    ("sign: none\n    when: spam", "5:5: expected a mapping of facts such as {origin: submitted}, found 'spam'"),
    ("sign: none\n  - rule", "5:5: expected a rule: a mapping with name, when and sign, found 'rule'"),
    ("sign: none\n  - {sign: none}", "5:5: the key 'name' is missing: records say which rule decided"),
    (
        "sign: none\n  - {name: off, sign: none}",
        "5:6: name: expected one word of letters, digits and - _ . (at most 64), found false (YAML reads",
    ),
    ("sign: none\n  - {name: two words, sign: none}", "5:6: name: expected one word"),
    (
        "sign: none\n  - {name: default, sign: none}",
        "5:6: name: 'default' is the name of what `default` says: choose another",
    ),
    ("sign: none\n  - {name: rule, sign: none}", "5:6: name: the rule on line 3 is called 'rule' already"),
]


@pytest.mark.parametrize(("keys", "expected"), RULES)
def test_mistakes_in_rules(keys: str, expected: str) -> None:
    found = mistakes(rule(keys))
    assert any(problem.startswith(expected) for problem in found), found


CONDITIONS = [
    ("arrival.dmarc: passs", "4:12: arrival.dmarc: it is never 'passs'; did you mean 'pass'?"),
    ("arrival.dmarc: Pass", "4:12: arrival.dmarc: it is never 'Pass'; did you mean 'pass'?"),
    ("arrival.dmarc: [pass, noen]", "4:34: arrival.dmarc: it is never 'noen'; did you mean 'none'?"),
    ("arrival.dmarc: present", "4:12: arrival.dmarc: it is never 'present'"),
    (
        "arrival.dmarc: null",
        "4:12: arrival.dmarc: expected one of pass, none, fail, permerror, temperror, unknown, found nothing (an empty",
    ),
    ("upstream.dmarc: pass", "4:12: upstream.dmarc: it is never 'pass'"),
    (
        "arrival.dmarc: []",
        "4:12: arrival.dmarc: expected one of pass, none, fail, permerror, temperror, unknown, found an empty list",
    ),
    (
        "arrival.dmarc: [[pass]]",
        "4:28: arrival.dmarc: expected one of pass, none, fail, permerror, temperror, unknown, found a list",
    ),
    ("arrival.dmrac: pass", "4:12: unknown fact 'arrival.dmrac'; did you mean 'arrival.dmarc'?"),
    ("dmarc: pass", "4:12: unknown fact 'dmarc'; did you mean 'arrival.dmarc' or 'upstream.dmarc'?"),
    ("arrival: {dmarc: pass}", "4:12: unknown fact 'arrival': write one of arrival.dmarc, arrival.spf,"),
    ("on: true", "4:12: the key on is not read as text but as true: put it in quotes"),
    (
        "origin: outside",
        "4:12: origin: it is never 'outside'; valid here: forwarded, inbound, local, relayed, submitted",
    ),
    ("spam: maybe", "4:12: spam: expected true or false, found 'maybe'"),
    ("spam: [true]", "4:12: spam: expected true or false, found a list"),
    ("arrival.aligned: 1", "4:12: arrival.aligned: expected true or false, found 1"),
    ('risk: ">= x"', '4:12: risk: expected a comparison such as "< 50" or ">= 3.5", or a number, found \'>= x\''),
    ('risk: "50"', "4:12: risk: expected a comparison"),
    ('risk: "=> 50"', "4:12: risk: expected a comparison"),
    ("risk: .nan", '4:12: risk: expected a comparison such as "< 50" or ">= 3.5", or a number, found nan'),
    ("risk: .inf", "4:12: risk: expected a comparison"),
    (f'risk: "< {"9" * 400}"', '4:12: risk: expected a comparison such as "< 50" or ">= 3.5", or a number, found inf'),
    (f"risk: {'9' * 400}", "4:12: risk: expected a comparison"),
    ("risk: true", '4:12: risk: expected a comparison such as "< 50" or ">= 3.5", or a number, found true'),
    ('risk: "< 0"', "4:12: risk: < 0 never matches: this is a number from 0 up"),
    ("risk: -1", "4:12: risk: == -1 never matches: this is a number from 0 up"),
    ("recipients.count: 1.5", "4:12: recipients.count: == 1.5 never matches: this is a whole number from 0 up"),
    (
        "client.ip: 192.0.2.1/24",
        "4:12: client.ip: 192.0.2.1/24 has host bits set: write 192.0.2.0/24, or the address alone",
    ),
    (
        "client.ip: 192.0.2",
        "4:12: client.ip: expected a network such as 192.0.2.0/24 or 2001:db8::/32, found '192.0.2'",
    ),
    (
        "client.ip: 42",
        "4:12: client.ip: expected a network such as 192.0.2.0/24 or 2001:db8::/32, found 42 (YAML reads this as a number: put",
    ),
    (
        "client.ip: mx.hosted.example",
        "4:12: client.ip: expected a network such as 192.0.2.0/24 or 2001:db8::/32, found 'mx.hosted.example'",
    ),
    (
        'client.ip: ["::ffff:192.0.2.0/120"]',
        "4:24: client.ip: addresses that are IPv4 mapped into IPv6 are compared as IPv4: write 192.0.2.0/24",
    ),
    (
        "client.name: 192.0.2.0/24",
        "4:12: client.name: expected a host name such as mx.partner.example or *.partner.example, found '192.0.2.0/24'",
    ),
    (
        "client.auth: 0660",
        "4:12: client.auth: expected text; * and ? are wildcards, found 432 (YAML reads this as a number: put text in quotes)",
    ),
    ("client.auth: ''", "4:12: client.auth: expected text; * and ? are wildcards, found nothing"),
    ("client.daemon: 2026-11-21", "4:12: client.daemon: expected text; * and ? are wildcards, found a date"),
    (
        "from: friend@hosted.example",
        "4:12: from: this is the author domain, not an address: write 'hosted.example', or use sender",
    ),
    (
        "from: hostd",
        "4:12: from: expected hosted, none, or a domain such as partner.example or *.partner.example, found 'hostd'",
    ),
    ("from: bücher.example", "4:12: from: the author domain is compared in A-labels: write it as xn--..."),
    (
        "from: no",
        "4:12: from: expected hosted, none, or a domain such as partner.example or *.partner.example, found false (YAML reads yes, no",
    ),
    ("from: two words.example", "4:12: from: expected hosted, none, or a domain"),
    (
        "sender: '@hosted.example'",
        "4:12: sender: this never matches: write 'hosted.example' for every address of the domain",
    ),
    ("sender: <>", '4:12: sender: write "" for the null sender'),
    (
        "sender: none",
        '4:12: sender: expected an address or domain such as friend@partner.example, *@partner.example or *.partner.example, or "" for',
    ),
    ("sender: <friend@hosted.example>", "4:12: sender: write the address without angle brackets"),
    ("recipients: ''", "4:12: recipients: expected an address or domain such as"),
    ("any: {spam: true}", "4:12: any: expected a list of mappings, `any: [{...}, {...}]`, found a mapping"),
    ("any: []", "4:12: any: expected a list of mappings, `any: [{...}, {...}]`, found an empty list"),
    ("all: []", "4:12: all: expected a list of mappings, `all: [{...}, {...}]`, found an empty list"),
    ("any: [{}]", "4:18: expected a mapping of facts such as {origin: submitted}, found an empty one"),
    (
        "not: [{spam: true}]",
        "4:12: expected a mapping of facts, found a list: for alternatives write `any: [{...}, {...}]`",
    ),
    ("not: {}", "4:12: expected a mapping of facts such as {origin: submitted}, found an empty one"),
    (
        "any: [{spam: true}, {origin: {a: b}}]",
        "4:33: origin: expected one of submitted, local, relayed, forwarded, inbound, found a mapping",
    ),
    ("not: {" * 30 + "spam: true" + "}" * 30, "4:132: nested more than 20 deep: split the rule"),
    (
        "all: [{spam: true}, {spam: false}]",
        "4:5: no message can ever match the conditions of the rule 'rule': spam is true and spam is false never match together",
    ),
    (
        "origin: inbound, from: hosted, client.auth: present",
        "4:5: no message can ever match the conditions of the rule 'rule': origin is inbound and client.auth is present never match together",
    ),
    ("from: '*_*'", "4:5: no message can ever match the conditions of the rule 'rule': from is *_* never matches"),
    (
        "risk: '> 5', spam: true",
        "4:5: no message can ever match the conditions of the rule 'rule': risk > 5 never matches with these weights of `risk`",
    ),
    ("spam.score: '< 0'", "4:12: spam.score: < 0 never matches: this is a number from 0 up"),
    (
        "recipients.count: '> 2000000'",
        "4:12: recipients.count: > 2e+06 never matches: this is a whole number from 0 up to 1000000",
    ),
]


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS)
def test_mistakes_in_conditions(condition: str, expected: str) -> None:
    found = mistakes(when(condition))
    assert len(found) == 1 and found[0].startswith(expected), found


WEIGHTS = [
    ("dmarc: {fail: -1}", "2:16: expected a number from 0 to 1000000, found -1"),
    ("dmarc: {fail: .nan}", "2:16: expected a number from 0 to 1000000, found nan"),
    ("dmarc: {fail: .inf}", "2:16: expected a number from 0 to 1000000, found inf"),
    ("dmarc: {fail: 1000001}", "2:16: expected a number from 0 to 1000000, found 1000001"),
    (f"dmarc: {{fail: {'9' * 400}}}", "2:16: expected a number from 0 to 1000000, found a huge number"),
    ("dmarc: {fail: high}", "2:16: expected a number from 0 to 1000000, found 'high'"),
    ("dmarc: {fail: true}", "2:16: expected a number from 0 to 1000000, found true"),
    ("dmarc: {failed: 1}", "2:16: unknown key 'failed'; did you mean 'fail'?"),
    ("dmarc: 100", "2:8: expected a mapping such as `fail: 10`, found 100"),
    ("dmrac: {fail: 100}", "2:8: unknown key 'dmrac'; did you mean 'dmarc'?"),
    ("spam: {per_required: -50}", "2:15: expected a number from 0 to 1000000, found -50"),
    ("upstream: {fail: 1}", "2:19: unknown key 'fail'"),
    ("header: {from_equal_to: 5}", "2:17: unknown key 'from_equal_to'; did you mean 'from_equals_to'?"),
]


@pytest.mark.parametrize(("weights", "expected"), WEIGHTS)
def test_mistakes_in_weights(weights: str, expected: str) -> None:
    found = mistakes(f"version: 1\nrisk: {{{weights}}}\nrules: [{{name: a, sign: none}}]\n")
    assert len(found) == 1 and found[0].startswith(expected), found


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
    found = mistakes("version: 1\nrules:\n  - name: rule\n    sign: none\n" + layout.format(condition))
    assert len(found) == 1 and "not valid YAML" in found[0] and 'must stand in quotes: ">= 50"' in found[0], found
    assert found[0].startswith(("5:", "6:")), found


def test_all_mistakes_of_a_file_are_shown_in_its_order() -> None:
    found = mistakes("""\
version: 3
rules:
  - name: first
    when: {origin: outside, any: [{risk: "< -1"}, {from: 7}]}
    sign: autor
  - name: first
    disposition: bounce
colour: red
risk: {dmarc: {fail: x}}
""")
    assert [problem.split(":")[0] for problem in found] == ["1", "4", "4", "4", "5", "6", "7", "8", "9"]


UNREACHABLE = [
    ("{}", "{when: {spam: true}}"),
    ("{when: {origin: [submitted, local, relayed, forwarded, inbound]}}", "{when: {spam: true}}"),
    ('{when: {risk: ">= 0"}}', "{}"),
    ("{when: {any: [{spam: true}, {spam: false}]}}", "{}"),
    ("{when: {any: [{client.ip: 192.0.2.0/24}, {not: {client.ip: 192.0.2.0/24}}]}}", "{}"),
    ("{when: {spam: true}}", "{when: {spam: true}}"),
    ("{when: {origin: forwarded}}", "{when: {origin: forwarded, arrival.dmarc: pass}}"),
    ("{when: {origin: [forwarded, inbound]}}", "{when: {origin: inbound}}"),
    ('{when: {risk: ">= 50"}}', '{when: {risk: "> 50"}}'),
    ('{when: {risk: "!= 7"}}', '{when: {risk: "> 50"}}'),
    ("{when: {client.ip: 192.0.2.0/24}}", "{when: {client.ip: 192.0.2.128/25}}"),
    ("{when: {client.auth: present}}", '{when: {client.auth: "*@hosted.example"}}'),
    ("{when: {any: [{spam: true}, {origin: local}]}}", '{when: {origin: local, risk: "< 5"}}'),
    ("{when: {not: {origin: local}}}", "{when: {not: {origin: [local, submitted]}}}"),
    ("{when: {recipients: a.example}}", "{when: {recipients.all: a.example}}"),
    ('{when: {spam.score: ">= 0"}}', "{when: {spam: true}}"),  # a score is never below 0
    ("{when: {from: hosted}}", "{when: {own_signature: true}}"),  # of its author's domain
    ("{when: {spam.ratio: '>= 0.5'}}", "{when: {spam: true}}"),
]

WEIGHTED = "risk: {dmarc: {fail: 7}, spam: {per_required: 50}}\n"


@pytest.mark.parametrize(("first", "second"), UNREACHABLE)
def test_a_rule_behind_one_that_takes_all_its_messages_is_an_error(first: str, second: str) -> None:
    def named(name: str, keys: str) -> str:
        return f"  - {{name: {name}, sign: none" + (", " + keys[1:] if keys != "{}" else "}") + "\n"

    found = mistakes("version: 1\nrules:\n" + named("first", first) + named("second", second) + WEIGHTED)
    assert found == [
        "4:5: the rule 'second' is never reached: the rule 'first' on line 3 takes every message that it would take: "
        "put the narrower rule first"
    ]


REACHABLE = [
    ("{origin: forwarded, arrival.dmarc: pass}", "{origin: forwarded}"),
    ('{risk: "> 50"}', '{risk: ">= 50"}'),
    ("{client.ip: 192.0.2.128/25}", "{client.ip: 192.0.2.0/24}"),
    ("{not: {origin: [local, submitted]}}", "{not: {origin: local}}"),
    ("{any: [{client.ip: 0.0.0.0/0}, {client.ip: '::/0'}]}", "{spam: true}"),
    ("{upstream.dmarc: [fail, temperror, permerror]}", "{spam: true}"),
    ("{recipients.all: a.example}", "{recipients: a.example}"),
    ("{all: [{recipients: a.example}, {recipients: b.example}]}", "{recipients: b.example}"),
    ('{spam.score: "> 0"}', "{spam: false}"),
    ("{own_signature: true}", "{from: hosted}"),
]


@pytest.mark.parametrize(("first", "second"), REACHABLE)
def test_a_rule_that_some_message_reaches_is_none(first: str, second: str) -> None:
    rules = f"  - {{name: first, when: {first}, sign: none}}\n  - {{name: second, when: {second}, sign: none}}\n"
    parse(f"version: 1\nrules:\n{rules}{WEIGHTED}")


TOGETHER = """\
version: 1
rules:
  - {name: other, when: {from: hosted}, sign: none}
  - {name: low, when: {client.ip: [192.0.2.0/25, 10.0.0.0/8]}, sign: none}
  - {name: spam, when: {spam: true}, sign: none}
  - {name: high, when: {client.ip: 192.0.2.128/25}, sign: none}
  - {name: all, when: {client.ip: 192.0.2.0/24}, sign: none}
"""


def test_a_rule_behind_several_that_take_its_messages_between_them_is_an_error_that_names_them() -> None:
    assert mistakes(TOGETHER) == [
        "7:5: the rule 'all' is never reached: the rules 'low' on line 4 and 'high' on line 6 together take every message "
        "that it would take: put the narrower rule first"
    ]


def test_a_rule_behind_very_many_that_take_its_messages_between_them_is_an_error() -> None:
    each = "".join(f"  - {{name: r{at}, when: {{client.ip: 192.0.2.{at * 4}/30}}, sign: none}}\n" for at in range(64))
    rules = f"{each}  - {{name: all, when: {{client.ip: 192.0.2.0/24}}, sign: none}}\n"
    assert mistakes(f"version: 1\nrules:\n{rules}") == [
        "67:5: the rule 'all' is never reached: 64 rules before it together take every message that it would take: put the narrower rule first"
    ]


def test_where_the_reason_is_too_hard_to_find_none_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    said = set()
    for steps in range(20, 200, 5):
        monkeypatch.setattr(prover, "STEPS", steps)
        rules = "  - {name: a, sign: none, when: {any: [{spam: true}, {arrival.arc: fail}, {origin: local}], not: {any: [{spam: true}, "
        rules += "{arrival.arc: fail}, {origin: local}]}, from: hosted}}\n"
        try:
            parse("version: 1\nrules:\n" + rules)
        except ConfigError as error:
            said |= {problem.text.partition("'a'")[2] for problem in error.problems}
    assert said == {
        ": rules before it take all that it would take, or its conditions exclude each other",
        ": (spam is true or arrival.arc is fail or origin is local) and not (spam is true or arrival.arc is fail or origin is local) never match together",
    }


def test_rules_that_are_never_reached_are_told_where_nothing_else_is_wrong() -> None:
    """A mistake elsewhere may be the reason: a weight that is misspelt adds up to nothing."""
    rules = "rules: [{name: a, when: {risk: '> 5'}, sign: none}]\n"
    assert mistakes(f"version: 1\nrisk: {{dmarc: {{fial: 7}}}}\n{rules}") == [
        "2:16: unknown key 'fial'; did you mean 'fail'?"
    ]


def nested(depth: int) -> str:
    """A condition of that depth in which every level may follow from every other."""
    inner = "{spam: true, origin: local}"
    for level in range(depth):
        risk = f'{{risk: "> {level}"}}'
        inner = (
            f"{{any: [{inner}, {{not: {risk}}}]}}"
            if level % 2
            else f"{{all: [{inner}, {risk}], not: {{from: a.example}}}}"
        )
    return inner


def test_long_and_deep_policies_load_quickly() -> None:
    rules = "".join(
        f'  - {{name: r{n}, sign: none, when: {{any: [{{risk: "< {n + 1}", sender: a{n}.example}}, {{not: {{client.ip: 192.0.2.{n}}}}}], '
        f'spam: true, client.helo: "*{n}.example"}}}}\n'
        for n in range(100)
    )
    deep = nested(13)
    deeper = f"  - {{name: a, sign: none, when: {deep}}}\n  - {{name: b, sign: none, when: {{all: [{deep}], client.helo: x.example}}}}\n"
    began = time.process_time()
    parse("version: 1\nrules:\n" + rules + WEIGHTED)
    assert "never reached" in mistakes("version: 1\nrules:\n" + deeper + WEIGHTED)[0]
    assert time.process_time() - began < 5


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"policy\.yaml: No such file or directory"):
        load(tmp_path / "policy.yaml")
    (tmp_path / "policy.yaml").write_bytes(b"version: \xff")
    with pytest.raises(ConfigError, match="1:10: not UTF-8"):
        load(tmp_path / "policy.yaml")
