"""The one-way flow of the design: nothing to the right is imported by anything to the left. And the house rules that a machine can see."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "milter" / "dkimgate"

LAYERS = (
    "log",
    "yamlfile",
    "systemdunit",
    "credentials",
    "permissions",
    "secretfile",
    "postfix",
    "authserv",
    "slow_pattern",
    "marks",
    "config_values",
    "config",
    "config_reference",
    "message",
    "budget",
    "wire",
    "domains",
    "srs",
    "encodedword",
    "author_readings",
    "author",
    "facts",
    "hops",
    "route",
    "signing",
    "resolver_health",
    "resolver",
    "system",
    "way_out",
    "spf_query",
    "evidence",
    "departure",
    "policy",
    "passport",
    "spf_check",
    "record",
    "journal",
    "header_changes",
    "sending",
    "sealer",
    "agreement",
    "engine",
    "passage",
    "border",
    "gate",
    "milterclient",
    "daemon",
    "backtest",
    "cli",
)


def _modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem not in ("__init__", "__main__"))


def _layer(module: str) -> str:
    return module.split(".")[1] if "." in module else module


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


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in _imports(path):
        assert LAYERS.index(_layer(module)) <= LAYERS.index(own), f"{own} imports {module}"


def test_every_module_has_its_layer() -> None:
    assert {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in _modules()} <= set(LAYERS)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_over_400_lines_is_two_modules(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_the_source_root_does_not_shadow_pymilter() -> None:
    """pymilter's C extension is the module `milter`; a package of that name would hide it."""
    assert not (ROOT / "milter" / "__init__.py").exists()
    import milter

    assert hasattr(milter, "opensocket")


def test_no_merge_was_left_half_done() -> None:
    """A conflict in a text that no program reads shows nowhere else."""
    texts = [path for path in ROOT.rglob("*") if path.suffix in (".md", ".yaml", ".toml", ".txt") and ".venv" not in path.parts]
    marks = ("<" * 7 + " ", ">" * 7 + " ")
    assert [str(path) for path in texts if any(line.startswith(marks) for line in path.read_text("utf-8").splitlines())] == []
