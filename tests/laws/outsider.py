"""The part of a message that an outsider writes, and all that he can do to it: add a field, take one off, garble one, and say other words
in his session."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from dkimgate.facts import Claim, Standing
from dkimgate.message.message import HeaderField, Message
from dkimgate.passport.issue import issue
from dkimgate.passport.secrets import Secret, Secrets
from tests.arc.sealing import LIST, mail
from tests.laws import generated_fields, generated_gates
from tests.laws.attack_world import AUTHOR, NOW, STRANGER
from tests.laws.generated_messages import fields_of
from tests.laws.hop_forms import GATEWAY, HOPS, IMAP, MX, received
from tests.world.keys import Signer

BODY = b"Pay me.\r\n"
OTHER_BODY = b"Lunch at one.\r\n"


@dataclass(frozen=True)
class Said:
    """What he says in his session; `cn` is the name in his certificate, `ptr` that of his address."""

    helo: str = "c.attacker.example"
    ptr: str = "c.attacker.example"
    cn: str = ""
    sender: str = "eve@attacker.example"
    recipient: str = "ask@hosted.example"
    ip: str = "192.0.2.66"


PLAIN = Said()

OWN_ADDRESS, PROVIDERS = STRANGER.ip or "", "203.0.113.70"
"""His own, and that of a provider of many, whom SPF of hosted.example names."""

_PRINTED = "spf=pass smtp.mailfrom=hosted.example; dmarc=pass header.from=hosted.example"
SAID = {
    "helo": [
        "c.attacker.example",
        MX,
        "localhost",
        "[127.0.0.1]",
        "hosted.example",
        "by",
        f"x; {_PRINTED}",
        f"x) by {MX} with ESMTPSA",
    ],
    "ptr": ["c.attacker.example", "unknown", "localhost.attacker.example", "by.attacker.example"],
    "cn": [
        "",
        "localhost",
        MX,
        f") by {MX} (Postfix) with ESMTPSA id 1; x (",
        "[127.0.0.1]",
        "Authenticated sender: ask",
        "(",
    ],
    "sender": [
        *(
            "eve@attacker.example",
            "friend@hosted.example",
            "friend@hosted.example",
            "friend@hosted.example",
            "ask@pay.hosted.example",
            "x@open.example",
            "x@partner.example",
            "",
        ),
        *(
            f'"x); {_PRINTED} ("@attacker.example',
            f'"x; {_PRINTED} x.y="@attacker.example',
            '"x@hosted.example,b"@attacker.example',
            "root",
            "f\xf6rn@hosted.example",
        ),
        "x@hosted.example(x@attacker.example)",
    ],
    "recipient": [
        *("ask@hosted.example", f'"x> ; x (by {MX} with ESMTPSA"@hosted.example', f'"x; {_PRINTED}"@hosted.example'),
        f'"[127.0.0.1]) by {MX} (Postfix) with ESMTPSA id 1 for "@hosted.example',
    ],
    "ip": [OWN_ADDRESS, OWN_ADDRESS, OWN_ADDRESS, PROVIDERS],
}

# --- his fields

_STOLEN_SIGNATURE = Signer().sign(AUTHOR.replace(b"\n", b"\r\n"), OTHER_BODY).replace(b"\r\n", b"\n").decode()
_STOLEN_SEAL = "".join(
    f"{each.name.decode()}:{each.value.decode()}\n"
    for each in mail(AUTHOR.replace(b"\n", b"\r\n") + b"\r\n" + OTHER_BODY)
    .sealed(LIST, "mx.lists.example; dkim=pass header.d=hosted.example; dmarc=pass header.from=hosted.example")
    .header[:3]
)
_PASSES = (
    Claim("dmarc", "pass", MX, "", Standing.VERIFIED, properties=(("header.from", "hosted.example"),)),
    Claim("dkim", "pass", MX, "", Standing.VERIFIED, properties=(("header.d", "hosted.example"),)),
)


def _passport(secret: bytes, letter: str, body: bytes) -> str:
    """As a border would issue it that has this secret, and has found that all of that message passes."""
    message = Message(header=fields_of([letter]))
    value = issue(_PASSES, None, message, hashlib.sha256(body).digest(), Secrets((Secret("2026a", secret),)), NOW, MX)
    return f"X-Dkimgate-Passport: {value.decode()}\n"


_USUAL = generated_fields.HOSTED_AUTHORS[0]
_SEEN = [
    _passport(bytes(32), _USUAL, BODY),  # he can fill in all of it but the MAC
    _passport(generated_gates.SECRET, _USUAL, OTHER_BODY),  # what follows is what he may have seen of other messages
    _passport(generated_gates.SECRET, _USUAL.replace("Your account has been recorded", "Lunch"), BODY),
    _passport(generated_gates.SECRET, _USUAL.replace("4711@", "4710@"), BODY),
    _STOLEN_SIGNATURE,
    _STOLEN_SEAL,
]
_HIDDEN = _PRINTED.replace("=", "=3D").replace(" ", "=20").replace(";", "=3B")
_PRINTABLE = [
    f"DKIM-Signature: v=1; a=rsa-sha256; {tags}; h=from; bh=AAAA; b=AAAA\n"
    for tags in (
        f"d=attacker.example; i=x=3B=20{_HIDDEN}=20x.y=3D@attacker.example; s=a",
        f"d=attacker.example; i=x=3B=20{_HIDDEN}=3B=20x=3D@attacker.example; s=a",
        f"d=attacker.example; s=x {_PRINTED.partition(';')[0]}",
        f"d=hosted.example) {_PRINTED.partition(';')[0]} (; s=a",
    )
]
"""What verifiers print of these, as it stands or decoded, reads as results of theirs."""

_TRACES = [
    *(
        "Return-Path: <friend@hosted.example>\n",
        "Return-Path: <eve@attacker.example>\n",
        "Delivered-To: ask@hosted.example\n",
    ),
    *(
        "List-Id: <lunch.lists.example>\n",
        "Sender: lunch@lists.example\n",
        "Sender: ask@hosted.example\n",
        "X-Spam-Bar: ++\n",
    ),
    *(
        "From: eve@attacker.example\n",
        "From: Friend <ask@hosted.example>\n",
        "From : ask@hosted.example\n",
        "From\0: ask@hosted.example\n",
    ),
    *("X-Dkimgate-Rule: x\n", "To: eve@attacker.example\n", "Date: x\n", "Subject: again\n", "MIME-Version: 1.0\n"),
]
_HOP = st.builds(
    lambda form, by, helo, name, ip: received(form, by, helo=helo, name=name, ip=ip),
    st.sampled_from(sorted(HOPS)),
    st.sampled_from([MX, MX, IMAP, GATEWAY, "localhost", "5161f64ea532", "mx.attacker.example"]),
    st.sampled_from([MX, "localhost", "c.attacker.example"]),
    st.sampled_from([MX, "unknown", "localhost"]),
    st.sampled_from(["127.0.0.1", "10.1.0.6", "203.0.113.10", "172.17.0.1", "192.0.2.66"]),
)
_GENUINE = [each for each in generated_fields.GENUINE if each.startswith("@")]
_FIELDS = st.one_of(
    st.sampled_from(generated_fields.HELPING),
    st.sampled_from(generated_fields.HURTING),
    st.sampled_from([*generated_fields.TRACES, *_TRACES]),
    _HOP,
    st.sampled_from(_PRINTABLE),
    st.sampled_from(_SEEN),
    st.sampled_from(generated_fields.ODDITIES),
    st.sampled_from(_GENUINE),
)
FIELDS = st.lists(_FIELDS, max_size=4)

LETTERS = (
    [_USUAL] * 3
    + generated_fields.HOSTED_AUTHORS * 2
    + [each for each in generated_fields.AUTHORS if "forwarder.example" not in each and "r" * 100 not in each]
)
"""What a message has at least."""

# --- his changes

_AUTHSERV = b"mx.forwarder.example"
_BITS = [
    *(
        b"\0",
        b"\xff",
        b"\xc2\xa0",
        b"(",
        b")",
        b'"',
        b"\\",
        b"\r",
        b"\n ",
        b"\n\t\n ",
        b";",
        b",",
        b" ",
        b"=",
        b"<",
        b">",
        b":",
        b"@",
    ),
    *(
        b"pass",
        b"fail",
        b"dmarc=pass",
        b"hosted.example",
        b"attacker.example",
        _AUTHSERV,
        b"127.0.0.1",
        b"with ESMTPSA",
        b"=?utf-8?q?=3B?=",
    ),
    *(
        b"\rFrom: ask@hosted.example\r",
        b"\nFrom: eve@attacker.example",
        b"\r\nX-Spam-Flag: NO",
        b"(x)",
        b"l=0;",
        b" by mx.forwarder.example ",
    ),
]
_NAMES = [
    *(
        b"Authentication-Results",
        b"Received",
        b"Received-SPF",
        b"From",
        b"X-Spam-Status",
        b"DKIM-Signature",
        b"ARC-Seal",
        b"Return-Path",
    ),
    *(b"X-A", b"Subject", b"X-Dkimgate-Passport", b"Comments"),
]
Fields = tuple[HeaderField, ...]


def _value(change: Callable[[bytes, int, int], bytes]) -> Callable[[Fields, int, int], Fields]:
    """The change of one field's value as one of them all."""

    def changed(fields: Fields, at: int, how: int) -> Fields:
        if not fields:
            return fields
        at %= len(fields)
        field = fields[at]
        return (
            *fields[:at],
            HeaderField(field.name, change(field.value, how % (len(field.value) + 1), how)),
            *fields[at + 1 :],
        )

    return changed


def _name(change: Callable[[bytes, int], bytes]) -> Callable[[Fields, int, int], Fields]:
    def changed(fields: Fields, at: int, how: int) -> Fields:
        if not fields:
            return fields
        at %= len(fields)
        return (*fields[:at], HeaderField(change(fields[at].name, how), fields[at].value), *fields[at + 1 :])

    return changed


def _again(fields: Fields, at: int, how: int) -> Fields:
    """One of them once more, somewhere."""
    if not fields:
        return fields
    to = how % (len(fields) + 1)
    return (*fields[:to], fields[at % len(fields)], *fields[to:])


def _elsewhere(fields: Fields, at: int, how: int) -> Fields:
    if not fields:
        return fields
    at %= len(fields)
    rest = (*fields[:at], *fields[at + 1 :])
    to = how % (len(rest) + 1)
    return (*rest[:to], fields[at], *rest[to:])


def _swallowed(fields: Fields, at: int, how: int) -> Fields:
    """A field goes into the value of the one above it, as where somebody loses a line end."""
    at %= max(len(fields), 1)
    if at + 1 >= len(fields):
        return fields
    one, other = fields[at], fields[at + 1]
    end = (b"\r", b"\n ", b" ", b"\r\n\t", b";")[how % 5]
    return (*fields[:at], HeaderField(one.name, one.value + end + other.name + b":" + other.value), *fields[at + 2 :])


def _without(fields: Fields, at: int, _: int) -> Fields:
    return (*fields[: at % len(fields)], *fields[at % len(fields) + 1 :]) if fields else fields


CHANGES: dict[str, Callable[[Fields, int, int], Fields]] = {
    "take off": _without,
    "repeat": _again,
    "move": _elsewhere,
    "swallow": _swallowed,
    "cut the end": _value(lambda value, at, _: value[:at]),
    "cut the start": _value(lambda value, at, _: value[at:]),
    "insert": _value(lambda value, at, how: value[:at] + _BITS[how % len(_BITS)] + value[at:]),
    "overwrite": _value(
        lambda value, at, how: value[:at] + _BITS[how % len(_BITS)] + value[at + len(_BITS[how % len(_BITS)]) :]
    ),
    "drop an octet": _value(lambda value, at, _: value[:at] + value[at + 1 :]),
    "flip a bit": _value(
        lambda value, at, how: (
            value[:at] + bytes(octet ^ (1 << how % 8) for octet in value[at : at + 1]) + value[at + 1 :]
        )
    ),
    "fold": _value(lambda value, at, _: value[:at] + b"\n " + value[at:]),
    "unfold": _value(lambda value, _, __: value.replace(b"\n", b"")),
    "upper case": _value(lambda value, _, __: value.upper()),
    "a comment around": _value(lambda value, _, __: b" (" + value + b")"),
    "comments for blanks": _value(lambda value, _, __: value.replace(b" ", b"(x)")),
    "quote": _value(lambda value, _, __: b' "' + value.strip() + b'"'),
    "make a fail a pass": _value(
        lambda value, _, __: value.replace(b"fail", b"pass").replace(b"Yes", b"No").replace(b"YES", b"NO")
    ),
    "very long": _value(lambda value, at, how: value[:at] + b" " * (how % 3000) + value[at:]),
    "another name": _name(lambda _, how: _NAMES[how % len(_NAMES)]),
    "an odd name": _name(
        lambda name, how: (name.upper(), name + b" ", name + b"\0", name + b"\t", b"X-" + name, name[::-1])[how % 6]
    ),
}


@dataclass(frozen=True)
class Change:
    """One thing that he does. `what` is a name of CHANGES, "add" for a field more, or what of Said he says otherwise."""

    what: str
    at: int = 0
    how: int = 0
    field: str = ""

    def of_fields(self, fields: Fields) -> Fields:
        """What becomes of his fields."""
        if self.what == "add":
            at = self.at % (len(fields) + 1)
            return (*fields[:at], *made(self.field), *fields[at:])
        return CHANGES[self.what](fields, self.at, self.how) if self.what in CHANGES else fields

    def of_words(self, said: Said) -> Said:
        """What becomes of his words in the session."""
        if self.what not in SAID:
            return said
        words = SAID[self.what]
        return replace(said, **{self.what: words[self.how % len(words)]})


@functools.lru_cache(maxsize=500)
def made(field: str) -> Fields:
    """A field, or several, of that text; a genuine signature is one of the usual letter."""
    letter = fields_of([LETTERS[0]])
    return fields_of([field, LETTERS[0]])[: -len(letter)]


_NUMBERS = st.integers(0, 5000)
changes = st.lists(
    st.one_of(
        st.builds(Change, st.sampled_from(sorted(CHANGES)), _NUMBERS, _NUMBERS),
        st.builds(Change, st.sampled_from(["take off", "insert"]), _NUMBERS, _NUMBERS),
        st.builds(Change, st.just("add"), _NUMBERS, field=_FIELDS),
        st.builds(Change, st.sampled_from(sorted(SAID)), how=_NUMBERS),
    ),
    min_size=1,
    max_size=4,
)
said = st.builds(Said, **{name: st.sampled_from([*[words[0]] * len(words), *words]) for name, words in SAID.items()})
