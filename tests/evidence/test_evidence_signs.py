"""What the header gives away, and spam verdicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.author import author_of
from dkimgate.evidence import spam
from dkimgate.evidence.signs import signs_of
from dkimgate.facts import HeaderSigns, Spam
from dkimgate.message import HeaderField
from headers import AUTHOR, message

SIGNS = [
    (AUTHOR, "friend@hosted.example", HeaderSigns()),
    (
        AUTHOR.replace("victim@receiver", "Ask <ASK@hosted").replace("example\nSubject", "example>\nSubject"),
        "",
        HeaderSigns(from_equals_to=True),
    ),
    (AUTHOR.replace("victim@", "ask@hosted.example, victim@"), "", HeaderSigns()),
    (AUTHOR, "bounce@attacker.example", HeaderSigns(return_path_mismatch=True)),
    (AUTHOR, "bounce@lists.hosted.example", HeaderSigns()),
    ("Return-Path: <x@attacker.example>\n" + AUTHOR, "friend@hosted.example", HeaderSigns(return_path_mismatch=True)),
    (AUTHOR.replace("Message-ID: <4711@hosted.example>", "Message-ID:"), "", HeaderSigns(message_id_missing=True)),
    (AUTHOR.replace("To: victim@receiver.example", "To: " + "(" * 3000), "", HeaderSigns()),
    ("", "friend@hosted.example", HeaderSigns(message_id_missing=True)),
]


@pytest.mark.parametrize(("header", "sender", "expected"), SIGNS)
def test_signs(header: str, sender: str, expected: HeaderSigns) -> None:
    arrived = message(header, sender=sender)
    assert signs_of(arrived, author_of(arrived.header)) == expected


VERDICTS = [
    ("X-Spam-Status", "Yes, score=14.9 required=3.0 tests=A,\n B autolearn=no", Spam(True, 14.9, 3.0)),
    ("X-Spam-Status", "No, score=-9.9 required=5.0", Spam()),
    ("X-Spam-Status", "No, score=2.5 required=5.0", Spam(False, 2.5, 5.0)),
    ("X-Spam-Status", "Yes, hits=7.1 required=5.0", Spam(True, 7.1, 5.0)),
    ("X-Spam-Status", "Yes, score=0.1 required=5.0", Spam(True, 5.0, 5.0)),
    ("X-Spam-Status", "Yes", Spam(True, 5.0, 5.0)),
    ("X-Spam-Status", "Yes, score=14,9 required=3,0", Spam(True, 14.9, 3.0)),
    ("X-Spam-Status", "Yes, score=9 required=0", Spam(True, 9.0, 5.0)),
    ("X-Spam-Status", "No, score=1e999 required=nan", Spam(False, 1.0, 5.0)),
    ("X-Spam-Status", "No, score=99999999999999999999 required=5", Spam(False, 1e6, 5.0)),
    ("x-spam-flag", "YES", Spam(True, 5.0, 5.0)),
    ("X-Spam-Flag ", "yes", Spam(True, 5.0, 5.0)),
    ("X-Spam-Flag", "NO", Spam()),
    ("X-Spam-Score", "14.9 (++++++++++++++)", Spam(False, 14.9, 5.0)),
    ("X-Spam-Score", "-3", Spam()),
    ("X-Spam-Score", "", Spam()),
]


@pytest.mark.parametrize(("name", "value", "expected"), VERDICTS)
def test_verdict(name: str, value: str, expected: Spam) -> None:
    assert spam.verdict_of(HeaderField(name.encode(), b" " + value.encode())) == expected


@given(
    st.lists(st.builds(Spam, st.booleans(), st.floats(0, 1e6), st.floats(0.1, 1e3)), max_size=5),
    st.builds(Spam, st.booleans(), st.floats(0, 1e6), st.floats(0.1, 1e3)),
)
def test_a_further_verdict_never_helps(verdicts: list[Spam], further: Spam) -> None:
    before, after = spam.worst(verdicts), spam.worst([*verdicts, further])
    assert after.ratio >= before.ratio
    assert after.spam or not before.spam
    assert after.spam or not further.spam


@given(st.binary(max_size=80))
def test_any_octets_can_be_read(value: bytes) -> None:
    for name in (b"X-Spam-Status", b"X-Spam-Flag", b"X-Spam-Score"):
        verdict = spam.verdict_of(HeaderField(name, value))
        assert verdict is not None and verdict.score >= 0 < verdict.required
