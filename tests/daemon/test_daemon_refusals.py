"""What the MTA is told where a message does not go on, or a step fails."""

from __future__ import annotations

import Milter
import pytest

from dkimgate.facts import Disposition, Outcome
from tests.daemon.test_daemon_session import MTA, Gate, opened, passed


@pytest.mark.parametrize(
    ("answer", "code", "reply"),
    [
        (Outcome(Disposition.REJECT, "no\r\n250 yes"), Milter.REJECT, ("550", "5.7.1", "no 250 yes")),
        (Outcome(Disposition.REJECT, "100 %"), Milter.REJECT, ("550", "5.7.1", "100 %%")),
        (Outcome(Disposition.DEFER, "spät"), Milter.TEMPFAIL, ("451", "4.7.1", "sp t")),
        (Outcome(Disposition.REJECT, "x" * 2000), Milter.REJECT, ("550", "5.7.1", "x" * 450)),
        (Outcome(Disposition.REJECT), Milter.REJECT, ("550", "5.7.1", "Message refused by policy")),
    ],
)
def test_refusals(answer: Outcome, code: int, reply: tuple[str, ...]) -> None:
    gate, mta = Gate(answer), MTA()
    assert passed(opened(gate, mta), mta) == code
    assert mta.calls[-1] == ("setreply", *reply)


@pytest.mark.parametrize("step", ["connect", "hello", "envfrom", "envrcpt", "header", "eoh", "body"])
def test_failed_step_defers_this_message_and_not_the_next(step: str) -> None:
    gate, mta = Gate(), MTA()
    session = opened(gate, mta)
    session.envfrom(mta, b"<>")
    assert session.failed(step, mta, RuntimeError("two\nlines")) in (Milter.CONTINUE, Milter.NOREPLY)
    assert session.body(mta, b"x") == Milter.SKIP
    assert session.eom(mta) == Milter.TEMPFAIL
    assert passed(session, mta) == Milter.ACCEPT


def test_failure_in_the_middle_leaves_a_record() -> None:
    gate, mta = Gate(), MTA()
    session = opened(gate, mta)
    session.envfrom(mta, b"<>")
    session.eoh(mta)
    session.failed("body", mta, RuntimeError())
    session.eom(mta)
    assert gate.told == ["abort: an internal error"]
