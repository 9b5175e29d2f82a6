"""Forgeries that make the forwarder's own OpenDKIM and OpenDMARC say `pass`. dkimgate must not believe them."""

from __future__ import annotations

import pytest

from tests.chain import dkimgate_signer, scenarios, world
from tests.chain.harness import Chain

pytestmark = pytest.mark.servers

_SIGNATURE = (
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=good.example; s=own;\r\n\t{}; h=from; bh=AAAA; b=abcd"
)

MISLEADING = {
    "an SPF result in the forwarder's name": f"Authentication-Results: {world.FORWARDER}; spf=pass smtp.mailfrom={world.HOSTED}",
    "a Received-SPF": f"Received-SPF: pass (x) client-ip=192.0.2.66; envelope-from=friend@{world.HOSTED}; identity=mailfrom",
    "a DKIM identity that holds a DKIM result": _SIGNATURE.format(
        f"i=x@good.example=3B=20dkim=3Dpass=20header.d=3D{world.HOSTED}=20header.i=3D@{world.HOSTED}"
    ),
    "a DKIM identity that holds an SPF result": _SIGNATURE.format(
        f"i=x@good.example=3B=20spf=3Dpass=20smtp.mailfrom=3D{world.HOSTED}=3B=20dkim=3Dnone=20header.i=3Da@good.example"
    ),
}


@pytest.mark.parametrize("field", MISLEADING)
def test_a_forgery_that_misleads_the_verifiers_is_not_signed(gated: Chain, field: str) -> None:
    got = scenarios.forgery(gated, world.HOSTED, MISLEADING[field])
    assert got.arrival("dmarc") == "pass", "OpenDMARC no longer falls for this: the test has lost its point"
    assert f"{world.HOSTED}/{world.GATE_SELECTOR}" not in got.signatures()
    (record,) = dkimgate_signer.records(gated.folder, got.message_id)
    assert record["arrival"]["dmarc"] in ("unknown", "fail")  # where the field is odd, the gate checks for itself
    assert (record["arrival"]["aligned"], record["decision"]["sign"]) == (False, "none")
    assert got.departure("dkim") != "pass"
