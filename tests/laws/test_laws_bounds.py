"""Law 2 and law 7 together: what is longer than anybody reads counts as what hurts, and what honest hosts write is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.authres import authentication_results
from dkimgate.authres.authentication_results import LONGEST_READ, MAX_LENGTH
from dkimgate.dkim import tag_list
from dkimgate.evidence import result_words
from dkimgate.evidence.claims import MOST_FIELDS
from dkimgate.evidence.gather import facts_of, see
from dkimgate.evidence.header_signs import MOST_SIGNATURES
from dkimgate.evidence.misled_verifiers import offers_a_pass
from dkimgate.evidence.spam import MOST_VERDICTS
from dkimgate.facts import Facts
from dkimgate.message.message import Envelope, HeaderField, Message, split_message
from tests.laws.attack_world import AUTHOR, BORDER, NOW
from tests.world.mail import CONFIG, REINJECTED, TRUST

RESULTS = (
    b"Authentication-Results: mx.other.example; %s",
    b"X-Original-Authentication-Results: mx.other.example; %s",
    b"ARC-Authentication-Results: i=1; mx.other.example; %s",
    b"X-Other-Auth: %s",
)
FILLERS = (b"x", b"(", b"\\(", b'"', b"; ", b" ", b"dkim=pass ")


def _facts(*fields: bytes) -> Facts:
    header, _ = split_message(BORDER.encode() + b"\n".join(fields) + b"\n" + AUTHOR + b"\n")
    seen = see(Message(REINJECTED, Envelope("friend@hosted.example"), header, "4F2B"), CONFIG)
    return facts_of(seen, CONFIG, ("hosted.example",), (False, "x"), now=NOW)


def _badness(facts: Facts) -> tuple[int, ...]:
    arrival = facts.arrival
    upstream = facts.upstream.dmarc
    return (
        result_words.DMARC.index(arrival.dmarc),
        *(result_words.BADNESS.index(word) for word in (arrival.spf, arrival.dkim, arrival.arc)),
        result_words.DMARC.index(upstream) if upstream is not None else -1,
    )


@pytest.mark.parametrize("bad", [b"dmarc=fail", b"spf=softfail", b"dkim=permerror", b"arc=fail"])
@pytest.mark.parametrize("field", RESULTS)
def test_law_what_hurts_is_not_hidden_by_length(field: bytes, bad: bytes) -> None:
    plain = _badness(_facts(field % bad))
    for filler in FILLERS:
        for size in (MAX_LENGTH, LONGEST_READ + 1, 100_000):
            fill = filler * (size // len(filler) + 1)
            for text in (bad + b"; " + fill, fill + b"; " + bad):
                found = _badness(_facts(field % text))
                assert all(long >= short for long, short in zip(found, plain, strict=True)), (filler, size, text[:20])


@given(st.text(alphabet='dmarcspfkil=; ()"\\', max_size=60), st.integers(0, 3))
def test_law_a_field_that_is_not_read_is_as_bad_as_any(text: str, extra: int) -> None:
    """Of the methods that facts are made of."""
    unread = {each.method for each in authentication_results.hurting("x" * (LONGEST_READ + 1 + extra) + text)}
    assert {each.method for each in authentication_results.hurting(text)} & {*result_words.HURTS} <= unread


@pytest.mark.parametrize("field", [*RESULTS, b"Received-SPF: pass (%s)"])
def test_law_what_hurts_is_not_hidden_by_many_fields(field: bytes) -> None:
    """Nor by many results in one field."""
    bad = RESULTS[0] % b"dmarc=fail; spf=fail; dkim=fail; arc=fail"
    plain = _badness(_facts(bad))
    behind = _facts(*[field % b"x"] * MOST_FIELDS, bad)
    assert all(many >= one for many, one in zip(_badness(behind), plain, strict=True))
    several = RESULTS[0] % (b"dkim=fail; " * 300 + b"dmarc=fail; spf=fail; arc=fail")
    assert all(many >= one for many, one in zip(_badness(_facts(several)), plain, strict=True))


def test_law_spam_is_not_hidden_by_many_verdicts() -> None:
    ham = [b"X-Spam-Status: No, score=0 required=5"] * MOST_VERDICTS
    assert not _facts(*ham).arrival.spam.flag
    assert _facts(*ham, b"X-Spam-Flag: YES").arrival.spam.flag
    assert _facts(*ham, b"X-Spam-Flag: NO").arrival.spam.flag


SIGNATURE = "v=1; a=rsa-sha256; d=hosted.example; s=s; h=from; bh=AAAA; x=1; l=0"
LONG = (
    SIGNATURE + "; b=" + "A" * tag_list.LONGEST,
    SIGNATURE + "; b=AAAA" + "".join(f"; t{number}=1" for number in range(tag_list.MOST_TAGS)),
    ";" * tag_list.MOST_TAGS + SIGNATURE,
)


@pytest.mark.parametrize("value", LONG)
def test_law_a_signature_that_is_not_read_has_every_bad_sign(value: str) -> None:
    """And it may be valid at the next receiver."""
    signs = _facts(b"DKIM-Signature: " + value.encode()).header
    assert signs.expired_signature
    assert signs.limited_signature
    assert signs.third_party_signature_only
    assert signs.aligned_signature


def test_law_a_signature_behind_too_many_others_has_every_bad_sign() -> None:
    others = [b"DKIM-Signature: v=1; d=other.example; s=s"] * MOST_SIGNATURES
    assert not _facts(*others).header.limited_signature
    signs = _facts(*others, b"DKIM-Signature: " + SIGNATURE.encode()).header
    assert signs.expired_signature
    assert signs.limited_signature
    assert signs.aligned_signature


@pytest.mark.parametrize("name", [b"Authentication-Results", b"Received-SPF"])
@pytest.mark.parametrize("filler", [b"x", b'"', b"\\", b"(x)"])
def test_law_results_that_are_not_taken_apart_may_offer_a_pass(name: bytes, filler: bytes) -> None:
    field = HeaderField(name, b" " + filler * 20_000)
    assert offers_a_pass(Message(header=(field,)), frozenset(), 0, TRUST)


# --- what honest hosts write -----------------------------------------------------------------------------------------------------


def test_many_results_in_one_field_are_read() -> None:
    text = "mx.forwarder.example; " + "; ".join(f"dkim=pass header.d=d{number}.example" for number in range(200))
    reading = authentication_results.read(text)
    assert (reading.strict, len(reading.results)) == (True, 200)
