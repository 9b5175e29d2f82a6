"""Key files are read when their keys are first used, and again when they have changed: told by the files that are opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dkimgate.cli import run
from dkimgate.config import dkimgate_yaml, secret_file, yaml_file
from dkimgate.config.problem import ConfigError
from dkimgate.daemon.changed import changes
from dkimgate.gate import key_files
from dkimgate.gate.gate import Gate
from dkimgate.gate.key_ring import KeyRing
from tests.problems import told

POLICY = """\
version: 1
rules:
  - {name: bad, when: {arrival.badly: true}, disposition: hold}
  - {name: own, when: {origin: submitted}, sign: author}
"""


def pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def put(file: Path, content: bytes | None = None) -> Path:
    file.touch(0o600)
    file.write_bytes(pem() if content is None else content)
    return file


class Host:
    """A configuration of many keys, and the key files that are opened."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, count: int = 40) -> None:
        self.folder = folder
        self.opened: list[str] = []
        self.domains = [f"customer{number}.example" for number in range(count)]
        for domain in self.domains:
            put(folder / f"{domain}.pem")
        (folder / "policy.yaml").write_text(POLICY)
        self.write()
        read = secret_file.read

        def counted(file: Path, *rest: str) -> bytes:
            self.opened.append(file.name.removesuffix(".pem"))
            return read(file, *rest)

        monkeypatch.setattr(secret_file, "read", counted)

    def write(self, more: str = "") -> None:
        keys = "".join(f"- {{domain: {each}, selector: s, file: {each}.pem}}\n" for each in self.domains)
        (self.folder / "dkimgate.yaml").write_text(
            f"listen: unix:/run/x\ntrust: {{}}\ndeparture: {{addresses: []}}\nkeys:\n{keys}{more}"
        )

    def load(self, before: Gate | None = None) -> Gate:
        self.opened.clear()
        return Gate.load(self.folder / "dkimgate.yaml", None, before)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_a_start_opens_one_key_file(host: Host) -> None:
    """One tells whether anything can be signed at all."""
    host.load()
    assert host.opened == ["customer0.example"]


def test_a_key_is_read_once_when_it_is_first_used(host: Host) -> None:
    ring = host.load().ring
    assert "customer7.example" in ring.domains and "stranger.example" not in ring.domains
    assert [key.domain for key in ring.of("customer7.example")] == ["customer7.example"]
    assert list(ring.by_name["customer7.example"]) == ["s"] and "s" not in ring.by_name.get("stranger.example", {})
    assert host.opened == ["customer0.example", "customer7.example"]


def test_to_go_through_the_names_opens_none(host: Host) -> None:
    ring = host.load().ring
    assert set(ring.domains) == set(ring.by_name) == ring.names == set(host.domains)
    assert len(ring.domains) == len(ring.by_name) == 40 and len(host.opened) == 1


def test_a_broken_key_takes_away_its_own_domain_alone(host: Host) -> None:
    put(host.folder / "customer3.example.pem", b"")
    gate = host.load()
    assert not gate.broken and "customer3.example" not in gate.ring.domains and "customer4.example" in gate.ring.domains
    assert told(gate.broken) == ["key.none"] and gate.ring.of("customer3.example") == ()
    assert "customer3.example" in gate.ring.names


def test_in_time_all_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(tmp_path, monkeypatch, 120)
    put(host.folder / "customer99.example.pem", b"")
    gate = host.load()
    rounds = 1
    while gate.examine():
        rounds += 1
    assert sorted(host.opened) == sorted(host.domains) and rounds == 3
    assert told(gate.broken) == ["key.none"]
    assert not gate.examine() and len(gate.keys) == 119 and len(host.opened) == 120


def test_a_reload_opens_nothing_that_has_not_changed(host: Host) -> None:
    gate = host.load()
    assert gate.keys and len(host.opened) == 40
    gate = host.load(gate)
    assert host.opened == [] and len(gate.keys) == 40 and host.opened == []


def test_a_reload_leaves_unread_what_nobody_has_used(host: Host) -> None:
    gate = host.load(host.load())
    assert host.opened == []
    assert "customer9.example" in gate.ring.domains and host.opened == ["customer9.example"]
    while gate.examine():
        pass
    assert sorted(host.opened) == sorted(host.domains[1:])


def test_a_reload_reads_what_is_new_or_has_changed_and_tells_it(host: Host) -> None:
    before = host.load()
    was = before.ring.of("customer5.example")[0].fingerprint
    for name in ("customer5", "customer6"):
        put(host.folder / f"{name}.example.pem")
    host.domains.append("new.example")
    put(host.folder / "new.example.pem")
    host.write()
    gate = host.load(before)
    assert sorted(host.opened) == ["customer5.example", "customer6.example", "new.example"]
    now = {number: gate.ring.of(f"customer{number}.example")[0].fingerprint for number in (5, 6)}
    assert gate.replaced == {
        "the key s._domainkey.customer5.example": (was, now[5]),
        "the key s._domainkey.customer6.example": ("not read", now[6]),
    }


def test_a_reload_tells_of_a_key_that_is_broken_now(host: Host) -> None:
    before = host.load()
    put(host.folder / "customer5.example.pem", b"")
    (host.folder / "customer6.example.pem").unlink()
    gate = host.load(before)
    assert sorted(told(gate.broken)) == ["file.cant-read", "key.none"] and not before.broken
    again = host.load(gate)
    assert sorted(told(again.broken)) == ["file.cant-read", "key.none"]
    assert host.opened == ["customer6.example"]  # nobody can tell of a file that is gone whether it has changed


def test_without_one_key_that_can_be_used_there_is_no_start(host: Host) -> None:
    for domain in host.domains:
        put(host.folder / f"{domain}.pem", b"")
    with pytest.raises(ConfigError) as caught:
        host.load()
    assert told(caught.value.problems) == ["key.none"] * 40


def test_keys_at_hand_make_a_ring(host: Host) -> None:
    keys = host.load().keys[:3]
    ring = KeyRing.of_keys(keys)
    assert ring.all() == keys and ring.signs() and not ring.examine() and not KeyRing().signs()
    assert "customer1.example" in ring.domains and ring.of("stranger.example") == ring.of(None) == ()


def test_keys_with_one_selector_are_refused(host: Host) -> None:
    entry = dkimgate_yaml.Key(domain="a.example", selector="s", file=str(host.folder / "customer1.example.pem"))
    with pytest.raises(ConfigError) as caught:
        KeyRing((entry, entry))
    assert told(caught.value.problems) == ["key.selector-twice"]


@pytest.mark.parametrize("change", [lambda file: file.chmod(0o640), lambda file: put(file, file.read_bytes())])
def test_a_file_that_was_touched_is_read_again_and_is_no_change(host: Host, change: Callable[[Path], object]) -> None:
    before = host.load()
    change(host.folder / "customer0.example.pem")
    gate = host.load(before)
    assert host.opened == ["customer0.example"] and gate.replaced == {}
    assert list(changes(before.config, gate.config, before.loaded, gate.loaded)) == []


def test_a_start_reads_configuration_and_policy_once_and_a_reload_too(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.write(f"journal: {{file: {host.folder}/decisions.jsonl}}\n")
    read: list[str] = []
    parse = yaml_file.read

    def counted(file: Path, *rest: str) -> yaml_file.Document:
        read.append(file.name)
        return parse(file, *rest)

    monkeypatch.setattr(yaml_file, "read", counted)
    file = host.folder / "dkimgate.yaml"
    gate = run._load(file, dkimgate_yaml.load_whole(file), None)
    assert read == ["dkimgate.yaml", "policy.yaml"] and len(host.opened) == 1
    assert run._load(file, None, gate).ring.names == gate.ring.names
    assert read == ["dkimgate.yaml", "policy.yaml"] * 2 and len(host.opened) == 1


def test_a_folder_of_many_keys_is_looked_at_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Path] = []
    above = key_files._open_above

    def counted(folder: Path) -> Path | None:
        looked.append(folder)
        return above(folder)

    monkeypatch.setattr(key_files, "_open_above", counted)
    assert len(host.load().keys) == 40 and looked == [host.folder]
