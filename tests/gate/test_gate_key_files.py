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
from dkimgate.config.problem import Problem
from dkimgate.dkim.keys import PrivateKey, signing_key
from dkimgate.gate import key_files
from dkimgate.gate.key_files import load_key
from dkimgate.gate.key_ring import KeyRing, load_keys
from tests.needs import need_program
from tests.problems import refusals, told

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


def refusal(file: Path) -> Problem:
    """The one problem, in one line: it names the file, and never shows what is in it."""
    (problem,) = refusals(load_key, entry(file))
    assert problem.file == file and "\n" not in problem.text
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
    ("mode", "wanted"),
    [
        (0o644, "0640"),
        (0o604, "0600"),
        (0o666, "0640"),
        (0o602, "0600"),
        (0o660, "0640"),
        (0o620, "0600"),
        (0o444, "0440"),
        (0o777, "0640"),
    ],
)
def test_permissions_that_are_not(tmp_path: Path, mode: int, wanted: str) -> None:
    # root could open all of them: the mode must be looked at
    file = write(tmp_path, PEMS["ed25519 PKCS#8"], mode, "a key.pem")
    problem = refusal(file)
    command = f"chmod {wanted} '{file}'"
    assert problem.code == "file.permissions" and command in problem.text
    subprocess.run(command, shell=True, check=True)
    load_key(entry(file))


def test_a_link_is_judged_by_what_it_points_to(tmp_path: Path) -> None:
    write(tmp_path, PEMS["rsa PKCS#8"], 0o644)
    (tmp_path / "link.pem").symlink_to("key.pem")
    assert refusal(tmp_path / "link.pem").code == "file.permissions"


EC = ec.generate_private_key(ec.SECP256R1())
DSA = dsa.generate_private_key(2048)
ENCRYPTED = serialization.BestAvailableEncryption(b"secret")
WRONG = {
    "empty": (b"", "key.none"),
    "white space": (b" \n\n", "key.none"),
    "text": (b"to be done\n", "key.none"),
    "octets": (bytes(range(256)), "key.none"),
    "base64 of another length": (base64.b64encode(SEED + b"x"), "key.none"),
    "no base64": (b"*" * 44, "key.none"),
    "DER": (RSA.private_bytes(Encoding.DER, PrivateFormat.PKCS8, PLAIN), "key.none"),
    "cut off": (PEMS["rsa PKCS#8"][:400], "key.damaged"),
    "damaged": (PEMS["rsa PKCS#8"].replace(b"MII", b"***", 1), "key.damaged"),
    "an unknown label": (PEMS["rsa PKCS#8"].replace(b"PRIVATE", b"SECRET"), "key.damaged"),
    "encrypted PKCS#8": (RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, ENCRYPTED), "key.wrong-file"),
    "encrypted PKCS#1": (
        RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, ENCRYPTED),
        "key.wrong-file",
    ),
    "public": (RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "key.wrong-file"),
    "public PKCS#1": (RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1), "key.wrong-file"),
    "OpenSSH": (ED25519.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, PLAIN), "key.wrong-file"),
    "certificate": (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "key.wrong-file"),
    "DNS record": (b'default._domainkey IN TXT ( "v=DKIM1; k=rsa; " "p=MIIB" )\n', "key.wrong-file"),
    "EC": (
        EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
        "key.kind",
    ),
    "EC, SEC1": (EC.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, PLAIN), "key.kind"),
    "DSA": (DSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN), "key.kind"),
}


@pytest.mark.parametrize(("data", "expected"), WRONG.values(), ids=WRONG.keys())
def test_what_holds_no_key_for_dkim(tmp_path: Path, data: bytes, expected: str) -> None:
    problem = refusal(write(tmp_path, data))
    assert problem.code == expected
    assert not any(line.decode("latin-1") in problem.text for line in data.split(b"\n") if len(line) > 40)


def test_missing(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.pem").code == "file.cant-read"


def test_not_regular(tmp_path: Path) -> None:
    assert refusal(tmp_path).code == "file.not-regular"
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert refusal(tmp_path / "pipe").code == "file.not-regular"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert refusal(tmp_path / "socket").code == "file.cant-read"
    assert refusal(Path("/dev/zero")).code == "file.not-regular"


def test_unreadable_says_how_to_let_the_daemon_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    problem = refusal(tmp_path / "key.pem")
    assert problem.code == "file.cant-read"
    assert f"chgrp GROUP {tmp_path}/key.pem && chmod 0640 {tmp_path}/key.pem" in problem.text


def weak_rsa(tmp_path: Path, bits: int) -> Path:
    """Made by openssl: the library makes no such keys."""
    file = tmp_path / f"{bits}.pem"
    subprocess.run(["openssl", "genrsa", "-out", file, str(bits)], check=True, capture_output=True)
    file.chmod(0o600)
    return file


def test_rsa_of_512_bits_is_refused(tmp_path: Path) -> None:
    assert refusal(weak_rsa(tmp_path, 512)).code == "key.too-short"


def test_rsa_of_1024_bits_loads_with_a_warning(tmp_path: Path) -> None:
    weak, good = weak_rsa(tmp_path, 1024), write(tmp_path, PEMS["rsa PKCS#8"])
    keys, [warning] = load_keys(
        (entry(good, "good"), entry(weak, "weak"), entry(write(tmp_path, PEMS["ed25519 PKCS#8"], name="ed"), "ed"))
    )
    assert [key.bits for key in keys] == [2048, 1024, 256]
    assert (warning.code, warning.file) == ("key.weak", weak)


def test_rsa_larger_than_verifiers_must_handle_loads_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a real one takes seconds to make
    monkeypatch.setattr(key_files, "MOST_BITS", 2047)
    _, [warning] = load_keys((entry(write(tmp_path, PEMS["rsa PKCS#8"])),))
    assert warning.code == "key.too-long"


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    good = write(tmp_path, PEMS["rsa PKCS#8"])
    entries = (
        entry(tmp_path / "a"),
        entry(good, "good"),
        entry(write(tmp_path, b"", name="b"), "b"),
        entry(good, "good"),
    )
    assert told(refusals(load_keys, entries)) == ["file.cant-read", "key.none", "key.selector-twice"]


def test_no_keys_are_no_mistake() -> None:
    assert load_keys(()) == ([], [])


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    """Windows editors put one in front."""
    for name, pem in PEMS.items():
        assert load_key(entry(write(tmp_path, b"\xef\xbb\xbf" + pem, name=name.replace("#", "").replace(" ", "")))).name


def test_two_keys_in_one_file_are_refused(tmp_path: Path) -> None:
    both = PEMS["rsa PKCS#8"] + PEMS["ed25519 PKCS#8"]
    assert refusal(write(tmp_path, both)).code == "key.several"


def warned(named: dkimgate_yaml.Key) -> tuple[Problem, ...]:
    ring = KeyRing((named,))
    ring.all()
    return ring.warnings


def test_a_folder_that_everyone_may_write_to_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    file = write(folder, PEMS["rsa PKCS#8"])
    folder.chmod(0o777)
    assert told(warned(entry(file))) == ["key.open-folder"]
    folder.chmod(0o1777)  # /tmp: nobody can put another file in its place
    assert list(warned(entry(file))) == []


def test_one_broken_key_does_not_take_the_others_along(tmp_path: Path) -> None:
    good = entry(write(tmp_path, PEMS["rsa PKCS#8"]), "good")
    ring = KeyRing((good, entry(tmp_path / "gone.pem", "gone")))
    assert [key.selector for key in ring.all()] == ["good"]
    assert [(each.code, each.file) for each in ring.broken] == [("file.cant-read", tmp_path / "gone.pem")]


def _der(number: int) -> bytes:
    """An INTEGER of ASN.1 that is not negative."""
    octets = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return b"\x02" + _length(octets)


def _length(content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes([len(content)]) + content
    size = len(content).to_bytes(2, "big").lstrip(b"\0")
    return bytes([0x80 + len(size)]) + size + content


NUMBERS = RSA.private_numbers()
PARTS = {
    "n": NUMBERS.public_numbers.n,
    "e": NUMBERS.public_numbers.e,
    "d": NUMBERS.d,
    "p": NUMBERS.p,
    "q": NUMBERS.q,
    "d mod (p-1)": NUMBERS.dmp1,
    "d mod (q-1)": NUMBERS.dmq1,
    "1/q mod p": NUMBERS.iqmp,
}


def _pem(parts: dict[str, int]) -> bytes:
    """An RSA key of PKCS#1 that holds these numbers (RFC 8017 appendix A.1.2)."""
    data = b"\x30" + _length(b"".join(map(_der, (0, *parts.values()))))
    label = b"RSA PRIVATE " + b"KEY-----"
    return b"-----BEGIN " + label + b"\n" + base64.encodebytes(data) + b"-----END " + label + b"\n"


def test_the_numbers_of_an_rsa_key_are_read(tmp_path: Path) -> None:
    assert load_key(entry(write(tmp_path, _pem(PARTS)))).bits == 2048


@pytest.mark.parametrize("bit", [1, 2, 7, 13])
@pytest.mark.parametrize("name", PARTS)
def test_a_key_with_one_number_that_is_damaged_is_refused(tmp_path: Path, name: str, bit: int) -> None:
    damaged = {**PARTS, name: PARTS[name] ^ 1 << bit}
    assert refusal(write(tmp_path, _pem(damaged))).code == "key.damaged"


def test_a_file_of_many_domains_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, PEMS["rsa PKCS#8"])
    read: list[Path] = []
    parse = key_files._parse

    def counted(data: bytes, file: Path) -> PrivateKey:
        read.append(file)
        return parse(data, file)

    monkeypatch.setattr(key_files, "_parse", counted)
    keys = tuple(
        dkimgate_yaml.Key(domain=f"customer{n}.example", selector="default", file=str(file)) for n in range(20)
    )
    loaded, _ = load_keys(keys)
    assert [key.domain for key in loaded] == [key.domain for key in keys] and read == [file]
