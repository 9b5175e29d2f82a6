"""The file of secrets: what postsrsd and dkimgate both read from it, and what an operator gets wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkimgate.srs import Secrets, new_secret
from tests.problems import refusals, told

A, B = "vnHGgDCuQdEYRQNQFFq4Vw+B", "b0Tt1SLK/Xk5SGd84rtLXpJc"


def written(tmp_path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    file = tmp_path / "srs.secret"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(mode)
    return file


@pytest.mark.parametrize("text", [f"{A}\n{B}\n", f"{A}\n{B}", f"\n{A}\r\n\r\n{B}\r\n"])
def test_the_lines_are_the_secrets(tmp_path: Path, text: str) -> None:
    assert Secrets.load(written(tmp_path, text)).all == (A.encode(), B.encode())


def test_white_space_is_part_of_a_secret_as_it_is_for_postsrsd(tmp_path: Path) -> None:
    assert Secrets.load(written(tmp_path, f" {A}\t \n")).all == (f" {A}\t ".encode(),)


WRONG: list[tuple[str | bytes, int, str]] = [
    ("", 0, "secret.none"),
    ("\n\r\n", 0, "secret.none"),
    (f"# the secrets of our host\n{A}\n", 1, "secret.comment"),
    (f"{A}\n  # old:\n", 2, "secret.comment"),
    (f"{A}\nsecret\n", 2, "secret.length"),
    (f"{A}\n{' ' * 20}\n", 2, "secret.not-random"),
    ("0" * 32, 1, "secret.not-random"),
    (A * 50, 1, "secret.length"),
    (f"{A}\0{B}", 1, "secret.character"),
    (f"{A}\r{B}", 1, "secret.character"),
    ("\ufeff".encode("utf-16") + A.encode("utf-16-le"), 1, "secret.character"),
]


@pytest.mark.parametrize(
    ("text", "line", "expected"), WRONG, ids=[f"{number}: {row[2]}" for number, row in enumerate(WRONG)]
)
def test_a_mistake_is_told_with_its_line_and_without_the_secret(
    tmp_path: Path, text: str | bytes, line: int, expected: str
) -> None:
    file = written(tmp_path, text)
    problem, *_ = refusals(Secrets.load, file)
    assert (problem.file, problem.line or 0, problem.code) == (file, line, expected)
    assert A not in str(problem)


def test_what_others_can_read_and_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert told(refusals(Secrets.load, written(tmp_path, A, 0o644))) == ["file.permissions"]
    assert Secrets.load(written(tmp_path, A, 0o640)).all == (A.encode(),)
    assert told(refusals(Secrets.load, tmp_path / "missing")) == ["file.cant-read"]
    assert told(refusals(Secrets.load, written(tmp_path, f"{A}\n" * 4000))) == ["file.too-large"]


def test_a_secret_is_in_no_repr() -> None:
    assert "horse" not in repr(Secrets((b"correct horse battery",)))


def test_new_secrets_differ_and_are_taken(tmp_path: Path) -> None:
    made = [new_secret() for _ in range(20)]
    assert len(set(made)) == 20
    assert len(Secrets.load(written(tmp_path, "\n".join(made))).all) == 20
