"""The author domain: the domain of the one mailbox in From, where every reader finds the same (RFC 5322 section 3.6.2).

What is signed is what the next reader believes, so a From that OpenDMARC, Gmail or Outlook could read otherwise than we
do has no author domain. The grammar below is what they all agree on, much less than RFC 5322 permits: a bare address,
or a display name and an address in angle brackets. The same caution holds for the display text: readers exist that
decode RFC 2047 words, or drop quotes, before they look for the address, so no other domain may come to light that way.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dkimgate.message import author_readings, domains
from dkimgate.message.encoded_word import Malformed, decode
from dkimgate.message.lines import LONGEST_LINE, has_long_line, sent
from dkimgate.message.message import HeaderField
from dkimgate.message.plain_from import plain_mailbox

LONGEST_FROM = 4096
"""Octets of a From field that are read at all: several times what a long name in encoded-words takes."""

LONGEST_ADDRESS = 320
"""Characters: 64 of local part, the @, 255 of domain (RFC 5321 section 4.5.3.1)."""


@dataclass(frozen=True, slots=True)
class Author:
    """The author domain (lower-case A-labels) and address (as written), or None for both and the `problem` in plain
    words."""

    domain: str | None = None
    address: str | None = None
    problem: str | None = None


class _Refused(Exception):
    """This From has no author domain; the text says why."""


def author_of(header: Sequence[HeaderField], longest_line: int = LONGEST_LINE) -> Author:
    """The author of a message. Never raises, and takes time linear in the size of the header.

    `longest_line`: smtp(8) breaks header lines of more octets behind us, so the next reader finds a white space where
    there is none now: such a From has no author. With 0 no line is too long.
    """
    try:
        field = _only_from(header, longest_line)
        if (plain := plain_mailbox(field, longest_line)) is not None:
            return Author(domain=plain[1], address=plain[0])
        text = _readable(field.value)
        if has_long_line(field, longest_line):
            raise _Refused(
                f"a line of more than {longest_line} octets in From: Postfix breaks it where it leaves, and it reads "
                f"otherwise then"
            )
        address, domain = _mailbox(text)
        if field.value.endswith((b" ", b"\t")) and not address.isascii():
            raise _Refused("white space behind an address beyond ASCII in From: rspamd takes it into the domain")
    except _Refused as refused:
        return Author(problem=str(refused))
    return Author(domain=domain, address=address)


def author_of_ours(header: Sequence[HeaderField], longest_line: int = LONGEST_LINE) -> Author:
    """The author of a message of our own: the strict reading, and where it has none, the one domain behind every
    reading of From.

    Never raises. Never for mail from outside: of that, a domain has to be read in the one plain form.
    """
    strict = author_of(header, longest_line)
    if strict.domain is not None:
        return strict
    try:
        field = _only_from(header, longest_line)
        if len(field.value) > LONGEST_FROM or has_long_line(field, longest_line) or _BLANK_FOLD.search(field.value):
            return strict
        address, domain = author_readings.one_domain(field.value.replace(b"\n", b""))
    except (_Refused, author_readings.Unclear) as why:
        return Author(problem=str(why) if isinstance(why, _Refused) else f"{strict.problem}; {why}")
    return Author(domain=domain, address=address)


_PARTICULAR = re.compile(r"['\"0-9(:].*", re.DOTALL)


def kind_of_problem(problem: str) -> str:
    """What a problem shares with those of other messages: the words ahead of the first name, number or list. At most 60
    characters."""
    return _PARTICULAR.sub("", problem)[:60].strip()


# --- the header: which field is From

_NOT_NAME = re.compile(rb"[^!-9;-~]")
_USUAL_NAME = re.compile(rb"(?!from\Z)[A-Za-z0-9-]+", re.IGNORECASE)
_BARE_LF = re.compile(rb"\n(?![ \t])")
_BLANK_FOLD = re.compile(rb"\n[ \t]++(?:\n|\Z)")


def _only_from(header: Sequence[HeaderField], longest_line: int) -> HeaderField:
    """The single From field of a header in which no reader finds another one."""
    found: list[HeaderField] = []
    for field in header:
        if _is_usual(field, longest_line):
            continue
        _single_field(field)
        # a name that becomes From once somebody drops a NUL, a blank or a byte order mark is From for him
        if _NOT_NAME.sub(b"", field.name).lower() == b"from":
            found.append(field)
        elif not found and _hides_from(sent(field, longest_line).value):
            raise _Refused(
                f"a line of nothing but white space in {_name(field)}, above From, and then a line that some may take "
                f"for From"
            )
    if not found:
        raise _Refused("no From field")
    if len(found) > 1:
        raise _Refused(f"{len(found)} From fields")
    if found[0].name.lower() != b"from":
        raise _Refused(f"the name of the From field is written {_name(found[0])}: not every reader takes it for From")
    return found[0]


_LIKE_FROM = re.compile(rb"\n[^!-~\n]*+from[^!-~\n]*+:", re.IGNORECASE)


def _is_usual(field: HeaderField, longest_line: int) -> bool:
    """One short line that is not From: nobody finds anything in it. Most fields are so."""
    name, value = field.name, field.value
    if b"\n" in value or b"\r" in value or b"\0" in value or not _USUAL_NAME.fullmatch(name):
        return False
    return not longest_line or len(name) + 1 + len(value) <= longest_line


def _hides_from(value: bytes) -> bool:
    """Does a line of nothing but white space, which some take for the end of the header, stand above a line that could
    be From for them?

    The blank line alone is well: Exim's X-Spam-Report has one. Postfix hands it on as it stands. Who ends the header
    there finds no From at all, nor a signature that holds, and so gives the message no credit.
    """
    blank = _BLANK_FOLD.search(value)
    return blank is not None and _LIKE_FROM.search(value, blank.end() - 1) is not None


def _single_field(field: HeaderField) -> None:
    """Refuse what lets a reader find a field inside this one: a bare CR or LF ends a line for some, a NUL ends a
    string."""
    name, value = field.name, field.value
    if b"\r" in value or b"\r" in name:
        raise _Refused(f"a bare CR in {_name(field)}")
    if b"\0" in value or b"\0" in name:
        raise _Refused(f"a NUL in {_name(field)}")
    if b"\n" in name or _BARE_LF.search(value):
        raise _Refused(f"a bare LF in {_name(field)}")


def _name(field: HeaderField) -> str:
    return repr(field.name[:40].decode("latin-1"))


# --- the value: octets to one line of text


def _readable(value: bytes) -> str:
    """The unfolded text, without white space around it."""
    if len(value) > LONGEST_FROM:
        raise _Refused(f"From is longer than {LONGEST_FROM} octets")
    if _BLANK_FOLD.search(value):
        raise _Refused("a line of nothing but white space in From")
    try:
        text = value.replace(b"\n", b"").decode("utf-8")
    except UnicodeDecodeError:
        raise _Refused("From is neither ASCII nor UTF-8") from None
    _without_controls(text, "From")
    return text.strip(" \t")


_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LINE_ENDS = frozenset("\u2028\u2029")


def _without_controls(text: str, where: str) -> None:
    """Refuse what hides or moves text on a screen, or ends a line for some."""
    if text.isascii() and text.isprintable():
        return
    for char in text:
        if " " <= char <= "~" or char == "\t":
            continue
        if char in _BIDI:
            raise _Refused(f"a control character of text direction in {where} (U+{ord(char):04X})")
        if char in _LINE_ENDS or unicodedata.category(char) == "Cc":
            raise _Refused(f"a control character in {where} (U+{ord(char):04X})")


# --- the text: its tokens

_TOKEN = re.compile(
    r"""
      (?P<space>[ \t]+)
    | (?P<quoted>"(?:[^"\\]|\\["\\])*")
    | (?P<comment>\([^()\\"]*\))
    | (?P<atom>[^\x20\t()<>\[\]:;@\\,"]+)
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Token:
    """`kind` is "space", "quoted", "comment", "atom", or for any other character that character."""

    kind: str
    text: str


_STRAY = {
    '"': "a quotation mark without its partner, or a quoted pair other than of a quotation mark or a backslash",
    "(": "a comment without its end, or one that holds parentheses, quotation marks or quoted pairs",
    ")": "a closing parenthesis without a comment",
    "\\": "a backslash outside quotation marks",
}


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match:
            tokens.append(_Token(match.lastgroup or "", match[0]))
            at = match.end()
        elif text[at] in _STRAY:
            raise _Refused(f"{_STRAY[text[at]]} in From")
        else:
            tokens.append(_Token(text[at], text[at]))
            at += 1
    return tokens


# --- the tokens: one mailbox

_OUTSIDE = {
    ",": "From holds a comma outside quotation marks: more than one mailbox, or a name that needs quotation marks",
    ":": "From holds a colon outside quotation marks: a group, or a name that needs quotation marks",
    ";": "From holds a semicolon outside quotation marks: a group, or a name that needs quotation marks",
    "[": "From holds a square bracket outside quotation marks: a domain literal, or a name that needs quotation marks",
    "]": "From holds a square bracket outside quotation marks: a domain literal, or a name that needs quotation marks",
}


def _mailbox(text: str) -> tuple[str, str]:
    """The address and the author domain of the text of a From field."""
    tokens = _tokens(text)
    if not tokens:
        raise _Refused("From is empty")
    kinds = [token.kind for token in tokens]
    if "<" in kinds:
        display, inside, behind = _angle(tokens, kinds)
    else:
        display, inside, behind = [], *_bare(tokens, kinds)
    # the address first: a source route or a literal is better named than the comma in it
    address, domain = _address(inside)
    _display_name(display)
    _behind(behind)
    own = frozenset({domain, address.rpartition("@")[2].lower()})
    for part in (display, behind):
        _harmless("".join(token.text for token in part), own)
    return address, domain


def _angle(tokens: list[_Token], kinds: list[str]) -> tuple[list[_Token], list[_Token], list[_Token]]:
    """Before, between and behind the angle brackets."""
    start = kinds.index("<")
    if kinds.count("<") > 1 or kinds.count(">") != 1 or kinds.index(">") < start:
        raise _Refused("angle brackets in From that are not one pair")
    end = kinds.index(">")
    return tokens[:start], tokens[start + 1 : end], tokens[end + 1 :]


def _bare(tokens: list[_Token], kinds: list[str]) -> tuple[list[_Token], list[_Token]]:
    """The address and what stands behind it, where there are no angle brackets."""
    if ">" in kinds:
        raise _Refused("angle brackets in From that are not one pair")
    end = kinds.index("space") if "space" in kinds else len(tokens)
    return tokens[:end], tokens[end:]


_SPECIAL = set(_OUTSIDE)


def _address(tokens: list[_Token]) -> tuple[str, str]:
    kinds = [token.kind for token in tokens]
    text = "".join(token.text for token in tokens)
    match kinds:
        case ["atom", "@", "atom"]:
            return text, _domain(tokens[0].text, tokens[2].text, text)
        case []:
            raise _Refused("an empty address (<>) in From")
        case ["@", *_] if "," in kinds or ":" in kinds:
            raise _Refused("a source route in From")
        case ["quoted", "@", *_]:
            raise _Refused("a local part in quotation marks in From: readers differ about where such an address ends")
        case [_, "@", "[", *_]:
            raise _Refused("a domain literal in From: it has no domain")
        case _ if _SPECIAL & set(kinds):
            raise _Refused(next(_OUTSIDE[kind] for kind in kinds if kind in _OUTSIDE))
        case _ if "comment" in kinds:
            raise _Refused("a comment in or at the address in From")
        case _ if "space" in kinds:
            raise _Refused("white space in the address in From")
        case _ if "quoted" in kinds:
            raise _Refused("quotation marks in the address in From")
        case _ if kinds.count("@") > 1:
            raise _Refused("an address with more than one @ in From")
    raise _Refused("no address in From: expected local-part@domain")


def _domain(local: str, written: str, address: str) -> str:
    if len(address) > LONGEST_ADDRESS:
        raise _Refused(f"the address in From is longer than {LONGEST_ADDRESS} characters")
    if "=?" in address:
        raise _Refused("an encoded-word in the address in From")
    if local.startswith(".") or local.endswith(".") or ".." in local:
        raise _Refused("a dot at an end of the local part in From, or two in a row")
    # a full-width @ becomes @ for a reader that normalizes, and then the domain is another
    if unicodedata.normalize("NFKC", local) != local or any(unicodedata.category(char)[0] in "CZ" for char in local):
        raise _Refused("characters in the local part in From that some readers replace")
    domain = domains.a_label(written)
    if domain is None:
        raise _Refused(f"{written[:80]!r} in From is no domain that every reader reads alike")
    return domain


def _display_name(tokens: list[_Token]) -> None:
    for token in tokens:
        match token.kind:
            case "atom" | "quoted" | "space":
                pass
            case "comment":
                raise _Refused("a comment ahead of the address in From")
            case "@":
                raise _Refused("an @ outside quotation marks in the display name in From")
            case kind:
                raise _Refused(_OUTSIDE[kind])
    for first, second in pairwise(tokens):
        if "quoted" in (first.kind, second.kind) and "space" not in (first.kind, second.kind):
            raise _Refused("no white space beside quotation marks in the display name in From")


def _behind(tokens: list[_Token]) -> None:
    match [token.kind for token in tokens]:
        case [] | ["space", "comment"]:
            return
        case ["comment", *_]:
            raise _Refused("a comment at the address in From without white space between")
        case kinds if _SPECIAL & set(kinds):
            raise _Refused(next(_OUTSIDE[kind] for kind in kinds if kind in _OUTSIDE))
    raise _Refused("text behind the address in From")


# --- the display text: nothing that becomes another address

_DOT = re.compile(r"[.\u3002]")
_WORD = re.compile(r"\w")


def _harmless(text: str, own: frozenset[str]) -> None:
    """Refuse text that holds another address for a reader which decodes, dequotes or normalizes before it parses.

    An @ may stand there before the author domain, as in `"j@d.example" <j@d.example>`, or where nothing behind it could
    be a domain with a dot in it (`"Sales @ Acme"`, `"Sales @ Acme Inc."`).
    """
    try:
        decoded = decode(text)
    except Malformed as malformed:
        raise _Refused(f"{malformed} in From") from None
    if decoded != text:
        _without_controls(decoded, "an encoded-word in From")
    for reading in {text, unicodedata.normalize("NFKC", decoded)}:
        if "<" in reading or ">" in reading:
            raise _Refused("angle brackets in the display text in From")
        for tail in reading.split("@")[1:]:
            dot = _DOT.search(tail)
            if dot and _WORD.search(tail, dot.end()) and not _own(tail.lower(), own):
                raise _Refused("something like another address in the display text in From")


def _own(tail: str, own: frozenset[str]) -> bool:
    return any(tail.startswith(domain) and not re.match(r"[\w.@\u3002-]", tail[len(domain) :][:1]) for domain in own)
