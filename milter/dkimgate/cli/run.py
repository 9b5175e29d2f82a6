"""`dkimgate run`: the daemon."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from dkimgate.cli.help_text import Formatter
from dkimgate.config import credentials, dkimgate_yaml
from dkimgate.config.dkimgate_yaml import DEFAULT_FILE, Config
from dkimgate.config.permissions import hindrance, process_hindrance
from dkimgate.config.problem import ConfigError, Problem
from dkimgate.daemon import privileges
from dkimgate.daemon.attempt import attempts
from dkimgate.daemon.server import serve
from dkimgate.daemon.session import Judge
from dkimgate.evidence import lookalike
from dkimgate.gate.gate import Gate
from dkimgate.message import suffixes

_DESCRIPTION = """\
Run the daemon in the foreground. It logs to stderr. Start it with systemd or another supervisor.

The daemon opens the sockets of `listen`, changes to the user `user`, and starts `workers` processes.

signals:
  HUP         reload configuration, policy and keys. If they have errors, the daemon reports them and keeps the old
              ones. No message fails: new workers start first, then the old workers finish their sessions. (`listen`,
              `socket_mode`, `socket_group` and `user` need a restart.)
  TERM, INT   stop. Open sessions have `drain_seconds` to finish. A second signal ends them.

exit code: 0 after TERM or INT, 2 if the daemon can't start (`dkimgate check` tells more).

With --test the command only loads everything that a reload would load. Root also checks that `user` can read it. The
exit code is 0 if all is good. It is 2 on any error, even for a bad key with which a start would continue. The systemd
unit runs this first, so `systemctl reload` fails if the configuration has errors.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], text: str) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("run", help=text, description=_DESCRIPTION, formatter_class=Formatter)
    parser.add_argument(
        "--config", metavar="FILE", type=Path, default=DEFAULT_FILE, help="configuration file (default: %(default)s)"
    )
    parser.add_argument("--test", action="store_true", help="load everything, report errors, and exit")
    parser.add_argument(
        "--attempt", action="store_true", help=argparse.SUPPRESS
    )  # what `check` starts in the sandbox of the unit
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop, or only load. Raises ConfigError with --test, and for a configuration that can't be
    read."""
    if arguments.attempt:
        return _attempt(arguments.config)
    if arguments.test:
        _test(arguments.config)
        return 0
    _may_read(arguments.config)
    return serve(arguments.config, _load)


def _load(file: Path, settings: Config | None, before: Judge | None) -> Gate:
    """Everything that the daemon needs, the journal among it: without one it could only defer all mail. `settings`:
    the configuration, where it was read already. `before`: what serves now. Raises ConfigError."""
    _may_read(file)
    settings = settings if settings is not None else dkimgate_yaml.load_whole(file)
    _may_read(settings.policy)
    gate = Gate.load(file, settings, before if isinstance(before, Gate) else None)
    # before the daemon forks: its workers share the memory, and no message waits for it
    suffixes.load()
    lookalike.prepare(gate.ring.names)
    problem = gate.journal.probe()
    if problem is not None:
        raise ConfigError(Problem("journal.unwritable", f"journal.file: {problem}"))
    return gate


def _may_read(file: Path) -> None:
    """Raises ConfigError, with what to do, for a file that the daemon's user can't read: root is no user for a
    daemon."""
    problem = process_hindrance(file)
    if problem is not None:
        raise ConfigError(problem)


def _test(file: Path) -> None:
    """Raises ConfigError where a reload would be refused. Root sees what the daemon's user does not, so the permissions
    are looked at."""
    _may_read(file)
    settings = dkimgate_yaml.load_whole(file)
    _may_read(settings.policy)
    gate = _whole(file, settings)
    problems = [*gate.broken]
    user = settings.user if os.geteuid() == 0 else None
    if user is not None:
        try:
            privileges.owner_of(settings)
        except privileges.StartError as error:
            raise ConfigError(*problems, error.problem) from None
    problem = gate.journal.probe(user)
    problems += [Problem("journal.unwritable", f"journal.file: {problem}")] if problem is not None else []
    secrets = [each.secret_file for each in (settings.unalign, settings.passport) if each is not None]
    for each in (file, settings.policy, *(key.file for key in settings.keys), *secrets):
        if credentials.is_credential(each):
            if credentials.is_new(each):
                unit = each.parent.name
                text = (
                    f"systemd makes this file only when {unit} starts: run systemctl restart {unit} instead of a reload"
                )
                problems.append(Problem("file.credential-new", text, each))
        elif user is not None and (unreadable := hindrance(each, user)) is not None:
            problems.append(unreadable)
    if problems:
        raise ConfigError(*problems)


def _whole(file: Path, settings: Config) -> Gate:
    """With every key read."""
    gate = Gate.load(file, settings)
    gate.ring.all()
    return gate


def _attempt(file: Path) -> int:
    """Load and try everything as this process, and print what fails, a JSON object each, for `check`. Returns 0, or 1
    where something does."""
    try:
        settings = dkimgate_yaml.load_whole(file)
        problems: list[Problem] = [*_whole(file, settings).broken, *attempts(settings)]
    except ConfigError as error:
        problems = list(error.problems)
    for problem in problems:
        print(json.dumps(problem.as_json()))
    return 1 if problems else 0
