"""How much of dkimgate the tests have run: `python tests/coverage_report.py FILE [LEAST]`.

FILE is what slipcover wrote. It prints the share of lines and of branches, and names what was not run with `--missing`. With LEAST it ends with
status 1 where less than that percentage was run. Daemons run in processes of their own, which are not measured.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def share(files: list[dict[str, Any]], what: str) -> float:
    """The percentage of `lines` or `branches` that were run."""
    run, missed = (sum(len(file[f"{kind}_{what}"]) for file in files) for kind in ("executed", "missing"))
    return 100 * run / (run + missed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("least", type=float, nargs="?", default=0.0)
    parser.add_argument("--missing", action="store_true")
    arguments = parser.parse_args()
    files: dict[str, dict[str, Any]] = json.loads(arguments.file.read_text())["files"]
    if arguments.missing:
        for name, file in sorted(files.items()):
            lines = " ".join(map(str, file["missing_lines"]))
            branches = " ".join(f"{start}->{end or 'exit'}" for start, end in file["missing_branches"])
            for what, missing in (("lines", lines), ("branches", branches)):
                if missing:
                    print(f"{name}: {what} {missing}")
    of_lines, of_branches = (share(list(files.values()), what) for what in ("lines", "branches"))
    print(f"the tests run {of_lines:.1f} % of the lines and {of_branches:.1f} % of the branches")
    if min(of_lines, of_branches) < arguments.least:
        print(f"less than {arguments.least:g} %: `make coverage` tells what is missing")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
