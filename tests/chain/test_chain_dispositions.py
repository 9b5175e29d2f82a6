"""What Postfix makes of a disposition, in smtpd_milters and in non_smtpd_milters; and the policies that are shipped, at work."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from chain import mail, world
from chain.mail import GTUBE, Letter
from chain.namespace import ChainError, wait_until
from chain.senders import Sent
from chain.ways import DISPOSING, SHIPPED, Way, Ways, at_once, forged, own, sent, submitted

pytestmark = pytest.mark.servers


def letter_of(disposition: str) -> Letter:
    """A message by whose sender the policy in disposing.yaml knows what to do with it."""
    return mail.letter(f"{disposition}@{world.HOSTED}", world.VICTIM)


@pytest.fixture
def way(every_way: Ways) -> Way:
    """The forwarder whose gate has that policy."""
    return every_way[DISPOSING]


def submit(way: Way, letter: Letter) -> str:
    """To port 587, where the gate stands in smtpd_milters. Gives the dialogue where it fails, else nothing."""
    try:
        way.hand_in_with_password(letter, user=f"friend@{world.HOSTED}")
    except ChainError as error:
        return str(error)
    return ""


def test_probe(way: Way) -> None:
    for what in ("hold", "defer", "reject", "discard"):
        a, b = letter_of(what), letter_of(what)
        print(what, submit(way, a)[-600:])
        way.hand_in_locally(b)
        way.decided(b)
        print(way.record(a)["queue_id"], way.record(b)["queue_id"])
    import time

    time.sleep(3)
    print(way.queue())
    print(way.log())
    print(way.namespace.run("sh", "-c", f"ls {way.forwarder.folder}/queue/maildrop; cat {way.folder}/home/new/*"))
    raise AssertionError
