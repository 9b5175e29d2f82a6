"""A From that is as plain as most are, read by one pattern: what `author` finds token by token."""

from __future__ import annotations

import re

from dkimgate.message import domains
from dkimgate.message.lines import has_long_line
from dkimgate.message.message import HeaderField

_PLAIN_WORDS = rb"[A-Za-z0-9]++(?: [A-Za-z0-9]++)*+"
_PLAIN_ADDRESS = rb"[A-Za-z0-9_+-]++(?:\.[A-Za-z0-9_+-]++)*+@[A-Za-z0-9.-]++"
_PLAIN = re.compile(
    rb" ?(?:(?:%b |\"%b\" )?<(%b)>|(%b))" % (_PLAIN_WORDS, _PLAIN_WORDS, _PLAIN_ADDRESS, _PLAIN_ADDRESS)
)
_PLAIN_LENGTH = 200


def plain_mailbox(field: HeaderField, longest_line: int) -> tuple[str, str] | None:
    """The address and the author domain of a From that is as plain as most are, with nothing to think about; None of
    any other, which `author` takes apart token by token."""
    match = _PLAIN.fullmatch(field.value) if len(field.value) <= _PLAIN_LENGTH else None
    if match is None or has_long_line(field, longest_line):
        return None
    address = (match[1] or match[2]).decode("ascii")
    domain = domains.a_label(address.rpartition("@")[2])
    return (address, domain) if domain is not None else None
