"""What all tables of the bench share: a folder on disk, keys, a name server, the figures that were found."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from tests.bench.figures import Figure
from tests.bench.messages import DOMAIN, SELECTOR
from tests.bench.peers import ROOT
from tests.running import free_port


@dataclass(slots=True)
class World:
    """One run. `quick`: shorter and noisier."""

    folder: Path
    port: int
    quick: bool
    key: Path
    ed25519: Path
    records: dict[str, bytes]
    """Public keys as DNS has them, by name."""
    figures: list[Figure] = field(default_factory=list)
    data: dict[str, object] = field(default_factory=dict)
    """What each table measured, for the JSON."""

    def say(self, text: str) -> None:
        """What is being done, for somebody who waits."""
        print(text, file=sys.stderr, flush=True)

    def new_folder(self, name: str) -> Path:
        """A path that nobody has, short enough for a socket below it."""
        return self.folder / f"{name}{sum(1 for _ in self.folder.iterdir())}"


@contextmanager
def world(quick: bool) -> Iterator[World]:
    """Make it, and take it away again. /var/tmp is on disk, where /tmp may be memory."""
    with TemporaryDirectory(prefix="dkimgate-bench-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        key, other = folder / "rsa.pem", folder / "ed25519.pem"
        records = {f"{SELECTOR}._domainkey.{DOMAIN}": write_rsa(key), f"ed._domainkey.{DOMAIN}": _write_ed25519(other)}
        port = free_port()
        with _names(folder, port, records):
            yield World(folder, port, quick, key, other, records)


def write_rsa(file: Path) -> bytes:
    """A new RSA-2048 key in the form that all signers read. Returns its record."""
    key = rsa.generate_private_key(65537, 2048)
    _write(file, key, serialization.PrivateFormat.TraditionalOpenSSL)
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


def _write_ed25519(file: Path) -> bytes:
    key = ed25519.Ed25519PrivateKey.generate()
    _write(file, key, serialization.PrivateFormat.PKCS8)
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(public)


def _write(file: Path, key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, form: serialization.PrivateFormat) -> None:
    file.touch(0o600)
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


@contextmanager
def _names(folder: Path, port: int, records: dict[str, bytes]) -> Iterator[None]:
    """The name server. Our address is not in the SPF record of the hosted domain."""
    zone = folder / "zone"
    lines = [f'{DOMAIN} TXT "v=spf1 ip4:198.51.100.1 -all"', f'_dmarc.{DOMAIN} TXT "v=DMARC1; p=reject"']
    for name, value in records.items():
        halves = (value[:200].decode(), value[200:].decode())
        lines.append(f"{name} TXT " + " ".join(f'"{half}"' for half in halves if half))
    zone.write_text("".join(f"{line}\n" for line in lines))
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.names", str(port), str(zone)], cwd=ROOT)
    try:
        time.sleep(0.5)
        yield
    finally:
        process.kill()
        process.wait()
