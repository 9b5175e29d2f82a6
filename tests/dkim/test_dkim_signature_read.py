"""A DKIM-Signature as it is read: each tag by RFC 6376 section 3.5, and the limits to the octet."""

from __future__ import annotations

import pytest

from dkimgate.dkim import tag_list
from dkimgate.dkim.signature import SKEW, Refused, acceptable, claimed_domain, read, without_signature
from dkimgate.dkim.verify import MOST_READ, check_signatures
from dkimgate.message.message import split_message
from tests.world.dns import FakeResolver
from tests.world.keys import BODY, DOMAIN, HEADER, NOW, Signer, check, zone
from tests.world.mail import forms

GOOD = {"v": "1", "a": "rsa-sha256", "b": "AAAA", "bh": "AAAA", "d": "a.example", "h": "from", "s": "s"}


def field(**tags: str | None) -> bytes:
    return "; ".join(f"{name}={value}" for name, value in (GOOD | tags).items() if value is not None).encode()


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, ""])
def test_a_tag_that_is_required(name: str, value: str | None) -> None:
    with pytest.raises(Refused) as refused:
        read(field(**{name: value}))
    assert (refused.value.result, str(refused.value)) == ("neutral", f"no {name}=")


@pytest.mark.parametrize(
    ("tags", "attribute", "value"),
    [
        ({"a": "RSA-SHA256"}, "algorithm", "rsa-sha256"),
        ({"d": "A.B-2c.Example"}, "domain", "a.b-2c.example"),
        ({"d": "bücher.example"}, "domain", "xn--bcher-kva.example"),
        ({"s": "2026.A-1_b"}, "selector", "2026.a-1_b"),
        ({"s": "bücher"}, "selector", "xn--bcher-kva"),
        ({"h": "From : To\t:\r\n Subject:\r\n\tDATE"}, "names", (b"from", b"to", b"subject", b"date")),
        ({"b": "AA\r\n\tAA BBBB"}, "signature", b"\0\0\0\x04\x10A"),
        ({"bh": "\tAA AA\r\n "}, "body_hash", b"\0\0\0"),
        ({"q": "DNS/TXT"}, "algorithm", "rsa-sha256"),
        ({"q": "http/x : dns/txt"}, "algorithm", "rsa-sha256"),
        # section 3.5: without c= both are simple, without the second the body is
        ({}, "header_form", "simple"),
        ({}, "body_form", "simple"),
        ({"c": "Relaxed"}, "header_form", "relaxed"),
        ({"c": "relaxed"}, "body_form", "simple"),
        ({"c": "simple/relaxed"}, "body_form", "relaxed"),
        # i=: the domain of d=, or one below it; the local part may be in quotation marks
        ({}, "identity", "a.example"),
        ({"i": "@A.example"}, "identity", "a.example"),
        ({"i": "u@b.a.example"}, "identity", "b.a.example"),
        ({"i": '"u@b"@a.example'}, "identity", "a.example"),
        ({"l": "9" * 76}, "length", int("9" * 76)),
        ({"t": "9" * 12}, "time", int("9" * 12)),
        ({"x": "9" * 12}, "expires", int("9" * 12)),
    ],
)
def test_what_a_tag_says(tags: dict[str, str], attribute: str, value: object) -> None:
    assert getattr(read(field(**tags)), attribute) == value


@pytest.mark.parametrize(
    ("tags", "result"),
    [
        ({"i": "a.example"}, "permerror"),  # without an @ (the grammar of sig-i-tag)
        ({"i": "u@a.example@b.example"}, "permerror"),
        ({"i": ""}, "permerror"),
        ({"c": "relaxed/"}, "neutral"),
        ({"c": "relaxed/relaxed/relaxed"}, "neutral"),
        ({"d": "a..example"}, "neutral"),
        ({"d": ".".join(["a" * 62] * 4) + ".ab"}, "neutral"),  # 254 octets
        ({"d": "a" * 64 + ".example"}, "neutral"),
        ({"l": "9" * 77}, "neutral"),
        ({"l": "1x"}, "neutral"),
        ({"t": "9" * 13}, "neutral"),
        ({"x": "9" * 13}, "neutral"),
        ({"v": "1.0"}, "neutral"),
        ({"b": "A"}, "neutral"),
        ({"b": "AAAA!"}, "neutral"),
        ({"bh": "AA=A!"}, "neutral"),
        ({"z": "\udcff"}, "neutral"),
    ],
)
def test_what_a_tag_cannot_say(tags: dict[str, str], result: str) -> None:
    value = "; ".join(f"{name}={text}" for name, text in (GOOD | tags).items()).encode("utf-8", "surrogateescape")
    with pytest.raises(Refused) as refused:
        read(value)
    assert refused.value.result == result


def test_the_longest_domain_and_field() -> None:
    longest = ".".join(["a" * 62] * 4) + ".a"
    assert (len(longest), claimed_domain(b"d=" + longest.encode())) == (253, longest)
    for length, domain in ((tag_list.LONGEST, "a.example"), (tag_list.LONGEST + 1, None)):
        assert claimed_domain(b"d=a.example; z=" + b"x" * (length - 15)) == domain


@pytest.mark.parametrize(
    ("tags", "result"),
    [
        ({}, None),
        ({"t": str(NOW + SKEW)}, None),
        ({"t": str(NOW + SKEW + 1)}, "fail"),
        ({"x": str(NOW - SKEW)}, None),
        ({"x": str(NOW - SKEW - 1)}, "fail"),
        ({"t": str(NOW), "x": str(NOW + 1)}, None),
        ({"t": str(NOW), "x": str(NOW)}, "permerror"),  # section 3.5: x= must be greater than t=
        ({"h": "to"}, "permerror"),
        ({"a": "rsa-sha1"}, "policy"),
        ({"a": "dsa-sha256"}, "neutral"),
    ],
)
def test_when_a_signature_counts(tags: dict[str, str], result: str | None) -> None:
    read_tags = read(field(**tags))
    if result is None:
        acceptable(read_tags, NOW)
        return
    with pytest.raises(Refused) as refused:
        acceptable(read_tags, NOW)
    assert refused.value.result == result


def test_a_field_without_b_stays_as_it_is() -> None:
    assert without_signature(b"v=1; bh=x") == b"v=1; bh=x"


# --- and as it is verified


def test_an_ed25519_signature_of_something_else_fails() -> None:
    raw = Signer(selector="e", ed25519=True).sign() + HEADER + b"\r\n" + BODY
    assert [(found.result, found.key_bits) for found in check(raw)] == [("pass", 256)]
    assert [found.result for found in check(raw.replace(b"Subject: Lunch", b"Subject: Money"))] == ["fail"]


def test_a_sub_domain_in_the_identity_passes_where_the_key_permits_it() -> None:
    for key, result in (("s", "pass"), ("exact", "permerror")):
        raw = Signer(selector=key, tags={"i": f"@news.{DOMAIN}"}).sign() + HEADER + b"\r\n" + BODY
        records = zone(exact=zone()[f"s._domainkey.{DOMAIN}"]["TXT"][0] + "; t=S")
        assert [found.result for found in check(raw, FakeResolver(records))] == [result]


def test_whatever_a_lookup_raises_is_no_pass() -> None:
    class Broken:
        def txt(self, name: str) -> object:
            raise RuntimeError(name)

    header = Signer().sign() + HEADER
    fields, body = split_message(header + b"\r\n" + BODY)
    found = check_signatures(fields, forms(body), DOMAIN, Broken(), NOW)  # type: ignore[arg-type]
    assert [(each.result, each.why) for each in found] == [("permerror", "it can't be verified (RuntimeError)")]


def test_so_many_signatures_are_looked_at() -> None:
    foreign = b"DKIM-Signature: d=attacker.example\r\n"
    for above, aligned in ((MOST_READ - 1, True), (MOST_READ, False)):
        found = check(foreign * above + Signer().sign() + HEADER + b"\r\n" + BODY)
        assert [each.result == "pass" for each in found if each.domain == DOMAIN] == ([True] if aligned else [])
