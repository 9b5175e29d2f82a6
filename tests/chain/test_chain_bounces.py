"""What can't be delivered at the receiver comes home to the sender that was rewritten, by the settings of systemd/README.md."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dkimgate.srs import Secrets, rewrite
from tests.chain import dkimgate_signer, mail, servers, world
from tests.chain.mail import Letter
from tests.chain.namespace import ChainError, wait_until
from tests.chain.ways import GATE, POSTSRSD, Way, Ways, at_once, sent

pytestmark = pytest.mark.servers

WRITER = f"writer@{world.HOSTED_SPF}"
BOSS = f"boss@{world.PARTNER}"
MOVED, LEFT = f"moved@{world.HOSTED}", f"left@{world.HOSTED}"
"""Who forward to an address that the receiver refuses, and to one that it takes mail for and then sends it back."""

BOUNCES = {
    "refused": (GATE, WRITER, MOVED),
    "sent back": (GATE, WRITER, LEFT),
    "refused, of a stranger": (GATE, BOSS, MOVED),
    "sent back, of a stranger": (GATE, BOSS, LEFT),
    "refused, with postsrsd": (POSTSRSD, WRITER, MOVED),
    "refused, of a stranger, with postsrsd": (POSTSRSD, BOSS, MOVED),
}
"""The way, the author and sender, and the recipient."""


@pytest.fixture(scope="module")
def handed(every_way: Ways) -> dict[str, Letter]:
    """A message that the gate rewrites the sender of, for every way in which it may fail."""

    def hand_in(way: str, author: str, recipient: str) -> Letter:
        return sent(author, world.ATTACKER, to=recipient)(every_way[way]).letter

    return at_once({name: lambda which=which: hand_in(*which) for name, which in BOUNCES.items()})


def bounces(way: Way, letter: Letter) -> list[str]:
    """The delivery status notifications about a message, in the mailboxes of the forwarder and of the receiver."""
    boxes = (servers.home(way.folder), way.folder / "receiver/mail/inbox")
    texts = [file.read_text(errors="replace") for box in boxes for file in box.glob("new/*")]
    return [text for text in texts if letter.message_id in text and "Content-Type: multipart/report" in text]


@pytest.mark.parametrize("name", BOUNCES)
def test_the_original_sender_hears_of_it(every_way: Ways, handed: dict[str, Letter], name: str) -> None:
    way, author, _ = BOUNCES[name]
    chain, letter = every_way[way], handed[name]
    wait_until(lambda: bool(bounces(chain, letter)), f"no bounce comes to {author}", 30)
    (bounce,) = bounces(chain, letter)
    assert bounce.startswith("Return-Path: <>\n")
    assert f"\nDelivered-To: {author}\n" in bounce
    rewritten = chain.record(letter)["outgoing"]["sender"]
    assert rewritten.endswith(f"@{world.UNALIGN}")
    assert f"\nTo: {rewritten}\n" in bounce, "recipient_canonical_classes leaves the header alone"
    assert ("remote-mta" in bounce.lower()) == name.startswith("refused"), (
        "who refuses is told by the forwarder, who sends back tells himself"
    )


def said_to(way: Way, recipient: str, sender: str = "<>") -> str:
    """What the forwarder says to a stranger who sends something, a bounce, to that address."""
    options = (
        f"--server={way.forwarder.address}",
        f"--local-interface={world.ADDRESSES[world.GOOD_HOST]}",
        "--quit-after=RCPT",
    )
    try:
        return way.namespace.run(
            "swaks", *options, f"--helo={world.GOOD_HOST}", f"--from={sender}", f"--to={recipient}"
        )
    except ChainError as error:
        return str(error)


def srs(way: Way, sender: str, age: float = 0) -> str:
    """As the gate would rewrite it, so many days ago."""
    secrets = Secrets.load(dkimgate_signer.srs_secret(way.folder))
    made = rewrite(sender, world.UNALIGN, secrets, time.time() - age * 86_400)
    assert isinstance(made, str)
    return made


FORGED: dict[str, Callable[[Way], str]] = {
    "another user": lambda way: srs(way, WRITER).replace("=writer@", "=postmaster@"),
    "another domain": lambda way: srs(way, WRITER).replace(world.HOSTED_SPF, world.PARTNER),
    "a hash that is guessed": lambda _: f"SRS0=AAAA=JK={world.RECEIVER_DOMAIN}=victim@{world.UNALIGN}",
    "a way round by SRS1": lambda _: f"SRS1=AAAA={world.RECEIVER_DOMAIN}==BBBB=JK=good.example=alice@{world.UNALIGN}",
    "too old": lambda way: srs(way, WRITER, age=30),
    "no SRS": lambda _: f"writer@{world.UNALIGN}",
}


@pytest.mark.parametrize("way", [GATE, POSTSRSD])
@pytest.mark.parametrize("how", FORGED)
def test_a_forged_address_is_refused_in_the_session(every_way: Ways, how: str, way: str) -> None:
    chain = every_way[way]
    said = said_to(chain, FORGED[how](chain))
    assert re.search(r"<\*\* 550 5\.1\.1 ", said), said


@pytest.mark.parametrize("way", [GATE, POSTSRSD])
def test_a_true_one_is_taken(every_way: Ways, way: str) -> None:
    """The control: the refusals above are no refusals of everything."""
    chain = every_way[way]
    for sender in (WRITER, BOSS):
        assert re.search(r"<-  250 2\.1\.5 ", said_to(chain, srs(chain, sender)))


@pytest.mark.parametrize("way", [GATE, POSTSRSD])
@pytest.mark.parametrize("sender", [f"friend@{world.HOSTED_SPF}", f"x@{world.ATTACKER}"])
def test_nothing_but_bounces_is_taken(every_way: Ways, sender: str, way: str) -> None:
    """It leaves from the session that it came in by, past a gate in non_smtpd_milters: with a forged sender, and with that a pass."""
    chain = every_way[way]
    said = said_to(chain, srs(chain, BOSS), sender)
    assert re.search(r"<\*\* 554 5\.7\.1 .*nothing but bounces", said), said


@contextmanager
def gate_at_the_door(way: Way) -> Iterator[None]:
    """The gate stands in smtpd_milters of port 25 too, behind those that verify."""
    etc = way.forwarder.etc
    milters = way.namespace.run("postconf", "-c", etc, "-h", "smtpd_milters").strip()
    way.namespace.run("postconf", "-c", etc, "-e", f"smtpd_milters = {milters}, unix:{way.folder / way.gate}.sock")
    way.namespace.run("postfix", "-c", etc, "reload")
    try:
        yield
    finally:
        way.namespace.run("postconf", "-c", etc, "-e", f"smtpd_milters = {milters}")
        way.namespace.run("postfix", "-c", etc, "reload")


def test_a_forgery_of_the_domain_of_our_helo_is_a_bounce_too(every_way: Ways) -> None:
    """With the null sender SPF goes by the name in EHLO: so to the original sender it passes, if no gate sees what is sent on at once."""
    way = every_way[POSTSRSD]
    past, seen = (mail.letter(f"boss@{world.FORWARDER_DOMAIN}", BOSS) for _ in range(2))
    way.hand_in(past, client=world.ATTACKER, recipient=srs(way, BOSS), sender="")
    got = way.receive(past)
    assert (got.arrival("dmarc"), got.departure("dmarc"), way.records(past)) == ("fail", "pass", [])
    with gate_at_the_door(way):
        way.hand_in(seen, client=world.ATTACKER, recipient=srs(way, BOSS), sender="")
        way.wait_until_held(seen)
    assert way.record(seen)["origin"] == "inbound"


def test_a_sender_that_postfix_reads_in_its_own_way_is_held(every_way: Ways) -> None:
    """Milters see the sender as the client wrote it. The gate can't know what Postfix makes of it; were it let go, its SPF would pass."""
    way = every_way[POSTSRSD]
    odd = mail.letter(f"boss@{world.HOSTED_SPF}", MOVED)
    with gate_at_the_door(way):
        way.hand_in(odd, client=world.ATTACKER, recipient=MOVED, sender=f"boss@{world.HOSTED_SPF}(x@{world.ATTACKER})")
        way.wait_until_held(odd)
    record = way.record(odd)
    assert (record["origin"], record["departure"]["dmarc"], record["decision"]["disposition"]) == (
        "inbound",
        "pass",
        "hold",
    )
    assert record["envelope"]["sender"].endswith(")")
