"""A changed header and signatures: ours is made over what leaves, and those of others that were valid stay valid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dkim
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dkimgate.evidence import result_claims
from dkimgate.facts import Claim, Decision, Disposition, Facts, Standing
from dkimgate.gate.header_changes import leaving, plan
from dkimgate.message.message import HeaderField, Message, split_message
from tests.world.host import FORWARDER, Host, launders, verifies
from tests.world.keys import BODY, DOMAIN, Signer, check, rsa_record
from tests.world.mail import BORDER, message, raw_of

RULE = "tag: '[{origin}]', add: {X-Rule: '{rule}', List-Id: '<{from}>'}, remove: [X-Offer]"
MAIL = "X-Offer: 1\nFrom: ask@hosted.example\nx-offer: 2\nSubject: Mittagessen für\n\talle  heute \nX-Other: x\nX-OFFER: 3\nMessage-ID: <1@hosted.example>\n"


Load = Callable[..., Host]


@pytest.fixture
def host(tmp_path: Path) -> Load:
    return lambda rule, mode="enforce": Host(tmp_path, FORWARDER, launders(f"{{name: changes, {rule}}}", mode))


def test_our_signature_is_made_over_the_header_as_it_leaves(host: Load) -> None:
    left = host(f"sign: author, {RULE}").leaves(message(MAIL))
    raw = left.unsent()
    assert verifies(raw)
    assert not verifies(raw.replace(b"[local]", b"[other]"))
    assert [name for name, _ in left.outcome.fields] == ["DKIM-Signature", "X-Rule", "List-Id"]
    assert "\r\nSubject: [local] Mittagessen für\r\n\talle  heute \r\nX-Other".encode() in raw
    assert b"offer" not in raw.lower().partition(b"\r\nx-rule")[2]
    told = left.record["decision"]
    assert (told["tag"], told["added"], told["removed"], told["not_done"]) == (
        "[local]",
        ["X-Rule", "List-Id"],
        ["X-Offer"],
        [],
    )
    assert len(told["signatures"]) == 1


def test_our_seal_is_made_over_the_header_as_it_leaves(host: Load) -> None:
    left = host(f"sign: forwarder, seal: true, {RULE}").leaves(
        message("Authentication-Results: mx.forwarder.example; dmarc=fail\n" + BORDER + MAIL)
    )
    assert [name for name, _ in left.outcome.fields][3:] == ["DKIM-Signature", "X-Rule", "List-Id"]
    raw = left.unsent()
    result, _, why = dkim.arc_verify(raw, dnsfunc=lambda name, timeout=5: rsa_record().encode())
    assert (result, left.record["decision"]["tag"]) == (b"pass", "[forwarded]"), why
    assert verifies(raw)


def test_passport_and_removed_fields_go_together(host: Load) -> None:
    outcome = host(f"sign: author, {RULE}").send("X-Dkimgate-Passport: x\n" + MAIL)
    assert outcome.remove == (0, 1, 3, 6)
    assert [position for position, _ in outcome.changed] == [4]


@pytest.mark.parametrize(("rule", "mode"), [(RULE, "observe"), (f"{RULE}, mode: observe", "enforce")])
def test_observing_signs_the_header_as_it_came(
    rule: str, mode: str, host: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    judged = host(f"disposition: hold, text: 'from {{sender}}', {rule}", mode)
    assert "policy.observes" in [warning.code for warning in judged.gate.warnings]
    left = judged.leaves(message(MAIL))
    outcome = left.outcome
    assert (outcome.disposition, outcome.text, outcome.changed, outcome.remove) == (Disposition.ACCEPT, None, (), ())
    assert [name for name, _ in outcome.fields] == ["DKIM-Signature"]
    assert verifies(left.unsent())
    told = left.record["decision"]
    assert (told["mode"], told["disposition"], told["tag"], told["removed"]) == (
        "observe",
        "hold",
        "[local]",
        ["X-Offer"],
    )


@pytest.mark.parametrize("disposition", ["hold", "defer", "reject"])
def test_what_a_sender_is_told_names_facts(disposition: str, host: Load, capfd: pytest.CaptureFixture[str]) -> None:
    judged = host(f"disposition: {disposition}, text: 'dmarc={{arrival.dmarc}} of <{{sender}}>'")
    outcome = judged.send(BORDER + MAIL, sender="100%\r\n250 ok@hosted.example")
    assert (outcome.disposition.value, outcome.text) == (disposition, "dmarc=unknown of <100%?250 ok@hosted.example>")
    assert judged.record["decision"]["text"] == outcome.text
    # Postfix drops the reason of a quarantine, so the daemon's log has it
    told = "held by rule 'changes': dmarc=unknown of <100%?250 ok@hosted.example>" in capfd.readouterr().err
    assert told is (disposition == "hold")


def test_what_is_told_by_otherwise_names_facts(host: Load) -> None:
    rule = "envelope: unalign, otherwise: reject, text: 'no way for <{sender}>', tag: '[odd]'"
    judged = host(rule)
    outcome = judged.send(BORDER + MAIL, sender="ask@hosted.example")
    decision = judged.record["decision"]
    assert (outcome.disposition, outcome.text) == (Disposition.REJECT, "no way for <ask@hosted.example>")
    assert (decision["disposition"], decision["tag"], outcome.changed) == ("reject", None, ())


def test_a_mistake_in_the_plan_leaves_the_message_unsigned_and_unchanged(
    host: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = host(f"sign: author, {RULE}")
    monkeypatch.setattr("dkimgate.gate.header_changes._tagged", lambda *_: 1 / 0)
    outcome = judged.send(MAIL, sender="ask@elsewhere.example")
    assert (outcome.disposition, outcome.fields, outcome.changed, outcome.remove) == (Disposition.ACCEPT, (), (), ())
    assert judged.record["error"].startswith("judging: ZeroDivisionError")


NAMES = ("subject", "x-offer", "x-rule", "from", "to", "x-nowhere", "reply-to")
values = st.text("ab =?:;[]\t", max_size=12).map(lambda text: " " + text.strip())
lines = st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=6)
decisions = st.builds(
    Decision,
    st.just("rule"),
    tag=st.sampled_from([None, "[odd]", "a"]),
    add=st.lists(st.tuples(st.sampled_from(["X-Offer", "X-Rule", "Reply-To", "To"]), st.just("new")), max_size=2).map(
        tuple
    ),
    remove=st.lists(st.sampled_from(["x-offer", "X-Rule", "Reply-To", "To", "From"]), max_size=2).map(tuple),
)
claims = st.lists(
    st.builds(
        Claim,
        st.sampled_from(["dkim", "dmarc"]),
        st.sampled_from(["fail", "pass", "permerror"]),
        st.none(),
        st.sampled_from(["DKIM-Signature", "Authentication-Results"]),
        st.just(Standing.UPSTREAM),
        position=st.integers(0, 8),
        properties=st.just((("header.d", DOMAIN), ("header.s", "s"))),
    ),
    max_size=2,
)


def _believed(raw: bytes) -> tuple[Claim, ...]:
    """What our own verifier says, as claims: by position, and as a milter on port 25 writes them."""
    found = [result_claims.of_signature(signature) for signature in check(raw)]
    return (
        *found,
        *(replace(claim, standing=Standing.TRUSTED, field="Authentication-Results", position=0) for claim in found),
    )


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lines, st.lists(st.sampled_from(NAMES), max_size=5), st.booleans(), decisions, claims)
@example([("subject", " x")], ["subject"], True, Decision("rule", tag="[odd]"), [])
@example([], ["subject"], True, Decision("rule", tag="[odd]"), [])
@example([("subject", " x")], [], True, Decision("rule", tag="[odd]"), [])
@example([("subject", " x")], ["subject"], False, Decision("rule", tag="[odd]"), [])
def test_a_signature_that_verified_verifies_still(
    fields: list[tuple[str, str]], names: list[str], intact: bool, decision: Decision, others: list[Claim]
) -> None:
    header = f"from: ask@{DOMAIN}\r\n".encode() + b"".join(
        f"{name}:{value}\r\n".encode() for name, value in fields if name != "from"
    )
    signature = Signer(names=("from", *names)).sign(header, BODY if intact else b"another body\r\n")
    raw = signature + header + b"\r\n" + BODY
    parsed, _ = split_message(raw)
    before = verifies(raw)
    assert before is intact
    changes = plan(Message(header=parsed), Facts(claims=(*_believed(raw), *others)), decision)
    after = raw_of(leaving(parsed, changes), BODY)
    assert verifies(after) or not before
    if not intact and decision.tag and [name for name, _ in fields].count("subject") == 1:
        assert changes.tag is not None or "begins with it already" in changes.not_done[-1]


octets = st.lists(
    st.sampled_from([b"DKIM-Signature", b"ARC-Message-Signature", b"Subject", b"X-Offer", b"\xff"]), max_size=6
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(octets.map(lambda parts: b"".join(parts[:1])), st.binary(max_size=60)), max_size=8),
    decisions,
    claims,
)
def test_no_header_makes_it_raise(fields: list[tuple[bytes, bytes]], decision: Decision, others: list[Claim]) -> None:
    header = tuple(HeaderField(name, value) for name, value in fields)
    believed = [replace(claim, standing=Standing.TRUSTED) for claim in others]
    changes = plan(Message(header=header), Facts(claims=tuple(believed)), decision)
    left = leaving(header, changes)
    assert len(left) == len(header) + len(changes.fields) - len(changes.removed)
    for position, value in changes.changed:
        assert value.endswith(header[position].value.strip(b" \t\r\n"))
        value.decode("utf-8")
