"""A sealer for tests that signs whatever it is told to, also what no sealer should: so a refusal is one of the rule, not of the hash.

Canonicalization is dkimpy's, so that nothing here agrees with the validator only because both are ours.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dkim.canonicalization import CanonicalizationPolicy

from dkimgate.arc.validate import Chain, validate
from dkimgate.dkim.keys import SigningKey, signing_key
from dkimgate.message.message import HeaderField, split_message
from tests.world.dns import FakeResolver
from tests.world.mail import forms

NOW = 1_790_000_000.0
SIGNED = "from:to:subject:date:message-id"

LIST = signing_key("lists.example", "arc", rsa.generate_private_key(65537, 2048))
RELAY = signing_key("mail.relay.example", "2026-a", rsa.generate_private_key(65537, 1024))
EDDA = signing_key("edda.example", "ed_1", Ed25519PrivateKey.generate())
STRANGER = signing_key("stranger.example", "s", rsa.generate_private_key(65537, 1024))
KEYS = (LIST, RELAY, EDDA, STRANGER)
ZONE: dict[str, dict[str, list[str]]] = {key.name: {"TXT": [key.public_record()]} for key in KEYS}

LETTER = b"""\
Received: from mx.author.example by mx.lists.example; Sat, 21 Nov 2026 12:00:01 +0000
From: Ann <ann@author.example>
To: lunch@lists.example
Subject: Lunch  at
 one
Date: Sat, 21 Nov 2026 12:00:00 +0000
Message-ID: <1@author.example>

Hello,  all \t

lunch at one?

"""
PASS = "mx.lists.example; spf=pass smtp.mailfrom=ann@author.example; dmarc=pass (p=reject) header.from=author.example"
FAIL = "mx.lists.example; dmarc=fail header.from=author.example"

Shape = Callable[[str], str]


def same(text: str) -> str:
    return text


@dataclass(frozen=True)
class Mail:
    """A message; `header` from the top, values as the milter protocol has them. `sets`: the fields of each set so far."""

    header: tuple[HeaderField, ...]
    body: bytes
    sets: tuple[tuple[HeaderField, HeaderField, HeaderField], ...] = ()

    def sealed(
        self,
        key: SigningKey = LIST,
        results: str = PASS,
        *,
        cv: str | None = None,
        h: str = SIGNED,
        c: str = "relaxed/relaxed",
        message_key: SigningKey | None = None,
        results_as: Shape = same,
        message_as: Shape = same,
        seal_as: Shape = same,
    ) -> Mail:
        """With one more set on top. What the three functions make of the text of a field is what is signed."""
        number = len(self.sets) + 1
        cv = cv or ("none" if number == 1 else "pass")
        own = message_key or key
        policy = CanonicalizationPolicy.from_c_value(c.encode())
        hashed = base64.b64encode(hashlib.sha256(policy.canonicalize_body(self.body)).digest()).decode()
        aar = HeaderField(
            b"ARC-Authentication-Results", results_as(f" i={number}; {results}").encode("utf-8", "surrogateescape")
        )
        text = f" i={number}; a={own.algorithm}; c={c}; d={own.domain}; s={own.selector};\n t=1789990000; h={h};\n bh={hashed};\n b={{b}}"
        names = [name.strip().encode() for name in h.lower().split(":")]
        ams = signed(b"ARC-Message-Signature", message_as(text), own, policy, select(self.header, names))
        text = f" i={number}; a={key.algorithm}; t=1789990000; cv={cv};\n d={key.domain}; s={key.selector};\n b={{b}}"
        below = [] if cv == "fail" else [each for one in self.sets for each in one]
        seal = signed(
            b"ARC-Seal", seal_as(text), key, CanonicalizationPolicy.from_c_value(b"relaxed/relaxed"), [*below, aar, ams]
        )
        return Mail((seal, ams, aar, *self.header), self.body, (*self.sets, (aar, ams, seal)))

    def changed(self, old: bytes, new: bytes) -> Mail:
        """As somebody on the way changed it: the first place in header or body, which must be there."""
        raw = self.raw
        assert old in raw
        return mail(raw.replace(old, new, 1))

    def without(self, position: int) -> Mail:
        return replace(self, header=self.header[:position] + self.header[position + 1 :])

    @property
    def raw(self) -> bytes:
        """With CRLF line ends."""
        fields = b"".join(each.name + b":" + each.value.replace(b"\n", b"\r\n") + b"\r\n" for each in self.header)
        return fields + b"\r\n" + self.body


def mail(raw: bytes = LETTER) -> Mail:
    header, body = split_message(raw)
    return Mail(header, body)


def select(header: tuple[HeaderField, ...], names: list[bytes]) -> list[HeaderField]:
    """The fields of `h=`, of a name that repeats the lowest first."""
    left: dict[bytes, list[HeaderField]] = {}
    for each in header:
        left.setdefault(each.name.lower(), []).append(each)
    return [left[name].pop() for name in names if left.get(name)]


def signed(
    name: bytes, text: str, key: SigningKey, policy: CanonicalizationPolicy, fields: list[HeaderField]
) -> HeaderField:
    """The field with a signature for {b}, over the fields and itself."""
    empty = re.sub(r"\s*\{b\}\s*", "", text)
    pairs = [
        (each.name, each.value.replace(b"\n", b"\r\n") + b"\r\n")
        for each in (*fields, HeaderField(name, empty.encode()))
    ]
    data = b"".join(left + b":" + right for left, right in policy.canonicalize_headers(pairs))
    return HeaderField(
        name, text.replace("{b}", base64.b64encode(key.sign(data.removesuffix(b"\r\n"))).decode()).encode()
    )


@dataclass
class Dns:
    """A zone that counts its questions."""

    zone: Mapping[str, Mapping[str, list[str]]] = field(default_factory=lambda: ZONE)
    failing: frozenset[str] = frozenset()
    asked: list[tuple[str, str]] = field(default_factory=list)

    def validate(self, message: Mail, now: float = NOW) -> Chain:
        resolver = FakeResolver(self.zone, self.failing)
        try:
            return validate(message.header, forms(message.body), resolver.lookup(), now)
        finally:
            self.asked += resolver.asked


def chain_of(message: Mail, zone: Mapping[str, Mapping[str, list[str]]] = ZONE, now: float = NOW) -> Chain:
    return Dns(zone).validate(message, now)
