"""Domain names: A-labels, organizational domains, alignment for permissions and for refusals, and which key covers whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.message.domains import a_label, aligned, covering, may_align, of_address, organizational, readings


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("d.example", "d.example"),
        ("D.Example", "d.example"),
        ("example", "example"),
        ("3com.example", "3com.example"),
        ("r3---sn.example", "r3---sn.example"),
        ("a.4b", "a.4b"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("XN--Bcher-KVA.example", "xn--bcher-kva.example"),
        ("xn--fa-hia.example", "xn--fa-hia.example"),  # faß: as an A-label nobody mistakes it
        ("пример.example", "xn--e1afmkfd.example"),
        ("例え.example", "xn--r8jz45g.example"),
    ],
)
def test_a_label(written: str, expected: str) -> None:
    assert a_label(written) == expected
    assert a_label(expected) == expected


@pytest.mark.parametrize(
    "written",
    [
        "",
        ".",
        "d.example.",
        ".d.example",
        "d..example",
        "d_e.example",
        "_dmarc.d.example",
        "-d.example",
        "d-.example",
        "d e.example",
        " d.example",
        "d.example\n",
        "d.example\0",
        "d@e.example",
        "[192.0.2.1]",
        "192.0.2.1",
        "d.1",
        "2001:db8::1",
        "a" * 64 + ".example",
        ".".join(["a" * 60] * 5),
        "d\uff0eexample",
        "d\u3002example",
        "d\uff61example",
        "\uff44.example",
        "Bücher.example",
        "bu\u0308cher.example",  # not NFC
        "faß.example",  # fass.example for IDNA 2003
        "ςigma.example",
        "a\u200db.example",
        "a\u200cb.example",
        "so\u00adft.example",
        "😀.example",
        "xn--e28h.example",  # an emoji: no U-label of IDNA 2008
        "xn--.example",
        "xn--a.example",
        "xn--abc-.example",
        "xn--bcher-kva8.example",
        "xn--zz-.example",
        "℡.example",
        "½.example",
        "ü" * 64 + ".example",
        "ü" * 200,
        "\ud800.example",
    ],
)
def test_what_receivers_may_read_differently_has_no_a_label(written: str) -> None:
    assert a_label(written) is None


@given(st.text(max_size=40))
def test_an_a_label_is_its_own_a_label(text: str) -> None:
    name = a_label(text)
    if name is not None:
        assert a_label(name) == name
        assert name.isascii() and name == name.lower()


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("a.b.d.example", "d.example"),
        ("d.example", "d.example"),
        ("example", "example"),
        ("a.b.co.uk", "b.co.uk"),
        ("co.uk", "co.uk"),
        ("a.b.github.io", "b.github.io"),
        ("www.ck", "www.ck"),
        ("a.b.kawasaki.jp", "a.b.kawasaki.jp"),
        ("a.xn--bcher-kva.xn--p1ai", "xn--bcher-kva.xn--p1ai"),
        ("a..b", "a..b"),
    ],
)
def test_organizational(domain: str, expected: str) -> None:
    assert organizational(domain) == expected


@pytest.mark.parametrize(
    ("a", "b", "strictly", "perhaps"),
    [
        ("d.example", "d.example", True, True),
        ("a.d.example", "d.example", True, True),
        ("a.d.example", "b.d.example", True, True),
        ("_spf.d.example", "d.example", True, True),
        ("d.example", "e.example", False, False),
        ("d.example", "d.example.e.example", False, False),
        ("ad.example", "d.example", False, False),
        ("a.co.uk", "b.co.uk", False, False),
        ("a.b.co.uk", "c.b.co.uk", True, True),
        ("co.uk", "co.uk", True, True),
        ("a.co.uk", "co.uk", False, True),  # the tree walk, where the suffix publishes a DMARC record
        ("a.github.io", "b.github.io", False, True),  # a list without private suffixes
        ("a.github.io", "github.io", False, True),
        ("x.s3.amazonaws.com", "amazonaws.com", False, True),
        ("d.example", "example", False, True),
        ("d.example", "", False, False),
    ],
)
def test_alignment(a: str, b: str, strictly: bool, perhaps: bool) -> None:
    assert (aligned(a, b), aligned(b, a)) == (strictly, strictly)
    assert (may_align(a, b), may_align(b, a)) == (perhaps, perhaps)


labels = st.sampled_from(
    ["a", "b", "co", "uk", "com", "github", "io", "example", "ck", "www", "kawasaki", "jp", "_spf", "s3", "amazonaws"]
)
names = st.lists(labels, min_size=1, max_size=5).map(".".join)


@given(names, names)
def test_may_align_is_the_cautious_one(a: str, b: str) -> None:
    assert may_align(a, b) or not aligned(a, b)


@pytest.mark.parametrize(
    ("author", "keys", "expected"),
    [
        ("d.example", ["d.example"], "d.example"),
        ("a.d.example", ["d.example"], "d.example"),
        ("a.d.example", ["d.example", "a.d.example"], "a.d.example"),
        ("b.a.d.example", ["a.d.example", "d.example"], "a.d.example"),
        ("d.example", ["a.d.example"], None),
        ("b.d.example", ["a.d.example"], None),
        ("ad.example", ["d.example"], None),
        ("e.example", ["d.example"], None),
        ("d.example", ["example"], None),
        ("a.co.uk", ["co.uk"], None),
        ("co.uk", ["co.uk"], "co.uk"),
        ("a.github.io", ["github.io"], None),
        ("github.io", ["github.io"], "github.io"),
        ("x.s3.amazonaws.com", ["amazonaws.com"], None),
        ("d.example", [], None),
    ],
)
def test_covering(author: str, keys: list[str], expected: str | None) -> None:
    assert covering(author, keys) == expected
    assert covering(author, frozenset(keys)) == expected


@given(names, st.lists(names, max_size=4))
def test_a_covering_domain_aligns_for_every_receiver(author: str, keys: list[str]) -> None:
    domain = covering(author, keys)
    if domain is not None:
        assert domain in keys
        assert aligned(author, domain)
        assert author == domain or author.endswith("." + domain)


@pytest.mark.parametrize(
    ("written", "among"),
    [
        ("d.example", "d.example"),
        ("D.Example.", "d.example"),
        ("d.example>", "d.example"),
        ("_spf.d.example", "_spf.d.example"),
        ("\uff44.example", "d.example"),
        ("d\u3002example", "d.example"),
        ("faß.example", "fass.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("Bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_readings_hold_what_a_lenient_receiver_sees(written: str, among: str) -> None:
    assert among in readings(written)


@given(st.text(max_size=300))
def test_readings_never_fail(text: str) -> None:
    assert readings(text)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("ann@Hosted.Example", "hosted.example"),
        ("@hosted.example", "hosted.example"),
        ("hosted.example", "hosted.example"),
        ('"a@b.example"@hosted.example', "hosted.example"),
        ("ann@", None),
        ("", None),
        ("ann@hosted.example>", None),
    ],
)
def test_the_domain_of_an_address(text: str, domain: str | None) -> None:
    assert of_address(text) == domain
