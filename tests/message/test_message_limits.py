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
