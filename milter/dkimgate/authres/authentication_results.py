"""Authentication-Results (RFC 8601): one reading for what helps, another for what hurts.

What helps is taken from a field only if all of it follows the grammar of section 2.2. What hurts is taken from any
field: where the grammar fails, every `method=result` that says something bad is picked out of the text as it stands.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from dkimgate.authres import methods
from dkimgate.authres.quoting import without_inner_comments

MAX_LENGTH = 8192
"""A field longer than this is not read for what helps."""

LONGEST_READ = 32_768
"""Characters of a field that is read at all: Gmail refuses mail with a longer one, except To, Cc and References. Behind
that it counts as the worst that it could say, so that nobody hides a `fail` there."""


@dataclass(frozen=True, slots=True)
class Result:
    """One resinfo: `method` and `result` in lower case, and its properties as ("ptype.property" in lower case,
    value)."""

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


# of a text in lower case; that no part of a word stands ahead is asked behind the first letter, for `re` leaps to a
# letter and tries a look behind everywhere
_HURTS = re.compile(
    r"(d(?<![\w.-].)(?:marc|kim)|s(?<![\w.-].)pf|a(?<![\w.-].)rc|c(?<![\w.-].)ompauth)(?:-result)?\s*(?:/\s*\d+\s*)?=\s*\"?"
    r"(fail|hardfail|softfail|perm[_-]?fail|temp[_-]?fail|permerror|temperror|error|invalid|timeout|reject|quarantine)(?![\w-])"
)
UNREAD = tuple(Result(method, "fail") for method in methods.RESULTS)
"""What counts in place of results that are not read: each method failed, for all that anybody knows."""

_MOST_BAD = 200  # bad results of one field; an honest one has ten


def hurting(text: str) -> tuple[Result, ...]:
    """Every bad result that stands anywhere in the text, quotes and comments and broken grammar notwithstanding.

    A text of more than LONGEST_READ characters, or of more bad results than honest fields have, is not read.
    """
    if len(text) > LONGEST_READ:
        return UNREAD
    text = text.replace("\0", "").lower()
    found = _bad(text)
    if "(" in text and len(found) <= _MOST_BAD:
        found += _bad(without_inner_comments(text))  # `dmarc (so it seems) = fail`
    if len(found) > _MOST_BAD:
        return UNREAD
    return tuple(dict.fromkeys(Result(method, result) for method, result in found))


def _bad(text: str) -> list[tuple[str, str]]:
    return [(match[1], match[2]) for match in itertools.islice(_HURTS.finditer(text), _MOST_BAD + 1)]


def _first_word(text: str) -> str | None:
    match = re.match(r"[\s\"]*([^\s;\"()=]+)[\s\"]*(?:;|\s|$)", text)
    return match[1] if match else None


# The lexical tokens of RFC 8601 section 2.2, which takes `value` from RFC 2045 section 5.1, each with the CFWS ahead of
# it. A "word" is wider than a token of that RFC: real hosts write addresses, base64 and time stamps unquoted where a
# pvalue stands.
_LEX = re.compile(
    r"""
    ( (?: [ \t]++ | \( (?: [^()\\]++ | \\. )*+ \) )*+ )    # white space, and comments that hold no other
    (?: ( [^\s();"=]++ )                                  # a word
      | ( " (?: [^"\\]++ | \\. )*+ " )                     # a quoted string
      | ( [=;] )
      | ( " (?: [^"\\]++ | \\. )*+                        # what begins none of these, to its end: not tried again
        | \( (?: [^()\\]++ | \\. )*+
        | . )
      | \Z )
    """,
    re.VERBOSE | re.DOTALL,
)
_KEYWORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")  # Yahoo: perm_fail, arc_overridden_status
_METHOD = re.compile(r"([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(?:/0*1)?")  # no version but 1 is known
_PROPERTY = re.compile(r"[a-z0-9][a-z0-9-]*\.[a-z0-9][a-z0-9._-]*")
_METHODS = frozenset({"dmarc", "spf", "dkim", "arc"})
_PAIRS = frozenset({"client-ip", "envelope-from", "helo", "identity", "receiver"})
"""What Amazon SES copies out of Received-SPF (RFC 7208 section 9.1), each with a semicolon ahead as if it were a
result."""

_QUOTED_PAIR = re.compile(r"\\(.)")


Token = tuple[str, str, bool]
"""Its kind ("word", "quoted", "=", ";" or "end"), its text, and whether white space or a comment stands ahead of it."""

_END: Token = ("end", "", True)


def _lex(text: str) -> list[Token]:
    """The field as tokens without CFWS. Raises _NotWellFormed at an unclosed quote or comment."""
    try:
        return _tokens(text)
    except _CommentInComment:
        return _tokens(_without_comments(text))


class _CommentInComment(_NotWellFormed):
    """A comment that holds another, or has no end."""


def _tokens(text: str) -> list[Token]:
    """The tokens of a text, up to what begins none."""
    tokens: list[Token] = []
    for match in _LEX.finditer(text):
        space, word, quoted, mark, stray = match.groups("")
        if word:
            if not space and tokens and tokens[-1][0] == "quoted":
                tokens.append(_local_part_and_domain(tokens.pop(), word))
            else:
                tokens.append(("word", word, space != ""))
        elif mark:
            tokens.append((mark, mark, space != ""))
        elif quoted:
            tokens.append(("quoted", _QUOTED_PAIR.sub(r"\1", quoted[1:-1]), space != ""))
        elif stray.startswith("("):
            raise _CommentInComment
        elif stray:
            raise _NotWellFormed
    tokens.append(_END)
    return tokens


def _local_part_and_domain(quoted: Token, word: str) -> Token:
    """`"a b"@example` is one value; nothing else may touch a quoted string."""
    if not word.startswith("@"):
        raise _NotWellFormed
    return "word", f'"{quoted[1]}"{word}', quoted[2]


_QUOTES_AND_COMMENTS = re.compile(r'"(?:[^"\\]++|\\.)*+"|[()]|\\.')


def _without_comments(text: str) -> str:
    """The text with a space in place of each comment, for comments inside comments. Raises _NotWellFormed where one has
    no end."""
    kept: list[str] = []
    depth = start = 0
    at = 0
    while (match := (_QUOTES_AND_COMMENTS if depth == 0 else _COMMENT).search(text, at)) is not None:
        at = match.end()
        if match.group() == "(":
            if depth == 0:
                kept.append(text[start : match.start()])
            depth += 1
        elif match.group() == ")":
            depth -= 1
            start = at
            if depth < 0:
                raise _NotWellFormed
    if depth:
        raise _NotWellFormed
    kept.append(text[start:])
    return " ".join(kept)


_COMMENT = re.compile(r"[()]|\\.")


def _parse(text: str) -> Reading:
    tokens = _lex(text)
    at = 1
    if tokens[0][0] not in ("word", "quoted"):
        raise _NotWellFormed
    if tokens[at][0] == "word":
        if tokens[at][1].lstrip("0") != "1":
            raise _NotWellFormed  # only a version may stand there, and no other version is known
        at += 1
    results: list[Result] = []
    empty = False
    while tokens[at][0] == ";":
        at += 1
        if tokens[at][0] == "end":
            break  # a trailing semicolon: Yahoo writes one
        if tokens[at][1].lower() == "none" and tokens[at][0] == "word" and tokens[at + 1][0] in (";", "end"):
            empty = True
            at += 1
        elif (
            tokens[at][0] == "word"
            and tokens[at][1].lower() == tokens[0][1].lower()
            and tokens[at + 1][0] in (";", "end")
        ):
            at += 1  # Microsoft writes its name ahead of each result
        elif tokens[at][1].lower() in _PAIRS:
            _, at = _name(tokens, at, "/")
            _, at = _pvalue(tokens, at)
        else:
            stated, at = _resinfo(tokens, at)
            results += stated
    if tokens[at][0] != "end" or (empty and results):
        raise _NotWellFormed
    return Reading(tokens[0][1], tuple(results), strict=True)


def _resinfo(tokens: list[Token], at: int) -> tuple[tuple[Result, ...], int]:
    """The results from that token to the next semicolon, and where it stands.

    One, as a rule. FortiMail writes those of several signatures without semicolons between them: nobody knows which
    property belongs to which of them, so only what hurts is taken of these.
    """
    name, at = _name(tokens, at, "/")
    method = _METHOD.fullmatch(name)
    result, at = _value(tokens, at)
    if method is None or not _KEYWORD.fullmatch(result):
        raise _NotWellFormed
    reason: str | None = None
    properties: list[tuple[str, str]] = []
    others: list[str] = []
    while tokens[at][0] == "word":
        name, at = _name(tokens, at, ".")
        if name == "reason":
            reason, at = _value(tokens, at)
            continue
        value, at = _pvalue(tokens, at)
        if _PROPERTY.fullmatch(name):
            properties.append((name, value))
        elif name == method[1] and name in _METHODS:
            others.append(value)
        elif name in _METHODS or not _KEYWORD.fullmatch(name):
            # anything else without a ptype says nothing: Microsoft's action, authentication_milter's x-bits
            raise _NotWellFormed
    if others:
        return hurting(" ".join(f"{method[1]}={each}" for each in (result, *others))), at
    return (Result(method[1], result.lower(), tuple(properties), reason),), at


def _name(tokens: list[Token], at: int, joint: str) -> tuple[str, int]:
    """What stands ahead of an equals sign, in lower case, and what follows that sign. CFWS may stand at the `joint`,
    and nowhere else."""
    name = tokens[at][1]
    if tokens[at][0] != "word":
        raise _NotWellFormed
    at += 1
    while tokens[at][0] == "word":
        text = tokens[at][1]
        if not (name.endswith(joint) or text.startswith(joint)) or (name + text).count(joint) != 1:
            raise _NotWellFormed
        name += text
        at += 1
    if tokens[at][0] != "=":
        raise _NotWellFormed
    return name.lower(), at + 1


def _value(tokens: list[Token], at: int) -> tuple[str, int]:
    if tokens[at][0] not in ("word", "quoted"):
        raise _NotWellFormed
    return tokens[at][1], at + 1


def _pvalue(tokens: list[Token], at: int) -> tuple[str, int]:
    """A property's value. It may be empty (a null sender) and may hold `=` (a variable envelope return path)."""
    if tokens[at][0] in (";", "end"):
        return "", at
    value, at = _value(tokens, at)
    while tokens[at][0] == "=":
        if tokens[at][2] or tokens[at - 1][0] == "quoted":
            raise _NotWellFormed
        value += "="
        at += 1
        if tokens[at][0] == "word" and not tokens[at][2]:
            value += tokens[at][1]
            at += 1
    return value, at
