"""The arithmetic of the bench, and what it reads of /proc, of openssl and of its own load."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.bench import processes
from tests.bench.case import as_dns
from tests.bench.hostile import growth
from tests.bench.load import load_of_json
from tests.bench.messages import NUMBER, every_one_another, forgery, own
from tests.bench.numbers import percentile, ratio
from tests.bench.openssl import seconds_of_speed

SPEED = """\
version: 3.0.19
                  sign    verify    sign/s verify/s
rsa 2048 bits 0.000247s 0.000017s   4050.0  59855.6
"""


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (10, 1), (50, 5), (51, 6), (90, 9), (99, 10), (99.9, 10), (100, 10)]
)
def test_a_percentile_is_one_of_the_values(percent: float, expected: float) -> None:
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == expected


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_a_ratio_is_taken_round_by_round() -> None:
    """A round in which the whole machine was slow does not count twice."""
    assert ratio([200, 20, 220], [100, 10, 100]) == 2.0


def test_the_cost_of_a_signature_is_read_of_openssl() -> None:
    assert seconds_of_speed(SPEED) == pytest.approx(1 / 4050)


@pytest.mark.parametrize("output", ["", "rsa 4096 bits 0.1s 0.1s 10.0 10.0", SPEED.replace("4050.0", "0.0")])
def test_openssl_that_measured_nothing_is_an_error(output: str) -> None:
    with pytest.raises(ValueError, match="no signatures"):
        seconds_of_speed(output)


def test_cpu_is_that_of_the_process_and_of_children_it_waited_for() -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 1 1 0 0 10 20 30 40 20 0 1 0 100 1 1"
    assert processes.cpu_of_stat(stat) == pytest.approx(100 / ticks)


def test_memory_is_in_octets() -> None:
    status = "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n"
    assert (processes.memory_of_status(status, "VmHWM"), processes.memory_of_status(status, "VmSwap")) == (2**21, 0)


def test_the_family_of_a_process_is_counted_as_one() -> None:
    child = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\ntime.sleep(60)"
    parent = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    with subprocess.Popen([sys.executable, "-c", parent, child]) as process:
        end = time.monotonic() + 20
        while processes.cpu(process.pid) < 0.3 and time.monotonic() < end:
            time.sleep(0.05)
        found = processes.family(process.pid)
        cpu, memory, peak = (each(process.pid) for each in (processes.cpu, processes.memory, processes.peak_memory))
        for pid in found:
            os.kill(pid, 9)
    assert found[0] == process.pid and len(found) == 2
    assert cpu >= 0.3
    assert 10_000_000 < memory <= peak
    assert processes.cpu(process.pid) == 0


def test_a_load_tells_its_rate_and_latency() -> None:
    load = load_of_json(
        '{"seconds": 2.0, "cpu": 0.1, "messages": 4, "signed": 3, "latency_us": [1000, 4000, 2000, 3000]}'
    )
    assert (load.rate, load.counts, load.latency_at(50), load.latency_at(99)) == (2.0, {"signed": 3}, 2.0, 4.0)


@pytest.mark.parametrize("size", [5_000, 100_000])
def test_messages_have_their_size_and_smtp_line_ends(size: int) -> None:
    for mail in (own(size), forgery(size)):
        assert size - 100 <= len(mail.text) <= size
        assert mail.text.count(b"\n") == mail.text.count(b"\r\n")


def test_messages_of_which_no_two_are_the_same_differ_where_a_sender_chooses() -> None:
    for mail, fields in ((own(), 4), (forgery(), 6)):
        changed = every_one_another(mail).text
        header = changed.partition(b"\r\n\r\n")[0].split(b"\r\n")
        assert sum(NUMBER in line for line in header) == fields
        assert changed.replace(b"n" + NUMBER, b"") == mail.text
        # the load writes one number into a field: two in one would leave the second as it is
        assert all(line.count(NUMBER) <= 1 for line in changed.replace(b"\r\n\t", b"").split(b"\r\n"))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0.001, 0.01, 0.05, 0.1, 0.4], 4.0),
        ([0.001, 0.01, 0.05, 0.1, 1.6], 16.0),
        ([0.001, 0.01, 0.25, 0.5, 0.5], 20.0),
        ([0.001, 0.01, 0.05], 4.0),
        ([0.001, 0.001, 0.019], 4.0),
        ([0.1, 10.1, float("inf")], float("inf")),
    ],
)
def test_growth_is_that_of_four_times_the_size(times: list[float], expected: float) -> None:
    assert growth(times) == pytest.approx(expected)


def test_dkimpy_finds_the_records_by_either_form_of_their_name() -> None:
    answer = as_dns({"a._domainkey.hosted.example": b"v=DKIM1"})
    assert [answer(name) for name in (b"a._domainkey.hosted.example.", "a._domainkey.hosted.example", b"b.")] == [
        b"v=DKIM1",
        b"v=DKIM1",
        None,
    ]


def test_a_process_is_stopped_when_all_its_threads_are() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert not processes.is_stopped(process.pid)
        process.send_signal(signal.SIGSTOP)
        end = time.monotonic() + 10
        while not processes.is_stopped(process.pid) and time.monotonic() < end:
            time.sleep(0.01)
        assert processes.is_stopped(process.pid)
        process.kill()
