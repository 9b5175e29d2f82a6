"""`dkimgate passport`: make the secrets for passports. The hosts of a group share them."""

from __future__ import annotations

import argparse
import secrets
import shlex
import time
from pathlib import Path

from dkimgate.cli.account import account
from dkimgate.cli.help_text import Formatter
from dkimgate.config import secret_file
from dkimgate.passport.secrets import Secrets, is_id, new_secret

_HELP = """\
examples:
  dkimgate passport new-secret --out passport.secret     the first secret; copy the file to every host of the group
  dkimgate passport new-secret >> passport.secret        another secret, to replace the first
"""

_NEW_DESCRIPTION = """\
Make a secret of 32 random octets. The command prints its line, or writes it into a new file. If root runs the
command, the daemon can read the file (root:dkimgate, mode 0640)."""

_NEW_HELP = """\
The first line of the file signs, all lines verify. To replace a secret without a gap: append a new secret to the file
of every host, and reload. Then move the new line to the top on every host, and reload. When the last passport of the
old secret has expired, remove the old line.

examples:
  dkimgate passport new-secret --out passport.secret
  dkimgate passport new-secret 2027-01 >> passport.secret
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], text: str) -> None:
    """Add `passport` with its sub-command to the command line."""
    layout = Formatter
    parser = commands.add_parser(
        "passport",
        help=text,
        description=__doc__,
        epilog=_HELP,
        formatter_class=layout,
    )
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    new = actions.add_parser(
        "new-secret",
        help="make a secret",
        description=_NEW_DESCRIPTION,
        epilog=_NEW_HELP,
        formatter_class=layout,
    )
    new.add_argument(
        "id",
        metavar="ID",
        nargs="?",
        type=_id,
        help="the name of the secret in passports (default: the date and a random number)",
    )
    new.add_argument(
        "--out", type=Path, metavar="FILE", help="write the secret into this new file, and do not print it"
    )
    new.set_defaults(run=run_new_secret)


def run_new_secret(args: argparse.Namespace) -> int:
    """`dkimgate passport new-secret`. Raises ConfigError where the file can't be written."""
    name: str = args.id or f"{time.strftime('%Y%m%d', time.gmtime())}-{secrets.token_hex(2)}"
    line = new_secret(name)
    file: Path | None = args.out
    if file is None:
        print(line)
        return 0
    daemon = account()
    add = f"to add a secret to it, dkimgate passport new-secret >> {shlex.quote(str(file))}"
    secret_file.create(file, line, add, Secrets.parse, daemon)
    print(f"The secret {name} is in {file}.\n{secret_file.handed(file, daemon)}")
    print("Every host of the group needs a copy.")
    return 0


def _id(text: str) -> str:
    if not is_id(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an id: expected at most 32 letters, digits, dots, underscores and hyphens"
        )
    return text
