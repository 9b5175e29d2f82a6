"""Law 7: what takes time is done once a message, in its whole way through the gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dkimgate.authres import authentication_results
from dkimgate.evidence import misled_verifiers, our_signatures, spam
from dkimgate.facts import Disposition
from dkimgate.gate import engine
from dkimgate.gate.engine import Engine
from dkimgate.message.message import Connection, HeaderField
from tests.laws.attack_world import AUTHOR, BORDER, STRANGER, WIRINGS, Attempt, Forwarder
from tests.world.host import policy
from tests.world.mail import REINJECTED, fields

SIGNED = "DKIM-Signature: v=1; a=rsa-sha256; d=hosted.example; s=gate; h=from; bh=AAAA; b=AAAA\nX-Spam-Status: No\nX-DMARC-Result: none\n"


def counted(calls: Counter[str], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        calls[f"{name} {given[0] if isinstance(given[0], str) else ''}".strip()] += 1
        return function(*given, **named)

    return call


@pytest.mark.parametrize("wiring", ["verified, SPF passes", "misled", "inbound, verified", "checked by the gate"])
def test_once_a_message(wiring: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forwarder = Forwarder(tmp_path / "gate", WIRINGS[wiring], "shipped")
    calls: Counter[str] = Counter()
    for module, name in (
        (authentication_results, "read"),
        (misled_verifiers, "odd_words"),
        (misled_verifiers, "offers_a_pass"),
        (our_signatures, "look_for"),
        (spam, "verdicts_of"),
        (engine, "strict_dkim"),
        (Engine, "_earns"),
    ):
        monkeypatch.setattr(module, name, counted(calls, name, getattr(module, name)))
    forwarder.departs(Attempt(SIGNED, wiring))
    assert calls["look_for"] == calls["_earns"] == calls["verdicts_of"] == 1
    assert set(calls.values()) == {1}, calls


REMOVING = "version: 1\nrules: [{name: all, when: {risk: '>= 0'}, remove: [X-Offer, X-Other]}]\n"
READ_BY_THE_MTA = 600_000
"""Fields. cleanup(8) reads its header anew for each one that is taken off: some 10 million a second."""


@pytest.mark.parametrize("above", [0, 1000, 19_000])
@pytest.mark.parametrize(
    ("name", "wiring", "client"),
    [
        ("X-Dkimgate-Passport", "inbound", STRANGER),
        ("X-Dkimgate-Passport", "checked by the gate", REINJECTED),
        ("X-Dkimgate-Passport", "border", STRANGER),
        ("X-Spam-A", "border", STRANGER),
        ("X-Offer", "checked by the gate", REINJECTED),
    ],
)
def test_law_7_the_mta_is_not_sent_through_a_long_header_again_and_again(
    name: str, wiring: str, client: Connection, above: int, tmp_path: Path
) -> None:
    forwarder = Forwarder(tmp_path / "gate", WIRINGS[wiring], "shipped")
    if name == "X-Offer":
        forwarder.gate.policy = policy(REMOVING)
    border, author = fields(BORDER), fields(AUTHOR)
    between = (HeaderField(b"X-A", b" y"),) * above
    role = "border" if wiring == "border" else "gate"
    for number, expected in ((3, 3), (990, None)):
        header = (*border, *between, *(HeaderField(name.encode(), b" v=1"),) * number, *author)
        outcome = forwarder.send(header, client, b"", role=role)
        if outcome.disposition is not Disposition.DEFER:
            assert sum(at + 1 for at in outcome.remove) <= READ_BY_THE_MTA
        if expected is not None:
            assert len(outcome.remove) == expected
