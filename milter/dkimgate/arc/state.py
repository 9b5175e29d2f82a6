"""The state of a chain as a sealer needs it (RFC 8617 section 5.1): may a set be put on top, which instance is it, and
with which `cv=`?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dkimgate.arc.arc_set import KINDS, MOST_SETS, ChainState
from dkimgate.arc.fields import RESULTS, SEAL, field_sets
from dkimgate.arc.validate import Validation, validate, validate_seals
from dkimgate.dkim.canonical import BodyForms
from dkimgate.dns.resolver import Lookup
from dkimgate.message.message import HeaderField

_RESULTS_INSTANCE = re.compile(rb"\s*i\s*=\s*([0-9]{1,9})", re.IGNORECASE)
_INSTANCE = re.compile(rb"(?:\A|[;\s])i\s*=\s*([0-9]{1,9})", re.IGNORECASE)
_ENDED = re.compile(rb"(?:\A|[;\s])cv\s*=\s*fail(?![A-Za-z])", re.IGNORECASE)


def has_chain(header: Sequence[HeaderField]) -> bool:
    """Does any ARC field stand in the header? Without one, its state is known without body and DNS."""
    return any(field.key in KINDS for field in header)


def chain_state(
    header: Sequence[HeaderField], body: BodyForms | None, whole: bool, lookup: Lookup, now: float
) -> ChainState | str:
    """The state of the chain in a header, or why no set may be put on top of it. Never raises.

    `header` and `body` (None where it is too large to be looked at) are those of the message as it came to us, before
    anything is changed here. `now` is in seconds since 1970. `whole`: a host of ours found the chain whole when the
    message came in with a DMARC pass. What has happened to it since, on a mailing list of ours, is ours to answer for:
    the seals must still hold then, the newest message signature need not (section 5.1, step 4).

    Of a chain that can't be taken apart, the instance is the highest that can be read in any field (section 5.1, step
    3).
    """
    fields = [field for field in header if field.key in KINDS]
    if not fields:
        return ChainState("none")
    newest = max(map(_instance, fields))
    if any(field.key == SEAL and _instance(field) == newest and _ENDED.search(field.value) for field in fields):
        return "the newest ARC seal says cv=fail: the chain has ended (RFC 8617 section 5.1)"
    if newest >= MOST_SETS:
        return f"there is an ARC field of instance {newest}, and none may be above {MOST_SETS} (RFC 8617 section 4.2.1)"
    if body is None and not whole:
        return "the body is too large for the ARC chain to be validated (verify.body_limit)"
    chain = validate(header, body, lookup, now) if body is not None else None
    if whole and (chain is None or chain.cv is Validation.FAIL):
        chain = validate_seals(header, lookup)
    if chain is None or chain.cv is Validation.TEMPERROR:
        return f"the ARC chain can't be validated: {chain.why if chain else 'there is no body'}"
    if chain.cv is not Validation.PASS:
        return ChainState("fail", newest)
    sets = field_sets(header)
    ordered = tuple(part.field for each in sets for part in (each.results, each.message_signature, each.seal))
    return ChainState("pass", newest, ordered, chain.oldest_pass)


def _instance(field: HeaderField) -> int:
    """The number that a field gives as its instance, well formed or not; 0 without one."""
    match = _RESULTS_INSTANCE.match(field.value) if field.key == RESULTS else _INSTANCE.search(field.value)
    return int(match[1]) if match else 0
