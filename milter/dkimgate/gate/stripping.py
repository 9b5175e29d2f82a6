"""The fields that a border must take off a message from outside, because some reader behind it could take them for
ours.

The border has to do it before any milter of its own host adds such fields, for nothing tells those from the sender's
own: it stands first in `smtpd_milters`. And it reads before it strips: what hurts in these fields counts, whoever wrote
them.

- Authentication-Results under a name of ours (RFC 8601 section 5). Readers unquote, drop comments, decode RFC 2047
  words, ignore case and final dots, or look for a name with a regular expression. So a field stays only if what stands
  before its first semicolon is so plain that all of them read the same name in it, and that is not ours. Of the rest,
  each that holds our name anywhere goes. A field that stays is evidence: what another host found to be bad.
- Received-SPF (RFC 7208 section 9.1), all of them: OpenDMARC takes the result of any, whoever wrote it, for a check of
  its own host.
- X-Spam*, which SpamAssassin, and the filters that file its spam, read without asking who wrote it.
- X-Dkimgate-*, of which outsiders have none.
- Any field that hides one of these behind a CR or LF which ends a line for some.

ARC fields stay, our name or not: ARC has a signature to tell, and to take one off would break the others.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from dkimgate.evidence import sources
from dkimgate.message import encoded_word
from dkimgate.message.message import HeaderField

_ODD_IN_NAME = re.compile(rb"[^!-9;-~]")
_PREFIXES = tuple(source.stripped for source in sources.ALL if source.stripped is not None)
_IN_OUR_NAME = sources.names_of(lambda source: source.stripped_in_our_name)
_HIDDEN = re.compile(
    rb"(?:\r(?!\n)|\n(?![ \t]))[ \t]{0,100}(?:" + "|".join((*_IN_OUR_NAME, *_PREFIXES)).encode() + rb")", re.IGNORECASE
)
_LONGEST = 16_384
"""Octets of a field that is looked into; a longer one goes."""

_PLAIN_HEAD = re.compile(r"[A-Za-z0-9._-]+(?: [0-9]{1,4})?")
_WORD = re.compile(r"[\w.-]+")
_DOTS = str.maketrans({"\u3002": ".", "\uff61": "."})
_COMMENT = re.compile(r"\([^()]*\)")
_DEEPEST = 20  # comments in comments; no reader minds what stands deeper
_BETWEEN = re.compile(r"[\s()\"'\\<>\[\]]+")


def strip(header: Sequence[HeaderField], names: Iterable[str]) -> tuple[int, ...]:
    """The positions, from the top, of the fields to remove. Never raises, and takes time linear in the size of the
    header.

    `names`: our authserv-ids, and the names that our hosts go by (`*.mail.example` for all below mail.example), for
    many programs take their host's name for an authserv-id.
    """
    ours = _Ours(names)
    return tuple(position for position, field in enumerate(header) if _must_go(field, ours))


def _must_go(field: HeaderField, ours: _Ours) -> bool:
    # a name that becomes one of these once somebody drops a NUL, a blank or a byte order mark is one of these for him
    name = _ODD_IN_NAME.sub(b"", field.name).decode("ascii").lower()
    if name.startswith(_PREFIXES) or _HIDDEN.search(field.value):
        return True
    if name not in _IN_OUR_NAME:
        return False
    if len(field.value) > _LONGEST:
        return True
    text = (
        field.value.replace(b"\r\n", b"").replace(b"\n", b"").decode("utf-8", "replace").replace("\t", " ").strip(" ")
    )
    return _may_be_ours(text, ours)


def _may_be_ours(text: str, ours: _Ours) -> bool:
    head = text.partition(";")[0].strip(" ")
    if text.isprintable() and _PLAIN_HEAD.fullmatch(head):
        return ours.is_one(head.partition(" ")[0])
    return ours.stand_in(text)


class _Ours:
    """The names that are ours, and the ways to come across them."""

    def __init__(self, names: Iterable[str]) -> None:
        folded = {_folded(name) for name in names}
        self._domains = tuple(name[1:] for name in folded if name.startswith("*."))
        self._names = frozenset(name for name in folded if name and not name.startswith("*."))

    def is_one(self, word: str) -> bool:
        """Is that word a name of ours, in any spelling or in letters that look the same?"""
        name = _folded(word)
        if name in self._names or name.endswith(self._domains):
            return True
        if name.isascii():
            return False
        return any(_looks_like(name, each) for each in self._names) or any(
            _looks_like(name[-len(end) :], end) for end in self._domains
        )

    def stand_in(self, text: str) -> bool:
        """Does any reader find a name of ours anywhere in that text? Where encoded-words can't be decoded: perhaps, so
        yes."""
        try:
            readings = {text, encoded_word.decode(text)}
        except encoded_word.Malformed:
            return True
        readings |= {_without_comments(reading) for reading in readings}
        return any(self._stands_in(reading) for reading in readings)

    def _stands_in(self, text: str) -> bool:
        if any(self.is_one(word) for word in _WORD.findall(_visible(text))):
            return True
        squeezed = _BETWEEN.sub("", _visible(text))  # for readers of `mx . forwarder . "example"`
        return any(name in squeezed for name in (*self._names, *self._domains) if "." in name)


def _visible(text: str) -> str:
    """The text with compatible characters made one, in lower case, without what takes no space on a screen."""
    text = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text.translate(_DOTS)).casefold()
    return "".join(char for char in text if char.isprintable() or char == " ")


def _folded(name: str) -> str:
    """A name in the one form that is compared: U-labels, in lower case, without dots at its ends."""
    return ".".join(_u_label(label) for label in _visible(name.strip()).strip(".").split("."))


def _u_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return _visible(label.removeprefix("xn--").encode("ascii").decode("punycode"))
    except UnicodeError:
        return label


def _looks_like(name: str, ours: str) -> bool:
    """The same but for letters beyond ASCII, which may look like anything: a Cyrillic o in place of ours."""
    return len(name) == len(ours) and all(a == b or not a.isascii() for a, b in zip(name, ours, strict=True))


def _without_comments(text: str) -> str:
    for _ in range(_DEEPEST):
        text, removed = _COMMENT.subn("", text)
        if not removed:
            break
    return text
