"""The DKIM-Signature field (RFC 6376 section 3.5)."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from dkimgate.dkim.canonical import relaxed_field
from dkimgate.dkim.keys import SigningKey
from dkimgate.message.message import HeaderField

DAY = 86400
FIELD_NAME = b"DKIM-Signature"

# Signed once more than they stand there, whether they stand there or not: nobody can add one to a message with our
# signature on it. From is a must: receivers show the first of two. The others decide what a reader sees or whom his
# answer goes to, and a spammer who replays a signed message would add just those: a subject to a message without one, a
# Reply-To, a Content-Type that turns the text into something else. No honest hop adds them and leaves the rest of the
# message alone, save lists that add a Reply-To: they break the signature. Gmail signs in the same way, so such lists
# have learned to live with it (they rewrite From).
SEALED = ("from", "subject", "reply-to", "mime-version", "content-type", "content-transfer-encoding")

# Signed once more than they stand there if they stand there at all: a second one is always a forgery, but a first is
# often added in good faith, by an MTA that misses a Date or a Message-ID, or writes `To: undisclosed-recipients:;`, or
# a list that adds Cc.
SINGLE = ("to", "cc", "date", "message-id", "sender", "in-reply-to", "references")

# The rest of RFC 6376 section 5.4.1, what RFC 8058 and the feedback loops want signed, and the other fields of a body.
# Each one that stands there is signed; more may come, because forwarders and lists add them.
# fmt: off
PRESENT = (
    "resent-date", "resent-from", "resent-sender", "resent-to", "resent-cc", "resent-message-id",
    "list-id", "list-help", "list-unsubscribe", "list-unsubscribe-post", "list-subscribe", "list-post",
    "list-owner", "list-archive",
    "content-id", "content-description", "content-disposition", "content-language", "feedback-id", "auto-submitted",
)
# fmt: on

_ONE_MORE = frozenset((*SEALED, *SINGLE))
COVERED = frozenset((*SEALED, *SINGLE, *PRESENT))
"""Every field that we sign where it stands."""

MOST_OCTETS = 3500
"""How long `h=` may get: OpenDKIM reads no more than 4,096 octets of it. An honest message needs 400."""

_LINE = 78


def sign(
    header: Sequence[HeaderField], body_hash: bytes, key: SigningKey, now: int, expire_days: int | None = None
) -> bytes:
    """Make the value of a DKIM-Signature field: relaxed/relaxed, with the tags v a c d s t [x] h bh b.

    `header` is all of the header, top to bottom; `body_hash` what BodyHash.digest() gave; `now` is in seconds since
    1970. With `expire_days` the signature says when it ends (`x=`). The value has no white space in front, and its
    folds are LF and a tab, the milter protocol's form (see HeaderField).

    Raises ValueError where there is no From field, and where the header has so many fields to sign that verifiers would
    give up.
    """
    names, signed = select(header)
    ends = [] if expire_days is None else [f" x={now + expire_days * DAY};"]
    who = [f" d={key.domain};", f" s={key.selector};"]
    tags = ["v=1;", f" a={key.algorithm};", " c=relaxed/relaxed;", *who, f" t={now};", *ends]
    return signed_field(FIELD_NAME, [*tags, *covering(names, body_hash), " b="], signed, key)


def signed_field(name: bytes, tags: Sequence[str], fields: Sequence[HeaderField], key: SigningKey) -> bytes:
    """The value of a field of these tags, between which a line may end, with a signature over the fields and itself in
    the last tag, an empty `b=`."""
    unsigned = [tag.encode("ascii") for tag in tags]
    own = relaxed_field(HeaderField(name, fold(name, unsigned)))
    # the field's own hash goes without a line end (RFC 6376 section 3.7)
    signature = base64.b64encode(key.sign(b"".join(relaxed_field(field) + b"\r\n" for field in fields) + own))
    return fold(name, unsigned + [signature[at : at + 8] for at in range(0, len(signature), 8)])


def covering(names: Sequence[str], body_hash: bytes) -> list[str]:
    """The tags h= and bh=, in pieces between which a line may end."""
    listed = [f" h={names[0]}:", *(f"{name}:" for name in names[1:-1]), f"{names[-1]};"]
    return [*listed, f" bh={base64.b64encode(body_hash).decode()};"]


def select(header: Sequence[HeaderField], also: Sequence[str] = ()) -> tuple[list[str], list[HeaderField]]:
    """The names of `h=` and the fields they stand for: of a name that repeats the lowest field first (RFC 6376 section
    5.4.2). `also`: names in lower case of which each one that stands there is signed too. Raises ValueError as `sign`
    does.
    """
    standing: dict[str, list[HeaderField]] = {}
    for field in reversed(header):
        # a name with any odd octet equals none of ours, so it is skipped
        name = field.key if field.name.isalnum() else field.name.rstrip(b" \t").decode("latin-1").lower()
        standing.setdefault(name, []).append(field)
    if "from" not in standing:
        raise ValueError("the message has no From field, so it can't be signed (RFC 6376 section 5.4)")
    names: list[str] = []
    signed: list[HeaderField] = []
    for name in (*SEALED, *(name for name in (*SINGLE, *PRESENT, *also) if name in standing)):
        found = standing.get(name, [])
        names += [name] * (len(found) + (name in _ONE_MORE))
        signed += found
    if sum(len(name) + 1 for name in names) > MOST_OCTETS:
        raise ValueError("the header repeats fields so often that verifiers would not read the signature")
    return names, signed


def fold(name: bytes, parts: Sequence[bytes]) -> bytes:
    """The value of the field of that name, made of the parts; before one that would make its line too long stands a
    fold. No part is ever cut: a long `d=` has its long line.
    """
    folded: list[bytes] = []
    room = _LINE - len(name) - len(": ")
    width = 0
    for part in parts:
        if width and width + len(part) > room:
            part = part.lstrip(b" ")
            folded.append(b"\n\t")
            room, width = _LINE - 8, 0  # a tab is as wide as eight letters
        folded.append(part)
        width += len(part)
    return b"".join(folded)
