"""Comments and quoted strings (RFC 5322 section 3.2) taken out of a text, in time that grows with it whatever a
stranger writes.

A pattern that demands the closing mark starts anew at every opening mark, and each time reads to the end of the text
where no mark closes. So the patterns here also match, up to the end, what is not closed; that part stays in the text as
it is.
"""

from __future__ import annotations

import re

# what is not closed, as much of it as stands in a row, at once: each match costs a call
_INNER_COMMENT = re.compile(r"(?:\((?:[^()\\]++|\\.)*+(?!\)))++|\((?:[^()\\]++|\\.)*+(\))")
_QUOTED = re.compile(r'"(?:[^"\\]++|\\.)*+("?)')


def without_inner_comments(text: str, instead: str = "") -> str:
    """The text with `instead` in place of each comment that holds no other."""
    return _INNER_COMMENT.sub(lambda match: instead if match[1] else match[0], text)


def without_quoted(text: str, instead: str) -> str:
    """The text with `instead` in place of each quoted string."""
    return _QUOTED.sub(lambda match: instead if match[1] else match[0], text)
