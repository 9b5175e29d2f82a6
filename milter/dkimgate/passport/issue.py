"""Issuing a passport: what a border states of a message, in one field."""

from __future__ import annotations

import math
from collections.abc import Iterable

from dkimgate.authres import methods
from dkimgate.evidence import grounds
from dkimgate.evidence.our_signatures import OWN
from dkimgate.evidence.result_words import meaning
from dkimgate.facts import Claim, Spam
from dkimgate.message import domains
from dkimgate.message.message import Message
from dkimgate.passport.binding import Binding, binding_of
from dkimgate.passport.field import HURTING, METHODS, PATTERNS, PassportResult, base64_of, fold, mac, text_of
from dkimgate.passport.secrets import Secrets

_SPLIT_AT = 1000  # octets; above this the names that results were found for are left out
_DOMAINS = 4  # passes of one method that are told apart by domain
_WORDS = frozenset((*methods.words("spf"), OWN))  # of all methods: SPF has the most
_MOST_POINTS = 1e6


def issue(
    claims: Iterable[Claim],
    spam: Spam | None,
    message: Message,
    body_hash: bytes,
    secrets: Secrets,
    now: float,
    host: str,
) -> bytes:
    """The value of a passport field: no white space in front, folds as LF and a tab. Never raises for the sake of a
    message.

    Only claims that are trusted or verified go into it. `spam` is the worst verdict at the border, None where nobody
    gave one; `body_hash` what BodyHash.digest() gave; `now` in seconds since 1970; `host` the border's name.
    """
    binding = binding_of(message.header, message.problem)
    believed = [claim for claim in claims if claim.is_believed()]
    results = {method: _results(believed, method, binding.author) for method in METHODS}
    secret = secrets.newest
    tags = {
        "v": "1",
        "k": secret.id,
        "t": str(int(now)),
        "h": _or_nothing("h", host.lower()),
        "q": _or_nothing("q", message.queue_id or ""),
        "a": binding.author or "-",
        **{method: _list(found) for method, found in results.items()},
        "spam": _spam_tag(spam),
        **_digests(binding, body_hash),
    }
    if len(text_of(tags)) > _SPLIT_AT:
        tags |= {
            method: _list([PassportResult(r.method, r.result) for r in found]) for method, found in results.items()
        }
    return fold({**tags, "b": mac(tags, secret)})


def _results(claims: list[Claim], method: str, author: str | None) -> list[PassportResult]:
    """The results of one method, each once. Names go with passes alone: nobody asks what a failure was found for."""
    mine = [claim for claim in claims if claim.method == method]
    if method == "dmarc":
        return [PassportResult(method, word) for word in sorted({_dmarc_word(claim, author) for claim in mine})]
    words = {_word(claim.result) for claim in mine}
    named = {name for claim in mine if claim.result == "pass" for name in grounds.domains_of(claim)[:1]}
    known = sorted(named, key=lambda name: (author is None or not domains.aligned(name, author), name))
    passes = [PassportResult(method, "pass", name) for name in known[:_DOMAINS]]
    return passes + [PassportResult(method, word) for word in sorted(words) if word != "pass" or not passes]


def _word(result: str) -> str:
    word = meaning(result)
    return word if word in _WORDS else "unknown"


def _dmarc_word(claim: Claim, author: str | None) -> str:
    """The result, if it helps nobody or was found for the author domain: a passport states it of that domain."""
    word = _word(claim.result)
    said_of = claim.property("header.from")
    about_author = author is not None and (said_of is None or domains.of_address(said_of) == author)
    return word if word in HURTING or about_author else "unknown"


def _list(results: list[PassportResult]) -> str:
    return ",".join(f"{r.result}:{r.domain}" if r.domain else r.result for r in results) or "-"


def _or_nothing(tag: str, text: str) -> str:
    return text if PATTERNS[tag].fullmatch(text) else "-"


def _spam_tag(spam: Spam | None) -> str:
    if spam is None:
        return "-"
    required = min(max(spam.required, 0.001), _MOST_POINTS) if math.isfinite(spam.required) else 5.0
    # in this order: -0.0 becomes 0.0
    score = required if math.isnan(spam.score) else min(max(0.0, spam.score), _MOST_POINTS)
    return f"{score:.3f}/{required:.3f}/{'yes' if spam.spam else 'no'}"


def _digests(binding: Binding, body_hash: bytes) -> dict[str, str]:
    return {
        "mi": base64_of(binding.identity),
        "sh": base64_of(binding.shown),
        "bh": base64_of(binding.content(body_hash)),
    }
