"""What is said about a host and its configuration: the findings of `check`, a daemon that can't start, commands."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from dkimgate.cli import (
    check_departure,
    check_findings,
    check_networks,
    check_sending,
    check_start,
)
from dkimgate.config import credentials, dkimgate_yaml, permissions, systemd_unit
from dkimgate.config.dkimgate_yaml import Config, Listener, Trust
from dkimgate.config.problem import ConfigError, Problem
from dkimgate.daemon import packets, privileges, server, sockets
from dkimgate.daemon.privileges import Owner, StartError
from dkimgate.facts import Origin, Sending
from dkimgate.gate import key_files as gate_key_files
from dkimgate.gate.gate import Gate
from dkimgate.gate.key_files import load_key
from dkimgate.gate.key_ring import load_keys
from dkimgate.gate.sending import Smtp
from dkimgate.passport.secrets import new_secret
from dkimgate.postfix import this_host, way_out
from dkimgate.postfix.authors import Authors
from dkimgate.postfix.settings import Settings
from dkimgate.postfix.this_host import System
from dkimgate.record.journal import Journal
from dkimgate.srs import NotRestored, Refusal
from tests.cli import test_cli_check_networks as networks
from tests.cli import test_cli_check_sending as sending
from tests.cli.checking import GOOD
from tests.cli.test_cli_check_policy import POSTFIX
from tests.gate import test_gate_key_files as key_files
from tests.texts.bad_commands import of_commands
from tests.texts.bad_files import REST, RULES, Said

SAFE = RULES.replace("author", "none") + REST
SIGNS = "version: 1\nrules:\n  - {name: guard, when: {arrival.badly: true}, disposition: hold}\n"
SIGNS += "  - {name: sign, when: {from: hosted}, sign: author}\n"
UNALIGN = "unalign: {domain: bounce.forwarder.example, secret_file: srs.secret}\n"
PASSPORT = "passport: {secret_file: passport.secret}\n"
FORWARDER = "forwarder: {domain: relay.example}\n"
SEALS = SIGNS.replace("sign: author", "sign: author, seal: true")

CHECKED: list[tuple[str, str, str, str]] = [
    # what of GOOD, what in its place, what else, the policy
    ("[mx.forwarder.example], auth", "[], auth", "", SIGNS),
    ("trust: {hosts: [", "trust: {hosts: [192.0.2.1, ", "", SIGNS),
    ("ids: [mx.forwarder.example]", "ids: []", "", SIGNS),
    ("trust: {", "trust: {border_strips_forgeries: true, ", "", SIGNS),
    ("trust: {", "trust: {arc_sealers: [hosted.example], ", "", SIGNS),
    ("addresses: [192.0.2.10], ", "", "", SIGNS),
    (", helo: mx.forwarder.example", "", "", SIGNS),
    (", origin: forwarder.example", "", "", SIGNS),
    ("departure: {", "departure: {rewrites_senders: true, ", "", SIGNS),
    ("helo: mx.forwarder.example", "helo: mx.hosted.example", "", SIGNS),
    ("file: decisions", "file: missing/decisions", "", SIGNS),
    ("keys:", "keys: []\n#", "", SIGNS),
    ("key.pem", "ed25519.pem", "", SIGNS),
    ("key.pem", "none.pem", "", SIGNS),
    ("", "", "socket_mode: '0666'\n", SIGNS),
    ("", "", "socket_group: nosuchgroup\n", SIGNS),
    ("", "", "user: nosuchuser\n", SIGNS),
    ("", "", "listen: inet:192.0.2.1:8891\n", SIGNS),
    ("", "", "listen: {socket: 'inet:192.0.2.1:8891', role: srs}\n" + UNALIGN, SIGNS),
    ("", "", "listen: unix:/nosuchfolder/sock\n", SIGNS),
    ("", "", "", SAFE),
    ("", "", "", SIGNS.replace("hold}", "hold, mode: observe}")),
    ("", "", "", "mode: observe\n" + SIGNS),
    ("", "", "", SIGNS.replace("hold", "reject")),
    ("", "", "", SIGNS.replace("hold", "defer")),
    ("", "", FORWARDER, SIGNS),
    ("", "", FORWARDER, SEALS),
    ("", "", "forwarder: {domain: hosted.example}\n", SEALS),
    ("", "", "forwarder: {domain: mail.hosted.example}\n", SIGNS),
    ("", "", "forwarder: {domain: mail.hosted.example}\n", SIGNS.replace("author", "forwarder")),
    ("", "", "", SIGNS.replace("author", "forwarder")),
    ("key.pem}", "ed25519.pem}, {domain: relay.example, selector: s, file: ed25519.pem}", FORWARDER, SEALS),
    ("", "", PASSPORT, SIGNS),
    ("", "", PASSPORT + "listen: {socket: 'unix:/x', role: border}\nverify: {when: never}\n", SIGNS),
    ("", "", "listen: {socket: 'unix:/x', role: border}\n", SIGNS),
    ("ids: [mx.forwarder.example]", "ids: []", PASSPORT + "listen: {socket: 'unix:/x', role: border}\n", SIGNS),
    ("", "", "listen: {socket: 'unix:/x', role: srs}\n", SIGNS),
    ("", "", "", RULES.replace(", sign: author", "") + REST),
    ("", "", "", RULES.replace(", sign: author", "").replace(", otherwise: hold", "") + REST),
    ("", "", UNALIGN, SIGNS),
    ("", "", UNALIGN.replace("bounce.forwarder", "bounce.hosted"), SIGNS),
    ("", "", "spam_fields: [{field: X-A, pattern: '(?P<flag>x)'}]\n", SIGNS.replace("author", "author, remove: [x-a]")),
]


def everything(folder: Path) -> Iterator[Said]:
    """Every problem of these tables, and what is said about it."""
    (folder / "key.pem").write_bytes(key_files.PEMS["rsa PKCS#8"])
    (folder / "ed25519.pem").write_bytes(key_files.PEMS["ed25519 PKCS#8"])
    (folder / "srs.secret").write_text("vnHGgDCuQdEYRQNQFFq4Vw+B\n")
    (folder / "passport.secret").write_text(new_secret("2026a") + "\n")
    for file in folder.iterdir():
        file.chmod(0o600)
    for old, new, more, policy in CHECKED:
        shown = f"{f'{old} -> {new}; ' if old else ''}{more}" or " ".join(policy.split("\n", 2)[-1].split())
        yield from _checked(shown, folder, GOOD.replace(old, new, 1) + more, policy)
    yield from _of_postfix(folder)
    yield from _of_owner_aliases()
    yield from _of_networks()
    yield from _of_journal(folder)
    yield from _of_files(folder)
    yield from _of_units(folder)
    yield from _of_a_start(folder)
    yield from of_commands(folder, SIGNS)
    for why in (*Refusal, *NotRestored):
        yield why.name, Problem(f"srs.{why.name.lower().replace('_', '-')}", why.value)


def _found(shown: str, make: Callable[[], Iterable[Any] | None]) -> Iterator[Said]:
    try:
        for each in list(make() or ()):
            yield shown, each.problem if hasattr(each, "problem") else each
    except ConfigError as error:
        yield from ((shown, problem) for problem in error.problems)
    except StartError as error:
        yield shown, error.problem


def _checked(shown: str, folder: Path, text: str, policy: str) -> Iterator[Said]:
    """What `check` finds in that configuration, on a host where no Postfix answers."""
    if "listen:" not in text:
        text += f"listen: unix:{folder}/sock\n"
    (folder / "dkimgate.yaml").write_text(text)
    (folder / "policy.yaml").write_text(policy)
    with patch.object(this_host, "this_host", lambda: System(lambda: None)):
        found = _found(shown, lambda: check_findings.findings(Gate.load(folder / "dkimgate.yaml")))
        yield from (each for each in found if each[1].code != "user.not-set")  # said to root alone


def _of_postfix(folder: Path) -> Iterator[Said]:
    main = {**POSTFIX, "myhostname": "mail.elsewhere.example", "header_size_limit": "102400"}
    main |= {"milter_default_action": "accept"}
    main |= {"masquerade_domains": "forwarder.example"}
    bare = GOOD.replace("departure:", "#") + "verify: {when: never, port: 9, deadline: 0.1}\n"
    (folder / "dkimgate.yaml").write_text(
        "milter_library: pymilter\n" + bare + UNALIGN + f"listen: unix:{folder}/sock\n"
    )
    (folder / "policy.yaml").write_text(SIGNS)
    for address in ("203.0.113.10", "10.0.0.5"):
        here = System(lambda: Settings(main), lambda: (ip_address(address),))  # noqa: B023
        with patch.object(this_host, "this_host", lambda: here), patch.object(packets, "accept_large", lambda: False):  # noqa: B023
            yield from _found(
                f"Postfix, at {address}", lambda: check_findings.findings(Gate.load(folder / "dkimgate.yaml"))
            )
    of_smtp = {
        "smtp_generic_maps": "hash:/etc/postfix/generic",
        "smtp_header_checks": "regexp:/etc/postfix/out",
        "milter_header_checks": "regexp:/etc/postfix/milters",
        "smtp_line_length_limit": "2048",
    }
    yield from _found("Postfix: smtp(8)", lambda: check_sending._of_postfix(Settings(of_smtp), Smtp()))
    converts = Settings({"disable_mime_output_conversion": "no"})
    yield from _found("Postfix: 8BITMIME", lambda: check_sending._of_postfix(converts, Smtp(998, False)))


def _of_owner_aliases() -> Iterator[Said]:
    settings = Config()
    way = replace(
        way_out.configured(settings.departure), owners=("hash:/etc/aliases",), origins=frozenset({"a.example"})
    )
    own = frozenset({"a.example", "mx.a.example"})
    for shown, each in (
        ("alias_maps with owner- aliases", way),
        ("canonical_maps", replace(way, owners=(), own=own)),
        ("smtp_generic_maps", replace(way, authors=Authors(frozenset({"root", "@box"})))),
        ("smtp_generic_maps = ldap:x", replace(way, authors=Authors(unseen=("smtp_generic_maps",), own=own))),
        ("smtp_header_checks", replace(way, authors=Authors(frozenset({"*"})))),
    ):
        gate = SimpleNamespace(way_out=each, config=settings)
        yield from _found(
            shown,
            lambda: check_departure.findings(gate),  # type: ignore[arg-type]  # noqa: B023
        )


def _of_networks() -> Iterator[Said]:
    for network, bridges, wide, _ in networks.SAID:
        trust = Trust(networks=(network,), wide=wide)
        yield from _found(f"trust.networks: {network}", lambda: check_networks.of(trust, networks.ROUTES, bridges))  # noqa: B023
    relays = Trust(networks=("10.0.0.0/24",), relays=("10.0.1.5/32",))
    yield from _found("trust.relays: 10.0.1.5/32", lambda: check_networks.of(relays, "", ()))


def _of_journal(folder: Path) -> Iterator[Said]:
    broken, line = sending.line(sending.BROKEN), sending.line
    no_author = line(replace(sending.NO_AUTHOR, origin=Origin.LOCAL), signed=False)
    for shown, lines in (
        ("a line that is too long", [line(sending.OWN), broken]),
        ("8-bit content", [line(replace(sending.OWN, sending=Sending(eight_bit=True)))]),
        ("a sub-domain", [line(sending.WWW)]),
        ("a sub-domain, adkim=s", [line(replace(sending.WWW, strict_dkim=True))]),
        ("no author domain", [line(sending.OWN), no_author]),
    ):
        (folder / "decisions.jsonl").write_bytes(b"".join(lines))
        yield from _found(f"journal: {shown}", lambda: check_sending._of_journal(folder / "decisions.jsonl"))
    (folder / "decisions.jsonl").unlink()
    with patch("dkimgate.record.journal.may", lambda *_: False):
        for shown, file in (("no folder", folder / "no" / "j"), ("a folder", folder), ("a file", folder / "j")):
            problem = Journal(file).probe()
            yield f"journal.file: {shown}", Problem("journal.unwritable", f"journal.file: {problem}")


def _of_files(folder: Path) -> Iterator[Said]:
    file = folder / "key.pem"
    for closed in (None, Path("/etc/closed")):
        with (
            patch.object(permissions, "closed_folder", lambda *_: closed),  # noqa: B023
            patch.object(permissions, "may", lambda *_: False),
            patch.object(permissions, "group_of", lambda _: "nogroup"),
        ):
            problem = permissions.hindrance(file, "nobody")
            assert problem is not None
            yield f"a file for nobody, {'in a closed folder' if closed else 'of root'}", problem
    open_folder = folder / "open"
    open_folder.mkdir()
    (open_folder / "key.pem").write_bytes(file.read_bytes())
    (open_folder / "key.pem").chmod(0o600)
    open_folder.chmod(0o777)
    weak = key_files.weak_rsa(folder, 1024)
    for shown, each in (("in a folder that is open to all", open_folder / "key.pem"), ("RSA of 1024 bits", weak)):
        yield from ((f"key: {shown}", problem) for problem in load_keys((key_files.entry(each),))[1])
    with patch.object(gate_key_files, "MOST_BITS", 2047):
        found = load_keys((key_files.entry(file),))[1]
        yield from (("key: RSA of many bits", problem) for problem in found if problem.code == "key.too-long")


def _of_units(folder: Path) -> Iterator[Said]:
    """Credentials of systemd, and what its sandbox takes away."""
    lib, run = folder / "lib", folder / "run"
    lib.mkdir()
    made = run / "dkimgate.service" / "a.pem"
    key = dkimgate_yaml.Key(domain="hosted.example", selector="s", file=made)
    settings = Config().model_copy(update={"keys": (key,)})
    with patch.object(systemd_unit, "FOLDERS", (lib,)), patch.object(credentials, "FOLDER", run):
        for text in (
            None,
            "",
            "LoadCredentialEncrypted=a.pem:/k/a",
            "SetCredential=a.pem:x",
            f"LoadCredential=a.pem:{folder}/ed25519.pem",
        ):
            if text is not None:
                (lib / "dkimgate.service").write_text(f"[Service]\n{text}\n")
            with patch("os.access", lambda *_: False):
                yield from _found(f"the unit: {text}", lambda: [load_key(key)])
        yield from _found("a credential, the service is down", lambda: check_start.credentials_from_elsewhere(settings))
        made.parent.mkdir(parents=True)
        yield from _found("a credential, the service runs", lambda: check_start.credentials_from_elsewhere(settings))
    at_home = settings.model_copy(
        update={
            "listen": (Listener(socket="unix:/home/x/sock"),),
            "journal": dkimgate_yaml.Journal(file=Path("/srv/d.jsonl")),
        }
    )
    unit = {"ProtectHome": ("yes",), "ProtectSystem": ("strict",), "LogsDirectory": ("dkimgate",)}
    yield from _found("the sandbox of the unit", lambda: check_start.hidden(unit, Path("/etc/x"), at_home))
    file = folder / "dkimgate.yaml"
    with (
        patch.object(systemd_unit, "read", lambda _: {"ExecStart": (str(file),)}),
        patch.object(check_start, "is_folder", lambda _: True),
        patch("os.geteuid", lambda: 0),
        patch("subprocess.run", side_effect=OSError(errno.ENOENT, "No such file or directory", "systemd-run")),
        patch.object(check_start, "_as_the_user", lambda _: ""),
    ):
        yield from _found("no systemd-run", lambda: check_start.tried(file, Config()))
    with patch("os.geteuid", lambda: 0):
        journal = dkimgate_yaml.Journal(file=Path("/dev/null"))
        as_root = Config().model_copy(update={"journal": journal})
        yield from _found("no `user`, as root", lambda: check_findings._journal(None, as_root))  # type: ignore[arg-type]


def _of_a_start(folder: Path) -> Iterator[Said]:
    def opened(listen: str, **more: str) -> Callable[[], Iterable[Any]]:
        return lambda: sockets.open_all(Config(listen=listen, **more), None)

    (folder / "file").touch()
    yield from _found("a file in the place of the socket", opened(f"unix:{folder}/file"))
    yield from _found("no folder for the socket", opened(f"unix:{folder}/none/sock"))
    yield from _found("a file in the place of the folder", opened(f"unix:{folder}/file/sock"))
    yield from _found("no such group", opened(f"unix:{folder}/s", socket_group="nosuchgroup"))
    for code in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM):
        text = sockets._advice(OSError(code, os.strerror(code)), None)
        yield os.strerror(code), Problem("start.socket", f"listen: inet:127.0.0.1:25: {text}")
    yield (
        "no permission",
        Problem("start.socket", f"listen: unix:/x/s: {sockets._advice(OSError(errno.EACCES, ''), Path('/x/s'))}"),
    )
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"{folder}/taken")
        other.listen()
        yield from _found("another daemon listens there", opened(f"unix:{folder}/taken"))
    fake = SimpleNamespace(connect_ex=lambda _: errno.EACCES)
    with patch("socket.socket", lambda *_: contextlib.nullcontext(fake)):
        yield from _found("a socket of another user", opened(f"unix:{folder}/taken"))
    with patch.object(Path, "unlink", side_effect=PermissionError(errno.EACCES, "Permission denied")):
        yield from _found("a stale socket that can't be removed", opened(f"unix:{folder}/taken"))
    with patch("socket.getaddrinfo", side_effect=socket.gaierror(-2, "Name or service not known")):
        yield from _found("no such host", opened("inet:nosuch.example:8891"))
    for user, euid in (("nosuchuser", 0), ("root", 0), ("mail", 65534)):
        with patch("os.geteuid", lambda: euid):  # noqa: B023
            yield from _found(f"user: {user}", lambda: [privileges.owner_of(Config(user=user))])  # noqa: B023
    owner = Owner("dkimgate", 990, 990)
    yield from _found("no folder for the journal", lambda: privileges.prepare_folder(folder / "no" / "log", owner))
    with patch("os.initgroups", side_effect=PermissionError(errno.EPERM, "Operation not permitted")):
        yield from _found("no way to another user", lambda: privileges.become(owner))
    with patch("os.initgroups"), patch("os.setresgid"), patch("os.setresuid"), patch("os.getresuid", lambda: (0, 0, 0)):
        yield from _found("a way back to root", lambda: privileges.become(owner))
    listening = SimpleNamespace(role="gate")
    with patch.object(server.Supervisor, "_fork", lambda *_: None):
        supervisor = server.Supervisor(folder, lambda *_: None, Config(), (listening,))  # type: ignore[arg-type]
        judge = SimpleNamespace(config=Config(workers=1))
        yield from _found("no worker comes up", lambda: [supervisor._begin(judge)])
