"""The grammar of RFC 8601 section 2.2, and what real hosts write beyond it: what follows it is read whole; of all else only what hurts is."""

from __future__ import annotations

import pytest

from dkimgate.authres.authentication_results import MAX_LENGTH, Result, read
from dkimgate.authres.quoting import without_inner_comments, without_quoted

PASS = Result("dmarc", "pass")
FROM_A = Result("dmarc", "pass", (("header.from", "a.example"),))


def spf(value: str) -> Result:
    return Result("spf", "pass", (("smtp.mailfrom", value),))


FOLLOWS: list[tuple[str, tuple[Result, ...]]] = [
    ("mx.example; none", ()),
    ("mx.example;NONE", ()),
    ("mx.example 1; dmarc=pass", (PASS,)),
    ("mx.example 01; dmarc=pass", (PASS,)),
    ('"mx.example"; dmarc=pass', (PASS,)),
    ("mx.example; dmarc=pass header.from=a.example", (FROM_A,)),
    ("mx.example; DMARC=PASS Header.From=a.example", (FROM_A,)),
    ("mx.example;\tdmarc=pass\theader.from=a.example\t", (FROM_A,)),
    # CFWS wherever the grammar has it
    (
        "(a) mx.example (b) 1 (c) ; (d) dmarc (e) / (f) 1 (g) = (h) pass (i) header (j) . (k) from (l) = (m) a.example (n)",
        (FROM_A,),
    ),
    ("mx.example; dmarc/1=pass", (PASS,)),
    ("mx.example; dmarc/01=pass", (PASS,)),
    ("mx.example; dmarc=pass header .from=a.example", (FROM_A,)),
    ("mx.example; dmarc=pass header. from=a.example", (FROM_A,)),
    # comments in comments, in which quotation marks mean nothing
    ("((a)) mx.example; dmarc=pass", (PASS,)),
    ("mx.example ((a) b (c)); dmarc=pass", (PASS,)),
    ("mx.example ((a \\) b)); dmarc=pass", (PASS,)),
    ("mx.example (a \\) b); dmarc=pass", (PASS,)),
    ('mx.example ((a " b)); dmarc=pass reason="x"', (Result("dmarc", "pass", (), "x"),)),
    ('mx.example ((a)); dmarc=pass reason="(x"', (Result("dmarc", "pass", (), "(x"),)),
    ('mx.example ((a)); dmarc=pass reason="(\\"x"', (Result("dmarc", "pass", (), '("x'),)),
    # quoted strings
    ('mx.example; dmarc=pass reason="a b"', (Result("dmarc", "pass", (), "a b"),)),
    ("mx.example; dmarc=pass reason=good", (Result("dmarc", "pass", (), "good"),)),
    ('mx.example; dmarc=pass reason="a\\"; b=(c"', (Result("dmarc", "pass", (), 'a"; b=(c'),)),
    ('mx.example; dmarc="pass" header.from="a.example"', (FROM_A,)),
    ('mx.example; spf=pass smtp.mailfrom="a b"@b.example', (spf('"a b"@b.example'),)),
    # an empty value, and one with equals signs
    ("mx.example; spf=pass smtp.mailfrom=", (spf(""),)),
    ("mx.example; spf=pass smtp.mailfrom=; dmarc=pass", (spf(""), PASS)),
    ("mx.example; spf=pass smtp.mailfrom=list+a=b.example@c.example", (spf("list+a=b.example@c.example"),)),
    ("mx.example; spf=pass smtp.mailfrom=a== reason=x", (Result("spf", "pass", (("smtp.mailfrom", "a=="),), "x"),)),
    ("mx.example; spf=pass smtp.mailfrom=a= reason=x", (Result("spf", "pass", (("smtp.mailfrom", "a="),), "x"),)),
    ("mx.example; spf=pass smtp.mailfrom=a=; dmarc=pass", (spf("a="), PASS)),
    ("mx.example; none;", ()),
    ("mx.example; none=pass", (Result("none", "pass"),)),
    ("mx.example; A1b2=a1b2 C1d2.E3f4=1", (Result("a1b2", "a1b2", (("c1d2.e3f4", "1"),)),)),
    ("mx.example; dmarc=pass; Client-IP=192.0.2.1", (PASS,)),
    # keywords: letters, digits and hyphens, and underscores inside, as Yahoo writes them
    ("mx.example; x=1", (Result("x", "1"),)),
    ("mx.example; X9-AbC-d=perm_fail", (Result("x9-abc-d", "perm_fail"),)),
    ("mx.example; x=OK 9a-A.B_c-9.d=1", (Result("x", "ok", (("9a-a.b_c-9.d", "1"),)),)),
    ("mx.example; x=ok P.F_=1", (Result("x", "ok", (("p.f_", "1"),)),)),
    # Microsoft: its name ahead of each result, and an action without a ptype
    ("MX.example; mx.EXAMPLE; dmarc=pass action=none header.from=a.example", (FROM_A,)),
    ("mx.example; dmarc=pass; mx.example", (PASS,)),
    # Yahoo: a trailing semicolon
    ("mx.example; dmarc=pass;", (PASS,)),
    # Amazon SES
    (
        "mx.example; spf=pass; client-ip=192.0.2.1; envelope-from=a@b.example; helo=c.example; identity=mailfrom; receiver=d; dmarc=pass",
        (Result("spf", "pass"), PASS),
    ),
    # FortiMail: several signatures without semicolons, of which only what hurts is taken
    ("mx.example; dkim=pass header.d=a dkim=fail header.d=b", (Result("dkim", "fail"),)),
    ("mx.example; DKIM=pass header.d=a dkim=fail header.d=b", (Result("dkim", "fail"),)),
    ("mx.example; dkim=fail header.d=a DKIM=pass header.d=b", (Result("dkim", "fail"),)),
    ("mx.example; dkim=pass header.d=a dkim=pass header.d=b", ()),
]


@pytest.mark.parametrize(("text", "results"), FOLLOWS)
def test_what_follows_the_grammar_is_read_whole(text: str, results: tuple[Result, ...]) -> None:
    reading = read(text)
    assert reading.strict
    assert (reading.authserv_id or "").lower() == "mx.example"
    assert reading.results == results


LEAVES = [
    "",
    ";",
    "; dmarc=pass",
    "= ; dmarc=pass",
    '"mx.example; dmarc=pass',
    "mx.example dmarc=pass",
    # another version, or two
    "mx.example 2; dmarc=pass",
    "mx.example 11; dmarc=pass",
    "mx.example 1 1; dmarc=pass",
    "mx.example; dmarc/2=pass",
    "mx.example; dmarc/1/1=pass",
    "mx.example; dmarc / 1 / 1=pass",
    # words where the grammar has one
    "mx.example; dm arc=pass",
    "mx.example; dmarc=pa ss",
    "mx.example; dmarc=pass header from=a.example",
    "mx.example; dmarc=pass header . . from=a.example",
    "mx.example x; dmarc=pass",
    'mx.example "x"; dmarc=pass',
    'mx.example ";" dmarc=pass',
    'mx.example; dmarc "=" pass',
    'mx.example; "dmarc"=pass',
    'mx.example; dmarc=pass; "none"',
    'mx.example; "none"',
    'mx.example; "mx.example"; dmarc=pass',
    "mx.example; dmarc=pass header.from x=a.example",
    "mx.example; dmarc=pass header.a .b=x",
    "mx.example; dmarc=pass header.from!=x",
    'mx.example; spf=pass smtp.mailfrom=a="b"',
    'mx.example; spf=pass smtp.mailfrom=a"="',
    # something is missing
    "mx.example; dmarc",
    "mx.example; =pass",
    "mx.example; dmarc=; spf=none",
    "mx.example; dmarc==pass",
    "mx.example; dmarc=pass header.from",
    "mx.example; dmarc=pass reason=",
    "mx.example; dmarc=pass reason=;",
    "mx.example; dmarc=pass; ; spf=none",
    "mx.example; client-ip; dmarc=pass",
    # `none` beside results
    "mx.example; none; dmarc=pass",
    "mx.example; dmarc=pass; none",
    # no keywords
    "mx.example; dmarc=pass!",
    "mx.example; dmarc=-pass",
    "mx.example; dm!arc=pass",
    "mx.example; dmarc=pass a@b=c",
    "mx.example; dmarc=pass ab!=c",
    # a result that lost its semicolon
    "mx.example; dkim=pass dmarc=pass",
    "mx.example; x=ok dmarc=pass",
    # what touches a quoted string
    'mx.example; dmarc=pass header.from=a"b"',
    'mx.example; dmarc=pass header.from="a""b"',
    'mx.example; dmarc=pass header.from="a"b',
    '"mx.example""x"; dmarc=pass',
    'mx.example; spf=pass smtp.mailfrom="a"=b; dmarc=pass',
    "mx.example; spf=pass smtp.mailfrom=a =b; dmarc=pass",
    # parentheses and quotation marks that are not pairs
    "mx.example (a; dmarc=pass",
    "mx.example ((a); dmarc=pass",
    "mx.example ((a))); dmarc=pass",
    "mx.example (a)); dmarc=pass",
    ")(a(b)) mx.example; dmarc=pass",
    "mx.example ((a)); dmarc=pass reason=\\( header.from=x)",
    'mx.example; dmarc=pass reason="a\\"',
    # characters that no field holds
    "mx.example; dmarc=pass\0",
    "mx.example; dmarc=pass\x0b",
    "mx.example; dmarc=pass\u2028",
]


@pytest.mark.parametrize("text", LEAVES)
def test_where_the_grammar_fails_nothing_helps(text: str) -> None:
    """Law 2: a field that one reader may read in two ways is not believed."""
    reading = read(text)
    assert (reading.strict, reading.results) == (False, ())
    # what hurts is found all the same
    assert Result("dmarc", "fail") in read(text + "; dmarc=fail").results


def test_a_field_that_is_too_long_does_not_help() -> None:
    text = "mx.example; dmarc=pass ("
    assert read(text + "x" * (MAX_LENGTH - len(text) - 1) + ")").strict
    assert not read(text + "x" * (MAX_LENGTH - len(text)) + ")").strict


@pytest.mark.parametrize(
    ("text", "authserv_id"),
    [
        ("mx.example dmarc=pass", "mx.example"),
        ("mx.example!; ; x", "mx.example!"),
        (' "mx.example" ; ;', "mx.example"),
        (' " mx.example " ; ;', "mx.example"),
        ("mx.example", "mx.example"),
        ("dmarc=pass", None),
        ("mx.example(x); ;", None),
        ("mx(x ; ;", None),
        ("mx)x ; ;", None),
        ("", None),
    ],
)
def test_who_speaks_in_a_field_that_leaves_the_grammar(text: str, authserv_id: str | None) -> None:
    reading = read(text)
    assert not reading.strict or text == "mx.example"
    assert reading.authserv_id == authserv_id


def test_what_hurts_is_told_in_lower_case() -> None:
    assert read('mx; DMARC=FAIL "').results == (Result("dmarc", "fail"),)


def test_comments_and_quoted_strings_are_taken_out() -> None:
    """RFC 5322 section 3.2.1: a backslash takes its meaning from what follows it. What is not closed stays."""
    for text, without in (
        ("a(b)c", "a-c"),
        ("a()c", "a-c"),
        ("a(b(c)d)e", "a(b-d)e"),
        ("a(b\\)c)d", "a-d"),
        ("a(b\\(c)d", "a-d"),
        ("a(b", "a(b"),
        ("a(b\\)", "a(b\\)"),
    ):
        assert without_inner_comments(text, "-") == without
    for text, without in (
        ('a"b"c', "a-c"),
        ('a""c', "a-c"),
        ('a"b"c"d"e', "a-c-e"),
        ('a"b\\"c"d', "a-d"),
        ('a"b\\\\"c', "a-c"),
        ('a"b', 'a"b'),
        ('a"b\\"', 'a"b\\"'),
    ):
        assert without_quoted(text, "-") == without
