"""Where a From has an author domain, other readers find the same one: Python's two parsers and careless ones."""

from __future__ import annotations

import email.header
import email.policy
import email.utils
import re
from email.headerregistry import Address, AddressHeader

import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

from dkimgate.message.author import author_of, author_of_ours
from dkimgate.message.domains import a_label
from dkimgate.message.message import HeaderField

PIECES = [
    *'<>()[]:;@\\,". \t',
    *(
        "\n ",
        "\n\t",
        "\n",
        "\r",
        "\0",
        "\x0b",
        "\u2028",
        "\u202e",
        "\uff20",
        "\uff0e",
        "\u3002",
        "\u00a0",
        "ö",
        "ß",
        "\xad",
        "\u200d",
    ),
    *(
        "j",
        "ceo",
        "John",
        "d.example",
        "bank.example",
        "j@d.example",
        "a@bank.example",
        "<j@d.example>",
        "<a@bank.example>",
        "xn--",
        "xn--a",
    ),
    *(
        '"Doe, John"',
        '"a@bank.example"',
        "(c)",
        "(a@bank.example)",
        "[192.0.2.1]",
        "group:",
        "bücher.example",
        '\\"',
        "'",
    ),
    *(
        "=?utf-8?Q?J=C3=B6rg?=",
        "=?utf-8?Q?a=40bank.example?=",
        "=?utf-8?B?SsO2cmc=?=",
        "=?utf-7?Q?+AEA-?=",
        "=?utf-8?Q?=3C?=",
        "=?",
        "?=",
    ),
]
fragments = st.lists(st.sampled_from(PIECES), max_size=10).map("".join)
WORDS = [
    " ",
    "\n ",
    "John",
    "Q.",
    "'J'",
    '"Doe, John"',
    '"j@d.example"',
    '"a@bank.example"',
    '"a \\" b"',
    "=?utf-8?Q?J=C3=B6rg?=",
    "ö",
]
ADDRESSES = [
    "j@d.example",
    "j+x@d.example",
    "j.k@D.Example",
    "j@bücher.example",
    "j@xn--bcher-kva.example",
    "<j@d.example>",
    "a@b@d.example",
]
displays = st.lists(st.sampled_from(WORDS), max_size=6).map("".join)
plausible = st.builds(
    lambda display, address, behind: f"{display}<{address}>{behind}",
    displays,
    st.sampled_from(ADDRESSES),
    st.sampled_from(["", "", "", " (John)", "(John)", " x", ", a@bank.example"]),
)
values = st.one_of(plausible, fragments, st.builds("{} <j@d.example>".format, fragments)).map(
    lambda text: text.encode("utf-8")
)
names = st.one_of(st.sampled_from([b"From", b"from ", b"Subject", b"Fr\0om", b""]), st.binary(max_size=8))
anything = st.one_of(values, st.binary(max_size=80))


def domain_of(value: bytes) -> str | None:
    return author_of([HeaderField(b"From", b" " + value)]).domain


def unfolded(value: bytes) -> str:
    return value.decode("utf-8").replace("\n", "").strip(" \t")


def by_getaddresses(text: str) -> list[str]:
    return [address.rpartition("@")[2] for _, address in email.utils.getaddresses([text])]


def by_headerregistry(text: str) -> list[str]:
    try:
        header = email.policy.default.header_factory("From", text)
    except (AttributeError, IndexError):  # its own faults: it can't read `Q.<j@d.example>`
        reject()
    assert isinstance(header, AddressHeader)
    addresses: tuple[Address, ...] = header.addresses
    return [address.domain for address in addresses]


def by_decoding_first(text: str) -> list[str]:
    """The common mistake: decode, then look for addresses. A part without any @ shows no domain to anyone."""
    parts = email.header.decode_header(text)
    decoded = "".join(
        part if isinstance(part, str) else part.decode(charset or "raw-unicode-escape") for part, charset in parts
    )
    found = [address for _, address in email.utils.getaddresses([decoded])]
    return [address.rpartition("@")[2] for address in found if "@" in address and "." in address.rpartition("@")[2]]


def by_last_angle(text: str) -> list[str]:
    """What a regular expression of a filter does."""
    return re.findall(r"@([^@<>\s]+)>", text)[-1:] or re.findall(r"@([^\s(\"]+)", text)[-1:]


@settings(max_examples=300, deadline=None)
@given(values)
@example(b'"a@bank.example" <j@d.example>')
@example(b'"j@d.example" <j@d.example>')
@example(b"=?utf-8?Q?a=40bank.example?= <j@d.example>")
@example(b"=?utf-8?Q?M=C3=BCller=2C_J=C3=B6rg?= <j@d.example>")
@example(b"j@d.example (John)")
def test_other_readers_find_the_same_domain(value: bytes) -> None:
    domain = domain_of(value)
    if domain is None:
        return
    text = unfolded(value)
    for reader in (by_getaddresses, by_headerregistry, by_decoding_first, by_last_angle):
        assert {a_label(found) for found in reader(text)} <= {domain}, reader.__name__
    for reader in (by_getaddresses, by_headerregistry, by_last_angle):
        assert len(reader(text)) == 1, reader.__name__


@settings(max_examples=600, deadline=None)
@given(st.one_of(fragments, st.builds("{} <j@d.example>{}".format, fragments, displays)))
@example('"a@bank.example"')
def test_other_readers_find_the_same_domain_in_our_own_mail(text: str) -> None:
    """What Python, filters that decode and filters that take the last address find in our own mail that is signed is that domain."""
    domain = author_of_ours([HeaderField(b"From", b" " + text.encode("utf-8"))], 0).domain
    if domain is None:
        return
    shown = text.replace("\n", "").strip(" \t")
    assert {
        a_label(address.rpartition("@")[2]) for _, address in email.utils.getaddresses([shown]) if "@" in address
    } <= {domain}
    for reader in (by_decoding_first, by_last_angle, by_headerregistry):
        assert {a_label(found) or found for found in reader(shown) if found} <= {domain}, reader.__name__


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.sampled_from([b"From", b"from ", b"Subject", b"Fr\0om", b""]), st.binary(max_size=8)), anything
        ),
        max_size=4,
    )
)
def test_it_never_raises_and_always_has_a_domain_or_a_problem(fields: list[tuple[bytes, bytes]]) -> None:
    author = author_of([HeaderField(name, value) for name, value in fields])
    assert (author.domain is None) == (author.address is None) == (author.problem is not None)
    if author.domain is not None:
        assert a_label(author.domain) == author.domain
        assert author.problem is None


@settings(max_examples=150, deadline=None)
@given(values, values, st.sampled_from([b"From", b"FROM", b"From ", b"from\t", b"\xa0From"]))
def test_two_froms_never_have_a_domain(first: bytes, second: bytes, name: bytes) -> None:
    for pair in ((b"From", name), (name, b"From")):
        assert (
            author_of([HeaderField(pair[0], first), HeaderField(b"To", b" x"), HeaderField(pair[1], second)]).domain
            is None
        )


@settings(max_examples=150, deadline=None)
@given(displays)
def test_the_strategy_reaches_good_values(display: str) -> None:
    """The property above would hold for a reader that refuses all; so some must pass."""
    if '"a@bank.example"' in display:
        assert domain_of(f"{display}<j@d.example>".encode()) is None
    if not any(piece in display for piece in ('"', "\n")):
        assert domain_of(f"{display}<j@d.example>".encode()) == "d.example"


@pytest.mark.parametrize("reader", [by_getaddresses, by_headerregistry, by_last_angle])
def test_the_readers_can_disagree(reader: object) -> None:
    assert callable(reader)
    assert reader("A <a@bank.example>") == ["bank.example"]
