"""Facts as a test case states them: by the names that conditions use, with the values that a message has."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dkimgate.config.wrong_values import shown, trap
from dkimgate.config.yaml_file import Where
from dkimgate.facts import Arrival, Border, Claim, Facts, Origin, Spam, Standing, is_outside
from dkimgate.message import domains
from dkimgate.message.message import Connection
from dkimgate.policy.language.fact import Fact, Kind
from dkimgate.policy.language.parse import fact_hint
from dkimgate.policy.language.problems import Problems
from dkimgate.policy.language.vocabulary import FACTS, put

COMPUTED = {name: fact.instead for name, fact in FACTS.items() if fact.instead}
"""Facts that can't be stated, and what to do."""

HOSTED = "hosted"
"""Stated beside `from`: does a key of ours cover the author domain?"""

NAMES = (*(name for name in FACTS if name not in COMPUTED), HOSTED)

AUTHOR, RECIPIENT = "author.example", "recipient@recipient.example"
"""Who wrote, and to whom, where a case doesn't say."""

MOST_RECIPIENTS = 100_000


@dataclass(frozen=True, slots=True)
class World:
    """What is ours: the domains of our keys, and the one of `sign: forwarder`."""

    keys: tuple[str, ...] = ()
    forwarder: str | None = None

    def hosted(self, author: str | None) -> str | None:
        """The domain whose key covers that author domain."""
        return domains.covering(author, frozenset(self.keys)) if author else None

    def forwarder_aligns(self, author: str | None) -> bool:
        """Facts.forwarder_aligns."""
        return self.forwarder is not None and (author is None or domains.may_align(self.forwarder, author))


def read(problems: Problems, where: Where, mapping: Mapping[str, object]) -> dict[str, Any]:
    """The values behind the names; mistakes are noted. None is the value of a fact that the message does not have."""
    stated: dict[str, Any] = {}
    for name, value in mapping.items():
        here = (*where, name)
        if name == HOSTED:
            if not isinstance(value, bool):
                problems.add(here, "yaml.expected-flag", f"hosted: expected true or false, found {shown(value)}")
            stated[name] = value
        elif name in COMPUTED:
            problems.add(here, "case.computed-fact", f"{name} can't be given: {COMPUTED[name]}")
        elif name not in FACTS:
            problems.add(here, "condition.unknown-fact", f"unknown fact {name!r}{fact_hint(name)}")
        elif value is None and FACTS[name].optional:
            stated[name] = None
        else:
            stated[name] = _value(problems, here, name, value)
    _together(problems, where, stated)
    return stated


def _together(problems: Problems, where: Where, stated: dict[str, Any]) -> None:
    """Facts that contradict each other."""
    if "recipients" in stated and "recipients.count" in stated:
        problems.add(
            (*where, "recipients.count"),
            "case.facts-contradict",
            "recipients.count: give this fact or recipients, not both",
        )
    if stated.get("from") in (HOSTED, "none") and HOSTED in stated:
        problems.add(
            (*where, HOSTED),
            "case.facts-contradict",
            f"hosted: `from: {stated['from']}` says that already: remove this key",
        )
    score, required = stated.get("spam.score"), stated.get("spam.required", Spam().required)
    if stated.get("spam") is False and score is not None and required is not None and score >= required:
        problems.add(
            (*where, "spam"),
            "case.facts-contradict",
            f"spam: a score of {score:g} of {required:g} is spam: remove `spam: false`, or lower spam.score",
        )


def _value(problems: Problems, where: Where, name: str, value: object) -> Any:
    """A value of that fact, in the form that `_READERS` of its kind give; None where it is wrong."""
    fact = FACTS[name]
    if fact.kind is Kind.WORD:
        return problems.word(where, value, fact.words)
    if fact.kind is Kind.MAILBOXES:
        items = value if isinstance(value, list) else [value]
        read = [_mailbox(item) for item in items]
        wrong = next((item for item, text in zip(items, read, strict=True) if not text), None)
        if wrong is not None or None in read:
            problems.add(
                where,
                "case.fact",
                f"{name}: expected an address such as friend@partner.example, or a list of them, found {shown(wrong)}",
            )
        return tuple(read)
    found = _number(name, fact, value) if fact.kind is Kind.NUMBER else _READERS[fact.kind](value)
    if found is None:
        problems.add(
            where, "case.fact", f"{name}: expected {_EXPECTED[fact.kind]}, found {shown(value)}{_hint(fact, value)}"
        )
    return found


def _hint(fact: Fact, value: object) -> str:
    if isinstance(value, list):
        return " (a message has one value: write a case for each)"
    if fact.kind is Kind.NUMBER and isinstance(value, str):
        return " (a case gives a value; comparisons belong under `expect` and in the policy)"
    if value is None:
        return "" if fact.optional else trap(value)
    return trap(value) if fact.kind not in (Kind.NUMBER, Kind.FLAG) else ""


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(name: str, fact: Fact, value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    least = {"spam.required": 1e-6, "recipients.count": 0}.get(name)
    if (least is not None and value < least) or (fact.whole and (value != int(value) or value > MOST_RECIPIENTS)):
        return None
    return float(value)


def _address(value: object) -> str | None:
    try:
        return str(ipaddress.ip_address(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() and value.isprintable() else None


def _mailbox(value: object) -> str | None:
    """An address without angle brackets; the null sender is the empty text."""
    if not isinstance(value, str) or (value and not value.isprintable()) or value.startswith("<"):
        return None
    return value


def _author(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return value if value in (HOSTED, "none") else domains.a_label(value)


_READERS: dict[Kind, Callable[[object], object]] = {
    Kind.FLAG: _flag,
    Kind.ADDRESS: _address,
    Kind.HOST: _text,
    Kind.TEXT: _text,
    Kind.MAILBOX: _mailbox,
    Kind.AUTHOR: _author,
}
_EXPECTED = {
    Kind.FLAG: "true or false",
    Kind.NUMBER: "a number that a message can have",
    Kind.ADDRESS: "an IP address such as 192.0.2.66",
    Kind.HOST: "a host name",
    Kind.TEXT: "text",
    Kind.MAILBOX: 'an address without angle brackets such as friend@partner.example, or "" for the null sender',
    Kind.AUTHOR: "a domain such as partner.example, hosted or none",
}


def facts(stated: Mapping[str, Any], world: World) -> Facts:
    """A message with only these facts. Nobody has stated a result for it. If it came from outside, its DMARC result is
    `unknown`, else `none`."""
    origin = Origin(stated.get("origin", Origin.FORWARDED))
    dmarc = stated.get("arrival.dmarc", "unknown" if is_outside(origin, bool(stated.get("client.relay"))) else "none")
    blank = Facts(
        client=Connection(auth="user" if origin is Origin.SUBMITTED else None),
        recipients=(RECIPIENT,),
        author=AUTHOR,
        origin=origin,
        origin_why="stated",
        arrival=Arrival(dmarc, aligned=dmarc == "pass"),
    )
    found = state(blank, {"from": AUTHOR, **stated}, world)
    return found if "sender" in stated else replace(found, sender=f"author@{found.author or AUTHOR}")


def state(base: Facts, stated: Mapping[str, Any], world: World) -> Facts:
    """The facts of `base` with those that are stated in their place."""
    values = {name: value for name, value in stated.items() if not name.startswith(("spam", "recipients"))}
    if "origin" in values:
        values["origin"] = Origin(values["origin"])
    if any(name.startswith("border.") for name in values):
        base = replace(base, border=base.border or Border("", None))
        values |= {"border.by": ""} if values.get("border.by", "") is None else {}
    made = put(base, values)
    made = replace(
        made,
        arrival=replace(made.arrival, spam=_spam(base.arrival.spam, stated)),
        recipients=_recipients(base.recipients, stated),
    )
    return _signed(_written(made, stated, world), stated)


def _spam(base: Spam, stated: Mapping[str, Any]) -> Spam:
    """A verdict of Yes has at least the score of spam, and one of No no other, as where a header says so."""
    required = stated.get("spam.required", base.required)
    score = stated.get("spam.score", base.score)
    if stated.get("spam") is False:
        return Spam(False, score if score < required else 0.0, required)
    flag = stated.get("spam", base.flag)
    return Spam(flag, max(score, required) if flag else score, required)


def _recipients(base: tuple[str, ...], stated: Mapping[str, Any]) -> tuple[str, ...]:
    if "recipients.count" in stated:
        count = int(stated["recipients.count"])
        return (*base, *(f"recipient{index}@recipient.example" for index in range(2, count + 1)))[:count]
    found = stated.get("recipients", base)
    return () if found is None else tuple(found)


def _written(found: Facts, stated: Mapping[str, Any], world: World) -> Facts:
    """With the author domain that is stated, and what follows from it."""
    author, problem, hosted = found.author, found.author_problem, found.hosted
    match stated.get("from"):
        case None:
            pass
        case "none":
            author, problem, hosted = None, "stated", None
        case "hosted":
            author = hosted = next((domain for domain in world.keys if domain != world.forwarder), "hosted.example")
        case domain:
            author, hosted = domain, world.hosted(domain)
    if HOSTED in stated and author is not None:
        hosted = (world.hosted(author) or author) if stated[HOSTED] else None
    return replace(
        found, author=author, author_problem=problem, hosted=hosted, forwarder_aligns=world.forwarder_aligns(author)
    )


def _signed(found: Facts, stated: Mapping[str, Any]) -> Facts:
    """An aligned pass of DKIM that is stated is that of a signature which is still there when the message departs."""
    if "arrival.dkim" not in stated:
        return found
    claims = tuple(claim for claim in found.claims if claim.method != "dkim")
    if found.author is not None and found.arrival.dkim == "pass" and found.arrival.aligned:
        claims += (
            Claim("dkim", "pass", None, "", Standing.VERIFIED, "stated", properties=(("header.d", found.author),)),
        )
    return replace(found, claims=claims)
