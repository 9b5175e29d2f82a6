"""What a sender wrote that our own verifiers take in, and that comes out again in fields that only they write.

Seen with Debian's servers, among much else:
- OpenDKIM prints `s=` of a signature as it stands, and `i=` decoded, semicolons and all. OpenDMARC reads `header.d` out
  of a selector.
- policyd-spf (`Header_Type = AR`) prints MAIL FROM, and the text of the sender's SPF record, in a comment that either
  may end.
- OpenDMARC takes what follows the first @ of a quoted local part for the sender's domain, and states a pass for it.
- OpenDMARC takes an SPF result from any Authentication-Results field that bears our authserv-id, and from any
  Received-SPF, whoever wrote it; it looks at SPF itself only where it finds none, or with `SPFIgnoreResults true`.

So where anything that they print is no plain word, or a field of theirs has another form than they write for plain
words, nothing that they say helps: somebody may have written it through them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dkimgate.authres import authentication_results
from dkimgate.authres.authentication_results import Reading
from dkimgate.config.dkimgate_yaml import Trust
from dkimgate.dkim import tag_list
from dkimgate.evidence import plain_forms, sources
from dkimgate.evidence.route import Route
from dkimgate.facts import Origin
from dkimgate.message.message import HeaderField, Message

MOST_SIGNATURES = 100
"""Signature fields that are looked at; no honest message bears more."""

MOST_RESULTS = 500
"""Fields of results by others that are looked at, in the same way."""

_LONGEST_READ = 16_384  # characters of a field that are taken apart
_MOST_MARKS = 1000  # parentheses, quotation marks and backslashes of such a field; an honest one has fifty
_SHOWN = 60  # characters of odd words that are told
_SIGNATURES = sources.names_of(lambda source: source.printed)
_PRINTED = (*_SIGNATURES, *sources.RECEIVED_SPF.names, "return-path")
_TAG_NAME = re.compile(r"\W+")
_PLAIN_TAGS = {
    "d": re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*+\.?"),
    "s": re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*+"),
    # decoded (RFC 6376 section 2.11); an ARC field has a number there
    "i": re.compile(rf"(?:[.{plain_forms.ATEXT}]*@)?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*+\.?"),
    "a": re.compile(r"[A-Za-z0-9-]+"),
    "b": re.compile(r"[A-Za-z0-9+/=\s]*"),
}
"""What verifiers print of a signature, where it is plain."""

_ENCODED = re.compile(r"=([0-9A-Fa-f]{2})")


def odd_words(message: Message, route: Route, in_zone: Mapping[int, Reading], trust: Trust) -> str | None:
    """The first words by which the sender may have written into results of ours, and where they are; None where all is
    plain.

    `in_zone`: what the Authentication-Results fields say at the positions where only our hosts can have written one in
    our name.
    """
    return next(_oddities(message, route, in_zone, trust), None)


def _oddities(message: Message, route: Route, in_zone: Mapping[int, Reading], trust: Trust) -> Iterator[str]:
    above = route.ours_above
    signatures = 0
    for position in sorted(in_zone.keys() | {at for name in _PRINTED for at in message.positions(name)}):
        field = message.header[position]
        key = field.key
        if position in in_zone:
            text = field.text
            if trust.is_named_in(text) and (words := _not_of_a_form(text, in_zone[position])) is not None:
                yield _told(words, field)
        elif sources.RECEIVED_SPF.holds(key) and position < above:
            if not plain_forms.is_plain_received_spf(field.text):
                yield _told(field.text, field)
        elif key == "return-path" and position < above:
            if not plain_forms.is_plain_sender(field.text.removeprefix("<").removesuffix(">")):
                yield _told(field.text, field)
        elif key in _SIGNATURES:
            signatures += 1
            if signatures > MOST_SIGNATURES:
                yield f"more than {MOST_SIGNATURES} signatures"
                break
            yield from (_told(words, field) for words in _odd_tags(field.value))
    if not plain_forms.is_plain_sender(message.envelope.sender):
        yield _told(message.envelope.sender, "the envelope sender")
    yield from (_told(name, "EHLO") for name in _names_said(message, route) if not plain_forms.is_plain_helo(name))


def _told(words: str, where: HeaderField | str) -> str:
    place = where if isinstance(where, str) else where.name.strip(b" \t\0").decode("latin-1")
    return f"{words.strip()[:_SHOWN]!a} in {place}"


def _not_of_a_form(text: str, reading: Reading) -> str | None:
    """The part of a field of ours that no verifier writes; None where the whole is of one form."""
    if plain_forms.form_of(text, reading) is not None:
        return None
    authserv_id, _, results = text.partition(";")
    for part in results.split(";"):
        alone = f"{authserv_id};{part}"
        if plain_forms.form_of(alone, authentication_results.read(alone)) is None:
            return part
    return results


def _odd_tags(field: bytes) -> Iterator[str]:
    tags = tag_list.loose(field)
    if tags is None:
        yield field[:_LONGEST_READ].decode("latin-1")
        return
    for tag in tags:
        name = _TAG_NAME.sub("", tag.name).lower()
        plain = _PLAIN_TAGS.get(name)
        if plain is None:
            continue
        value = tag.value.decode("latin-1")
        if name == "i":
            value = _ENCODED.sub(lambda match: chr(int(match[1], 16)), "".join(value.split()))
        if not plain.fullmatch(value):
            yield f"{name}={value}"


def _names_said(message: Message, route: Route) -> tuple[str, ...]:
    """What the client said in EHLO, and the name that DNS gives him, at the border. A field that tells no name tells
    none of his words."""
    if route.origin is Origin.INBOUND:
        told = (message.connection.helo, message.connection.name)
    else:
        told = (route.border_hop.helo if route.border_hop is not None else None, None)
    return tuple(name for name in told if name)


def offers_a_pass(message: Message, zone: frozenset[int], ours_above: int, trust: Trust) -> bool:
    """Does a field that the sender may have written say `pass` to a verifier of ours?

    `zone`: positions where no field in our name can be the sender's. A Received-SPF bears no name of its writer, so
    nobody strips it, and only one above the border (a position below `ours_above`) is ours.
    """
    copies = [at for at in _positions(message, sources.RECEIVED_SPF) if at >= ours_above]
    others = [at for at in _positions(message, sources.RESULTS) if at not in zone]
    if len(copies) + len(others) > MOST_RESULTS:
        return True
    for position in copies:
        text = message.header[position].text
        if _is_confused(text) or any("pass" in reading for reading in _readings(text)):
            return True
    for position in others:
        text = message.header[position].text
        if _is_confused(text) or any(_offers(reading, trust) for reading in _readings(text)):
            return True
    return False


def _positions(message: Message, source: sources.Source) -> list[int]:
    return [position for name in source.names for position in message.positions(name)]


def _is_confused(text: str) -> bool:
    """Nobody takes so much apart: a verifier of ours may find anything in it."""
    return len(text) > _LONGEST_READ or sum(map(text.count, '()"\\')) > _MOST_MARKS


def _offers(text: str, trust: Trust) -> bool:
    """`text` in lower case."""
    return "pass" in text and _is_ground(text) and trust.is_named_in(text)


def _is_ground(text: str) -> bool:
    """Does it name what a DMARC verifier reads?"""
    return "spf" in text or "dkim" in text or text.count("arc") > text.count("dmarc")


_MARKS = re.compile(r"[()\"]|\\.?|[^()\"\\]+", re.DOTALL)
_NOT_WORDS = re.compile(r"[\s\"\\]+")


def _readings(text: str) -> Iterator[str]:
    """What verifiers may make of a field of results, in lower case: as it stands; without white space and quotation
    marks; and as OpenDMARC reads it, to which `mx\\.ours`, `mx.(x)ours`, `mx."ours"` and `pa"ss"` are words of ours,
    and `pass`: without comments too."""
    text = text.lower()
    yield text
    yield _NOT_WORDS.sub("", text)
    kept: list[str] = []
    depth, quoted = 0, False
    for mark in _MARKS.findall(text):
        if mark == '"' and depth == 0:
            quoted = not quoted
        elif mark in "()" and not quoted:
            depth = max(depth + (1 if mark == "(" else -1), 0)
        elif depth == 0:
            kept.append(mark.removeprefix("\\"))
    yield _NOT_WORDS.sub("", "".join(kept))
