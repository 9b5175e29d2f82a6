"""DMARC evaluated by ourselves, as RFC 9989 (the tree walk) and as RFC 7489 (the public suffix list) have it.

Receivers of both kinds will exist for years, and next to each other. A message that only one of the two would let pass
has not earned our signature, so by default both are evaluated and the worse result counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dkimgate.dkim.verify import CheckedSignature
from dkimgate.dmarc import record as dmarc_record
from dkimgate.dmarc import walk
from dkimgate.dmarc.record import Record
from dkimgate.dmarc.walk import Found, Unanswered
from dkimgate.dns.resolver import Lookup
from dkimgate.message import domains
from dkimgate.spf.check import Spf

RFC9989 = "rfc9989"
RFC7489 = "rfc7489"
BOTH = (RFC9989, RFC7489)
OTHERS = "others"

RESULTS = ("pass", "none", "unknown", "temperror", "permerror", "fail")
"""From good to bad. `unknown`: no signature makes it pass, and SPF, which could have, was not checked: no claim comes
of it."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """A domain that SPF or DKIM (`method`) authenticated; not `sure`: DNS failed, so that it may have been
    authenticated."""

    domain: str
    method: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result by one RFC. `policy` is what the domain asks for where a message fails; `domain` is where its record
    stands."""

    reading: str
    result: str
    why: str = ""
    policy: str | None = None
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class Dmarc:
    """The verdicts of one message, worst first; the first one counts."""

    author: str | None
    verdicts: tuple[Evaluation, ...]

    @property
    def result(self) -> str:
        """One of RESULTS."""
        return self.verdicts[0].result


def prepare(author: str, lookup: Lookup) -> None:
    """Ask what the result hangs on before anything that a stranger chose: his signatures and his SPF record share the
    message's time and questions, and could use them up. `lookup` remembers the answers."""
    try:
        walk.walk(author, lookup)
        walk.listed_policy_of(author, lookup)
    except Unanswered:
        return  # check_dmarc will find the same


def check_dmarc(
    author: str | None,
    spf: Spf | None,
    signatures: Sequence[CheckedSignature],
    lookup: Lookup,
    readings: Sequence[str] = BOTH,
) -> Dmarc:
    """Evaluate a message. Never raises; where DNS fails the result is never `pass` for that, and never `none`.

    `author` is the author domain, None where there is no single one: that is a permerror. `spf` is None where it was
    not checked.
    `readings`: RFC9989, RFC7489 or both. That there is no record is true only where neither finds one, so where one of
    them is asked and finds none, the other's result counts; and where other readers may find one, it is a permerror.
    """
    if not readings or not set(readings) <= set(BOTH):
        raise ValueError(f"readings must be of {BOTH}")
    if author is None:
        verdicts = [Evaluation(reading, "permerror", "no single author domain") for reading in readings]
    else:
        identifiers = _identifiers(spf, signatures)
        verdicts = [_evaluated(reading, author, identifiers, spf is not None, lookup) for reading in readings]
        if all(verdict.result == "none" for verdict in verdicts):
            verdicts = [_evaluated(reading, author, identifiers, spf is not None, lookup) for reading in BOTH]
        if all(verdict.result == "none" for verdict in verdicts) and not _is_authenticated(author, identifiers):
            verdicts += _other_readers(author, lookup)
    return Dmarc(author, tuple(sorted(verdicts, key=lambda verdict: -RESULTS.index(verdict.result))))


def _is_authenticated(author: str, identifiers: tuple[Identifier, ...]) -> bool:
    return any(identifier.sure and identifier.domain == author for identifier in identifiers)


def _other_readers(author: str, lookup: Lookup) -> list[Evaluation]:
    """What receivers find who read more for a record than the RFCs do: one of several, one whose semicolon is
    forgotten, one with a bad policy. rspamd and OpenDMARC each apply some of these. A message that nothing
    authenticates fails there, and would pass behind us."""
    try:
        where = walk.mention(author, lookup)
    except Unanswered as failure:
        return [Evaluation(OTHERS, "temperror", str(failure))]
    if where is None:
        return []
    return [Evaluation(OTHERS, "permerror", f"what stands at _dmarc.{where} is no single good record", domain=where)]


def _identifiers(spf: Spf | None, signatures: Sequence[CheckedSignature]) -> tuple[Identifier, ...]:
    """What was authenticated, or may have been; each domain once a method, what is sure first."""
    found = [
        Identifier(s.domain, "dkim", s.result == "pass")
        for s in signatures
        if s.domain and s.result in ("pass", "temperror")
    ]
    if spf is not None and spf.domain and spf.result in ("pass", "temperror"):
        found.append(Identifier(spf.domain, "spf", spf.result == "pass"))
    return tuple(sorted(dict.fromkeys(found), key=lambda identifier: not identifier.sure))


def _evaluated(
    reading: str, author: str, identifiers: tuple[Identifier, ...], spf_checked: bool, lookup: Lookup
) -> Evaluation:
    """By RFC 9989 section 5.3, or by RFC 7489 section 6.6."""
    by_tree = reading == RFC9989
    try:
        found = (walk.tree_policy_of if by_tree else walk.listed_policy_of)(author, lookup)
    except Unanswered as failure:
        return Evaluation(reading, "temperror", str(failure))
    if found is None:
        return Evaluation(reading, "none", "no DMARC record")
    where = f"DMARC record at {found.domain}"
    no_policy = found.record.no_policy if by_tree else _no_listed_policy(found.record)
    if no_policy is not None:  # bad, and nobody to report to, or several records: DMARC does not apply
        return Evaluation(reading, "none", f"{where}: {no_policy}", domain=found.domain)
    if found.record.problem is not None:
        return Evaluation(reading, "permerror", f"{where}: {found.record.problem}", domain=found.domain)
    policy = _tree_policy(author, found, lookup) if by_tree else _listed_policy(author, found)
    result, why = _result(author, found.record, identifiers, spf_checked, by_tree, lookup)
    return Evaluation(reading, result, why, policy, found.domain)


def _tree_policy(author: str, found: Found, lookup: Lookup) -> str:
    record = found.record
    policy = record.policy or "none"
    if found.domain != author:
        below = record.subdomains or policy
        missing = record.nonexistent or below
        policy = below if missing == below or walk.exists(author, lookup) else missing
    return dmarc_record.lowered(policy) if record.testing else policy


def _tree_aligned(domain: str, author: str, lookup: Lookup) -> bool:
    """Do the two have one organizational domain? Raises Unanswered.

    Nobody is asked about a name that is not below the author's organizational domain, so a forger's own name servers,
    silent or slow, can't turn the `fail` of his forgery into a temperror.
    """
    if not domains.may_align(domain, author):
        return False
    organization = walk.organizational(author, walk.walk(author, lookup))
    if domain != organization and not domain.endswith(f".{organization}"):
        return False
    return walk.organizational(domain, walk.walk(domain, lookup)) == organization


def _no_listed_policy(record: Record) -> str | None:
    """Why DMARC does not apply by RFC 7489, which knows no np=. Section 6.6.3 has the reasons of RFC 9989 section
    4.10.1, and one more in step 6: no valid p=, and nobody to report to. RFC 9989 takes the same record for p=none."""
    if record.no_policy is not None and not record.only_np:
        return record.no_policy
    if record.policy is None and record.problem is None and not record.reports:
        return "no p=, which RFC 7489 requires, and no address for reports"
    return None


def _listed_policy(author: str, found: Found) -> str:
    record = found.record
    return (record.subdomains if found.domain != author else None) or record.policy or "none"


def _result(
    author: str,
    record: Record,
    identifiers: tuple[Identifier, ...],
    spf_checked: bool,
    by_tree: bool,
    lookup: Lookup,
) -> tuple[str, str]:
    """The result, and why: pass if anything authenticated aligns; temperror if something might have that DNS failed
    for."""
    doubt: str | None = None
    for identifier in identifiers:
        try:
            aligned = _aligned(identifier, author, record, by_tree, lookup)
        except Unanswered as failure:
            doubt = doubt or str(failure)
            continue
        if aligned and identifier.sure:
            return "pass", f"{identifier.method} of {identifier.domain}"
        if aligned:
            doubt = doubt or f"DNS failed for {identifier.method} of {identifier.domain}"
    if doubt is not None:
        return "temperror", doubt
    if not spf_checked:
        return "unknown", "no aligned DKIM signature, and SPF was not checked"
    return "fail", "nothing aligned passes"


def _aligned(identifier: Identifier, author: str, record: Record, by_tree: bool, lookup: Lookup) -> bool:
    if identifier.domain == author:
        return True
    if record.strict_dkim if identifier.method == "dkim" else record.strict_spf:
        return False
    return _tree_aligned(identifier.domain, author, lookup) if by_tree else domains.aligned(identifier.domain, author)
