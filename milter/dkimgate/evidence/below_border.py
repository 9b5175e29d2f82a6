"""What our own milters may insert directly below the border's Received field, where they insert at index 1 instead of
at the top.

Our Authentication-Results field may stand between these, and not behind any other field: there begins what the sender
wrote. He may write any of these names himself, on top of his message, and gains nothing by it: this matters only where
the border removes every Authentication-Results field in our name that comes in, and then none of those that are left is
his.
"""

from __future__ import annotations

from dkimgate.evidence import sources

_NAMES: dict[str, str] = {
    **{name: programs for source in sources.ALL for name, programs in source.inserted_by},
    "dkim-filter": "OpenDKIM, SoftwareHeader",
    "dmarc-filter": "OpenDMARC, SoftwareHeader",
    "arc-filter": "OpenARC, SoftwareHeader",
    "x-virus-scanned": "amavis, clamav-milter",
    "x-virus-status": "clamav-milter",
    "x-greylist": "milter-greylist",
}
"""The name of a field in lower case, and who writes it."""


def may_stand(key: str) -> bool:
    """Can a field of that name, in lower case, be of a milter of ours?"""
    return key in _NAMES
