"""The policy file: what a good one becomes, and what an operator is told about a bad one, with line and column."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from dkimgate.config import yaml_file
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
from tests.problems import refusals, told

FILE = Path("policy.yaml")
WEIGHTED = "risk: {dmarc: {fail: 7}, spam: {per_required: 50}}\n"


def parse(text: str) -> Policy:
    return from_document(yaml_file.parse(text, FILE))


def mistakes(text: str) -> list[str]:
    """Every problem of a file: `line:column code`."""
    return told(refusals(parse, text))


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
    ("", "1:1 yaml.expected-mapping"),
    ("- a\n", "1:1 yaml.expected-mapping"),
    ("version: 1\n", "1:1 policy.no-rules"),
    ("version: 1\nrules: []\n", "2:1 policy.no-rules"),
    ("version: 1\nrules: {a: 1}\n", "2:1 policy.no-rules"),
    ("rules: [{name: a, sign: none}]\n", "1:1 policy.version"),
    ("version: 2\nrules: [{name: a, sign: none}]\n", "1:1 policy.version"),
    ("version: yes\nrules: [{name: a, sign: none}]\n", "1:1 policy.version"),
    ("version: '1'\nrules: [{name: a, sign: none}]\n", "1:1 policy.version"),
    (rule("sign: none") + "mode: enforced\n", "5:1 yaml.unknown-word"),
    (rule("sign: none") + "mdoe: observe\n", "5:1 yaml.unknown-key"),
    (rule("sign: none") + "on: true\n", "5:1 yaml.key-not-text"),
    (rule("sign: none") + "default: none\n", "5:1 yaml.expected-mapping"),
    (rule("sign: none") + "default: {when: {spam: true}}\n", "5:11 yaml.unknown-key"),
    (
        rule("sign: none") + "default: {sign: none, seal: 1}\n",
        "5:23 yaml.expected-flag",
    ),
    ("version: 1\nrules: [{name: a, sign: none}]\nrules: []\n", "3:1 yaml.key-twice"),
]


@pytest.mark.parametrize(("text", "expected"), TOP)
def test_mistakes_at_the_top(text: str, expected: str) -> None:
    assert expected in mistakes(text)


def test_a_misspelt_action_is_one_mistake() -> None:
    assert mistakes("version: 1\nrules:\n  - name: a\n    sing: author\n") == ["4:5 yaml.unknown-key"]


RULES = [
    ("when: {spam: true}", "3:5 policy.no-action"),
    ("sing: author", "4:5 yaml.unknown-key"),
    ("sign: autor", "4:5 yaml.unknown-word"),
    (
        "sign: no",
        "4:5 yaml.unknown-word",
    ),
    ("sign:", "4:5 yaml.unknown-word"),
    ("sign: [author]", "4:5 yaml.unknown-word"),
    (
        "disposition: quarantine",
        "4:5 yaml.unknown-word",
    ),
    ("sign: author\n    seal: yes please", "5:5 yaml.expected-flag"),
    ("sign: author\n    envelope: unaligned", "5:5 yaml.unknown-word"),
    (
        "sign: author\n    otherwise: hold",
        "5:5 policy.otherwise-without-unalign",
    ),
    ("envelope: unalign\n    otherwise: accept", "5:5 yaml.unknown-word"),
    (
        "disposition: hold\n    envelope: unalign\n    otherwise: defer",
        "6:5 policy.otherwise-not-needed",
    ),
    (
        "disposition: reject\n    envelope: unalign",
        "5:5 policy.change-of-refused",
    ),
    (
        "disposition: discard\n    seal: true",
        "5:5 policy.change-of-refused",
    ),
    ("sign: author\n    mode: watch", "5:5 yaml.unknown-word"),
    (
        "sign: author\n  - name: border\n    sign: none",
        "5:5 policy.rule-name-reserved",
    ),
    ("tag: ''", "4:5 policy.text"),
    ('tag: "[{spam.scor}]"', "4:5 policy.text-fact"),
    ('tag: "[{spam.score]"', "4:5 policy.text-fact"),
    ("add: {From: x@hosted.example}", "4:11 policy.protected-field"),
    ("add: {X-Spam-Status: 'No'}", "4:11 policy.protected-field"),
    ("add: {'X Y': z}", "4:11 value.header-field"),
    ("add: {X-Y: 'z{'}", "4:11 policy.text-fact"),
    ("remove: [received]", "4:14 policy.protected-field"),
    ("add: {X-Original-To: x}", "4:11 policy.protected-field"),
    ("remove: [Delivered-To]", "4:14 policy.protected-field"),
    ("remove: [Authentication-Results]", "4:14 policy.remove-verdict"),
    ("remove: [X-Spam-Flag]", "4:14 policy.remove-verdict"),
    (
        "remove: [X-Acme-MailScanner-SpamCheck]",
        "4:14 policy.remove-verdict",
    ),
    (
        "remove: [X-Original-Authentication-Results]",
        "4:14 policy.remove-verdict",
    ),
    ("remove: [X-DMARC-Result]", "4:14 policy.remove-verdict"),
    ("remove: [X-Vade-SpamState]", "4:14 policy.remove-verdict"),
    ("remove: [X-Dkimgate-Passport]", "4:14 policy.protected-field"),
    ("add: {X-Dkimgate-Passport: x}", "4:11 policy.protected-field"),
    ("remove: [3]", "4:14 policy.remove"),
    ("remove: []", "4:5 policy.remove"),
    (
        "sign: author\n    disposition: reject",
        "4:5 policy.change-of-refused",
    ),
    (
        "sign: none\n    text: hello",
        "5:5 policy.text-unread",
    ),
    (
        "disposition: discard\n    text: hello",
        "5:5 policy.text-unread",
    ),
    ("disposition: reject\n    text: 550 no", "5:5 policy.text-reply-code"),
    ("disposition: reject\n    text: 5.7.1 no", "5:5 policy.text-reply-code"),
    (
        "disposition: reject\n    text: 550",
        "5:5 policy.text",
    ),
    ('disposition: reject\n    text: "a\\r\\nb"', "5:5 policy.text"),
    ("disposition: reject\n    text: grüß", "5:5 policy.text"),
    ("sign: none\n    when: {}", "5:5 policy.no-conditions"),
    ("sign: none\n    when:", "5:5 policy.no-conditions"),
    (
        "sign: none\n    when: [{spam: true}]",
        "5:5 condition.list",
    ),
    ("sign: none\n    when: spam", "5:5 yaml.expected-mapping"),
    ("sign: none\n  - rule", "5:5 yaml.expected-mapping"),
    ("sign: none\n  - {sign: none}", "5:5 policy.rule-name"),
    (
        "sign: none\n  - {name: off, sign: none}",
        "5:6 policy.rule-name",
    ),
    ("sign: none\n  - {name: two words, sign: none}", "5:6 policy.rule-name"),
    (
        "sign: none\n  - {name: default, sign: none}",
        "5:6 policy.rule-name-reserved",
    ),
    ("sign: none\n  - {name: rule, sign: none}", "5:6 policy.rule-name-taken"),
]


@pytest.mark.parametrize(("keys", "expected"), RULES)
def test_mistakes_in_rules(keys: str, expected: str) -> None:
    assert expected in mistakes(rule(keys))


WEIGHTS = [
    ("dmarc: {fail: -1}", "2:16 yaml.number"),
    ("dmarc: {fail: .nan}", "2:16 yaml.number"),
    ("dmarc: {fail: .inf}", "2:16 yaml.number"),
    ("dmarc: {fail: 1000001}", "2:16 yaml.number"),
    (f"dmarc: {{fail: {'9' * 400}}}", "2:16 yaml.number"),
    ("dmarc: {fail: high}", "2:16 yaml.number"),
    ("dmarc: {fail: true}", "2:16 yaml.number"),
    ("dmarc: {failed: 1}", "2:16 yaml.unknown-key"),
    ("dmarc: 100", "2:8 yaml.expected-mapping"),
    ("dmrac: {fail: 100}", "2:8 yaml.unknown-key"),
    ("spam: {per_required: -50}", "2:15 yaml.number"),
    ("upstream: {fail: 1}", "2:19 yaml.unknown-key"),
    ("header: {from_equal_to: 5}", "2:17 yaml.unknown-key"),
]


@pytest.mark.parametrize(("weights", "expected"), WEIGHTS)
def test_mistakes_in_weights(weights: str, expected: str) -> None:
    found = mistakes(f"version: 1\nrisk: {{{weights}}}\nrules: [{{name: a, sign: none}}]\n")
    assert found == [expected]


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
        f'spam: true, client.helo: "*.{n}.example"}}}}\n'
        for n in range(100)
    )
    deep = nested(13)
    deeper = f"  - {{name: a, sign: none, when: {deep}}}\n  - {{name: b, sign: none, when: {{all: [{deep}], client.helo: x.example}}}}\n"
    began = time.process_time()
    parse("version: 1\nrules:\n" + rules + WEIGHTED)
    assert "policy.unreachable" in mistakes("version: 1\nrules:\n" + deeper + WEIGHTED)[0]
    assert time.process_time() - began < 5


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert told(refusals(load, tmp_path / "policy.yaml")) == ["file.cant-read"]
    (tmp_path / "policy.yaml").write_bytes(b"version: \xff")
    assert told(refusals(load, tmp_path / "policy.yaml")) == ["1:10 yaml.not-utf-8"]
