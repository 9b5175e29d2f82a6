"""dkimgate between real servers: what arrives, what it decides, what it signs, what the receiver concludes, and what its record says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chain import dkimgate_signer, scenarios, world
from tests.chain.harness import Chain
from tests.chain.mail import GTUBE, Delivered

pytestmark = pytest.mark.servers

HAM = "Hello, here is the recipe you asked for."


def record_of(chain: Chain, message: Delivered) -> dict[str, Any]:
    """The one record of a message."""
    records = dkimgate_signer.records(chain.folder, message.message_id)
    assert len(records) == 1, f"one message, one record: {records}"
    record = records[0]
    assert (record["v"], record["error"], record["decision"]["mode"]) == (1, None, "enforce")
    return record


def ours(message: Delivered) -> list[str]:
    """The signatures that the forwarder added."""
    return [signature for signature in message.signatures() if signature.endswith(f"/{world.GATE_SELECTOR}")]


@pytest.mark.parametrize("forge", [scenarios.forgery, scenarios.dressed_forgery, scenarios.rerouted_forgery])
def test_a_forgery_leaves_as_it_came(gated: Chain, forge: scenarios.Scenario) -> None:
    got = forge(gated, world.HOSTED)
    assert got.arrival("dmarc") == "fail"
    assert ours(got) == []
    assert got.departure("dmarc") == "fail"

    record = record_of(gated, got)
    assert (record["from"], record["origin"]) == (world.HOSTED, "forwarded")
    assert record["border"] == {"by": world.FORWARDER, "ip": world.ADDRESSES[world.ATTACKER]}
    assert (record["arrival"]["dmarc"], record["arrival"]["spf"], record["arrival"]["aligned"]) == (
        "fail",
        "fail",
        False,
    )
    assert (record["decision"]["sign"], dkimgate_signer.signatures(record)) == ("none", [])
    assert record["departure"] == {
        "dmarc": "fail",
        "dkim_aligned": False,
        "spf_aligned": False,
        "signature_holds": "none",
    }


@pytest.mark.parametrize("forge", [scenarios.forgery, scenarios.dressed_forgery])
def test_the_second_door_is_closed(gated: Chain, forge: scenarios.Scenario) -> None:
    """Without any signature the receiver would conclude pass, because the domain's SPF lists the forwarder: so the sender is rewritten."""
    got = forge(gated, world.HOSTED_SPF)
    assert got.arrival("dmarc") == "fail"
    assert ours(got) == []
    assert (got.departure("spf"), got.departure("dmarc")) == ("pass", "fail")

    record = record_of(gated, got)
    assert (record["decision"]["sign"], record["decision"]["envelope"], dkimgate_signer.signatures(record)) == (
        "none",
        "unalign",
        [],
    )
    assert record["departure"] == {
        "dmarc": "fail",
        "dkim_aligned": False,
        "spf_aligned": False,
        "signature_holds": "none",
    }
    assert got.fields("Return-Path") == [f"<{record['outgoing']['sender']}>"]


def test_forged_results_count_as_what_anybody_may_write(gated: Chain) -> None:
    """No word in the forwarder's name is believed where a passport is demanded, the forged pass in its name least; what hurts counts."""
    record = record_of(gated, scenarios.dressed_forgery(gated, world.HOSTED))
    dmarc = {(claim["result"], claim["standing"]) for claim in record["claims"] if claim["method"] == "dmarc"}
    assert dmarc == {("fail", "verified"), ("fail", "upstream"), ("pass", "upstream")}
    assert record["arrival"]["dmarc"] == "fail"


def test_forged_spam_is_recorded_as_spam(gated: Chain) -> None:
    got = scenarios.forgery(gated, world.HOSTED, text=GTUBE)
    assert got.spam() == "Yes"
    record = record_of(gated, got)
    assert record["arrival"]["spam"]["flag"] is True
    assert record["arrival"]["spam"]["score"] >= 1000
    assert record["risk"]["score"] > 1000
    assert got.departure("dmarc") == "fail"


@pytest.mark.parametrize("send", [scenarios.from_stranger, scenarios.from_other_server])
def test_spam_that_passes_dmarc_gets_no_signature_of_ours(gated: Chain, send: scenarios.Scenario) -> None:
    got = send(gated, GTUBE)
    assert (got.arrival("dmarc"), got.spam()) == ("pass", "Yes")
    assert ours(got) == []
    record = record_of(gated, got)
    assert (record["arrival"]["dmarc"], record["arrival"]["spam"]["flag"]) == ("pass", True)
    assert (record["decision"]["sign"], dkimgate_signer.signatures(record)) == ("none", [])


def test_a_strangers_good_mail_is_not_signed_in_his_name(gated: Chain) -> None:
    got = scenarios.from_stranger(gated, HAM)
    assert (got.arrival("dmarc"), got.spam()) == ("pass", "No")
    assert got.valid_signatures() == [f"{world.GOOD}/{world.OWN_SELECTOR}"]
    assert got.departure("dmarc") == "pass", "his own signature came through unharmed"
    record = record_of(gated, got)
    assert record["departure"]["dmarc"] == "pass", "and the record foretells it"
    assert (record["origin"], record["arrival"]["dmarc"], record["arrival"]["dkim"], record["arrival"]["aligned"]) == (
        *("forwarded", "pass", "pass"),
        True,
    )
    assert dkimgate_signer.signatures(record) == []


def test_good_mail_of_a_hosted_domain_is_signed_again(gated: Chain) -> None:
    """It arrived with a valid signature of its author domain, so another one promotes nothing."""
    got = scenarios.from_other_server(gated, HAM)
    assert (got.arrival("dmarc"), got.spam()) == ("pass", "No")
    assert got.valid_signatures() == [f"{world.HOSTED}/{world.GATE_SELECTOR}", f"{world.HOSTED}/{world.OWN_SELECTOR}"]
    record = record_of(gated, got)
    assert record["decision"]["sign"] == "author"
    assert record["departure"]["dmarc"] == got.departure("dmarc") == "pass"


@pytest.mark.parametrize("domain", [world.HOSTED, world.HOSTED_SPF])
@pytest.mark.parametrize(
    ("send", "origin", "auth"), [(scenarios.own_mail, "local", False), (scenarios.submitted_mail, "submitted", True)]
)
def test_own_mail_is_signed(gated: Chain, domain: str, send: scenarios.Scenario, origin: str, auth: bool) -> None:
    got = send(gated, domain)
    assert got.valid_signatures() == [f"{domain}/{world.GATE_SELECTOR}"]
    record = record_of(gated, got)
    assert (record["origin"], record["from"], record["border"]) == (origin, domain, None)
    assert record["client"]["auth"] == (f"friend@{domain}" if auth else None)
    assert (record["envelope"]["sender"], record["envelope"]["recipients"]) == (f"friend@{domain}", [world.VICTIM])
    assert (record["decision"]["sign"], dkimgate_signer.signatures(record)) == ("author", got.valid_signatures())
    assert record["departure"] == {
        "dmarc": "pass",
        "dkim_aligned": True,
        "spf_aligned": domain == world.HOSTED_SPF,
        "signature_holds": "yes",
    }
    assert got.departure("dmarc") == "pass"
