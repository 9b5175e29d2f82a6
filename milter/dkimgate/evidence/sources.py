"""The sources of evidence: the header fields that are read, and what follows for everybody else who touches them.

A new source is one row. The walk along the Received fields (`route`), the border (`gate.stripping`), the checks of a
policy's `add` and `remove` (`policy.language.actions`), the search for words of a sender in what our verifiers write
(`misled_verifiers`) and the list of what our milters insert (`below_border`) take their names from here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from dkimgate.arc import fields as arc
from dkimgate.evidence.results_elsewhere import states_results
from dkimgate.evidence.spam_fields import of_a_filter, scale_of


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of header fields. All names are in lower case.

    `names`: the fields. `is_one`: the same by the form of the name, where no list is ever whole.
    `stripped`: a border takes off every field whose name begins so, whoever it names as its writer.
    `stripped_in_our_name`: a border takes off those that name a host of ours as their writer.
    `tells_a_journey`: a message gets such a field on its way between hosts, so it did not begin where one is found.
    `printed`: our verifiers copy words of such a field into results of their own.
    `verdict`: it says how the message arrived. A policy can't remove it: a message that comes back to us would look
    better than it arrived, and would be signed for it.
    `addable`, `removable`: a policy may do that with it.
    `inserted_by`: name and programs, where milters of ours insert it directly below the newest Received field."""

    what: str
    names: tuple[str, ...] = ()
    is_one: Callable[[str], bool] | None = None
    stripped: str | None = None
    stripped_in_our_name: bool = False
    tells_a_journey: bool = False
    printed: bool = False
    verdict: bool = False
    addable: bool = False
    removable: bool = False
    inserted_by: tuple[tuple[str, str], ...] = ()

    def holds(self, key: str) -> bool:
        """Is a field of that name, in lower case, of this source?"""
        return key in self.names or (self.is_one is not None and self.is_one(key))


RESULTS = Source(
    "authentication results, in the name of their writer (RFC 8601)",
    names=("authentication-results",),
    stripped_in_our_name=True,  # RFC 8601 section 5; of the rest, what hurts is heard
    tells_a_journey=True,
    verdict=True,
    inserted_by=(("authentication-results", "OpenDKIM, OpenDMARC, policyd-spf, rspamd: one field each"),),
)
RECEIVED_SPF = Source(
    "an SPF result, of whoever wrote it (RFC 7208 section 9.1)",
    names=("received-spf",),
    stripped="received-spf",  # OpenDMARC takes any of them for a check of its own host
    tells_a_journey=True,
    verdict=True,
    inserted_by=(("received-spf", "policyd-spf, OpenDMARC"),),
)
_SEALERS = "OpenARC and rspamd seal what they have found on arrival"
# a border leaves ARC fields alone: the seal tells who wrote them, and to take one off breaks the others
ARC_SIGNATURES = Source(
    "the seal and the message signature of an ARC set (RFC 8617)",
    names=(arc.SEAL, arc.MESSAGE_SIGNATURE),
    tells_a_journey=True,
    printed=True,
    inserted_by=((arc.SEAL, _SEALERS), (arc.MESSAGE_SIGNATURE, _SEALERS)),
)
ARC_RESULTS = Source(
    "the authentication results of an ARC set (RFC 8617)",
    names=(arc.RESULTS,),
    tells_a_journey=True,
    inserted_by=((arc.RESULTS, _SEALERS),),
)
SIGNATURE = Source("a DKIM signature (RFC 6376)", names=("dkim-signature",), printed=True)
PASSPORT = Source(
    "the statement of a border of ours for our other hosts",
    names=("x-dkimgate-passport",),
    stripped="x-dkimgate",  # outsiders have none
    tells_a_journey=True,
)
SPAM = Source(
    "the verdict of a spam filter",
    is_one=lambda key: scale_of(key) is not None,
    verdict=True,
    inserted_by=(
        ("x-spam", "rspamd"),
        ("x-spamd-result", "rspamd, extended_spam_headers"),
        ("x-spamd-bar", "rspamd"),
        ("x-spam-flag", "amavis, SpamAssassin"),
        ("x-spam-score", "amavis, rspamd"),
        ("x-spam-level", "amavis, SpamAssassin, rspamd"),
        ("x-spam-status", "amavis, SpamAssassin, rspamd"),
        ("x-rspamd-action", "rspamd"),
        ("x-rspamd-bar", "rspamd"),
        ("x-rspamd-score", "rspamd"),
    ),
)
SPAM_REPORT = Source(
    "what a spam filter writes beside its verdict",
    is_one=of_a_filter,
    removable=True,
    stripped="x-spam",  # SpamAssassin and the filters that file its spam read them, and don't ask who wrote them
    inserted_by=(
        ("x-spam-checker-version", "SpamAssassin"),
        ("x-spam-report", "SpamAssassin"),
        ("x-rspamd-server", "rspamd"),
        ("x-rspamd-queue-id", "rspamd"),
    ),
)

ELSEWHERE = Source("authentication results in other fields", is_one=states_results, verdict=True, addable=True)

ALL = (RESULTS, RECEIVED_SPF, ARC_SIGNATURES, ARC_RESULTS, SIGNATURE, PASSPORT, SPAM, SPAM_REPORT, ELSEWHERE)


def tells_results(key: str) -> bool:
    """May a field of that name, in lower case, state results of DMARC, SPF, DKIM or ARC?"""
    return _known_to_tell(key) if len(key) <= _LONGEST_KNOWN else _known_to_tell.__wrapped__(key)


_LONGEST_KNOWN = 64  # characters: longer names would only fill the cache


@functools.lru_cache(maxsize=4096)
def _known_to_tell(key: str) -> bool:
    return RESULTS.holds(key) or RECEIVED_SPF.holds(key) or ELSEWHERE.holds(key)


def names_of(which: Callable[[Source], bool]) -> frozenset[str]:
    """The names, in lower case, of the fields of every source of which that holds."""
    return frozenset(name for source in ALL if which(source) for name in source.names)
