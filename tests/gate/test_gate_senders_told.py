"""In mail that comes by again nothing tells the sender that SPF could be asked about."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gate.test_gate_checks import FORGED, HONEST_BORDER, SPF, TRUSTED, ZONE, Arrived
from tests.world.keys import DOMAIN

FORWARDERS = {"TXT": ["v=spf1 ip4:192.0.2.10 -all"]}
SENDERS_ZONE = ZONE | dict.fromkeys(
    ("forwarder.example", "mx.forwarder.example", "friend.example", "eve.example"), FORWARDERS
)
SENDERS_ZONE |= {f"_dmarc.{name}": {"TXT": ["v=DMARC1; p=reject"]} for name in ("forwarder.example", "friend.example")}
MADE = {
    "append_at_myorigin, of ceo": ("ceo@hosted.example", "hosted.example"),
    "swap_bangpath, of hosted.example!ceo": ("ceo@hosted.example", "hosted.example"),
    "append_dot_mydomain, of ceo@mail": ("ceo@mail.hosted.example", "hosted.example"),
    "owner- of an alias": ("owner-list@hosted.example", "hosted.example"),
    "owner- of an alias, on a host of many domains": ("owner-list@forwarder.example", "forwarder.example"),
    "$myorigin is the host": ("owner-list@mx.forwarder.example", "forwarder.example"),
}
"""What Postfix writes into Return-Path for a client that said something else, and an author domain that aligns."""
ELSEWHERE = b"Authentication-Results: mx.forwarder.example; spf=%s smtp.mailfrom=eve.example\r\n"
WORDS = {
    "nothing": b"",
    "DMARC": TRUSTED % b"pass",
    "none": ELSEWHERE % b"none",
    "fail": ELSEWHERE % b"fail",
    "pass": ELSEWHERE % b"pass",
}


BETWEEN = (
    b"Received: by mx.forwarder.example (Postfix, from userid 38)\r\n\tid 6; Sat, 21 Nov 2026 16:20:26 +0000 (UTC)\r\n"
)
REAL = (b"", ELSEWHERE % b"fail", ELSEWHERE % b"none", b"Authentication-Results: mx.forwarder.example; dkim=none\r\n")
FORGED_DMARC = SPF.rstrip() % b"hosted.example" + b"; dmarc=pass header.from=hosted.example\r\n"


def earns(arrived: Arrived, header: bytes, author: str = DOMAIN) -> bool:
    """Has it earned anything by SPF? From a client whose address every SPF record lists."""
    arrived.asks(SENDERS_ZONE)
    outcome = arrived.send(header + FORGED.replace(DOMAIN.encode(), author.encode()))
    arrival = arrived.record["arrival"]
    assert arrival["aligned"] is False and arrival["spf"] != "pass"
    return arrival["dmarc"] == "pass" or bool(outcome.fields)


@pytest.mark.parametrize("when", ["missing", "always"])
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("made", MADE)
def test_law_1_a_sender_that_postfix_may_have_made_is_not_what_the_client_said(
    made: str, word: str, when: str, tmp_path: Path
) -> None:
    path, author = MADE[made]
    words = WORDS[word].replace(b"header.from=hosted.example", b"header.from=" + author.encode())
    arrived = Arrived(tmp_path, f"when: {when}")
    if author == DOMAIN or word != "DMARC" or when == "always":  # what earns nothing is not proved
        assert not earns(arrived, b"Return-Path: <%s>\r\n" % path.encode() + words + HONEST_BORDER, author)
    if author == DOMAIN:
        told = SPF % path.encode()
        assert not earns(arrived, b"Return-Path: <%s>\r\n" % path.encode() + told + HONEST_BORDER)


@pytest.mark.parametrize("when", ["missing", "always"])
def test_law_1_a_return_path_tells_no_sender(when: str, tmp_path: Path) -> None:
    """Whoever writes the border's Received field writes the Return-Path, too."""
    arrived = Arrived(tmp_path, f"when: {when}")
    path = b"Return-Path: <ann@friend.example>\r\n"
    for word in (b"", SPF % b"friend.example", *(ELSEWHERE % result for result in (b"none", b"pass", b"neutral"))):
        assert not earns(arrived, path + word + HONEST_BORDER, "friend.example")


@pytest.mark.parametrize("when", ["missing", "always"])
@pytest.mark.parametrize("real", REAL)
@pytest.mark.parametrize("word", [SPF % b"hosted.example", SPF % b"ceo@hosted.example", FORGED_DMARC])
def test_law_2_a_word_of_spf_helps_in_no_place(word: bytes, real: bytes, when: str, tmp_path: Path) -> None:
    """Below the border it may have been overlooked; above a later hop it may be of the sender that a program of ours had;
    directly above it, a program of ours may have written it together with the border's own field."""
    arrived = Arrived(tmp_path, f"when: {when}", trust="border_strips_forgeries: true")
    for header in (
        real + HONEST_BORDER + word,
        HONEST_BORDER + real + word,
        word + BETWEEN + real + HONEST_BORDER,
        BETWEEN + word + HONEST_BORDER,
    ):
        assert not earns(arrived, header)
