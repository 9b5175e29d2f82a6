"""`dkimgate backtest`: apply another policy to the messages of the journal."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dkimgate.backtest.compare import Kind, Side
from dkimgate.backtest.run import BacktestError, backtest
from dkimgate.backtest.tally import Example, Period, Tally, Transition
from dkimgate.cli.help_text import Formatter
from dkimgate.cli.record_text import arrival, number
from dkimgate.cli.screen import BAD, DIM, DOUBT, TITLE, Cell, CommandError, Screen, complain
from dkimgate.cli.times import moment
from dkimgate.config import dkimgate_yaml, yaml_file
from dkimgate.config.files import cant_read
from dkimgate.facts import EnvelopeAction
from dkimgate.gate import config_checks
from dkimgate.policy.language import loader
from dkimgate.policy.language.model import Policy
from dkimgate.policy.proof import prove, report
from dkimgate.record.journal_reader import files_of

_EPILOG = """\
The command decides every record of the journal and of its rotated files again. It uses the facts in the record, and
the same code as the daemon, with the guard behind the policy. It compares the rule, the signature, the seal, the
envelope sender, the disposition, and DMARC at the next receiver. It does not compare texts, tags and other changes of
the header. It sends, signs, writes and looks up nothing. It counts and skips records without facts, records of border
listeners, and records of messages with an error.

examples:
  dkimgate backtest --policy new.yaml                              all records, on every core
  dkimgate backtest --policy new.yaml --since 7d
  dkimgate backtest --policy new.yaml --since 2026-11-01 --until 2026-11-08 --examples 10
  dkimgate backtest --policy new.yaml --json | jq .changes

exit status: 0 good, nothing changes; 1 something changes; 2 the command can't run
"""
_MOST_ROWS = 25
_MOST_WITH_EXAMPLES = 10
_MOST_AUTHORS = 20
_LOUD = (Kind.SIGNED, Kind.BETTER)
_AUTHOR_COLUMNS = (
    ("signed", (Kind.SIGNED, Kind.SIGNER)),
    ("unsigned", (Kind.UNSIGNED,)),
    ("refused", (Kind.REJECTED, Kind.DISCARDED, Kind.DEFERRED, Kind.HELD)),
    ("let through", (Kind.ACCEPTED,)),
    ("departure", (Kind.WORSE, Kind.BETTER, Kind.DEPARTURE)),
)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], text: str) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "backtest",
        help=text,
        description="Decide the messages of the journal again with another policy, and show what changes.",
        epilog=_EPILOG,
        formatter_class=Formatter,
    )
    parser.add_argument("--policy", type=Path, required=True, metavar="NEW.yaml", help="the policy to try")
    parser.add_argument(
        "--since", type=moment, metavar="TIME", help="only from this time on: 2h, 7d, 2026-11-21T16:20 (UTC)"
    )
    parser.add_argument("--until", type=moment, metavar="TIME", help="only before this time")
    parser.add_argument(
        "--journal", type=Path, metavar="FILE", help="the journal (default: journal.file of the configuration)"
    )
    parser.add_argument(
        "--config", type=Path, default=dkimgate_yaml.DEFAULT_FILE, metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument(
        "--examples",
        type=_count,
        default=2,
        metavar="N",
        help="the number of examples for each change (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, with every change")
    parser.set_defaults(run=run)


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 4:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 0 to 9999")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Run the backtest. See the epilog for the exit status."""
    policy = loader.from_document(yaml_file.read(options.policy, ": name the policy to try with --policy FILE"))
    if options.since and options.until and options.until <= options.since:
        raise CommandError("command.period", f"--until {options.until} is not after --since {options.since}")
    settings = dkimgate_yaml.load(options.config) if options.journal is None else None
    journal: Path = settings.journal.file if settings is not None else options.journal
    progress = _Progress()
    try:
        tally = backtest(
            journal,
            policy,
            Period(options.since or "", options.until or ""),
            examples=options.examples,
            progress=progress.tell,
        )
    except BacktestError as error:
        raise CommandError("backtest.ended", str(error)) from None
    except OSError as error:
        missing = ": no message has been recorded there yet; name the journal with --journal FILE"
        named = missing if isinstance(error, FileNotFoundError) else ""
        problem = cant_read(error, Path(error.filename or journal), named)
        raise CommandError(problem.code, problem.text, problem.file) from None
    finally:
        progress.clear()
    if tally.torn and not _is_no_journal(tally):
        complain(f"{journal}: {tally.torn} torn line(s) skipped: the disk was full, or a process was killed")
    if not tally.records:
        raise CommandError("journal.no-records", _nothing(tally), journal)
    notes = _notes(tally, settings, options.config)
    if options.json:
        json.dump(_as_json(tally, journal, notes), sys.stdout)
        print()
    else:
        _show(tally, journal, notes, Screen())
    return 1 if tally.changed else 0


class _Progress:
    """A line on the terminal that says how far it is."""

    def __init__(self) -> None:
        self._wanted = sys.stderr.isatty()
        self._said = ""

    def tell(self, done: float) -> None:
        """Say it, where anybody looks and there is news."""
        said = f"{done:4.0%} of the journal"
        if self._wanted and said != self._said:
            print(f"\r{said}", end="", file=sys.stderr, flush=True)
            self._said = said

    def clear(self) -> None:
        """Leave nothing behind."""
        if self._said:
            print(f"\r{' ' * len(self._said)}\r", end="", file=sys.stderr, flush=True)


def _is_no_journal(tally: Tally) -> bool:
    return bool(tally.torn) and not tally.records and not tally.skipped and not tally.outside


def _nothing(tally: Tally) -> str:
    if _is_no_journal(tally):
        return "no line is a record: this is not a journal of dkimgate"
    skipped = sum(tally.skipped.values())
    found = [f"{skipped} cannot be decided again"] * bool(skipped) + [f"{tally.outside} are of another time"] * bool(
        tally.outside
    )
    return "no record can be decided again" + (f": {', '.join(found)}" if found else "")


def _unaligns(policy: Policy) -> bool:
    return any(rule.envelope is EnvelopeAction.UNALIGN for rule in policy.all_rules)


def _notes(tally: Tally, settings: dkimgate_yaml.Config | None, file: Path) -> list[str]:
    """What may make the daemon do something else than the backtest says."""
    policy = tally.policy
    notes = []
    if policy.allow_laundering:
        notes.append(f"the policy allows {', '.join(policy.allow_laundering)} to launder: {policy.laundering_reason}")
    notes += [
        f"the daemon would not start: {str(problem).splitlines()[0].rstrip(':')}"
        for problem in report.problems(policy, prove(policy))
    ]
    if settings is not None:
        notes += [
            f"the daemon would not start: {problem}" for problem in config_checks.problems(file, settings, policy)
        ]
    if _unaligns(policy) and tally.untold:
        text = (
            f"{tally.untold} records are too old to tell whether the sender can be rewritten: the backtest assumes "
            "that it can't"
        )
        notes.append(text)
    return notes


def _share(part: int, whole: int) -> str:
    return "<0.1%" if 0 < part < whole / 1000 else f"{part / whole:.1%}"


def _show(tally: Tally, journal: Path, notes: list[str], screen: Screen) -> None:
    screen.table(_head(tally, journal), indent=0)
    for note in notes:
        screen.line(("note  ", DOUBT), note)
    _show_laundering(tally, screen)
    if tally.changed:
        screen.title("What changes (a message can be in several lines)")
        rows: list[list[Cell]] = [
            [
                (str(tally.kinds[kind]), BAD if kind in _LOUD else ""),
                _share(tally.kinds[kind], tally.records),
                kind.words,
            ]
            for kind in Kind
            if tally.kinds[kind]
        ]
        screen.table(rows)
        _show_rules(tally, screen)
        _show_authors(tally, screen)
    if tally.unused_rules():
        screen.title("Rules of the new policy that match no message")
        screen.table([[name] for name in tally.unused_rules()])


def _head(tally: Tally, journal: Path) -> list[list[Cell]]:
    policy = tally.policy
    rotated = len(files_of(journal)) - 1
    files = f"{journal}" + (f" and {rotated} rotated" if rotated > 0 else "")
    rows: list[list[Cell]] = [
        [("policy", TITLE), f"{policy.file} (sha256 {policy.digest[:12]}, mode {policy.mode})"],
        [("journal", TITLE), files],
        [("period", TITLE), f"{tally.first[:19]}Z to {tally.last[:19]}Z"],
        [("records", TITLE), f"{tally.records} decided again"],
        [
            ("unchanged", TITLE),
            f"{tally.records - tally.changed} ({_share(tally.records - tally.changed, tally.records)})",
        ],
        [
            ("changed", TITLE),
            (f"{tally.changed} ({_share(tally.changed, tally.records)})", DOUBT if tally.changed else ""),
        ],
    ]
    rows += [[("passed over", TITLE), f"{count} {reason.value}"] for reason, count in tally.skipped.items()]
    return rows


def _show_laundering(tally: Tally, screen: Screen) -> None:
    if not tally.laundered:
        return
    screen.title("LAUNDERING under the new policy: mail from outside without a pass, or spam, would look good")
    screen.table([[(str(count), BAD), rule] for rule, count in tally.laundered.most_common()])
    _show_examples([each for rule in tally.laundered for each in reversed(tally.examples.get(rule, []))], screen)


def _show_rules(tally: Tally, screen: Screen) -> None:
    changes = list(tally.by_importance())
    screen.title("Changes by rule, what matters most first")
    rows = [_transition(change, count, tally.records) for change, count in changes[:_MOST_ROWS]]
    rest = changes[_MOST_ROWS:]
    if rest:
        rows.append([str(sum(count for _, count in rest)), "", f"{len(rest)} more changes (--json has all)"])
    screen.table(rows, header=("messages", "share", "rule", "action", "departs"))
    if not tally.most_examples:
        return
    screen.title("Examples: when, queue id, author domain, origin, arrival, risk, why")
    for change, _ in changes[:_MOST_WITH_EXAMPLES]:
        screen.line(f"  {_arrow(change.old.rule, change.new.rule)}: {_arrow(str(change.old), str(change.new))}")
        _show_examples(list(reversed(tally.examples.get(change, []))), screen)


def _transition(change: Transition, count: int, whole: int) -> list[Cell]:
    old, new = change
    departs = _arrow(old.departure or "stays", new.departure or "stays")
    better = old.departure != "pass" and new.departure == "pass"
    action = _arrow(str(old), str(new))
    loud = old.done.sign == "none" != new.done.sign
    return [
        str(count),
        _share(count, whole),
        _arrow(old.rule, new.rule),
        (action, BAD if loud else ""),
        (departs, BAD if better else ""),
    ]


def _arrow(old: str, new: str) -> str:
    return old if old == new else f"{old} -> {new}"


def _show_examples(examples: list[Example], screen: Screen) -> None:
    if not screen.terminal:
        screen.table([[*_which(each), *_what(each)] for each in examples], indent=4)
        return
    # on two lines each: in columns, times and ids would be broken where a terminal is narrow
    for each in examples:
        screen.line("    ", "  ".join(_which(each)))
        arrived, risk, why = _what(each)
        screen.line("      ", f"{arrived}  {risk}  ", (why, DIM))


def _which(example: Example) -> list[str]:
    return [f"{example.time[:19]}Z", example.queue_id, example.author or "(no author)", example.origin]


def _what(example: Example) -> list[str]:
    return [arrival(example.arrival), f"risk={number(example.risk)}", example.why]


def _show_authors(tally: Tally, screen: Screen) -> None:
    columns = [kind for _, wanted in _AUTHOR_COLUMNS for kind in wanted]

    def matters(name: str) -> tuple[int, int, str]:
        return -sum(tally.authors[name][kind] for kind in columns), -tally.author_messages[name], name

    order = sorted(tally.authors, key=matters)
    shown, rest = order[:_MOST_AUTHORS], order[_MOST_AUTHORS:]
    rows = [_author(name or "(no author)", tally.author_messages[name], tally.authors[name]) for name in shown]
    if rest or tally.more_author_messages:
        together = sum((tally.authors[name] for name in rest), tally.more_authors.copy())
        messages = sum(tally.author_messages[name] for name in rest) + tally.more_author_messages
        rows.append(_author(f"{len(rest)} others" if not tally.more_author_messages else "others", messages, together))
    screen.title("Changes by author domain")
    screen.table(rows, header=("author domain", "messages", *(name for name, _ in _AUTHOR_COLUMNS)))


def _author(name: str, messages: int, counted: Counter[Kind]) -> list[Cell]:
    numbers = [sum(counted[kind] for kind in wanted) for _, wanted in _AUTHOR_COLUMNS]
    return [name, str(messages), *(str(count) if count else "-" for count in numbers)]


def _as_json(tally: Tally, journal: Path, notes: list[str]) -> dict[str, Any]:
    return {
        "policy": {"file": tally.policy.file, "digest": f"sha256:{tally.policy.digest}"},
        "journal": str(journal),
        "period": {
            "since": tally.period.since or None,
            "until": tally.period.until or None,
            "first": tally.first,
            "last": tally.last,
        },
        "records": tally.records,
        "unchanged": tally.records - tally.changed,
        "changed": tally.changed,
        "skipped": {reason.name.lower(): count for reason, count in tally.skipped.items()},
        "torn": tally.torn,
        "kinds": {kind.value: tally.kinds[kind] for kind in Kind if tally.kinds[kind]},
        "changes": [_change_as_json(tally, change, count) for change, count in tally.by_importance()],
        "authors": {
            name: _author_as_json(tally.author_messages[name], counted)
            for name, counted in sorted(tally.authors.items())
        },
        "more_authors": _author_as_json(tally.more_author_messages, tally.more_authors),
        "rules": dict(tally.rules),
        "unused_rules": tally.unused_rules(),
        "laundering": {
            rule: {"messages": count, "examples": _examples_as_json(tally, rule)}
            for rule, count in tally.laundered.most_common()
        },
        "notes": notes,
    }


def _change_as_json(tally: Tally, change: Transition, count: int) -> dict[str, Any]:
    return {
        "messages": count,
        "old": _side_as_json(change.old),
        "new": _side_as_json(change.new),
        "examples": _examples_as_json(tally, change),
    }


def _side_as_json(side: Side) -> dict[str, Any]:
    return {
        "rule": side.rule,
        "decided": side.decided._asdict(),
        "done": side.done._asdict(),
        "departure": side.departure,
    }


def _examples_as_json(tally: Tally, key: Transition | str) -> list[dict[str, Any]]:
    return [
        {
            "time": example.time,
            "queue_id": example.queue_id,
            "from": example.author,
            "origin": example.origin,
            "arrival": asdict(example.arrival),
            "risk": example.risk,
            "why": example.why,
        }
        for example in tally.examples.get(key, [])
    ]


def _author_as_json(messages: int, counted: Counter[Kind]) -> dict[str, int]:
    return {"messages": messages, **{kind.value: counted[kind] for kind in Kind if counted[kind]}}
