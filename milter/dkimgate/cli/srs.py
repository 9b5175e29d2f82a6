"""`dkimgate srs`: rewrite envelope senders and restore them, and make the secret for that."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from dkimgate import srs
from dkimgate.cli.account import account
from dkimgate.cli.help_text import Formatter
from dkimgate.cli.screen import BAD, DIM, GOOD, CommandError, Screen
from dkimgate.config import dkimgate_yaml, secret_file
from dkimgate.srs import NotRestored, Refusal, Secrets

_USAGE = """\
dkimgate srs [--config FILE] [--json] ADDRESS...
       dkimgate srs new-secret [--out FILE]"""

_DESCRIPTION = """\
Rewrite an envelope sender as the gate does (`envelope: unalign` in the policy), or turn an SRS address in the domain
`unalign.domain` back into the original address. The configuration has the domain and the secrets. The command sends
and records nothing.

`new-secret` makes a secret of 24 random octets, and prints it, or writes it into a new file. If root runs the command,
the daemon can read the file (root:dkimgate, mode 0640)."""

_EPILOG = """\
The file has one secret a line: the first line signs, all lines verify. To replace a secret, add a new line on top,
reload, and remove the old line 22 days later. postsrsd reads the same file.

examples:
  dkimgate srs friend@hosted.example                           the rewritten address
  dkimgate srs SRS0=UNr4=JK=hosted.example=friend@bounce.forwarder.example
                                                               the original address, or what is wrong with this one
  dkimgate srs --json $(postqueue -j | jq -r .sender) | jq -r .result
  dkimgate srs new-secret --out srs.secret

exit status: 0 good; 1 an address can't be restored (forged, too old, damaged) or can't be rewritten; 2 the command
can't run
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result for one address. `action` is "rewritten", "restored", "unchanged" or "refused". The last two have
    `why`, in words, and its `code`."""

    address: str
    action: str
    result: str | None = None
    code: str | None = None
    why: str | None = None


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], text: str) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "srs",
        help=text,
        usage=_USAGE,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=Formatter,
    )
    parser.add_argument(
        "addresses",
        nargs="+",
        metavar="ADDRESS",
        help="an address, with or without angle brackets, or the word new-secret",
    )
    parser.add_argument(
        "--config", type=Path, default=dkimgate_yaml.DEFAULT_FILE, metavar="FILE", help="default: %(default)s"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line for each address")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="with new-secret: write the secret into this new file, and do not print it",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Answer for every address. See the epilog for the exit status."""
    if options.addresses == ["new-secret"]:
        return _new_secret(options.out)
    if options.out is not None:
        raise CommandError("command.out", "--out needs new-secret: dkimgate srs new-secret --out FILE")
    settings = dkimgate_yaml.load(options.config)
    if settings.unalign is None:
        raise CommandError(
            "srs.not-configured",
            "there is no SRS domain: add `unalign: {domain: ..., secret_file: ...}`",
            options.config,
        )
    secrets = Secrets.load(settings.unalign.secret_file)
    answers = [answer(address, settings.unalign.domain, secrets, time.time()) for address in options.addresses]
    if options.json:
        for each in answers:
            print(json.dumps(asdict(each)))
    else:
        styles = {"rewritten": GOOD, "restored": GOOD, "unchanged": DIM, "refused": BAD}
        Screen().table(
            [
                [each.address or "<>", (each.action, styles[each.action]), each.why or each.result or ""]
                for each in answers
            ],
            indent=0,
        )
    return 1 if any(each.action == "refused" for each in answers) else 0


def answer(written: str, domain: str, secrets: Secrets, now: float) -> Answer:
    """Restore an address in our domain, or rewrite any other address."""
    address = written.strip()
    if address.startswith("<") and address.endswith(">"):
        address = address[1:-1]
    restored = srs.restore(address, domain, secrets, now)
    match restored:
        case str():
            return Answer(address, "restored", restored)
        case NotRestored.NOT_OURS:
            pass
        case NotRestored.NOT_SRS:
            return Answer(
                address,
                "unchanged",
                address,
                _code(restored),
                f"the address is in our SRS domain {domain}, but is not an SRS address",
            )
        case NotRestored():
            return Answer(address, "refused", None, _code(restored), restored.value)
    match srs.rewrite(address, domain, secrets, now):
        case Refusal.NULL_SENDER as refusal:
            return Answer(address, "unchanged", address, _code(refusal), refusal.value)
        case Refusal() as refusal:
            return Answer(address, "refused", None, _code(refusal), refusal.value)
        case rewritten:
            return Answer(address, "rewritten", rewritten)


def _code(why: Refusal | NotRestored) -> str:
    return f"srs.{why.name.lower().replace('_', '-')}"


def _new_secret(file: Path | None) -> int:
    line = srs.new_secret()
    if file is None:
        print(line)
        return 0
    daemon = account()
    secret_file.create(
        file, line, "put the line that dkimgate srs new-secret prints on top of it", Secrets.parse, daemon
    )
    print(f"The secret is in {file}.\n{secret_file.handed(file, daemon)}")
    print("Every host that rewrites senders into the same domain needs a copy.")
    return 0
