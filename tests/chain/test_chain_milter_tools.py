"""The daemon, as miltertest sees it: macros and addresses that Postfix would send, and some that it would not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chain import dkimgate_signer, mail, miltertest, world
from tests.chain.harness import Chain
from tests.chain.mail import Letter, tag
from tests.chain.miltertest import LOCALHOST, Client

pytestmark = pytest.mark.servers

FRIEND = f"friend@{world.HOSTED}"

BORDER = (
    f"Received: from {world.ATTACKER} ({world.ATTACKER} [{world.ADDRESSES[world.ATTACKER]}])\r\n"
    f"\tby {world.FORWARDER} (Postfix) with ESMTP id 6C50B20E4FC\r\n"
    f"\tfor <{FRIEND}>; Sat, 21 Nov 2026 17:17:07 +0000 (UTC)"
)
ARRIVED_WITH_FAIL = (
    f"Authentication-Results: {world.FORWARDER}; dmarc=fail (p=quarantine dis=none) header.from={world.HOSTED}"
)
SPF_PASSED = f"Authentication-Results: {world.FORWARDER}; spf=pass smtp.mailfrom={FRIEND}"
ARRIVED_WITH_PASS = (
    f"Authentication-Results: {world.FORWARDER}; dmarc=pass (p=quarantine dis=none) header.from={world.HOSTED}"
)


def record_of(chain: Chain, letter: Letter) -> dict[str, Any]:
    """The one record of a message."""
    records = dkimgate_signer.records(chain.folder, letter.message_id)
    assert len(records) == 1, f"one message, one record: {records}"
    return records[0]


@pytest.mark.parametrize(
    ("client", "more", "origin"),
    [
        pytest.param(LOCALHOST, (), "local", id="made on this host"),
        pytest.param(
            Client("laptop.example", "203.0.113.77", FRIEND, "ORIGINATING"), (), "submitted", id="with a password"
        ),
    ],
)
def test_what_earned_it_is_signed(gated: Chain, client: Client, more: tuple[str, ...], origin: str) -> None:
    letter = mail.letter(FRIEND, world.VICTIM, more=more)
    (signature,) = miltertest.signatures(gated, letter, client)
    assert (tag(signature, "d"), tag(signature, "s")) == (world.HOSTED, world.GATE_SELECTOR)
    assert miltertest.verifies(gated, letter, signature)
    record = record_of(gated, letter)
    assert (record["origin"], record["queue_id"], record["client"]["auth"]) == (origin, "4F2A7C9E01", client.auth)
    assert dkimgate_signer.signatures(record) == [f"{world.HOSTED}/{world.GATE_SELECTOR}"]


OUTSIDER = Client(world.ATTACKER, world.ADDRESSES[world.ATTACKER])


@pytest.mark.parametrize(
    ("client", "more"),
    [
        pytest.param(LOCALHOST, (ARRIVED_WITH_FAIL, BORDER), id="forwarded, arrived with fail"),
        pytest.param(LOCALHOST, (BORDER,), id="forwarded, nobody looked"),
        pytest.param(
            LOCALHOST,
            (ARRIVED_WITH_PASS, SPF_PASSED, BORDER),
            id="forwarded, a pass without the passport that is demanded",
        ),
        pytest.param(LOCALHOST, (BORDER, ARRIVED_WITH_PASS), id="forwarded, pass written by the sender"),
        pytest.param(LOCALHOST, (ARRIVED_WITH_PASS, ARRIVED_WITH_FAIL, BORDER), id="forwarded, pass and fail"),
        pytest.param(OUTSIDER, (), id="straight from outside"),
        pytest.param(OUTSIDER, (ARRIVED_WITH_PASS,), id="straight from outside, pass written by the sender"),
        pytest.param(Client("localhost", OUTSIDER.ip), (), id="from outside, calling itself localhost"),
        pytest.param(
            Client(OUTSIDER.name, OUTSIDER.ip, None, "ORIGINATING"),
            (),
            id="from outside, without a password, to the submission service",
        ),
    ],
)
def test_what_did_not_is_not(gated: Chain, client: Client, more: tuple[str, ...]) -> None:
    letter = mail.letter(FRIEND, world.VICTIM, more=more)
    assert miltertest.signatures(gated, letter, client) == []
    record = record_of(gated, letter)
    assert record["origin"] in ("forwarded", "inbound")
    assert record["decision"]["sign"] == "none"
    assert dkimgate_signer.signatures(record) == []
    assert record["error"] is None


def test_one_connection_more_does_not_carry_over(gated: Chain) -> None:
    """A forgery behind an own message of the same text: nothing of the first stays for the second."""
    own = mail.letter(FRIEND, world.VICTIM)
    forged = mail.letter(FRIEND, world.VICTIM, more=(ARRIVED_WITH_FAIL, BORDER))
    assert len(miltertest.signatures(gated, own, LOCALHOST)) == 1
    assert miltertest.signatures(gated, forged, LOCALHOST) == []
