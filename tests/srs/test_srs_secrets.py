"""The file of secrets: what postsrsd and dkimgate both read from it, and what an operator gets wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkimgate.config.yaml_file import ConfigError
from dkimgate.srs import Secrets, new_secret

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
    ("", 0, "no secret in it: make one with dkimgate srs new-secret"),
    ("\n\r\n", 0, "no secret in it"),
    (f"# the secrets of our host\n{A}\n", 1, "postsrsd knows no comments"),
    (f"{A}\n  # old:\n", 2, "postsrsd knows no comments"),
    (f"{A}\nsecret\n", 2, "a secret has 16 to 1000 octets, this one 6"),
    (f"{A}\n{' ' * 20}\n", 2, "is not random"),
    ("0" * 32, 1, "is not random"),
    (A * 50, 1, "a secret has 16 to 1000 octets, this one 1200"),
    (f"{A}\0{B}", 1, "a NUL or a carriage return"),
    (f"{A}\r{B}", 1, "a NUL or a carriage return"),
    ("\ufeff".encode("utf-16") + A.encode("utf-16-le"), 1, "a NUL"),
]


@pytest.mark.parametrize(
    ("text", "line", "expected"), WRONG, ids=[f"{number}: {row[2]}" for number, row in enumerate(WRONG)]
)
def test_a_mistake_is_told_with_its_line_and_without_the_secret(
    tmp_path: Path, text: str | bytes, line: int, expected: str
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        Secrets.load(file)
    told = str(caught.value)
    assert told.startswith(f"{file}:{line}: " if line else f"{file}: ")
    assert expected in told
    assert A not in told


def test_what_others_can_read_and_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"everyone can read the SRS secrets .* run chmod 0640"):
        Secrets.load(written(tmp_path, A, 0o644))
    assert Secrets.load(written(tmp_path, A, 0o640)).all == (A.encode(),)
    with pytest.raises(ConfigError, match="make one with dkimgate srs new-secret --out"):
        Secrets.load(tmp_path / "missing")
    with pytest.raises(ConfigError, match="larger than 65536 octets"):
        Secrets.load(written(tmp_path, f"{A}\n" * 4000))


def test_a_secret_is_in_no_repr() -> None:
    assert "horse" not in repr(Secrets((b"correct horse battery",)))


def test_new_secrets_differ_and_are_taken(tmp_path: Path) -> None:
    made = [new_secret() for _ in range(20)]
    assert len(set(made)) == 20
    assert len(Secrets.load(written(tmp_path, "\n".join(made))).all) == 20
