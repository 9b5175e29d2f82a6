"""`dkimgate keys`: make a key with its DNS record, or compare the key files with DNS."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dns.exception
import dns.resolver
import pydantic
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from rich.table import Table

from dkimgate.cli.account import account
from dkimgate.cli.help_text import Formatter
from dkimgate.cli.screen import complain
from dkimgate.config import dkimgate_yaml, files, secret_file, values
from dkimgate.config.problem import ConfigError, Problem
from dkimgate.dkim.keys import PrivateKey, SigningKey, signing_key
from dkimgate.dkim.published import KeyFinding, KeyStatus, judge
from dkimgate.dmarc.strict import strict_dkim
from dkimgate.dns.resolver import Resolver
from dkimgate.gate.key_ring import load_keys
from dkimgate.log import visible

_KEYS_HELP = """\
examples:
  dkimgate keys new hosted.example default         make an RSA key, its DNS record, its line for dkimgate.yaml
  dkimgate keys new hosted.example ed --type ed25519
  dkimgate keys check                              compare the published keys with the key files
"""

_NEW_DESCRIPTION = """\
Make a private key, and print its record for DNS and its line for dkimgate.yaml. If root runs the command, the daemon
can read the key (root:dkimgate, mode 0640); otherwise only its owner can (mode 0600)."""

_NEW_HELP = """\
You choose the name of the selector. To replace a key, use a new selector: publish its record, wait until `dkimgate
keys check` agrees, and sign with it. Leave the old record in DNS for a week, for mail that is still on its way.

examples:
  dkimgate keys new hosted.example 2027 --out keys/hosted.example.2027.pem
  dkimgate keys new hosted.example 2027-ed --type ed25519
                    a second signature beside the RSA signature; not every receiver knows Ed25519, so keep the RSA key
"""

_CHECK_HELP = """\
exit status: 0 every key agrees with DNS, 1 a key does not agree, 2 the command can't run

examples:
  dkimgate keys check --config config/dkimgate.yaml
  dkimgate keys check --json | jq -r 'select(.status != "agrees") | .name'
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser], text: str) -> None:
    """Add `keys` with its sub-commands to the command line."""
    layout = Formatter
    parser = commands.add_parser(
        "keys",
        help=text,
        description=__doc__,
        epilog=_KEYS_HELP,
        formatter_class=layout,
    )
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    new = actions.add_parser(
        "new",
        help="make a key file, and print its DNS record",
        description=_NEW_DESCRIPTION,
        epilog=_NEW_HELP,
        formatter_class=layout,
    )
    new.add_argument("domain", metavar="DOMAIN", type=_domain, help="the domain that signs, such as hosted.example")
    new.add_argument(
        "selector",
        metavar="SELECTOR",
        type=_selector,
        help="the name of the key below DOMAIN: SELECTOR._domainkey.DOMAIN",
    )
    new.add_argument("--type", choices=("rsa", "ed25519"), default="rsa", help="default: rsa")
    new.add_argument("--bits", type=int, choices=(2048, 3072, 4096), help="size of an RSA key (default: 2048)")
    new.add_argument(
        "--out", type=Path, metavar="FILE", help="the key file (default: DOMAIN.SELECTOR.pem in the current folder)"
    )
    new.add_argument("--force", action="store_true", help="replace FILE (the old key is lost)")
    new.set_defaults(run=run_new)

    check = actions.add_parser(
        "check",
        help="compare the published keys with the key files",
        description="Ask DNS for the record of every key, and compare it with the key file.",
        epilog=_CHECK_HELP,
        formatter_class=layout,
    )
    check.add_argument(
        "--config",
        type=Path,
        default=dkimgate_yaml.DEFAULT_FILE,
        metavar="FILE",
        help=f"the configuration ({dkimgate_yaml.DEFAULT_FILE})",
    )
    check.add_argument("--json", action="store_true", help="one JSON object a line for each key")
    check.set_defaults(run=run_check)


def run_new(args: argparse.Namespace) -> int:
    """`dkimgate keys new`. Returns 0, or 2 where no key could be made."""
    if args.type == "ed25519" and args.bits is not None:
        return _fail(Problem("command.bits", "--bits is for RSA: all Ed25519 keys have the same size"))
    file: Path = args.out if args.out is not None else Path(f"{args.domain}.{args.selector}.pem")
    private = _generate(args.type, args.bits or 2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        daemon = account()
        _write_private(file, pem, args.force, daemon)
    except FileExistsError:
        if files.is_folder(file):
            return _fail(files.cant_write(IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)), file, "the key"))
        text = "this file exists already: choose another with --out, or replace it with --force (the old key is lost)"
        return _fail(Problem("file.exists", text, file))
    except OSError as error:
        return _fail(files.cant_write(error, file, "the key"))
    key = signing_key(args.domain, args.selector, private)
    print(f"The private key is in {file}.\n{secret_file.handed(file, daemon)}\n")
    print(f"For the zone of {key.domain}:\n\n{zone_line(key)}\n")
    print(f"For `keys:` in dkimgate.yaml:\n\n{config_line(key, file.absolute())}\n")
    print("When DNS has the record: dkimgate keys check")
    return 0


def run_check(args: argparse.Namespace) -> int:
    """`dkimgate keys check`. Returns 0 if all keys agree with DNS, 1 if a key does not, 2 if DNS gives no answer."""
    try:
        settings = dkimgate_yaml.load(args.config)
        keys, warnings = load_keys(settings.keys)
        resolver = _resolver(settings.verify)
    except ConfigError as error:
        return _fail(*error.problems)
    except dns.exception.DNSException as error:
        return _fail(
            Problem("dns.no-server", f"there is no DNS server to ask: {error}. Name one under verify.nameservers")
        )
    for warning in warnings:
        print(f"warning: {visible(str(warning))}", file=sys.stderr)
    if not keys:
        print(f"{args.config}: there is no key, so nothing is signed: see dkimgate keys new --help", file=sys.stderr)
        return 1
    # one dead server must not cost its deadline for each key in turn
    with ThreadPoolExecutor(max_workers=8) as pool:
        findings = list(pool.map(lambda key: _ask(resolver, key), keys))
        names = sorted({key.domain for key in keys})
        asked = Resolver(settings.verify.nameservers, settings.verify.port, settings.verify.deadline)
        strict = {
            name
            for name, found in zip(names, pool.map(lambda name: strict_dkim(name, asked.lookup()), names), strict=True)
            if found
        }
    if args.json:
        _print_json(keys, findings, strict)
    else:
        _print_table(keys, findings)
        _print_strict(keys, strict)
    statuses = {finding.status for finding in findings} - {KeyStatus.AGREES}
    if statuses - {KeyStatus.UNANSWERED}:
        return 1
    return 2 if statuses else 0


def zone_line(key: SigningKey) -> str:
    """The record in zone-file syntax: absolute name, the text in strings of at most 255 octets (RFC 1035 section
    3.3)."""
    text = key.public_record()
    strings = [f'"{text[at : at + 255]}"' for at in range(0, len(text), 255)]
    if len(strings) == 1:
        return f"{key.name}. IN TXT {strings[0]}"
    return f"{key.name}. IN TXT (\n  " + "\n  ".join(strings) + "\n)"


def config_line(key: SigningKey, file: Path) -> str:
    """The entry under `keys:`."""
    return f"  - {{domain: {_yaml(key.domain)}, selector: {_yaml(key.selector)}, file: {_yaml(str(file))}}}"


def _yaml(text: str) -> str:
    """A text as a YAML value inside braces: quoted where it would be read as anything else (a selector of 2027 is a
    number)."""
    try:
        plain = yaml.safe_load(f"{{key: {text}}}") == {"key": text}
    except yaml.YAMLError:
        plain = False
    return text if plain else json.dumps(text)


def _domain(text: str) -> str:
    try:
        return pydantic.TypeAdapter(values.Domain).validate_python(text)
    except pydantic.ValidationError as error:
        raise argparse.ArgumentTypeError(str(error.errors()[0]["ctx"]["error"])) from None


def _selector(text: str) -> str:
    selector = _domain(text)
    if "_domainkey" in selector.split("."):
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected only the part before ._domainkey, such as {selector.split('.')[0]}"
        )
    return selector


def _generate(kind: str, bits: int) -> PrivateKey:
    return (
        Ed25519PrivateKey.generate()
        if kind == "ed25519"
        else rsa.generate_private_key(public_exponent=65537, key_size=bits)
    )


def _write_private(file: Path, data: bytes, replace: bool, daemon: str) -> None:
    """Write a file that nobody but its owner and the daemon's account could read at any moment, whole or not at all.
    Raises OSError; FileExistsError unless `replace`."""
    if replace:
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mode 0600
        written = Path(name)
    else:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        written = file
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            secret_file.give(stream.fileno(), daemon)
        if replace:
            written.replace(file)
    except BaseException:
        written.unlink(missing_ok=True)
        raise


def _resolver(settings: dkimgate_yaml.Verify) -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver(configure=not settings.nameservers)
    if settings.nameservers:
        resolver.nameservers = [str(address) for address in settings.nameservers]
    resolver.port = settings.port
    resolver.lifetime = settings.deadline
    return resolver


def _ask(resolver: dns.resolver.Resolver, key: SigningKey) -> KeyFinding:
    try:
        answer = resolver.resolve(f"{key.name}.", "TXT", search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return judge(key, ())
    except dns.exception.DNSException as error:
        first, _, _ = str(error).partition("\n")
        return KeyFinding(KeyStatus.UNANSWERED, f"DNS gave no answer: {first}")
    return judge(key, [b"".join(record.strings) for record in answer])


def _print_strict(keys: list[SigningKey], strict: set[str]) -> None:
    for name in sorted(strict):
        below = sorted(key.domain for key in keys if key.domain.endswith(f".{name}"))
        have = f" ({', '.join(dict.fromkeys(below))} has one)" if below else ""
        print(
            f"\nThe DMARC record of {name} says adkim=s: the key signs for {name} itself. Mail of its sub-domains "
            f"that is signed with it departs with dmarc=fail. Give each subdomain its own key{have}, or remove "
            "adkim=s."
        )


def _print_json(keys: list[SigningKey], findings: list[KeyFinding], strict: set[str]) -> None:
    for key, finding in zip(keys, findings, strict=True):
        facts = {
            "name": key.name,
            "domain": key.domain,
            "selector": key.selector,
            "algorithm": key.algorithm,
            "bits": key.bits,
        }
        facts["strict_alignment"] = key.domain in strict
        print(json.dumps({**facts, "status": finding.status, "detail": finding.detail, "record": key.public_record()}))


def _print_table(keys: list[SigningKey], findings: list[KeyFinding]) -> None:
    # what DNS says is not ours: no markup in it. Off a terminal, lines stay whole for grep.
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 240
    table = Table(box=None, pad_edge=False)
    for title in ("name", "key", "DNS", "what to do"):
        table.add_column(title, overflow="fold")
    for key, finding in zip(keys, findings, strict=True):
        kind = f"rsa {key.bits}" if key.algorithm == "rsa-sha256" else "ed25519"
        colour = "green" if finding.status is KeyStatus.AGREES else "red"
        table.add_row(visible(key.name), kind, finding.status, visible(finding.detail), style=colour)
    console.print(table)
    for key, finding in zip(keys, findings, strict=True):
        if finding.status not in (KeyStatus.AGREES, KeyStatus.TESTING, KeyStatus.UNANSWERED):
            print(f"\nThe record that belongs to the key file:\n\n{zone_line(key)}")


def _fail(*problems: Problem) -> int:
    complain(*problems)
    return 2
