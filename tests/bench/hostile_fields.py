"""Every kind of field that the gate reads, and what a hostile sender fills it with."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench.messages import FORGED_HEADER, HOST

_DATE = "Sat, 21 Nov 2026 16:20:20 +0000"
FIELDS = {
    "From": " Friend <ask@hosted.example>",
    "To": " you@receiver.example",
    "Subject": " plan",
    "Date": f" {_DATE}",
    "Message-ID": " <1@hosted.example>",
    "Return-Path": " <ask@hosted.example>",
    "Received": f" from a (b [192.0.2.9]) by {HOST} with ESMTP; {_DATE}",
    "Authentication-Results": f" {HOST}; dmarc=pass header.from=hosted.example",
    "X-Original-Authentication-Results": " mx.other.example; dmarc=pass header.from=hosted.example",
    "X-Other-SPF-Result": " pass (mx.other.example)",
    "Received-SPF": f" pass ({HOST}: ok) client-ip=192.0.2.9; envelope-from=ask@hosted.example;",
    "X-Spam-Status": " No, score=1.0 required=3.0 tests=A",
    "X-Spam-Level": " *",
    "X-Spamd-Result": " default: False [1.00 / 15.00]; A(0.00)[]",
    "X-Spam-Report": " *  0.0 A words",
    "X-Forefront-Antispam-Report": " CIP:192.0.2.9;SCL:1;SFV:NSPM;CAT:NONE;",
    "X-Proofpoint-Spam-Details": " rule=notspam policy=default score=1",
    "DKIM-Signature": " v=1; a=rsa-sha256; d=hosted.example; s=default; c=relaxed/relaxed; h=from; bh=AAAA; b=AAAA",
    "ARC-Seal": " i=1; a=rsa-sha256; t=1; cv=none; d=hosted.example; s=default; b=AAAA",
    "ARC-Message-Signature": " i=1; a=rsa-sha256; d=hosted.example; s=default; h=from; bh=AAAA; b=AAAA",
    "ARC-Authentication-Results": f" i=1; {HOST}; dmarc=pass header.from=hosted.example",
    "X-Dkimgate-Passport": " v=1; k=2026a; t=1; m=AAAA",
    "Content-Type": " multipart/mixed; boundary=a",
    "Content-Transfer-Encoding": " 8bit",
    "X-Unknown": " word",
    "\xffFrom": " ask@other.example",
}
"""Name and usual value."""

UNITS = (
    *("a", "a=b; ", "((\\)", "a@b.example, ", '"\\'),
    *("(", "(a)", "=?utf-8?q?a?= ", "<", ",", ";", " \t", ".", "[1.2.3.4] ", "dmarc=fail ", "\xe4"),
)
"""What a value is filled with; the first of them in the quick form."""

_LONG = 30_000
"""Octets of each of many long fields: a little less than is read of one."""


def one(name: str, value: str, unit: str) -> Callable[[int], bytes]:
    """One field of a size: its usual value, then the unit again and again, folded as a sender may."""

    def make(size: int) -> bytes:
        line = unit * (900 // len(unit)) + "\r\n "
        return _encoded(f"{name}:{value} {line * (size // len(line))}\r\n")

    return make


def long_ones(name: str, value: str, unit: str) -> Callable[[int], bytes]:
    """As many of them as have a size together, each so long that all of it is read."""
    field = one(name, value, unit)
    return lambda size: field(min(size, _LONG)) * max(1, size // _LONG)


def many(name: str, value: str) -> Callable[[int], bytes]:
    """So many of the usual ones."""
    line = _encoded(f"{name}:{value}\r\n")
    return lambda size: line * (size // len(line))


def _encoded(text: str) -> bytes:
    return text.encode("latin-1")


def in_forgery(fields: bytes) -> bytes:
    """The forgery with those fields below what our own hosts wrote; CRLF line ends."""
    header, author, rest = FORGED_HEADER.encode().partition(b"From: ")
    return header + fields + author + rest + b"\r\nHello\r\n"
