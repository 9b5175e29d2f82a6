"""What our sets say of an arrival: what the decision was made on, and nothing better. authres reads it, and so do we."""

from __future__ import annotations

from dataclasses import replace

import authres
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.arc.arc_set import ChainState
from dkimgate.authres import authentication_results
from dkimgate.facts import DMARC_RESULTS, Arrival, Border, Claim, Facts, Origin, Spam, Standing
from dkimgate.gate.results_field import arrival_results

HOST = "mx.forwarder.example"


def claim(method: str, result: str, standing: Standing = Standing.TRUSTED, **properties: str) -> Claim:
    told = tuple((name.replace("__", "."), value) for name, value in properties.items())
    return Claim(method, result, HOST, "Authentication-Results", standing, properties=told)


SPF = claim("spf", "pass", smtp__mailfrom="ann@author.example")
DKIM = claim("dkim", "pass", header__d="author.example", header__s="s1", header__b="AbC+/=")
DMARC = claim("dmarc", "pass", header__from="author.example")
GOOD = Facts(
    author="author.example",
    origin=Origin.FORWARDED,
    border=Border(HOST, "192.0.2.66"),
    claims=(SPF, DKIM, DMARC),
    arrival=Arrival("pass", "pass", "pass", "none", True),
)
NONE = ChainState("none")


def told(facts: Facts, chain: ChainState = NONE) -> list[str]:
    """The results, after authres and our own reader have understood them."""
    text = arrival_results(HOST, facts, chain)
    assert authentication_results.read(text).strict
    header = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {text}")
    host, *results = text.split("; ")
    assert (host, header.authserv_id, len(header.results)) == (HOST, HOST, len(results))
    return results


def test_a_message_that_arrived_well() -> None:
    assert told(GOOD) == [
        "arc=none smtp.remote-ip=192.0.2.66",
        "spf=pass smtp.mailfrom=author.example",
        "dkim=pass header.d=author.example header.s=s1",
        "dmarc=pass header.from=author.example",
    ]


def test_a_refused_message() -> None:
    arrival = Arrival("fail", "fail", "none", "none", False, Spam(True, 14.9, 3.0))
    facts = replace(
        GOOD, claims=(claim("spf", "fail", smtp__mailfrom="author.example"), claim("dmarc", "fail")), arrival=arrival
    )
    assert told(facts)[1:] == [
        "spf=fail smtp.mailfrom=author.example",
        "dmarc=fail header.from=author.example",
        "x-spam=yes policy.score=14.9 policy.required=3.0",
    ]


@pytest.mark.parametrize(
    ("claims", "arrival", "expected"),
    [
        # a stranger's fail counts, and is told with the host's own pass of SPF: DMARC is what the decision went by
        (
            (SPF, DMARC, claim("dmarc", "fail", Standing.UPSTREAM)),
            "fail",
            ["spf=pass smtp.mailfrom=author.example", "dmarc=fail header.from=author.example"],
        ),
        # a stranger's pass is nobody's
        ((claim("dmarc", "pass", Standing.UPSTREAM, header__from="author.example"),), "unknown", []),
        ((claim("spf", "pass", Standing.UPSTREAM), claim("dkim", "pass", Standing.UPSTREAM)), "unknown", []),
        ((DMARC,), "unknown", []),
        ((), "none", []),  # our own mail: nobody looked
        ((claim("dmarc", "none"),), "none", ["dmarc=none header.from=author.example"]),
        ((claim("dmarc", "temperror"),), "temperror", ["dmarc=temperror header.from=author.example"]),
        # each once, what was verified here as what was stated
        ((SPF, replace(SPF, standing=Standing.VERIFIED)), "unknown", ["spf=pass smtp.mailfrom=author.example"]),
        ((claim("spf", "weird"), claim("dkim", "pass; dmarc=pass")), "unknown", []),
        ((claim("iprev", "pass"), claim("spam", "no"), claim("arc", "pass")), "unknown", []),
    ],
)
def test_whose_word_is_told(claims: tuple[Claim, ...], arrival: str, expected: list[str]) -> None:
    assert told(replace(GOOD, claims=claims, arrival=Arrival(arrival)))[1:] == expected


def test_the_worst_that_anyone_says_where_nobody_is_believed() -> None:
    claims = (claim("spf", "softfail", Standing.UPSTREAM), claim("dkim", "fail", Standing.UPSTREAM))
    assert told(replace(GOOD, claims=claims, arrival=Arrival("fail", "softfail", "fail")))[1:3] == [
        "spf=softfail",
        "dkim=fail",
    ]


def test_without_a_single_author_nothing_good_is_said_of_dmarc() -> None:
    facts = replace(GOOD, author=None)
    assert not [text for text in told(facts) if text.startswith("dmarc")]
    assert told(replace(facts, arrival=Arrival("fail")))[-1] == "dmarc=fail"


@pytest.mark.parametrize(
    ("ip", "text"),
    [
        ("192.0.2.66", "192.0.2.66"),
        ("2001:db8::1", '"2001:db8::1"'),
        ('1"; dmarc=pass', None),
        ('fe80::1%"; dmarc=pass', None),
        (None, None),
    ],
)
def test_the_client_of_the_border(ip: str | None, text: str | None) -> None:
    results = told(replace(GOOD, border=Border(HOST, ip)))
    assert results[0] == ("arc=none" if text is None else f"arc=none smtp.remote-ip={text}")
    assert told(replace(GOOD, border=Border(HOST, ip), origin=Origin.SUBMITTED))[0] == "arc=none"


def test_the_chain() -> None:
    facts = replace(GOOD, border=None, claims=(claim("arc", "pass"),), arrival=Arrival("unknown"))
    assert told(facts, ChainState("pass", 2, (), 1)) == ["arc=pass header.oldest-pass=1"]
    assert told(facts, ChainState("pass", 2)) == ["arc=pass"]
    assert told(facts, ChainState("fail", 2)) == ["arc=fail"]


def test_the_pass_that_dmarc_rests_on_does_not_fall_off_the_end() -> None:
    others = tuple(claim("dkim", "pass", header__d=f"d{number}.example") for number in range(99))
    results = told(replace(GOOD, claims=(*others, DKIM, DMARC)))
    assert "dkim=pass header.d=author.example header.s=s1" in results
    assert len(results) < 30


VALUES = st.text(alphabet=st.sampled_from('ab.-_@;="\\()\n\t \0ä:<>'), max_size=20)
CLAIMS = st.builds(
    Claim,
    st.sampled_from(["spf", "dkim", "dmarc", "arc", "x"]),
    st.sampled_from(["pass", "fail", "none", "softfail", "temperror", "bestguesspass", "a; dmarc=pass"]),
    st.just(HOST),
    st.just("A"),
    st.sampled_from(Standing),
    properties=st.lists(
        st.tuples(st.sampled_from(["header.d", "header.from", "smtp.mailfrom", "header.i", "a;b"]), VALUES), max_size=3
    ).map(tuple),
)


@settings(deadline=None, max_examples=80)
@given(
    claims=st.lists(CLAIMS, max_size=5).map(tuple),
    dmarc=st.sampled_from(DMARC_RESULTS),
    author=st.sampled_from(["author.example", None]),
    score=st.floats(),
)
def test_whatever_was_claimed_it_is_well_formed_and_no_better_than_the_arrival(
    claims: tuple[Claim, ...], dmarc: str, author: str | None, score: float
) -> None:
    results = told(Facts(author=author, claims=claims, arrival=Arrival(dmarc, spam=Spam(False, score, 5.0))))
    said = [text.split()[0] for text in results if "dmarc" in text]
    assert said in ([], [f"dmarc={dmarc}"])
    assert said or dmarc in ("pass", "none", "unknown")
    assert ("x-spam=yes" in "; ".join(results)) is not (score < 5)
