"""The first rule that matches is found without a try of each."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from dkimgate.facts import Facts, Origin, Sign
from dkimgate.message.message import Connection
from dkimgate.policy.language import chooser, vocabulary
from dkimgate.policy.language.chooser import Chooser, Values, keys_of
from dkimgate.policy.language.conditions import holds
from dkimgate.policy.language.model import (
    All,
    Any,
    Atom,
    Condition,
    DomainGlob,
    Glob,
    Hosted,
    Leaf,
    Not,
    Policy,
    Present,
    Rule,
    Word,
)
from dkimgate.policy.risk import risk_of

DOMAINS = ["a.example", "b.a.example", "c.b.a.example", "example", "xa.example", "other.test"]
ADDRESSES = ["", "root", "@", "x@", *(f"{name}@{domain}" for name in ("x", "y", "x@y") for domain in DOMAINS)]
PATTERNS = [
    "*",
    "",
    "*.example",
    "*.a.example",
    "*@a.example",
    "x@a.example",
    "x*",
    "a.example",
    "b.a.example",
    "example",
]
SUBMITTED = Leaf("origin", (Word("submitted"),))


def customer(number: int) -> Rule:
    return Rule(f"customer-{number}", All((Leaf("from", (Glob(f"customer{number}.example"),)), SUBMITTED)))


def message(author: str | None, sender: str = "", recipients: Sequence[str] = (), auth: str | None = None) -> Facts:
    return Facts(
        client=Connection(auth=auth),
        sender=sender,
        recipients=tuple(recipients),
        author=author,
        origin=Origin.SUBMITTED,
    )


def tried(policy: Policy, facts: Facts) -> int:
    return len(Chooser(policy).candidates(Values(facts, risk_of(facts, policy.weights))))


def test_a_message_pays_for_no_rule_of_another_customer() -> None:
    policy = Policy(rules=(*map(customer, range(200)), Rule("own", SUBMITTED, Sign.AUTHOR)))
    assert tried(policy, message("customer150.example")) == 2
    assert tried(policy, message("nobody.example")) == 1
    assert tried(policy, message(None)) == 1


def test_a_fact_is_read_once_for_all_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    value_of = vocabulary.value_of
    monkeypatch.setattr(chooser, "value_of", lambda fact, *rest: read.append(fact) or value_of(fact, *rest))  # type: ignore[func-returns-value]
    rules = tuple(Rule(f"r{n}", All((SUBMITTED, Leaf("from", (Glob(f"x{n}*"),))))) for n in range(50))
    facts = message("hosted.example")
    Chooser(Policy(rules=rules)).rule(facts, risk_of(facts, Policy().weights))
    assert sorted(read) == ["from", "origin"]


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        (None, None),
        (SUBMITTED, None),
        (Leaf("from", (Glob("a.example"), Glob("*.a.example"))), [("from", "a.example"), ("from", "*.a.example")]),
        (Leaf("from", (Glob("a.example"), Hosted())), None),
        (Leaf("client.auth", (Glob("x*"),)), None),
        (Leaf("sender", (DomainGlob("a.example"),)), [("sender", "a.example")]),
        (Leaf("client.auth", (Present(),)), None),
        (Not(Leaf("from", (Glob("a.example"),))), None),
        (All((SUBMITTED, Leaf("from", (Glob("a.example"),)))), [("from", "a.example")]),
        (Any((SUBMITTED, Leaf("from", (Glob("a.example"),)))), None),
        (
            Any((Leaf("sender", (Glob("x@a.example"),)), Leaf("from", (Glob("a.example"),)))),
            [("sender", "x@a.example"), ("from", "a.example")],
        ),
    ],
)
def test_the_texts_that_a_rule_needs(condition: Condition | None, keys: list[tuple[str, str]] | None) -> None:
    assert keys_of(condition) == keys


def drawn(random: Random, depth: int = 3) -> Condition:
    kind = random.randrange(7) if depth else 0
    if kind < 4:
        fact = random.choice(["from", "sender", "recipients", "recipients.all", "client.auth"])
        globs: list[type[Glob] | type[DomainGlob]] = (
            [DomainGlob, Glob] if fact in ("sender", "recipients", "recipients.all") else [Glob]
        )
        atoms: list[Atom] = [random.choice(globs)(random.choice(PATTERNS)) for _ in range(random.randint(1, 3))]
        return Leaf(fact, tuple(atoms)) if random.randrange(5) else SUBMITTED
    if kind == 6:
        return Not(drawn(random, depth - 1))
    parts = tuple(drawn(random, depth - 1) for _ in range(random.randint(1, 3)))
    return All(parts) if kind == 4 else Any(parts)


@pytest.mark.parametrize("seed", range(300))
def test_it_is_the_rule_that_is_found_if_each_is_tried(seed: int) -> None:
    random = Random(seed)
    policy = Policy(rules=tuple(Rule(f"r{n}", drawn(random)) for n in range(8)))
    chooser = Chooser(policy)
    for _ in range(20):
        facts = message(
            random.choice([None, *DOMAINS]),
            random.choice(ADDRESSES),
            random.choices(ADDRESSES, k=random.randrange(3)),
            random.choice([None, "", "x", *DOMAINS]),
        )
        risk = risk_of(facts, policy.weights)
        expected = next((rule for rule in policy.rules if holds(rule.when, facts, risk)), policy.default)
        assert chooser.rule(facts, risk) is expected
