"""The secrets of a host group, with which its borders sign passports and its other listeners verify them.

The file holds a secret a line, `ID:BASE64`, the newest first: the first one signs, all of them verify. So a secret is
replaced without a gap: append the new one to the file of every host, move it to the top everywhere, and drop the old
one when the last passport that it signed is stale. Empty lines and lines that begin with `#` don't count.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from dkimgate.config import secret_file
from dkimgate.config.problem import BadValue, ConfigError, Problem

LEAST_OCTETS = 32
"""Octets of a secret: as many as the hash of its HMAC has (RFC 2104 section 3)."""
MOST_OCTETS = 1024

_LEAST_VARIETY = 8  # different octets; 32 random ones have fewer once in 10^30 times, a line of zeros always has
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_MAKE_ONE = "make one with dkimgate passport new-secret"


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret and the name that passports call it by. The secret itself is in no repr."""

    id: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Secrets:
    """One secret or more, the one that signs first."""

    all: tuple[Secret, ...]

    @property
    def newest(self) -> Secret:
        """The one that signs."""
        return self.all[0]

    def find(self, name: str) -> Secret | None:
        """The secret of that id, or None."""
        return next((secret for secret in self.all if secret.id == name), None)

    @classmethod
    def load(cls, file: Path) -> Secrets:
        """Read a secrets file. Raises ConfigError with every mistake in it; no message quotes a secret."""
        return cls.parse(secret_file.read(file, "the secrets", f"{_MAKE_ONE} --out {shlex.quote(str(file))}"), file)

    @classmethod
    def parse(cls, data: bytes, file: Path) -> Secrets:
        """`load`, of octets at hand."""
        found: list[Secret] = []
        problems: list[Problem] = []
        lines: dict[str, int] = {}
        for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
            text = line.decode("ascii", "replace").strip()
            if not text or text.startswith("#"):
                continue
            try:
                secret = _secret(text)
            except BadValue as error:
                problems.append(Problem(error.code, str(error), file, number))
                continue
            if secret.id in lines:
                text = f"line {lines[secret.id]} has the id {secret.id} already: give each secret its own id"
                problems.append(Problem("secret.id-twice", text, file, number))
            lines.setdefault(secret.id, number)
            found.append(secret)
        if not found and not problems:
            problems.append(Problem("secret.none", f"the file has no secret: {_MAKE_ONE}", file))
        if problems:
            raise ConfigError(*problems)
        return cls(tuple(found))


def is_id(text: str) -> bool:
    """May a secret have that id? Letters, digits, `.`, `_` and `-`, at most 32, a letter or digit first."""
    return _ID.fullmatch(text) is not None


def new_secret(name: str) -> str:
    """A line for the file, without a line end, with a new secret from the system's generator. Raises ValueError for
    what is no id."""
    if not is_id(name):
        raise BadValue(
            "secret.id", f"{name!r} is not an id: expected at most 32 letters, digits, dots, underscores and hyphens"
        )
    return f"{name}:{base64.b64encode(secrets.token_bytes(LEAST_OCTETS)).decode()}"


def _secret(text: str) -> Secret:
    name, colon, encoded = (part.strip() for part in text.partition(":"))
    if not colon:
        raise BadValue("secret.line", f"expected ID:BASE64: {_MAKE_ONE}")
    if not is_id(name):
        raise BadValue(
            "secret.id",
            "the part before the colon is not an id: expected at most 32 letters, digits, dots, underscores and "
            "hyphens",
        )
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise BadValue("secret.encoding", f"the secret {name} is not base64: {_MAKE_ONE}") from None
    if not LEAST_OCTETS <= len(key) <= MOST_OCTETS:
        raise BadValue(
            "secret.length",
            f"the secret {name} has {len(key)} octets: expected {LEAST_OCTETS} to {MOST_OCTETS}; {_MAKE_ONE}",
        )
    if len(set(key)) < _LEAST_VARIETY:
        raise BadValue("secret.not-random", f"the secret {name} is not random: {_MAKE_ONE}")
    return Secret(name, key)
