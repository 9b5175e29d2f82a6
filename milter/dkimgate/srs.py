"""The Sender Rewriting Scheme: an envelope sender in a domain of ours, from which the original can be told again.

    friend@hosted.example                                 the original
    SRS0=HHHH=TT=hosted.example=friend@ours               ours: a hash, a day stamp, the original
    SRS1=HHHH=ours==HHHH=TT=hosted.example=friend@other   another host's of that: the first hop, its stamp and hash

No RFC describes it. What is written and read here is what libsrs2 and postsrsd write and read, with the same file of
secrets. The hash is HMAC-SHA1 over stamp, domain and local part (of an SRS1: over first hop and rest) in lower case,
its first characters in base64; the stamp counts days modulo 1024, in base32. Hashes are compared without regard to
case: hosts on the way may change that of a local part.

A hash of four characters keeps strangers from sending what they like through us; it is no signature. An address is good
for 21 days.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets as system
import shlex
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from dkimgate.config import secret_file
from dkimgate.config.problem import ConfigError, Problem

VALID_DAYS = 21
"""How long bounces may take, in days; the same as libsrs2's."""

LONGEST_ADDRESS = 254
"""Octets of an address: a path has 256 with its angle brackets (RFC 5321 section 4.5.3.1.3)."""

_LEAST_OCTETS, _MOST_OCTETS = 16, 1000  # postsrsd cuts a line of 1023 octets into several secrets
_LEAST_VARIETY = 8
_MAKE_ONE = "make one with dkimgate srs new-secret"

_HASH_LENGTH = 4
_DAY = 86_400
_STAMPS = 1024
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

# RFC 5321 section 4.1.2, Dot-string, without `%` and `!`: Postfix takes them for a route in its own domains
# (allow_percent_hack, swap_bangpath), and refuses a bounce that comes by one.
_ATOM = r"[A-Za-z0-9#$&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
# Underscores are in use below SPF. There is no `=` in a domain, which is why the parts can be told from each other.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_TAG = re.compile(r"SRS([01])[=+-]", re.IGNORECASE)
_GUARDED = re.compile(r"SRS1[=+-]([^=]+)=([^=]+)=([=+-].*)", re.IGNORECASE)
_SHORTCUT = re.compile(r"SRS0[=+-]([^=]+)=([^=]+)=([^=]+)=(.+)", re.IGNORECASE)


class Refusal(Enum):
    """Why a sender is not rewritten."""

    NULL_SENDER = "the null sender has no address to rewrite"
    NO_DOMAIN = "the address has no domain"
    BAD_DOMAIN = "the part after the @ is not a host name, so a bounce could not reach it"
    QUOTED = "its local part is quoted, and can't become a part of another"
    NOT_ASCII = "the address is not plain ASCII (SMTPUTF8)"
    CHARACTERS = (
        "its local part has characters that an SRS address can't contain (such as spaces, control characters, % and !)"
    )
    TOO_LONG = f"the SRS address would have more than {LONGEST_ADDRESS} octets"


class NotRestored(Enum):
    """Why an address can't be restored."""

    NOT_OURS = "the address is not in our SRS domain"
    NOT_SRS = "this is not an SRS address: an SRS address begins with SRS0= or SRS1="
    MALFORMED = "the address begins like an SRS address, but parts are missing or wrong"
    FORGED = "its hash is not ours: the address is forged or mistyped, or its secret was removed"
    EXPIRED = f"the address is too old: an SRS address is valid for {VALID_DAYS} days"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets of a file: the first signs, all of them verify. They are in no repr."""

    all: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def load(cls, file: Path) -> Secrets:
        """Read a file of secrets as postsrsd does. Raises ConfigError with every mistake in it; no message quotes a
        secret."""
        return cls.parse(secret_file.read(file, "the SRS secrets", f"{_MAKE_ONE} --out {shlex.quote(str(file))}"), file)

    @classmethod
    def parse(cls, data: bytes, file: Path) -> Secrets:
        """`load`, of octets at hand.

        postsrsd takes each line as it stands: white space is part of the secret, and a comment would be one. So
        what the two programs could read in different ways, and what is easily guessed, is refused.
        """
        found: list[bytes] = []
        problems: list[Problem] = []
        for number, line in enumerate(data.split(b"\n"), 1):
            secret = line.removesuffix(b"\r")
            mistake = _mistake(secret)
            if mistake is not None:
                problems.append(Problem(*mistake, file, number))
            elif secret:
                found.append(secret)
        if not found and not problems:
            problems.append(Problem("secret.none", f"the file has no secret: {_MAKE_ONE}", file))
        if problems:
            raise ConfigError(*problems)
        return cls(tuple(found))


def _mistake(secret: bytes) -> tuple[str, str] | None:
    """Code and text of what is wrong with a line."""
    if not secret:
        return None
    if secret.lstrip().startswith(b"#"):
        text = "this line is a comment, and postsrsd would read it as a secret: remove it"
        return "secret.comment", text
    if b"\0" in secret or b"\r" in secret:
        return (
            "secret.character",
            "this line contains a NUL or a carriage return, so postsrsd would read another secret",
        )
    if not _LEAST_OCTETS <= len(secret) <= _MOST_OCTETS:
        text = f"this secret has {len(secret)} octets: expected {_LEAST_OCTETS} to {_MOST_OCTETS}; {_MAKE_ONE}"
        return "secret.length", text
    if len(set(secret)) < _LEAST_VARIETY:
        return "secret.not-random", f"this secret is not random: {_MAKE_ONE}"
    return None


def new_secret() -> str:
    """A line for the file, without a line end, from the system's generator."""
    return base64.b64encode(system.token_bytes(24)).decode()


def rewrite(sender: str, domain: str, secrets: Secrets, now: float) -> str | Refusal:
    """The sender as an SRS address in `domain`, or why there is none. `now`: seconds since the epoch. Never raises.

    What is in `domain` already stays as it is. What is an SRS address of another host becomes an SRS1, by which a
    bounce goes to the first hop at once, whatever the number of hosts between.

    Its length: RFC 5321 section 4.5.3.1.1 promises 64 octets of local part, and lets hosts take more. The addresses of
    bulk senders are beyond it as soon as they are rewritten; postsrsd writes them all the same, Postfix takes them, and
    so do most. A message held for its length alone would be the worse bargain, so the limit is that of a whole path.
    """
    if not sender:
        return Refusal.NULL_SENDER
    local, at, host = sender.rpartition("@")
    refusal = _refusal(sender, local, at, host)
    if refusal is not None:
        return refusal
    if host.lower() == domain.lower():
        return sender
    if guarded := _GUARDED.fullmatch(local):
        _, first, rest = guarded.groups()
        made = (
            _srs1(first, rest, domain, secrets)
            if _DOMAIN.fullmatch(first)
            else _srs0(local, host, domain, secrets, now)
        )
    elif (tag := _TAG.match(local)) is not None and tag[1] == "0":
        made = _srs1(host, local[4:], domain, secrets)
    else:
        made = _srs0(local, host, domain, secrets, now)
    return made if len(made) <= LONGEST_ADDRESS else Refusal.TOO_LONG


def _refusal(sender: str, local: str, at: str, host: str) -> Refusal | None:
    if not sender.isascii():
        return Refusal.NOT_ASCII
    if len(sender) > LONGEST_ADDRESS:
        return Refusal.TOO_LONG
    if not at or not host:
        return Refusal.NO_DOMAIN
    if '"' in local:
        return Refusal.QUOTED
    if not _LOCAL.fullmatch(local):
        return Refusal.CHARACTERS
    return None if _DOMAIN.fullmatch(host) else Refusal.BAD_DOMAIN


def restore(address: str, domain: str, secrets: Secrets, now: float) -> str | NotRestored:
    """The address that was made into this one, or why it can't be told. `now`: seconds since the epoch. Never raises.

    Of an SRS1 that is the SRS0 of the first hop, and where that is us, what is in it. A stamp of tomorrow is taken: two
    hosts with one secret need not agree about midnight.
    """
    local, _, host = address.rpartition("@")
    if host.lower() != domain.lower():
        return NotRestored.NOT_OURS
    tag = _TAG.match(local)
    if tag is None:
        return NotRestored.NOT_SRS
    if len(address) > LONGEST_ADDRESS or not _LOCAL.fullmatch(local):
        return NotRestored.MALFORMED
    return _restore_srs0(local, secrets, now) if tag[1] == "0" else _restore_srs1(local, domain, secrets, now)


def _restore_srs0(local: str, secrets: Secrets, now: float) -> str | NotRestored:
    parts = _SHORTCUT.fullmatch(local)
    if parts is None:
        return NotRestored.MALFORMED
    given, stamp, host, user = parts.groups()
    made = _day(stamp)
    if made is None or not _is_address(user, host):
        return NotRestored.MALFORMED
    if not _verifies(given, (stamp, host, user), secrets):
        return NotRestored.FORGED
    age = (int(now // _DAY) - made) % _STAMPS
    return f"{user}@{host}" if age <= VALID_DAYS or age == _STAMPS - 1 else NotRestored.EXPIRED


def _restore_srs1(local: str, domain: str, secrets: Secrets, now: float) -> str | NotRestored:
    parts = _GUARDED.fullmatch(local)
    if parts is None:
        return NotRestored.MALFORMED
    given, first, rest = parts.groups()
    inner = f"SRS0{rest}"
    if not _is_address(inner, first):
        return NotRestored.MALFORMED
    if not _verifies(given, (first, rest), secrets):
        return NotRestored.FORGED
    return _restore_srs0(inner, secrets, now) if first.lower() == domain.lower() else f"{inner}@{first}"


def _is_address(local: str, host: str) -> bool:
    return _LOCAL.fullmatch(local) is not None and _DOMAIN.fullmatch(host) is not None


def _srs0(local: str, host: str, domain: str, secrets: Secrets, now: float) -> str:
    """With a hash of letters and digits alone: some hosts refuse a sender with `/` or `+` in it (Yandex does). An
    eighth of the hashes have one, and an earlier day has another hash: such an address is good for some days less."""
    stamps = [_stamp(now - back * _DAY) for back in range(_DAYS_BACK)]
    hashes = [_newest_hash((stamp, host, local), secrets) for stamp in stamps]
    at = next((at for at, found in enumerate(hashes) if found.isalnum()), 0)
    return f"SRS0={hashes[at].translate(_SAFE)}={stamps[at]}={host}={local}@{domain}"


def _srs1(first: str, rest: str, domain: str, secrets: Secrets) -> str:
    """There is no day that could be another: what is not a letter or digit is written as postsrsd 2.2.6 writes it."""
    return f"SRS1={_newest_hash((first, rest), secrets).translate(_SAFE)}={first}={rest}@{domain}"


def _stamp(now: float) -> str:
    day = int(now // _DAY) % _STAMPS
    return _BASE32[day >> 5] + _BASE32[day & 31]


def _day(stamp: str) -> int | None:
    """The day of a stamp, modulo 1024."""
    digits = [_BASE32.find(char) for char in stamp.upper()]
    return digits[0] << 5 | digits[1] if len(digits) == 2 and min(digits) >= 0 else None


def _newest_hash(parts: tuple[str, ...], secrets: Secrets) -> str:
    return _hash(parts, secrets.all[0])[:_HASH_LENGTH]


def _hash(parts: tuple[str, ...], secret: bytes) -> str:
    """The whole of it, 27 characters."""
    digest = hmac.new(secret, "".join(parts).lower().encode("ascii"), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii").rstrip("=")


# postsrsd 2.2.6 and later write `-` and `_` in the place of `+` and `/`; older ones read nothing but `+` and `/`
_SAFE = str.maketrans("+/", "-_")
_ONE_SPELLING = str.maketrans("-_", "+/")
_DAYS_BACK = 6


def _verifies(given: str, parts: tuple[str, ...], secrets: Secrets) -> bool:
    """Is that the beginning of the hash by any of the secrets? postsrsd can be told to write more characters than four:
    all count."""
    if len(given) < _HASH_LENGTH:
        return False
    shown = given.translate(_ONE_SPELLING).lower().encode("ascii")
    expected = (_hash(parts, secret).lower().encode("ascii") for secret in secrets.all)
    return any(hmac.compare_digest(shown, whole[: len(given)]) for whole in expected)
