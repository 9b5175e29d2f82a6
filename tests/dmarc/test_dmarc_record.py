"""DMARC records: what is one, what it says, and what is left of a bad one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.dmarc.record import POLICIES, Record, lowered, parse
from dkimgate.dmarc.walk import record_at
from tests.world.dns import FakeResolver

GOOD = {
    "v=DMARC1; p=none; rua=mailto:dmarc-feedback@hosted.example": Record(policy="none", reports=True),
    "v=DMARC1;p=reject": Record(policy="reject"),
    "v=DMARC1; p=quarantine; sp=none; np=reject;": Record(policy="quarantine", subdomains="none", nonexistent="reject"),
    "v=DMARC1; p=reject; adkim=s; aspf=s": Record(policy="reject", strict_dkim=True, strict_spf=True),
    "v=DMARC1; p=reject; adkim=r; aspf=r": Record(policy="reject"),
    "v=DMARC1; p=reject; psd=y": Record(policy="reject", psd="y"),
    "v=DMARC1; p=reject; psd=n; t=y": Record(policy="reject", psd="n", testing=True),
    "  v = DMARC1 ;\tP = Reject ; ADKIM = S ; T = Y": Record(policy="reject", strict_dkim=True, testing=True),
    "v=DMARC1;; p=none ;;": Record(policy="none"),
    "v=DMARC1": Record(),
    "v=DMARC1; rua=mailto:a@hosted.example": Record(reports=True),
    "v=DMARC1; p=none; pct=50; ri=86400; fo=1; rf=afrf; x-new=1; nonsense": Record(policy="none"),
    "v=DMARC1; p=none; rua=https://hosted.example/report!10m , mailto:b@hosted.example!5": Record(
        policy="none", reports=True
    ),
    "v=DMARC1; p=reject; adkim=strict; aspf=x; psd=maybe; t=1": Record(policy="reject"),
    "v=DMARC1; p=none; pct=50; pct=60": Record(policy="none"),
    # a bad policy and an address for reports: as if p=none
    "v=DMARC1; p=rejct; rua=mailto:a@hosted.example": Record(
        policy="none", subdomains="none", nonexistent="none", reports=True
    ),
    "v=DMARC1; p=reject; sp=rejct; rua=mailto:a@hosted.example": Record(
        policy="none", subdomains="none", nonexistent="none", reports=True
    ),
}


@pytest.mark.parametrize("text", GOOD)
def test_what_a_record_says(text: str) -> None:
    assert parse(text.encode()) == GOOD[text]


@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC1; p=none; p=reject",
        "v=DMARC1; p=none; P=none",
        "v=DMARC1; p=none; adkim=s; adkim=r; rua=mailto:a@hosted.example",
        "v=DMARC1; p=none; v=DMARC1",
    ],
)
def test_no_policy_is_taken_from_a_bad_record(text: str) -> None:
    record = parse(text.encode())
    assert record is not None
    assert record.problem is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=spf1 -all",
        "v=DMARC",
        "v=DMARC2; p=none",
        "v=dmarc1; p=none",
        "v=DMARC1 p=none",
        "p=none; v=DMARC1",
        "DMARC1; p=none",
        "x v=DMARC1",
        "v=DMARC1x",
        "\0v=DMARC1",
        "v==DMARC1",
    ],
)
def test_what_is_no_record(text: str) -> None:
    assert parse(text.encode()) is None


def found(texts: list[bytes]) -> Record | None:
    zone = {"_dmarc.a.example": {"TXT": [text.decode() for text in texts]}}
    return record_at("a.example", FakeResolver(zone).lookup())


def test_several_records_are_none_but_strangers_do_not_count() -> None:
    one, two = b"v=DMARC1; p=reject", b"v=DMARC1; p=none"
    assert found([one, two]) is None
    assert found([one, one]) is None
    assert found([b"other=1", one, b"v=spf1 -all"]) == Record(policy="reject")
    assert found([]) is None


def test_test_mode_lowers_a_policy_by_one() -> None:
    assert [lowered(policy) for policy in POLICIES] == ["none", "none", "quarantine"]


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(lambda rest: b"v=DMARC1;" + rest)))
def test_any_octets_can_be_read(text: bytes) -> None:
    record = parse(text)
    assert record is None or record.policy in (None, *POLICIES)


@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC1; p=rejct",
        "v=DMARC1; p=",
        "v=DMARC1; p=reject; sp=x",
        "v=DMARC1; p=reject; np=x",
        "v=DMARC1; p=x; rua=nobody",
        "v=DMARC1; p=x; rua=",
        "v=DMARC1; p=r\u00e9ject",
    ],
)
def test_a_bad_policy_without_an_address_for_reports_is_no_policy(text: str) -> None:
    record = parse(text.encode())
    assert record is not None
    assert record.problem is None and record.no_policy is not None


@pytest.mark.parametrize("filler", ["; a=b", ";", " ", "; rua=mailto:a@b.example", "; p=none"])
def test_a_record_beyond_all_bounds_gives_no_policy_and_no_pass(filler: str) -> None:
    record = parse(("v=DMARC1; p=none" + filler * 4096)[:65_000].encode())
    assert record is not None
    assert record.problem is not None


def test_a_record_with_many_addresses_is_read() -> None:
    addresses = ",".join(f"mailto:reports{number}@collector.example" for number in range(50))
    assert parse(f"v=DMARC1; p=reject; rua={addresses}; ruf={addresses}".encode()) == Record(
        policy="reject", reports=True
    )
