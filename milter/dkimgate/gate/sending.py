"""What Postfix's smtp(8) will change in a message after the gate, if signatures cover it. The predicted departure
depends on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from dkimgate.config.dkimgate_yaml import Outgoing
from dkimgate.dkim import signature
from dkimgate.dkim.signature import Refused, Tags
from dkimgate.facts import Sending
from dkimgate.gate.header_changes import MOST_SIGNATURES, holds_broken
from dkimgate.message import domains
from dkimgate.message.lines import LEAST_LIMIT, LONGEST_LINE, has_long_line
from dkimgate.message.message import HeaderField, Message
from dkimgate.postfix.settings import Settings

_EIGHT_BIT = re.compile(r"\"?(?:8bit|binary)\b", re.IGNORECASE)
_PARTS = re.compile(r"(?:multipart|message)/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Smtp:
    """The settings of smtp(8) that matter. `line_limit` is smtp_line_length_limit, in octets, 0 for none;
    `converts_8bit`: hosts without 8BITMIME get 8-bit content as quoted-printable."""

    line_limit: int = LONGEST_LINE
    converts_8bit: bool = True


def smtp_of(outgoing: Outgoing, asked: Callable[[], Settings | None] = lambda: None) -> Smtp:
    """The settings of the configuration. What it does not set is asked of Postfix; without Postfix, its defaults."""
    limit, converts = outgoing.line_length_limit, outgoing.converts_8bit
    if limit is None or converts is None:
        settings = asked()
        if limit is None:
            limit = settings.number("smtp_line_length_limit") if settings is not None else None
        if converts is None:
            converts = settings is None or settings.text("disable_mime_output_conversion").lower() != "yes"
    limit = LONGEST_LINE if limit is None else limit
    return Smtp(max(limit, LEAST_LIMIT) if limit else 0, converts)


def eight_bit(message: Message) -> bool:
    """The header declares content that is not 7-bit (RFC 2045 section 6): smtp(8) goes by that."""
    return any(_EIGHT_BIT.match(field.text) for field in message.fields("content-transfer-encoding"))


def has_parts(message: Message) -> bool:
    """The body may have parts that declare more than the header does."""
    return any(_PARTS.match(field.text) for field in message.fields("content-type"))


def of_header(leaving: Sequence[HeaderField], signed: Collection[str], author: str | None, limit: int) -> Sending:
    """What becomes of the header as it leaves. `signed`: the names in lower case of what a signature of ours covers."""
    if not limit:
        return Sending()
    long = [field for field in leaving if len(field.name) + len(field.value) >= limit and has_long_line(field, limit)]
    if not long:
        return Sending()
    broken = {field.key for field in long if not holds_broken(field, limit)}
    endless = any(len(field.name) >= limit for field in long)  # broken within its name, it ends the header
    names = tuple(sorted(name for name in broken if name in signed)) + (("a name without end",) if endless else ())
    return Sending(
        fields_broken=names, others_broken=endless or _others(leaving, author, {field.key for field in long}, broken)
    )


def _others(leaving: Sequence[HeaderField], author: str | None, long: set[str], broken: set[str]) -> bool:
    """Is there a signature aligned with the author domain, and does none hold?"""
    if author is None:
        return False
    fields = [field for field in leaving if field.key == "dkim-signature"][:MOST_SIGNATURES]
    aligned = [tags for tags in map(_read, fields) if tags is not None and domains.aligned(tags.domain, author)]
    changed = {"simple": long, "relaxed": broken}
    return bool(aligned) and all(
        any(name.decode("latin-1") in changed[tags.header_form] for name in tags.names) for tags in aligned
    )


def _read(field: HeaderField) -> Tags | None:
    try:
        return signature.read(field.value)
    except Refused:
        return None
