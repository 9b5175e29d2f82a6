"""The signers that are compared: each an ordinary process with a configuration made for the run, one RSA-2048 key,
relaxed/relaxed."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from dkimgate.message.message import Connection
from dkimgate.postfix.milter_client import MilterClient, MilterError
from tests.bench import processes
from tests.bench.load import PROGRAMS
from tests.bench.messages import DOMAIN, HOST, SELECTOR

ROOT = Path(__file__).parents[2]
SIGNED_FIELDS = [
    *("From", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "To", "Cc"),
    *("MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'milter'}:{ROOT}"}


class Late(RuntimeError):
    """A milter does not answer in time."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A milter that can be started: its folder holds the configuration and what it logs."""

    name: str
    folder: Path
    command: Sequence[str]
    system_python: bool = False

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "milter.sock"


def write(folder: Path, **files: str) -> None:
    """Make the folder with those files; `name_conf` is the file name.conf."""
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)


def nothing_in_c(folder: Path) -> Peer:
    """A milter in C that does nothing: what libmilter costs, and how fast the load can be."""
    write(folder)
    return Peer("libmilter alone", folder, [str(PROGRAMS / "nothing_milter"), f"unix:{folder}/milter.sock"])


def opendkim(folder: Path, key: Path, domains: Sequence[tuple[str, Path]] = ()) -> Peer:
    """OpenDKIM, signing; `domains` have keys by its tables (KeyTable, SigningTable) in place of the one key."""
    one = f"Domain {DOMAIN}\nSelector {SELECTOR}\nKeyFile {key}\n"
    tables = f"KeyTable {folder}/keys.table\nSigningTable {folder}/signing.table\n"
    text = f"""\
Mode s
Socket local:{folder}/milter.sock
Canonicalization relaxed/relaxed
InternalHosts 0.0.0.0/0
SignHeaders {",".join(SIGNED_FIELDS)}
OversignHeaders From
RequireSafeKeys no
Syslog no
UMask 000
AutoRestart no
"""
    write(
        folder,
        opendkim_conf=text + (tables if domains else one),
        keys_table="".join(f"{name} {name}:{SELECTOR}:{file}\n" for name, file in domains),
        signing_table="".join(f"{name} {name}\n" for name, _ in domains),
    )
    return Peer("OpenDKIM", folder, ["opendkim", "-f", "-x", f"{folder}/opendkim.conf"])


def rspamd(folder: Path, key: Path) -> Peer:
    """rspamd with two workers, its module for DKIM signing, and no other."""
    text = f"""\
lua = "$RULESDIR/rspamd.lua";
options {{
  filters = "dkim"; explicit_modules = ["dkim_signing"]; disable_hyperscan = true; history_rows = 1;
  tempdir = "{folder}"; pidfile = "{folder}/pid"; cache_file = "{folder}/symbols.cache";
  stats_file = "{folder}/stats"; hs_cache_dir = "{folder}/"; control_socket = "{folder}/control.sock mode=0600";
  url_tld = "{folder}/tld.dat"; dns {{ nameserver = ["127.0.0.1:9"]; timeout = 1s; }}
}}
logging {{ type = "console"; level = "warning"; }}
worker "rspamd_proxy" {{
  bind_socket = "{folder}/milter.sock mode=0666"; milter = yes; count = 2; timeout = 120s;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
modules {{ path = "${{PLUGINSDIR}}/dkim_signing.lua"; }}
actions {{ reject = 1000; add_header = 900; greylist = 800; }}
dkim_signing {{
  enabled = true; sign_authenticated = true; sign_local = true; use_domain = "header"; use_esld = false;
  allow_username_mismatch = true; allow_hdrfrom_mismatch = true; use_redis = false; check_pubkey = false;
  sign_headers = "(o)from:{":".join(SIGNED_FIELDS[1:]).lower()}";
  domain {{ {DOMAIN} {{ path = "{key}"; selector = "{SELECTOR}"; }} }}
}}
"""
    # a short list of top-level domains: it looks for web addresses alone, and the long one takes it half a minute
    write(folder, rspamd_conf=text, tld_dat="example\ncom\nnet\norg\n")
    return Peer("rspamd, signing only", folder, ["rspamd", "-f", "-i", "-c", f"{folder}/rspamd.conf"])


def dkimpy_milter(folder: Path, key: Path) -> Peer:
    """dkimpy-milter, signing."""
    text = f"""\
Mode s
Domain {DOMAIN}
Selector {SELECTOR}
KeyFile {key}
Canonicalization relaxed/relaxed
InternalHosts 0.0.0.0/0
Socket local:{folder}/milter.sock
PidFile {folder}/pid
UserID {getpass.getuser()}
UMask 007
Syslog no
"""
    write(folder, dkimpy_conf=text)
    return Peer("dkimpy-milter", folder, ["dkimpy-milter", f"{folder}/dkimpy.conf"], system_python=True)


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key of dkimgate."""

    file: Path
    domain: str = DOMAIN
    selector: str = SELECTOR


def dkimgate(
    folder: Path,
    keys: Sequence[Key],
    port: int,
    *,
    name: str = "dkimgate",
    policy: str = "",
    more: Mapping[str, object] | None = None,
) -> Peer:
    """dkimgate with the shipped policy (or that text), its evidence and guards on, the journal on disk, two workers.

    `port`: of the name server on loopback. `more`: keys of dkimgate.yaml.
    """
    write(folder)
    _configure(folder, keys, port, policy, more or {})
    return Peer(name, folder, [sys.executable, "-m", "dkimgate", "run", "--config", f"{folder}/dkimgate.yaml"])


def nothing_in_dkimgate(folder: Path, port: int) -> Peer:
    """dkimgate's daemon with a judge that does nothing."""
    write(folder)
    _configure(folder, (), port, "", {})
    command = [sys.executable, "-m", "tests.bench.nothing", f"{folder}/dkimgate.yaml"]
    return Peer("dkimgate's daemon alone", folder, command)


def _configure(folder: Path, keys: Sequence[Key], port: int, policy: str, more: Mapping[str, object]) -> None:
    settings: dict[str, object] = {
        "listen": f"unix:{folder}/milter.sock",
        "workers": 2,
        "drain_seconds": 5,
        "trust": {"hosts": [HOST], "authserv_ids": [HOST], "networks": ["127.0.0.0/8"]},
        "keys": [{"domain": key.domain, "selector": key.selector, "file": str(key.file)} for key in keys],
        # whatever Postfix and routes the machine has
        "departure": {"addresses": ["192.0.2.10"], "helo": HOST, "origin": HOST, "rewrites_senders": False},
        "verify": {"nameservers": ["127.0.0.1"], "port": port},
        "journal": {"file": f"{folder}/decisions.jsonl"},
        **more,
    }
    (folder / "policy.yaml").write_text(policy or (ROOT / "config" / "policy.yaml").read_text())
    (folder / "dkimgate.yaml").write_text(yaml.safe_dump(settings))


class Running:
    """A peer whose process is there; it may need a while until it answers."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.began = time.monotonic()
        environment = dict(os.environ) if peer.system_python else ENVIRONMENT
        with (peer.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                peer.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=peer.folder
            )

    @property
    def pid(self) -> int:
        """Of the first of its processes."""
        return self.process.pid

    def wait(self, limit: float = 120.0) -> float:
        """Wait until it answers; the seconds from its start until then. RuntimeError with what it logged, where it
        ends; Late where it takes longer than `limit` (s)."""
        while not answers(self.peer.socket):
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.peer.name} ended:\n{self.log()[-3000:]}")
            if time.monotonic() > self.began + limit:
                raise Late(f"{self.peer.name} does not answer after {limit:.0f} s:\n{self.log()[-3000:]}")
            time.sleep(0.01)
        return time.monotonic() - self.began

    def log(self) -> str:
        """What it printed."""
        return (self.peer.folder / "log").read_text(errors="replace")

    def cpu(self) -> float:
        """Seconds of CPU of all its processes so far."""
        return processes.cpu(self.pid)

    def end(self) -> None:
        """Stop it, by force after a while. Its children end with it, or by force."""
        children = processes.family(self.pid)[1:]
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def started(peer: Peer) -> Iterator[Running]:
    """Start it, and end it behind the block."""
    running = Running(peer)
    try:
        yield running
    finally:
        running.end()


def answers(socket: Path) -> bool:
    """Does a milter negotiate there?"""
    try:
        with MilterClient(f"unix:{socket}") as client:
            client.open(Connection("192.0.2.7", "client.hosted.example", "client.hosted.example", daemon="smtpd"))
    except MilterError:
        return False
    return True
