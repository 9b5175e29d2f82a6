"""The ARC set of a message: the state of its chain, the results of its arrival, and the key (RFC 8617 section 5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dkimgate.arc import arc_set
from dkimgate.arc.state import chain_state
from dkimgate.config.dkimgate_yaml import Config
from dkimgate.config.problem import Problem
from dkimgate.dkim.keys import SigningKey
from dkimgate.dkim.sent_body import SentBody
from dkimgate.dns.resolver import Lookup
from dkimgate.facts import Assessment, Facts
from dkimgate.gate.key_ring import KeyRing
from dkimgate.gate.results_field import arrival_results
from dkimgate.message.message import HeaderField, Message

# rspamd takes the seal of a sealer whom it trusts for a good word unless the results say dmarc=fail
_TELLING = ("pass", "none", "fail")

_TOKEN = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Sealer:
    """Who seals: a key of the forwarder's domain, and the name under which the results are stated. A body of more
    octets than `body_limit` is not looked at."""

    key: SigningKey
    authserv_id: str
    body_limit: int

    def seal(
        self,
        message: Message,
        facts: Facts,
        leaving: Sequence[HeaderField],
        body: SentBody,
        lookup: Lookup,
        now: float,
    ) -> tuple[tuple[str, bytes], ...] | str:
        """The fields of a set, to go to the top of the header, the first topmost; or why there is none.

        `message` is as it came. `leaving` is the header as it leaves, with our own signatures. `now` is in seconds
        since 1970.
        """
        if message.problem is not None:
            return message.problem
        if facts.outside and facts.arrival.dmarc not in _TELLING:
            return f"it arrived with dmarc={facts.arrival.dmarc}: receivers take a seal for praise that tells no fail"
        forms = body.forms()
        kept = forms if forms.octets <= self.body_limit else None
        # no chain is bound to that word: what else arrived badly could bring one that somebody put in its place
        whole = facts.arrival.arc == "pass" and facts.arrival.dmarc == "pass"
        state = chain_state(message.header, kept, whole, lookup, now)
        if isinstance(state, str):
            return state
        results = arrival_results(self.authserv_id, facts, state)
        return arc_set.seal(leaving, body.sent_digest(), results, state, self.key, int(now))


def sealer_of(settings: Config, ring: KeyRing) -> Sealer | None:
    """Who seals with this configuration, or None. A set has one signature. It is made with RSA: few validators know
    Ed25519 in ARC, and for the others the whole chain would be broken."""
    if settings.forwarder is None:
        return None
    domain = settings.forwarder.domain
    key = next((key for key in ring.of(domain) if key.algorithm == "rsa-sha256"), None)
    ours = next((name for name in settings.trust.authserv_names if _TOKEN.fullmatch(name)), domain)
    return Sealer(key, ours, settings.verify.body_limit) if key is not None else None


def problems(file: Path, settings: Config, ring: KeyRing) -> list[Problem]:
    """Why a policy that seals can't be run with these keys, ready to print. That the forwarder has one at all,
    `config_checks` sees to."""
    domain = settings.forwarder.domain if settings.forwarder is not None else None
    own = [key.algorithm for key in ring.of(domain)]
    if not own or "rsa-sha256" in own or ring.broken:
        return []
    text = (
        f"the policy says `seal: true`, but forwarder.domain {domain} has no RSA key: few validators know Ed25519 in "
        f"ARC, and for the others the chain would be broken. Make one: dkimgate keys new {domain} SELECTOR"
    )
    return [Problem("forwarder.no-rsa-key", text, file)]


def wanted(assessment: Assessment | None) -> bool:
    """Is a set to be put on this message? On none that the policy only watches, and on none that goes nowhere."""
    if assessment is None or not assessment.decision.seal or assessment.decision.mode == "observe":
        return False
    return assessment.decision.disposition.is_kept
