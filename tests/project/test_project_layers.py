"""The one-way flow of the design: nothing to the right is imported by anything to the left. And the house rules that a machine can see."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "milter" / "dkimgate"

# Each package, what it may import, and why nothing else. milter/README.md draws it.
RULES = {
    "log": ("", "everybody logs"),
    "waiting": ("", "who waits and who goes on meanwhile don't know each other"),
    "wire": ("", "the milter protocol for both ends of it: it knows neither Postfix nor us"),
    "config": ("", "it says what the operator wrote, and judges nothing"),
    "message": ("", "it is what arrived: it knows neither who may be believed nor who asks"),
    "dns": ("log waiting", "it asks, and doesn't know for whom"),
    "authres": ("", "a standard knows the wire and its RFC alone: it is read, tested and fuzzed by itself"),
    "dkim": ("message dns", "the same"),
    "spf": ("message dns", "the same"),
    "dmarc": ("message dns dkim spf", "the same; DMARC is made of the results of DKIM and SPF"),
    "arc": ("message dns dkim", "the same; the fields of ARC have the form of DKIM's"),
    "srs": ("config", "it rewrites addresses with the secrets of a file"),
    "postfix": ("config dns message wire", "it tells what Postfix does, not what is to be done about it"),
    "facts": ("message authres", "the frozen values between evidence, policy and record"),
    "evidence": (
        "facts message config dns authres dkim spf dmarc arc",
        "it makes facts of a message; no policy may bend them",
    ),
    "passport": (
        "facts message config dkim authres evidence",
        "it is evidence that one host of ours signs for another",
    ),
    "policy": (
        "facts message config authres evidence",
        "law 3: it decides on facts alone, without clock, DNS and disk",
    ),
    "record": ("facts message config policy log", "it tells what was decided, and decides nothing"),
    "gate": (
        "facts message config dns log srs postfix evidence passport policy record authres dkim spf dmarc arc",
        "it takes a message through all of the above, and knows no socket",
    ),
    "daemon": (
        "log waiting wire config srs facts message",
        "it adapts the milter protocol to whatever judges: the command line hands it the gate",
    ),
    "backtest": ("facts message policy record gate", "it decides again what was recorded"),
    "cli": (
        "log wire config message dns facts srs postfix evidence passport policy record gate daemon backtest dkim dmarc",
        "nobody imports it",
    ),
}
MAY_IMPORT = {name: (set(packages.split()), why) for name, (packages, why) in RULES.items()}


def _modules() -> list[Path]:
    return sorted(
        path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem not in ("__init__", "__main__")
    )


def _package(module: str) -> str:
    return module.split(".")[1]


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("dkimgate.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "dkimgate":
            found |= {f"dkimgate.{alias.name}" for alias in node.names if alias.name != "__version__"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dkimgate."):
            found.add(node.module or "")
    return found


def test_imports_go_one_way(subtests: pytest.Subtests) -> None:
    for path in _modules():
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        may, why = MAY_IMPORT[own]
        found = {_package(module) for module in _imports(path)} - {own}
        with subtests.test(str(path.relative_to(PACKAGE))):
            assert found <= may, f"{own} may not import {', '.join(sorted(found - may))}: {why}"


def test_the_rules_have_no_circle_and_name_every_package() -> None:
    """A package stands behind all that it may import: then there is no circle among packages."""
    names = list(MAY_IMPORT)
    assert {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in _modules()} == set(names)
    for name, (may, _) in MAY_IMPORT.items():
        assert {names.index(other) for other in may} <= set(range(names.index(name))), name


def test_every_rule_is_used() -> None:
    """What no module imports is no longer a rule."""
    used: dict[str, set[str]] = {name: set() for name in MAY_IMPORT}
    for path in _modules():
        used[path.relative_to(PACKAGE).parts[0].removesuffix(".py")] |= {_package(module) for module in _imports(path)}
    assert {name: may - used[name] for name, (may, _) in MAY_IMPORT.items() if may - used[name]} == {}


def test_a_module_over_400_lines_is_two_modules() -> None:
    lengths = {str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    tests = PACKAGE.parents[1] / "tests"
    lengths |= {str(path.relative_to(tests)): len(path.read_text().splitlines()) for path in tests.rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_the_source_root_does_not_shadow_pymilter() -> None:
    """pymilter's C extension is the module `milter`; a package of that name would hide it."""
    assert not (ROOT / "milter" / "__init__.py").exists()
    import milter

    assert hasattr(milter, "opensocket")


def test_no_merge_was_left_half_done() -> None:
    """A conflict in a text that no program reads shows nowhere else."""
    texts = [
        path
        for folder in (ROOT.glob("*"), *((ROOT / name).rglob("*") for name in ("config", "milter", "systemd", "tests")))
        for path in folder
        if path.suffix in (".md", ".yaml", ".toml", ".txt")
    ]
    marks = ("<" * 7 + " ", ">" * 7 + " ")
    assert [
        str(path) for path in texts if any(line.startswith(marks) for line in path.read_text("utf-8").splitlines())
    ] == []
