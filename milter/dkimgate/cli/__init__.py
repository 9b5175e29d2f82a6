"""The command line; one file a command. Exit 0 good, 1 a finding, 2 can't run."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dkimgate import __version__
from dkimgate.cli.help_text import Formatter
from dkimgate.cli.screen import CommandError, complain
from dkimgate.config.problem import ConfigError, Problem
from dkimgate.config.uncollected import uncollected

# each is a module here. Only the one that is called is imported: of the others a line of help is enough
_COMMANDS = {
    "demo": "show what the gate does with built-in messages (start here)",
    "explain": "show what the gate would do with a message, and why",
    "check": "check configuration, policy, keys and this host",
    "keys": "make signing keys, and compare them with DNS",
    "passport": "make the secrets for passports",
    "srs": "rewrite envelope senders, or restore rewritten senders",
    "policy": "test a policy, show it, or print its JSON Schema",
    "run": "run the daemon in the foreground",
    "log": "read the decision journal",
    "backtest": "apply another policy to the messages of the journal",
}

_EPILOG = """\
first steps:
  dkimgate demo                        see what it does; it installs and changes nothing
  dkimgate check                       show the configuration, and what is wrong with it
  dkimgate explain message.eml         show what the gate would do with a message, and why
  dkimgate log tail -f                 show what it does with the mail of this moment

exit status: 0 good, 1 a finding, 2 the command could not run
"""


class _Parser(argparse.ArgumentParser):
    """A command tells of an option that it does not know, with its own usage: left to the top, it would be the usage of
    all."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """`ArgumentParser.parse_known_args`, which leaves nothing over."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unknown argument: {' '.join(unknown)}")
        return found, unknown


def parser(called: str | None = None) -> argparse.ArgumentParser:
    """The command line: the whole, or as much of it as the command that is called needs."""
    top = _Parser(
        prog="dkimgate",
        description="A Postfix milter that lets a message be DKIM-signed only if it has earned it.",
        epilog=_EPILOG,
        formatter_class=Formatter,
    )
    top.add_argument("--version", action="version", version=f"dkimgate {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, text in _COMMANDS.items():
        if called in (None, name):
            importlib.import_module(f"dkimgate.cli.{name}").add_parser(commands, text)
        else:
            commands.add_parser(name, help=text)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. Whatever goes wrong is told in plain lines on stderr."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            # a terminal that knows no UTF-8 still gets its lines
            reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if arguments is None else arguments
    with uncollected():  # modules leave no garbage
        options = parser(next((word for word in words if not word.startswith("-")), "")).parse_args(words)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except ConfigError as error:
        return _failed(options, *error.problems)
    except CommandError as error:
        return _failed(options, error.problem)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # the reader (head, less) has seen enough; without this Python complains once more at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - an operator gets a line to report, not a traceback
        return _bug(error)
    return status


def _failed(options: argparse.Namespace, *problems: Problem) -> int:
    """A command that could not run. With --json a program is told too, in place of the result."""
    if getattr(options, "json", False):
        print(json.dumps({"errors": [problem.as_json() for problem in problems]}))
    complain(*problems)
    return 2


def _bug(error: Exception) -> int:
    if os.environ.get("DKIMGATE_DEBUG"):
        traceback.print_exc()
        return 2
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    complain(
        f"internal error: {type(error).__name__}: {error} (at {place}, version {__version__})",
        "This is a bug in dkimgate. Please report it with what the same command prints with DKIMGATE_DEBUG=1 in its "
        "environment.",
    )
    return 2
