"""What a message can be: every value of every fact that evidence may come to, and what ties them together.

This is the one place that says so. It is wider than what happens, never narrower:
`tests/policy/test_policy_proof_parts.py` gathers the facts of messages and finds each of them in here. The prover
searches in it, and the tests draw from it.
"""

from __future__ import annotations

import typing
from collections.abc import Collection

from dkimgate.facts import Arrival, Border, Facts, Origin, Risk, Spam, is_outside
from dkimgate.policy.describe.explain import describe
from dkimgate.policy.language.conditions import holds
from dkimgate.policy.language.fact import Kind
from dkimgate.policy.language.model import (
    All,
    Any,
    Compare,
    Condition,
    Flag,
    Glob,
    Hosted,
    Leaf,
    NoAuthor,
    Not,
    Present,
    Word,
    leaves,
)
from dkimgate.policy.language.vocabulary import FACTS, put, value_of
from dkimgate.policy.proof.ranges import Cents, Counts, Floats, Ranges, rank, union
from dkimgate.policy.proof.texts import is_text
from dkimgate.policy.risk import MAX_PART, spam_ratio

WORDS: dict[str, tuple[str | None, ...]] = {
    fact.name: (*((None,) if fact.optional else ()), *(fact.found or fact.words))
    for fact in FACTS.values()
    if fact.kind is Kind.WORD
}
"""Facts that are one of a few words; None where a message may be without it."""

FLAGS = tuple(fact.name for fact in FACTS.values() if fact.kind is Kind.FLAG and fact.place)

RATIOS = union((0, rank(MAX_PART)))
"""Spam score / required, by the rank of the float. Spam is what has a ratio of 1 or more: a field that says so has a
score of at least what it requires."""

RISKS = union((0, 100_000_000_000))
"""In hundredths."""

COUNTS = union((0, 1_000_000))
"""Of recipients: Postfix takes a thousandth of that, unless told otherwise."""


def matching(name: str, compares: tuple[Compare, ...]) -> Ranges:
    """The values of a number for which one of the comparisons holds, as the numbers of its scale."""
    match name:
        case "risk":
            return Cents().matching(compares, RISKS)
        case "recipients.count":
            return Counts().matching(compares, COUNTS)
    return Floats().matching(compares, RATIOS)


def most(name: str) -> float:
    """The greatest value of a number."""
    match name:
        case "risk":
            return RISKS.last / 100
        case "recipients.count":
            return COUNTS.last
    return MAX_PART


NETWORKS = tuple(fact.name for fact in FACTS.values() if fact.kind is Kind.ADDRESS)

TEXTS = tuple(
    fact.name
    for fact in FACTS.values()
    if fact.kind in (Kind.AUTHOR, Kind.MAILBOX, Kind.HOST, Kind.TEXT, Kind.MAILBOXES) and fact.name != "recipients.all"
)


def _is(fact: str, *words: str) -> Leaf:
    return Leaf(fact, tuple(Word(word) for word in words))


def _true(fact: str) -> Leaf:
    return Leaf(fact, (Flag(True),))


def _there(fact: str) -> Leaf:
    return Leaf(fact, (Present(),))


def _only_if(one: Condition, other: Condition) -> Condition:
    return Any((Not(one), other))


OUTSIDE: Condition = Any(
    (
        _is("origin", *(origin for origin in Origin if is_outside(origin, True))),
        All((_is("origin", *(origin for origin in Origin if is_outside(origin, False))), Not(_true("client.relay")))),
    )
)
"""What the laws call "from outside"."""
_NO_AUTHOR = Leaf("from", (NoAuthor(),))

TIES: tuple[Condition, ...] = (
    # route: who has logged in hands in, or there is a border further down
    _only_if(_there("client.auth"), _is("origin", "submitted", "forwarded")),
    _only_if(_true("client.relay"), _is("origin", "relayed")),
    _only_if(_there("border.by"), _is("origin", "forwarded")),
    _only_if(_there("border.ip"), _there("border.by")),
    _only_if(
        _true("arrival.aligned"), All((Not(_NO_AUTHOR), Any((_is("arrival.spf", "pass"), _is("arrival.dkim", "pass")))))
    ),
    # the author domain has no pass of its own then
    _only_if(_there("arrival.pass_of"), Not(_is("arrival.dmarc", "pass"))),
    # the sender is rewritten where that changes something, and what it must not be aligned with is known
    _only_if(
        _true("outgoing.unalignable"),
        All((_true("outgoing.spf_passes"), Not(Leaf("sender", (Glob(""),))), Not(_NO_AUTHOR))),
    ),
    _only_if(_true("own_signature"), Leaf("from", (Hosted(),))),
    _only_if(_true("header.lookalike_domain"), Not(Leaf("from", (Hosted(),)))),
    _only_if(_true("header.no_received"), OUTSIDE),
    _only_if(_true("header.message_id_malformed"), Not(_true("header.message_id_missing"))),
    _only_if(_true("header.date_far_off"), Not(_true("header.date_missing"))),
)
"""What holds for every message. Each speaks of facts that are false or absent unless something wants them otherwise."""


def ties_of(named: Collection[str]) -> list[Condition]:
    """The ties that matter where conditions name those facts: the first fact of a tie is one of them, or of the
    border."""
    named = {*named, *(("border.by", "border.ip") if {"border.by", "border.ip"} & set(named) else ())}
    return [tie for tie in TIES if next(leaves(tie)).fact in named]


def is_possible(facts: Facts) -> str | None:
    """Why no message has such facts, in a few words; None where one may."""
    spam, unweighted = facts.arrival.spam, Risk()
    for name, words in WORDS.items():
        if value_of(name, facts, unweighted) not in words:
            return f"{name} is {value_of(name, facts, unweighted)}"
    if spam.flag and spam.score < spam.required:
        return "spam below what is required for it"
    if len(facts.recipients) > COUNTS.last:
        return "too many recipients"
    if facts.border is not None and not value_of("border.by", facts, unweighted):
        return "a border without a name"
    if facts.author is not None and not is_text(Kind.AUTHOR, facts.author):
        return f"the author domain {facts.author!a}"
    if facts.hosted is not None and facts.author is None:
        return "hosted without an author domain"
    return next((f"not so: {describe(tie)}" for tie in TIES if not holds(tie, facts, unweighted)), None)


def message(values: dict[str, typing.Any]) -> Facts:
    """The facts that have these values, by the names of `WORDS`, `FLAGS` and the others here; everything else as it is
    by default."""
    author, by, spam = values["from"], values["border.by"], _spam(values["spam.ratio"])
    blank = Facts(
        author=author.domain,
        author_problem=None if author.domain else "2 From fields",
        hosted=author.domain if author.hosted else None,
        border=Border("", None) if by is not None else None,
        arrival=Arrival(spam=spam),
        spf_source="lookup" if values["outgoing.spf_passes"] else "unaligned",
    )
    known = {name: value for name, value in values.items() if by is not None or not name.startswith("border.")}
    return put(blank, {**known, "origin": Origin(values["origin"])})


def _spam(ratio: float) -> Spam:
    """A verdict of that ratio. Of 5, as SpamAssassin has it, if that gives this very number."""
    usual = Spam(ratio >= 1, ratio * Spam().required)
    return usual if spam_ratio(usual) == ratio else Spam(ratio >= 1, ratio, 1.0)
