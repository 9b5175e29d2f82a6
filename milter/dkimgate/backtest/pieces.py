"""A journal cut into pieces that several processes read at once.

Files stay open from the start: whatever logrotate does meanwhile, each record is read once.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

from dkimgate.record.journal_reader import files_of

PIECE = 4 << 20
"""Octets that are read at once."""

LONGEST_LINE = 16 << 20
"""What is longer holds no record: none is above 4 MB, and few are torn on one line."""

_WORTH_SHARING = 1 << 20
_TAIL = 64 << 10


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the journal, open. `size` is what it had then: what is written later is left for another time."""

    path: Path
    fd: int
    size: int


@dataclass(frozen=True, slots=True)
class Piece:
    """The lines of a source that begin in [start, end). Of a compressed source, whose middle can't be reached without
    what stands before it, every `shares`th block from the one with the number `share` on. `weight`: how many octets of
    the file that is."""

    source: Source
    start: int
    end: int
    share: int = 0
    shares: int = 1

    @property
    def weight(self) -> int:
        """Octets of the file."""
        return (self.end - self.start) // self.shares


def open_all(journal: Path, since: str) -> list[Source]:
    """The journal and its rotated files, the oldest first, but those that were last written before `since`. Raises
    OSError."""
    files = files_of(journal)
    if not files:
        journal.open("rb").close()  # says why there is none
    sources = [_open(path) for path in files]
    wanted = [source for source in sources if not since or os.fstat(source.fd).st_mtime >= _slack_before(since)]
    for source in sources:
        if source not in wanted:
            os.close(source.fd)
    return wanted


def _open(path: Path) -> Source:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return Source(path, fd, os.fstat(fd).st_size)


def _slack_before(since: str) -> float:
    try:
        return (datetime.fromisoformat(since) - timedelta(minutes=10)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def cut(sources: list[Source], processes: int) -> list[Piece]:
    """Pieces for so many processes, the oldest first."""
    pieces: list[Piece] = []
    for source in sources:
        if source.path.suffix == ".gz":
            shares = processes if source.size >= _WORTH_SHARING else 1
            pieces += [Piece(source, 0, source.size, share, shares) for share in range(shares)]
        else:
            pieces += [Piece(source, start, min(start + PIECE, source.size)) for start in range(0, source.size, PIECE)]
    return pieces


def lines(piece: Piece) -> Iterator[bytes]:
    """The lines of a piece, in order. Raises OSError."""
    if piece.source.path.suffix == ".gz":
        yield from _unpacked(piece)
    else:
        yield from _plain(piece)


def _plain(piece: Piece) -> Iterator[bytes]:
    """A line belongs to the piece in which it begins: where a piece does not begin with one, the rest of the line is
    another's."""
    fd = piece.source.fd
    data = os.pread(fd, piece.end - piece.start, piece.start)
    if piece.start and os.pread(fd, 1, piece.start - 1) != b"\n":
        data = data.partition(b"\n")[2]
    if data and not data.endswith(b"\n"):
        data += _rest_of_line(fd, piece.end)
    yield from data.split(b"\n")


def _rest_of_line(fd: int, at: int) -> bytes:
    found = b""
    while len(found) < LONGEST_LINE:
        more = os.pread(fd, _TAIL, at + len(found))
        head, feed, _ = more.partition(b"\n")
        found += head
        if feed or not more:
            break
    return found


def _unpacked(piece: Piece) -> Iterator[bytes]:
    source = piece.source
    # a description of its own: another process that reads the same file must not move this one
    with Path(f"/proc/self/fd/{source.fd}").open("rb") as file:
        try:
            with gzip.open(file) as reading:
                for number, block in enumerate(_blocks(cast(BinaryIO, reading))):
                    if number % piece.shares == piece.share:
                        yield from block.split(b"\n")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise OSError(None, f"damaged gzip file: {error}", str(source.path)) from None


def _blocks(reading: BinaryIO) -> Iterator[bytes]:
    while block := reading.read(PIECE):
        yield block + reading.readline(LONGEST_LINE)
