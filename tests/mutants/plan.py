"""Which tests judge a module, and which of its mutants are known to be no faults."""

from __future__ import annotations

from pathlib import Path

EQUIVALENT = Path(__file__).with_name("equivalent.txt")

_TESTS: dict[str, tuple[str, ...]] = {
    "policy/": ("tests/policy", "tests/laws"),
    "evidence/": ("tests/evidence", "tests/laws", "tests/passport"),
    "message/": ("tests/message", "tests/evidence"),
    "authres/": ("tests/authres", "tests/evidence", "tests/laws"),
    "dkim/": ("tests/dkim", "tests/arc"),
}


def tests_for(module: str) -> list[str]:
    """Those that its package is tested by, as paths from the top of the repository; all where none are named."""
    return list(next((tests for package, tests in _TESTS.items() if module.startswith(package)), ("tests",)))


def equivalent() -> dict[str, str]:
    """The text of each mutant that is known to be no fault, and the reason. Blocks are parted by blank lines; a block is a line
    `# reason`, which may also stand once for several blocks below it, then the mutant as `make mutants` prints it."""
    found: dict[str, str] = {}
    reason = ""
    for block in EQUIVALENT.read_text("utf-8").split("\n\n"):
        lines = block.strip().splitlines()
        while lines and lines[0].startswith("#"):
            reason = lines.pop(0).lstrip("# ")
        if lines:
            found["\n".join(lines)] = reason
    return found
