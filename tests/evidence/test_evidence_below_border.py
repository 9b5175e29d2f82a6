"""A pass of ours directly below the border's Received field, where the configuration says that the border strips forgeries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.evidence.below_border import _NAMES
from dkimgate.gate.stripping import strip
from tests.world.mail import AUTHOR, BORDER, STRIPS, facts, fields, message

OURS = "Authentication-Results: mx.forwarder.example; dmarc=pass (p=reject dis=none) header.from=hosted.example\n"


@pytest.mark.parametrize("name", [name for name in _NAMES if name != "received-spf"])
def test_our_pass_is_believed_behind_what_our_milters_insert(name: str) -> None:
    header = BORDER + f"{name.title()}: x\n" * 2 + OURS + AUTHOR
    assert facts(header, config=STRIPS).arrival.dmarc == "pass"
    assert facts(header).arrival.dmarc == "unknown"


@pytest.mark.parametrize(
    "name", ["X-A", "DKIM-Signature", "Return-Path", "To", "X-Virus", "Received", "X-Original-Authentication-Results"]
)
def test_and_behind_no_other_field(name: str) -> None:
    assert facts(BORDER + f"{name}: x\n" + OURS + AUTHOR, config=STRIPS).arrival.dmarc == "unknown"


FORGED = [
    OURS,
    OURS.replace("dmarc=pass", "spf=pass smtp.mailfrom=hosted.example; dmarc=pass"),
    OURS.replace("Authentication-Results", "authentication-results "),
    OURS.replace("mx.f", "(x) mx.f"),
    OURS.replace("mx.forwarder.example;", '"mx.forwarder.example";'),
    OURS.replace("mx.forwarder.example;", "mx.forwarder.example 1;"),
    OURS.replace("mx.f", "MX.F"),
]


@given(
    st.lists(
        st.one_of(st.sampled_from(sorted(_NAMES)).map(lambda name: f"{name}: x\n"), st.sampled_from(FORGED)), max_size=6
    )
)
def test_a_sender_who_writes_these_names_gains_nothing(written: list[str]) -> None:
    """What comes in passes a border that strips as ours does."""
    sent = message("".join(written) + AUTHOR).header
    gone = strip(sent, STRIPS.names)
    kept = tuple(field for at, field in enumerate(sent) if at not in gone)
    arrival = facts((*fields(BORDER), *kept), config=STRIPS).arrival
    assert (arrival.dmarc, arrival.spf, arrival.dkim, arrival.aligned) == ("unknown", "none", "none", False)


# --- the domain that a result names ---------------------------------------------------------------------------------------------------

NAMED = [
    # the author, header.from, what comes of a pass
    ("sales.hosted.example", "sales.hosted.example", "pass"),
    ("sales.hosted.example", "hosted.example", "pass"),  # the domain of the policy: rspamd, and Google at times
    ("a.b.hosted.example", "hosted.example", "pass"),
    ("a.b.hosted.example", "b.hosted.example", "unknown"),
    ("hosted.example", "sales.hosted.example", "unknown"),
    ("sales.hosted.example", "shop.hosted.example", "unknown"),
    ("sales.hosted.example", "example", "unknown"),
    ("sales.hosted.example", "attacker.example", "unknown"),
    ("hosted.example", "example", "unknown"),
    ("ask.github.io", "github.io", "unknown"),  # a public suffix: what stands below belongs to others
    ("a.ask.github.io", "ask.github.io", "pass"),
    ("hosted.co.uk", "co.uk", "unknown"),
]


@pytest.mark.parametrize(("author", "named", "dmarc"), NAMED)
def test_a_pass_for_the_organizational_domain_is_one_for_its_sub_domains(author: str, named: str, dmarc: str) -> None:
    header = OURS.replace("hosted.example", named) + BORDER + AUTHOR.replace("ask@hosted.example", f"ask@{author}")
    assert facts(header, config=STRIPS).arrival.dmarc == dmarc


def test_without_a_policy_only_the_very_domain_counts() -> None:
    header = OURS.replace("dmarc=pass", "dmarc=none") + BORDER + AUTHOR.replace("ask@hosted", "ask@sales.hosted")
    assert facts(header, config=STRIPS).arrival.dmarc == "unknown"
