"""The author domain of our own mail: one domain behind every reading of From.

Users and programs write what the strict grammar of `author` refuses: a name in latin-1, an address for a name, two
authors of one domain. For them it is enough that every reader, however careless, finds the same domain. So nothing is
parsed here: the field is read in every way that readers are known for (encoded-words decoded first or not at all,
quotation marks and comments dropped or kept, full-width forms replaced), and each @ with a domain behind it counts in
every one of them. Only an address in a comment ahead of the angle brackets is no address for anybody: `"Alice
(alice@ext.example) via list" <list@hosted.example>`.

An account may be stolen: a From in which any reader could find a foreign domain has no author here either.
"""

from __future__ import annotations

import base64
import codecs
import quopri
import re
import unicodedata
from collections.abc import Iterator

from dkimgate.message import domains


class Unclear(Exception):
    """Readers may find different domains, or none; the text says why."""


def one_domain(value: bytes) -> tuple[str, str]:
    """The address (the last one) and the domain that stands behind every reading of an unfolded From value. Raises
    Unclear."""
    found: dict[str, str] = {}
    for text in _texts(value):
        _printable(text)
        here = dict(_addresses(text))
        if not here:
            raise Unclear("some readers find no address in From")
        found |= here
    if len(found) > 1:
        names = ", ".join(sorted(found)[:4])
        raise Unclear(f"readers may find more than one domain in From: {names}")
    domain, address = found.popitem()
    return address, domain


# --- the texts that readers may see


def _texts(value: bytes) -> Iterator[str]:
    for text in dict.fromkeys(_decoded(value)):
        for normal in dict.fromkeys((text, unicodedata.normalize("NFKC", text))):
            for bare in dict.fromkeys((normal, normal.translate(_NO_QUOTES))):
                names_dropped = _without_comments(bare, before=bare.rfind("<"))
                yield from dict.fromkeys((names_dropped, _without_comments(bare, before=len(bare))))


_NO_QUOTES = {ord('"'): None, ord("\\"): None}
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]")


def _decoded(value: bytes) -> Iterator[str]:
    """The text as it stands, and with its encoded-words decoded: by their charset, and octet by octet for a reader that
    lacks it."""
    try:
        texts = [value.decode("utf-8")]
    except UnicodeDecodeError:
        # an unlabelled charset: latin-1 for some, one of double octets (GBK, Big5, Shift_JIS) for others, nothing for
        # the third
        texts = [value.decode("latin-1"), _PAIR.sub(b"x", value).decode("latin-1"), value.decode("ascii", "ignore")]
    for text in texts:
        yield text
        if "=?" in text:
            for known in (True, False):
                decoded = _words_decoded(text, known)
                if "=?" in decoded:
                    raise Unclear("a malformed encoded-word in From, or one inside another")
                yield decoded


_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)[ \t]+(?==\?)")


def _words_decoded(text: str, known: bool) -> str:
    return _WORD.sub(lambda word: _word(word, known), _BETWEEN_WORDS.sub(r"\1", text))


def _word(word: re.Match[str], known: bool) -> str:
    try:
        raw = word[3].encode("utf-8")
        octets = base64.b64decode(raw + b"==") if word[2] in "bB" else quopri.decodestring(raw, header=True)
        name = word[1].partition("*")[0]
        return octets.decode(codecs.lookup(name).name if known else "latin-1", "replace").replace("\0", "")
    except (LookupError, ValueError, AssertionError):
        return ""  # other readers show it as it stands, which is another of the texts


_QUOTED_PAIR = re.compile(r"\\.", re.DOTALL)


def _printable(text: str) -> None:
    if _QUOTED_PAIR.sub("", text).count('"') % 2:
        raise Unclear("a quotation mark without its partner in From")
    for char in text:
        if char in "\u2028\u2029" or (char != "\t" and "\x00" <= char < " ") or char == "\x7f":
            raise Unclear(f"a control character in From (U+{ord(char):04X})")


_COMMENT = re.compile(r"""\([^()<>"\\]*+\)""")
_DEEPEST = 4


def _without_comments(text: str, before: int) -> str:
    """Without what every reader takes for a comment: nothing in it could end it early, or begin an address in angle
    brackets.

    Where a parenthesis is left over, readers differ about all the others.
    """
    head, tail = text[: max(before, 0)], text[max(before, 0) :]
    for _ in range(_DEEPEST):
        shorter = _COMMENT.sub("", head)
        if shorter == head:
            break
        head = shorter
    return text if "(" in head or ")" in head else head + tail


# --- what one text holds

_RUN = re.compile(r"[^\s()<>\[\],;:\\\"@]*+")
_BLANKS = re.compile(r"[ \t]*+")
_ENDS = frozenset(' \t<>,"')  # and no semicolon: rspamd takes it into the domain
_PAIRS = re.compile(r"[^<>]*+(?:<[^<>]*+>[^<>]*+)*+")
_UNDERSCORED = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_-]{1,63}\.)+[a-z][a-z0-9-]{0,62}")
_LONGEST_LOCAL = 64


def _addresses(text: str) -> Iterator[tuple[str, str]]:
    """Domain and address of each @ that a domain could stand behind. Raises Unclear where it can't be told where the
    domain ends."""
    if not _PAIRS.fullmatch(text):
        raise Unclear("angle brackets in From that are not pairs")
    begin, at = text.rfind("<"), text.find("@")
    # from there on, no special ahead of the last address
    plain = max(text.rfind(special, 0, max(begin, 0)) for special in ",:;()[]")
    while at >= 0:
        run = _RUN.match(text, at + 1)
        assert run is not None
        name = run[0]
        if not _ends(text, run.end(), begin if plain < run.end() else -1):
            raise Unclear(f"it can't be told where the domain {name[:80]!r} in From ends")
        domain = _domain(name)
        if domain is None:
            raise Unclear(f"{name[:80]!r} in From is no domain that every reader reads alike")
        # backwards: a search for what stands at the end would try from everywhere
        local = _RUN.match(text[max(at - _LONGEST_LOCAL, 0) : at].rstrip(" \t")[::-1])
        assert local is not None
        yield domain, f"{local[0][::-1]}@{name}"
        at = text.find("@", at + 1)
    if begin >= 0 and "@" not in text[begin:]:
        raise Unclear("the last angle brackets in From hold no address")


def _ends(text: str, end: int, angle: int) -> bool:
    """Does the domain that ends here end there for everybody? `angle`: where angle brackets open behind nothing but
    plain text.

    OpenDMARC drops white space (`<u@d.exam ple>` is d.example for it), and rspamd takes what follows it into the
    domain, unless an address in angle brackets comes behind.
    """
    behind = text[end : end + 1]
    if behind and behind not in _ENDS:
        return False
    if text.rfind("<", 0, end) > text.rfind(">", 0, end):
        return behind == ">"
    blanks = _BLANKS.match(text, end)
    assert blanks is not None
    rest = text[blanks.end() : blanks.end() + 1]
    if rest in (".", "@"):
        return False
    return (
        behind not in (" ", "\t")
        or angle >= end
        or (rest != "" and rest in ',"')
        or (rest == "(" and text.find(")", end) >= 0)
    )


def _domain(name: str) -> str | None:
    domain = domains.a_label(name)
    if domain is None and name.isascii() and "_" in name and _UNDERSCORED.fullmatch(name.lower()):
        return name.lower()  # no host name, but a domain that readers take as it stands
    return domain
