"""The journal as its readers see it: forwards, backwards, as it grows, and past torn lines."""

from __future__ import annotations

import gzip
import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.record.journal_reader import Reader, backwards, files_of, follow, forwards


def line(number: int, size: int = 0) -> bytes:
    return json.dumps({"v": 1, "number": number, "padding": '{"v": 1, "x' + "x" * size}).encode() + b"\n"


def read(data: bytes) -> tuple[list[int], int]:
    reader = Reader()
    return [record["number"] for record in reader.records(data.splitlines(keepends=True))], reader.torn


ONE, TWO, THREE = line(1), line(2), line(3)


@pytest.mark.parametrize(
    ("data", "numbers", "torn"),
    [
        (b"", [], 0),
        (ONE + TWO, [1, 2], 0),
        (ONE + TWO.rstrip(), [1, 2], 0),
        (ONE + b"\n\n" + TWO, [1, 2], 0),
        (ONE + TWO[:30], [1], 1),
        (ONE[:30] + TWO, [2], 1),
        (ONE[:30] + TWO[:20] + THREE, [3], 2),
        (ONE[30:] + TWO, [2], 1),
        (ONE.strip() + TWO, [1, 2], 0),
        (b"Nov 21 kernel: hello\n" + ONE, [1], 1),
        (b"\xff\0\xfe\n" + ONE, [1], 1),
        (b"[1]\n7\n{}\n" + ONE, [1], 3),
        (b'{"v": ' + b"[" * 200_000 + b"\n" + ONE, [1], 1),
    ],
)
def test_torn_lines_are_counted_and_spoil_nothing(data: bytes, numbers: list[int], torn: int) -> None:
    assert read(data) == (numbers, torn)


@given(st.integers(1, len(ONE) - 1), st.integers(1, len(TWO) - 1))
def test_wherever_a_record_is_cut_the_next_one_is_found(first: int, second: int) -> None:
    numbers, _ = read(ONE[:first] + TWO[:second] + THREE)
    assert numbers[-1] == 3


@pytest.mark.parametrize("size", [0, 10, 70_000, 200_000])
def test_backwards_is_forwards_reversed(tmp_path: Path, size: int) -> None:
    file = tmp_path / "d.jsonl"
    file.write_bytes(b"".join(line(n, size) for n in range(12)) + line(12)[:7])
    assert [x for x in backwards(file) if x] == [x.rstrip(b"\n") for x in reversed(list(forwards(file)))]


def test_backwards_reads_only_what_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "d.jsonl"
    with file.open("wb") as writing:
        writing.truncate(1 << 40)
        writing.seek(0, os.SEEK_END)
        writing.write(b"\n" + ONE + TWO)
    last = [x for x in itertools.islice(backwards(file), 3) if x]
    assert last == [TWO.strip(), ONE.strip()]


def test_rotated_files_come_oldest_first(tmp_path: Path) -> None:
    expected = ["d.jsonl.10.gz", "d.jsonl.2.gz", "d.jsonl.1", "d.jsonl-20260101.gz", "d.jsonl-20260108", "d.jsonl"]
    for name in (*reversed(expected), "d.jsonl.bak", "d.jsonl~", "e.jsonl.1"):
        (tmp_path / name).touch()
    assert [path.name for path in files_of(tmp_path / "d.jsonl")] == expected


def test_a_file_that_is_being_compressed_is_read_once(tmp_path: Path) -> None:
    """Both stand there until logrotate is done, and the packed one is half written."""
    for name in ("d.jsonl.2", "d.jsonl.2.gz", "d.jsonl-20260101", "d.jsonl-20260101.gz", "d.jsonl-20260102.gz"):
        (tmp_path / name).touch()
    assert [path.name for path in files_of(tmp_path / "d.jsonl")] == [
        "d.jsonl.2",
        "d.jsonl-20260101",
        "d.jsonl-20260102.gz",
    ]


def test_gzip_is_unpacked_and_damage_is_an_os_error(tmp_path: Path) -> None:
    whole = tmp_path / "d.jsonl.2.gz"
    whole.write_bytes(gzip.compress(ONE + TWO))
    assert list(forwards(whole)) == [ONE, TWO]
    assert [x for x in backwards(whole) if x.strip()] == [TWO, ONE]
    cut = tmp_path / "d.jsonl.3.gz"
    cut.write_bytes(whole.read_bytes()[:-9])
    with pytest.raises(OSError, match="damaged gzip file"):
        list(forwards(cut))


def test_follow_sees_new_records_across_rename_truncation_and_half_lines(tmp_path: Path) -> None:
    file = tmp_path / "d.jsonl"
    file.write_bytes(line(0))

    def append(data: bytes) -> None:
        with file.open("ab") as writing:
            writing.write(data)

    def rotate() -> None:
        append(line(3))
        file.rename(tmp_path / "d.jsonl.1")

    def start_anew() -> None:
        os.truncate(file, 0)
        append(line(5)[:-9])
        append(line(5)[-9:])

    steps: Iterator[Callable[[], None]] = iter(
        [
            lambda: append(ONE),
            lambda: append(TWO[:20]),
            lambda: append(TWO[20:]),
            rotate,
            lambda: append(line(4, 500)),
            start_anew,
            lambda: append(line(6)),
        ]
    )

    def wait() -> None:
        next(steps)()

    reader = Reader()
    seen: list[int] = []
    with pytest.raises(RuntimeError, match="StopIteration"):
        for text in follow(file, wait=wait):
            seen.extend(record["number"] for record in reader.of_line(text))
    assert seen == [1, 2, 3, 4, 5, 6]
    assert reader.torn == 0


def test_follow_waits_for_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    file = tmp_path / "d.jsonl"

    def wait() -> None:
        file.write_bytes(ONE)

    assert next(follow(file, wait=wait)) == ONE.strip()
