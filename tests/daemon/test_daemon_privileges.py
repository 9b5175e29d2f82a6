"""Whom the daemon may become: decided before anything is opened."""

from __future__ import annotations

import os
import pwd

import pytest

from dkimgate.config.dkimgate_yaml import Config
from dkimgate.daemon.privileges import Owner, StartError, owner_of

MAIL = pwd.getpwnam("mail")


@pytest.mark.parametrize(
    ("running_as", "user", "expected"),
    [
        (0, "mail", Owner("mail", MAIL.pw_uid, MAIL.pw_gid)),
        (0, None, None),
        (65534, None, None),
        (MAIL.pw_uid, "mail", None),
        (65534, "mail", "user.not-root"),
        (0, "root", "user.root"),
        (0, "no-such-user", "user.missing"),
    ],
)
def test_owner(
    monkeypatch: pytest.MonkeyPatch, running_as: int, user: str | None, expected: Owner | str | None
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: running_as)
    if isinstance(expected, str):
        with pytest.raises(StartError) as refused:
            owner_of(Config(user=user))
        assert refused.value.problem.code == expected
    else:
        assert owner_of(Config(user=user)) == expected
