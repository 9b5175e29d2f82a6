"""What a sender wrote that our own verifiers take in, and that comes out again in fields that only they write.

All of it was seen with Debian's servers:
- OpenDKIM decodes `i=` of a signature and prints it into its field as it stands, semicolons and all.
- policyd-spf (`Header_Type = AR`) does the same with MAIL FROM, in a comment that a quoted local part may end.
- OpenDMARC takes an SPF result from any Authentication-Results field that bears our authserv-id, and from any Received-SPF, whoever
  wrote it; it looks at SPF itself only where it finds none, or with `SPFIgnoreResults true`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dkimgate.config import Trust
from dkimgate.message import Message

_ENCODED = re.compile(r"=([0-9A-Fa-f]{2})")
_PLAIN = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]*")  # atext of RFC 5322: one word, wherever it is printed
_NOT_NAME = re.compile(r"\W+")
_GROUND = re.compile(r"spf|dkim|(?<!dm)arc", re.IGNORECASE)  # what a DMARC verifier reads


def writes_results(message: Message, trust: Trust) -> bool:
    """Can the sender have written results into a field of ours? By an identity (RFC 6376 section 3.5, `i=`) that is more than one word
    when it is decoded, or a MAIL FROM with a parenthesis."""
    if any(_leaves_comment(field.text) for field in message.fields("authentication-results") if _names_us(field.text, trust)):
        return True
    return any(not _PLAIN.fullmatch(identity) for field in message.fields("dkim-signature") for identity in _identities(field.text))


def _names_us(text: str, trust: Trust) -> bool:
    text = text.lower()
    return any(name in text for name in trust.authserv_spellings)


def _leaves_comment(text: str) -> bool:
    """policyd-spf ends its field with the comment that quotes MAIL FROM: what stands behind another end of it is the sender's."""
    _, quoted, behind = text.lower().partition("envelope-from=")
    return bool(quoted) and behind.partition(")")[2].strip() != ""


def _identities(text: str) -> Iterator[str]:
    for tag in text.split(";"):
        name, _, value = tag.partition("=")
        if _NOT_NAME.sub("", name).lower() == "i":
            yield _ENCODED.sub(lambda match: chr(int(match[1], 16)), "".join(value.split()))


def offers_a_pass(message: Message, zone: frozenset[int], ours_above: int, trust: Trust) -> bool:
    """Does a field that the sender may have written say `pass` to a verifier of ours?

    `zone`: positions where no field in our name can be the sender's. A Received-SPF bears no name of its writer, so nobody strips it,
    and only one above the border (a position below `ours_above`) is ours.
    """
    for position, field in enumerate(message.header):
        if field.key == "received-spf":
            doubtful = position >= ours_above
        elif field.key == "authentication-results" and position not in zone:
            doubtful = _names_us(field.text, trust) and _GROUND.search(field.text) is not None
        else:
            continue
        if doubtful and "pass" in field.text.lower():
            return True
    return False
