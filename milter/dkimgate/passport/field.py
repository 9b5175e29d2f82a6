"""The passport field: how it is written and parsed, and its MAC. What it means is in passport.

The value is a list of tags, always these, in this order (white space between and within them doesn't count):

    v=1; k=ID of the secret; t=seconds since 1970; h=host; q=queue id; a=author domain;
    dmarc=RESULT,...; spf=RESULT:DOMAIN,...; dkim=RESULT:DOMAIN,...; arc=RESULT,...; spam=SCORE/REQUIRED/yes|no;
    mi=identity; sh=shown; bh=content; b=HMAC-SHA256 of all the tags before it

A hyphen stands for nothing. `mi`, `sh` and `bh` are the digests of `binding`, all else is as the border knew it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from dkimgate.authres import methods
from dkimgate.dkim import sign
from dkimgate.facts import Spam
from dkimgate.passport.secrets import Secret

FIELD_NAME = "X-Dkimgate-Passport"
KEY = FIELD_NAME.lower()

METHODS = ("dmarc", "spf", "dkim", "arc")
HURTING = methods.hurting("spf")  # of all methods: SPF has the most
"""The results that hurt, of those that a passport may state."""
LONGEST = 2048
"""Octets of a field that is read at all; ours have less than 1,024."""

_DIGEST = r"[A-Za-z0-9+/]{43}="
_NAME = r"[A-Za-z0-9._-]{1,253}"
_RESULTS = r"-|[a-z]{1,16}(?::[a-z0-9.-]{1,253})?(?:,[a-z]{1,16}(?::[a-z0-9.-]{1,253})?)*"
_POINTS = r"[0-9]{1,7}\.[0-9]{3}"
_TAGS = {
    "v": r"1",
    "k": r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}",
    "t": r"[1-9][0-9]{0,11}",
    "h": _NAME,
    "q": r"-|[A-Za-z0-9]{1,40}",
    "a": r"-|[a-z0-9.-]{1,253}",
    **dict.fromkeys(METHODS, _RESULTS),
    "spam": rf"-|{_POINTS}/{_POINTS}/(?:yes|no)",
    "mi": _DIGEST,
    "sh": _DIGEST,
    "bh": _DIGEST,
    "b": _DIGEST,
}
PATTERNS = {tag: re.compile(pattern) for tag, pattern in _TAGS.items()}
"""What the value of each tag must match, in the order of the tags."""

_SPACE = re.compile(rb"[ \t\r\n]+")


@dataclass(frozen=True, slots=True)
class PassportResult:
    """One result of the border's, and the domain it was found for (None: not told)."""

    method: str
    result: str
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class Passport:
    """What one field says. `time` in seconds since 1970; `host`, `queue_id`, `author` and `spam` are None where it says
    nothing."""

    time: int
    host: str | None
    queue_id: str | None
    author: str | None
    results: tuple[PassportResult, ...]
    spam: Spam | None


def base64_of(data: bytes) -> str:
    """Octets as a tag's value."""
    return base64.b64encode(data).decode("ascii")


def text_of(tags: dict[str, str]) -> str:
    """What the MAC covers: every tag but `b`, without white space. No value holds a semicolon, so it stands for one
    list of tags."""
    return ";".join(f"{tag}={value}" for tag, value in tags.items() if tag != "b")


def mac(tags: dict[str, str], secret: Secret) -> str:
    """The value of `b`: HMAC-SHA256 (RFC 2104). Base64 has one spelling here, so it is compared as text."""
    # the words ahead keep a secret that somebody uses for something else too from signing passports there
    return base64_of(hmac.digest(secret.key, b"dkimgate passport\n" + text_of(tags).encode("ascii"), hashlib.sha256))


def fold(tags: dict[str, str]) -> bytes:
    """The tags as a field's value, without white space in front. No value is ever cut: a long domain has its long
    line."""
    first, *others = [f" {tag}={value};".encode("ascii") for tag, value in tags.items()]
    return sign.fold(FIELD_NAME.encode("ascii"), [first.lstrip(), *others]).removesuffix(b";")


def parse(value: bytes) -> dict[str, str] | None:
    """The tags of a field that is written as we write it, else None."""
    if len(value) > LONGEST:
        return None
    parts = [part.partition("=") for part in _SPACE.sub(b"", value).decode("ascii", "replace").split(";")]
    if [name for name, _, _ in parts] != list(PATTERNS):
        return None
    tags = {name: text for name, _, text in parts}
    return tags if all(PATTERNS[name].fullmatch(text) for name, text in tags.items()) else None


def passport_of(tags: dict[str, str]) -> Passport:
    """The meaning of tags that `parse` gave. Whether they may be believed is not asked here."""
    some = {tag: text if text != "-" else None for tag, text in tags.items()}
    results = [_result(method, text) for method in METHODS for text in (some[method] or "").split(",") if text]
    return Passport(int(tags["t"]), some["h"], some["q"], some["a"], tuple(results), _spam(some["spam"]))


def _result(method: str, text: str) -> PassportResult:
    word, _, domain = text.partition(":")
    return PassportResult(method, word, domain or None)


def _spam(text: str | None) -> Spam | None:
    if text is None:
        return None
    score, required, flag = text.split("/")
    return Spam(flag == "yes", float(score), max(float(required), 0.001))
