"""`make install` heals an environment that the host's Python doesn't run any more, and breaks none that it does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.heavy

BACKEND = """
import zipfile

def build_wheel(folder, settings=None, metadata=None):
    name = "dkimgate-9.9-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("dkimgate/__init__.py", "")
        wheel.writestr("dkimgate/cli.py", "def main():\\n    print('dkimgate 9.9')\\n")
        wheel.writestr("dkimgate-9.9.dist-info/METADATA", "Metadata-Version: 2.1\\nName: dkimgate\\nVersion: 9.9\\n")
        wheel.writestr("dkimgate-9.9.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("dkimgate-9.9.dist-info/entry_points.txt", "[console_scripts]\\ndkimgate = dkimgate.cli:main\\n")
        wheel.writestr("dkimgate-9.9.dist-info/RECORD", "")
    return name
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A small package of the same name, which needs nothing that would have to be fetched."""
    folder = tmp_path / "clone"
    (folder / "milter").mkdir(parents=True)
    (folder / "milter" / "backend.py").write_text(BACKEND)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["milter"]\n[project]\nname = "dkimgate"\nversion = "9.9"\n'
    )
    for name in ("README.md", "LICENSE", "requirements.txt", "requirements-build.txt"):
        (folder / name).write_text("")
    return folder


def install(clone: Path, python: str = sys.executable, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(ROOT / "systemd" / "install-python.sh"), str(clone.parent / "opt"), python]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False, umask=umask)


def other_minor(opt: Path) -> None:
    """As the upgrade leaves it: bin/python3 is the new one, which looks for its packages elsewhere."""
    (lib,) = (opt / "lib").glob("python3.*")
    lib.rename(lib.with_name("python3.4"))


def python_is_gone(opt: Path) -> None:
    for link in (opt / "bin").glob("python*"):
        link.unlink()
        link.symlink_to("/usr/bin/python3.4")


def pip_is_gone(opt: Path) -> None:
    for pip in (opt / "lib").glob("python3*/site-packages/pip"):
        pip.rename(pip.with_name("pip-is-elsewhere"))


def half_built(opt: Path) -> None:
    (opt / "pyvenv.cfg").unlink()
    other_minor(opt)


@pytest.mark.parametrize("damage", [other_minor, python_is_gone, pip_is_gone, half_built])
def test_what_does_not_run_is_built_anew(clone: Path, damage: Callable[[Path], None]) -> None:
    opt = clone.parent / "opt"
    assert install(clone).returncode == 0
    (opt / "share").mkdir()
    (opt / "share" / "README.md").write_text("documents")
    damage(opt)
    ran = install(clone)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "doesn't run any more: building it anew" in ran.stdout
    said = subprocess.run([str(opt / "bin" / "dkimgate")], capture_output=True, text=True, check=True).stdout
    assert said == "dkimgate 9.9\n"
    assert (opt / "share" / "README.md").read_text() == "documents"
    assert sorted(path.name for path in clone.parent.iterdir()) == ["clone", "opt"], "nothing is left beside it"
    assert ".new" not in (opt / "bin" / "dkimgate").read_text() + (opt / "pyvenv.cfg").read_text()


def test_the_daemons_user_can_read_it_whatever_roots_umask_is(clone: Path) -> None:
    assert install(clone, umask=0o077).returncode == 0
    opt = clone.parent / "opt"
    assert not [path for path in (opt, *opt.rglob("*")) if path.lstat().st_mode & 0o004 == 0]


def test_what_runs_stays(clone: Path) -> None:
    opt = clone.parent / "opt"
    assert install(clone).returncode == 0
    (site,) = (opt / "lib").glob("python3*/site-packages")
    (site / "kept.py").write_text("")
    assert install(clone).stdout == ""
    assert (site / "kept.py").exists()


def test_a_build_that_fails_changes_nothing(clone: Path) -> None:
    opt = clone.parent / "opt"
    assert install(clone).returncode == 0
    other_minor(opt)
    (clone / "milter" / "backend.py").write_text("def build_wheel(*_):\n    raise SystemExit('broken')\n")
    assert install(clone).returncode != 0
    assert (opt / "lib" / "python3.4" / "site-packages" / "dkimgate").is_dir()
