"""A chain outlives smtp(8), which breaks long lines: what a seal covers is folded at white space, as what a signature covers is."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkimgate.arc.validate import Validation
from dkimgate.message.lines import sent
from dkimgate.message.message import HeaderField
from tests.arc.sealing import LETTER, PASS, SIGNED, Mail, chain_of, mail
from tests.gate.test_gate_seal import ARRIVED, Sealer, verified
from tests.world.mail import BORDER

LONG = PASS + " (" + "a-long-word " * 200 + ")"
NAMES = SIGNED + " : x-not-there" * 150


def on_the_wire(host: Sealer, message: Mail) -> Mail:
    """The message as it leaves, with what the gate changes and adds, and behind Postfix's smtp(8)."""
    left = host.forward(message)
    return Mail(tuple(sent(field, 998) for field in left.header), left.body)


def bare(field: HeaderField) -> bytes:
    return b" ".join(field.value.split())


@pytest.mark.parametrize("what", ["results", "message", "nothing"])
def test_a_chain_with_a_long_line_is_sealed_and_holds(what: str, tmp_path: Path) -> None:
    before = mail(ARRIVED % b"pass" + BORDER.encode() + LETTER)
    match what:
        case "results":
            arrived = before.sealed(results=LONG)
        case "message":
            arrived = before.sealed(h=NAMES)
        case _:
            arrived = before.sealed()
    assert verified(arrived) == "pass"
    host = Sealer(tmp_path)
    leaving = on_the_wire(host, arrived)
    assert host.decision["seal"] is True and host.decision["unsealed"] is None
    assert len(chain_of(leaving).sets) == 2
    assert (verified(leaving), chain_of(leaving).cv) == ("pass", Validation.PASS)


def test_a_chain_that_is_not_sealed_here_holds_too(tmp_path: Path) -> None:
    arrived = mail(ARRIVED % b"pass" + BORDER.encode() + LETTER).sealed(results=LONG)
    host = Sealer(tmp_path, "{name: all, sign: none}")
    leaving = on_the_wire(host, arrived)
    assert [bare(field) for field in leaving.header] == [bare(field) for field in arrived.header]
    assert (verified(leaving), chain_of(leaving).cv) == ("pass", Validation.PASS)
    assert "ARC-Authentication-Results" in host.decision["folded"]
