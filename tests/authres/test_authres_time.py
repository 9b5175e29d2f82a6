"""Authentication-Results that are made to take long: unclosed comments and quotes, with backslashes between them."""

from __future__ import annotations

import time

import pytest

from dkimgate.authres import authentication_results
from dkimgate.evidence import header_signs
from dkimgate.message.message import HeaderField, Message

UNITS = (r"\(", '"\\', r"\"", r"\\(", "(", '"', "((\\", "dmarc (", 'a="\\', " ", "dmarc ")


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("size", [3_900, 100_000])
def test_a_field_of_100_kilobytes_takes_milliseconds(unit: str, size: int) -> None:
    text = "x; " + unit * (size // len(unit))
    start = time.thread_time()
    authentication_results.read(text)
    assert time.thread_time() - start < 0.25  # it was 49 s


@pytest.mark.parametrize("unit", UNITS)
def test_recipients_too(unit: str) -> None:
    message = Message(header=(HeaderField(b"To", f" {unit * (3_900 // len(unit))}".encode()),))
    start = time.thread_time()
    assert header_signs._recipients_malformed([field.text for field in message.fields("to")]) or unit == " "
    assert time.thread_time() - start < 0.25


def test_what_hurts_behind_an_unclosed_comment_is_still_found() -> None:
    found = authentication_results.read(r"x; (\(\(\( dmarc (said so) = fail").results
    assert [(result.method, result.result) for result in found] == [("dmarc", "fail")]


@pytest.mark.parametrize(
    "text",
    [
        r"x; spf=pass (a \( b",
        r'x; spf=pass reason="a \" b',
        r"x; spf=pass \( b",
        'x; spf=pass (a (b "c) d',
        "x; spf=pass (a\\",
    ],
)
def test_what_is_not_closed_is_not_well_formed(text: str) -> None:
    assert not authentication_results.read(text).strict


def test_a_comment_in_a_comment_is_well_formed() -> None:
    reading = authentication_results.read(r'x; spf=pass (a (b \) c) d) smtp.mailfrom="a (b"@c.example')
    assert reading.strict
    assert reading.results[0].properties == (("smtp.mailfrom", '"a (b"@c.example'),)
