"""One DKIM-Signature field (RFC 6376 section 3.5): its tags, checked for what needs neither key nor message."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from dkimgate.dkim import tag_list
from dkimgate.dkim.kept import kept
from dkimgate.message import domains

SKEW = 300
"""Seconds that the clocks of signer and border may differ."""

_REQUIRED = ("v", "a", "b", "bh", "d", "h", "s")
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_FORMS = ("simple", "relaxed")


class Refused(Exception):
    """No pass can come of it. `result` is the RFC 8601 word, the text says why."""

    def __init__(self, result: str, why: str) -> None:
        super().__init__(why)
        self.result = result


@dataclass(frozen=True, slots=True)
class Tags:
    """What a signature says. `domain` and `selector` in lower case; `names` (h=) in lower case and in order; `length`
    is l=, or None."""

    algorithm: str
    domain: str
    selector: str
    identity: str
    header_form: str
    body_form: str
    names: tuple[bytes, ...]
    body_hash: bytes
    signature: bytes
    length: int | None
    time: int | None
    expires: int | None


@kept(64)
def claimed_domain(value: bytes) -> str | None:
    """The d= of a field, if it can be read: enough to put the likely signatures first."""
    try:
        return _name(_tags_of(value).get("d", ""), "d")
    except Refused:
        return None


def _tags_of(value: bytes) -> dict[str, str]:
    try:
        return {name: tag.text for name, tag in tag_list.strict(value).items()}
    except tag_list.Invalid as error:
        raise Refused("neutral", str(error)) from None


def read(value: bytes) -> Tags:
    """The value of one field. Raises Refused with the result that the signature has at best."""
    found = _tags_or_refused(value)
    if isinstance(found, Tags):
        return found
    raise Refused(*found)


@kept(64)
def _tags_or_refused(value: bytes) -> Tags | tuple[str, str]:
    try:
        return _read(value)
    except Refused as refused:
        return refused.result, str(refused)


def _read(value: bytes) -> Tags:
    tags = _tags_of(value)
    missing = [name for name in _REQUIRED if not tags.get(name)]
    if missing:
        raise Refused("neutral", f"no {missing[0]}=")
    if tags["v"] != "1":
        raise Refused("neutral", f"v={tags['v'][:20]} is no version that is known")
    if "q" in tags and "dns/txt" not in tag_list.words(tags["q"]):
        raise Refused("neutral", "q= without dns/txt")
    header_form, slash, body_form = tags.get("c", "simple/simple").lower().partition("/")
    if header_form not in _FORMS or (slash and body_form not in _FORMS):
        raise Refused("neutral", f"c={tags['c'][:40]} is no canonicalization")
    domain = _name(tags["d"], "d")
    return Tags(
        algorithm=tags["a"].lower(),
        domain=domain,
        selector=_name(tags["s"], "s"),
        identity=_identity(tags.get("i"), domain),
        header_form=header_form,
        body_form=body_form or "simple",
        names=tuple(name.encode("utf-8") for name in tag_list.words(tags["h"])),
        body_hash=_base64(tags["bh"], "bh"),
        signature=_base64(tags["b"], "b"),
        length=_number(tags, "l", 76),
        time=_number(tags, "t", 12),
        expires=_number(tags, "x", 12),
    )


def acceptable(tags: Tags, now: float) -> None:
    """Raises Refused where the signature counts for nothing even if it verifies (section 6.1.1, RFC 8301 section 3).
    `now` in seconds."""
    if b"from" not in tags.names:
        raise Refused("permerror", "From is not signed")
    if tags.algorithm == "rsa-sha1":
        raise Refused("policy", "rsa-sha1 is not accepted (RFC 8301)")
    if tags.algorithm not in ("rsa-sha256", "ed25519-sha256"):
        raise Refused("neutral", f"a={tags.algorithm[:30]} is no algorithm that is known")
    if tags.time is not None and tags.time > now + SKEW:
        raise Refused("fail", "t= lies in the future")
    if tags.expires is not None and tags.time is not None and tags.expires <= tags.time:
        raise Refused("permerror", "x= is not later than t=")
    if expired(tags.expires, now):
        raise Refused("fail", "expired (x=)")


def expired(expires: int | None, now: float) -> bool:
    """The time of x= was over before `now`, also where the clocks differ."""
    return expires is not None and expires < now - SKEW


def without_signature(value: bytes) -> bytes:
    """The value with that of b= deleted, and the white space around it (section 3.7)."""
    signature = next((tag for tag in tag_list.loose(value) or () if tag.name == "b"), None)
    return value if signature is None else value[: signature.start] + value[signature.end :]


def _name(text: str, tag: str) -> str:
    """A domain or selector for a question to the DNS."""
    name = text.lower() if text.isascii() else domains.a_label(text) or ""
    if not _NAME.fullmatch(name):
        raise Refused("neutral", f"{tag}={text[:40]} is no domain name")
    return name


def _identity(text: str | None, domain: str) -> str:
    """The domain of i=, which must be d= or below it (section 3.5)."""
    if text is None:
        return domain
    _, at, written = text.rpartition("@")
    name = _name(written, "i") if at else ""
    if name != domain and not name.endswith(f".{domain}"):
        raise Refused("permerror", f"i={text[:40]} is not within d=")
    return name


def _base64(text: str, tag: str) -> bytes:
    try:
        return base64.b64decode(re.sub(r"[ \t\r\n]+", "", text), validate=True)
    except ValueError:
        raise Refused("neutral", f"{tag}= is not base64") from None


def _number(tags: dict[str, str], name: str, digits: int) -> int | None:
    text = tags.get(name)
    if text is None:
        return None
    if not re.fullmatch(rf"[0-9]{{1,{digits}}}", text):
        raise Refused("neutral", f"{name}= is no number")
    return int(text)
