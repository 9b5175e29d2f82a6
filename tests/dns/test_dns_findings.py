"""What is found out from answers is found out once, for as long as they are the same."""

from __future__ import annotations

from dkimgate.dns import findings
from dkimgate.dns.findings import Finding, Findings
from dkimgate.dns.resolver import Lookup
from tests.world.dns import FakeResolver

NAME = "a.example"


class Counted:
    """Counts the texts of a name, and how often it was asked to."""

    def __init__(self) -> None:
        self.times = 0

    def of(self, lookup: Lookup, name: str = NAME) -> int:
        """How many texts that name has."""

        def find() -> int:
            self.times += 1
            return len(lookup.txt(name).values)

        return lookup.finding(("texts", name), find)


def test_the_next_message_finds_it_there() -> None:
    dns, count = FakeResolver({NAME: {"TXT": ["one", "two"]}}, kept={}), Counted()
    assert [count.of(dns.lookup()) for _ in range(3)] == [2, 2, 2]
    assert count.times == 1 and len(dns.asked) == 1


def test_another_answer_is_looked_at() -> None:
    zone = {NAME: {"TXT": ["one", "two"]}}
    dns, count = FakeResolver(zone, kept={}), Counted()
    count.of(dns.lookup())
    zone[NAME] = {"TXT": ["one"]}
    assert count.of(dns.lookup()) == 2, "the answer has not expired"
    assert dns.kept is not None
    dns.kept.clear()  # it has
    assert count.of(dns.lookup()) == 1
    assert count.of(dns.lookup()) == 1
    assert count.times == 2


def test_what_this_message_was_told_holds_for_all_of_it() -> None:
    """The answers that it saw count, even where the cache has others by now."""
    zone = {NAME: {"TXT": ["one", "two"]}}
    dns, count = FakeResolver(zone, kept={}), Counted()
    lookup = dns.lookup()
    assert count.of(lookup) == 2
    zone[NAME] = {"TXT": ["one"]}
    assert dns.kept is not None
    dns.kept.clear()
    assert count.of(dns.lookup()) == 1
    assert count.of(lookup) == 2


def test_a_failure_is_no_finding() -> None:
    failing = FakeResolver({}, frozenset({NAME}), kept={})
    count = Counted()
    assert [count.of(failing.lookup()) for _ in range(2)] == [0, 0]
    assert count.times == 2


def test_without_findings_everything_is_found_out_anew() -> None:
    dns, count = FakeResolver({NAME: {"TXT": ["one"]}}), Counted()
    assert [count.of(dns.lookup()) for _ in range(2)] == [1, 1]
    assert count.times == 2


def test_a_stranger_does_not_choose_how_much_is_kept() -> None:
    kept: Findings[tuple[str, str]] = Findings(entries=3)
    for number in range(10):
        kept.put(number, Finding(number, ()))
        kept.get(0)
    assert [number for number in range(10) if kept.get(number) is not None] == [0, 8, 9], "what is used stays"
    answers = tuple(((f"n{number}.example", "TXT"), None) for number in range(findings.MOST_ANSWERS + 1))
    kept.put("long", Finding(1, answers))
    assert kept.get("long") is None
