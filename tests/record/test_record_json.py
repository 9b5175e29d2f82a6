"""The decision record: safe as JSON whatever an outsider wrote, and enough to decide again."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dkimgate.facts import (
    DMARC_RESULTS,
    Arrival,
    Assessment,
    Border,
    Claim,
    Decision,
    Departure,
    Facts,
    HeaderSigns,
    Origin,
    Risk,
    Sending,
    Sign,
    Spam,
    Standing,
    Upstream,
)
from dkimgate.message.message import Connection, Envelope, HeaderField, Message
from dkimgate.policy import departure
from dkimgate.policy.decide import decide
from dkimgate.policy.language import loader
from dkimgate.record import record
from dkimgate.record.recordable import CLAIM_LIMIT, RECIPIENT_LIMIT, TEXT_LIMIT, recordable
from tests.world.keys import MadeWith

SHIPPED = loader.load(Path(__file__).parents[2] / "config" / "policy.yaml")


PHISH = Facts(
    client=Connection("127.0.0.1", "localhost", "localhost", None, "ORIGINATING"),
    sender="friend@hosted.example",
    recipients=("victim@receiver.example",),
    author="hosted.example",
    hosted="hosted.example",
    origin=Origin.FORWARDED,
    origin_why="a border hop stands in its route",
    border=Border("mx.forwarder.example", "192.0.2.66"),
    claims=(Claim("dmarc", "fail", "mx.forwarder.example", "Authentication-Results", Standing.TRUSTED),),
    arrival=Arrival("fail", "fail", "none", "none", False, Spam(True, 14.9, 3.0)),
    message_id="<phish@hosted.example>",
)


def made(facts: Facts, **more: Any) -> record.Record:
    values = {"time": 1795278025.123456, "ms": 0.42, "policy_hash": "sha256:4f2a", **more}
    decision = Decision("never-launder", risk=Risk(348.3, (("dmarc=fail", 100.0), ("spam", 248.3))))
    return record.make(
        Message(queue_id="C9E5720C046"), Assessment(facts, decision, Departure("fail", False, False)), **values
    )


def through_json(facts: Facts) -> dict[str, Any]:
    result = json.loads(record.to_line(made(facts)))
    assert isinstance(result, dict)
    return result


def facts_of(told: dict[str, Any]) -> Facts:
    return record.facts_of(record.read(told))


def test_names_and_order_are_those_of_the_design() -> None:
    names = "v time queue_id message_id client envelope from origin border claims arrival upstream risk decision departure policy ms error"
    result = through_json(PHISH)
    assert [name for name in result if name in names.split()] == names.split()
    assert result["v"] == 1
    assert result["time"] == "2026-11-21T16:20:25.123456Z"
    assert result["queue_id"] == "C9E5720C046"
    assert result["message_id"] == "<phish@hosted.example>"
    assert result["client"] == {
        "ip": "127.0.0.1",
        "name": "localhost",
        "helo": "localhost",
        "auth": None,
        "daemon": "ORIGINATING",
        "tls": None,
    }
    assert result["envelope"] == {
        "sender": "friend@hosted.example",
        "recipients": ["victim@receiver.example"],
        "recipients_total": 1,
    }
    assert result["from"] == "hosted.example"
    assert result["border"] == {"by": "mx.forwarder.example", "ip": "192.0.2.66"}
    assert result["claims"][0] | {"why": "", "position": 0, "properties": []} == result["claims"][0]
    assert result["arrival"]["spam"] == {"flag": True, "score": 14.9, "required": 3.0}
    assert result["upstream"] == {"dmarc": None}
    assert result["risk"] == {"score": 348.3, "parts": {"dmarc=fail": 100.0, "spam": 248.3}}
    assert (result["decision"]["rule"], result["decision"]["sign"], result["decision"]["signatures"]) == (
        "never-launder",
        "none",
        [],
    )
    assert result["departure"] == {
        "dmarc": "fail",
        "dkim_aligned": False,
        "spf_aligned": False,
        "signature_holds": "none",
    }
    assert (result["policy"], result["ms"], result["error"]) == ("sha256:4f2a", 0.42, None)


def test_signatures_say_domain_and_selector() -> None:
    result = made(PHISH, signatures=[MadeWith()])
    told = json.loads(record.to_line(result))["decision"]["signatures"]
    assert told == [{"domain": "hosted.example", "selector": "default", "algorithm": "rsa-sha256"}]


def test_without_an_assessment_the_record_says_what_the_mta_said() -> None:
    message = Message(
        Connection("192.0.2.66", "x.example", "x.example"),
        Envelope("a@x.example", ("b@hosted.example",)),
        (HeaderField(b"Message-ID", b" <1@x.example>"),),
        "4711",
    )
    result = json.loads(
        record.to_line(record.make(message, None, time=0, ms=1, policy_hash="sha256:0", error="KeyError: 'x'"))
    )
    assert result["error"] == "KeyError: 'x'"
    assert result["client"]["ip"] == "192.0.2.66"
    assert result["envelope"]["recipients"] == ["b@hosted.example"]
    assert result["message_id"] == "<1@x.example>"
    assert result["origin"] is result["arrival"] is result["risk"] is result["departure"] is None
    assert result["decision"]["sign"] == "none"
    with pytest.raises(record.RecordError, match="without facts: KeyError"):
        facts_of(result)


@pytest.mark.parametrize(
    ("evil", "kept"),
    [
        ("line\nend\r\n", "line\nend\r\n"),
        ("nul\0", "nul\0"),
        ("\x1b]0;owned\x07", "\x1b]0;owned\x07"),
        ('"}, {"v": 1', '"}, {"v": 1'),
        ("\u2028\u2029\u202e\x85", "\u2028\u2029\u202e\x85"),
        (b"\xff\xfe".decode("utf-8", "surrogateescape"), "\ufffd\ufffd"),
        ("\ud83d\udc80", "\ufffd\ufffd"),
        ("x" * 300 + "@" + "y" * 300, None),
    ],
)
def test_what_outsiders_write_is_safe(evil: str, kept: str | None) -> None:
    line = record.to_line(made(dataclasses.replace(PHISH, sender=evil, message_id=evil)))
    assert line.isascii()
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert all(octet >= 0x20 for octet in line[:-1])
    back = json.loads(line)
    if kept is not None:
        assert back["envelope"]["sender"] == back["message_id"] == kept
    else:
        assert len(back["message_id"]) <= TEXT_LIMIT
        assert "…" in back["message_id"]


def test_a_long_sender_keeps_its_domain() -> None:
    domain = "@" + "d" * 245 + ".example"
    cut = recordable(dataclasses.replace(PHISH, sender="x" * 100_000 + domain)).sender
    assert cut.endswith(domain)


@pytest.mark.parametrize(
    ("score", "told"), [(math.inf, 1e9), (-math.inf, -1e9), (math.nan, 1e9), (1e308, 1e308), (-9.9, -9.9)]
)
def test_no_infinity_and_no_nan(score: float, told: float) -> None:
    line = record.to_line(made(dataclasses.replace(PHISH, arrival=Arrival(spam=Spam(True, score, 5.0)))))
    assert not any(word in line for word in (b"Infinity", b"NaN"))
    assert json.loads(line)["arrival"]["spam"]["score"] == told


def test_claims_are_bounded_and_ours_go_first() -> None:
    noise = Claim("dmarc", "pass", "evil.example", "Authentication-Results", Standing.UPSTREAM)
    ours = Claim("dmarc", "fail", "mx.forwarder.example", "Authentication-Results", Standing.TRUSTED, position=5000)
    result = through_json(dataclasses.replace(PHISH, claims=(*[noise] * 5000, ours)))
    assert len(result["claims"]) == CLAIM_LIMIT
    assert result["claims"][-1]["by"] == "mx.forwarder.example"


def test_recipients_beyond_the_limit_still_count() -> None:
    everyone = tuple(f"user{n}@hosted.example" for n in range(2500))
    result = through_json(dataclasses.replace(PHISH, recipients=everyone))
    assert len(result["envelope"]["recipients"]) == RECIPIENT_LIMIT
    assert result["envelope"]["recipients_total"] == 2500
    again = facts_of(result)
    assert len(again.recipients) == 2500
    assert again.recipients[:1000] == everyone[:1000]


def test_a_line_has_a_bounded_size() -> None:
    huge = "\U0001f480" * 100_000
    worst = Claim(huge, huge, huge, huge, Standing.UPSTREAM, huge, 0, ((huge, huge),) * 50)
    facts = Facts(
        client=Connection(huge, huge, huge, huge, huge),
        sender=huge,
        recipients=(huge,) * 5000,
        author_problem=huge,
        claims=(worst,) * 1000,
        message_id=huge,
    )
    assert len(record.to_line(made(facts, error=huge))) < 4_000_000


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"v": 2}, "version 2"),
        ({"v": None}, "version None"),
        ({"v": []}, "version"),
        ({"origin": "mars"}, "mars.*origin"),
        ({"client": None}, "odd value"),
        ({"client": {}}, "no auth, daemon, helo, ip, name"),
        ({"arrival": {}}, "spam"),
        ({"arrival": []}, "odd value"),
        ({"arrival": {"spam": {"flag": True, "score": 1.0, "required": 5.0}}}, "no aligned, arc, dkim, dmarc, spf"),
        ({"claims": [1]}, "claims.0"),
        ({"header": None}, "header"),
        ({"outgoing": None}, "outgoing"),
        ({"from": 5}, "from"),
        ({"hosted": ["hosted.example"]}, "hosted"),
        ({"upstream": {"dmarc": {}}}, "upstream.dmarc"),
        ({"upstream": {}}, "no dmarc"),
        ({"envelope": {"sender": "", "recipients": [], "recipients_total": 10**30}}, "recipients_total"),
        ({"envelope": {"sender": "", "recipients": [], "recipients_total": 10_000_001}}, "recipients_total"),
        ({"envelope": {"sender": "", "recipients": [], "recipients_total": math.inf}}, "recipients_total"),
    ],
)
def test_a_spoilt_record_is_a_clear_error(change: dict[str, object], problem: str) -> None:
    with pytest.raises(record.RecordError, match=problem):
        facts_of({**through_json(PHISH), **change})


def test_law_5_a_record_of_ordinary_mail_gives_all_its_facts_back() -> None:
    assert facts_of(through_json(PHISH)) == PHISH


anything = st.text(alphabet=st.characters(codec=None), max_size=20)
maybe = st.none() | anything
spam = st.builds(Spam, st.booleans(), st.floats(), st.floats())
FACTS = st.builds(
    Facts,
    client=st.builds(Connection, maybe, maybe, maybe, maybe, maybe),
    sender=anything | st.just("x" * 600),
    recipients=st.lists(anything, max_size=3).map(tuple),
    author=maybe,
    author_problem=maybe,
    hosted=maybe,
    origin=st.sampled_from(Origin),
    origin_why=anything,
    border=st.none() | st.builds(Border, anything, maybe),
    claims=st.lists(
        st.builds(
            Claim,
            st.sampled_from(["dmarc", "spf"]),
            anything,
            maybe,
            anything,
            st.sampled_from(Standing),
            anything,
            st.integers(0, 9),
            st.lists(st.tuples(anything, anything), max_size=2).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    arrival=st.builds(
        Arrival,
        st.sampled_from(DMARC_RESULTS),
        anything,
        anything,
        anything,
        st.booleans(),
        spam,
    ),
    upstream=st.builds(Upstream, maybe),
    header=st.builds(HeaderSigns, *[st.booleans()] * len(fields(HeaderSigns))),
    spf_passes=st.booleans(),
    spf_source=st.sampled_from(["lookup", "assumed", "unaligned"]),
    forwarder_aligns=st.booleans(),
    strict_dkim=st.booleans(),
    sending=st.builds(
        Sending, st.booleans(), st.sampled_from([(), ("subject",), ("cc", "subject")]), st.booleans(), st.booleans()
    ),
    message_id=maybe,
)


@pytest.mark.heavy
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=150, deadline=None)
@given(FACTS)
def test_law_5_a_record_gives_back_exactly_what_it_tells(facts: Facts) -> None:
    told = recordable(facts)
    assert recordable(told) == told
    assert facts_of(through_json(facts)) == told
    assert record.to_line(made(told)).isascii()


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=150, deadline=None)
@given(FACTS)
def test_law_5_a_record_is_decided_again_as_its_message_was(facts: Facts) -> None:
    told = recordable(facts)
    assert decide(facts_of(through_json(told)), SHIPPED) == decide(told, SHIPPED)
    assert departure.predict(facts_of(through_json(told)), False) == departure.predict(told, False)


def test_the_decision_of_a_record_says_sign() -> None:
    overruled = Assessment(
        PHISH, Decision("r", Sign.AUTHOR), Departure("fail", False, False), overruled="it arrived badly"
    )
    result = record.make(Message(), overruled, time=0, ms=0, policy_hash="")
    assert result.decision.sign is Sign.AUTHOR
    assert result.decision.overruled == "it arrived badly"


def test_every_sign_of_the_header_is_told() -> None:
    names = [sign.name for sign in fields(HeaderSigns)]
    for name in names:
        facts = replace(PHISH, header=HeaderSigns(**{name: True}))
        told = through_json(facts)
        assert [key for key, there in told["header"].items() if there] == [name]
        assert facts_of(told) == facts


def test_what_postfix_changes_is_told_and_older_records_are_read() -> None:
    facts = replace(PHISH, strict_dkim=True, sending=Sending(True, ("subject",), True, True))
    told = through_json(facts)
    assert told["sending"] == {
        "body_broken": True,
        "fields_broken": ["subject"],
        "others_broken": True,
        "eight_bit": True,
    }
    assert facts_of(told) == facts
    del told["sending"], told["outgoing"]["strict_dkim"]
    assert facts_of(told) == replace(PHISH, strict_dkim=False, sending=Sending())


def test_a_record_that_is_older_than_a_sign_is_read() -> None:
    told = through_json(replace(PHISH, header=HeaderSigns(message_id_missing=True)))
    old = {name: told["header"][name] for name in ("from_equals_to", "return_path_mismatch", "message_id_missing")}
    assert facts_of({**told, "header": old}).header == HeaderSigns(message_id_missing=True)
