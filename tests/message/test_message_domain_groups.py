"""Many domains asked at once are asked as each alone would be."""

from __future__ import annotations

import itertools
import sys

import pytest

from dkimgate.message import domains

NAMES = [
    *("hosted.example", "a.hosted.example", "b.a.hosted.example", "other.example", "example", "hosted.example.net"),
    *("co.uk", "a.co.uk", "b.co.uk", "x.a.co.uk", "github.io", "a.github.io", "b.github.io", "x.a.github.io", "io"),
    *("uk", "kobe.jp", "city.kobe.jp", "a.city.kobe.jp", "c.kobe.jp", "d.c.kobe.jp", "e.c.kobe.jp", "ck", "www.ck"),
    *("x." * 130 + "a.co.uk", "hosted.example" * 30, "y" * 300 + ".other.example", ""),
]


@pytest.mark.parametrize("size", [0, 1, 2])
def test_a_group_and_each_of_it_say_the_same(size: int) -> None:
    for members in itertools.combinations(NAMES[:-4], size):
        group = domains.Group(members)
        for name in NAMES:
            expected = any(domains.may_align(name, member) for member in members)
            assert group.may_align(name) == expected, (name, members)


def test_those_that_align_are_found() -> None:
    for name in NAMES[:-1]:
        assert list(domains.aligning(name, NAMES)) == [other for other in NAMES if domains.may_align(name, other)]


def test_a_question_costs_the_same_for_many_as_for_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the number of names that are looked up in the public suffix list."""
    asked = []
    organizational = domains._organizational

    def counted(domain: str, private: bool) -> str:
        asked.append(domain)
        return organizational(domain, private)

    group = domains.Group([f"d{number}.hosted{number % 7}.example" for number in range(5_000)])
    monkeypatch.setattr(sys.modules["dkimgate.message.domains"], "_organizational", counted)
    assert not group.may_align("stranger.example.net") and group.may_align("x.hosted3.example")
    assert len(asked) <= 4
