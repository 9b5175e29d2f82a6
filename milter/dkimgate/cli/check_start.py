"""Would the daemon start, and take mail? What `check` finds about that."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from dkimgate.cli.finding import Finding
from dkimgate.config import credentials, systemd_unit
from dkimgate.config.dkimgate_yaml import Config
from dkimgate.config.files import is_folder
from dkimgate.config.permissions import process_user
from dkimgate.config.problem import Problem
from dkimgate.daemon import privileges
from dkimgate.daemon.attempt import attempts, is_served

UNIT = "dkimgate.service"
BOOTED = Path("/run/systemd/system")
"""There where systemd runs (sd_booted(3))."""
_SECONDS = 60.0
_NOT_OF_A_SANDBOX = (
    *(
        "ExecStart",
        "ExecStop",
        "ExecReload",
        "ExecCondition",
        "Type",
        "NotifyAccess",
        "Restart",
        "Timeout",
        "Watchdog",
        "KillMode",
        "PIDFile",
    ),
    *("RemainAfterExit", "RuntimeDirectoryPreserve", "OOMPolicy", "StandardInput", "StandardOutput", "StandardError"),
)
"""What says how the daemon is run and where it writes to, by the beginnings of the names. ExecPaths= is of the
sandbox."""
_HOMES = ("/home", "/root", "/run/user")


def credentials_from_elsewhere(settings: Config) -> Iterator[Finding]:
    """Keys and secrets from systemd credentials, if the service does not run here."""
    secrets = [each.secret_file for each in (settings.unalign, settings.passport) if each is not None]
    files = (*(key.file for key in settings.keys), *secrets)
    absent = [file for file in files if credentials.is_credential(file) and not credentials.is_there(file)]
    for file in absent:
        if credentials.is_new(file):
            unit = file.parent.name
            yield Finding(
                "warning",
                "file.credential-new",
                f"{unit} runs, and systemd makes this file only when it starts: run `systemctl restart {unit}`. A "
                "reload is refused",
                file=file,
            )
    read = [file for file in absent if not credentials.is_new(file)]
    if read:
        names = ", ".join(sorted({f"{file.name} ({credentials.origin(file).file})" for file in read}))
        folder = read[0].parent
        why = (
            f"only root can read {folder}"
            if is_folder(folder)
            else f"the service does not run, so {folder} does not exist"
        )
        yield Finding(
            "note", "file.credential-origin", f"{why}. The source in LoadCredential= was read instead: {names}"
        )


def tried(file: Path, settings: Config) -> Iterator[Finding]:
    """What fails of what the daemon will do, as its user: in the unit's sandbox where systemd can make it, else by the
    unit's rules."""
    unit = systemd_unit.read(UNIT)
    if unit is not None and not any(str(file.absolute()) in line for line in unit.get("ExecStart", ())):
        unit = None  # the file of another daemon, or a draft
    ours = tuple(f"listen: {each.socket}: " for each in settings.listen if is_served(each.socket))
    if unit is not None and is_folder(BOOTED) and os.geteuid() == 0:
        command = sandboxed(
            unit, [sys.executable, "-m", "dkimgate", "run", "--attempt", "--config", str(file.absolute())], os.getpid()
        )
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            why = getattr(error, "strerror", None) or str(error)
        else:
            if done.returncode == 0 or (done.returncode == 1 and done.stdout):
                yield from _failed(done.stdout, ours, f"in the sandbox of {UNIT}")
                return
            why = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        yield Finding(
            "note",
            "start.not-tried",
            f"the trial of the daemon could not run in the sandbox of {UNIT}: {why}. It ran without the sandbox",
        )
    yield from _failed(_as_the_user(settings), ours, f"as {_tried_as(settings)}")
    if unit is not None:
        yield from (Finding.of("problem", each) for each in hidden(unit, file, settings))


def _failed(printed: str, ours: tuple[str, ...], how: str) -> Iterator[Finding]:
    """What a trial printed, a JSON object a line; that a listener is in use by the daemon that runs is no problem."""
    for line in printed.splitlines():
        told = json.loads(line)
        if not told["text"].startswith(ours):
            file = Path(told["file"]) if told["file"] is not None else None
            problem = Problem(told["code"], f"{told['text']} (tried {how})", file, told["line"], told["column"])
            yield Finding.of("problem", problem, stops=problem.text.startswith("listen: "))


def with_trials(found: list[Finding], trials: Iterable[Finding]) -> list[Finding]:
    """What a trial found comes first, unless a problem with that path is told already, with what to do."""
    told = [str(each) for each in found if each.level == "problem"]
    new = [each for each in trials if not any(path in text for text in told for path in _paths(str(each)))]
    return [
        *(each for each in new if each.level == "problem"),
        *found,
        *(each for each in new if each.level != "problem"),
    ]


def _paths(text: str) -> list[str]:
    """Those with a colon behind them, as the error messages of the operating system have them."""
    return [path for path, colon in re.findall(r"(/[^\s:]++)(:?)", text) if colon]


def sandboxed(unit: Mapping[str, tuple[str, ...]], program: Sequence[str], number: int) -> list[str]:
    """systemd-run(1) with the properties of a unit. A folder below /run outlives the trial, since a daemon may use
    it."""
    properties = [
        f"--property={key}={value}"
        for key, values in unit.items()
        if not key.startswith(_NOT_OF_A_SANDBOX)
        for value in values
    ]
    return [
        *("systemd-run", "--wait", "--pipe", "--quiet", "--collect", f"--unit=dkimgate-check-{number}"),
        *(*properties, "--property=RuntimeDirectoryPreserve=yes", "--", *program),
    ]


def hidden(unit: Mapping[str, tuple[str, ...]], file: Path, settings: Config) -> Iterator[Problem]:
    """Paths that the sandbox takes from the daemon, by ProtectHome= and ProtectSystem= (systemd.exec(5))."""
    secrets = [each.secret_file for each in (settings.unalign, settings.passport) if each is not None]
    reads = [file.absolute(), settings.policy, *(key.file for key in settings.keys), *secrets]
    sockets = [
        Path(each.socket.partition(":")[2]).parent for each in settings.listen if each.socket.startswith("unix:")
    ]
    writes = [settings.journal.file.parent, *sockets]
    if unit.get("ProtectHome", ("no",))[-1] in ("yes", "true", "tmpfs"):
        for path in dict.fromkeys([*reads, *writes]):
            if any(path.is_relative_to(home) for home in _HOMES):
                text = f"{UNIT} hides this path from the daemon (ProtectHome=): use another path"
                yield Problem("file.protect-home", text, path)
    if unit.get("ProtectSystem", ("no",))[-1] == "strict":
        may = _writable(unit)
        for path in dict.fromkeys(writes):
            if not any(path.is_relative_to(folder) for folder in may):
                text = (
                    f"the daemon can't write here, because {UNIT} makes it read-only (ProtectSystem=strict): run "
                    f"`systemctl edit dkimgate` and add ReadWritePaths={path}"
                )
                yield Problem("file.protect-system", text, path)


def _writable(unit: Mapping[str, tuple[str, ...]]) -> list[Path]:
    made = {
        "RuntimeDirectory": "/run",
        "LogsDirectory": "/var/log",
        "StateDirectory": "/var/lib",
        "CacheDirectory": "/var/cache",
    }
    folders = [Path(base) / name for key, base in made.items() for value in unit.get(key, ()) for name in value.split()]
    folders += [Path(path.lstrip("-+")) for value in unit.get("ReadWritePaths", ()) for path in value.split()]
    private = unit.get("PrivateTmp", ("no",))[-1] in ("yes", "true")
    return [*folders, Path("/dev"), *(map(Path, ("/tmp", "/var/tmp")) if private else ())]


def _tried_as(settings: Config) -> str:
    return settings.user if settings.user and os.geteuid() == 0 else process_user()


def _as_the_user(settings: Config) -> str:
    """Try it in a child that gives up root as the daemon does. Returns what fails, a JSON object a line."""
    try:
        owner = privileges.owner_of(settings) if settings.user is not None else None
    except privileges.StartError:
        return ""  # told elsewhere, or not ours to try
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if owner is not None:
                privileges.become(owner)
            os.write(writing, _lines(attempts(settings)))
        except BaseException as error:  # noqa: BLE001  a forked child must not return
            os.write(writing, _lines([Problem("start.not-tried", str(error))]))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        text = said.read()
    os.waitpid(child, 0)
    # a folder below /run is made as the service starts, and is told of where the listeners are
    return "\n".join(
        line
        for line in text.decode().splitlines()
        if not ("listen: unix:/run/" in line and json.loads(line)["text"].endswith(os.strerror(errno.ENOENT)))
    )


def _lines(problems: Iterable[Problem]) -> bytes:
    return "".join(json.dumps(each.as_json()) + "\n" for each in problems).encode()
