"""`dkimgate explain`: what the gate would do with a message, and why."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dkimgate.cli import stored
from dkimgate.cli.help_text import Formatter
from dkimgate.cli.record_text import laundered, show
from dkimgate.cli.screen import BAD, DIM, GOOD, TITLE, Cell, CommandError, Screen, complain
from dkimgate.config import dkimgate_yaml, files
from dkimgate.evidence.route import hops_below, route_of
from dkimgate.facts import Assessment
from dkimgate.gate.gate import Gate
from dkimgate.message.message import Connection, Message
from dkimgate.message.received import Hop
from dkimgate.policy.decide import withheld
from dkimgate.policy.describe.explain import does, why_not
from dkimgate.record import record

_EPILOG = """\
The decision comes from the same code as in the daemon. The command signs, sends and records nothing. If the addresses
that mail leaves from are known (`dkimgate check` shows them), it looks up SPF in DNS.

A stored message does not tell who handed it in. Without --client the command assumes this host: that is how a message
comes from an alias, a .forward or a mailing list. Without --sender it uses Return-Path.

examples:
  dkimgate explain message.eml                               a message that this host forwards
  dkimgate explain --client 192.0.2.66 message.eml           the same message, directly from that client
  dkimgate explain --auth alice --client 198.51.100.7 -      from stdin, from a user who has logged in
  dkimgate explain --json Maildir/cur/* | jq .decision.rule  one record a line

exit status: 0 good; 1 a message arrived badly, and the next receiver would see dmarc=pass; 2 the command can't run
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], text: str) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "explain",
        help=text,
        description="Show what the gate would do with stored messages, and why: route, claims, arrival, risk, rules, "
        "decision.",
        epilog=_EPILOG,
        formatter_class=Formatter,
    )
    parser.add_argument("messages", nargs="+", metavar="MESSAGE.eml", help="a message in a file; - is stdin")
    parser.add_argument(
        "--client", metavar="IP", help="address of the client that hands the message in (default: this host)"
    )
    parser.add_argument("--helo", metavar="NAME", help="the name in HELO or EHLO")
    parser.add_argument("--auth", metavar="USER", help="the user name of the login")
    parser.add_argument(
        "--sender", metavar="ADDRESS", help="envelope sender; '' is the null sender (default: Return-Path)"
    )
    parser.add_argument(
        "--recipient", metavar="ADDRESS", action="append", default=[], help="envelope recipient; may be repeated"
    )
    parser.add_argument(
        "--config", type=Path, default=dkimgate_yaml.DEFAULT_FILE, metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument("--json", action="store_true", help="one decision record a line")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Explain every message that can be read. See the epilog for the exit status."""
    connection = _connection(options)
    gate = Gate.load(options.config)
    screen = Screen()
    status = 0
    for count, name in enumerate(options.messages):
        try:
            message, body = _message(name, connection, options)
        except CommandError as error:
            complain(error.problem)
            status = 2
            continue
        passage = gate.rehearse(message, body, stored.arrived(message))
        told, assessment = passage.recorded, passage.assessment
        if told is None:
            complain(f"{name}: the message could not be judged")
            status = 2
            continue
        if options.json:
            sys.stdout.write(record.to_line(told).decode("ascii"))
        else:
            if count:
                screen.line()
            if len(options.messages) > 1:
                screen.line((name, TITLE))
            show(
                told,
                screen,
                route=_route(message, gate),
                rules=_rules(gate, assessment) if assessment is not None else [],
            )
        if laundered(told):
            status = max(status, 1)
    return status


def _connection(options: argparse.Namespace) -> Connection:
    try:
        return stored.connection(options.client, options.helo, options.auth)
    except ValueError:
        raise CommandError(
            "command.client", f"--client {options.client}: expected an IP address such as 192.0.2.66"
        ) from None


def _message(name: str, connection: Connection, options: argparse.Namespace) -> tuple[Message, bytes]:
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        problem = files.cant_read(error, Path(name))
        raise CommandError(problem.code, problem.text, problem.file) from None
    try:
        return stored.message_of(raw, connection, options.sender, options.recipient)
    except ValueError as error:
        raise CommandError("message.no-header", str(error), Path(name)) from None


def _route(message: Message, gate: Gate) -> list[list[Cell]]:
    route = route_of(message, gate.config.trust)
    border = route.border_hop.position if route.border_hop else None
    rows: list[list[Cell]] = [_hop(hop, hop.position == border) for hop in (*route.hops, *hops_below(route, message))]
    return rows or [[("no Received field", DIM)]]


def _hop(hop: Hop, border: bool) -> list[Cell]:
    mark: Cell = ("border", BAD) if border else ("ours", GOOD) if hop.ours else ("not ours", DIM)
    taken = "handed in on the host itself" if hop.local else f"from {hop.helo or '?'} [{hop.ip or '?'}]"
    return [mark, hop.by or "(no name)", taken, (hop.protocol or "", DIM)]


def _rules(gate: Gate, assessment: Assessment) -> list[list[Cell]]:
    """Every rule with the reason why it did not take the message; those below the one that decided, which are not
    asked, are dim."""
    facts, risk = assessment.facts, assessment.decision.risk
    rows: list[list[Cell]] = []
    decided = False
    for rule in (*gate.policy.rules, gate.policy.default):
        reason = why_not(rule, facts, risk)
        if rule.name == assessment.decision.rule and not decided:
            decided = True
            held_back = withheld(rule, facts)
            action = does(rule) + (f"; not signed: {held_back}" if held_back else "")
            rows.append([("decides", GOOD), (rule.name, TITLE), action])
        elif decided:
            rows.append([("not asked", DIM), (rule.name, DIM), (reason or "would also match", DIM)])
        else:
            rows.append([("no", DIM), rule.name, reason or ""])
    return rows
