"""Authentication-Results: what RFC 8601 says, what hosts write, and what attackers would like to be read."""

from __future__ import annotations

import authres
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.authres.authentication_results import MAX_LENGTH, read

# the examples of RFC 8601 appendix B, unfolded
RFC_EXAMPLES = [
    ("example.org 1; none", "example.org", []),
    (
        "example.com; spf=pass smtp.mailfrom=example.net",
        "example.com",
        [("spf", "pass", [("smtp.mailfrom", "example.net")])],
    ),
    (
        "example.com; auth=pass (cram-md5) smtp.auth=sender@example.net; spf=pass smtp.mailfrom=example.net",
        "example.com",
        [("auth", "pass", [("smtp.auth", "sender@example.net")]), ("spf", "pass", [("smtp.mailfrom", "example.net")])],
    ),
    (
        'example.com; dkim=pass reason="good signature" header.i=@mail-router.example.net; dkim=fail reason="bad signature" header.i=@newyork.example.com',
        "example.com",
        [
            ("dkim", "pass", [("header.i", "@mail-router.example.net")]),
            ("dkim", "fail", [("header.i", "@newyork.example.com")]),
        ],
    ),
    (
        "foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for it) fail policy (A dot can go here) "
        ". (like that) expired (this surprised me) = (as I wasn't expecting it) 1362471462",
        "foo.example.net",
        [("dkim", "fail", [("policy.expired", "1362471462")])],  # appendix B.7, commented to death
    ),
]
REAL = [
    "mx.example.org; dmarc=pass (p=none dis=none) header.from=good.example",
    "mx.example.org; dkim=pass (2048-bit key; unprotected) header.d=good.example header.i=@good.example header.a=rsa-sha256 header.s=s1 header.b=YL0/Qlyl",
    'mx.example.org; dkim=pass header.i=@good.example header.s=default header.b="YL0/Qlyl"; arc=fail (signature failed); '
    "spf=none (mx.example.org: a.example does not designate permitted sender hosts) smtp.helo=a.example; dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=good.example",
    "mx.example.org; spf=softfail (mx.example.org: domain of transitioning x@y.example does not designate 192.0.2.1 as permitted sender) smtp.mailfrom=x@y.example",
    'mx.example.org (amavisd-new); dkim=neutral reason="invalid (public key: not available)" header.d=y.example',
    "mx.example.org; iprev=pass policy.iprev=192.0.2.1",
    "mx.example.org; none",
]


def _plain(text: str) -> list[tuple[str, str, list[tuple[str, str]]]]:
    return [(r.method, r.result, list(r.properties)) for r in read(text).results]


@pytest.mark.parametrize(("text", "authserv_id", "results"), RFC_EXAMPLES)
def test_the_examples_of_the_rfc(
    text: str, authserv_id: str, results: list[tuple[str, str, list[tuple[str, str]]]]
) -> None:
    assert read(text).authserv_id == authserv_id
    assert _plain(text) == results


@pytest.mark.parametrize("text", [*REAL, *(row[0] for row in RFC_EXAMPLES[:-1])])
def test_authres_reads_the_same(text: str) -> None:
    """authres is the oracle: where it accepts a field, we name the same authserv-id, methods, results and properties."""
    theirs = authres.AuthenticationResultsHeader.parse("Authentication-Results: " + text)
    ours = read(text)
    assert ours.strict
    assert ours.authserv_id == theirs.authserv_id
    assert [(r.method, r.result) for r in ours.results] == [(r.method, r.result) for r in theirs.results or []]
    for our, their in zip(ours.results, theirs.results or [], strict=True):
        assert set(our.properties) == {(f"{p.type}.{p.name}", p.value or "") for p in their.properties}


TRICKS = [
    # text, what may be read as a pass
    'mx; spf=pass smtp.mailfrom="a; dmarc=pass header.from=hosted.example"@evil.example',
    'mx; spf=pass smtp.mailfrom="a\\"; dmarc=pass; x=\\"b"@evil.example',
    "mx; spf=pass (dmarc=pass) smtp.mailfrom=evil.example",
    "mx; spf=pass (a\\); dmarc=pass (b) smtp.mailfrom=evil.example",
    "mx; spf=pass (a (b); dmarc=pass) smtp.mailfrom=evil.example",
    'mx; spf=pass reason="; dmarc=pass"',
    "mx; dmarc=pass (unclosed",
    'mx; dmarc=pass "unclosed',
    "mx; dmarc=pass header.from=hosted.example\0",
    "mx; dmarc=pass header.from=hosted.example\rX: y",
    "mx; dmarc=pass; none",
    "mx; x.y=z dmarc=pass",
    "mx; dmarc=pass=fail",
    "mx; =pass; dmarc=pass",
    "mx dmarc=pass",
    "dmarc=pass",
    "mx; dmarc = pass header.from hosted.example",
    "mx; dmarc=pass\ud800",
    "mx; dmarc=" + "pass " * MAX_LENGTH,
]


@pytest.mark.parametrize("text", TRICKS)
def test_no_dmarc_pass_is_read_out_of_a_trick(text: str) -> None:
    assert ("dmarc", "pass") not in [(r.method, r.result) for r in read(text).results]


HURTING = [
    'mx; dmarc=fail "unclosed',
    "mx; dmarc=fail (unclosed",
    "dmarc=fail",
    "mx dmarc=FAIL",
    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=x.example; dkim=none; dmarc=fail action=none header.from=x.example;compauth=fail reason=001",
    "mx; dmarc = fail",
    "mx; dmarc/1=fail",
    'mx; dmarc="fail"',
    "mx; \0 dmarc=fail",
    "mx; dm\0arc=fail",
    "\0mx;;; =;dmarc=reject;",
    "mx; dmarc=fail " + "x" * MAX_LENGTH,
]


@pytest.mark.parametrize("text", HURTING)
def test_what_hurts_is_found_in_a_field_that_no_parser_accepts(text: str) -> None:
    results = [(r.method, r.result) for r in read(text).results]
    assert ("dmarc", "fail") in results or ("dmarc", "reject") in results


@given(st.text(alphabet=st.sampled_from('mx;=.()"\\ \t\0@/1dmarcpsfil-éé'), max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    reading = read(text)
    assert reading.strict or all(r.result != "pass" for r in reading.results)


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), max_size=40))
def test_a_quoted_value_never_leaves_its_quotes(local_part: str) -> None:
    """Whatever a sender puts into a quoted local part, as a well-behaved host of ours would print it."""
    quoted = local_part.replace("\\", "\\\\").replace('"', '\\"')
    results = read(f'mx; spf=pass smtp.mailfrom="{quoted}"@evil.example; dmarc=fail header.from=hosted.example').results
    assert {("dmarc", "fail")} == {(r.method, r.result) for r in results if r.method == "dmarc"}
