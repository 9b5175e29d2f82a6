"""Where DNS fails, no DMARC result is better than it would be."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.dkim.verify import CheckedSignature
from dkimgate.dmarc.evaluate import BOTH, RESULTS, RFC7489, RFC9989, check_dmarc, prepare
from dkimgate.spf.check import Spf
from tests.dmarc.test_dmarc_evaluate import NONE, P, dkim, dns_of, judge, spf

# --- DNS that fails ---------------------------------------------------------------------------------------------------------------------------

FAILURES = {
    "the author's record": ("a.example", {}, "a.example", "pass", ("a.example",), "temperror"),
    "a record above": ("x.a.example", {}, "x.a.example", "pass", ("a.example",), "temperror"),
    "above, where it changes nothing": ("a.example", {"a.example": P}, "a.example", "pass", ("example",), "pass"),
    "above, and alignment hangs on it": (
        "a.example",
        {"a.example": P},
        "x.a.example",
        "pass",
        ("example",),
        "temperror",
    ),
    "of the signer": ("a.example", {"a.example": P}, "x.a.example", "pass", ("x.a.example",), "temperror"),
    "beside the author's organization": (
        "x.uni.example",
        {"x.uni.example": P + "; psd=n"},
        "y.uni.example",
        "pass",
        ("y.uni.example",),
        "fail",
    ),
    "of a stranger": (
        "a.example",
        {"a.example": P},
        "evil.example",
        "pass",
        ("evil.example", "x.evil.example"),
        "fail",
    ),
    "DKIM of the author": ("a.example", {"a.example": P}, "a.example", "temperror", (), "temperror"),
    "DKIM of a stranger": ("a.example", {"a.example": P}, "evil.example", "temperror", (), "fail"),
    "strict": ("a.example", {"a.example": P + "; adkim=s"}, "x.a.example", "temperror", ("example",), "fail"),
    "a bad record stays bad": (
        "a.example",
        {"a.example": "v=DMARC1; p=none; p=none"},
        "a.example",
        "temperror",
        (),
        "permerror",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failing_dns(case: str) -> None:
    author, records, signer, result, failing, expected = FAILURES[case]
    assert judge(author, records, NONE, dkim(signer, result), failing=failing).result == expected


def test_spf_that_could_not_be_looked_up() -> None:
    assert judge("a.example", {"a.example": P}, spf("a.example", "temperror")).result == "temperror"
    assert judge("a.example", {"a.example": P}, spf("evil.example", "temperror")).result == "fail"
    assert judge("a.example", {"a.example": P}, spf("a.example", "temperror"), dkim("a.example")).result == "pass"


def test_a_forgers_name_servers_are_not_asked_about_alignment() -> None:
    dns = dns_of({"a.example": P})
    check_dmarc("a.example", spf("x.evil.example"), [dkim(f"d{n}.evil.example") for n in range(10)], dns.lookup())
    assert not [name for name, _ in dns.asked if "evil" in name]


def test_the_authors_questions_can_be_asked_first() -> None:
    """Whatever a stranger's signatures cost afterwards, the answers that the result hangs on are there."""
    dns = dns_of({"a.example": P}, questions=3)
    lookup = dns.lookup()
    prepare("a.example", lookup)
    for n in range(10):
        lookup.txt(f"s._domainkey.d{n}.evil.example")
    assert check_dmarc("a.example", NONE, [dkim("evil.example")], lookup).result == "fail"


# --- random zones ---------------------------------------------------------------------------------------------------------------------------------

NAMES = ["example", "a.example", "x.a.example", "y.a.example", "b.example", "d.c.x.a.example"]
TEXTS = st.sampled_from(
    [
        P,
        P + "; psd=y",
        P + "; psd=n",
        P + "; adkim=s; aspf=s",
        "v=DMARC1",
        "v=DMARC1; p=x",
        "v=DMARC1; p=none; sp=reject; np=none; t=y",
        "other",
        P + "|" + P,
    ]
)
ZONES = st.dictionaries(st.sampled_from(NAMES), TEXTS)
STATES = st.sampled_from(["pass", "fail", "temperror", "none"])
SPFS = st.one_of(st.none(), st.builds(spf, st.sampled_from(NAMES), STATES))
DKIMS = st.lists(st.builds(dkim, st.sampled_from(NAMES), STATES), max_size=4)


@pytest.mark.heavy
@given(
    st.sampled_from(NAMES),
    ZONES,
    SPFS,
    DKIMS,
    st.sets(st.sampled_from(NAMES)),
    st.sampled_from([BOTH, (RFC9989,), (RFC7489,)]),
)
@settings(max_examples=500, deadline=None)
def test_a_failing_dns_never_makes_a_result_better(
    author: str,
    records: dict[str, str],
    found: Spf | None,
    signatures: list[CheckedSignature],
    failing: set[str],
    readings: tuple[str, ...],
) -> None:
    """With any of the names failing there is no pass that a working DNS would not give, and no `none`."""
    healthy = check_dmarc(author, found, signatures, dns_of(records).lookup(), readings)
    failed = check_dmarc(author, found, signatures, dns_of(records, *failing).lookup(), readings)
    assert failed.result in RESULTS
    if failed.result in ("pass", "none") and failing:
        assert failed.result == healthy.result
    if failed.result == "pass":
        passing = {s.domain for s in signatures if s.result == "pass"} | (
            {found.domain} if found and found.result == "pass" else set()
        )
        assert passing
        assert f"_dmarc.{author}" not in {f"_dmarc.{name}" for name in failing}


@given(st.sampled_from(NAMES), ZONES, SPFS, DKIMS, st.integers(0, 12))
@settings(max_examples=300, deadline=None)
def test_the_budget_is_kept_and_running_out_of_it_gives_no_pass(
    author: str, records: dict[str, str], found: Spf | None, signatures: list[CheckedSignature], questions: int
) -> None:
    dns = dns_of(records, questions=questions)
    short = check_dmarc(author, found, signatures, dns.lookup())
    assert len(dns.asked) <= questions
    whole = check_dmarc(author, found, signatures, dns_of(records).lookup())
    assert short.result == whole.result or short.result not in ("pass", "none")


@given(ZONES, SPFS, DKIMS)
@settings(max_examples=200, deadline=None)
def test_more_evidence_that_does_not_pass_changes_nothing_for_the_better(
    records: dict[str, str], found: Spf | None, signatures: list[CheckedSignature]
) -> None:
    before = judge("a.example", records, found, *signatures).result
    after = judge(
        "a.example", records, found, *signatures, dkim("a.example", "fail"), dkim("evil.example", "temperror")
    ).result
    assert after == before
