"""Lines above 998 octets: Postfix breaks them behind the gate, so a From with one reads otherwise at the next host."""

from __future__ import annotations

import email.utils
from random import Random

import pytest

from dkimgate.message.author import author_of
from dkimgate.message.lines import sent
from dkimgate.message.message import HeaderField


def from_field(width: int, value: bytes) -> HeaderField:
    """The value behind so much white space that `width` octets stand ahead of it."""
    return HeaderField(b"From", b" " * (width - len(b"From:")) + value)


@pytest.mark.parametrize(
    ("width", "value", "domain"),
    [
        (100, b"ceo@bank.example", "bank.example"),
        (977, b"x@hosted.example", "hosted.example"),
        (982, b"x@hosted.example", "hosted.example"),  # 998 octets to the letter
        (983, b"x@hosted.example", None),
        (
            977,
            b"x@hosted.example.attacker.example",
            None,
        ),  # 972 spaces: `x@hosted.example.attac` is what stands on the first line
        (977, b"j <x@attacker.example>", None),
        (977, b"friend <x@hosted.example>\n (John)", None),
        (30, b"friend\n" + b" " * 990 + b"<x@hosted.example>", None),
        (30, b"friend\n" + b" " * 970 + b"<x@hosted.example>", "hosted.example"),
    ],
)
def test_a_from_with_a_long_line_has_no_author(width: int, value: bytes, domain: str | None) -> None:
    author = author_of([from_field(width, value)])
    assert author.domain == domain
    if domain is None:
        assert author.problem is not None and "998 octets" in author.problem


def test_where_nobody_breaks_lines_they_may_be_long() -> None:
    header = [from_field(983, b"x@hosted.example")]
    assert author_of(header, 0).domain == "hosted.example"
    assert author_of(header, 2048).domain == "hosted.example"
    assert author_of(header, 500).domain is None


def test_a_break_above_from_may_end_the_header_where_another_from_follows() -> None:
    """1,500 spaces in a Received field: a line of nothing but white space, once Postfix has broken it. Below From it hides nothing."""
    blank = HeaderField(b"X-Above", b" a" + b" " * 3000)
    hiding = HeaderField(b"X-Above", blank.value + b"\n From: a@bank.example")
    author = HeaderField(b"From", b" j@d.example")
    assert author_of([blank, author]).domain == "d.example"
    assert "white space" in (author_of([hiding, author]).problem or "")
    assert author_of([author, hiding]).domain == "d.example"
    assert author_of([HeaderField(b"X-Above", b" a" + b" a" * 3000), author]).domain == "d.example"


def test_whoever_has_an_author_has_him_on_the_wire_as_well() -> None:
    random = Random(3)
    addresses = [
        b"a@bank.example",
        b"<a@bank.example>",
        b"J <a@bank.example>",
        b"a@bank.example.evil.example",
        b"\n <a@bank.example>",
    ]
    for _ in range(2000):
        value = b" " * random.randint(950, 1000) + random.choice(addresses)
        field = HeaderField(b"From", value)
        author = author_of([field])
        if author.domain is not None:
            read = email.utils.parseaddr(sent(field, 998).value.replace(b"\n", b"").decode())[1]
            assert read == author.address
