"""A rule that no message reaches is an error that names the rules before it."""

from __future__ import annotations

import pytest

from dkimgate.config.problem import ConfigError
from dkimgate.policy.language import loader
from dkimgate.policy.proof import prover, subsumption
from tests.policy.test_policy_loader import WEIGHTED, mistakes, parse

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
    ('{when: {spam.ratio: ">= 0"}}', "{when: {spam: true}}"),  # a ratio is never below 0
    ("{when: {from: hosted}}", "{when: {own_signature: true}}"),  # of its author's domain
    ("{when: {spam.ratio: '>= 0.5'}}", "{when: {spam: true}}"),
]


@pytest.mark.parametrize(("first", "second"), UNREACHABLE)
def test_a_rule_behind_one_that_takes_all_its_messages_is_an_error(first: str, second: str) -> None:
    def named(name: str, keys: str) -> str:
        return f"  - {{name: {name}, sign: none" + (", " + keys[1:] if keys != "{}" else "}") + "\n"

    found = mistakes("version: 1\nrules:\n" + named("first", first) + named("second", second) + WEIGHTED)
    assert found == ["4:5 policy.unreachable"]


REACHABLE = [
    ("{origin: forwarded, arrival.dmarc: pass}", "{origin: forwarded}"),
    ('{risk: "> 50"}', '{risk: ">= 50"}'),
    ("{client.ip: 192.0.2.128/25}", "{client.ip: 192.0.2.0/24}"),
    ("{not: {origin: [local, submitted]}}", "{not: {origin: local}}"),
    ("{any: [{client.ip: 0.0.0.0/0}, {client.ip: '::/0'}]}", "{spam: true}"),
    ("{upstream.dmarc: [fail, temperror, permerror]}", "{spam: true}"),
    ("{recipients.all: a.example}", "{recipients: a.example}"),
    ("{all: [{recipients: a.example}, {recipients: b.example}]}", "{recipients: b.example}"),
    ('{spam.ratio: "> 0"}', "{spam: false}"),
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
    assert mistakes(TOGETHER) == ["7:5 policy.unreachable"]


def test_a_rule_behind_very_many_that_take_its_messages_between_them_is_an_error() -> None:
    each = "".join(f"  - {{name: r{at}, when: {{client.ip: 192.0.2.{at * 4}/30}}, sign: none}}\n" for at in range(64))
    rules = f"{each}  - {{name: all, when: {{client.ip: 192.0.2.0/24}}, sign: none}}\n"
    assert mistakes(f"version: 1\nrules:\n{rules}") == ["67:5 policy.unreachable"]


def test_where_the_reason_is_too_hard_to_find_none_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    said = set()
    monkeypatch.setattr(loader, "unreachable", subsumption.unreachable)  # not what was found out before
    for steps in range(20, 200, 5):
        monkeypatch.setattr(prover, "STEPS", steps)
        rules = "  - {name: a, sign: none, when: {any: [{spam: true}, {arrival.arc: fail}, {origin: local}], not: {any: [{spam: true}, "
        rules += "{arrival.arc: fail}, {origin: local}]}, from: hosted}}\n"
        try:
            parse("version: 1\nrules:\n" + rules)
        except ConfigError as error:
            (problem,) = error.problems
            assert problem.code == "policy.unreachable" and problem.line == 3
            said.add(problem.text)
    assert len(said) == 2  # the conditions that exclude each other, or that nobody knows


def test_rules_that_are_never_reached_are_told_where_nothing_else_is_wrong() -> None:
    """A mistake elsewhere may be the reason: a weight that is misspelt adds up to nothing."""
    rules = "rules: [{name: a, when: {risk: '> 5'}, sign: none}]\n"
    assert mistakes(f"version: 1\nrisk: {{dmarc: {{fial: 7}}}}\n{rules}") == ["2:16 yaml.unknown-key"]
