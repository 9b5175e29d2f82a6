"""Which tests judge a module, and which of its mutants are known to be no faults."""

from __future__ import annotations

from pathlib import Path

EQUIVALENT = Path(__file__).with_name("equivalent.txt")

_TESTS: dict[str, tuple[str, ...]] = {
    "policy/": ("decide", "verdict", "laundering", "relayed", "departure"),
    "message/author_readings.py": ("own_author",),
    "authres/methods.py": ("wild",),
}
"""The tests of its own folder that judge a module or a package, by the ends of their names; all of the folder for others."""


def tests_for(module: str) -> list[str]:
    """Those of the folder of its package, as paths from the top of the repository. They take seconds; the laws take minutes."""
    package = module.partition("/")[0].removesuffix(".py")
    ends = next((ends for start, ends in _TESTS.items() if module.startswith(start)), None)
    if ends is None:
        return [f"tests/{package}"]
    return [f"tests/{package}/test_{package}_{end}.py" for end in ends] + _BESIDE.get(module, [])


_BESIDE = {"authres/methods.py": ["tests/evidence/test_evidence_claims.py", "tests/evidence/test_evidence_words.py"]}
"""What is read only while others are loaded is judged by theirs."""


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
