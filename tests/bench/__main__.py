"""`python -m tests.bench`: how fast is the gate, beside the signers that it replaces? `make bench` runs it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import (
    big,
    commands,
    endurance,
    hostile,
    kills,
    mail_path,
    many_domains,
    rate,
    starts,
    verification,
)
from tests.bench.figures import Figure
from tests.bench.load import PROGRAMS
from tests.bench.picture import BUSY, picture
from tests.bench.table import table
from tests.bench.world import World, world

TABLES: dict[str, tuple[Callable[[World], str], str]] = {
    "rate": (rate.run, "rate, latency, CPU and memory beside the peers"),
    "big": (big.run, "a message of 10 MB"),
    "start": (starts.run, "start and reload, with 1 key and with 10,000"),
    "kill": (kills.run, "workers killed under the load of 300 connections"),
    "hostile": (hostile.run, "CPU by size of what a sender can make long"),
    "mail": (mail_path.run, "a real Postfix between smtp-source and smtp-sink; root"),
    "memory": (endurance.run, "memory of a worker over 1,000,000 messages: half an hour"),
    "domains": (many_domains.run, "100,000 key domains and 200 rules"),
    "verify": (verification.run, "our own SPF, DKIM and DMARC beside dkimpy"),
    "commands": (commands.run, "how long --help, explain and check take"),
}


def main() -> int:
    """Measure, print, write. Exit status 0, whatever the figures are; 2 where something could not be measured."""
    parser = _parser()
    arguments = parser.parse_args()
    if unknown := set(arguments.table) - {*TABLES, "all"}:
        parser.error(f"no table is called {', '.join(sorted(unknown))}: --help names them")
    names = list(TABLES) if "all" in arguments.table else arguments.table or ["rate"]
    if not (PROGRAMS / "milter_load").exists():
        print("build/bench/milter_load is not there: run `make bench`", file=sys.stderr)
        return 2
    others = os.getloadavg()[0]
    if others > BUSY:
        print(f"other programs are busy here (load {others:.1f}): the figures will be noisy", file=sys.stderr)
    with world(arguments.quick) as made:
        for name in names:
            made.say(f"{name}: {TABLES[name][1]}")
            try:
                print(TABLES[name][0](made), flush=True)
            except FileNotFoundError as error:
                print(f"bench: {name}: {error.filename} is not there: `make bench` installs it", file=sys.stderr)
                return 2
            except RuntimeError as error:
                print(f"bench: {name}: {error}", file=sys.stderr)
                return 2
        print(_of_figures(made.figures))
        report = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), "quick": made.quick, "tables": made.data}
        report["load_before"] = round(others, 1)
        report["figures"] = [each.as_json() for each in made.figures]
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
        if "rate" in names:
            arguments.svg.write_text(picture(report))
            print(f"written: {arguments.json}, {arguments.svg}")
        else:
            print(f"written: {arguments.json}")
    return 0


def _parser() -> argparse.ArgumentParser:
    told = "\n".join(f"  {name:9} {what}" for name, (_, what) in TABLES.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        epilog=f"tables (without a name: rate; all of them: all):\n{told}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("table", nargs="*", metavar="TABLE", help="what to measure")
    parser.add_argument("--quick", action="store_true", help="less than a minute for `rate`, and noisier")
    parser.add_argument("--json", type=Path, default=PROGRAMS / "bench.json", help="the report (%(default)s)")
    parser.add_argument("--svg", type=Path, default=PROGRAMS / "bench.svg", help="the chart (%(default)s)")
    return parser


def _of_figures(figures: list[Figure]) -> str:
    note = "A ratio holds within one run; all else depends on the machine and on who else uses it."
    return table(("figure", "value", "goal", ""), [each.row() for each in figures], note=note)


def machine() -> str:
    """What it is measured on."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    cores = len(os.sched_getaffinity(0))
    return f"{found[1] if found else platform.machine()}, {cores} cores, Linux {platform.release().split('-')[0]}"


if __name__ == "__main__":
    sys.exit(main())
