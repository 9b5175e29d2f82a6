"""Does the author domain's DMARC record insist on exact alignment of DKIM (adkim=s; RFC 9989 section 4.7)? Then a
signature by the key of a parent domain does not align at the next receiver.

Nobody asks about aspf=s: OpenDMARC takes a sub-domain of the author domain for aligned all the same, and rspamd reads
no tag behind one that it can't read. So it shuts no door on a forgery.
"""

from __future__ import annotations

from dkimgate.dmarc import walk
from dkimgate.dmarc.walk import Unanswered
from dkimgate.dns.resolver import Lookup


def strict_dkim(author: str, lookup: Lookup) -> bool:
    """Ask. Strict only where every record that a receiver may go by says so, the one of RFC 9989 and the one of RFC
    7489. Where DNS fails, or there is none, it is not. Never raises."""
    try:
        applying = (walk.tree_policy_of(author, lookup), walk.listed_policy_of(author, lookup))
    except Unanswered:
        return False
    records = [found.record for found in applying if found is not None]
    return bool(records) and all(
        record.strict_dkim and record.problem is None and not record.no_policy for record in records
    )
