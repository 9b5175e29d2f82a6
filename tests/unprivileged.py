"""What a command says to a user who is not root: it runs in a child that has given root up."""

from __future__ import annotations

import importlib
import os
import pwd
import sys
import tempfile

from dkimgate import cli
from tests.needs import need_root


def as_nobody(*arguments: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of `dkimgate ARGUMENTS` for the user nobody."""
    need_root("to become another user")
    for late in ("ascii", "idna", "punycode", "latin_1"):  # Python itself may be in a folder of root's
        importlib.import_module(f"encodings.{late}")
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = os.fork()
        if child == 0:
            status = 99
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                sys.stdout, sys.stderr = out, err
                _become_nobody()
                status = cli.main(arguments)
            except SystemExit as stopped:
                status = int(stopped.code or 0)
            finally:
                out.flush()
                err.flush()
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        return os.waitstatus_to_exitcode(ended), out.read(), err.read()


def _become_nobody() -> None:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setresgid(*[nobody.pw_gid] * 3)
    os.setresuid(*[nobody.pw_uid] * 3)
