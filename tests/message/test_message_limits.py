"""How much of a header is kept: what honest hosts write, and of what is beyond that its begin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.message import limits
from dkimgate.message.limits import Collected
from dkimgate.message.message import HeaderField


def test_two_thousand_recipients_and_fifty_arc_sets_are_kept() -> None:
    to = HeaderField(b"To", b" " + b",\n ".join(b"somebody.%d@department.receiver.example" % n for n in range(2000)))
    sets = [
        HeaderField(name, b" i=%d; " % number + b"x" * size)
        for number in range(1, 51)
        for name, size in ((b"ARC-Seal", 800), (b"ARC-Message-Signature", 1200), (b"ARC-Authentication-Results", 2000))
    ]
    kept = Collected((to, *sets))
    assert (kept.problem, len(kept.fields)) == (None, 151)


@given(st.lists(st.builds(HeaderField, st.binary(max_size=6), st.binary(max_size=12)), max_size=12))
def test_what_is_kept_of_a_header_is_its_begin(fields: list[HeaderField]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "MOST_OCTETS", 60)
        patch.setattr(limits, "MOST_FIELDS", 8)
        kept = Collected(fields)
    octets = sum(len(field.name) + len(field.value) for field in fields)
    assert kept.fields == fields[: len(kept.fields)]
    assert sum(len(field.name) + len(field.value) for field in kept.fields) <= 60
    assert (kept.problem is None) == (octets <= 60 and len(fields) <= 8) == (len(kept.fields) == len(fields))


@pytest.mark.parametrize(
    ("values", "kept", "problem"),
    [
        ((), 0, None),
        ((4, 4), 2, None),
        ((4, 5), 1, "the header has more than 10 octets"),
        ((20, 1), 0, "the header has more than 10 octets"),
        ((1, 1, 1), 2, "the header has more than 2 fields"),
        ((1, 1, 1, 20), 2, "the header has more than 2 fields"),
        ((4, 4, 0), 2, "the header has more than 10 octets"),
        ((3, 3, 1), 2, "the header has more than 2 fields"),
        ((9,), 1, None),
        ((10,), 0, "the header has more than 10 octets"),
    ],
)
def test_the_last_octet_and_field_that_are_kept(
    monkeypatch: pytest.MonkeyPatch, values: tuple[int, ...], kept: int, problem: str | None
) -> None:
    """Each name has one octet."""
    monkeypatch.setattr(limits, "MOST_OCTETS", 10)
    monkeypatch.setattr(limits, "MOST_FIELDS", 2)
    found = Collected(HeaderField(b"X", b"x" * value) for value in values)
    assert (len(found.fields), found.problem) == (kept, problem)


def test_the_bounds_are_above_those_of_the_largest_receiver() -> None:
    """Gmail: 500 KB, 5000 fields."""
    assert (limits.MOST_OCTETS, limits.MOST_FIELDS) == (524_288, 5000)
