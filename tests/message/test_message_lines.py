"""Long lines on the wire: where smtp(8) breaks them, and where they can be folded."""

from __future__ import annotations

import itertools
import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.dkim.canonical import relaxed_field
from dkimgate.message.lines import LineBreaker, broken, folded, has_long_line, sent
from dkimgate.message.message import HeaderField
from tests import smtp_model

AHEAD_OF_TIME = next(998 + 997 * n for n in itertools.count() if (998 + 997 * n) % 2048 == 0)
"""So long is a line that fills both its last line on the wire and its last record in the queue file."""


def breaks(lines: list[bytes], limit: int, record: int = 2048, sizes: itertools.cycle[int] | None = None) -> bytes:
    """The lines as the breaker has them, in pieces of these sizes."""
    raw = b"".join(line + b"\r\n" for line in lines)
    breaker, got, at = LineBreaker(limit, record), bytearray(), 0
    while at < len(raw):
        piece = raw[at : at + next(sizes or itertools.cycle([65_535]))]
        while piece.endswith(b"\r"):  # no piece may end there
            piece = raw[at : at + len(piece) + 1]
        got += broken(piece, breaker.cuts(piece))
        at += len(piece)
    return bytes(got)


@pytest.mark.parametrize("limit", [998, 500, 2048, 4096, 0])
@pytest.mark.parametrize(
    "length",
    [
        0,
        1,
        499,
        500,
        501,
        997,
        998,
        999,
        1995,
        1996,
        2047,
        2048,
        2049,
        3000,
        4096,
        65_536,
        AHEAD_OF_TIME,
        AHEAD_OF_TIME + 1,
    ],
)
def test_a_body_line_is_broken_where_postfix_breaks_it(limit: int, length: int) -> None:
    lines = [b"Hello", b"a" * length, b"", b"." * length, b"good bye"]
    postfix = smtp_model.body(lines, limit)
    assert breaks(lines, limit) == postfix
    assert breaks(lines, limit, sizes=itertools.cycle([997, 3])) == postfix


texts = st.lists(st.binary(max_size=70).map(lambda text: text.replace(b"\n", b"").rstrip(b"\r")), max_size=6)
words = st.lists(
    st.sampled_from([b"a", b"bb", b" ", b"\t", b"  ", b".", b"\r", b"word", b" " * 9, b"w" * 9]), max_size=20
).map(b"".join)


@given(
    texts | st.lists(words.map(lambda text: text.rstrip(b"\r")), max_size=6),
    st.integers(2, 20),
    st.integers(2, 20),
    st.integers(1, 30),
)
def test_the_breaker_is_smtp(lines: list[bytes], limit: int, record: int, size: int) -> None:
    assert breaks(lines, limit, record, itertools.cycle([size, 1, 7])) == smtp_model.body(lines, limit, record)


@given(st.binary(max_size=300), st.integers(2, 20))
def test_any_octets_can_be_broken(text: bytes, limit: int) -> None:
    """A bare CR or LF is an octet like any other."""
    cuts = LineBreaker(limit).cuts(text + b"\r\n")
    assert cuts == sorted(cuts)
    assert all(len(line) <= limit for line in broken(text + b"\r\n", cuts).split(b"\r\n"))


def test_what_is_not_too_long_costs_nothing() -> None:
    breaker = LineBreaker(998)
    assert breaker.cuts(b"a" * 998 + b"\r\n" + b"b" * 500) == []
    assert breaker.cuts(b"b" * 498 + b"\r\n\r\n") == []
    assert breaker.cuts(b"c" * 999 + b"\r\n") == [998]


FIELDS = [
    (b"References", b" " + b" ".join(b"<%040d@mail.hosted.example>" % n for n in range(25))),
    (b"To", b" " + b",".join(b"user%d@hosted.example" % n for n in range(80))),
    (b"Subject", b" " * 972 + b"two words"),
    (b"Subject", b" a" + b" " * 3000 + b"b"),
    (b"Subject", b" a" + b" " * 3000),
    (b"Subject", b" short\n " + b"long " * 300 + b"\n\tshort"),
    (b"Subject", b" short\n " + b"x" * 990 + b" y y y y y"),
    (b"Subject", b"\t" + b"x" * 995 + b"\n y"),
    (b"Subject", b" " + b"x" * 2000),
    (b"Subject", b"x" * 2000),
    (b"N" * 1200, b" x"),
    (b"N" * 990, b" x y z x y z x y z"),
    (b"Subject", b""),
]


def wire_lines(field: HeaderField) -> list[bytes]:
    return (field.name + b":" + field.value).split(b"\n")


@pytest.mark.parametrize("limit", [998, 400, 80, 0])
@pytest.mark.parametrize(("name", "value"), FIELDS)
def test_a_header_line_is_broken_where_postfix_breaks_it(name: bytes, value: bytes, limit: int) -> None:
    field = HeaderField(name, value)
    expected = smtp_model.header(wire_lines(field), limit)
    if b":" in expected.split(b"\r\n")[0] or len(name) < limit or not limit:
        assert b"\r\n".join(wire_lines(sent(field, limit))) + b"\r\n" == expected
    assert has_long_line(field, limit) == (expected != b"\r\n".join(wire_lines(field)) + b"\r\n")


values = st.lists(
    st.sampled_from([b"a", b"bb", b" ", b"\t", b"   ", b"\n ", b"\n\t", b"\n  x", b"word", b" " * 20, b"w" * 20]),
    max_size=30,
)


@given(st.sampled_from([b"To", b"Subject", b"X" * 9, b"X" * 11]), values.map(b"".join), st.integers(4, 40))
def test_a_fold_changes_nothing_but_line_ends(name: bytes, value: bytes, limit: int) -> None:
    field = HeaderField(name, value)
    new = folded(field, limit)
    if new is None:
        assert has_long_line(field, limit)
        return
    made = HeaderField(name, new)
    assert not has_long_line(made, limit)
    assert new.replace(b"\n", b"") == value.replace(b"\n", b"")
    assert relaxed_field(made) == relaxed_field(field)
    old_lines = set(wire_lines(field))
    for line in wire_lines(made)[1:]:
        assert line[:1] in (b" ", b"\t")
        assert line.strip(b" \t") or line in old_lines, "no blank line is made"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b" one two three four", b" one two\n three four"),
        (b" one\tfour", b" one\n\tfour"),
        (b" threethree x", b"\n threethree\n x"),  # nothing but the name ahead: the last resort
        (b"        x y", b"\n        x y"),
        (b" threethreethree", None),
        (b"threethreethree", None),
        (b" one           two", b" one    \n       two"),
        (b" one                  two", None),  # too much white space for any line
        (b" short", b" short"),
    ],
)
def test_where_a_line_is_folded(value: bytes, expected: bytes | None) -> None:
    assert folded(HeaderField(b"To", value), 11) == expected


@pytest.mark.parametrize("unit", [b" ", b"a ", b"a", b" \t", b" " * 990 + b"x"], ids=repr)
def test_folding_and_breaking_take_linear_time(unit: bytes) -> None:
    def seconds(size: int) -> float:
        """Of the processor, the best of three: others may use the machine."""
        text = unit * (size // len(unit)) + b"x"
        field = HeaderField(b"Subject", b" x" + text)
        taken = []
        for _ in range(3):
            begun = time.thread_time()
            folded(field, 998)
            sent(field, 998)
            LineBreaker(998).cuts(text + b"\r\n")
            taken.append(time.thread_time() - begun)
        return min(taken)

    assert seconds(2_000_000) < 8 * max(
        seconds(500_000), 0.002
    )  # what grows with the square takes sixteen times as long


def test_random_bodies_in_random_pieces() -> None:
    """At the real limits, with lines of lengths that matter."""
    random = Random(7)
    for _ in range(60):
        lines = [
            b"x" * random.choice([0, 3, 76, 997, 998, 999, 1995, 1996, 2048, 4096, 5000])
            for _ in range(random.randint(1, 30))
        ]
        sizes = itertools.cycle([random.randint(1, 5000) for _ in range(5)])
        assert breaks(lines, 998, sizes=sizes) == smtp_model.body(lines)
