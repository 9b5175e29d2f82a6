"""What Postfix makes of a disposition; and the policies that are shipped, at work.

What becomes of `reject` and `defer` where nobody hears them stands in test_chain_sendmail.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import dkim
import pytest

from tests.chain import mail, world
from tests.chain.mail import Letter
from tests.chain.namespace import ChainError, wait_until
from tests.chain.senders import Sent
from tests.chain.ways import DISPOSING, HELD, SHIPPED, Hand, Way, Ways, at_once, forged, own, sent, submitted

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


def in_queue(way: Way, letter: Letter) -> list[str]:
    """The names of the queues that hold mail of its sender."""
    return [entry["queue_name"] for entry in way.queue() if entry["sender"] == letter.author]


def log_of(way: Way, letter: Letter) -> str:
    """The lines of Postfix's log that name its queue id."""
    queue_id = way.record(letter)["queue_id"]
    return "\n".join(line for line in way.log().splitlines() if f"{queue_id}: " in line)


@pytest.mark.parametrize(
    "hand_in", [submit, lambda way, letter: way.hand_in_locally(letter)], ids=["smtpd", "non_smtpd"]
)
def test_hold_keeps_a_message_until_somebody_releases_it(way: Way, hand_in: Callable[[Way, Letter], object]) -> None:
    letter = letter_of("hold")
    hand_in(way, letter)
    way.wait_until_held(letter)
    record = way.record(letter)
    assert record["decision"]["text"] == "look at hosted.example first"
    assert "milter triggers HOLD action" in log_of(way, letter) or "look at hosted.example first" in log_of(way, letter)
    way.namespace.run("postsuper", "-c", way.forwarder.etc, "-H", record["queue_id"])
    way.namespace.run("postqueue", "-c", way.forwarder.etc, "-f")
    got = way.receive(letter)
    assert got.valid_signatures() == [f"{world.HOSTED}/{world.GATE_SELECTOR}"], "it was signed before it was held"


@pytest.mark.parametrize(
    ("disposition", "reply"),
    [
        ("defer", r"451 4\.7\.1 come again with hosted\.example"),
        ("reject", r"550 5\.7\.1 nobody writes as hosted\.example"),
    ],
)
def test_a_client_hears_it(way: Way, disposition: str, reply: str) -> None:
    letter = letter_of(disposition)
    assert re.search(rf"<\*\* {reply}", submit(way, letter))
    assert way.record(letter)["decision"]["disposition"] == disposition


@pytest.mark.parametrize(
    "hand_in", [submit, lambda way, letter: way.hand_in_locally(letter)], ids=["smtpd", "non_smtpd"]
)
def test_discard_says_yes(way: Way, hand_in: Callable[[Way, Letter], object]) -> None:
    letter = letter_of("discard")
    assert not hand_in(way, letter)
    way.decided(letter)
    wait_until(lambda: "milter triggers DISCARD action" in log_of(way, letter), "Postfix does not discard it", 30)
    assert in_queue(way, letter) == []
    way.sendmail(mail.letter(f"friend@{world.HOSTED}", world.VICTIM))
    assert not way.arrived(letter), "what came after it has arrived"


@pytest.mark.parametrize(
    "hand_in", [submit, lambda way, letter: way.hand_in_locally(letter)], ids=["smtpd", "non_smtpd"]
)
def test_the_header_leaves_as_it_was_changed_and_signed(way: Way, hand_in: Callable[[Way, Letter], object]) -> None:
    """Postfix counts the fields of one name, in any case, and without its own Received: also those of several records."""
    long = "x" * 900
    more = (
        "x-offer: 1",
        f"X-OFFER: {long}\r\n\t{long}\r\n {long}",
        "X-Offers: stays",
        "X-Offer:3",
        "x-rule : forged",
        "X-oFFER:",
        "Keywords: a",
    )
    letter = mail.letter(f"change@{world.HOSTED}", world.VICTIM, more=more)
    hand_in(way, letter)
    got = way.receive(letter)
    assert (got.fields("X-Offer"), got.fields("X-Rule")) == (["none"], ["change"])
    assert (got.fields("Subject"), got.fields("X-Offers"), got.fields("Keywords")) == (
        ["[change] Minutes of the meeting"],
        ["stays"],
        ["a"],
    )
    assert got.valid_signatures() == [f"{world.HOSTED}/{world.GATE_SELECTOR}"]
    assert way.record(letter)["decision"]["not_done"] == []


# the policies that are shipped

FRIEND, LISTED, BOSS = f"friend@{world.HOSTED}", f"friend@{world.HOSTED_SPF}", f"boss@{world.PARTNER}"

BAD: dict[str, Hand] = {
    "forged": forged(FRIEND),
    "forged, in its SPF": forged(LISTED),
    "a stranger forged who lists us": forged(BOSS),
}
GOOD: dict[str, Hand] = {
    "a user of ours": submitted(world.HOSTED),
    "a program of ours": own(world.HOSTED),
    "our user elsewhere": sent(FRIEND, world.ATTACKER, selector=world.OWN_SELECTOR),
    "a stranger": sent(f"alice@{world.GOOD}", world.GOOD_HOST, selector=world.OWN_SELECTOR),
}
KINDS = BAD | GOOD

LAUNDERED = dict.fromkeys(BAD, "pass")
REWRITTEN = dict.fromkeys(BAD, "fail")
STOPPED = dict.fromkeys(BAD, HELD)
OUTCOMES = {
    "hosting-provider": REWRITTEN,
    "mailing-list-host": REWRITTEN,
    "observe": LAUNDERED,
    "outbound-relay": STOPPED,
    "strict": STOPPED,
    "university-aliases": {"forged": HELD, "forged, in its SPF": HELD, "a stranger forged who lists us": "fail"},
}
"""What becomes of bad mail under each. Good mail departs with a pass under all."""

SEALING = ("hosting-provider", "mailing-list-host", "university-aliases")


@pytest.fixture(scope="module")
def handed(every_way: Ways) -> dict[tuple[str, str], Sent]:
    """Every kind by every policy."""
    passages = [(policy, kind) for policy in SHIPPED for kind in KINDS]
    return at_once(
        {(policy, kind): lambda policy=policy, kind=kind: KINDS[kind](every_way[policy]) for policy, kind in passages}
    )


def test_no_policy_is_left_out() -> None:
    assert set(OUTCOMES) == set(SHIPPED)


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("policy", OUTCOMES)
def test_bad_mail(every_way: Ways, handed: dict[tuple[str, str], Sent], policy: str, kind: str) -> None:
    way, letter = every_way[policy], handed[policy, kind].letter
    expected = OUTCOMES[policy][kind]
    if expected == HELD:
        way.wait_until_held(letter)
        assert not way.arrived(letter)
        return
    got = way.receive(letter)
    assert (got.arrival("dmarc"), got.departure("dmarc")) == ("fail", expected)
    rewritten = f"@{world.UNALIGN}>" in got.fields("Return-Path")[0]
    assert rewritten == (policy != "observe" and kind != "forged")
    assert way.record(letter)["decision"]["mode"] == ("observe" if policy == "observe" else "enforce")


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("policy", OUTCOMES)
def test_good_mail(every_way: Ways, handed: dict[tuple[str, str], Sent], policy: str, kind: str) -> None:
    way, passed = every_way[policy], handed[policy, kind]
    got = way.receive(passed.letter)
    assert got.departure("dmarc") == "pass"
    assert got.fields("Return-Path") == [f"<{passed.letter.author}>"]
    assert way.record(passed.letter)["departure"]["dmarc"] == "pass"


@pytest.mark.parametrize("kind", ["a stranger forged who lists us", "our user elsewhere", "a stranger"])
@pytest.mark.parametrize("policy", SEALING)
def test_what_passes_through_is_sealed_and_the_seal_holds_at_the_receiver(
    every_way: Ways, handed: dict[tuple[str, str], Sent], policy: str, kind: str
) -> None:
    way = every_way[policy]
    got = way.receive(handed[policy, kind].letter)
    record = way.record(handed[policy, kind].letter)
    assert (record["decision"]["seal"], record["decision"]["unsealed"], len(got.fields("ARC-Seal"))) == (True, None, 1)
    published = way.keys.record(world.FORWARDER_DOMAIN, world.GATE_SELECTOR).encode()
    result, _, why = dkim.arc_verify(got.raw.replace(b"\n", b"\r\n"), dnsfunc=lambda *_, **__: published)
    assert result == b"pass", why
    assert f"dmarc={got.arrival('dmarc')}" in got.fields("ARC-Authentication-Results")[0]


@pytest.mark.parametrize("policy", SEALING)
def test_a_strangers_mail_bears_the_forwarders_own_signature(
    every_way: Ways, handed: dict[tuple[str, str], Sent], policy: str
) -> None:
    got = every_way[policy].receive(handed[policy, "a stranger"].letter)
    assert got.valid_signatures() == [
        f"{world.FORWARDER_DOMAIN}/{world.GATE_SELECTOR}",
        f"{world.GOOD}/{world.OWN_SELECTOR}",
    ]
