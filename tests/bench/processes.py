"""What a process and its children used, from /proc."""

from __future__ import annotations

import os
import re
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """That process and all that descend from it and are alive."""
    found, waiting = [], [pid]
    while waiting:
        each = waiting.pop()
        found.append(each)
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            try:
                waiting += map(int, task.read_text().split())
            except OSError:  # it has just ended
                continue
    return found


def cpu_of_stat(stat: str) -> float:
    """Seconds of CPU, user and system, of the process that a /proc/PID/stat tells of, and of its children that it has
    waited for."""
    words = stat.rpartition(")")[2].split()  # the name of the program may have spaces and brackets
    return sum(map(int, words[11:15])) / _TICKS


def cpu(pid: int) -> float:
    """Seconds of CPU, user and system, that the whole family has used so far."""
    return sum(cpu_of_stat(_read(each, "stat")) for each in family(pid))


def memory_of_status(status: str, key: str) -> int:
    """Octets behind a key such as VmHWM of a /proc/PID/status; 0 where it is not there."""
    found = re.search(rf"^{key}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def peak_memory(pid: int) -> int:
    """Octets of memory at the highest (VmHWM), summed over the family. What the members share is counted for each."""
    return sum(memory_of_status(_read(each, "status"), "VmHWM") for each in family(pid))


def memory(pid: int) -> int:
    """Octets of memory now (VmRSS), summed over the family."""
    return sum(memory_of_status(_read(each, "status"), "VmRSS") for each in family(pid))


def forget_peak(pid: int) -> None:
    """Let the highest memory of the family begin anew (proc(5), clear_refs)."""
    for each in family(pid):
        Path(f"/proc/{each}/clear_refs").write_text("5")


def open_sockets(pid: int) -> int:
    """How many sockets that one process has open."""
    return sum(str(each.readlink()).startswith("socket:") for each in Path(f"/proc/{pid}/fd").iterdir())


def is_stopped(pid: int) -> bool:
    """Has every thread of that process stopped (SIGSTOP)? One may be in the middle of a call of the kernel before."""
    states = [_read(pid, f"task/{each.name}/stat") for each in Path(f"/proc/{pid}/task").iterdir()]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in states)


def _read(pid: int, file: str) -> str:
    try:
        return Path(f"/proc/{pid}/{file}").read_text()
    except OSError:
        return ") " + "0 " * 20
