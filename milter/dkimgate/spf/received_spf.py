"""Received-SPF (RFC 7208 section 9.1): what it says, as far as it may be believed.

The field bears no name of its writer that anybody checks, and no host removes a stranger's. So it counts where it
hurts, and a pass in it is worth nothing; `evidence.misled_verifiers` tells what such a pass does to a verifier that
believes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dkimgate.spf.check import RESULTS

MAX_LENGTH = 4000
"""Characters that are read: the result is the first word, and the pairs that matter follow its comment."""


# what the drafts before RFC 4408 called them, and a word of Google's
_OLD_NAMES = {"error": "temperror", "unknown": "permerror", "hardfail": "fail"}
_RESULT = re.compile(r"\s*(?:\((?:[^()\\]++|\\.)*+\)\s*)*+([A-Za-z]{1,20})(?![\w-])")
_PAIR = re.compile(
    r"(?<![\w.-])(envelope-from|helo|client-ip|receiver|identity)\s*=\s*(?:\"((?:[^\"\\]++|\\.)*+)\"|([^\s;\"()]+))",
    re.IGNORECASE,
)
_PROPERTIES = {
    "envelope-from": "smtp.mailfrom",
    "helo": "smtp.helo",
    "client-ip": "smtp.client-ip",
    "identity": "policy.identity",
}


@dataclass(frozen=True, slots=True)
class ReceivedSpf:
    """One field: the result of section 2.6 and what it says of whom, as ptype.property pairs; `receiver` is the host
    that says it."""

    result: str
    receiver: str | None
    properties: tuple[tuple[str, str], ...] = ()


def read(text: str) -> ReceivedSpf | None:
    """Read the unfolded value of one field; None where its first word is no result. Never raises."""
    text = text[:MAX_LENGTH].replace("\0", "")
    match = _RESULT.match(text)
    if match is None:
        return None
    word = match[1].lower()
    result = _OLD_NAMES.get(word, word)
    if result not in RESULTS:
        return None
    pairs = {
        found[1].lower(): found[2] if found[2] is not None else found[3] for found in _PAIR.finditer(text, match.end())
    }
    properties = tuple((name, pairs[key]) for key, name in _PROPERTIES.items() if key in pairs)
    return ReceivedSpf(result, pairs.get("receiver"), properties)
