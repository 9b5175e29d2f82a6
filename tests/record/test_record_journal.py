"""The journal as its writers see it: many at once, rotation, a full disk, and what an operator is told."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import re
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dkimgate.record.journal import Journal, JournalError
from dkimgate.record.journal_reader import Reader, files_of, forwards
from tests.needs import need_namespace, need_root
from tests.running import ROOT


def line(number: int, size: int = 0) -> bytes:
    return json.dumps({"v": 1, "number": number, "padding": "x" * size}).encode() + b"\n"


def numbers(*files: Path) -> list[int]:
    reader = Reader()
    found = [record["number"] for file in files for record in reader.records(forwards(file))]
    assert reader.torn == 0
    return found


def write_many(journal: Journal, first: int, count: int, size: int) -> None:
    for number in range(first, first + count):
        journal.write(line(number, size))


def test_a_record_is_there_when_write_returns_and_the_file_is_not_for_everyone(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    journal = Journal(file)
    assert not file.exists()
    journal.write(line(1))
    assert file.read_bytes() == line(1)
    assert stat.S_IMODE(file.stat().st_mode) & 0o027 == 0
    journal.close()
    journal.write(line(2))
    assert numbers(file) == [1, 2]


def test_processes_and_threads_append_at_once_and_no_line_is_mixed(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=write_many, args=(Journal(file), n * 1000, 250, 9000)) for n in range(3)]
    shared = Journal(file)
    threads = [threading.Thread(target=write_many, args=(shared, n * 1000, 250, 5000)) for n in range(3, 6)]
    for process in processes:
        process.start()
    for thread in threads:
        thread.start()
    for process in processes:
        process.join()
    for thread in threads:
        thread.join()
    assert sorted(numbers(file)) == [n * 1000 + i for n in range(6) for i in range(250)]


def test_a_child_forked_while_a_thread_holds_the_lock_can_write(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "decisions.jsonl")
    journal.write(line(1))
    with journal._lock:
        child = os.fork()
        if child == 0:
            journal.write(line(2))
            os._exit(0)
        _, status = os.waitpid(child, 0)
    assert status == 0
    assert numbers(journal.file) == [1, 2]


@pytest.mark.parametrize("gone", [True, False])
def test_after_a_rename_the_next_record_goes_to_the_new_file(tmp_path: Path, gone: bool) -> None:
    file = tmp_path / "decisions.jsonl"
    journal = Journal(file)
    journal.write(line(1))
    file.rename(tmp_path / "decisions.jsonl.1")
    if not gone:
        file.touch()
    journal.write(line(2))
    assert numbers(tmp_path / "decisions.jsonl.1") == [1]
    assert numbers(file) == [2]


def test_after_copytruncate_the_file_goes_on_from_its_start(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    journal = Journal(file)
    journal.write(line(1, 5000))
    os.truncate(file, 0)
    journal.write(line(2))
    assert file.read_bytes() == line(2)


def test_no_descriptor_leaks_over_many_rotations(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    journal = Journal(file)
    journal.write(line(0))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(50):
        file.unlink()
        journal.write(line(number))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_record_behind_a_torn_one_starts_on_its_own_line(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(line(1) + line(2)[:9])
    Journal(file).write(line(3))
    assert file.read_bytes().splitlines() == [line(1).strip(), line(2)[:9], line(3).strip()]


LIMITED = """
import resource, sys
from pathlib import Path
from dkimgate.record.journal import Journal, JournalError
journal = Journal(Path(sys.argv[1]))
sys.path.insert(0, sys.argv[2])
from tests.record.test_record_journal import line
limit = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
failed = []
for number in range(10):
    try:
        journal.write(line(number, 100))
    except JournalError as error:
        failed.append(number)
        print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.write(line(99))
print(failed, journal.failures)
"""


def test_a_short_write_is_an_error_and_spoils_no_other_record(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    limit = 3 * len(line(0, 100)) + 40
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(file), str(ROOT), str(limit)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    said = ran.stdout.splitlines()
    assert "only 40 of" in said[0]
    assert "size limit" in said[1]
    assert said[-1] == "[3, 4, 5, 6, 7, 8, 9] 7"
    assert ran.stderr.count(": journal: ") == 1
    reader = Reader()
    assert [record["number"] for record in reader.records(forwards(file))] == [0, 1, 2, 99]
    assert reader.torn == 1


def test_the_operator_is_told_at_most_every_few_seconds_and_how_many_were_lost(tmp_path: Path) -> None:
    said: list[str] = []
    now = [100.0]
    journal = Journal(tmp_path / "missing" / "decisions.jsonl", shout=said.append, clock=lambda: now[0])
    for _ in range(4):
        with pytest.raises(JournalError, match="missing: no such directory"):
            journal.write(line(1))
    now[0] += 6
    with pytest.raises(JournalError):
        journal.write(line(1))
    assert [text.partition("(")[2] for text in said] == ["", "4 messages since the last such line)"]
    assert journal.failures == 5
    (tmp_path / "missing").mkdir()
    journal.write(line(6))
    assert numbers(journal.file) == [6]


def test_a_failure_in_one_process_is_noticed_in_another(tmp_path: Path) -> None:
    """As the supervisor, which writes nothing, tells systemd what its workers can't do."""
    journal = Journal(tmp_path / "missing" / "decisions.jsonl", shout=lambda _: None)
    assert journal.notice.get() is None
    for make, expected in ((False, "missing: no such directory"), (True, None)):
        if make:
            (tmp_path / "missing").mkdir()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(JournalError):
                journal.write(line(1))
            os._exit(0)
        os.waitpid(child, 0)
        found = journal.notice.get()
        assert (found and found[0]) == (expected and f"{tmp_path}/{expected}")
        assert found is None or abs(found[1] - time.time()) < 60


def test_a_record_that_another_process_is_writing_is_not_torn(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(line(1)[:10])

    def other_goes_on(_: float) -> None:
        with file.open("ab") as other:
            other.write(line(1)[10:])

    Journal(file, pause=other_goes_on).write(line(2))
    assert file.read_bytes() == line(1) + line(2)


def test_a_fifo_without_a_reader_is_an_error_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(JournalError, match="nobody reads"):
        Journal(tmp_path / "fifo", shout=lambda _: None).write(line(1))


@pytest.mark.parametrize(
    ("folder", "file", "user", "problem"),
    [
        ((0, 0o755), None, None, None),
        ((0, 0o755), None, "nobody", "nobody may not write here"),
        ((65534, 0o750), None, "nobody", None),
        ((65534, 0o750), (65534, 0o640), "nobody", None),
        ((65534, 0o750), (0, 0o640), "nobody", "decisions.jsonl: nobody may not write here .*chown nobody"),
        ((0, 0o755), (0, 0o666), "nobody", None),
        ((0, 0o700), (0, 0o666), "nobody", "journal: nobody may not write here"),
    ],
)
def test_probe_tells_whether_the_daemon_could_write(
    tmp_path: Path, folder: tuple[int, int], file: tuple[int, int] | None, user: str | None, problem: str | None
) -> None:
    need_root("to make files of other owners")
    place = tmp_path / "journal"
    place.mkdir()
    path = place / "decisions.jsonl"
    if file:
        path.touch()
        os.chown(path, file[0], file[0])
        path.chmod(file[1])
    os.chown(place, folder[0], folder[0])
    place.chmod(folder[1])
    found = Journal(path).probe(user)
    if problem is None:
        assert found is None
    else:
        assert found is not None
        assert re.search(problem, found)
    assert path.exists() == (file is not None)


def test_probe_names_what_is_missing(tmp_path: Path) -> None:
    assert "no such directory: create it with `install -d" in (Journal(tmp_path / "no" / "x.jsonl").probe() or "")
    (tmp_path / "file").touch()
    assert "not a directory" in (Journal(tmp_path / "file" / "x.jsonl").probe() or "").lower()
    assert "must name a file" in (Journal(tmp_path).probe() or "")


LIVE = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.record.test_record_journal import line
from dkimgate.record.journal import Journal
journal = Journal(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    journal.write(line(number, 200))
    time.sleep(0.0005)
"""


@pytest.mark.servers
@pytest.mark.parametrize("how", ["create 0640", "copytruncate"])
def test_logrotate_on_a_live_writer_loses_nothing(tmp_path: Path, how: str) -> None:
    log = tmp_path / "log"
    log.mkdir(mode=0o750)
    file = log / "decisions.jsonl"
    options = f"size 1\nrotate 20\n{how}\ncompress\ndelaycompress\nmissingok\n"
    (tmp_path / "rotate.conf").write_text(f"{file} {{\n{options}}}\n")
    count = 2000
    writer = subprocess.Popen([sys.executable, "-c", LIVE, str(file), str(ROOT), str(count)])
    rotations = 0
    try:
        while writer.poll() is None and rotations < 8:
            if file.exists() and file.stat().st_size:
                rotate = ["/usr/sbin/logrotate", "-f", "-s", str(tmp_path / "state"), str(tmp_path / "rotate.conf")]
                subprocess.run(rotate, check=True, timeout=20)
                rotations += 1
    finally:
        writer.wait(timeout=30)
    files = files_of(file)
    assert rotations >= 3
    assert any(path.suffix == ".gz" for path in files)
    reader = Reader()
    found = [record["number"] for path in files for record in reader.records(forwards(path))]
    if how == "copytruncate":
        # by its nature it loses what is written between the copy and the truncation
        assert len(found) > count * 0.8
        assert len(set(found)) == len(found)
    else:
        assert found == list(range(count))
        assert reader.torn == 0


FULL = """
import os, subprocess, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.record.test_record_journal import line
from dkimgate.record.journal import Journal, JournalError
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)], check=True)
journal = Journal(folder / "decisions.jsonl")
failed = 0
for number in range(40):
    try:
        journal.write(line(number, 900))
    except JournalError:
        failed += 1
print(failed, journal.failures == failed)
os.truncate(journal.file, 0)
journal.write(line(7))
print(journal.file.read_bytes().strip() == line(7).strip())
"""


@pytest.mark.servers
def test_a_full_disk_is_an_error_and_the_journal_goes_on_when_there_is_room(tmp_path: Path) -> None:
    need_namespace("--mount")
    command = ["unshare", "-m", sys.executable, "-c", FULL, str(tmp_path), str(ROOT)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    failed, counted, again = ran.stdout.split()
    assert int(failed) >= 20
    assert (counted, again) == ("True", "True")
    assert "journal:" in ran.stderr


def test_probe_of_a_user_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that is run by a number."""
    monkeypatch.setattr("os.geteuid", lambda: 2_000_000_001)
    tmp_path.chmod(0o500)
    assert f"{tmp_path}: 2000000001 may not write here" in (Journal(tmp_path / "x.jsonl").probe() or "")
