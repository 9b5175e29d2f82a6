"""The DKIM-Signature field (RFC 6376 section 3.5)."""

from __future__ import annotations

import base64
import functools
from collections.abc import Sequence
from operator import attrgetter

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

COVERED = frozenset((*SEALED, *SINGLE, *PRESENT))
"""Every field that we sign where it stands."""

MOST_OCTETS = 3500
"""How long `h=` may get: OpenDKIM reads no more than 4,096 octets of it. An honest message needs 400."""

_LINE = 78
_ROOM = _LINE - 8  # behind a tab, which is as wide as eight letters
_GROUP = 8  # letters of Base64 that stay together
_BASE64_LINE = _ROOM // _GROUP * _GROUP


def sign(
    header: Sequence[HeaderField], body_hash: bytes, key: SigningKey, now: int, expire_days: int | None = None
) -> bytes:
    """Make the value of a DKIM-Signature field: relaxed/relaxed, with the tags v a c d s h t [x] bh b.

    `header` is all of the header, top to bottom; `body_hash` what BodyHash.digest() gave; `now` is in seconds since
    1970. With `expire_days` the signature says when it ends (`x=`). The value has no white space in front, and its
    folds are LF and a tab, the milter protocol's form (see HeaderField).

    Raises ValueError where there is no From field, and where the header has so many fields to sign that verifiers would
    give up.
    """
    names, signed = select(header)
    begun = _begun(key.algorithm, key.domain, key.selector, names)
    ends = [] if expire_days is None else [f" x={now + expire_days * DAY};"]
    return signed_field(FIELD_NAME, [f" t={now};", *ends, _body_hash(body_hash), " b="], signed, key, begun)


def signed_field(
    name: bytes, tags: Sequence[str], fields: Sequence[HeaderField], key: SigningKey, begun: bytes = b""
) -> bytes:
    """The value of a field of these tags, between which a line may end, with a signature over the fields and itself in
    the last tag, an empty `b=`. `begun`: how the value begins."""
    unsigned = fold(name, [tag.encode("ascii") for tag in tags], begun)
    own = relaxed_field(HeaderField(name, unsigned))
    # the field's own hash goes without a line end (RFC 6376 section 3.7)
    signed = b"\r\n".join([*map(relaxed_field, fields), own])
    return unsigned + _folded_base64(base64.b64encode(key.sign(signed)), _room(name, unsigned))


def covering(names: Sequence[str], body_hash: bytes) -> list[str]:
    """The tags h= and bh=, in pieces between which a line may end."""
    return [*_listed(names), _body_hash(body_hash)]


def _listed(names: Sequence[str]) -> list[str]:
    return [f" h={names[0]}:", *(f"{name}:" for name in names[1:-1]), f"{names[-1]};"]


def _body_hash(digest: bytes) -> str:
    return f" bh={base64.b64encode(digest).decode()};"


_name_of = attrgetter("name")
_KEPT = 1024
"""What is kept of the forms of headers: mail programs write the same fields in the same order each time."""
_LONGEST_KEPT = 1000
"""Characters of all names of a header that is kept: strangers choose them."""


@functools.lru_cache(_KEPT)
def _begun(algorithm: str, domain: str, selector: str, names: tuple[str, ...]) -> bytes:
    """The beginning of the value of a DKIM-Signature, the same for every message of these fields."""
    tags = ["v=1;", f" a={algorithm};", " c=relaxed/relaxed;", f" d={domain};", f" s={selector};", *_listed(names)]
    return fold(FIELD_NAME, [tag.encode("ascii") for tag in tags])


def select(header: Sequence[HeaderField], also: Sequence[str] = ()) -> tuple[tuple[str, ...], list[HeaderField]]:
    """The names of `h=` and the fields they stand for: of a name that repeats the lowest field first (RFC 6376 section
    5.4.2). `also`: names in lower case of which each one that stands there is signed too. Raises ValueError as `sign`
    does.
    """
    written = tuple(map(_name_of, header))
    choose = _chosen if sum(map(len, written)) <= _LONGEST_KEPT else _chosen.__wrapped__
    names, positions = choose(written, tuple(also))
    if "from" not in names:
        raise ValueError("the message has no From field, so it can't be signed (RFC 6376 section 5.4)")
    if len(":".join(names)) >= MOST_OCTETS:
        raise ValueError("the header repeats fields so often that verifiers would not read the signature")
    return names, [header[position] for position in positions]


@functools.lru_cache(_KEPT)
def _chosen(header: tuple[bytes, ...], also: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The names of `h=`, and the positions of the fields; no names without From. `header`: the names of all fields, as
    they are written."""
    standing: dict[str, list[int]] = {}
    for position in reversed(range(len(header))):
        # a name with any odd octet equals none of ours, so it is skipped
        name = header[position].rstrip(b" \t").decode("latin-1").lower()
        standing.setdefault(name, []).append(position)
    if "from" not in standing:
        return (), ()
    names: list[str] = []
    signed: list[int] = []
    for name in (*SEALED, *SINGLE, *PRESENT, *also):
        found = standing.get(name, [])
        extra = name in SEALED or (name in SINGLE and bool(found))
        names += [name] * (len(found) + extra)
        signed += found
    return tuple(names), tuple(signed)


def _room(name: bytes, written: bytes) -> int:
    """Octets that still have room in the last line of a value."""
    _, folds, line = written.rpartition(b"\n\t")
    return (_ROOM if folds else _LINE - len(name) - len(": ")) - len(line)


def _folded_base64(text: bytes, room: int) -> bytes:
    """The text in lines, the first of them in what room the line has that it stands in."""
    first = max(room, 0) // _GROUP * _GROUP
    lines = [text[:first], *(text[at : at + _BASE64_LINE] for at in range(first, len(text), _BASE64_LINE))]
    return b"\n\t".join(lines)


def fold(name: bytes, parts: Sequence[bytes], begun: bytes = b"") -> bytes:
    """The value of the field of that name, made of the parts; before one that would make its line too long stands a
    fold. No part is ever cut: a long `d=` has its long line. `begun`: how the value begins.
    """
    folded = [begun]
    room = _room(name, begun)
    for part in parts:
        if len(part) > room and (begun or len(folded) > 1):
            part = part.lstrip(b" ")
            folded.append(b"\n\t")
            room = _ROOM
        folded.append(part)
        room -= len(part)
    return b"".join(folded)
