"""adkim=s: a key of the parent domain signs, and DMARC fails all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkimgate.dmarc.strict import strict_dkim
from tests.world.dns import FakeResolver
from tests.world.host import FORWARDER, Host, launders
from tests.world.mail import USER, message

WWW = "From: u@www.hosted.example\nTo: victim@receiver.example\nSubject: t\nMessage-ID: <t@hosted.example>\n"
STRICT, RELAXED, NONE = "v=DMARC1; p=reject; adkim=s", "v=DMARC1; p=reject", None


def zone(**records: str | None) -> FakeResolver:
    """DMARC records by name, with _ for a dot."""
    return FakeResolver(
        {f"_dmarc.{name.replace('_', '.')}": {"TXT": [text]} for name, text in records.items() if text is not None}
    )


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({"hosted_example": STRICT}, True),
        ({"hosted_example": "v=DMARC1; p=none; adkim=S; aspf=s"}, True),
        ({"hosted_example": "v=DMARC1; p=none; aspf=s"}, False),
        ({"hosted_example": RELAXED}, False),
        ({"www_hosted_example": RELAXED, "hosted_example": STRICT}, False),
        ({"www_hosted_example": STRICT, "hosted_example": RELAXED}, True),
        ({}, False),
        (
            {"hosted_example": "v=DMARC1; p=reject; adkim=s; adkim=r"},
            False,
        ),  # nobody knows what a receiver makes of it
        ({"hosted_example": "v=DMARC1; p=nonsense; adkim=s"}, False),
    ],
)
def test_strict_is_what_every_record_says(records: dict[str, str], expected: bool) -> None:
    assert strict_dkim("www.hosted.example", zone(**records).lookup()) is expected


def test_two_records_are_not_strict_whatever_stands_above() -> None:
    """RFC 7489 ends its search there, and receivers are known that take one of the two."""
    twice = {"_dmarc.www.hosted.example": {"TXT": [RELAXED, STRICT]}, "_dmarc.hosted.example": {"TXT": [STRICT]}}
    assert strict_dkim("www.hosted.example", FakeResolver(twice).lookup()) is False


def test_where_dns_fails_nothing_is_strict() -> None:
    silent = FakeResolver(
        {"_dmarc.hosted.example": {"TXT": [STRICT]}}, failing=frozenset({"_dmarc.www.hosted.example"})
    )
    assert strict_dkim("www.hosted.example", silent.lookup()) is False


ASKING = FORWARDER.replace("departure: {", "departure: {addresses: [192.0.2.10], helo: mx.forwarder.example, ")
SIGNS = launders("{name: all, sign: author}")


@pytest.mark.parametrize(
    ("record", "dmarc", "aligned"), [(STRICT, "fail", False), (RELAXED, "pass", True), (NONE, "pass", True)]
)
def test_the_reported_message_signed_with_the_parents_key(
    tmp_path: Path, record: str | None, dmarc: str, aligned: bool
) -> None:
    asking = Host(tmp_path, ASKING.replace("never", "missing"), SIGNS, zone=zone(hosted_example=record).zone)
    got = asking.leaves(message(WWW, USER, "u@www.hosted.example"))
    assert (got.departure["dmarc"], got.departure["dkim_aligned"]) == (dmarc, aligned)
    assert got.record["outgoing"]["strict_dkim"] is not aligned
    assert got.departure["signature_holds"] == "yes", "it verifies, and does not align"


def test_nobody_is_asked_where_the_key_is_the_author_domains_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = Host(tmp_path, ASKING, SIGNS)
    monkeypatch.setattr("dkimgate.gate.engine.strict_dkim", lambda *_: 1 / 0)
    assert asking.leaves(message(WWW.replace("www.", ""), USER, "user@elsewhere.example")).record["error"] is None
