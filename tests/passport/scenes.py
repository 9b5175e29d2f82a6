"""A message with a passport, and what honest hosts and spammers do to it between the border and its re-injection."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from dkimgate.evidence.claims import arrival_of
from dkimgate.facts import Claim, Spam, Standing
from dkimgate.message import suffixes
from dkimgate.message.message import HeaderField, Message
from dkimgate.passport.field import FIELD_NAME
from dkimgate.passport.issue import issue
from dkimgate.passport.reading import MAX_AGE, Part, PassportReading, claims, read, spam
from dkimgate.passport.secrets import Secrets, new_secret
from tests.world.mail import AUTHOR, BORDER, TRUST, message

suffixes.load()  # takes its time once, and not within a test that has a deadline

NOW = 1_795_278_025.5
HOST = "mx.forwarder.example"
BODY = hashlib.sha256(b"the body\r\n").digest()
OTHER_BODY = hashlib.sha256(b"another body\r\n").digest()
SECRETS = Secrets.parse(new_secret("2026-11").encode(), Path("passport.secret"))
HEADER = (
    BORDER + AUTHOR + "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
)
ORIGINAL = message(HEADER)

PASS = (
    Claim("dmarc", "pass", HOST, "", Standing.VERIFIED, properties=(("header.from", "hosted.example"),)),
    Claim("spf", "softfail", HOST, "", Standing.VERIFIED, properties=(("smtp.mailfrom", "bounce.list.example"),)),
    Claim("dkim", "pass", HOST, "", Standing.VERIFIED, properties=(("header.d", "hosted.example"),)),
    Claim("dkim", "fail", HOST, "", Standing.VERIFIED, properties=(("header.d", "list.example"),)),
    Claim("arc", "none", HOST, "", Standing.VERIFIED),
)
FAIL = (
    Claim("dmarc", "fail", HOST, "", Standing.VERIFIED, properties=(("header.from", "hosted.example"),)),
    Claim("spf", "fail", HOST, "", Standing.VERIFIED, properties=(("smtp.mailfrom", "hosted.example"),)),
    Claim("dkim", "none", HOST, "", Standing.VERIFIED),
)
HAM = Spam(False, 0.5, 5.0)
SPAM = Spam(True, 14.9, 3.0)


def passport(
    stated: tuple[Claim, ...] = PASS,
    verdict: Spam | None = HAM,
    of: Message = ORIGINAL,
    body: bytes = BODY,
    secrets: Secrets = SECRETS,
    now: float = NOW,
    host: str = HOST,
) -> bytes:
    """The value of a passport field."""
    return issue(stated, verdict, of, body, secrets, now, host)


def field(value: bytes, name: bytes = FIELD_NAME.encode()) -> HeaderField:
    """A header field as a milter sees it."""
    return HeaderField(name, b" " + value)


@dataclass(frozen=True, slots=True)
class Scene:
    """What comes back to a listener behind the border."""

    header: tuple[HeaderField, ...]
    body: bytes | None = BODY
    now: float = NOW + 30
    secrets: Secrets = SECRETS

    def reading(self) -> PassportReading:
        """What the listener makes of the passports."""
        return read(self.header, self.secrets, self.now, MAX_AGE, self.body)

    def dmarc(self, allowed: tuple[Part, ...] = ()) -> str:
        """arrival.dmarc as the gate concludes it from the passports alone."""
        reading = self.reading()
        author = "hosted.example"
        return arrival_of(claims(reading, allowed), author, True, TRUST, spam(reading))[0].dmarc

    def with_passport(self, value: bytes) -> Scene:
        """Another passport on top."""
        return replace(self, header=(field(value), *self.header))

    def without(self, key: str) -> Scene:
        """All fields of that name taken off."""
        return replace(self, header=tuple(f for f in self.header if f.key != key))

    def changed(self, key: str, value: bytes) -> Scene:
        """Every field of that name with another value."""
        return replace(self, header=tuple(HeaderField(f.name, value) if f.key == key else f for f in self.header))

    def edited(self, old: bytes, new: bytes, key: str = FIELD_NAME.lower()) -> Scene:
        """The octets of a field replaced. They must stand there: an edit of nothing would prove nothing."""
        found = [f for f in self.header if f.key == key]
        assert found and all(old in f.value for f in found), (old, [f.value for f in found])
        return self.changed(key, found[0].value.replace(old, new))

    def above(self, name: bytes, value: bytes) -> Scene:
        """A field more, at the top."""
        return replace(self, header=(HeaderField(name, value), *self.header))

    def below(self, name: bytes, value: bytes) -> Scene:
        """A field more, at the end."""
        return replace(self, header=(*self.header, HeaderField(name, value)))


BARE = Scene(ORIGINAL.header)
GOOD = BARE.with_passport(passport())
BAD = BARE.with_passport(passport(FAIL, SPAM))
