"""The two forms of a body, in whatever pieces it comes: dkimpy is the oracle."""

from __future__ import annotations

import contextlib
import hashlib
import re

import dkim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dkimgate.arc.fields import Broken, Located, message_signature_of, tags_of
from dkimgate.dkim import signature as dkim_signature
from dkimgate.dkim.content import Content, asks_simple
from dkimgate.message.message import HeaderField
from tests.world.mail import forms

# --- against dkimpy and the book ----------------------------------------------------------------------------------------------

OCTETS = st.lists(
    st.sampled_from([b"a", b"b ", b" ", b"\t", b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"\xff"]), max_size=25
).map(b"".join)


@given(OCTETS)
@settings(max_examples=300, deadline=None)
def test_the_length_of_the_relaxed_body(body: bytes) -> None:
    """By the book: white space, then the line ends at the end, over the whole body at once."""
    text = re.sub(rb"[ \t]+", b" ", body)
    text = re.sub(rb" (?=\r\n|\Z)", b"", text)
    text = re.sub(rb"(\r\n)+\Z", b"", text)
    canonical = text + b"\r\n" if text else b""
    found = Content((), forms(body)).body("relaxed")
    assert (found.digest, found.length) == (hashlib.sha256(canonical).digest(), len(canonical))


@given(OCTETS, st.integers(1, 9))
@settings(max_examples=300, deadline=None)
def test_the_simple_form_of_a_body_cut_anywhere(body: bytes, piece: int) -> None:
    """By the book: the line ends at the end become one, and nothing else changes."""
    canonical = re.sub(rb"(\r\n)+\Z", b"", body) + b"\r\n"
    found = forms(body, piece)
    assert found.simple is not None and found.octets == len(body)
    assert (found.simple.digest, found.simple.length) == (hashlib.sha256(canonical).digest(), len(canonical))
    assert found == forms(body)


WRITTEN = st.lists(
    st.sampled_from(
        [
            "c",
            "C",
            "=",
            ";",
            "/",
            " ",
            "\r\n\t",
            "relaxed",
            "simple",
            "RELAXED",
            "relaxed/relaxed",
            "c=relaxed/simple",
            "x=c=",
            "q=c",
        ]
    ),
    max_size=8,
).map("".join)
"""What a sender may write about the form of the body."""


@given(WRITTEN, st.booleans())
@example("c=relaxed", False)
@example("c=relaxed/relaxed", True)
@example("", False)
@settings(max_examples=500, deadline=None)
def test_a_signature_of_the_simple_form_always_gets_it(written: str, first: bool) -> None:
    """None that can be read wants a form that was not made."""
    rest = "v=1; a=rsa-sha256; d=hosted.example; s=s; h=from; bh=AAAA; b=AAAA; i=1"
    value = (f"{written}; {rest}" if first else f"{rest}; {written}").encode()
    with contextlib.suppress(dkim_signature.Refused):
        tags = dkim_signature.read(value.replace(b"i=1", b"t=1"))
        assert tags.body_form == "relaxed" or asks_simple([HeaderField(b"DKIM-Signature", value)])
    with contextlib.suppress(Broken):
        located = Located(0, HeaderField(b"ARC-Message-Signature", value), tags_of(value))
        assert message_signature_of(located).body_form == "relaxed" or asks_simple([located.field])


def test_the_simple_form_is_made_only_where_it_is_asked_for() -> None:
    for value, asked in (
        (b"c=relaxed/relaxed", False),
        (b" a=x;\r\n\tc = simple/Relaxed ; b=", False),
        (b"c=relaxed", True),
        (b"a=x", True),
    ):
        for name in (b"DKIM-Signature", b"ARC-Message-Signature"):
            assert asks_simple([HeaderField(b"X-Other", b"c=simple/simple"), HeaderField(name, value)]) is asked
    assert not asks_simple([HeaderField(b"X-Other", b"c=simple/simple")])


@given(OCTETS.map(lambda body: body.replace(b"\r\n", b"\n").replace(b"\r", b"").replace(b"\n", b"\r\n")))
@settings(max_examples=200, deadline=None)
def test_dkimpy_agrees_on_bodies(body: bytes) -> None:
    """Of what SMTP can carry: without a CR or LF alone, and with a line end behind white space (where there is none, dkimpy keeps it)."""
    body = body + b"\r\n" if body.endswith((b" ", b"\t")) else body
    for form in ("simple", "relaxed"):
        canonical = dkim.CanonicalizationPolicy.from_c_value(f"simple/{form}".encode()).canonicalize_body(body)
        found = Content((), forms(body)).body(form)
        assert (found.digest, found.length) == (hashlib.sha256(canonical).digest(), len(canonical))
