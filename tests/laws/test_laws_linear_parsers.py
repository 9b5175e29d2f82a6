"""Linear, and bounded: four times the text takes about four times the time, for every parser that strangers' text meets."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dkimgate import srs
from dkimgate.config import yaml_file
from dkimgate.config.problem import ConfigError
from dkimgate.dkim import published
from dkimgate.dkim.canonical import BodyHash, relaxed_field
from dkimgate.dkim.public_key import published_key
from dkimgate.dkim.verify import check_signatures
from dkimgate.dmarc import record
from dkimgate.evidence import spam_fields
from dkimgate.evidence.gather import see
from dkimgate.evidence.route import hops_below
from dkimgate.gate import stripping
from dkimgate.gate.envelope_spf import envelope_domains
from dkimgate.message import domains, encoded_word
from dkimgate.message.message import Connection, HeaderField, Message, split_message
from dkimgate.postfix.way_out import WayOut
from dkimgate.record.journal_reader import Reader
from dkimgate.spf.check import check_spf
from dkimgate.srs import Secrets
from tests.laws import linear
from tests.laws.attack_world import AUTHOR, BORDER, NOW, STRANGER, WIRINGS, Forwarder
from tests.world.dns import FakeResolver
from tests.world.mail import CONFIG, REINJECTED, TRUST, fields, forms, message

SIZE = 4000
"""Characters: most fields are read no further, so what grows with the square shows below this or not at all."""

FLOOR = 1.5e-6
"""Seconds a character that a parser in Python may take, whatever the curve: a field of 100 KB then costs 0.15 s."""

LONG = 65_536
"""Characters of one field that Postfix hands over."""

VALUES = {
    "from": ("", "a <", '"', "=?utf-8?q?"),
    "authentication-results": ("", "mx.forwarder.example; ", "mx.forwarder.example; spf=pass smtp.mailfrom="),
    "x-original-authentication-results": ("", "mx; dmarc="),
    "arc-authentication-results": ("i=1; ", "i=1; mx.forwarder.example; dkim=pass header.d="),
    "arc-message-signature": ("i=1; a=rsa-sha256; d=lists.example; s=s; h=from; bh=AAAA; b=", "i=1; "),
    "arc-seal": ("i=1; a=rsa-sha256; cv=none; d=lists.example; s=s; b=", "i=1; cv="),
    "dkim-signature": (
        "",
        "v=1; a=rsa-sha256; d=hosted.example; s=s; h=from; bh=AAAA; b=",
        "v=1; a=rsa-sha256; d=x; i=",
    ),
    "received": ("", "from a (", "from a by mx.forwarder.example with ", "by mx.forwarder.example (x) with ESMTP id "),
    "received-spf": ("", "pass (", 'pass helo="'),
    "x-dkimgate-passport": ("", "v=1; id=2026a; "),
    "return-path": ("", "<"),
    "message-id": ("", "<a@"),
    "date": ("", "Sat, 21 Nov 2026 "),
    "to": ("", "a@b.example, ", "a: "),
    "subject": ("", "=?utf-8?b?"),
    "delivered-to": ("",),
    "x-unknown": ("",),
    "list-id": ("", "<"),
    **{name: ("", "yes, score=", "x: y [") for name in spam_fields.FIELDS if name != "authentication-results"},
}
"""Field by field, what a value begins with: the parsers behind it see nothing otherwise."""

FIELDS = [(name, prefix) for name, prefixes in VALUES.items() for prefix in prefixes]


def _message(name: str, value: str) -> Message:
    octets = value.replace("\r", "").encode("utf-8", "surrogateescape")
    header = fields(BORDER.encode() + (b"" if name == "from" else AUTHOR))
    return message((*header, HeaderField(name.encode(), octets)))


def _read(name: str) -> Callable[[str], object]:
    def run(value: str) -> None:
        read = _message(name, value)
        hops_below(see(read, CONFIG).route, read)
        stripping.strip(read.header, TRUST.authserv_ids)
        relaxed_field(read.header[-1])

    return run


def _slow(run: Callable[[str], object], prefix: str, size: int, units: tuple[str, ...]) -> str | None:
    for unit in units:
        text = linear.Text(prefix, unit, "")
        if (told := linear.grows(run, text, size, FLOOR)) is not None:
            return f"{text}: {told}"
    return None


SINGLE = tuple(linear.units(pairs=False))


def _some(name: str, prefix: str) -> tuple[str, ...]:
    """Each sixteenth unit, others for each field: the quick form. The heavy form tries each fifth, with the pairs."""
    return SINGLE[zlib.crc32(f"{name} {prefix}".encode()) % 16 :: 16]


PAIRS = tuple(linear.units(pairs=True))


@pytest.mark.parametrize(("name", "prefix"), FIELDS)
def test_every_header_field_is_read_in_linear_time(name: str, prefix: str) -> None:
    assert _slow(_read(name), prefix, SIZE, _some(name, prefix)) is None


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "prefix"), FIELDS)
def test_and_with_pairs_of_octets(name: str, prefix: str) -> None:
    assert _slow(_read(name), prefix, SIZE, PAIRS[zlib.crc32(name.encode()) % 5 :: 5]) is None


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "prefix"), FIELDS)
def test_and_as_long_as_postfix_hands_over(name: str, prefix: str) -> None:
    assert _slow(_read(name), prefix, LONG, _some(name, prefix)) is None


@pytest.mark.parametrize(
    "unit", ["; spf=pass", "; dmarc=none", "; dkim=pass (client-ip=192.0.2.66)", "; x", "(", " ", '"']
)
def test_a_field_where_only_ours_stand(unit: str) -> None:
    """More is done with it, and a verifier may print there what a sender wrote."""
    below = fields(BORDER.encode() + AUTHOR)

    def run(text: str) -> None:
        see(message((HeaderField(b"Authentication-Results", text.encode()), *below)), CONFIG)

    assert linear.grows(run, linear.Text(" mx.forwarder.example", unit, ""), 8000, 4 * FLOOR) is None


# --- what is no field ------------------------------------------------------------------------------------------------------------

SECRETS = Secrets.parse(b"0123456789abcdef0123456789abcdef\n", Path("srs"))


def _dns(kind: str) -> Callable[[str], object]:
    def run(text: str) -> object:
        zone = {name: {"TXT": [text]} for name in ("a.example", "s._domainkey.a.example", "_dmarc.a.example")}
        lookup = FakeResolver(zone).lookup()
        if kind == "spf":
            return check_spf("192.0.2.1", "helo.example", "x@a.example", lookup)
        return published_key("a.example", "s", "rsa-sha256", lookup)

    return run


def _yaml(text: str) -> None:
    with contextlib.suppress(ConfigError):
        yaml_file.parse(text, Path("x.yaml"))


def _encoded(text: str) -> None:
    with contextlib.suppress(encoded_word.Malformed):
        encoded_word.decode(text)


def _key_record(text: str) -> None:
    with contextlib.suppress(ValueError):
        published.parse_tags(text)


def _body(text: str) -> None:
    hashed = BodyHash()
    octets = text.encode("utf-8", "surrogateescape")
    for start in range(0, len(octets), 1021):
        hashed.update(octets[start : start + 1021])
    hashed.digest()


ADDRESS = ipaddress.ip_address("192.0.2.1")
PARSERS: dict[str, tuple[Callable[[str], object], tuple[str, ...]]] = {
    "SPF record": (
        _dns("spf"),
        ("v=spf1 ", "v=spf1 include:", "v=spf1 exists:%{", "v=spf1 redirect=", "v=spf1 a:%{l}"),
    ),
    "DKIM key record": (_dns("dkim"), ("", "v=DKIM1; p=", "v=DKIM1; h=")),
    "key record of `keys check`": (_key_record, ("", "v=DKIM1; p=")),
    "DMARC record": (
        lambda text: record.parse(text.encode("utf-8", "surrogateescape")),
        ("v=DMARC1; ", "v=DMARC1; p=none; rua="),
    ),
    "MAIL FROM": (lambda text: envelope_domains(text, WayOut(helos=("helo.example",))), ("", '"', "a@", "a@[")),
    "SRS address": (
        lambda text: srs.restore(text, "srs.example", SECRETS, NOW),
        ("", "SRS0=", "SRS1=a=b==", "SRS0=HHHH=TT="),
    ),
    "sender that is rewritten": (lambda text: srs.rewrite(text, "srs.example", SECRETS, NOW), ("", "a@", '"')),
    "domain": (domains.a_label, ("", "xn--", "\xe9")),
    "readings of a domain": (domains.readings, ("", "xn--", "\xe9")),
    "encoded-words": (_encoded, ("", "=?utf-8?q?", "=?utf-8?b?")),
    "YAML": (_yaml, ("", "a: ", "a: [", "- ", "a: &x ", "x: [", "- - ")),
    "journal line": (
        lambda text: Reader().of_line(text.encode("utf-8", "surrogateescape") + b"\n"),
        ("", '{"a":"', "{", '{"a":['),
    ),
    "message": (lambda text: split_message(text.encode("utf-8", "surrogateescape")), ("", "From: a\n")),
    "body": (_body, ("", "a\r\n")),
}
INPUTS = [(name, prefix) for name, (_, prefixes) in PARSERS.items() for prefix in prefixes]


@pytest.mark.parametrize(("name", "prefix"), INPUTS)
def test_every_other_parser_takes_linear_time(name: str, prefix: str) -> None:
    assert _slow(PARSERS[name][0], prefix, SIZE, _some(name, prefix)) is None


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "prefix"), INPUTS)
def test_every_other_parser_with_pairs_of_octets(name: str, prefix: str) -> None:
    assert _slow(PARSERS[name][0], prefix, SIZE, PAIRS[zlib.crc32(name.encode()) % 5 :: 5]) is None


# --- many fields -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def forwarders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Forwarder]:
    folder = tmp_path_factory.mktemp("linear")
    made = {}
    for at, wiring in enumerate(("checked always", "border", "inbound, never checked")):
        made[wiring] = Forwarder(folder / str(at), WIRINGS[wiring], "shipped")
        made[wiring].gate.resolver = FakeResolver({})  # type: ignore[assignment]
    return made


KINDS = (
    ("authentication-results", "mx.forwarder.example; dmarc=fail header.from=hosted.example"),
    ("authentication-results", "mx.forwarder.example; spf=pass smtp.mailfrom=a"),
    ("dkim-signature", "v=1; a=rsa-sha256; d=hosted.example; s=gate; h=from:from:to; bh=AAAA; b=AAAA"),
    ("dkim-signature", "v=1; a=rsa-sha256; d=hosted.example; i==28@hosted.example"),
    ("arc-seal", "i=1; a=rsa-sha256; cv=none; d=lists.example; s=s; b=AAAA"),
    ("arc-authentication-results", "i=1; mx; dmarc=pass"),
    ("received", "from a (b [192.0.2.1]) by mx.forwarder.example with ESMTP"),
    ("received", "by mx.forwarder.example with local"),
    ("received-spf", "pass (x) helo=a"),
    ("x-spam-status", "No, score=-9.9"),
    ("x-spam-status", "No, score=0 required=9"),
    ("x-spam-score", "99"),
    ("x-spam-score", "5.9"),
    ("x-dkimgate-passport", "v=1"),
    ("from", "a@hosted.example"),
    ("to", "a@hosted.example"),
    ("x", "y"),
)
"""Fields that somebody may write thousands of."""


@pytest.mark.parametrize(
    "wiring",
    [
        "checked always",
        *(pytest.param(wiring, marks=pytest.mark.heavy) for wiring in ("border", "inbound, never checked")),
    ],
)
@pytest.mark.parametrize(("name", "value"), KINDS)
def test_four_times_the_fields_take_four_times_the_time(
    wiring: str, name: str, value: str, forwarders: dict[str, Forwarder]
) -> None:
    client = STRANGER if wiring != "checked always" else REINJECTED
    role = "border" if wiring == "border" else "gate"
    assert _slow_fields(forwarders[wiring], ((name, value),), False, client, role) is None


def _pairs() -> list[Any]:
    """Each twenty-fourth is the quick form, and those of one filter, whose fields are compared with one another."""
    return [
        pytest.param(
            (one, other),
            above,
            marks=() if at % 24 == 0 else pytest.mark.heavy,
            id=f"{one[0]}={one[1][:24]}, {other[0]}={other[1][:24]}, {'above' if above else 'below'}",
        )
        for at, (above, one, other) in enumerate(
            (above, one, other) for above in (True, False) for one, other in itertools.combinations(KINDS, 2)
        )
    ]


@pytest.mark.parametrize(("kinds", "above"), _pairs())
def test_of_two_kinds_too(kinds: tuple[tuple[str, str], ...], above: bool, forwarders: dict[str, Forwarder]) -> None:
    """What is compared with one another may take the product of both. `above`: where hosts of ours write, and whoever may call sendmail(1)."""
    assert _slow_fields(forwarders["checked always"], kinds, above, size=8000, floor=4e-5) is None


def _slow_fields(
    forwarder: Forwarder,
    kinds: tuple[tuple[str, str], ...],
    above: bool,
    client: Connection = REINJECTED,
    role: str = "gate",
    size: int = 4000,
    floor: float = 1e-4,
) -> str | None:
    """As many fields as there are letters, one kind behind the other."""
    border = fields(BORDER.encode() + AUTHOR)

    def run(text: str) -> None:
        many = tuple(
            HeaderField(name.encode(), b" " + value.encode()) for name, value in kinds for _ in text[:: len(kinds)]
        )
        forwarder.send((*many, *border) if above else (*border, *many), client, b"x\r\n", role=role)

    return linear.grows(run, linear.Text("", "f", ""), size, floor)


def test_many_names_in_one_signature(forwarders: dict[str, Forwarder]) -> None:
    """`h=` may name a field as often as it likes, and each name is looked up."""
    value = b"v=1; a=rsa-sha256; d=hosted.example; s=s; c=relaxed/relaxed; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA; h="

    def run(text: str) -> None:
        header = [
            HeaderField(b"DKIM-Signature", value + b"from:" * len(text) + b"from"),
            HeaderField(b"From", b" " + text.encode()),
        ]
        check_signatures(header, forms(b""), "hosted.example", FakeResolver({}).lookup(), NOW)

    assert linear.grows(run, linear.Text("", "x", ""), 4000, FLOOR) is None


def test_the_units_hold_what_attackers_write() -> None:
    assert {"\\", '"', "(", ";", "=", "@", "<", "\n ", "=?utf-8?q?"} <= set(SINGLE)
    assert {"".join(pair) for pair in itertools.product('\\"(', repeat=2) if pair[0] != pair[1]} <= set(PAIRS)
