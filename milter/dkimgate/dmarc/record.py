"""DMARC policy records (RFC 9989 sections 4.7 and 4.8, RFC 7489 sections 6.3 and 6.4): what one says, without asking
anybody."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from dkimgate.dkim import tag_list

POLICIES = ("none", "quarantine", "reject")
"""From lax to strict."""

_VERSION = re.compile(rb"[ \t]*+v[ \t]*+=[ \t]*+DMARC1[ \t]*+(?:;|$)", re.IGNORECASE)
MENTION = re.compile(rb"DMARC1", re.IGNORECASE)
"""What speaks of DMARC, and may be a record to somebody: Mail::DMARC (SpamAssassin 4) takes `v=dmarc1` for one, though
the version is case-sensitive (RFC 9989 section 4.8)."""

LONGEST = 4096
"""Octets of a record that is taken apart; an honest one has two hundred."""

_EXACT_VERSION = b"DMARC1"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s,!;]+(?:![0-9]+[kmgtKMGT]?)?")
_KNOWN = frozenset({"v", "p", "sp", "np", "adkim", "aspf", "psd", "t", "rua"})


@dataclass(frozen=True, slots=True)
class Record:
    """One policy record. `policy`, `subdomains` (sp) and `nonexistent` (np) are of POLICIES, None where not said.

    `psd` is "y", "n" or "u". `reports`: it names an address for reports, which saves a record with a bad policy: it
    counts as `p=none`. `problem` says why the record can't be read, or is None. `no_policy` says why DMARC does not
    apply, or is None: a bad policy without an address for reports (RFC 9989 section 4.10.1, RFC 7489 section 6.6.3), or
    several records where RFC 7489 ends its search.
    `only_np`: it is np= alone that is bad, a tag which RFC 7489 does not know: there the record applies.
    """

    policy: str | None = None
    subdomains: str | None = None
    nonexistent: str | None = None
    strict_dkim: bool = False
    strict_spf: bool = False
    psd: str = "u"
    testing: bool = False
    reports: bool = False
    problem: str | None = None
    no_policy: str | None = None
    only_np: bool = False


def records(texts: Iterable[bytes]) -> list[Record]:
    """The records among the TXT records of one name, two at most, for more than one are none: those of another kind
    don't count."""
    return list(itertools.islice((record for record in map(parse, texts) if record is not None), 2))


def parse(text: bytes) -> Record | None:
    """One TXT record, its strings joined; None if it is no DMARC record. Never raises.

    The version must stand first and is case-sensitive. Unknown tags, parts that are no tag, and bad values of adkim,
    aspf, psd and t are as if they were not there (section 4.8). A tag twice has two readers (section 3.2 of RFC 6376
    calls such a list invalid), so no policy is taken from it; nor is one from a record that is too long.
    """
    if not _VERSION.match(text) or text.split(b"=", 1)[1].split(b";", 1)[0].strip(b" \t") != _EXACT_VERSION:
        return None
    return _parsed(text) if len(text) <= LONGEST else Record(problem=f"it has more than {LONGEST} octets")


@functools.lru_cache(maxsize=256)  # one message asks for the same record up to ten times
def _parsed(text: bytes) -> Record:
    found = tag_list.loose(text)
    if found is None:
        return Record(problem=f"it has more than {tag_list.MOST_TAGS} tags")
    tags: dict[str, str] = {}
    twice: str | None = None
    for tag in found:
        name = tag.name.lower()
        if name in _KNOWN:
            twice = name if name in tags else twice
            tags[name] = tag.value.decode("ascii", "replace")
    reports = any(_URI.fullmatch(uri.strip(" \t")) for uri in tags.get("rua", "").split(","))
    bad = next((name for name in ("p", "sp", "np") if name in tags and tags[name].lower() not in POLICIES), None)
    problem = f"the tag {twice}= stands twice" if twice else None
    no_policy = (
        f"{bad}={tags[bad][:40]} is no policy, and there is no address for reports" if bad and not reports else None
    )
    if bad and reports:
        tags = {**tags, "p": "none", "sp": "none", "np": "none"}  # section 4.10.1: as if it were a record with p=none
    return Record(
        policy=_policy(tags, "p"),
        subdomains=_policy(tags, "sp"),
        nonexistent=_policy(tags, "np"),
        strict_dkim=tags.get("adkim", "").lower() == "s",
        strict_spf=tags.get("aspf", "").lower() == "s",
        psd=tags.get("psd", "").lower() if tags.get("psd", "").lower() in ("y", "n") else "u",
        testing=tags.get("t", "").lower() == "y",
        reports=reports,
        problem=problem,
        no_policy=no_policy if problem is None else None,
        only_np=bad == "np",
    )


def _policy(tags: dict[str, str], name: str) -> str | None:
    value = tags.get(name, "").lower()
    return value if value in POLICIES else None


def lowered(policy: str) -> str:
    """One level below: what a domain in test mode (t=y) expects to be applied (section 4.7)."""
    return POLICIES[max(POLICIES.index(policy) - 1, 0)]
