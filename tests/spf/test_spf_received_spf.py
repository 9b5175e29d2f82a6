"""Received-SPF hurts, and never helps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.config.dkimgate_yaml import Config
from dkimgate.facts import Standing
from dkimgate.message.message import Connection
from dkimgate.spf.check import RESULTS
from dkimgate.spf.received_spf import read
from tests.world.mail import AUTHOR, BORDER, CONFIG, OUTSIDE, REINJECTED, facts

FIELDS = [
    # value, result, receiver, envelope sender
    (
        "pass (mybox.example.org: domain of myname@example.com designates 192.0.2.1 as permitted sender) receiver=mybox.example.org; "
        'client-ip=192.0.2.1; envelope-from="myname@example.com"; helo=foo.example.com;',
        "pass",
        "mybox.example.org",
        "myname@example.com",
    ),
    (
        "fail (mybox.example.org: domain of myname@example.com does not designate 192.0.2.1 as permitted sender) identity=mailfrom; "
        'client-ip=192.0.2.1; envelope-from="myname@example.com"',
        "fail",
        None,
        "myname@example.com",
    ),
    (
        "Softfail (mailfrom) identity=mailfrom; client-ip=2001:db8::1; helo=mail.y.example; envelope-from=a@y.example; receiver=x@hosted.example",
        "softfail",
        "x@hosted.example",
        "a@y.example",
    ),
    (
        "None (no SPF record) identity=mailfrom; client-ip=192.0.2.1; helo=h.y.example; envelope-from=a@y.example; receiver=<UNKNOWN>",
        "none",
        "<UNKNOWN>",
        "a@y.example",
    ),
    (
        "Permerror (mailfrom) identity=mailfrom; receiver=mx.forwarder.example",
        "permerror",
        "mx.forwarder.example",
        None,
    ),
    (
        "Fail (protection.outlook.example: domain of y.example does not designate 192.0.2.1 as permitted sender) receiver=protection.outlook.example; client-ip=192.0.2.1; helo=y.example;",
        "fail",
        "protection.outlook.example",
        None,
    ),
    ("TempError (protection.outlook.example: error in processing) receiver=p.example", "temperror", "p.example", None),
    ("neutral (google.example: 192.0.2.1 is neither permitted nor denied) client-ip=192.0.2.1;", "neutral", None, None),
    ("unknown (x)", "permerror", None, None),
    ("error", "temperror", None, None),
    ("hardfail", "fail", None, None),
    ("(a comment ahead) FAIL", "fail", None, None),
    ("fail\0", "fail", None, None),
    (
        'fail (x) envelope-from="a \\" receiver=mx.forwarder.example"@y.example',
        "fail",
        None,
        'a \\" receiver=mx.forwarder.example',
    ),
    ("", None, None, None),
    ("failure", None, None, None),
    ("pass-through", None, None, None),
    ("(unclosed fail", None, None, None),
    ("192.0.2.1 fail", None, None, None),
]


@pytest.mark.parametrize(("value", "result", "receiver", "sender"), FIELDS)
def test_a_field(value: str, result: str | None, receiver: str | None, sender: str | None) -> None:
    found = read(value)
    if found is None:
        assert result is None
    else:
        assert (found.result, found.receiver, dict(found.properties).get("smtp.mailfrom")) == (result, receiver, sender)


@given(st.text(alphabet=st.sampled_from('pasfil("\\)=; \t\0é@.'), max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    found = read(text)
    assert found is None or found.result in RESULTS


PASS = (
    "Received-SPF: Pass (x) client-ip=192.0.2.66; envelope-from=friend@hosted.example; receiver=mx.forwarder.example\n"
)
OURS = "Authentication-Results: mx.forwarder.example; spf={} smtp.mailfrom=friend@hosted.example\n"
STRIPPING = Config(trust=CONFIG.trust.model_copy(update={"border_strips_forgeries": True}))


@pytest.mark.parametrize(
    "header",
    [PASS + BORDER + AUTHOR, BORDER + PASS + AUTHOR, BORDER + AUTHOR + PASS, PASS + AUTHOR],
    ids=["above", "below", "last", "alone"],
)
@pytest.mark.parametrize("settings", [CONFIG, STRIPPING])
@pytest.mark.parametrize("connection", [REINJECTED, OUTSIDE])
def test_a_pass_helps_nowhere(header: str, settings: Config, connection: Connection) -> None:
    found = facts(header, connection, settings)
    assert found.arrival.spf == "none"
    assert not found.arrival.aligned
    assert {claim.standing for claim in found.claims if claim.field == "Received-SPF"} == {Standing.UPSTREAM}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Fail", "fail"),
        ("softfail", "softfail"),
        ("PermError", "permerror"),
        ("temperror", "temperror"),
        ("neutral", "none"),
        ("none", "none"),
    ],
)
def test_what_hurts_counts_wherever_it_stands(word: str, expected: str) -> None:
    field = f"Received-SPF: {word} (x) receiver=mx.elsewhere.example; client-ip=192.0.2.66\n"
    for header in (field + BORDER + AUTHOR, BORDER + field + AUTHOR, BORDER + AUTHOR + field):
        found = facts(header)
        assert found.arrival.spf == expected
        assert [(c.method, c.by, c.field) for c in found.claims] == [("spf", "mx.elsewhere.example", "Received-SPF")]


def test_no_pass_goes_ahead_of_a_fail() -> None:
    assert facts(OURS.format("pass") + BORDER + "Received-SPF: fail (x)\n" + AUTHOR).arrival.spf == "fail"
    assert facts(OURS.format("fail") + BORDER + PASS + AUTHOR).arrival.spf == "fail"
