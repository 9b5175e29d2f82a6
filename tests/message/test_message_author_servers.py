"""Where a From has an author domain, OpenDMARC, SpamAssassin and rspamd find that very domain, or none at all."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from dkimgate.message.author import author_of, author_of_ours
from dkimgate.message.domains import a_label
from dkimgate.message.message import HeaderField, split_message
from tests.chain import namespace
from tests.message import real_readers
from tests.message.test_message_author import ORDINARY, OTHER_DOMAINS
from tests.message.test_message_author_readers import PIECES
from tests.message.test_message_author_tricks import TRICKS
from tests.message.test_message_own_author import FOREIGN, MAIL, OURS
from tests.needs import need, need_program

pytestmark = pytest.mark.servers

READERS = (real_readers.opendmarc, real_readers.spamassassin, real_readers.rspamd)
Reader = Callable[[Sequence[bytes], Path], list[list[str]]]

REST = b"To: r@reader.example\r\nSubject: x\r\nDate: Sat, 21 Nov 2026 17:17:07 +0000\r\nMessage-ID: <1@d.example>\r\n\r\nx\r\n"
READ_OTHERWISE = [value for value in FOREIGN if not any(odd in value for odd in (b"\0", b"\n"))]


@dataclass(frozen=True, slots=True)
class Row:
    """A From, and the domain that somebody of us finds in it."""

    value: bytes
    domain: str

    @property
    def message(self) -> bytes:
        return message_of(self.value)


def message_of(value: bytes) -> bytes:
    return b"From: " + value.replace(b"\n", b"\r\n") + b"\r\n" + REST


def octets(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def with_author(values: Iterator[bytes]) -> list[Row]:
    rows = []
    for value in dict.fromkeys(values):
        header = [HeaderField(b"From", b" " + value)]
        strict, own = author_of(header).domain, author_of_ours(header, 0).domain
        assert strict in (None, own)
        if own is not None:
            rows.append(Row(value, own))
    return rows


def written() -> Iterator[bytes]:
    """Every From of the tables: good and hostile ones, of strangers and of our own."""
    yield from OURS
    yield from FOREIGN
    yield from map(octets, ORDINARY)
    yield from (value.encode() for value, _ in OTHER_DOMAINS)
    yield from (octets(value) for value, _ in TRICKS)


def generated(number: int, seed: int) -> Iterator[bytes]:
    """Pieces thrown together, and good ones of the table with a piece at a wrong place."""
    dice = random.Random(seed)
    pieces = [piece.encode() for piece in PIECES if piece not in ("\n", "\r", "\0")]
    pieces += [
        b"J\xfcrgen",
        b"\xff",
        b"\x83",
        b" u@d.example",
        b"ext.example",
        b".",
        b"via",
        b"=?gb2312?B?1tC5?=",
        b"=?x?Q?J=FC?=",
    ]
    pieces += [
        b"=?utf-8?Q?=28?=",
        b"=?utf-8?Q?=2C?=",
        b"=?utf-8?Q?=22?=",
        b" <u@d.example>",
        b"=?utf-8?Q?_u=40d.example?=",
    ]
    for _ in range(number):
        front, behind = (b"".join(dice.choices(pieces, k=dice.randint(0, most))) for most in (6, 4))
        address = dice.choice([b" <j@d.example>", b"<j@d.example>", b" j@d.example", b""])
        good = dice.choice(OURS)
        at = dice.randrange(len(good) + 1)
        changed = good[:at] + dice.choice(pieces) + good[at + dice.randint(0, 2) :]
        yield dice.choice([front + address, front + address + behind, changed])


@pytest.fixture(autouse=True)
def what_it_takes() -> None:
    need(namespace.missing_for_namespaces())
    for program in ("opendmarc", "spamassassin", "rspamadm"):
        need_program(program)


def found(reader: Reader, messages: Sequence[bytes], folder: Path) -> list[set[str]]:
    """The domains that a reader finds in each message, as A-labels; what is no domain stands as he wrote it."""
    return [{a_label(domain) or domain for domain in domains} for domains in reader(messages, folder)]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["written", "generated"])
def test_servers_find_our_domain_or_none(reader: Reader, kind: str, tmp_path: Path) -> None:
    rows = with_author(written() if kind == "written" else generated(4_000, 20261125))
    told = found(reader, [row.message for row in rows], tmp_path)
    assert [(row, domains) for row, domains in zip(rows, told, strict=True) if domains - {row.domain}] == []
    assert len(rows) > 100 and sum(map(bool, told)) > len(rows) * 3 // 4, "a reader that finds nothing shows nothing"


@pytest.mark.parametrize("reader", READERS)
def test_servers_do_read_hostile_forms_otherwise(reader: Reader, tmp_path: Path) -> None:
    """The table above could show nothing if no reader ever found another domain."""
    told = found(reader, [message_of(value) for value in READ_OTHERWISE], tmp_path)
    assert sum(bool(domains - {"d.example"}) for domains in told) >= 5


@pytest.mark.parametrize("reader", READERS)
def test_servers_read_what_people_reported_as_we_do(reader: Reader, tmp_path: Path) -> None:
    messages = [file.read_bytes() for file in MAIL]
    authors = [author_of_ours(split_message(message)[0], 0).domain for message in messages]
    assert set(authors) == {"hosted.example"}
    told = found(reader, messages, tmp_path)
    assert set().union(*told) == {"hosted.example"}
