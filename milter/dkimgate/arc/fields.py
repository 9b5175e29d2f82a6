"""The header fields of ARC (RFC 8617 section 4.1) read into sets, and the structure that a chain must have (section
5.2, steps 1 to 3).

Nothing here asks DNS or computes a signature: a chain that is refused here has cost one pass over the header.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dkimgate.arc.arc_set import KINDS, MOST_SETS
from dkimgate.dkim import tag_list
from dkimgate.dkim.tag_list import Tag
from dkimgate.message import domains
from dkimgate.message.message import HeaderField

RESULTS = "arc-authentication-results"
MESSAGE_SIGNATURE = "arc-message-signature"
SEAL = "arc-seal"

ALGORITHMS = ("rsa-sha256", "ed25519-sha256")


class Broken(Exception):
    """The chain fails; the text says why."""


@dataclass(frozen=True, slots=True)
class Located:
    """A field, its position in the header from the top, its tags, and for ARC-Authentication-Results the text behind
    the instance."""

    position: int
    field: HeaderField
    tags: Mapping[str, Tag]
    text: str = ""

    def __getitem__(self, name: str) -> str:
        """The value of a tag that must be there. Raises Broken."""
        if not (value := self.get(name)):
            raise Broken(f"{name}= is missing" if value is None else f"{name}= is empty")
        return value

    def get(self, name: str) -> str | None:
        """The value of a tag, or None."""
        tag = self.tags.get(name)
        return tag.text if tag else None


@dataclass(frozen=True, slots=True)
class FieldSet:
    """The three fields of one instance."""

    instance: int
    results: Located
    message_signature: Located
    seal: Located


@dataclass(frozen=True, slots=True)
class ArcSignature:
    """What a seal and a message signature have in common; `domain` and `selector` in lower case."""

    algorithm: str
    domain: str
    selector: str
    octets: bytes
    field: HeaderField


@dataclass(frozen=True, slots=True)
class Seal(ArcSignature):
    """An ARC-Seal (section 4.1.3). `made`: its t=, in seconds since 1970, or None."""

    cv: str
    made: int | None


@dataclass(frozen=True, slots=True)
class MessageSignature(ArcSignature):
    """An ARC-Message-Signature (section 4.1.2). `names`: what `h=` lists, in lower case; the forms are "simple" or
    "relaxed"; `expires` in seconds since 1970."""

    position: int
    names: tuple[bytes, ...]
    body_hash: bytes
    header_form: str
    body_form: str
    expires: int | None


def field_sets(header: Sequence[HeaderField]) -> tuple[FieldSet, ...]:
    """The sets in order of their instances; none where the header has no ARC field. Raises Broken."""
    found: dict[tuple[int, str], Located] = {}
    fields = [(position, field) for position, field in enumerate(header) if field.key in KINDS]
    if len(fields) > MOST_SETS * len(KINDS):
        raise Broken(f"{len(fields)} ARC fields, more than {MOST_SETS} sets have")
    for position, field in fields:
        try:
            instance, located = _located(position, field)
        except Broken as broken:
            raise Broken(f"{field.key}: {broken}") from None
        if (instance, field.key) in found:
            raise Broken(f"two fields {field.key} of instance {instance}")
        found[instance, field.key] = located
    highest = max((instance for instance, _ in found), default=0)
    return tuple(_set(instance, found) for instance in range(1, highest + 1))


def _set(instance: int, found: dict[tuple[int, str], Located]) -> FieldSet:
    for kind in KINDS:
        if (instance, kind) not in found:
            raise Broken(f"instance {instance} has no {kind}")
    return FieldSet(instance, found[instance, RESULTS], found[instance, MESSAGE_SIGNATURE], found[instance, SEAL])


def _located(position: int, field: HeaderField) -> tuple[int, Located]:
    if field.key == RESULTS:
        instance, text = split_results(field)
        if instance is None:
            raise Broken("it does not begin with i= and a number from 1 to 50")
        return instance, Located(position, field, {}, text)
    located = Located(position, field, tags_of(field.value))
    return _instance(located["i"]), located


_RESULTS_START = re.compile(r"\s*i\s*=\s*([0-9]{1,2})\s*;")
_INSTANCE = re.compile(r"[0-9]{1,2}")


def split_results(field: HeaderField) -> tuple[int | None, str]:
    """The instance of an ARC-Authentication-Results field and the text behind it; without an instance all of the text.
    Never raises."""
    text = field.text
    match = _RESULTS_START.match(text)
    if match is None or not 1 <= int(match[1]) <= MOST_SETS:
        return None, text
    return int(match[1]), text[match.end() :]


def _instance(text: str) -> int:
    if not _INSTANCE.fullmatch(text) or not 1 <= int(text) <= MOST_SETS:
        raise Broken("i= is no number from 1 to 50")
    return int(text)


_CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")


def tags_of(value: bytes) -> Mapping[str, Tag]:
    """The tags of a seal or of a signature. Raises Broken, also where a value holds a control character."""
    try:
        tags = tag_list.strict(value)
        odd = next((name for name, tag in tags.items() if _CONTROL.search(tag.text)), None)
    except tag_list.Invalid as error:
        raise Broken(str(error)) from None
    if odd is not None:
        raise Broken(f"{odd[:20]}= holds a control character")
    return tags


def seal_of(located: Located) -> Seal:
    """Read an ARC-Seal. Raises Broken."""
    if located.get("h") is not None:
        raise Broken("h= is forbidden in an ARC-Seal")
    cv = located["cv"]
    if cv not in ("none", "pass", "fail"):
        raise Broken("cv= is neither none nor pass nor fail")
    return Seal(*_common(located), cv=cv, made=_number(located, "t"))


def message_signature_of(located: Located) -> MessageSignature:
    """Read an ARC-Message-Signature. Raises Broken.

    Stricter than DKIM in one thing: `l=` is refused, whatever it says. It lets anyone add to the body.
    """
    if located.get("l") is not None:
        raise Broken("l= leaves a part of the body to anyone")
    if "dns/txt" not in tag_list.words(located.get("q") or "dns/txt"):
        raise Broken("q= names no way to the key but dns/txt")
    names = tuple(word.encode("utf-8") for word in tag_list.words(located["h"]) if word)
    if b"from" not in names:
        raise Broken("h= does not list From")
    if SEAL.encode() in names:
        raise Broken("h= lists ARC-Seal")
    header_form, body_form = _canonicalization(located.get("c"))
    signed, expires = _number(located, "t"), _number(located, "x")
    if signed is not None and expires is not None and expires < signed:
        raise Broken("x= is before t=")
    body_hash = _base64(located, "bh")
    return MessageSignature(*_common(located), located.position, names, body_hash, header_form, body_form, expires)


def _common(located: Located) -> tuple[str, str, str, bytes, HeaderField]:
    algorithm = located["a"]
    if algorithm not in ALGORITHMS:
        raise Broken(f"a= is neither {' nor '.join(ALGORITHMS)}")
    octets = _base64(located, "b")
    domain = domains.a_label(located["d"])
    if domain is None:
        raise Broken("d= is no domain name")
    selector = located["s"].lower()
    if not _SELECTOR.fullmatch(selector):
        raise Broken("s= is no selector")
    return algorithm, domain, selector, octets, located.field


_SELECTOR = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_DIGITS = re.compile(r"[0-9]{1,12}")  # RFC 6376 section 3.5 allows 12 for t=


def _number(located: Located, name: str) -> int | None:
    text = located.get(name)
    if text is None:
        return None
    if not _DIGITS.fullmatch(text):
        raise Broken(f"{name}= is no number of seconds")
    return int(text)


def _base64(located: Located, name: str) -> bytes:
    try:
        return base64.b64decode(re.sub(r"[ \t\r\n]+", "", located[name]), validate=True)
    except ValueError:  # binascii.Error is one
        raise Broken(f"{name}= is not base64") from None


def _canonicalization(text: str | None) -> tuple[str, str]:
    """The forms of header and body.

    Where nothing is said, both are relaxed: RFC 6376 section 3.5 has simple, but ARC grew up with relaxed, and other
    validators and their common test suite take that.
    """
    if text is None:
        return "relaxed", "relaxed"
    header, slash, body = text.partition("/")
    forms = header, body if slash else "simple"
    if not set(forms) <= {"simple", "relaxed"}:
        raise Broken("c= is not made of simple and relaxed")
    return forms
