"""Refusals that nobody hears: what rules ask for where a message comes from sendmail(1), through Postfix's
`non_smtpd_milters`."""

from __future__ import annotations

from collections.abc import Iterator

from dkimgate.facts import Disposition, EnvelopeAction, Origin
from dkimgate.policy.language.model import Leaf, Not, Policy, Present, Rule, Word
from dkimgate.policy.proof.budget import TooHardError
from dkimgate.policy.proof.prover import Prover

# what holds of all mail that comes that way: there is neither an SMTP session nor a login
_BY_SENDMAIL = (
    Leaf("origin", tuple(Word(str(origin)) for origin in (Origin.LOCAL, Origin.RELAYED, Origin.FORWARDED))),
    Not(Leaf("client.auth", (Present(),))),
)

# seen with Postfix 3.7: cleanup(8) has CLEANUP_STAT_CONT bounced, and CLEANUP_STAT_DEFER makes pickup(8) keep the file
_INSTEAD = {
    Disposition.REJECT: "Postfix sends a bounce to the envelope sender, which a forger chooses (backscatter), and "
    "deletes the message if that sender is null",
    Disposition.DEFER: "sendmail(1) has reported success already, and the message stays in the maildrop queue. Postfix "
    "tries it again every minute, without end, and each try makes a record",
}


def refusals(policy: Policy) -> Iterator[tuple[Rule, str, str]]:
    """The rules that may refuse such mail: each with the words of the file, and with what Postfix does instead."""
    prover = Prover(policy)
    for index, rule in enumerate(policy.all_rules):
        if policy.mode_of(rule) == "observe" or not _takes(prover, index):
            continue
        if rule.disposition in _INSTEAD:
            yield rule, f"disposition: {rule.disposition}", _INSTEAD[rule.disposition]
        elif rule.envelope is not EnvelopeAction.KEEP and rule.otherwise in _INSTEAD:
            yield rule, f"otherwise: {rule.otherwise}", _INSTEAD[rule.otherwise]


def _takes(prover: Prover, index: int) -> bool:
    """May such mail come to the rule?"""
    try:
        return prover.witness(index, *_BY_SENDMAIL) is not None
    except TooHardError:
        return True
