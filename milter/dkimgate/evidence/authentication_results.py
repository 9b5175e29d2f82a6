"""Authentication-Results (RFC 8601): one reading for what helps, another for what hurts.

What helps is taken from a field only if all of it follows the grammar of section 2.2. What hurts is taken from any field: where the
grammar fails, every `method=result` that says something bad is picked out of the text as it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_LENGTH = 8192
"""A field longer than this is not read for what helps."""


@dataclass(frozen=True, slots=True)
class Result:
    """One resinfo: `method` and `result` in lower case, and its properties as ("ptype.property" in lower case, value)."""

    method: str
    result: str
    properties: tuple[tuple[str, str], ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one field says. `strict`: all of it followed the grammar; otherwise `results` holds only what hurts."""

    authserv_id: str | None
    results: tuple[Result, ...]
    strict: bool


class _NotWellFormed(Exception):
    """The text leaves the grammar."""


def read(text: str) -> Reading:
    """Read the unfolded value of one field. Never raises."""
    if len(text) <= MAX_LENGTH and text.replace("\t", " ").isprintable():
        try:
            return _parse(text)
        except _NotWellFormed:
            pass
    return read_what_hurts(text)


def read_what_hurts(text: str) -> Reading:
    """The reading of a field of which nothing may help. Never raises."""
    return Reading(_first_word(text), hurting(text), strict=False)


_HURTS = re.compile(
    r"(?<![\w.-])(dmarc|spf|dkim|arc)\s*(?:/\s*\d+\s*)?=\s*\"?"
    r"(fail|hardfail|softfail|permerror|temperror|error|reject|quarantine)\b",
    re.IGNORECASE,
)


def hurting(text: str) -> tuple[Result, ...]:
    """Every bad result that stands anywhere in the text, quotes and comments and broken grammar notwithstanding."""
    found = _HURTS.finditer(text.replace("\0", ""))
    return tuple(dict.fromkeys(Result(match[1].lower(), match[2].lower()) for match in found))


def _first_word(text: str) -> str | None:
    match = re.match(r"[\s\"]*([^\s;\"()=]+)[\s\"]*(?:;|\s|$)", text)
    return match[1] if match else None


# The lexical tokens of RFC 8601 section 2.2, which takes `value` from RFC 2045 section 5.1. A "word" is wider than a token of that
# RFC: real hosts write addresses, base64 and time stamps unquoted where a pvalue stands.
_LEX = re.compile(r'[ \t]+|(?P<word>[^\s();"=]+)|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<mark>[=;(])')
_KEYWORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_PROPERTY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*\.[A-Za-z0-9][A-Za-z0-9._-]*")

Token = tuple[str, str]
"""A kind ("word", "quoted", "=", ";", "end") and its text."""


def _lex(text: str) -> list[Token]:
    """The field as tokens without CFWS. Raises _NotWellFormed at an unclosed quote or comment."""
    tokens: list[Token] = []
    at = 0
    glued = False  # the last token ended where this one starts: `"a b"@example` is one value
    while at < len(text):
        match = _LEX.match(text, at)
        if match is None:
            raise _NotWellFormed
        at = match.end()
        match match.lastgroup:
            case "word":
                _append(tokens, "word", match.group(), glued)
                glued = True
            case "quoted":
                _append(tokens, "quoted", re.sub(r"\\(.)", r"\1", match.group()[1:-1]), glued)
                glued = True
            case "mark" if match.group() == "(":
                at = _end_of_comment(text, at)
                glued = False
            case "mark":
                tokens.append((match.group(), match.group()))
                glued = False
            case _:
                glued = False
    tokens.append(("end", ""))
    return tokens


def _append(tokens: list[Token], kind: str, text: str, glued: bool) -> None:
    if not glued:
        tokens.append((kind, text))
        return
    before = tokens[-1]
    if before[0] != "quoted" or not text.startswith("@") or kind != "word":
        raise _NotWellFormed  # only a quoted local part may touch what follows it
    tokens[-1] = ("word", f'"{before[1]}"{text}')


_COMMENT = re.compile(r"[()]|\\.")


def _end_of_comment(text: str, at: int) -> int:
    depth = 1
    while depth:
        match = _COMMENT.search(text, at)
        if match is None:
            raise _NotWellFormed
        at = match.end()
        depth += {"(": 1, ")": -1}.get(match.group(), 0)
    return at


class _Cursor:
    """The tokens, read from left to right."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0

    @property
    def kind(self) -> str:
        return self.tokens[self.at][0]

    def take(self, *kinds: str) -> str:
        kind, text = self.tokens[self.at]
        if kind not in kinds:
            raise _NotWellFormed
        self.at += 1
        return text


def _parse(text: str) -> Reading:
    cursor = _Cursor(_lex(text))
    authserv_id = cursor.take("word", "quoted")
    if cursor.kind == "word" and not cursor.take("word").isdigit():
        raise _NotWellFormed  # only a version may stand between the authserv-id and the first semicolon
    results: list[Result] = []
    empty = False
    while cursor.kind != "end":
        cursor.take(";")
        if cursor.kind == "end":
            break  # a trailing semicolon: Yahoo writes one
        if _is_no_result(cursor):
            empty = True
        else:
            results.append(_resinfo(cursor))
    if empty and results:
        raise _NotWellFormed
    return Reading(authserv_id, tuple(results), strict=True)


def _is_no_result(cursor: _Cursor) -> bool:
    kind, text = cursor.tokens[cursor.at]
    alone = cursor.tokens[cursor.at + 1][0] in ("end", ";")
    if kind == "word" and text.lower() == "none" and alone:
        cursor.at += 1
        return True
    return False


def _resinfo(cursor: _Cursor) -> Result:
    method = _method(cursor.take("word"))
    if cursor.kind == "word":
        _method_version(cursor.take("word"))
    cursor.take("=")
    result = cursor.take("word").lower()
    if not _KEYWORD.fullmatch(result):
        raise _NotWellFormed
    reason: str | None = None
    properties: list[tuple[str, str]] = []
    while cursor.kind == "word":
        name = cursor.take("word").lower()
        if cursor.kind == "=" and name in ("reason", "action"):
            cursor.take("=")
            value = cursor.take("word", "quoted")
            reason = value if name == "reason" else reason
            continue
        if not _PROPERTY.fullmatch(name):
            raise _NotWellFormed
        cursor.take("=")
        properties.append((name, _pvalue(cursor)))
    return Result(method, result, tuple(properties), reason)


def _pvalue(cursor: _Cursor) -> str:
    """A property's value. It may be empty (a null sender) and may hold `=` (a variable envelope return path)."""
    if cursor.kind in (";", "end"):
        return ""
    parts = [cursor.take("word", "quoted")]
    while cursor.kind == "=":
        parts.append(cursor.take("="))
        if cursor.kind == "word":
            parts.append(cursor.take("word"))
    return "".join(parts)


def _method(word: str) -> str:
    name, slash, version = word.partition("/")
    if not _KEYWORD.fullmatch(name) or (slash and version and not version.isdigit()):
        raise _NotWellFormed
    return name.lower()


def _method_version(word: str) -> None:
    if not re.fullmatch(r"/?\d*", word):
        raise _NotWellFormed
