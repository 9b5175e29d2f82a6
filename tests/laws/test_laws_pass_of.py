"""A list that changes From and hands its posts to sendmail(1): only the operator's word signs them, and only with a ground."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.laws.attack_world import Attempt, Forwarder, Wiring, aligned
from tests.world.host import policy

US = "Authentication-Results: mx.forwarder.example; "
OUR_PASS = US + "dmarc=pass (p=none dis=none) header.from=attacker.example\n"
SPF = US + "spf=pass smtp.mailfrom=ann@attacker.example\n"
FAIL_ELSEWHERE = "Authentication-Results: mx.elsewhere.example; dmarc=fail header.from=hosted.example\n"
QUOTED = SPF.replace("ann@", '"ann; x"@')

POLICY = """
version: 1
allow_laundering: [list-posts-by-sendmail]
laundering_reason: only the lists change From on this host
rules:
  - name: list-posts-by-sendmail
    when: {origin: forwarded, arrival.pass_of: present, arrival.dmarc: unknown, from: hosted.example, spam: false}
    sign: author
default: {sign: none, envelope: unalign, otherwise: hold}
"""


@pytest.mark.parametrize(
    ("above", "fields", "signed", "pass_of"),
    [
        # nothing that a sender can't have talked our verifier into, or a local program written, is reason for the pass
        (OUR_PASS + SPF, "", False, None),
        (OUR_PASS, "", False, None),
        (OUR_PASS + QUOTED, "", False, None),
        (SPF, "", False, None),
        # what the sender wrote, below the border
        ("", OUR_PASS + SPF, False, None),
        (OUR_PASS + SPF, FAIL_ELSEWHERE, False, None),
        (OUR_PASS + SPF, "X-Spam-Status: Yes, score=9.0 required=5.0\n", False, None),
    ],
)
def test_a_list_that_changed_from(tmp_path: Path, above: str, fields: str, signed: bool, pass_of: str | None) -> None:
    forwarder = Forwarder(tmp_path / "gate", Wiring(above + "{}"), "shipped")
    assert not aligned(forwarder.departs(Attempt(fields))), "the shipped policy signs none of it"
    forwarder.gate.policy = policy(POLICY)
    assert bool(aligned(forwarder.departs(Attempt(fields)))) is signed
    record = forwarder.record
    assert record["arrival"]["pass_of"] == pass_of
    told = f"From was changed after that: the message arrived with the DMARC pass of {pass_of}"
    assert (told in record["origin_why"]) is (pass_of is not None)
