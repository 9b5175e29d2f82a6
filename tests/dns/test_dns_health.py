"""A dead resolver is told, once an hour; a sender whose own name servers are dead is not worth a line."""

from __future__ import annotations

from dkimgate.dns.health import AGAIN, FAILURES, Health
from dkimgate.log import Level


class World:
    """A clock and a log."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.lines: list[tuple[str, Level]] = []
        self.health = Health(lambda: self.now, lambda text, level: self.lines.append((text, level)))

    def fails(self, times: int, seconds: float = 5.0) -> None:
        for _ in range(times):
            self.now += seconds
            self.health.failed("TXT hosted.example: no answer in time")


def test_a_dead_resolver_is_told_once_an_hour() -> None:
    world = World()
    world.fails(FAILURES - 1)
    assert world.lines == []
    world.fails(100)
    [(text, level)] = world.lines
    assert (
        level is Level.ERROR and "does not answer" in text and "hosted.example" in text and "verify.nameservers" in text
    )
    world.fails(1, AGAIN)
    assert len(world.lines) == 2
    world.health.answered()
    assert world.lines[-1] == ("DNS answers again", Level.INFO)
    world.health.answered()
    assert len(world.lines) == 3


def test_one_sender_with_dead_name_servers_is_not() -> None:
    world = World()
    for _ in range(100):
        world.fails(FAILURES - 1)
        world.health.answered()
    world.fails(FAILURES * 2, 0.001)
    assert world.lines == [], "a burst of a second is no outage"
