"""`dkimgate demo`: everything on built-in messages, over a real socket, without Postfix."""

from __future__ import annotations

import argparse
import ipaddress
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from dkimgate.cli.demo_world import (
    FORWARDER,
    Keys,
    Receiver,
    daemons,
    demo_file,
    name_server,
    records,
    sign_as_friend,
    write_configuration,
)
from dkimgate.cli.help_text import Formatter
from dkimgate.cli.record_text import arrival, arrived_badly, number
from dkimgate.cli.screen import BAD, DIM, GOOD, Cell, CommandError, Screen
from dkimgate.dns.resolver import Resolver
from dkimgate.facts import EnvelopeAction
from dkimgate.message.message import Connection, Envelope, Message, split_message
from dkimgate.postfix.milter_client import MilterClient, MilterError
from dkimgate.record.record import Record

_EPILOG = """\
The demo starts two real daemons in a temporary directory. One enforces the shipped policy, the other signs everything
as if there were no gate. Both get the same messages over the milter protocol, as from Postfix. Then the demo checks
the messages as the next receiver would: dkimpy verifies the signatures and pyspf checks the sender, with a DNS of the
demo's own. The demo uses only that directory and the loopback interface, and removes all its files.

examples:
  dkimgate demo
  dkimgate demo --json | jq .record

exit status: 0 every message had the expected result, 1 a message did not, 2 the demo can't run
"""

_REINJECTED = Connection("127.0.0.1", "localhost", "localhost", None, "ORIGINATING")
_FROM_ELSEWHERE = Connection("198.51.100.25", "out.bulk.example", "out.bulk.example")
_LOGGED_IN = Connection("198.51.100.7", "laptop.example", "laptop.example", "aiko", "submission")


@dataclass(frozen=True, slots=True)
class Case:
    """A built-in message and its expected result: the rule, signed or not, and the DMARC result at the next receiver
    with the gate and without."""

    file: str
    title: str
    sender: str
    rule: str
    signed: bool
    departs: str
    ungated: str
    connection: Connection = _REINJECTED
    recipient: str = "victim@receiver.example"


CASES = (
    Case(
        "extortion.eml", "extortion in its victim's name", "ask@hosted.example", "never-launder", False, "fail", "pass"
    ),
    Case(
        "forged-pass.eml",
        "forgery with a forged pass",
        "director@hosted.example",
        "never-launder",
        False,
        "fail",
        "pass",
    ),
    Case(
        "stolen-account.eml",
        "spam that passes DMARC",
        "sales@hosted.example",
        "never-launder",
        False,
        "fail",
        "pass",
        _FROM_ELSEWHERE,
    ),
    Case("friend.eml", "a stranger's good mail", "ada@friend.example", "other-peoples-mail", False, "pass", "pass"),
    Case(
        "travelling-user.eml",
        "our user, by another server",
        "ask@hosted.example",
        "arrived-authenticated",
        True,
        "pass",
        "pass",
        _FROM_ELSEWHERE,
    ),
    Case("cron.eml", "our mail by sendmail(1)", "backup@hosted.example", "own-users", True, "pass", "pass"),
    Case("submission.eml", "our user, logged in", "aiko@hosted.example", "own-users", True, "pass", "pass", _LOGGED_IN),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """The result of a message with the gate and without: our records, and the DMARC results of the next receiver."""

    case: Case
    record: Record
    departs: str
    ungated_record: Record
    ungated: str

    @property
    def signed(self) -> bool:
        """We signed it, with the gate."""
        return bool(self.record.decision.signatures)

    @property
    def wrong(self) -> str | None:
        """What is not as it should be, or None."""
        expected = (self.case.rule, self.case.signed, self.case.departs, self.case.ungated, self.case.departs)
        predicted = self.record.departure.dmarc if self.record.departure is not None else None
        found = (self.record.decision.rule, self.signed, self.departs, self.ungated, predicted)
        names = ("rule", "signed", "departs", "without the gate", "predicted")
        wrong = [
            f"{name} {have}, expected {want}"
            for name, have, want in zip(names, found, expected, strict=True)
            if have != want
        ]
        return "; ".join(wrong) or None


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], text: str) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo",
        help=text,
        description="Show what the gate does with built-in messages, and what happens without it. It needs no Postfix "
        "and no configuration.",
        epilog=_EPILOG,
        formatter_class=Formatter,
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a message")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Play all messages. See the epilog for the exit status."""
    started = time.monotonic()
    try:
        outcomes = play()
    except (MilterError, OSError) as error:
        raise CommandError("demo.failed", f"the demo could not run: {error}") from None
    wrong = [outcome for outcome in outcomes if outcome.wrong]
    if options.json:
        for outcome in outcomes:
            told = {
                "message": outcome.case.file,
                "departs": outcome.departs,
                "ungated": outcome.ungated,
                "wrong": outcome.wrong,
            }
            print(json.dumps({**told, "record": msgspec.to_builtins(outcome.record)}))
    else:
        _print(outcomes, wrong, time.monotonic() - started, Screen())
    return 1 if wrong else 0


def play() -> list[Shown]:
    """Every message through a daemon with the gate and one without. Raises OSError, MilterError, CommandError."""
    keys = Keys.new()
    with tempfile.TemporaryDirectory(prefix="dkimgate-demo-") as name, name_server(keys.zone()) as port:
        folder = Path(name)
        receiver = Receiver(Resolver([ipaddress.IPv4Address("127.0.0.1")], port).lookup)
        files = {mode: write_configuration(folder, mode, keys, port) for mode in ("enforce", "observe")}
        with daemons(files) as addresses:
            departed = {
                mode: [_send(address, index, keys) for index in range(len(CASES))]
                for mode, address in addresses.items()
            }
        found = {mode: records(folder / f"{mode}.jsonl") for mode in files}
        return [
            Shown(
                case,
                found["enforce"][_queue_id(index)],
                receiver.dmarc(*departed["enforce"][index]),
                found["observe"][_queue_id(index)],
                receiver.dmarc(*departed["observe"][index]),
            )
            for index, case in enumerate(CASES)
        ]


def _queue_id(index: int) -> str:
    return f"DEMO{index + 1:02}"


def _send(address: str, index: int, keys: Keys) -> tuple[bytes, str]:
    """Hand a message to a daemon as Postfix would; given is the message as it departs, and its envelope sender."""
    case = CASES[index]
    header, body = split_message(demo_file(case.file))
    if case.sender.endswith("@friend.example"):
        header = sign_as_friend(header, body, keys.friend)
    message = Message(case.connection, Envelope(case.sender, (case.recipient,)), header, _queue_id(index))
    by_smtp = case.connection.auth is not None
    with MilterClient(address, angle_brackets=by_smtp) as client:
        client.open(message.connection)
        reply = client.send(message, body)
    if not reply.accepted:
        raise MilterError(f"{case.file}: {reply.verdict.name} {reply.text or ''}")
    sender = case.sender if reply.sender is None else reply.sender.strip("<>")
    return reply.apply(header, body), sender


def _print(outcomes: list[Shown], wrong: list[Shown], seconds: float, screen: Screen) -> None:
    screen.line(f"{len(outcomes)} messages pass through {FORWARDER}, which signs for hosted.example.")
    screen.line()
    header = ("message", "arrived", "risk", "rule", "with the gate", "without")
    screen.table([_row(outcome) for outcome in outcomes], header=header, indent=0)
    screen.line()
    for outcome in wrong:
        screen.line((f"{outcome.case.file}: unexpected result: {outcome.wrong}", BAD))
    held = sum(outcome.ungated == "pass" != outcome.departs for outcome in outcomes)
    made = sum(outcome.signed for outcome in outcomes)
    rewritten = sum(outcome.record.decision.envelope is EnvelopeAction.UNALIGN for outcome in outcomes)
    screen.line(
        f"The gate withheld {held} signatures that would have made bad mail look good. It rewrote {rewritten} senders "
        f"that would have passed SPF. It made the {made} signatures that were earned. ",
        (f"({seconds:.1f} s; dkimpy verified the signatures, pyspf the senders)", DIM),
    )


def _row(outcome: Shown) -> list[Cell]:
    record = outcome.record
    badly = arrived_badly(record)
    laundered = badly and outcome.ungated == "pass" != outcome.departs
    return [
        outcome.case.title,
        (arrival(record.arrival), BAD if badly else ""),
        number(record.risk.score) if record.risk is not None else "-",
        record.decision.rule or "-",
        (_departs(record, outcome.departs), GOOD if outcome.signed else ""),
        (
            _departs(outcome.ungated_record, outcome.ungated) + (": laundered" if laundered else ""),
            BAD if laundered else "",
        ),
    ]


def _departs(record: Record, dmarc: str) -> str:
    """How it leaves, and what the next receiver concludes."""
    rewritten = "sender rewritten, " if record.new_sender else ""
    return f"{'signed' if record.decision.signatures else 'unsigned'}, {rewritten}dmarc={dmarc}"
