"""DMARC evaluated by ourselves: the examples of RFC 9989, both readings, and what a failing DNS may change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dkimgate.dkim.verify import CheckedSignature
from dkimgate.dmarc import walk
from dkimgate.dmarc.evaluate import BOTH, RESULTS, RFC7489, RFC9989, Dmarc, check_dmarc
from dkimgate.evidence.result_claims import of_dmarc
from dkimgate.facts import Standing
from dkimgate.spf.check import Spf
from tests.world.dns import FakeResolver

NONE = Spf("none", None)


def dns_of(records: dict[str, str], *failing: str, **more: object) -> FakeResolver:
    zone = {f"_dmarc.{name}": {"TXT": text.split("|")} for name, text in records.items()}
    return FakeResolver(zone, frozenset(f"_dmarc.{name}" for name in failing), **more)  # type: ignore[arg-type]


def spf(domain: str, result: str = "pass") -> Spf:
    return Spf(result, domain)


def dkim(domain: str, result: str = "pass") -> CheckedSignature:
    return CheckedSignature(0, result, domain=domain)


def judge(
    author: str | None,
    records: dict[str, str],
    found: Spf | None = NONE,
    *signatures: CheckedSignature,
    failing: tuple[str, ...] = (),
) -> Dmarc:
    return check_dmarc(author, found, signatures, dns_of(records, *failing).lookup())


def results(dmarc: Dmarc) -> dict[str, str]:
    return {verdict.reading: verdict.result for verdict in dmarc.verdicts}


P = "v=DMARC1; p=reject"
BANK = {"bank.example": "v=DMARC1; p=reject; psd=y", "giant.bank.example": P}

# author, records, what SPF passed for, what DKIM passed for -> by RFC 9989, by RFC 7489
TABLE = {
    "B.1.1 SPF, the same domain": ("a.example", {"a.example": P}, "a.example", None, "pass", "pass"),
    "B.1.1 SPF, a child": ("a.example", {"a.example": P}, "child.a.example", None, "pass", "pass"),
    "B.1.1 SPF, another": ("child.a.example", {"a.example": P}, "b.example", None, "fail", "fail"),
    "B.1.2 DKIM, the same domain": ("a.example", {"a.example": P}, None, "a.example", "pass", "pass"),
    "B.1.2 DKIM, a parent": ("child.a.example", {"a.example": P}, None, "a.example", "pass", "pass"),
    "B.1.2 DKIM, another": ("child.a.example", {"a.example": P}, None, "b.example", "fail", "fail"),
    "B.4.1 simple": ("a.example", {"a.example": P, "signing.a.example": P}, None, "signing.a.example", "pass", "pass"),
    "B.4.2 deep, SPF": ("a.b.c.d.e.f.g.h.i.j.k.a.example", {"a.example": P, "signing.a.example": P}, "a.example", None, "pass", "pass"),
    "B.4.2 deep, DKIM": ("a.b.c.d.e.f.g.h.i.j.k.a.example", {"a.example": P, "signing.a.example": P}, None, "signing.a.example", "pass", "pass"),
    "B.4.3 below the same bank": ("giant.bank.example", BANK, "mail.giant.bank.example", None, "pass", "pass"),
    "B.4.3 another bank": ("giant.bank.example", BANK, None, "mail.mega.bank.example", "fail", "pass"),
    "the public suffix itself": ("giant.bank.example", BANK, None, "bank.example", "fail", "pass"),
    "a bank without a record of its own": ("mega.bank.example", BANK, None, "mail.mega.bank.example", "pass", "pass"),
    "the suffix writes mail": ("bank.example", BANK, None, "bank.example", "pass", "pass"),
    "psd=n divides an organization": ("x.uni.example", {"uni.example": P, "x.uni.example": P + "; psd=n"}, None, "uni.example", "fail", "pass"),
    "psd=n holds for what is below": ("a.x.uni.example", {"uni.example": P, "x.uni.example": P + "; psd=n"}, None, "b.x.uni.example", "pass", "pass"),
    "a record in between": ("a.b.c.example", {"b.c.example": P}, None, "a.b.c.example", "pass", "none"),
    "no record": ("a.example", {}, "a.example", "a.example", "none", "none"),
    "a record below does not count": ("a.example", {"x.a.example": P}, "a.example", None, "none", "none"),
    "two records are none": ("a.example", {"a.example": P + "|v=DMARC1; p=none"}, "a.example", None, "none", "none"),
    "two records, one above": ("x.a.example", {"x.a.example": P + "|v=DMARC1; p=none", "a.example": P}, "x.a.example", None, "pass", "none"),
    "two records, one above, forged": ("x.a.example", {"x.a.example": P + "|v=DMARC1; p=none", "a.example": P}, None, None, "fail", "none"),
    "two records above": ("x.a.example", {"a.example": P + "|v=DMARC1; p=none"}, "x.a.example", None, "none", "none"),
    "a record and a stranger": ("a.example", {"a.example": P + "|v=DMARC2; p=none"}, "a.example", None, "pass", "pass"),
    "strict SPF, a child": ("a.example", {"a.example": P + "; aspf=s"}, "x.a.example", None, "fail", "fail"),
    "strict SPF, the same": ("a.example", {"a.example": P + "; aspf=s"}, "a.example", None, "pass", "pass"),
    "strict SPF says nothing of DKIM": ("a.example", {"a.example": P + "; aspf=s"}, None, "x.a.example", "pass", "pass"),
    "strict DKIM, a child": ("a.example", {"a.example": P + "; adkim=s"}, None, "x.a.example", "fail", "fail"),
    "strict DKIM says nothing of SPF": ("a.example", {"a.example": P + "; adkim=s"}, "x.a.example", None, "pass", "pass"),
    "strict above holds for what is below": ("x.a.example", {"a.example": P + "; adkim=s"}, None, "a.example", "fail", "fail"),
    "nothing passes": ("a.example", {"a.example": P}, None, None, "fail", "fail"),
    "names that only end alike": ("a.example", {"a.example": P}, "xa.example", "evila.example", "fail", "fail"),
    "a bad policy": ("a.example", {"a.example": "v=DMARC1; p=x"}, "a.example", None, "none", "none"),
    "a bad sp, forged": ("a.example", {"a.example": P + "; sp=x"}, None, None, "none", "none"),
    "a bad np": ("a.example", {"a.example": P + "; np=x"}, "a.example", None, "none", "pass"),
    "a bad np, forged": ("a.example", {"a.example": P + "; np=x"}, None, None, "none", "fail"),
    "a bad np, forged sub-domain": ("x.a.example", {"a.example": P + "; np=x"}, None, None, "none", "fail"),
    "a bad np and a bad sp, forged": ("a.example", {"a.example": P + "; np=x; sp=x"}, None, None, "none", "none"),
    "a bad policy with reports": ("a.example", {"a.example": "v=DMARC1; p=x; rua=mailto:a@a.example"}, "a.example", None, "pass", "pass"),
    "no policy": ("a.example", {"a.example": "v=DMARC1"}, "a.example", None, "pass", "none"),
    "no policy, forged": ("a.example", {"a.example": "v=DMARC1"}, None, None, "fail", "none"),
    "no policy but sp": ("x.a.example", {"a.example": "v=DMARC1; sp=reject"}, "x.a.example", None, "pass", "none"),
    "no policy, no usable address": ("a.example", {"a.example": "v=DMARC1; rua=nobody"}, "a.example", None, "pass", "none"),
    "no policy, but reports": ("a.example", {"a.example": "v=DMARC1; rua=mailto:a@a.example"}, "a.example", None, "pass", "pass"),
    "a tag twice": ("a.example", {"a.example": P + "; p=none"}, "a.example", None, "permerror", "permerror"),
    "registries of two labels": ("a.co.uk", {"a.co.uk": P}, "b.co.uk", None, "fail", "fail"),
    "a registry with a record": ("a.co.uk", {"co.uk": P}, "b.co.uk", None, "fail", "none"),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_the_two_readings(case: str) -> None:
    author, records, by_spf, by_dkim, tree, listed = TABLE[case]
    dmarc = judge(author, records, spf(by_spf) if by_spf else NONE, *([dkim(by_dkim)] if by_dkim else []))
    assert {reading: results(dmarc)[reading] for reading in BOTH} == {RFC9989: tree, RFC7489: listed}
    assert dmarc.result == max(results(dmarc).values(), key=RESULTS.index)
    assert dmarc.result == max(tree, listed, key=RESULTS.index) or (tree, listed) == ("none", "none")


def test_one_reading_alone() -> None:
    for reading, result in ((RFC9989, "fail"), (RFC7489, "pass")):
        dmarc = check_dmarc(
            "giant.bank.example", NONE, [dkim("mail.mega.bank.example")], dns_of(BANK).lookup(), (reading,)
        )
        assert dmarc.result == result


@pytest.mark.parametrize("readings", [(), ("rfc1234",)])
def test_readings_that_are_none(readings: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="rfc9989"):
        check_dmarc("a.example", NONE, [], dns_of({}).lookup(), readings)


# author, records, other names that exist -> policy by RFC 9989, by RFC 7489
POLICY = {
    "p": ("a.example", {"a.example": "v=DMARC1; p=quarantine; sp=none; np=none"}, "quarantine", "quarantine"),
    "sp": ("x.a.example", {"a.example": "v=DMARC1; p=quarantine; sp=none"}, "none", "none"),
    "no sp": ("x.a.example", {"a.example": "v=DMARC1; p=quarantine"}, "quarantine", "quarantine"),
    "np, no such domain": ("x.a.example", {"a.example": "v=DMARC1; p=none; sp=none; np=reject"}, "reject", "none"),
    "np, such a domain": ("real.a.example", {"a.example": "v=DMARC1; p=none; sp=none; np=reject"}, "none", "none"),
    "np, an empty non-terminal": (
        "empty.a.example",
        {"a.example": "v=DMARC1; p=none; sp=none; np=reject"},
        "none",
        "none",
    ),
    "np, nobody knows": ("broken.a.example", {"a.example": "v=DMARC1; p=none; sp=none; np=reject"}, "none", "none"),
    "its own record": ("x.a.example", {"a.example": P, "x.a.example": "v=DMARC1; p=none; sp=reject"}, "none", "none"),
    "t=y": ("a.example", {"a.example": P + "; t=y"}, "quarantine", "reject"),
    "t=y and sp": ("x.a.example", {"a.example": P + "; sp=quarantine; t=y"}, "none", "quarantine"),
    "of the public suffix": (
        "mega.bank.example",
        {"bank.example": P + "; sp=quarantine; psd=y"},
        "quarantine",
        "quarantine",
    ),
    "no p": ("a.example", {"a.example": "v=DMARC1"}, "none", None),
    "mistaken": ("a.example", {"a.example": "v=DMARC1; p=x; rua=mailto:a@a.example"}, "none", "none"),
}


@pytest.mark.parametrize("case", POLICY)
def test_the_policy_that_applies(case: str) -> None:
    author, records, tree, listed = POLICY[case]
    dns = dns_of(records)
    dns = FakeResolver(
        {**dns.zone, "real.a.example": {"MX": ["1 mx.a.example"]}, "x.empty.a.example": {"TXT": ["x"]}},
        frozenset({"broken.a.example"}),
    )
    dmarc = check_dmarc(author, NONE, [], dns.lookup())
    assert {verdict.reading: verdict.policy for verdict in dmarc.verdicts} == {RFC9989: tree, RFC7489: listed}


def test_a_walk_asks_eight_questions_at_most() -> None:
    """The illustration of RFC 9989 section 4.10."""
    assert list(walk.targets("a.b.c.d.e.f.g.h.i.j.mail.hosted.example")) == [
        "a.b.c.d.e.f.g.h.i.j.mail.hosted.example",
        "g.h.i.j.mail.hosted.example",
        "h.i.j.mail.hosted.example",
        "i.j.mail.hosted.example",
        "j.mail.hosted.example",
        "mail.hosted.example",
        "hosted.example",
        "example",
    ]
    assert [len(list(walk.targets(".".join("x" * n)))) for n in (1, 2, 7, 8, 9, 127)] == [1, 2, 7, 8, 8, 8]


@pytest.mark.parametrize(
    ("domain", "records", "organization"),
    [
        ("a.mail.hosted.example", {"mail.hosted.example": P, "hosted.example": P}, "hosted.example"),
        ("a.mail.hosted.example", {"mail.hosted.example": P + "; psd=n", "hosted.example": P}, "mail.hosted.example"),
        ("a.mail.hosted.example", {"example": P + "; psd=y"}, "hosted.example"),
        ("hosted.example", {"hosted.example": P + "; psd=y", "example": P}, "hosted.example"),
        ("a.mail.hosted.example", {}, "a.mail.hosted.example"),
        ("a.example", {"a.example": P, "example": P}, "example"),
        ("a.b.c.d.e.f.g.h.i.example", {"example": P + "; psd=y"}, "i.example"),
    ],
)
def test_organizational_domains(domain: str, records: dict[str, str], organization: str) -> None:
    assert walk.organizational(domain, walk.walk(domain, dns_of(records).lookup())) == organization


@pytest.mark.parametrize("result", ["fail", "softfail", "neutral", "none", "permerror", "policy"])
def test_only_a_pass_passes(result: str) -> None:
    assert judge("a.example", {"a.example": P}, spf("a.example", result), dkim("a.example", result)).result == "fail"


# --- what is not known ---------------------------------------------------------------------------------------------------------------------------


def test_spf_that_was_not_checked_is_no_failure() -> None:
    dmarc = judge("a.example", {"a.example": P}, None, dkim("evil.example"))
    assert dmarc.result == "unknown"
    assert of_dmarc(dmarc) is None
    assert judge("a.example", {"a.example": P}, None, dkim("a.example")).result == "pass"
    assert judge("a.example", {}, None).result == "none"


def test_no_author_domain_is_an_error() -> None:
    dmarc = judge(None, {"a.example": P}, spf("a.example"), dkim("a.example"))
    assert dmarc.result == "permerror"
    claim = of_dmarc(dmarc)
    assert claim is not None
    assert claim.property("header.from") is None


def test_the_claim() -> None:
    claim = of_dmarc(judge("giant.bank.example", BANK, NONE, dkim("mail.mega.bank.example")))
    assert claim is not None
    assert (claim.method, claim.result, claim.standing) == ("dmarc", "fail", Standing.VERIFIED)
    assert claim.properties == (
        ("header.from", "giant.bank.example"),
        ("policy.dmarc", "reject"),
        ("policy.reading", "rfc9989=fail rfc7489=pass"),
    )


ODD_RECORDS = {
    "the same twice": f"{P}|{P}",
    "two": f"{P}|v=DMARC1; p=none",
    "two, the lax one first": f"v=DMARC1; p=none|{P}",
    "a semicolon forgotten": "v=DMARC1 p=reject",
    "a comma": "v=DMARC1, p=reject",
    "a backslash of a zone file": "v=DMARC1\\; p=reject",
    "the version last": "p=reject; v=DMARC1",
    "no version's name": "DMARC1; p=reject",
    "quotation marks": '"v=DMARC1; p=reject"',
    "white space ahead": " v=DMARC1; p=reject",
    "a bad sp": "v=DMARC1; p=reject; sp=foo",
    "a bad p": "v=DMARC1; p=rejec",
    "a bad p, and a bad address": "v=DMARC1; p=rejec; rua=foo",
    "more in p": "v=DMARC1; p=reject all",
    "nothing but the version": "v=DMARC1",
    "beside another text": f"v=spf1 -all|{P}|{P}",
}
"""Texts at _dmarc of a domain. One receiver or another (rspamd 3.4, OpenDMARC 1.4.2, Mail::DMARC 1.2) applies most of them."""

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it stands": str,
    "in lower case": str.lower,
    "in upper case": str.upper,
    "the first letter large": lambda text: text.replace("DMARC", "Dmarc"),
    "the tag alone": lambda text: text.replace("v=", "V="),
}


@pytest.mark.parametrize("readings", [BOTH, (RFC9989,), (RFC7489,)])
@pytest.mark.parametrize("at", ["a.example", "mail.a.example"])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", ODD_RECORDS | {"a good one": P})
def test_law_1_what_some_receiver_may_take_for_a_record_is_no_none(
    name: str, spelling: str, at: str, readings: tuple[str, ...]
) -> None:
    """To him a forgery fails, and would pass by what we add. What is authenticated for the author domain itself is not touched."""
    text = SPELLINGS[spelling]((ODD_RECORDS | {"a good one": P})[name])
    lookup = dns_of({at: text}).lookup()
    forged = check_dmarc("mail.a.example", spf("attacker.example"), (dkim("attacker.example"),), lookup, readings)
    assert forged.result not in ("pass", "none")
    honest = check_dmarc("mail.a.example", NONE, (dkim("mail.a.example"),), lookup, readings)
    assert honest.result in ("pass", "none")


@pytest.mark.parametrize("text", ["v=spf1 -all", "v=DMARC2; p=reject", "v=DMARC; p=reject", "p=reject", "x"])
def test_what_no_receiver_takes_for_a_record_is_none(text: str) -> None:
    assert judge("a.example", {"a.example": text}).result == "none"
    assert judge("a.example", {"b.example": P}).result == "none"
