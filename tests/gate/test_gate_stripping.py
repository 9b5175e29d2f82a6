"""What a border removes: everything that some reader behind it could take for ours, and nothing that others honestly wrote."""

from __future__ import annotations

import contextlib
import re
import time

import authres
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.gate.stripping import strip
from dkimgate.message.message import HeaderField

IDN = "mx.bücher.example"
A_LABEL = "mx.xn--bcher-kva.example"
OURS = ("mx.forwarder.example", IDN, "*.mail.forwarder.example", "gateway")
RESULT = "dmarc=pass header.from=hosted.example"


def _goes(name: bytes | str, value: bytes | str, ours: tuple[str, ...] = OURS) -> bool:
    raw_name = name if isinstance(name, bytes) else name.encode()
    raw = value if isinstance(value, bytes) else value.encode("utf-8")
    header = (
        HeaderField(b"Subject", b" x"),
        HeaderField(raw_name, b" " + raw),
        HeaderField(b"To", b" y@receiver.example"),
    )
    found = strip(header, ours)
    assert found in ((), (1,))
    return found == (1,)


FORGED = [
    f"mx.forwarder.example; {RESULT}",
    f"MX.Forwarder.EXAMPLE; {RESULT}",
    f"mx.forwarder.example.; {RESULT}",
    f"mx.forwarder.example 1; {RESULT}",
    f"mx.forwarder.example 99999; {RESULT}",
    f"mx.forwarder.example/1; {RESULT}",
    f"mx.forwarder.example ; {RESULT}",
    f"mx.forwarder.example\n\t; {RESULT}",
    f"\n\tmx.forwarder.example;\n\t{RESULT}",
    "mx.forwarder.example",
    "mx.forwarder.example; none",
    f"mx.forwarder.example {RESULT}",
    f"mx.forwarder.example, {RESULT}",
    f'"mx.forwarder.example"; {RESULT}',
    f'"mx.forwarder\\.example"; {RESULT}',
    f"'mx.forwarder.example'; {RESULT}",
    f"<mx.forwarder.example>; {RESULT}",
    f"(hello) mx.forwarder.example; {RESULT}",
    f"(;) mx.forwarder.example; {RESULT}",
    f"((;(;)) ) mx.forwarder.example; {RESULT}",
    f"mx.forwarder.example (evil.example); {RESULT}",
    f"mx.(x)forwarder(y).example; {RESULT}",
    f"mx.)forwarder.example; {RESULT}",  # OpenDMARC drops a parenthesis that closes nothing
    f'mx.forwarder)"."example; {RESULT}',
    f"mx . forwarder . example; {RESULT}",
    f"evil.example (\\) mx.forwarder.example; {RESULT}",
    f"evil.example (mx.forwarder.example; {RESULT})",
    f'evil.example "; mx.forwarder.example; {RESULT}"',
    f"evil.example mx.forwarder.example; {RESULT}",
    f"evil.example:mx.forwarder.example; {RESULT}",
    f"; mx.forwarder.example; {RESULT}",
    f"=mx.forwarder.example; {RESULT}",
    f"=?utf-8?q?mx=2Eforwarder=2Eexample?=; {RESULT}",
    f"=?utf-8?b?bXguZm9yd2FyZGVyLmV4YW1wbGU=?=; {RESULT}",
    f"=?x-unknown?q?mx=2Eforwarder=2Eexample?=; {RESULT}",
    f"=?utf-8?q?broken; {RESULT}",
    f"mx.forwarder\u200b.example; {RESULT}",
    f"mx.for\u00adwarder.example; {RESULT}",
    f"\ufeffmx.forwarder.example; {RESULT}",
    f"\u202emx.forwarder.example; {RESULT}",
    f"mx.forwarder\u3002example; {RESULT}",
    f"mx.forwarder\uff0eexample; {RESULT}",
    f"mx.\uff46orwarder.example; {RESULT}",
    f"mx.forwarder\0.example; {RESULT}",
    f"mx.forwarder.example\0; {RESULT}",
    f"mx.forwarder.example\x0b; {RESULT}",
    f"evil.example; none\rAuthentication-Results: mx.forwarder.example; {RESULT}",
    f"evil.example; none\x0bmx.forwarder.example; {RESULT}",
    f"evil.example; none\u2028mx.forwarder.example; {RESULT}",
    f"\xa0mx.forwarder.example; {RESULT}",
    # letters that look like ours
    f"mx.f\u043erwarder.example; {RESULT}",
    "mx." + "f\u043erwarder".encode("punycode").decode().join(("xn--", "")) + f".example; {RESULT}",
    # our name of two spellings
    f"{IDN}; {RESULT}",
    f"MX.BÜCHER.example; {RESULT}",
    f"mx.bu\u0308cher.example; {RESULT}",
    f"{A_LABEL}; {RESULT}",
    f"{A_LABEL.upper()}; {RESULT}",
    f"(x) {A_LABEL}.; {RESULT}",
    # names of other hosts of ours
    f"a.mail.forwarder.example; {RESULT}",
    f"a.b.Mail.Forwarder.example; {RESULT}",
    f"gateway; {RESULT}",
    f"GATEWAY (x); {RESULT}",
]

HONEST = [
    f"mx.receiver.example; {RESULT}",
    "mx.receiver.example; dmarc=fail header.from=mx.forwarder.example",
    "mx.receiver.example; spf=pass (sender mx.forwarder.example is fine) smtp.mailfrom=x@mx.forwarder.example",
    'mx.receiver.example 1; dkim=fail reason="mx.forwarder.example; dmarc=pass" header.d=x.example',
    "mx.receiver.example; none",
    "mx.receiver.example (amavisd-new); dkim=pass header.d=hosted.example",
    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=hosted.example; dkim=none",
    "xmx.forwarder.example; dmarc=fail",
    "mx.forwarder.example.attacker.example; dmarc=fail",
    "mx-forwarder.example; dmarc=fail",
    "mail.forwarder.example; dmarc=fail",
    "gateway2 (x); dmarc=fail",
    "gateway.receiver.example; dmarc=fail",
    "mx.bücherei.example; dmarc=fail",
    "почта.example; dmarc=fail",
    "",
    ";",
]


@pytest.mark.parametrize("value", FORGED)
def test_results_in_our_name_go(value: str) -> None:
    assert _goes("Authentication-Results", value)


@pytest.mark.parametrize("value", HONEST)
def test_results_of_others_stay(value: str) -> None:
    assert not _goes("Authentication-Results", value)


@pytest.mark.parametrize(
    "name",
    [
        "authentication-results",
        "AUTHENTICATION-RESULTS",
        "Authentication-Results ",
        "Authentication-Results\t",
        "Authentication\0-Results",
        "\ufeffAuthentication-Results",
    ],
)
def test_the_name_of_the_field_may_be_spelled_in_any_way(name: str) -> None:
    assert _goes(name, f"mx.forwarder.example; {RESULT}")
    assert not _goes(name, f"mx.receiver.example; {RESULT}")


@pytest.mark.parametrize(
    "name",
    [
        "ARC-Authentication-Results",
        "X-Authentication-Results",
        "Subject",
        "Received",
        "DKIM-Signature",
        "X-Spa",
        "X-Dkim",
        "Spam",
    ],
)
def test_other_fields_stay(name: str) -> None:
    assert not _goes(name, f"i=1; mx.forwarder.example; {RESULT}")


@pytest.mark.parametrize(
    "name",
    [
        "X-Spam-Status",
        "X-Spam-Flag",
        "x-spam-level",
        "X-SPAM-Checker-Version",
        "X-Spam",
        "X-Spam-Anything",
        "X-Spam-Status ",
        "X-Spam-Status\0",
        "X-Spamd-Result",
        "X-Dkimgate-Passport",
        "x-dkimgate-passport",
        "X-Dkimgate-Passport\t",
        "X-Dkimgate-Else",
        "X-Dkim\0gate-Passport",
    ],
)
def test_verdicts_and_passports_go(name: str) -> None:
    assert _goes(name, "No, score=-9.9")


@pytest.mark.parametrize(
    "value",
    [
        "pass receiver=mx.forwarder.example",
        "Pass (mailfrom) receiver=<UNKNOWN>",
        "pass receiver=mx.receiver.example",
        "fail",
        "",
    ],
)
def test_received_spf_goes_whoever_wrote_it(value: str) -> None:
    """OpenDMARC believes any."""
    assert _goes("Received-SPF", value)


@pytest.mark.parametrize(
    "inside",
    [
        "\rX-Spam-Flag: NO",
        "\nAuthentication-Results: a; b",
        "\r\r X-Dkimgate-Passport: v=1",
        "\r\nReceived-SPF: pass",
        "\n\tfolded\rx-spam-status: no",
    ],
)
def test_a_field_that_hides_one_of_these_goes(inside: str) -> None:
    assert _goes("X-Mailer", f"a{inside}")


@pytest.mark.parametrize(
    "inside", ["\n X-Spam-Flag: NO", "\r\n\tAuthentication-Results: a; b", " X-Dkimgate-Passport: v=1", "\rhello"]
)
def test_a_field_that_only_speaks_of_them_stays(inside: str) -> None:
    assert not _goes("X-Mailer", f"a{inside}")


def test_positions_are_those_of_the_header() -> None:
    lines = [
        ("X-Spam-Flag", "NO"),
        ("From", "a@b.example"),
        ("Authentication-Results", "mx.forwarder.example; none"),
        ("X-Dkimgate-Passport", ""),
        ("Authentication-Results", "a.example; none"),
    ]
    header = tuple(HeaderField(name.encode(), value.encode()) for name, value in lines)
    assert strip(header, OURS) == (0, 2, 3)
    assert strip((), OURS) == ()
    assert strip(header, ()) == (0, 3)


WORD = st.sampled_from(
    [
        "mx.forwarder.example",
        "MX.forwarder.example.",
        "evil.example",
        '"',
        "\\",
        "(",
        ")",
        ";",
        " ",
        "\n ",
        "1",
        "=",
        "dmarc=pass",
        "none",
        '"mx.forwarder.example"',
    ]
)


@settings(deadline=None, max_examples=500)
@given(st.lists(WORD, max_size=14).map("".join))
def test_what_a_reader_takes_for_ours_goes(value: str) -> None:
    """Readers of several kinds: the strict one, one that cuts at the first semicolon, one that uses a regular expression."""
    unfolded = value.replace("\n", "")
    found = []
    with contextlib.suppress(authres.AuthResError):
        found.append(str(authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {unfolded}").authserv_id))
    found.append(unfolded.partition(";")[0].strip().strip('"'))
    found += re.findall(r"^\s*\"?([\w.-]+)\"?(?:\s+\d+)?\s*;", unfolded)
    found.append(re.sub(r"\([^()]*\)", "", unfolded).partition(";")[0].strip().strip('"'))
    if any(name.lower().rstrip(".") == "mx.forwarder.example" for name in found):
        assert _goes("Authentication-Results", value)


@settings(deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=200), st.lists(st.text(max_size=10), max_size=3))
def test_any_octets_are_judged_without_an_exception(name: bytes, value: bytes, ours: list[str]) -> None:
    for key in (name, b"Authentication-Results"):
        strip((HeaderField(key, value),), ours)


LONG = 100_000


@pytest.mark.parametrize(
    "piece", ["(", "()", "a(", "a.", "=?", "=?utf-8?q?", " ", "\r", "\r ", "\n", "xn--a.", "é", "ö.", "\"'", "; "]
)
@pytest.mark.parametrize("size", [16_000, LONG])
def test_heavy_fields_take_no_time(piece: str, size: int) -> None:
    value = (piece * size)[: size // len(piece.encode())].encode("utf-8")
    started = time.process_time()
    for name in (b"Authentication-Results", b"X-Mailer"):
        strip((HeaderField(name, b"(x) " + value),), OURS)
    assert time.process_time() - started < 0.5
