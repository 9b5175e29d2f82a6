"""dkimgate as the forwarder's border, alone on a port: what Postfix takes off and adds at its word, and what the gate then believes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.chain import dkimgate_signer, mail, scenarios, world
from tests.chain.harness import Chain
from tests.chain.servers import BORDER_PORT

pytestmark = pytest.mark.servers

OURS = f"{world.HOSTED}/{world.GATE_SELECTOR}"
FORGERIES = [scenarios.forgery, scenarios.dressed_forgery, scenarios.rerouted_forgery]


@pytest.fixture
def bordered(gated: Chain) -> Chain:
    """The chain with dkimgate; what is sent goes to the port of its border."""
    return replace(gated, port=BORDER_PORT)


@pytest.mark.parametrize("forge", FORGERIES)
def test_a_forgery_is_found_out_by_the_border_alone(bordered: Chain, forge: scenarios.Scenario) -> None:
    got = forge(bordered, world.HOSTED)
    border, gate = dkimgate_signer.records(bordered.folder, got.message_id)
    assert (border["decision"]["rule"], border["origin"], border["arrival"]["dmarc"]) == ("border", "inbound", "fail")
    assert border["arrival"]["spf"] != "pass"
    assert (gate["origin"], gate["arrival"]["dmarc"], gate["decision"]["sign"]) == ("forwarded", "fail", "none")
    assert OURS not in got.signatures()
    assert got.departure("dmarc") == "fail"


def test_what_the_attacker_wrote_in_our_name_is_gone(bordered: Chain) -> None:
    got = scenarios.dressed_forgery(bordered, world.HOSTED)
    stated = [text for text in got.fields("Authentication-Results") if text.startswith(world.FORWARDER)]
    assert len(stated) == 1 and "dmarc=fail" in stated[0]
    assert not got.fields("X-Spam-Status") and not got.fields("X-Dkimgate-Passport")


def test_mail_of_another_server_of_ours_is_signed_again(bordered: Chain) -> None:
    got = scenarios.from_other_server(bordered, "Hello, here is the recipe you asked for.")
    border, gate = dkimgate_signer.records(bordered.folder, got.message_id)
    assert (border["arrival"]["dmarc"], gate["arrival"]["dmarc"]) == ("pass", "pass")
    assert "X-Dkimgate-Passport" in {claim["field"] for claim in gate["claims"] if claim["standing"] == "trusted"}
    assert OURS in got.valid_signatures()
    assert (got.departure("dmarc"), got.fields("X-Dkimgate-Passport")) == ("pass", [])


def test_a_strangers_good_mail_goes_through_untouched(bordered: Chain) -> None:
    got = scenarios.from_stranger(bordered, "Hello, here is the recipe you asked for.")
    assert OURS not in got.signatures()
    assert got.departure("dmarc") == "pass"


def test_the_envelope_is_checked_where_it_is_seen(bordered: Chain) -> None:
    """A message without a signature, from an address that good.example's SPF lists: on its second way nobody could know that."""
    letter = mail.letter(f"alice@{world.GOOD}", f"friend@{world.HOSTED}", text="Hello.")
    got = bordered.send(letter, client=world.GOOD_HOST, recipient=f"friend@{world.HOSTED}")
    border, gate = dkimgate_signer.records(bordered.folder, got.message_id)
    assert (border["arrival"]["spf"], border["arrival"]["dmarc"]) == ("pass", "pass")
    assert gate["arrival"]["dmarc"] == "pass"
