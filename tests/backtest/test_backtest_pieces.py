"""A journal in pieces: every line is read once, whoever reads and whatever logrotate does."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dkimgate.backtest import pieces
from dkimgate.backtest.pieces import cut, lines, open_all


def read(file: Path, processes: int) -> list[bytes]:
    sources = open_all(file, "")
    try:
        return [line for piece in cut(sources, processes) for line in lines(piece) if line]
    finally:
        for source in sources:
            os.close(source.fd)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 7)
    monkeypatch.setattr(pieces, "_TAIL", 3)
    monkeypatch.setattr(pieces, "_WORTH_SHARING", 0)


@pytest.mark.usefixtures("small_pieces")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"."))).map(b"\n".join),
    processes=st.integers(1, 3),
)
def test_every_line_is_in_one_piece(tmp_path: Path, data: bytes, processes: int) -> None:
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(data)
    expected = [line for line in data.split(b"\n") if line]
    assert read(file, processes) == expected
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress(data))
    assert sorted(read(packed, processes)) == sorted(expected)


def test_what_is_rotated_away_meanwhile_is_read_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(b"new\n")
    older = tmp_path / "decisions.jsonl.1"
    older.write_bytes(b"old\n")
    sources = open_all(file, "")
    file.rename(older)
    file.write_bytes(b"newest\n")
    assert [line for piece in cut(sources, 1) for line in lines(piece) if line] == [b"old", b"new"]


def test_files_that_were_last_written_before_the_period_are_not_opened(tmp_path: Path) -> None:
    for name, written in (("d.jsonl.2.gz", 0), ("d.jsonl.1", 1_795_262_000), ("d.jsonl", 1_795_270_000)):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (written, written))
    found = open_all(tmp_path / "d.jsonl", "2026-11-21T12:00:00.000000Z")  # 1795262400
    assert [source.path.name for source in found] == ["d.jsonl.1", "d.jsonl"]


def test_a_line_without_end_takes_no_memory_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 1 << 20)
    monkeypatch.setattr(pieces, "LONGEST_LINE", 1 << 20)
    file = tmp_path / "d.jsonl"
    with file.open("wb") as writing:
        os.truncate(writing.fileno(), 1 << 26)
        writing.seek(0, os.SEEK_END)
        writing.write(b"\nlast\n")
    sources = open_all(file, "")
    found = [line for piece in cut(sources, 1) for line in lines(piece) if line]
    assert max(map(len, found)) <= (2 << 20) + pieces._TAIL
    assert found[-1] == b"last"


def test_a_damaged_gzip_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "d.jsonl.1.gz"
    file.write_bytes(gzip.compress(b"x" * 1000)[:-9])
    with pytest.raises(OSError, match="damaged gzip file") as found:
        read(tmp_path / "d.jsonl", 1)
    assert found.value.filename == str(file)
