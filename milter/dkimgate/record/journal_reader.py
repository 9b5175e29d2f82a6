"""Reading the journal: forwards, backwards from its end, and as it grows; across rotation, and past torn lines."""

from __future__ import annotations

import glob
import gzip
import os
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from dkimgate.config.files import seen
from dkimgate.record.record import Json

_START = b'{"v": '
_BLOCK = 65_536
_ROTATED = re.compile(r"\.(\d+)(\.gz)?|-(\d{8,14})(\.gz)?")


class Reader:
    """Turns lines into records, as JSON: they may be of any version. `whole` counts them; `torn` counts what was no
    record: half-written lines, or ones that others put there."""

    def __init__(self) -> None:
        self.whole = 0
        self.torn = 0

    def records(self, lines: Iterable[bytes]) -> Iterator[Json]:
        """The records in those lines, in order."""
        for line in lines:
            yield from self.of_line(line)

    def of_line(self, line: bytes) -> list[Json]:
        """The records in one line: one as a rule, two where the first was torn and another process went on behind
        it."""
        line = line.strip()
        if not line:
            return []
        whole = _parse(line)
        if whole is not None:
            self.whole += 1
            return [whole]
        parts = line.split(_START)
        # what stands ahead of the first start is the tail of a record, or no record at all
        found = [_parse(_START + part.strip()) for part in parts[1:]]
        records = [record for record in found if record is not None]
        self.whole += len(records)
        self.torn += len(found) - len(records) + bool(parts[0])
        return records


def _parse(text: bytes) -> Json | None:
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and "v" in value else None


def files_of(file: Path) -> list[Path]:
    """The journal and what logrotate has made of it (`.1`, `.2.gz`, `-20260101.gz`), the oldest first."""
    older: list[tuple[str, int, Path]] = []
    for path in file.parent.glob(glob.escape(file.name) + "*"):
        match = _ROTATED.fullmatch(path.name[len(file.name) :])
        if match and match[1]:
            older.append(("", -int(match[1]), path))
        elif match:
            older.append((match[3], 0, path))
    # while a file is being compressed it stands there twice, and the packed one is not whole
    older = [each for each in older if each[2].suffix != ".gz" or not seen(each[2].with_suffix(""))]
    return [path for _, _, path in sorted(older)] + ([file] if seen(file) else [])


def forwards(file: Path) -> Iterator[bytes]:
    """The lines of a file, from its start; `.gz` is unpacked. Raises OSError."""
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as reading:
            yield from reading
    except (EOFError, zlib.error) as error:
        raise OSError(None, f"damaged gzip file: {error}", str(file)) from None


def backwards(file: Path, end: int | None = None) -> Iterator[bytes]:
    """The lines of a file, the last first, reading no more of it than is asked for. What stands behind `end` (in
    octets) is left out. Raises OSError."""
    if file.suffix == ".gz":
        yield from reversed(list(forwards(file)))
        return
    with file.open("rb") as reading:
        size = reading.seek(0, os.SEEK_END)
        at = size if end is None else min(end, size)
        rest = b""
        while at > 0:
            size = min(_BLOCK, at)
            at -= size
            reading.seek(at)
            lines = (reading.read(size) + rest).split(b"\n")
            rest = lines[0]
            yield from reversed(lines[1:])
        yield rest


def follow(file: Path, *, start: int | None = None, wait: Callable[[], None] | None = None) -> Iterator[bytes]:
    """The lines that are added, for ever, also behind a rotation; from octet `start` on, by default from the end of the
    file.

    `wait` sleeps between two looks. A half line at the end is held back until it is whole.
    """
    wait = wait or (lambda: time.sleep(0.25))
    reading = _open_if_there(file)
    if reading and start is None:
        reading.seek(0, os.SEEK_END)
    elif reading:
        reading.seek(start or 0)
    rest = b""
    while True:
        if reading:
            if os.fstat(reading.fileno()).st_size < reading.tell():
                # copytruncate: the same file starts anew
                reading.seek(0)
                rest = b""
            *lines, rest = (rest + reading.read()).split(b"\n")
            yield from lines
        if reading is None or _replaced(file, reading):
            newer = _open_if_there(file)
            if newer:
                if reading:
                    # what was written between the last look and the rotation
                    yield from (rest + reading.read()).split(b"\n")
                    reading.close()
                reading, rest = newer, b""
                continue
        wait()


def _open_if_there(file: Path) -> BinaryIO | None:
    try:
        return file.open("rb")
    except FileNotFoundError:
        return None


def _replaced(file: Path, reading: BinaryIO) -> bool:
    try:
        now = file.stat()
    except FileNotFoundError:
        return False
    then = os.fstat(reading.fileno())
    return (now.st_dev, now.st_ino) != (then.st_dev, then.st_ino)
