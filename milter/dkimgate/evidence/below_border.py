"""What our own milters may insert directly below the border's Received field, where they insert at index 1 instead of
at the top.

Our Authentication-Results field may stand between these, and not behind any other field: there begins what the sender
wrote. He may write any of these names himself, on top of his message, and gains nothing by it: this matters only where
the border removes every Authentication-Results field in our name that comes in, and then none of those that are left is
his.
"""

from __future__ import annotations

_NAMES: dict[str, str] = {
    "authentication-results": "OpenDKIM, OpenDMARC, policyd-spf, rspamd: one field each",
    "received-spf": "policyd-spf, OpenDMARC",
    "dkim-filter": "OpenDKIM, SoftwareHeader",
    "dmarc-filter": "OpenDMARC, SoftwareHeader",
    "arc-filter": "OpenARC, SoftwareHeader",
    "arc-seal": "OpenARC and rspamd seal what they have found on arrival",
    "arc-message-signature": "the same",
    "arc-authentication-results": "the same",
    "x-virus-scanned": "amavis, clamav-milter",
    "x-virus-status": "clamav-milter",
    "x-spam": "rspamd",
    "x-spamd-result": "rspamd, extended_spam_headers",
    "x-spamd-bar": "rspamd",
    "x-spam-flag": "amavis, SpamAssassin",
    "x-spam-score": "amavis, rspamd",
    "x-spam-level": "amavis, SpamAssassin, rspamd",
    "x-spam-status": "amavis, SpamAssassin, rspamd",
    "x-spam-checker-version": "SpamAssassin",
    "x-spam-report": "SpamAssassin",
    "x-rspamd-server": "rspamd",
    "x-rspamd-queue-id": "rspamd",
    "x-rspamd-action": "rspamd",
    "x-rspamd-bar": "rspamd",
    "x-rspamd-score": "rspamd",
    "x-greylist": "milter-greylist",
}
"""The name of a field in lower case, and who writes it."""


def may_stand(key: str) -> bool:
    """Can a field of that name, in lower case, be of a milter of ours?"""
    return key in _NAMES
