"""Lists of tag=value: RFC 6376 section 3.2, read strictly by who verifies and loosely by who looks for hints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.dkim.tag_list import LONGEST, MOST_TAGS, Invalid, loose, strict


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        (b"", {}),
        (b" \r\n\t", {}),
        (b"v=1", {"v": "1"}),
        (b"v=1;", {"v": "1"}),
        (b"v=1; \r\n\t", {"v": "1"}),
        (b" v = 1 ; a_b9=x y ", {"v": "1", "a_b9": "x y"}),
        (b"aZ_Z=1", {"aZ_Z": "1"}),
        (b"b=a=b==", {"b": "a=b=="}),
        (b"n=", {"n": ""}),
        (b"V=1; v=2", {"V": "1", "v": "2"}),  # names are case-sensitive
        ("d=b\u00fccher.example".encode(), {"d": "b\u00fccher.example"}),
    ],
)
def test_what_is_valid(value: bytes, tags: dict[str, str]) -> None:
    assert {name: tag.text for name, tag in strict(value).items()} == tags
    assert [(tag.name, tag.text) for tag in loose(value) or ()] == [*tags.items()]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"v", "'v' is no tag=value"),
        (b"v=1;;a=2", "'' is no tag=value"),
        (b";v=1", "'' is no tag=value"),
        (b"=1", "'=1' is no tag=value"),
        (b"9=1", "'9=1' is no tag=value"),
        (b"v-x=1", "'v-x=1' is no tag=value"),
        (b"v =1; v=2", "the tag v= stands twice"),
        ("\u00e9=1".encode(), "no tag=value"),
        (b"v=1\0;x", "'x' is no tag=value"),
    ],
)
def test_what_is_not(value: bytes, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        strict(value)
    loose(value)  # never raises


def test_a_value_that_is_no_text() -> None:
    with pytest.raises(Invalid, match="v= is neither ASCII nor UTF-8"):
        assert strict(b"v=\xff")["v"].text


@pytest.mark.parametrize(
    ("value", "is_read"),
    [
        (b"n=" + b"x" * (LONGEST - 2), True),
        (b"n=" + b"x" * (LONGEST - 1), False),
        (b"".join(b"a%d=1;" % number for number in range(MOST_TAGS)), True),
        (b"".join(b"a%d=1;" % number for number in range(MOST_TAGS + 1)), False),
        (b";" * (MOST_TAGS + 1), False),
    ],
)
def test_nobody_takes_apart_more_than_honest_lists_have(value: bytes, is_read: bool) -> None:
    assert (loose(value) is not None) == is_read
    if not is_read:
        with pytest.raises(Invalid, match="than"):
            strict(value)
    else:
        strict(value)


parts = st.lists(st.binary(max_size=20), max_size=6).map(b";".join)


@given(parts | st.binary(max_size=80))
def test_every_tag_stands_where_it_says(value: bytes) -> None:
    for tag in loose(value) or ():
        assert value[tag.start : tag.end].strip(b" \t\r\n") == tag.value
        assert value[tag.start - 1 : tag.start] == b"="
    try:
        found = strict(value)
    except Invalid:
        return
    assert [*found.values()] == [*(loose(value) or ())], (
        "who reads strictly and finds it valid reads what all others read"
    )
