"""DKIM verified by ourselves (RFC 6376, 8301, 8463), of the message as its sender handed it to us.

Not by dkimpy, which others trust with this: on what strangers send it takes RSA keys of any size (in pure Python),
white space in time quadratic in its length, signatures without From, and rsa-sha1. It is the oracle of the tests
instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dkimgate.dkim import signature
from dkimgate.dkim.canonical import BodyForms
from dkimgate.dkim.content import Content
from dkimgate.dkim.public_key import NoKey, PublicKey, published_key
from dkimgate.dkim.signature import Refused, Tags
from dkimgate.dns.resolver import Lookup
from dkimgate.message import domains
from dkimgate.message.message import HeaderField

MOST_VERIFIED = 10
"""Signatures of a message that are verified; each may cost a question and a key."""

MOST_READ = 100
"""Signatures of a message that are read at all, to find those of the author domain among them."""


@dataclass(frozen=True, slots=True)
class CheckedSignature:
    """What was found out about one signature. `result` is one of `DkimResult`; without `domain` the field can't be
    read.

    `limited`: l= leaves octets of the body unsigned, so that anybody may have written them; such a signature is never a
    pass here. `key_bits` is None where no usable key was fetched.
    """

    position: int
    result: str
    why: str = ""
    domain: str | None = None
    selector: str | None = None
    algorithm: str | None = None
    limited: bool = False
    key_bits: int | None = None


def check_signatures(
    header: Sequence[HeaderField],
    body: BodyForms,
    author: str | None,
    lookup: Lookup,
    now: float,
    above: int = 0,
    most: int = MOST_VERIFIED,
) -> tuple[CheckedSignature, ...]:
    """Verify the signatures of a message, those that may align with the author domain first. Never raises.

    `author` is the author domain; None aligns with nothing. `now` in seconds: the time of arrival. `above`: so many
    fields from the top were added by hosts of ours after the message had entered (those down to the border's Received
    field). They are left out: the sender may have signed that there is none of that name, and a signature that a host
    of ours added says nothing about how the message arrived; whoever signs what he forwards would launder it. Of the
    fields that are left the topmost MOST_READ are looked at, and `most` of them verified.
    """
    content = Content(header[above:], body)
    return tuple(_check(at, field, content, lookup, now) for at, field, _ in _ranked(header, author, above)[:most])


def ask_for_keys(
    header: Sequence[HeaderField],
    body: BodyForms,
    author: str,
    lookup: Lookup,
    above: int = 0,
    most: int = MOST_VERIFIED,
) -> None:
    """Ask for the keys of those signatures that may align with the author domain and fit the body. `lookup` remembers
    the answers, for check_signatures. Never raises."""
    for _, field, aligned in _ranked(header, author, above)[:most]:
        try:
            tags = signature.read(field.value) if aligned else None
            fits = tags is not None and tags.body_hash == body.form(tags.body_form).digest
        except (Refused, ValueError):
            continue
        if tags is not None and fits:
            published_key(tags.domain, tags.selector, tags.algorithm, lookup)


def _ranked(header: Sequence[HeaderField], author: str | None, above: int) -> list[tuple[int, HeaderField, bool]]:
    """Position and field of each signature, and may it align with the author domain? Those that may come first."""
    found = [(at, field) for at, field in enumerate(header) if at >= above and field.key == "dkim-signature"][
        :MOST_READ
    ]
    told = [(at, field, _may_align(signature.claimed_domain(field.value), author)) for at, field in found]
    return sorted(told, key=lambda item: not item[2])


def _may_align(domain: str | None, author: str | None) -> bool:
    return domain is not None and author is not None and domains.may_align(domain, author)


def _check(position: int, field: HeaderField, content: Content, lookup: Lookup, now: float) -> CheckedSignature:
    found = CheckedSignature(position, "permerror")
    try:
        tags = signature.read(field.value)
        found = replace(found, domain=tags.domain, selector=tags.selector, algorithm=tags.algorithm)
        signature.acceptable(tags, now)
        if content.count(b"from") != 1:
            raise Refused("permerror", f"{content.count(b'from')} From fields")
        limited = _body(tags, content)
        found = replace(found, limited=limited)
        return _signed(found, tags, field, content, lookup)
    except Refused as refused:
        return replace(found, result=refused.result, why=str(refused))
    except Exception as error:  # noqa: BLE001 - a stranger's key and signature: whatever it is, it is no pass
        return replace(found, result="permerror", why=f"it can't be verified ({type(error).__name__})")


def _body(tags: Tags, content: Content) -> bool:
    """Compare the body before DNS is asked: that costs nobody anything. True: l= leaves a part of it unsigned."""
    body = content.body(tags.body_form)
    if tags.length is not None and tags.length < body.length:
        return True
    if tags.length is not None and tags.length > body.length:
        raise Refused("fail", f"l= signs {tags.length} octets of body, there are {body.length}")
    if tags.body_hash != body.digest:
        raise Refused("fail", "the body was changed")
    return False


def _signed(
    found: CheckedSignature, tags: Tags, field: HeaderField, content: Content, lookup: Lookup
) -> CheckedSignature:
    if found.limited:
        raise Refused("policy", "l= leaves a part of the body unsigned")
    key = _key(tags, lookup)
    found = replace(found, key_bits=key.bits)
    if key.testing:
        return replace(found, result="neutral", why="the key is for tests (t=y): as if there were no signature")
    if not key.verifies(tags.signature, content.digest(tags.names, tags.header_form, field)):
        return replace(found, result="fail", why="the signature does not fit header and key")
    return replace(found, result="pass")


def _key(tags: Tags, lookup: Lookup) -> PublicKey:
    key = published_key(tags.domain, tags.selector, tags.algorithm, lookup)
    if isinstance(key, NoKey):
        raise Refused(key.result, key.why)
    if key.exact and tags.identity != tags.domain:
        raise Refused("permerror", "the key forbids sub-domains in i= (t=s)")
    return key
