"""The fast patterns against plain ones: slow, or with more work for `re`, but easy to see through."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from dkimgate.authres import authentication_results
from dkimgate.authres.authentication_results import Result, hurting
from dkimgate.authres.quoting import without_inner_comments, without_quoted

COMMENT = re.compile(r"\((?:[^()\\]++|\\.)*+(\)?)")
QUOTED = re.compile(r'"(?:[^"\\]++|\\.)*+("?)')
BAD = re.compile(
    r"(?<![\w.-])(dmarc|spf|dkim|arc|compauth)(?:-result)?\s*(?:/\s*\d+\s*)?=\s*\"?"
    r"(fail|hardfail|softfail|perm[_-]?fail|temp[_-]?fail|permerror|temperror|error|invalid|timeout|reject|quarantine)(?![\w-])",
    re.IGNORECASE,
)
MARKS = st.text(alphabet='()\\"a \n', max_size=24)
WORDS = st.lists(
    st.sampled_from(
        (
            *("dmarc", "DKIM", "spf", "arc", "compauth", "=", "fail", "Fail", "-result", " ", "/", "1", '"'),
            *("permerror", "perm_fail", "PermFail", ".", "-", "x", ";", "(", ")", "\\", "d", "s", "softfail"),
            *("reject", "\u00e9", "\n"),
        )
    ),
    max_size=16,
).map("".join)


@given(MARKS)
def test_comments(text: str) -> None:
    assert without_inner_comments(text, "-") == COMMENT.sub(lambda match: "-" if match[1] else match[0], text)


@given(MARKS)
def test_quoted_strings(text: str) -> None:
    assert without_quoted(text, "-") == QUOTED.sub(lambda match: "-" if match[1] else match[0], text)


@given(WORDS)
def test_bad_results(text: str) -> None:
    without = COMMENT.sub(lambda match: "" if match[1] else match[0], text)
    found = [(match[1].lower(), match[2].lower()) for each in (text, without) for match in BAD.finditer(each)]
    assert set(hurting(text)) == {Result(method, result) for method, result in found}


def test_as_many_bad_results_as_are_read() -> None:
    most = authentication_results._MOST_BAD
    assert hurting("spf=fail; " * most) == (Result("spf", "fail"),)
    assert hurting("spf=fail; " * (most + 1)) == authentication_results.UNREAD
    assert hurting("spf=fail (x); " * (most // 2)) == (Result("spf", "fail"),)  # once with comments, once without
