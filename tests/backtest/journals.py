"""A journal as a hosting provider's gate would have written it: varied, realistic, and as long as a test or a measurement wants.

    .venv/bin/python -m tests.backtest.journals 1000000 decisions.jsonl

The same numbers give the same records.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dkimgate.facts import (
    Arrival,
    Assessment,
    Border,
    Claim,
    Facts,
    HeaderSigns,
    Origin,
    Sign,
    Spam,
    Standing,
    Upstream,
)
from dkimgate.gate import sealer
from dkimgate.message import suffixes
from dkimgate.message.message import Connection, Message
from dkimgate.policy import verdict
from dkimgate.policy.language import loader
from dkimgate.policy.language.model import Policy
from dkimgate.record import record
from dkimgate.record.recordable import recordable
from tests.world.keys import MadeWith

SHIPPED = loader.load(Path(__file__).parents[2] / "config" / "policy.yaml")
START = 1_795_262_400.0  # 2026-11-21T12:00:00Z
EACH = 0.6048
"""Seconds from one record to the next: a week holds a million."""

HOST = "mx.forwarder.example"
OURS = tuple(f"hosted{n}.example" for n in range(300))
THEIRS = (*(f"company{n}.example" for n in range(3000)), *(f"news.shop{n}.co.example" for n in range(300)))
_SIGNS = (
    "from_equals_to",
    "return_path_mismatch",
    "message_id_missing",
    "display_name_address",
    "third_party_signature_only",
)


def facts(dice: random.Random) -> Facts:
    """One message of a day: users' mail, what passes through to other servers, newsletters, spam, forgeries."""
    kind = dice.choices(("submitted", "local", "friend", "forged", "spam", "list", "odd"), (25, 10, 40, 4, 10, 8, 3))[0]
    own = kind in ("submitted", "local", "forged") or dice.random() < 0.03
    author = dice.choice(OURS if own else THEIRS)
    user = f"user{dice.randrange(20_000)}"
    recipients = tuple(
        f"user{dice.randrange(20_000)}@{dice.choice(THEIRS)}" for _ in range(dice.choices((1, 2, 5), (90, 8, 2))[0])
    )
    identifier = f"<{dice.getrandbits(96):x}.{dice.getrandbits(40):x}@{author}>"
    if kind in ("submitted", "local"):
        return Facts(
            client=Connection(_ip(dice), None, "laptop", user, "submission") if kind == "submitted" else _local(),
            sender=f"{user}@{author}",
            recipients=recipients,
            author=author,
            hosted=author,
            origin=Origin(kind),
            origin_why="an authenticated user handed it in"
            if kind == "submitted"
            else "no border hop stands in its route",
            arrival=Arrival("none", spam=_spam(dice, dice.random() < 0.002)),
            header=HeaderSigns(message_id_missing=dice.random() < 0.02, date_missing=dice.random() < 0.01),
            spf_passes=True,
            spf_source="lookup",
            message_id=identifier,
        )
    return _from_outside(dice, kind, own, author, user, recipients, identifier)


def _from_outside(
    dice: random.Random, kind: str, own: bool, author: str, user: str, recipients: tuple[str, ...], identifier: str
) -> Facts:
    dmarc, spf, dkim = {
        "friend": dice.choices(
            (("pass", "pass", "pass"), ("pass", "fail", "pass"), ("none", "pass", "none"), ("pass", "pass", "none")),
            (70, 10, 10, 10),
        )[0],
        "forged": ("fail", dice.choice(("fail", "softfail")), "none"),
        "spam": dice.choice((("none", "pass", "none"), ("pass", "pass", "pass"), ("fail", "softfail", "none"))),
        "list": dice.choice((("fail", "pass", "fail"), ("pass", "pass", "pass"))),
        "odd": (dice.choice(("temperror", "permerror", "unknown")), "none", "none"),
    }[kind]
    ip = _ip(dice)
    problem = dice.random() < 0.003
    sender = (
        f"{user}@{author}"
        if kind != "list"
        else f"list-bounces+{user}={recipients[0].replace('@', '=')}@lists.{author}"
    )
    hosted = author if own and not problem else None
    return Facts(
        client=_local(),
        sender="" if dice.random() < 0.03 else sender,
        recipients=recipients,
        author=None if problem else author,
        author_problem="2 From fields" if problem else None,
        hosted=hosted,
        origin=Origin.FORWARDED if dice.random() < 0.9 else Origin.INBOUND,
        origin_why="a border hop stands in its route",
        border=Border(HOST, ip),
        claims=_claims(dice, dmarc, spf, dkim, author, user, ip, kind == "spam"),
        arrival=Arrival(dmarc, spf, dkim, "none", dmarc == "pass", _spam(dice, kind == "spam")),
        upstream=Upstream("fail" if kind == "forged" and dice.random() < 0.2 else None),
        header=HeaderSigns(
            **{name: True for name in _SIGNS if dice.random() < (0.2 if kind in ("spam", "forged") else 0.02)}
        ),
        spf_passes=own and dice.random() < 0.5,
        spf_source="lookup" if own else "unaligned",
        unalignable=dice.random() < 0.9,
        message_id=identifier,
    )


def _claims(
    dice: random.Random, dmarc: str, spf: str, dkim: str, author: str, user: str, ip: str, spam: bool
) -> tuple[Claim, ...]:
    why = "above the border's Received field, in our name"

    def stated(method: str, result: str, *properties: tuple[str, str]) -> Claim:
        return Claim(
            method, result, HOST, "Authentication-Results", Standing.TRUSTED, why, dice.randrange(3), properties
        )

    found = [stated("dmarc", dmarc, ("header.from", author), ("policy.dis", "none"))]
    found += [
        stated(
            "dkim", dkim, ("header.d", author), ("header.i", f"@{author}"), ("header.b", f"{dice.getrandbits(32):x}")
        )
    ]
    found += [stated("dkim", "pass", ("header.d", "sendgrid.example"), ("header.b", f"{dice.getrandbits(32):x}"))] * (
        dice.random() < 0.2
    )
    found += [stated("spf", spf, ("smtp.mailfrom", f"{user}@{author}"), ("smtp.client-ip", ip))]
    if dice.random() < 0.3:
        below = "below the border: anyone can have written it"
        found.append(
            Claim(
                "dmarc",
                "pass",
                "mx.google.example",
                "Authentication-Results",
                Standing.UPSTREAM,
                below,
                9,
                (("header.from", author),),
            )
        )
    if spam:
        found.append(Claim("spam", "yes", None, "X-Spam-Status", Standing.TRUSTED, "spam is believed from anyone", 20))
    return tuple(found)


def _spam(dice: random.Random, spam: bool) -> Spam:
    return Spam(True, round(dice.uniform(5, 30), 1), 5.0) if spam else Spam(False, round(dice.uniform(-4, 4.9), 1), 5.0)


def _ip(dice: random.Random) -> str:
    return f"{dice.choice(('192.0.2', '198.51.100', '203.0.113'))}.{dice.randrange(256)}"


def _local() -> Connection:
    return Connection("127.0.0.1", "localhost", "localhost", None, HOST)


def assessment(told: Facts, policy: Policy) -> Assessment:
    """What the gate makes of it, whose forwarder and sealer is HOST."""
    reached = verdict.reach(told, policy)
    signer = {Sign.AUTHOR: told.hosted, Sign.FORWARDER: HOST, Sign.NONE: None}[reached.made]
    made = Assessment(told, reached.decision, reached.departure, signer, reached.overruled)
    return replace(made, sealed=sealer.wanted(made))


def line(number: int, policy: Policy = SHIPPED) -> bytes:
    """The record of that number, decided under that policy; one of 500 is of a message that was not decided on."""
    dice = random.Random(number)
    at = START + number * EACH
    queue_id = f"{0x4000000000 + number:X}"
    if number % 500 == 499:
        message = Message(Connection("192.0.2.66"), queue_id=queue_id)
        failed = record.make(
            message, None, time=at, ms=1.0, policy_hash=f"sha256:{policy.digest}", error="aborted: connection lost"
        )
        return record.to_line(failed)
    told = recordable(facts(dice))
    made = assessment(told, policy)
    keys = [MadeWith(made.signer)] if made.signer is not None else []
    ms, digest = 0.42 + dice.random(), f"sha256:{policy.digest}"
    return record.to_line(
        record.make(Message(queue_id=queue_id), made, signatures=keys, time=at, ms=ms, policy_hash=digest)
    )


def lines(count: int, policy: Policy = SHIPPED, first: int = 0) -> Iterator[bytes]:
    """So many records, the oldest first."""
    return (line(number, policy) for number in range(first, first + count))


if __name__ == "__main__":
    suffixes.load()
    with Path(sys.argv[2]).open("wb") as writing:
        writing.writelines(lines(int(sys.argv[1])))
