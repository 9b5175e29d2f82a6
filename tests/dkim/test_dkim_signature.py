"""The DKIM-Signature field itself: its tags, which fields it covers, and the vectors of RFC 8463."""

from __future__ import annotations

import base64
import hashlib
import re

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.dkim.canonical import BodyHash, relaxed_field
from dkimgate.dkim.keys import signing_key
from dkimgate.dkim.sign import PRESENT, SEALED, SINGLE, sign
from dkimgate.message.message import HeaderField, split_message

NOW = 1_700_000_000
KEY = signing_key("hosted.example", "default", rsa.generate_private_key(65537, 2048))
ED25519 = signing_key("hosted.example", "ed", Ed25519PrivateKey.generate())
EMPTY = BodyHash().digest()

FROM = HeaderField(b"From", b" <ann@hosted.example>")


def tags(value: bytes) -> dict[str, str]:
    """The tags of a signature, without any white space in them."""
    parts = (part.partition("=") for part in re.sub(r"\s", "", value.decode("ascii")).split(";"))
    return {name: content for name, _, content in parts}


def covered(*header: HeaderField) -> list[str]:
    return tags(sign(header, EMPTY, ED25519, NOW))["h"].split(":")


def test_tags() -> None:
    value = sign([FROM], EMPTY, KEY, NOW)
    found = tags(value)
    assert list(found) == ["v", "a", "c", "d", "s", "h", "t", "bh", "b"]
    assert (found["v"], found["a"], found["c"]) == ("1", "rsa-sha256", "relaxed/relaxed")
    assert (found["d"], found["s"], found["t"]) == ("hosted.example", "default", str(NOW))
    assert base64.b64decode(found["bh"]) == hashlib.sha256().digest()
    assert len(base64.b64decode(found["b"])) == 256


def test_expiry() -> None:
    found = tags(sign([FROM], EMPTY, ED25519, NOW, expire_days=10))
    assert int(found["x"]) - int(found["t"]) == 10 * 24 * 3600
    assert found["a"] == "ed25519-sha256"


def test_folds_are_those_of_the_milter_protocol() -> None:
    header = [FROM, *(HeaderField(name.encode(), b" x") for name in (*SEALED[1:], *SINGLE, *PRESENT))]
    value = sign(header, EMPTY, KEY, NOW, expire_days=5)
    assert value.startswith(b"v=1;")
    assert b"\r" not in value
    lines = (b"DKIM-Signature: " + value).split(b"\n")
    assert all(line.startswith(b"\t") and line.strip() for line in lines[1:])
    assert max(len(line.expandtabs(8)) for line in lines) <= 78


def test_a_domain_too_long_for_a_line_stays_whole() -> None:
    domain = ".".join(["x" * 60] * 4)
    value = sign([FROM], EMPTY, signing_key(domain, "y" * 63, Ed25519PrivateKey.generate()), NOW)
    assert f"d={domain};".encode() in value
    assert b"s=" + b"y" * 63 + b";" in value


def test_an_empty_header_is_over_signed() -> None:
    assert covered(FROM) == [
        "from",
        "from",
        "subject",
        "reply-to",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
    ]


def test_every_instance_and_one_more() -> None:
    found = covered(
        FROM,
        HeaderField(b"TO", b" a"),
        HeaderField(b"To ", b" b"),
        HeaderField(b"List-Id", b" c"),
        HeaderField(b"List-ID", b" d"),
    )
    assert found.count("to") == 3
    assert found.count("list-id") == 2
    assert found.count("cc") == 0
    assert found.count("from") == 2


@pytest.mark.parametrize(
    "name",
    [
        "Received",
        "Return-Path",
        "Authentication-Results",
        "ARC-Seal",
        "ARC-Message-Signature",
        "ARC-Authentication-Results",
        "DKIM-Signature",
        "X-Spam-Status",
        "X-Spam-Flag",
        "X-Spam-Score",
        "Received-SPF",
        "Delivered-To",
        "Bcc",
        "Comments",
        "X-Anything",
    ],
)
def test_trace_and_unknown_fields_are_not_signed(name: str) -> None:
    assert covered(FROM, HeaderField(name.encode(), b" x")) == covered(FROM)


@pytest.mark.parametrize(
    "name", [b"Sub\x00ject", b"\xc2\xa0To", b"To\xc2\xa0", b" To", b"T o", b"To\r", b"", b"Reply-To:", b"\xff"]
)
def test_names_with_odd_octets_are_skipped(name: bytes) -> None:
    assert covered(FROM, HeaderField(name, b" x")) == covered(FROM)


@pytest.mark.parametrize("names", [(), (b"To",), (b"Fr\xc3\xb6m",), (b"Resent-From",), (b"From\0",)])
def test_without_from_there_is_no_signature(names: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="no From field"):
        sign([HeaderField(name, b" x") for name in names], EMPTY, ED25519, NOW)


def test_a_header_that_repeats_without_end_is_refused() -> None:
    header = [FROM, *[HeaderField(b"Cc", b" x")] * 5_000]
    with pytest.raises(ValueError, match="repeats fields"):
        sign(header, EMPTY, ED25519, NOW)


def test_the_lowest_of_several_fields_comes_first() -> None:
    """RFC 6376 section 5.4.2, checked by what the signature covers: order matters among fields of one name, and only there."""
    one, two, other = HeaderField(b"To", b" one"), HeaderField(b"To", b" two"), HeaderField(b"Subject", b" s")
    base = sign([FROM, one, two, other], EMPTY, ED25519, NOW)
    assert sign([other, one, FROM, two], EMPTY, ED25519, NOW) == base
    assert sign([FROM, two, one, other], EMPTY, ED25519, NOW) != base


# RFC 8463 appendix A
RFC_8463 = (
    b"From: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\n"
    b"Subject: Is dinner ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    b"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n"
    b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
)
RFC_8463_SEED = base64.b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
RFC_8463_VALUE = (
    b" v=1; a=ed25519-sha256; c=relaxed/relaxed;\n d=football.example.com; i=@football.example.com;\n"
    b" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\n subject : date : message-id : from : subject : date;\n"
    b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n b="
)
RFC_8463_SIGNATURE = b"/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="


def test_the_vector_of_rfc_8463() -> None:
    header, body = split_message(RFC_8463)
    hashed = BodyHash()
    hashed.update(body)
    assert base64.b64encode(hashed.digest()) == b"2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
    key = signing_key("football.example.com", "brisbane", Ed25519PrivateKey.from_private_bytes(RFC_8463_SEED))
    assert key.public_record() == "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    data = b"".join(relaxed_field(field) + b"\r\n" for field in header) + relaxed_field(
        HeaderField(b"DKIM-Signature", RFC_8463_VALUE)
    )
    assert base64.b64encode(key.sign(data)) == RFC_8463_SIGNATURE


NAMES = st.sampled_from(
    [b"To", b"Cc", b"SUBJECT", b"Date", b"Received", b"X-Spam-Flag", b"List-Id", b"References", b"From"]
)
VALUES = st.lists(st.sampled_from([b" ", b"a", b"\t", b"\n ", b"\xc3\xa9", b"<x@y.example>", b"=", b";", b":"])).map(
    b"".join
)
FIELDS = st.lists(st.builds(HeaderField, NAMES, VALUES), max_size=12)


def accepted(header: list[HeaderField], value: bytes) -> bool:
    lines = [
        b"%b:%b\r\n" % (f.name, f.value.replace(b"\n", b"\r\n"))
        for f in [HeaderField(b"DKIM-Signature", b" " + value), *header]
    ]
    try:
        return bool(
            dkim.verify(b"".join(lines) + b"\r\n", dnsfunc=lambda name, timeout=5: KEY.public_record().encode())
        )
    except dkim.DKIMException:
        return False


@settings(max_examples=40, deadline=None)
@given(FIELDS, st.sampled_from(SEALED), st.data())
def test_dkimpy_agrees_on_any_header_and_nobody_can_add_a_sealed_field(
    fields: list[HeaderField], name: str, data: st.DataObject
) -> None:
    header = [*fields, FROM]
    value = sign(header, EMPTY, KEY, NOW)
    assert accepted(header, value)
    header.insert(data.draw(st.integers(0, len(header))), HeaderField(name.encode(), b" <eve@elsewhere.example>"))
    assert not accepted(header, value)
