"""Private keys read from files that only their owner can change."""

from __future__ import annotations

import base64
import binascii
import re
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers

from dkimgate.config import dkimgate_yaml, secret_file
from dkimgate.config.problem import ConfigError, Problem
from dkimgate.dkim.keys import LEAST_BITS, MOST_BITS, SAFE_BITS, PrivateKey, SigningKey, signing_key

_MISSING = "correct `file`, or make the key with dkimgate keys new"

# how a file that holds something else begins, and what to tell its owner
_WRONG_LABELS = (
    (
        b"ENCRYPTED",
        "the key is encrypted, and the daemon can't ask for a passphrase: decrypt it with openssl pkey -in FILE -out "
        "NEW",
    ),
    (b"-----BEGIN PUBLIC KEY", "this is a public key: expected the private key"),
    (b"-----BEGIN RSA PUBLIC KEY", "this is a public key: expected the private key"),
    (b"-----BEGIN CERTIFICATE", "this is a certificate: expected a private key"),
    (b"-----BEGIN OPENSSH", "this is an OpenSSH key: make one for DKIM with dkimgate keys new"),
    (b"v=DKIM1", "this is the DNS record: expected the file with its private key"),
)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PRIVATE = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_NO_KEY = "no private key in it: expected PEM (-----BEGIN PRIVATE KEY-----), as dkimgate keys new writes it"


def open_folder(file: Path, known: dict[Path, Path | None]) -> list[Problem]:
    """Who may write to a folder above a key may put another in its place. `known`: the folders that were looked at."""
    if file.parent not in known:
        known[file.parent] = _open_above(file.absolute().parent)
    folder = known[file.parent]
    if folder is None:
        return []
    text = f"everyone may write to the folder {folder}, so anyone can replace the key: run chmod o-w {folder}"
    return [Problem("key.open-folder", text, file)]


def _open_above(folder: Path) -> Path | None:
    for each in (folder, *folder.parents):
        try:
            mode = each.stat().st_mode
        except OSError:
            continue
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return each
    return None


def load_key(entry: dkimgate_yaml.Key, parsed: dict[Path, PrivateKey] | None = None) -> SigningKey:
    """Read one key file: PEM (PKCS#1 or PKCS#8), or the base64 seed of an Ed25519 key. Raises ConfigError. `parsed`:
    files that were read before, and then this one too."""
    file, parsed = entry.file, {} if parsed is None else parsed
    if file not in parsed:
        parsed[file] = _parse(secret_file.read(file, "the key", _MISSING), file)
    key = signing_key(entry.domain, entry.selector, parsed[file])
    if key.bits < LEAST_BITS and key.algorithm == "rsa-sha256":
        raise ConfigError(
            Problem(
                "key.too-short",
                f"verifiers refuse an RSA key of {key.bits} bits: make one of {SAFE_BITS} with dkimgate keys new "
                f"{key.domain} NEW-SELECTOR",
                file,
            )
        )
    return key


def weaknesses(key: SigningKey, file: Path) -> list[Problem]:
    """What is to be said of the length of a key."""
    if key.algorithm != "rsa-sha256":
        return []
    if key.bits < SAFE_BITS:
        text = f"an RSA key of {key.bits} bits is weak: replace it with one of {SAFE_BITS} (dkimgate keys new)"
        return [Problem("key.weak", text, file)]
    if key.bits > MOST_BITS:
        text = f"verifiers need not accept an RSA key of {key.bits} bits: use {SAFE_BITS} to {MOST_BITS}"
        return [Problem("key.too-long", text, file)]
    return []


def _parse(data: bytes, file: Path) -> PrivateKey:
    text = data.removeprefix(_BYTE_ORDER_MARK).strip()  # some editors put one there
    seed = _seed(text)
    if seed is not None:
        return Ed25519PrivateKey.from_private_bytes(seed)
    # only from here on: chance may put such a word into the base64 of a seed
    for label, explanation in _WRONG_LABELS:
        if label in text:
            raise ConfigError(Problem("key.wrong-file", explanation, file))
    if not text.startswith(b"-----BEGIN") and b"\n-----BEGIN" not in text:
        raise ConfigError(Problem("key.none", "the file is empty" if not text else _NO_KEY, file))
    if len(_PRIVATE.findall(text)) > 1:
        raise ConfigError(
            Problem(
                "key.several",
                "the file has more than one private key: put each key into its own file",
                file,
            )
        )
    try:
        # whether its factors are prime takes 45 ms a key to find out, and no damage is hidden that way
        key = serialization.load_pem_private_key(text + b"\n", None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # the library's own words say nothing to an operator, and might quote the key
        raise ConfigError(_damaged(file)) from None
    if isinstance(key, RSAPrivateKey) and not _fits(key.private_numbers()):
        raise ConfigError(_damaged(file))
    if isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        return key
    kind = "an elliptic-curve (EC) key" if isinstance(key, ec.EllipticCurvePrivateKey) else "a key of another kind"
    raise ConfigError(Problem("key.kind", f"this is {kind}: DKIM knows RSA and Ed25519 (dkimgate keys new)", file))


def _damaged(file: Path) -> Problem:
    return Problem(
        "key.damaged",
        "the private key can't be read: the file is damaged, or DKIM does not know this kind of key",
        file,
    )


def _fits(key: RSAPrivateNumbers) -> bool:
    """Do the numbers of an RSA key belong together (RFC 8017 section 3.2)? Then none of them is damaged."""
    public, p, q = key.public_numbers, key.p, key.q
    return (
        min(p, q) > 2
        and p * q == public.n
        and public.e * key.d % (p - 1) == 1
        and public.e * key.d % (q - 1) == 1
        and key.dmp1 == key.d % (p - 1)
        and key.dmq1 == key.d % (q - 1)
        and key.iqmp * q % p == 1
    )


def _seed(text: bytes) -> bytes | None:
    """The 32 octets of an Ed25519 key in dknewkey's form: base64 and nothing else."""
    if len(text) != 44:
        return None
    try:
        seed = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return seed if len(seed) == 32 else None
