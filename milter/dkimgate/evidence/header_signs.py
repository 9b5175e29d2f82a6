"""What the header itself gives away about who wrote it."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_to_datetime
from itertools import chain

from dkimgate.authres.quoting import without_inner_comments, without_quoted
from dkimgate.dkim import tag_list
from dkimgate.dkim.signature import expired
from dkimgate.evidence.lookalike import is_lookalike
from dkimgate.facts import HeaderSigns
from dkimgate.message import domains
from dkimgate.message.author import Author
from dkimgate.message.encoded_word import Malformed, decode
from dkimgate.message.message import Message

_MAX_LENGTH = 4000  # of a recipient or path field; a longer one says nothing

MOST_SIGNATURES = 100
"""DKIM-Signature fields that are looked at; an honest message has a handful."""

_MOST_PATHS = 10  # Return-Path fields; each delivery on the way may have left one

_MAX_NESTED = 50  # comments and groups: getaddresses() recurses into nested ones

DAYS_PAST = 7
DAYS_AHEAD = 1
"""How far Date may be from now: mail queues for five days (RFC 5321 section 4.5.4.1), and clocks and time zones are off
by hours."""

_DAY = 86400.0


def signs_of(
    message: Message,
    author: Author,
    outside: bool = False,
    hosted: frozenset[str] = frozenset(),
    now: float | None = None,
) -> HeaderSigns:
    """The signs of one message. `outside`: is its origin; `hosted`: the domains whose keys we hold; `now` in seconds
    since the epoch."""
    identifier = message_id(message)
    date = _date(message)
    to = [field.text for field in message.fields("to")]
    fields = message.fields("dkim-signature")
    read = [_tags(field.value) for field in fields[:MOST_SIGNATURES]]
    signatures = [tags for tags in read if tags is not None]
    unread = len(signatures) < len(fields)  # they may be anything: what hurts is taken as found
    aligned = _any_aligned(signatures, author)
    return HeaderSigns(
        from_equals_to=_from_equals_to(to, author),
        return_path_mismatch=_return_path_mismatch(message, author),
        message_id_missing=identifier is None,
        message_id_malformed=identifier is not None and not _MESSAGE_ID.fullmatch(identifier),
        date_missing=date is None,
        date_far_off=date is not None and now is not None and not -DAYS_PAST * _DAY <= date - now <= DAYS_AHEAD * _DAY,
        display_name_address=_display_name_address(message),
        lookalike_domain=is_lookalike(author.domain, hosted),
        recipients_malformed=_recipients_malformed([*to, *(field.text for field in message.fields("cc"))]),
        repeated_singletons=_repeated_singletons(message),
        no_received=outside and not message.fields("received"),
        third_party_signature_only=bool(fields) and author.domain is not None and not aligned,
        aligned_signature=author.domain is not None and (aligned or unread),
        expired_signature=now is not None and (unread or any(_expired(tags, now) for tags in signatures)),
        limited_signature=unread or any("l" in tags for tags in signatures),
    )


def message_id(message: Message) -> str | None:
    """The value of the first Message-ID field that is not empty (RFC 5322 section 3.6.4), or None."""
    return next((field.text for field in message.fields("message-id") if field.text), None)


# what hosts write between the brackets, which is more than the RFC has: a second @, and domain literals
_MESSAGE_ID = re.compile(r"<[^\s<>@]+@[^\s<>]+>(?:\s*\([^()]*\))?")


def _from_equals_to(texts: list[str], author: Author) -> bool:
    """The author writes to himself alone, as far as To tells: the extortionist's trick."""
    if author.address is None or not texts or sum(map(len, texts)) > _MAX_LENGTH:
        return False
    if sum(text.count("(") + text.count(":") for text in texts) > _MAX_NESTED:
        return False
    plain = [_plain_addresses(text) for text in texts]
    written = chain.from_iterable(plain) if all(plain) else (address for _, address in getaddresses(texts))
    return {address.lower() for address in written} == {author.address.lower()}


def _return_path_mismatch(message: Message, author: Author) -> bool:
    """Bounces go to another organization than the author's: by the envelope, or by any Return-Path, so that nobody who
    writes such a field hides the envelope. A null sender is none."""
    paths = (message.envelope.sender, *(field.text for field in message.fields("return-path")[:_MOST_PATHS]))
    return author.domain is not None and any(
        _is_of_another(path, author.domain) for path in paths if len(path) <= _MAX_LENGTH
    )


def _is_of_another(path: str, author: str) -> bool:
    domain = domains.of_address(path.strip(" <>"))
    return domain is not None and not domains.aligned(domain, author)


_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
# RFC 5322 section 3.3, without the forms that are obsolete or rare
_USUAL_DATE = re.compile(
    rf"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?(\d\d?) ({'|'.join(_MONTHS)}) ((?:19|20)\d\d) (\d\d):(\d\d):(\d\d) "
    r"([+-])([01]\d)([0-5]\d)(?: \([A-Z]{1,5}\))?",
    re.ASCII,
)
_MAX_DATE = 200  # characters; a date with a comment takes fifty


def _date(message: Message) -> float | None:
    """The first Date field in seconds since the epoch; None where there is none, or no date in it."""
    text = next((field.text for field in message.fields("date")), "")
    if not text or len(text) > _MAX_DATE:
        return None
    usual = _USUAL_DATE.fullmatch(text)
    try:
        if usual is not None:  # as nearly everybody writes it: the library's reader takes ten times the time
            day, month, year, hour, minute, second, sign, zone_hour, zone_minute = usual.groups()
            there = datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=UTC)
            east = int(zone_hour) * 3600 + int(zone_minute) * 60
            return there.timestamp() - (east if sign == "+" else -east)
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"'@]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,10}")


def _display_name_address(message: Message) -> bool:
    """`"service@bank.example" <x@attacker.example>`: many programs show the first alone."""
    text = next((field.text for field in message.fields("from")), "")[:_MAX_LENGTH]
    if text.count("@") < 2 and "=?" not in text and "@" not in text.rpartition("<")[0]:
        return False
    with contextlib.suppress(Malformed):  # then as it stands
        text = decode(text)
    display, bracket, rest = text.rpartition("<")
    if bracket:
        own, _, behind = rest.partition(">")
        shown = {found.lower() for found in _ADDRESS.findall(f"{display} {behind}")}
        return bool(shown - {own.strip().lower()})
    return len({found.lower() for found in _ADDRESS.findall(text)}) > 1


# what getaddresses() would repair in silence; a quoted string stands as q, a comment as a space
_SPEC = r"[^\s<>@,;:()\[\]\"\\]++@(?:[^\s<>@,;:()\[\]\"\\]++|\[[^\s<>@,;()\[\]\"\\]++\])"
_MAILBOX = re.compile(rf"\s*+(?:[^<>@,;:()\[\]\"\\]*+<\s*+{_SPEC}\s*+>|{_SPEC})\s*+")
_PLAIN_MAILBOX = re.compile(
    r" ?+(?:[A-Za-z0-9 '_-]*+<([A-Za-z0-9._+-]++@[A-Za-z0-9.-]++)>|([A-Za-z0-9._+-]++@[A-Za-z0-9.-]++))", re.ASCII
)
# only from the start of a name: linear
_GROUP = re.compile(r"(?<![^<>@,;:()\[\]\"\\])[^<>@,;:()\[\]\"\\]++:([^:;]*+);")


def _recipients_malformed(texts: list[str]) -> bool:
    """A To or Cc that is no address-list of RFC 5322 section 3.4. What can't be told, because it is long, is none."""
    return any(len(text) <= _MAX_LENGTH and not _plain_addresses(text) and not _is_address_list(text) for text in texts)


def _plain_addresses(text: str) -> list[str]:
    """The addresses of a list that holds nothing but plain mailboxes, as most do; none where it holds anything else."""
    found = [_PLAIN_MAILBOX.fullmatch(part) for part in text.split(",")]
    return [match[1] or match[2] for match in found if match] if all(found) else []


def _is_address_list(text: str) -> bool:
    text = without_quoted(text, "q")
    text = without_inner_comments(without_inner_comments(text, " "), " ")  # twice, for a comment in a comment
    text, groups = _GROUP.subn(r"\1,", text)
    parts = [part for part in text.split(",") if part.strip()]
    return (bool(parts) or groups > 0) and all(_MAILBOX.fullmatch(part) for part in parts)


_SINGLETONS = (
    "date",
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "message-id",
    "in-reply-to",
    "references",
    "subject",
)


def _repeated_singletons(message: Message) -> bool:
    if len(message.keys) == len(message.header):
        return False  # no name is there twice
    return any(len(message.positions(key)) > 1 for key in _SINGLETONS)


def _tags(value: bytes) -> dict[str, str] | None:
    """The tags of a DKIM signature without white space; of one that is there twice, the first. None where nobody takes
    it apart."""
    found = tag_list.loose(value)
    if found is None:
        return None
    tags: dict[str, str] = {}
    for tag in found:
        tags.setdefault(tag.name, "".join(tag.value.decode("utf-8", "replace").split()))
    return tags


def _any_aligned(signatures: list[dict[str, str]], author: Author) -> bool:
    if author.domain is None:
        return False
    signers = (domains.a_label(tags.get("d", "")) for tags in signatures)
    return any(signer is not None and domains.aligned(signer, author.domain) for signer in signers)


def _expired(tags: dict[str, str], now: float) -> bool:
    expiry = tags.get("x", "")
    return re.fullmatch(r"[0-9]{1,12}", expiry) is not None and expired(int(expiry), now)
