"""postsrsd, Debian's, with the same file of secrets: what we write it restores, what it writes we restore."""

from __future__ import annotations

import random
import re
import socket
import string
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from dkimgate.srs import NotRestored, Refusal, Secrets, new_secret, restore, rewrite
from tests.needs import need_program
from tests.running import eventually, free_port

pytestmark = pytest.mark.servers

OURS = "bounce.forwarder.example"
OTHER = "srs.other.example"


class Table:
    """A client of Postfix's tcp_table(5)."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._stream = self._socket.makefile("rwb")

    def ask(self, key: str) -> str | None:
        """The value; None where there is none."""
        self._stream.write(f"get {quote(key, safe=string.punctuation.replace('%', ''))}\n".encode())
        self._stream.flush()
        code, _, text = self._stream.readline().decode().rstrip("\n").partition(" ")
        return unquote(text) if code == "200" else None

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


class Postsrsd:
    """The program, with its two tables."""

    def __init__(self, secret_file: Path, domain: str, *options: str) -> None:
        there, back = free_port(), free_port()
        command = [
            "postsrsd",
            "-4",
            "-l",
            "127.0.0.1",
            "-f",
            str(there),
            "-r",
            str(back),
            "-s",
            str(secret_file),
            "-d",
            domain,
            *options,
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._tables: list[Table] = []

        def connected() -> bool:
            try:
                self._tables = [Table(there), Table(back)]
            except OSError:
                return False
            return True

        assert eventually(connected), "postsrsd does not listen"

    def forward(self, address: str) -> str:
        made = self._tables[0].ask(address)
        assert made is not None, f"postsrsd does not rewrite {address}"
        return made

    def reverse(self, address: str) -> str | None:
        return self._tables[1].ask(address)

    def end(self) -> None:
        for table in self._tables:
            table.close()
        self._process.kill()
        self._process.wait(10)


Start = Callable[..., Postsrsd]


@pytest.fixture
def start() -> Iterator[Start]:
    need_program("postsrsd")
    running: list[Postsrsd] = []

    def start_one(secret_file: Path, domain: str = OURS, *options: str) -> Postsrsd:
        running.append(Postsrsd(secret_file, domain, *options))
        return running[-1]

    yield start_one
    for each in running:
        each.end()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "postsrsd.secret"
    made.touch(mode=0o600)
    made.write_text(f"{new_secret()}\n{new_secret()}\n")
    return made


ADDRESSES = [
    "friend@hosted.example",
    "Friend.Of.Yours@Hosted.Example",
    "a@b",
    "a=b=c@x.example",
    "=@x.example",
    "-a@x.example",
    "bounce+friend=hosted.example@news.example",
    "prvs=0123abcd=friend@hosted.example",
    "a/b&c'd*e#f$g?h^i_j`k{l|m}n~o@x.example",
    "friend@_spf.x.example",
    "SRS@x.example",
    "SRS2=a=b=c=d@x.example",
    "srsly@x.example",
    "x" * 64 + "@x.example",
    "x" * 150 + "@x.example",
    "SRS0=abcd=JK=x.example=y@other.example",
    "srs0+abcd=JK=x.example=y@other.example",
    "SRS0-abcd=JK=x.example=y@other.example",
    "SRS0=@other.example",
    "SRS1=abcd=first.example==abcd=JK=x.example=y@other.example",
    "SRS1-abcd=first.example=-abcd=JK=x.example=y@other.example",
    "SRS1=abcd=first.example=+abcd=JK=x.example=y@other.example",
]


def random_addresses(count: int) -> list[str]:
    chance = random.Random("srs")
    atext = string.ascii_letters + string.digits + "#$&'*+-/=?^_`{|}~"
    label = string.ascii_letters + string.digits
    found = []
    for _ in range(count):
        local = ".".join("".join(chance.choices(atext, k=chance.randint(1, 20))) for _ in range(chance.randint(1, 3)))
        host = ".".join("".join(chance.choices(label, k=chance.randint(1, 15))) for _ in range(chance.randint(1, 4)))
        prefix = chance.choice(["", "", "SRS0=abcd=JK=x.example=", "SRS1=abcd=first.example==abcd=JK=x.example="])
        found.append(f"{prefix}{local}@{host}")
    return found


def original(sender: str) -> str:
    """What a bounce to the rewritten sender has to reach: of an SRS1, the SRS0 at the first hop."""
    local, _, host = sender.partition("@")
    if guarded := re.fullmatch(r"SRS1[=+-][^=]+=([^=]+)=(.*)", local, re.IGNORECASE):
        return f"SRS0{guarded[2]}@{guarded[1]}"
    return f"SRS0{local[4:]}@{host}" if re.match(r"srs0[=+-]", local) else sender


def hash_of(address: str) -> str:
    return address.partition("=")[2].partition("=")[0]


def same(ours: object, theirs: str) -> bool:
    """But that we write no hash which some hosts refuse: they write `/` and `+` into an eighth of them."""
    assert isinstance(ours, str)
    if hash_of(theirs).isalnum() or not theirs.startswith(("SRS0=", "SRS1=")):
        return ours == theirs
    return re.search("[+/]", hash_of(ours)) is None and ours.partition("@")[2] == theirs.partition("@")[2]


def test_both_write_the_same_and_restore_each_other(start: Start, file: Path) -> None:
    peer, secrets = start(file), Secrets.load(file)
    for sender in [*ADDRESSES, *random_addresses(500)]:
        ours, theirs = rewrite(sender, OURS, secrets, time.time()), peer.forward(sender)
        if ours is Refusal.TOO_LONG:
            assert len(theirs) > 254
            continue
        assert same(ours, theirs) or time.time() % 86_400 < 5, sender  # the stamp of a new day
        restored = restore(theirs, OURS, secrets, time.time())
        assert restored == original(sender) == restore(str(ours), OURS, secrets, time.time()), sender
        if str(ours).startswith("SRS0") or hash_of(str(ours)).isalnum():  # it reads no `-` and `_` before 2.2.6
            assert peer.reverse(str(ours)) == restored, sender


def test_a_chain_of_hosts_of_both_kinds(start: Start, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.secret"
    other.touch(mode=0o600)
    other.write_text(new_secret())
    peer, secrets = start(other, OTHER), Secrets.load(file)
    for sender in [*ADDRESSES[:10], *(each for each in random_addresses(60) if not each.startswith("SRS"))]:
        first = rewrite(sender, OURS, secrets, time.time())
        assert isinstance(first, str)
        second = peer.forward(first)
        assert second.startswith("SRS1=")
        assert peer.reverse(second) == first, "their bounce comes to us"
        assert restore(first, OURS, secrets, time.time()) == sender

        theirs = peer.forward(sender)
        ours = rewrite(theirs, OURS, secrets, time.time())
        assert isinstance(ours, str)
        assert ours.startswith("SRS1=")
        assert restore(ours, OURS, secrets, time.time()) == theirs
        assert peer.reverse(theirs) == sender


def test_the_first_secret_signs_and_all_verify_on_both_sides(start: Start, file: Path, tmp_path: Path) -> None:
    first, second = file.read_text().splitlines()
    turned = tmp_path / "turned.secret"
    turned.touch(mode=0o600)
    turned.write_text(f"\n{second}\r\n{first}")
    peer, secrets, ours = start(turned), Secrets.load(turned), Secrets.load(file)
    sender = "friend@hosted.example"
    theirs = peer.forward(sender)
    assert same(rewrite(sender, OURS, secrets, time.time()), theirs) and theirs != rewrite(
        sender, OURS, ours, time.time()
    )
    assert restore(theirs, OURS, ours, time.time()) == sender
    assert peer.reverse(str(rewrite(sender, OURS, ours, time.time()))) == sender


@pytest.mark.parametrize(
    "secret",
    [
        " a secret with spaces around \t",
        "ä" * 10 + "0123456789",
        "long secret " * 80,
        "block of 64 octets" + "x1y2" * 11 + "zz",
        '"quoted" \\ secret $x',
    ],
)
def test_any_line_is_one_secret_for_both(start: Start, file: Path, secret: str) -> None:
    file.write_text(f"{secret}\n")
    assert same(
        rewrite("friend@hosted.example", OURS, Secrets.load(file), time.time()),
        start(file).forward("friend@hosted.example"),
    )


def test_debians_own_file_is_taken(start: Start, file: Path) -> None:
    """As postsrsd's installation makes it."""
    file.write_bytes(
        subprocess.run(
            "dd if=/dev/urandom bs=18 count=1 2>/dev/null | base64", shell=True, check=True, capture_output=True
        ).stdout
    )
    assert (
        restore(start(file).forward("friend@hosted.example"), OURS, Secrets.load(file), time.time())
        == "friend@hosted.example"
    )


@pytest.mark.parametrize("options", [("-a+",), ("-a-",), ("-n8", "-N4"), ("-n20",)])
def test_its_options_do_not_matter_for_reading(start: Start, file: Path, options: tuple[str, ...]) -> None:
    peer, secrets = start(file, OURS, *options), Secrets.load(file)
    for sender in [*ADDRESSES[:5], *random_addresses(40)]:
        theirs = peer.forward(sender)
        if len(theirs) <= 254:
            assert restore(theirs, OURS, secrets, time.time()) == peer.reverse(theirs), sender


def test_neither_restores_what_is_forged_or_old(start: Start, file: Path) -> None:
    peer, secrets = start(file), Secrets.load(file)
    good = str(rewrite("friend@hosted.example", OURS, secrets, time.time()))
    day = 86_400
    for made, problem in (
        (good.replace("friend", "foe"), NotRestored.FORGED),
        (good.replace("hosted", "h0sted"), NotRestored.FORGED),
        (rewrite("friend@hosted.example", OURS, secrets, time.time() - 23 * day), NotRestored.EXPIRED),
        (rewrite("friend@hosted.example", OURS, secrets, time.time() + 3 * day), NotRestored.EXPIRED),
        (f"SRS0=abcd@{OURS}", NotRestored.MALFORMED),
        (f"SRS1=abcd=x.example==abcd=JK=x.example=y@{OURS}", NotRestored.FORGED),
        (f"postmaster@{OURS}", NotRestored.NOT_SRS),
    ):
        assert (restore(str(made), OURS, secrets, time.time()), peer.reverse(str(made))) == (problem, None), made
    assert (
        peer.reverse(str(rewrite("friend@hosted.example", OURS, secrets, time.time() - 20 * day)))
        == "friend@hosted.example"
    )


@pytest.mark.parametrize(
    "sender",
    [
        "friend%x.example@hosted.example",
        "x.example!friend@hosted.example",
        "friend@hosted.example.",
        "SRS1=a=b=c@x.example",
        "a b@x.example",
    ],
)
def test_where_we_are_stricter(start: Start, file: Path, sender: str) -> None:
    """postsrsd rewrites these; what it makes of them we do not restore."""
    theirs = start(file).forward(sender)
    assert restore(theirs, OURS, Secrets.load(file), time.time()) is NotRestored.MALFORMED
