"""Key files: what is accepted, and a clear refusal for everything else."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, PublicFormat

from dkimgate.config import dkimgate_yaml
from dkimgate.config.yaml_file import ConfigError
from dkimgate.dkim.keys import signing_key
from dkimgate.gate import key_files
from dkimgate.gate.key_files import load_key, load_keys, load_usable
from tests.needs import need_program

PLAIN = serialization.NoEncryption()
RSA = rsa.generate_private_key(65537, 2048)
ED25519 = Ed25519PrivateKey.generate()
SEED = ED25519.private_bytes_raw()

PEMS = {
    "rsa PKCS#8": RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
    "rsa PKCS#1": RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, PLAIN),
    "rsa with CRLF": RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN).replace(b"\n", b"\r\n"),
    "rsa with words in front": b"made by hand\n" + RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
    "rsa without final newline": RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN).rstrip(),
    "ed25519 PKCS#8": ED25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
    "ed25519 seed of dknewkey": base64.b64encode(SEED),
    "ed25519 seed with newline": base64.b64encode(SEED) + b"\n",
}


def entry(file: Path, selector: str = "default") -> dkimgate_yaml.Key:
    return dkimgate_yaml.Key(domain="hosted.example", selector=selector, file=str(file))


def write(folder: Path, data: bytes, mode: int = 0o600, name: str = "key.pem") -> Path:
    file = folder / name
    file.write_bytes(data)
    file.chmod(mode)
    return file


def refusal(file: Path) -> str:
    """The one line that says why; a line that an operator can use names the file, and never shows what is in it."""
    with pytest.raises(ConfigError) as caught:
        load_key(entry(file))
    [problem] = map(str, caught.value.problems)
    assert problem.startswith(f"{file}: ")
    assert "\n" not in problem
    return problem


@pytest.mark.parametrize(("name", "pem"), PEMS.items(), ids=PEMS.keys())
def test_loads(tmp_path: Path, name: str, pem: bytes) -> None:
    key = load_key(entry(write(tmp_path, pem)))
    assert (key.domain, key.selector, key.name) == ("hosted.example", "default", "default._domainkey.hosted.example")
    if name.startswith("rsa"):
        assert (key.algorithm, key.bits) == ("rsa-sha256", 2048)
        RSA.public_key().verify(key.sign(b"data"), b"data", PKCS1v15(), hashes.SHA256())
    else:
        digest = hashes.Hash(hashes.SHA256())
        digest.update(b"data")
        assert (key.algorithm, key.bits) == ("ed25519-sha256", 256)
        ED25519.public_key().verify(key.sign(b"data"), digest.finalize())


def test_public_records() -> None:
    kind, rsa_key = signing_key("a.example", "s", RSA).public_record().rsplit(" p=", 1)
    assert kind == "v=DKIM1; k=rsa;"
    assert base64.b64decode(rsa_key) == RSA.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    kind, ed_key = signing_key("a.example", "s", ED25519).public_record().rsplit(" p=", 1)
    assert kind == "v=DKIM1; k=ed25519;"
    assert base64.b64decode(ed_key) == ED25519.public_key().public_bytes_raw()


def test_key_material_is_in_no_repr() -> None:
    assert "private" not in repr(signing_key("a.example", "s", ED25519)).lower()


@pytest.mark.servers
def test_loads_what_opendkim_genkey_writes(tmp_path: Path) -> None:
    need_program("opendkim-genkey")
    subprocess.run(
        ["opendkim-genkey", "-D", tmp_path, "-d", "hosted.example", "-s", "sel", "-b", "2048"],
        check=True,
        capture_output=True,
    )
    key = load_key(entry(tmp_path / "sel.private"))
    published = "".join((tmp_path / "sel.txt").read_text().split('"')[1::2])
    assert key.public_record().rsplit("p=", 1)[1] in published.replace(" ", "")


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440, 0o700, 0o650])
def test_permissions_that_are_safe(tmp_path: Path, mode: int) -> None:
    load_key(entry(write(tmp_path, PEMS["ed25519 PKCS#8"], mode)))


@pytest.mark.parametrize(
    ("mode", "who", "wanted"),
    [
        (0o644, "everyone can read", "0640"),
        (0o604, "everyone can read", "0600"),
        (0o666, "everyone can change", "0640"),
        (0o602, "everyone can change", "0600"),
        (0o660, "its group can change", "0640"),
        (0o620, "its group can change", "0600"),
        (0o444, "everyone can read", "0440"),
        (0o777, "everyone can change", "0640"),
    ],
)
def test_permissions_that_are_not(tmp_path: Path, mode: int, who: str, wanted: str) -> None:
    # root could open all of them: the mode must be looked at
    file = write(tmp_path, PEMS["ed25519 PKCS#8"], mode, "a key.pem")
    problem = refusal(file)
    assert who in problem
    command = problem.rsplit(": run ", 1)[1]
    assert command == f"chmod {wanted} '{file}'"
    subprocess.run(command, shell=True, check=True)
    load_key(entry(file))


def test_a_link_is_judged_by_what_it_points_to(tmp_path: Path) -> None:
    write(tmp_path, PEMS["rsa PKCS#8"], 0o644)
    (tmp_path / "link.pem").symlink_to("key.pem")
    assert "everyone can read" in refusal(tmp_path / "link.pem")


EC = ec.generate_private_key(ec.SECP256R1())
DSA = dsa.generate_private_key(2048)
ENCRYPTED = serialization.BestAvailableEncryption(b"secret")
WRONG = {
    "empty": (b"", "the file is empty"),
    "white space": (b" \n\n", "the file is empty"),
    "text": (b"to be done\n", "no private key in it"),
    "octets": (bytes(range(256)), "no private key in it"),
    "base64 of another length": (base64.b64encode(SEED + b"x"), "no private key in it"),
    "no base64": (b"*" * 44, "no private key in it"),
    "DER": (RSA.private_bytes(Encoding.DER, PrivateFormat.PKCS8, PLAIN), "no private key in it"),
    "cut off": (PEMS["rsa PKCS#8"][:400], "can't be read: the file is damaged"),
    "damaged": (PEMS["rsa PKCS#8"].replace(b"MII", b"***", 1), "can't be read: the file is damaged"),
    "an unknown label": (PEMS["rsa PKCS#8"].replace(b"PRIVATE", b"SECRET"), "can't be read"),
    "encrypted PKCS#8": (RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, ENCRYPTED), "the key is encrypted"),
    "encrypted PKCS#1": (
        RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, ENCRYPTED),
        "the key is encrypted",
    ),
    "public": (RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "this is a public key"),
    "public PKCS#1": (RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1), "this is a public key"),
    "OpenSSH": (ED25519.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, PLAIN), "this is an OpenSSH key"),
    "certificate": (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "this is a certificate"),
    "DNS record": (b'default._domainkey IN TXT ( "v=DKIM1; k=rsa; " "p=MIIB" )\n', "this is the DNS record"),
    "EC": (
        EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
        "elliptic-curve (EC) key: DKIM knows RSA and Ed25519",
    ),
    "EC, SEC1": (EC.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, PLAIN), "elliptic-curve (EC) key"),
    "DSA": (DSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN), "DKIM knows RSA and Ed25519"),
}


@pytest.mark.parametrize(("data", "expected"), WRONG.values(), ids=WRONG.keys())
def test_what_holds_no_key_for_dkim(tmp_path: Path, data: bytes, expected: str) -> None:
    problem = refusal(write(tmp_path, data))
    assert expected in problem
    assert not any(line.decode("latin-1") in problem for line in data.split(b"\n") if len(line) > 40)


def test_missing(tmp_path: Path) -> None:
    assert "No such file or directory: correct `file`" in refusal(tmp_path / "no.pem")


def test_not_regular(tmp_path: Path) -> None:
    assert "not a regular file" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "not a regular file" in refusal(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert "can't read the key" in refusal(tmp_path / "socket")
    assert "not a regular file" in refusal(Path("/dev/zero"))


def test_unreadable_says_how_to_let_the_daemon_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    problem = refusal(tmp_path / "key.pem")
    assert "Permission denied" in problem
    assert f"chgrp GROUP {tmp_path}/key.pem && chmod 0640 {tmp_path}/key.pem" in problem


def weak_rsa(tmp_path: Path, bits: int) -> Path:
    """Made by openssl: the library makes no such keys."""
    file = tmp_path / f"{bits}.pem"
    subprocess.run(["openssl", "genrsa", "-out", file, str(bits)], check=True, capture_output=True)
    file.chmod(0o600)
    return file


def test_rsa_of_512_bits_is_refused(tmp_path: Path) -> None:
    assert "512 bits" in refusal(weak_rsa(tmp_path, 512))


def test_rsa_of_1024_bits_loads_with_a_warning(tmp_path: Path) -> None:
    weak, good = weak_rsa(tmp_path, 1024), write(tmp_path, PEMS["rsa PKCS#8"])
    keys, [warning] = load_keys(
        (entry(good, "good"), entry(weak, "weak"), entry(write(tmp_path, PEMS["ed25519 PKCS#8"], name="ed"), "ed"))
    )
    assert [key.bits for key in keys] == [2048, 1024, 256]
    assert str(warning).startswith(f"{weak}: an RSA key of 1024 bits is weak")


def test_rsa_larger_than_verifiers_must_handle_loads_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a real one takes seconds to make
    monkeypatch.setattr(key_files, "MOST_BITS", 2047)
    _, [warning] = load_keys((entry(write(tmp_path, PEMS["rsa PKCS#8"])),))
    assert "2048 bits, which verifiers need not accept" in str(warning)


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    good = write(tmp_path, PEMS["rsa PKCS#8"])
    entries = (
        entry(tmp_path / "a"),
        entry(good, "good"),
        entry(write(tmp_path, b"", name="b"), "b"),
        entry(good, "good"),
    )
    with pytest.raises(ConfigError) as caught:
        load_keys(entries)
    missing, empty, twice = map(str, caught.value.problems)
    assert "No such file" in missing
    assert "empty" in empty
    assert "the selector good of hosted.example stands twice" in twice


def test_no_keys_are_no_mistake() -> None:
    assert load_keys(()) == ([], [])


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    """Windows editors put one in front."""
    for name, pem in PEMS.items():
        assert load_key(entry(write(tmp_path, b"\xef\xbb\xbf" + pem, name=name.replace("#", "").replace(" ", "")))).name


def test_two_keys_in_one_file_are_refused(tmp_path: Path) -> None:
    both = PEMS["rsa PKCS#8"] + PEMS["ed25519 PKCS#8"]
    with pytest.raises(ConfigError, match="more than one private key"):
        load_key(entry(write(tmp_path, both)))


def test_a_folder_that_everyone_may_write_to_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    file = write(folder, PEMS["rsa PKCS#8"])
    folder.chmod(0o777)
    assert any(
        str(folder) in warning and "chmod o-w" in warning for warning in map(str, load_usable((entry(file),))[1])
    )
    folder.chmod(0o1777)  # /tmp: nobody can put another file in its place
    assert not any("chmod o-w" in warning for warning in map(str, load_usable((entry(file),))[1]))


def test_one_broken_key_does_not_take_the_others_along(tmp_path: Path) -> None:
    good = entry(write(tmp_path, PEMS["rsa PKCS#8"]), "good")
    keys, _, broken = load_usable((good, entry(tmp_path / "gone.pem", "gone")))
    assert [key.selector for key in keys] == ["good"]
    assert len(broken) == 1 and "gone.pem" in str(broken[0])
