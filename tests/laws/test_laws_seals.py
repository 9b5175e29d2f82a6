"""Law 1 of ARC: our seal makes no broken chain whole, but for a message that arrived with a DMARC pass of its author. dkimpy is the judge.

What stands between the border and the gate may change a message, and may put the sets of another message in the place of its own: a list of
ours does the one, any program of a user may do either.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.arc.sealing import LETTER, LIST, STRANGER, ZONE, Mail, mail
from tests.gate.test_gate_seal import Sealer, verified
from tests.world.host import sent
from tests.world.mail import BORDER, fields

OURS = "Authentication-Results: mx.forwarder.example; arc=pass; "
PASSES = OURS + "spf=pass smtp.mailfrom=author.example; dmarc=pass header.from=author.example\n"
FAILS = OURS + "dmarc=fail header.from=author.example\n"
PASS_ALONE = OURS + "dmarc=pass header.from=author.example\n"
SILENT = OURS.removesuffix("; ") + "\n"
DMARC = {"_dmarc.author.example": {"TXT": ["v=DMARC1; p=reject"]}}
FORGED = {**ZONE, **DMARC, "author.example": {"TXT": ["v=spf1 -all"]}}
GENUINE = {**ZONE, **DMARC, "author.example": {"TXT": ["v=spf1 ip4:192.0.2.66 -all"]}}
PASSPORT = "listen:\n  - {socket: inet:127.0.0.1:8891, role: border}\n  - inet:127.0.0.1:8892\npassport: {secret_file: passport.secret%s}\n"


def another(sent: Mail) -> Mail:
    """The sets of an older message of the same author, which a list that all trust has sealed, in the place of its own."""
    older = mail(LETTER.replace(b"<1@", b"<0@")).sealed(LIST)
    return Mail((*older.header[:3], *sent.header[3:]), sent.body)


CHANGES: dict[str, Callable[[Mail], Mail]] = {
    "nothing": lambda sent: sent,
    "the subject": lambda sent: sent.changed(b"Lunch", b"[list] Lunch"),
    "the body": lambda sent: sent.changed(b"Hello", b"Pay me"),
    "a footer": lambda sent: Mail(sent.header, sent.body + b"-- \r\na list\r\n"),
    "the sets": another,
    "the sets and the body": lambda sent: another(sent.changed(b"Hello", b"Pay me")),
}
WIRINGS = {
    "our verifier finds a fail": (FAILS, None),
    "our verifier finds a pass": (PASSES, None),
    "our verifier finds a pass, and says not why": (PASS_ALONE, None),
    "our verifier says nothing of DMARC": (SILENT, None),
    "a border": ("", ""),
    "a border, and filters may change what they like": ("", ", allow_changes: [shown, body]"),
}

OF_GENUINE_ALONE = ("our verifier finds a pass",)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("genuine", "wiring"),
    [(genuine, each) for genuine in (False, True) for each in WIRINGS if genuine or each not in OF_GENUINE_ALONE],
)
def test_law_1_a_seal_makes_no_broken_chain_whole(change: str, genuine: bool, wiring: str, tmp_path: Path) -> None:
    stated, passport = WIRINGS[wiring]
    host = Sealer(tmp_path, more="" if passport is None else PASSPORT % passport, zone=GENUINE if genuine else FORGED)
    letter = mail().sealed(LIST if genuine else STRANGER)
    above = fields(stated + BORDER)
    if passport is not None:
        above = sent((), host.border(letter.header, body=letter.body), BORDER)
    came = CHANGES[change](letter)
    left = host.forward(Mail((*above, *came.header), came.body))
    assert verified(left) != "pass" or verified(came) == "pass" or genuine
    if change == "nothing":
        assert verified(left) == "pass"
