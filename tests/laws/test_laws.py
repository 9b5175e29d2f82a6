"""The five laws, each under its name."""

from __future__ import annotations

import ast
import itertools
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate import srs
from dkimgate.config import dkimgate_yaml, yaml_file
from dkimgate.facts import DMARC_RESULTS, Arrival, Disposition, Facts, Origin, Sign, Spam
from dkimgate.policy import verdict
from dkimgate.policy.language.loader import from_document
from dkimgate.policy.language.model import Policy
from dkimgate.postfix.way_out import WayOut
from dkimgate.record import record
from tests.world.host import Host
from tests.world.mail import AUTHOR, BORDER, REINJECTED, facts, message

ROOT = Path(__file__).parents[2]
FAIL = "Authentication-Results: mx.forwarder.example; dmarc=fail header.from=hosted.example\n"
PASS = "Authentication-Results: mx.forwarder.example; dmarc=pass header.from=hosted.example\n"


def _signs_everything(sign: str) -> Policy:
    text = f"version: 1\nrules: [{{name: everything, when: {{risk: '>= 0'}}, sign: {sign}}}]\n"
    return from_document(yaml_file.parse(text, Path("careless.yaml")))


SIGNS_EVERYTHING = {sign: _signs_everything(sign) for sign in ("author", "forwarder")}


SPAM = (
    Spam(),
    Spam(False, 4.99, 5.0),
    Spam(False, 5.0, 5.0),
    Spam(True, -1.0, 5.0),
    Spam(False, math.nan, 5.0),
    Spam(False, math.inf, 5.0),
)


@pytest.mark.parametrize("origin", Origin)
@pytest.mark.parametrize("sign", SIGNS_EVERYTHING)
def test_law_1_no_promotion(origin: Origin, sign: str) -> None:
    """Under a policy that signs and accepts everything: by neither door does a message from outside leave better than it came."""
    flags = (False, True)
    for dmarc, spam, author, relay, aligns, spf, unalignable in itertools.product(
        DMARC_RESULTS, SPAM, (None, "hosted.example"), flags, flags, flags, flags
    ):
        came = Facts(
            author=author,
            hosted=author,
            origin=origin,
            relay=relay,
            arrival=Arrival(dmarc=dmarc, spam=spam),
            forwarder_aligns=aligns,
            spf_passes=spf,
            unalignable=unalignable and spf,
        )
        reached = verdict.reach(came, SIGNS_EVERYTHING[sign])
        aligned = reached.made is Sign.AUTHOR or (reached.made is Sign.FORWARDER and aligns)
        if origin in (Origin.FORWARDED, Origin.INBOUND) or (origin is Origin.RELAYED and not relay):
            as_spam = spam.flag or not spam.score < 5.0
            assert not aligned or (dmarc in ("pass", "none") and not as_spam), came
            leaves_by_spf = spf and not reached.unaligned and reached.decision.disposition is Disposition.ACCEPT
            assert not leaves_by_spf or dmarc in ("pass", "none"), came
            if dmarc == "pass" and author is not None and not as_spam:
                assert reached.overruled is None, "it has earned it"
        elif author is not None:
            assert reached.overruled is None, "our own mail is nobody else's"
            assert (reached.made is Sign.AUTHOR) is (sign == "author")


LINES = ["X-A: b\n", "Received: from a (b [198.51.100.3]) by c with SMTP id 1; x\n", "Subject: x\n"]


@given(st.lists(st.sampled_from(LINES), max_size=5), st.integers(0, 5))
def test_law_2_what_hurts_is_believed_from_anyone(lines: list[str], at: int) -> None:
    for hurting in (FAIL, FAIL.replace("mx.forwarder", "anyone"), "Authentication-Results: (broken; dmarc=fail\n"):
        below = "".join([*lines[:at], hurting, *lines[at:]])
        assert facts(BORDER + below + AUTHOR).arrival.dmarc == "fail"
    spam = "".join([*lines[:at], "X-Spam-Status: Yes, score=14.9 required=3.0\n", *lines[at:]])
    assert facts(spam + PASS + BORDER + AUTHOR + "X-Spam-Status: No, score=-9 required=5\n").arrival.spam == Spam(
        True, 14.9, 3.0
    )


def test_law_2_nothing_that_a_sender_adds_takes_the_edge_off_another_s_fail() -> None:
    """Neither a lesser evil in our name nor a signature of which our own verifier says no more than `neutral`."""
    upstream = FAIL.replace("mx.forwarder", "anyone").replace("dmarc=fail", "dkim=fail header.d=x.example; dmarc=fail")
    assert (
        facts(
            BORDER + "Authentication-Results: mx.forwarder.example; dmarc=permerror\n" + upstream + AUTHOR
        ).arrival.dmarc
        == "fail"
    )
    neutral = "Authentication-Results: mx.forwarder.example; dkim=neutral header.d=y.example\n"
    assert facts(neutral + BORDER + upstream + AUTHOR).arrival.dkim == "fail"
    assert facts(neutral.replace("neutral", "pass") + BORDER + upstream + AUTHOR).arrival.dkim == "pass"


@given(st.lists(st.sampled_from([*LINES, PASS, "X-Spam-Status: No, score=-9.9 required=5.0\n"]), max_size=8))
def test_law_2_what_helps_only_from_us(below: list[str]) -> None:
    assert facts(BORDER + "".join(below) + AUTHOR).arrival == facts(BORDER + AUTHOR).arrival
    assert facts(PASS + BORDER + "".join(below) + AUTHOR).arrival.dmarc == "pass"


def test_law_3_one_decision() -> None:
    """The daemon, `explain` and the backtest come to a decision at one place, the proof asks the same function, and what makes it knows no
    clock, no DNS and no disk."""
    callers = [
        p.name
        for p in (ROOT / "milter").rglob("*.py")
        if any(_calls_decide(node) for node in ast.walk(ast.parse(p.read_text())))
    ]
    assert sorted(callers) == ["laws.py", "verdict.py"]
    policy = ROOT / "milter" / "dkimgate" / "policy"
    for name in (
        "verdict.py",
        "decide.py",
        "language/conditions.py",
        "risk.py",
        "guard.py",
        "language/model.py",
        "language/globs.py",
    ):
        imported = {
            a.name
            for node in ast.walk(ast.parse((policy / name).read_text()))
            if isinstance(node, ast.Import)
            for a in node.names
        }
        assert not imported & {"os", "socket", "time", "random", "datetime", "dns", "sys", "pathlib"}, name


def _calls_decide(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "decide"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """It has a key for hosted.example and the shipped policy."""
    return Host(tmp_path)


STAGES = [
    ("dkimgate.gate.engine.facts_of", "judging"),
    ("dkimgate.policy.verdict.decide", "judging"),
    ("dkimgate.policy.verdict.guard.refuses_signature", "judging"),
    ("dkimgate.policy.verdict.departure.predict", "judging"),
    ("dkimgate.gate.passage.SentBody.update", "reading the body"),
    ("dkimgate.gate.engine.Engine.sent", "foretelling"),
    ("dkimgate.gate.passage.SentBody.sent_digest", "signing"),
    ("dkimgate.gate.outward.sign", "signing"),
]


@pytest.mark.parametrize(("stage", "doing"), STAGES)
def test_law_4_in_doubt_unsigned(
    stage: str, doing: str, host: Host, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever fails at a stage: the message leaves unsigned, its record says why, and the next one is signed again. Where nobody knows
    what it is, it leaves by no open door either: it waits."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("injected")

    with monkeypatch.context() as patched:
        patched.setattr(stage, broken)
        outcome = host.send(AUTHOR)
    expected = Disposition.DEFER if doing == "judging" else Disposition.ACCEPT
    assert (outcome.disposition, outcome.fields) == (expected, ())
    assert [name for name, _ in host.send(AUTHOR).fields] == ["DKIM-Signature"]
    first, second = host.records()
    assert first["error"].startswith(f"{doing}: ZeroDivisionError: injected")
    assert not (first["decision"] and first["decision"]["signatures"])
    assert not (first["departure"] and first["departure"]["dkim_aligned"])
    assert second["error"] is None
    assert "injected" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("sender", "auth", "disposition", "rewritten"),
    [
        ("friend@hosted.example", None, Disposition.ACCEPT, True),
        ("friend@hosted.example", "friend", Disposition.ACCEPT, False),  # who has logged in is not asked
        ("friend@elsewhere.example", None, Disposition.ACCEPT, False),  # no door of ours
        ("", None, Disposition.ACCEPT, False),  # our HELO name is no hosted domain's
        ("ceo", None, Disposition.ACCEPT, False),  # nor is what Postfix appends to it
        ("odd sender@hosted.example", None, Disposition.DEFER, False),
    ],
)
def test_law_4_what_cannot_be_judged_leaves_by_no_open_door(
    sender: str,
    auth: str | None,
    disposition: Disposition,
    rewritten: bool,
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host.gate.config = host.gate.config.model_copy(
        update={"unalign": dkimgate_yaml.Unalign(domain="bounce.forwarder.example", secret_file=Path("-"))}
    )
    host.gate.srs_secrets = srs.Secrets((b"0123456789abcdefghij",))
    host.gate.way_out = WayOut(helos=("mx.forwarder.example",), origins=frozenset({"mx.forwarder.example"}))
    monkeypatch.setattr("dkimgate.policy.verdict.decide", lambda *_: 1 / 0)
    outcome = host.send(AUTHOR, replace(REINJECTED, auth=auth), sender=sender)
    assert (outcome.disposition, outcome.fields) == (disposition, ())
    assert (outcome.sender or "").endswith("=hosted.example=friend@bounce.forwarder.example") is rewritten


@pytest.mark.parametrize("sender", ["", "ceo", "friend@partner.example"])
@pytest.mark.parametrize("what", ["decide", "see"])
def test_law_4_what_cannot_be_judged_waits_where_nobody_knows_whether_it_would_pass(
    what: str, sender: str, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No address, no name in EHLO and nothing of Postfix is known; of an author domain that we hold no key for, too."""
    monkeypatch.setattr(
        {"decide": "dkimgate.policy.verdict.decide", "see": "dkimgate.gate.passage.see"}[what], lambda *_: 1 / 0
    )
    outcome = host.send(AUTHOR.replace("hosted.example", "partner.example"), sender=sender)
    assert (outcome.disposition, outcome.fields) == (Disposition.DEFER, ())


def test_law_4_what_fails_twice_waits(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message can't be judged, and what then becomes of its envelope can't be found out either."""
    monkeypatch.setattr("dkimgate.policy.verdict.decide", lambda *_: 1 / 0)
    monkeypatch.setattr("dkimgate.message.domains.readings", lambda *_: 1 / 0)
    outcome = host.send(AUTHOR)
    assert (outcome.disposition, outcome.fields) == (Disposition.DEFER, ())
    assert len(host.records()) == 1


def test_law_4_a_message_whose_record_fails_leaves_unsigned(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("dkimgate.record.record._outgoing", lambda *_: 1 / 0)
        outcome = host.send(AUTHOR)
    assert (outcome.disposition, outcome.fields) == (Disposition.DEFER, ())
    (written,) = host.records()
    assert written["error"].startswith("recording: ZeroDivisionError")


def test_law_4_what_cannot_be_recorded_waits(host: Host) -> None:
    host.gate.journal.file.mkdir()
    assert host.send(AUTHOR).disposition is Disposition.DEFER


def test_law_4_what_cannot_be_recorded_goes_on_unsigned(host: Host) -> None:
    """Where the operator has chosen `on_failure: continue`."""
    host.gate.config = host.gate.config.model_copy(
        update={"journal": host.gate.config.journal.model_copy(update={"on_failure": "continue"})}
    )
    host.gate.journal.file.mkdir()
    outcome = host.send(AUTHOR)
    assert (outcome.disposition, outcome.fields) == (Disposition.ACCEPT, ())


def test_law_5_one_message_one_record(host: Host) -> None:
    """Signed, refused, given up, with an error: one record each, there before the verdict."""
    for header in (AUTHOR, FAIL + BORDER + AUTHOR, "", "From: a@b.example\nFrom: c@d.example\n"):
        before = len(host.records())
        host.send(header)
        assert len(host.records()) == before + 1
    host.gate.judge(message(AUTHOR)).abort("the client hung up")
    last = host.records()[-1]
    assert len(host.records()) == 5
    assert last["error"] == "aborted: the client hung up"
    assert last["decision"]["signatures"] == []


def test_law_5_a_record_can_be_decided_again(host: Host) -> None:
    from dkimgate.policy.decide import decide

    for header in (AUTHOR, FAIL + BORDER + AUTHOR, PASS + BORDER + AUTHOR + "X-Spam-Status: Yes, score=7 required=5\n"):
        host.send(header)
        written = host.records()[-1]
        again = decide(record.facts_of(record.read(written)), host.gate.policy)
        assert (again.rule, again.sign.value, again.risk.score) == (
            written["decision"]["rule"],
            written["decision"]["sign"],
            written["risk"]["score"],
        )
