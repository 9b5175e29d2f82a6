"""`dkimgate log`: read the decision journal."""

from __future__ import annotations

import argparse
import fnmatch
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from dkimgate.cli.help_text import Formatter
from dkimgate.cli.record_text import show, summary
from dkimgate.cli.screen import TITLE, Cell, CommandError, Screen, complain
from dkimgate.cli.times import moment
from dkimgate.config import dkimgate_yaml
from dkimgate.config.files import cant_read, seen
from dkimgate.config.problem import ConfigError
from dkimgate.record.journal_reader import Reader, backwards, files_of, follow, forwards
from dkimgate.record.record import Json, RecordError, read

Wanted = Callable[[Json], bool]

_TAIL = """\
One line a message: time, queue id, author domain, origin, arrival, risk, rule, signing domain, DMARC at the next
receiver (`-` if the message does not leave), and other actions. The rule `border` is not a rule of the policy: a
listener with `role: border` has recorded its results.

examples:
  dkimgate log tail                          the last 10 messages
  dkimgate log tail -f                       and new messages, also after a rotation
  dkimgate log tail --rule never-launder --since 2h
  dkimgate log tail -n 0 --rotated --from 'hosted.example' --json | jq .risk.score

exit status: 0 good, or no records yet; 1 no record matches; 2 the command can't run
"""
_SHOW = """\
The command also searches rotated files. It compares a Message-ID with and without angle brackets.

examples:
  dkimgate log show C9E5720C046              by the queue id of the mail log
  dkimgate log show '<phish@hosted.example>'
  dkimgate log show --json C9E5720C046 | jq .claims

exit status: 0 good, 1 a message was not found, 2 the command can't run
"""
# time, queue id, author domain and origin stand on a line of their own where a terminal is too narrow for all
_FIRST_LINE = 4
_DOMAIN = 2
_LINES_OF_A_JOURNAL = 100
"""One of so many at its end is a record, else the file is no journal."""
_NO_JOURNAL = "no line is a record: this is not a journal of dkimgate"
_EMPTY = "no records yet"
# what a line of `log` needs to stand in columns while nobody knows the lines to come
_WIDTHS = (20, 12, 20, 9, 30, 10, 20, 22, 12)


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], text: str) -> None:
    """Add the command with its sub-commands."""
    parser = commands.add_parser(
        "log",
        help=text,
        description="Read the decision journal. It has one record a message, with all facts of the decision.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    tail = _add(actions, "tail", "the last messages, and with -f new messages", _TAIL)
    tail.add_argument(
        "-n", type=_count, default=10, metavar="N", dest="number", help="the number of messages (default: 10; 0: all)"
    )
    tail.add_argument("-f", "--follow", action="store_true", help="also show new records as they are written")
    tail.add_argument("--rotated", action="store_true", help="read the rotated files too")
    tail.add_argument("--from", metavar="DOMAIN", dest="author", help="only this author domain; * matches any text")
    tail.add_argument("--rule", metavar="NAME", help="only messages that this rule decided; * matches any text")
    tail.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="only from this time on: 2h, 3d, 2026-11-21, 2026-11-21T16:20 (UTC)",
    )
    tail.set_defaults(run=run_tail)
    shown = _add(actions, "show", "all details of single messages", _SHOW)
    shown.add_argument("ids", nargs="+", metavar="QUEUE_ID|MESSAGE_ID", help="the queue id or the Message-ID")
    shown.set_defaults(run=run_show)


def _add(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, epilog: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", epilog=epilog, formatter_class=Formatter
    )
    parser.add_argument(
        "--config", type=Path, default=dkimgate_yaml.DEFAULT_FILE, metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument(
        "--file", type=Path, metavar="JOURNAL", help="the journal (default: journal.file of the configuration)"
    )
    parser.add_argument("--json", action="store_true", help="the records as they are, one a line")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1 up, or 0 for all")
    return int(text)


def run_tail(options: argparse.Namespace) -> int:
    """`log tail`."""
    file = _file(options)
    wanted = _filter(options)
    reader = Reader()
    printer = _Printer(options.json)
    try:
        # one border between past and future, so that no record is missed and none comes twice
        status = seen(file)
        now = status.st_size if status is not None else 0
        printer.print(*_last(reader, _sources(options, file, now), {file: now}, wanted, options))
        if reader.torn and not reader.whole and not options.follow:
            raise CommandError("journal.not-a-journal", _NO_JOURNAL, file)
        _tell_torn(reader, file)
        if not reader.whole:
            complain(f"{file}: {_EMPTY}")
        if options.follow:
            for line in follow(file, start=now):
                printer.print(*filter(wanted, reader.of_line(line)))
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise _why(error, file) from None
    return 0 if printer.printed or options.follow or not reader.whole else 1


def _sources(options: argparse.Namespace, file: Path, size: int) -> list[Path]:
    """The files to read, the oldest first. Right after a rotation, `size` being 0, the last messages stand in the file
    before."""
    everything = files_of(file)
    if options.rotated:
        return everything or [file]
    return [file] if size else [each for each in everything if each != file][-1:] or [file]


def _cannot(record: Json) -> str:
    return f"a record of version {record.get('v')!r} that can't be shown"


def run_show(options: argparse.Namespace) -> int:
    """`log show`."""
    file = _file(options)
    reader = Reader()
    missing = dict.fromkeys(options.ids)
    screen = Screen()
    files = files_of(file) or [file]
    try:
        for record in _search(reader, files, options.ids):
            for name in [name for name in missing if _is(record, name)]:
                del missing[name]
            if options.json:
                print(json.dumps(record))
            else:
                screen.line((f"{record.get('queue_id') or '-'}  {record.get('message_id') or ''}", TITLE))
                try:
                    show(read(record), screen)
                except RecordError:
                    screen.line(f"{_cannot(record)}: --json prints it as it is")
                screen.line()
        found_none = _without_records(files) if not reader.whole else None
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise _why(error, file) from None
    if found_none is not None:
        raise CommandError("journal.no-records", found_none, file)
    _tell_torn(reader, file)
    for name in missing:
        complain(f"{name}: no such record in {file} or its rotated files")
    return 1 if missing else 0


def _why(error: OSError, file: Path) -> CommandError:
    missing = ": no message has been recorded there yet" if isinstance(error, FileNotFoundError) else ""
    problem = cant_read(error, Path(error.filename or file), missing)
    return CommandError(problem.code, problem.text, problem.file)


def _without_records(files: Sequence[Path]) -> str | None:
    """Why nothing can be found in those files, where the end of none of them holds a record."""
    reader = Reader()
    for file in files:
        for line in itertools.islice(backwards(file), _LINES_OF_A_JOURNAL):
            if reader.of_line(line):
                return None
    return _NO_JOURNAL if reader.torn else _EMPTY


def _file(options: argparse.Namespace) -> Path:
    """The journal. Who may read it need not be able to read the configuration, which names keys."""
    if options.file is not None:
        named: Path = options.file
        return named
    try:
        configured = Path(dkimgate_yaml.load(options.config).journal.file)
    except ConfigError as error:
        usual: Path = dkimgate_yaml.Journal().file
        if options.config != dkimgate_yaml.DEFAULT_FILE or seen(usual) is None:
            raise
        complain(f"{error.problems[0]}: reading {usual} (name another with --file)")
        return usual
    return configured


def _filter(options: argparse.Namespace) -> Wanted:
    def wanted(record: Json) -> bool:
        if options.since and str(record.get("time")) < options.since:
            return False
        if options.author and not fnmatch.fnmatchcase(str(record.get("from") or ""), options.author.lower()):
            return False
        decision = record.get("decision")
        rule = decision.get("rule") if isinstance(decision, dict) else None
        return not options.rule or fnmatch.fnmatchcase(str(rule or ""), options.rule)

    return wanted


def _last(
    reader: Reader, files: list[Path], ends: Mapping[Path, int], wanted: Wanted, options: argparse.Namespace
) -> list[Json]:
    """The last records that are wanted, the oldest first; of a file nothing behind its end, where `ends` has one."""

    def newest_first() -> Iterator[Json]:
        for file in reversed(files):
            for line in backwards(file, ends.get(file)):
                for record in reversed(reader.of_line(line)):
                    if options.since and _far_before(str(record.get("time")), options.since):
                        return
                    if wanted(record):
                        yield record

    return list(itertools.islice(newest_first(), options.number or None))[::-1]


def _far_before(time: str, since: str) -> bool:
    """No record from `since` on can stand ahead of this one: workers write out of order, but only by a little."""
    try:
        return datetime.fromisoformat(time) < datetime.fromisoformat(since) - timedelta(minutes=10)
    except ValueError:
        return False


def _search(reader: Reader, files: list[Path], names: list[str]) -> Iterator[Json]:
    """Records that have one of these ids. A line that does not hold the text of any is not even parsed."""
    needles = [json.dumps(name.strip("<>"))[1:-1].encode() for name in names]
    for file in files:
        for line in forwards(file):
            if any(needle in line for needle in needles):
                yield from (record for record in reader.of_line(line) if any(_is(record, name) for name in names))


def _is(record: Json, name: str) -> bool:
    return record.get("queue_id") == name or str(record.get("message_id") or "").strip("<>") == name.strip("<>")


def _tell_torn(reader: Reader, file: Path) -> None:
    if reader.torn:
        complain(f"{file}: {reader.torn} torn line(s) skipped: the disk was full, or a process was killed")


class _Printer:
    """Prints records as lines whose columns stay where they are."""

    def __init__(self, as_json: bool) -> None:
        self.printed = 0
        self._json = as_json
        self._screen = Screen()
        self._widths = list(_WIDTHS)

    def print(self, *records: Json) -> None:
        lines = [self._cells(record) for record in records] if not self._json else []
        for cells in lines:
            self._widths = [
                max(width, min(len(_text(cell)), 40)) for width, cell in zip(self._widths, cells, strict=False)
            ]
        narrow = self._screen.terminal and sum(self._widths) + 2 * len(self._widths) > self._screen.width
        for cells in lines:
            if narrow:
                for part in _in_lines(cells, self._screen.width):
                    self._screen.line(*part)
            else:
                self._screen.line(*_in_columns(cells, self._widths))
        if self._json:
            for record in records:
                print(json.dumps(record))
        self.printed += len(records)
        sys.stdout.flush()

    def _cells(self, record: Json) -> list[Cell]:
        try:
            return summary(read(record))
        except RecordError:
            return [str(record.get("time", "-")), str(record.get("queue_id", "-")), _cannot(record)]


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


_CUT_FROM = 24  # no column of the first line is cut below this


def _in_lines(cells: Sequence[Cell], width: int) -> Iterator[list[Cell]]:
    """The cells on as many lines as it takes, none broken: the first says which message it is, the others are
    indented."""
    room = max(
        width - sum(len(_text(cell)) + 2 for cell in (*cells[:2], cells[3])) if len(cells) > 3 else width, _CUT_FROM
    )
    line: list[Cell] = []
    used = 0
    for at, cell in enumerate(cells):
        shown = _cut(cell, room) if at == _DOMAIN else cell
        if at == _FIRST_LINE or (line and used + len(_text(shown)) > width):
            yield line
            line, used = ["    "], 4
        line += [shown, "  "]
        used += len(_text(shown)) + 2
    yield line[:-1]


def _cut(cell: Cell, room: int) -> Cell:
    """A name that is too long keeps its end, which tells whose it is."""
    text = _text(cell)
    short = text if len(text) <= room else "\u2026" + text[len(text) - room + 1 :]
    return short if isinstance(cell, str) else (short, cell[1])


def _in_columns(cells: Sequence[Cell], widths: Sequence[int]) -> Iterator[Cell]:
    """The cells with space between them; those that have a width begin in columns."""
    for index, cell in enumerate(cells):
        if index == len(cells) - 1:
            yield cell
        elif index >= len(widths):
            yield from (cell, "  ")
        elif isinstance(cell, str):
            yield cell.ljust(widths[index]) + "  "
        else:
            yield cell[0].ljust(widths[index]) + "  ", cell[1]
