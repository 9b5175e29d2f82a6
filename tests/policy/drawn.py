"""Policies and messages that nobody thought of, for the tests of the proof: messages are drawn on the borders of a policy's conditions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, replace
from ipaddress import ip_network
from itertools import pairwise
from random import Random

from dkimgate.facts import (
    DMARC_RESULTS,
    Arrival,
    Border,
    Disposition,
    EnvelopeAction,
    Facts,
    HeaderSigns,
    Origin,
    Sign,
    Spam,
    Upstream,
)
from dkimgate.message.message import Connection
from dkimgate.policy.language.fact import Kind
from dkimgate.policy.language.model import (
    All,
    Any,
    Atom,
    Compare,
    Condition,
    DomainGlob,
    Flag,
    Glob,
    Hosted,
    Leaf,
    NoAuthor,
    Not,
    Operator,
    Policy,
    Present,
    Rule,
    Weights,
    Within,
    Word,
    leaves,
)
from dkimgate.policy.language.vocabulary import CONDITIONS, FACTS
from dkimgate.policy.proof import universe

OPERATORS: tuple[Operator, ...] = ("<", "<=", ">", ">=", "==", "!=")
NETWORKS = [
    ip_network(text)
    for text in (
        "0.0.0.0/0",
        "192.0.2.0/24",
        "192.0.2.64/26",
        "192.0.2.66/32",
        "198.51.100.0/25",
        "::/0",
        "2001:db8::/32",
        "2001:db8:1::/48",
    )
]
HOSTS = [
    "*",
    "*.example",
    "hosted.example",
    "*.hosted.example",
    "mail.hosted.example",
    "*.mail.hosted.example",
    "partner.example",
]
TEXTS = [*HOSTS, "mail*", "m*", "mail.hosted*", "*@hosted.example", "a@b*"]
ADDRESSES = [
    "",
    "*@hosted.example",
    "friend@hosted.example",
    "*",
    "friend@*",
    "x@*",
    "x@a.example",
    "*@mail.hosted.example",
]
THRESHOLDS = [0.0, 0.5, 1.0, 2.0, 4.99, 5.0, 9.5, 10.0, 49.99, 50.0, 50.01, 60.0, 100.0]
OFTEN = [
    "origin", "origin", "arrival.dmarc", "arrival.dmarc", "arrival.badly", "arrival.badly", "spam", "risk", "risk", "risk", "from", "from",
    "outgoing.spf_passes", "outgoing.spf_passes", "own_signature", "spam.ratio", "arrival.aligned", "client.auth",
]  # fmt: skip


def conditions(random: Random, depth: int = 2) -> Condition:
    """A condition."""
    kind = random.random()
    if depth == 0 or kind < 0.5:
        return _leaf(random, random.choice(OFTEN if random.random() < 0.6 else sorted(CONDITIONS)))
    if kind < 0.65:
        return Not(conditions(random, depth - 1))
    parts = tuple(conditions(random, depth - 1) for _ in range(random.randint(1, 3)))
    return All(parts) if kind < 0.82 else Any(parts)


def _leaf(random: Random, name: str) -> Leaf:
    if FACTS[name].kind is Kind.FLAG:
        return Leaf(name, (Flag(random.random() < 0.5),))
    return Leaf(name, tuple(_atom(random, name) for _ in range(random.choice((1, 1, 1, 2, 3)))))


def _atom(random: Random, name: str) -> Atom:
    fact = FACTS[name]
    if fact.optional and random.random() < 0.15:
        return Present()
    match fact.kind:
        case Kind.WORD:
            return Word(random.choice(fact.words))
        case Kind.NUMBER:
            return Compare(random.choice(OPERATORS), random.choice([0.0, 1.0, 2.0, 3.0] if fact.whole else THRESHOLDS))
        case Kind.ADDRESS:
            return Within(random.choice(NETWORKS))
        case Kind.AUTHOR:
            atoms: list[Atom] = [Hosted(), NoAuthor(), Glob(random.choice(HOSTS)), Glob(random.choice(HOSTS))]
            return random.choice(atoms)
        case Kind.MAILBOX | Kind.MAILBOXES:
            return Glob(random.choice(ADDRESSES)) if random.random() < 0.5 else DomainGlob(random.choice(HOSTS))
    return Glob(random.choice(TEXTS if fact.kind is Kind.TEXT else HOSTS))


def policies(random: Random) -> Policy:
    """A policy. Many launder, some by a hair."""
    rules: list[Rule] = []
    for index in range(random.randint(1, 5)):
        envelope = random.choice((EnvelopeAction.KEEP, EnvelopeAction.UNALIGN, EnvelopeAction.UNALIGN))
        rules.append(
            Rule(
                f"rule-{index}",
                None if random.random() < 0.03 else conditions(random),
                random.choice((Sign.AUTHOR, Sign.AUTHOR, Sign.NONE, Sign.FORWARDER)),
                random.choice(
                    (Disposition.ACCEPT, Disposition.ACCEPT, Disposition.ACCEPT, Disposition.HOLD, Disposition.REJECT)
                ),
                envelope=envelope,
            )
        )
    if random.random() < 0.5:  # what a postmaster would write, and what a tired one would
        guard: list[Condition] = [
            Leaf("arrival.badly", (Flag(True),)),
            Leaf("risk", (Compare(">=", 50.0),)),
            Not(Leaf("arrival.dmarc", (Word("pass"), Word("none")))),
            Leaf("spam", (Flag(True),)),
        ]
        parts = tuple(random.sample(guard, random.randint(1, 3)))
        rules.insert(
            random.randint(0, 1), Rule("never-launder", Any(parts), envelope=random.choice(tuple(EnvelopeAction)))
        )
    return Policy(
        "enforce", weights(random), tuple(rules), Rule("default", envelope=random.choice(tuple(EnvelopeAction)))
    )


def weights(random: Random) -> Weights:
    """Weights whose sums come close to the thresholds."""
    some = [0.0, 0.005, 0.01, 5.0, 10.0, 25.0, 40.0, 49.99, 50.0, 100.0]
    names = [f"dmarc={word}" for word in DMARC_RESULTS] + [
        "spf=fail",
        "spf=softfail",
        "dkim=fail",
        "arc=fail",
        "upstream.dmarc=fail",
    ]
    names += ["header.from_equals_to", "header.no_received", "header.lookalike_domain"]
    chosen = {name: random.choice(some) for name in names if random.random() < 0.5}
    return Weights(tuple(chosen.items()), random.choice([0.0, 10.0, 49.994, 49.995, 50.0, 51.0]))


def messages(random: Random, policy: Policy, number: int) -> Iterator[Facts]:
    """Messages on the borders of the policy's conditions."""
    draw = _Draw(random, policy)
    for _ in range(number):
        facts = draw.message()
        if universe.is_possible(facts) is None:
            yield facts


class _Draw:
    """What the values of a policy's messages are drawn from."""

    def __init__(self, random: Random, policy: Policy) -> None:
        self.random = random
        atoms: dict[str, list[Atom]] = {name: [] for name in FACTS}
        for rule in policy.rules:
            for leaf in leaves(rule.when) if rule.when is not None else ():
                atoms[leaf.fact] += leaf.atoms
        self.domains = ["hosted.example", "other.test", *_texts(atoms["from"])]
        self.texts = {
            name: ["x", *_texts(atoms[name])]
            for name in (
                "client.name",
                "client.helo",
                "client.auth",
                "client.daemon",
                "client.tls",
                "border.by",
                "arrival.pass_of",
            )
        }
        self.senders = ["", "friend@hosted.example", "x", *_texts(atoms["sender"])]
        self.recipients = ["victim@receiver.example", *_texts(atoms["recipients"]), *_texts(atoms["recipients.all"])]
        self.addresses = ["203.0.113.9", *_addresses(atoms["client.ip"] + atoms["border.ip"])]
        ratios = [atom.number for atom in atoms["spam.ratio"] if isinstance(atom, Compare)]
        per = policy.weights.per_required
        ratios += [atom.number / per for atom in atoms["risk"] if isinstance(atom, Compare) and per]
        ratios += [max(a - b, 0.0) / per for a in THRESHOLDS for b in (5.0, 10.0, 25.0, 40.0) if per]
        self.ratios = [0.0, 0.5, 1.0, *_near(ratios)]
        self.mentioned = {name for name, found in atoms.items() if found} | {name for name, _ in policy.weights.parts}

    def message(self) -> Facts:
        pick, chance = self.random.choice, self.random.random
        required = pick((5.0, 1.0, 15.0))
        score = pick(self.ratios) * required
        author = pick(self.domains) if chance() < 0.85 else None
        origin = pick(
            (Origin.FORWARDED, Origin.FORWARDED, Origin.INBOUND, Origin.SUBMITTED, Origin.LOCAL, Origin.RELAYED)
        )
        by = pick((None, *self.texts["border.by"])) if origin is Origin.FORWARDED else None
        spf_passes = chance() < 0.6
        signs = {sign.name: f"header.{sign.name}" in self.mentioned and chance() < 0.4 for sign in fields(HeaderSigns)}
        return Facts(
            client=Connection(
                pick((None, *self.addresses)),
                pick((None, *self.texts["client.name"])),
                pick((None, *self.texts["client.helo"])),
                pick((None, *self.texts["client.auth"])) if origin in (Origin.FORWARDED, Origin.SUBMITTED) else None,
                pick((None, *self.texts["client.daemon"])),
                pick((None, *self.texts["client.tls"])),
            ),
            sender=pick(self.senders),
            recipients=tuple(pick(self.recipients) for _ in range(pick((0, 1, 1, 2, 3, 4)))),
            author=author,
            hosted=author if author and chance() < 0.7 else None,
            origin=origin,
            border=Border(by, pick((None, *self.addresses))) if by else None,
            arrival=Arrival(
                pick(DMARC_RESULTS),
                pick(("none", "pass", "fail", *universe.WORDS["arrival.spf"])) or "none",
                pick(("none", "pass", "fail", *universe.WORDS["arrival.dkim"])) or "none",
                pick(("none", "pass", "fail", *universe.WORDS["arrival.arc"])) or "none",
                chance() < 0.3,
                Spam(score >= required, score, required),
                pick((None, *self.texts["arrival.pass_of"])),
            ),
            upstream=Upstream(pick(universe.WORDS["upstream.dmarc"])),
            header=HeaderSigns(**signs),
            spf_passes=spf_passes,
            unalignable=spf_passes and chance() < 0.6,
            own_signature=chance() < 0.2,
            relay=origin is Origin.RELAYED and chance() < 0.5,
        )


def _texts(atoms: list[Atom]) -> list[str]:
    found: list[str] = []
    for atom in atoms:
        if isinstance(atom, Glob | DomainGlob):
            front = "x@" if isinstance(atom, DomainGlob) else ""
            found += [front + atom.pattern.replace("*", filling) for filling in ("", "a", "b.c", "mail")]
    return [text for text in dict.fromkeys(found) if not text.endswith(".") and text]


def _addresses(atoms: list[Atom]) -> list[str]:
    found: list[str] = []
    for atom in atoms:
        if isinstance(atom, Within):
            network = atom.network
            found += [str(network[0]), str(network[-1])]
            found += [str(network[-1] + 1)] if int(network[-1]) + 1 < 1 << network.max_prefixlen else []
            found += [str(network[0] - 1)] if int(network[0]) else []
    return found


def _near(numbers: list[float]) -> list[float]:
    """The numbers, their neighbours, and what lies between two of them."""
    places = sorted({number for number in numbers if number >= 0})
    between = [(a + b) / 2 for a, b in pairwise(places)]
    beside = [math.nextafter(number, to) for number in places for to in (math.inf, 0.0)] + [
        number + 0.01 for number in places
    ]
    return [*places, *between, *beside]


def weakened(random: Random, policy: Policy) -> Policy:
    """The policy with one rule less, or two rules swapped, or a rule that leaves the envelope alone."""
    rules = list(policy.rules)
    at = random.randrange(len(rules))
    match random.randrange(3):
        case 0:
            del rules[at]
        case 1:
            rules[at], rules[-1] = rules[-1], rules[at]
        case _:
            rules[at] = replace(rules[at], envelope=EnvelopeAction.KEEP)
    return replace(policy, rules=tuple(rules))
