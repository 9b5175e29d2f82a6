"""Law 7: what takes time is done once a message, in its whole way through the gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dkimgate.authres import authentication_results
from dkimgate.evidence import misled_verifiers, our_signatures, spam
from dkimgate.gate import engine
from dkimgate.gate.engine import Engine
from tests.laws.attack_world import WIRINGS, Attempt, Forwarder

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
