"""Send every case through every wiring, and keep what the verifiers wrote. `python -m tests.evidence.echoes.capture FOLDER` writes the files anew."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chain import servers
from tests.chain.namespace import Namespace, wait_until
from tests.evidence.echoes import smtp_client, verifiers, verifiers_more, zone
from tests.evidence.echoes.cases import HOSTILE, PLAIN, Case
from tests.evidence.echoes.verifiers import Wiring

ARRIVAL_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as it lies in the mailbox. `above` is what stands above the border's Received field, `below` what stands beneath it."""

    return_path: str
    above: str
    received: str
    below: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Postfix, or a verifier, did not take it."""

    reply: str


Outcome = Seen | Refused


def run(
    cases: Sequence[Case], wirings: Callable[[Path], list[Wiring]] = verifiers.wirings
) -> dict[str, dict[str, Outcome]]:
    """What became of each case, by its name and that of the wiring."""
    with _servers(wirings) as (folder, namespace, ports, check):
        messages = [case.message().decode("latin-1") for case in cases]
        jobs = [
            (number, wiring, port, f"{number}.{port}") for number in range(len(cases)) for wiring, port in ports.items()
        ]
        sessions = [
            {
                "server": zone.ADDRESSES[zone.OURS],
                "port": port,
                "client": cases[number].client,
                "helo": cases[number].helo,
                "sender": cases[number].sender,
                "recipient": f"ask{ident}@{zone.HOSTED}",
                "message": messages[number],
            }
            for number, _, port, ident in jobs
        ]
        printed = namespace.run(sys.executable, smtp_client.__file__, text=json.dumps(sessions).encode(), seconds=180)
        refused = {ident: reply for (*_, ident), reply in zip(jobs, json.loads(printed), strict=True) if reply}
        inbox = folder / "postfix/mail/inbox/new"
        awaited = len(jobs) - len(refused)

        def there() -> bool:
            check()
            return inbox.is_dir() and sum(1 for _ in inbox.iterdir()) >= awaited

        wait_until(there, "not all messages have arrived", ARRIVAL_SECONDS)
        found = dict(map(_take_apart, (file.read_bytes() for file in inbox.iterdir())))
    outcomes: dict[str, dict[str, Outcome]] = {case.name: {} for case in cases}
    for number, wiring, _, ident in jobs:
        outcomes[cases[number].name][wiring] = (
            Refused(_plain_reply(refused[ident])) if ident in refused else found[ident]
        )
    return outcomes


@contextmanager
def _servers(
    wirings: Callable[[Path], list[Wiring]],
) -> Iterator[tuple[Path, Namespace, Mapping[str, int], Callable[[], None]]]:
    folder = Path(tempfile.mkdtemp(prefix="dkimgate-echoes-"))
    try:
        folder.chmod(0o755)
        wired = wirings(folder)
        resolv_conf = folder / "resolv.conf"
        resolv_conf.write_text("nameserver 127.0.0.1\n")
        name_server = _unbound(folder)
        command, ports = verifiers.postfix(folder / "postfix", wired)
        with Namespace(folder, zone.addresses(), [(resolv_conf, Path("/etc/resolv.conf"))]) as namespace:
            unbound = namespace.start("unbound", *name_server)
            namespace.wait_for_port(unbound, "127.0.0.1", 53)
            milters = {milter: None for wiring in wired for milter in wiring.milters}
            helpers = [
                (helper, namespace.start(helper.name, *helper.command))
                for wiring in wired
                for helper in wiring.servers()
            ]
            running = [(milter, namespace.start(milter.name, *milter.command)) for milter in milters]
            host = namespace.start("postfix", *command)
            for helper, server in helpers:
                if helper.socket is not None:
                    namespace.wait_for_socket(server, helper.socket)
                else:
                    namespace.wait_for_port(server, helper.address, helper.port)
            for milter, server in running:
                namespace.wait_for_socket(server, milter.socket)
            for wiring in wired:
                if wiring.mta is None:
                    namespace.wait_for_port(host, zone.ADDRESSES[zone.OURS], ports[wiring.name])

            def check() -> None:
                for server in (unbound, host, *(server for _, server in [*helpers, *running])):
                    server.check()

            yield folder, namespace, ports, check
    finally:
        if kept := os.environ.get("ECHOES_LOGS"):
            for log in folder.glob("*.log"):
                shutil.copy(log, kept)
        shutil.rmtree(folder)


def _unbound(folder: Path) -> servers.Command:
    command = servers.unbound(folder, zone.records(), (zone.ANSWERS_NOTHING,))
    file = folder / "unbound.conf"
    text = file.read_text()
    place = text.index("  local-data:")
    file.write_text(f'{text[:place]}  local-zone: "{zone.KEYS_FOR_ALL}." redirect\n{text[place:]}')
    return command


_FIELD = re.compile(rb"[^\n]*\n(?:[ \t][^\n]*\n)*")
_IDENT = re.compile(r"(?<=\bask)([0-9]+\.[0-9]+)(?=@)")
_DELIVERY = ("return-path", "x-original-to", "delivered-to", "envelope-to", "delivery-date")


def _take_apart(raw: bytes) -> tuple[str, Seen]:
    header = raw.partition(b"\n\n")[0] + b"\n"
    fields = [field.decode("latin-1") for field in _FIELD.findall(header)]
    names = [field.partition(":")[0].lower() for field in fields]
    border = len(names) - 1 - names[::-1].index("received")  # no sender of ours writes one
    above = [field for field, name in zip(fields[:border], names[:border], strict=True) if name not in _DELIVERY]
    sender = fields[names.index("return-path")].partition("<")[2].rpartition(">")[0]
    below = _same_each_time("".join(fields[border + 1 :]))
    ident = _IDENT.findall("".join(fields[: border + 1]))[0]
    return ident, Seen(sender, _same_each_time("".join(above)), _same_each_time(fields[border]), below)


_NOT_THE_SAME = (
    (_IDENT, ""),
    (
        re.compile(r"(?<=\bid )[A-Za-z0-9_-]{8,}(?=\n|\s+for)|(?<=^X-Rspamd-Queue-Id: )[0-9A-F]+$", re.MULTILINE),
        "4F2A7C9E01",
    ),
    (re.compile(r"(?<=^X-Spam-Checker-Version: )(.* on ).*$", re.MULTILINE), rf"\g<1>{zone.OURS}"),
    (
        re.compile(r"(;\s+)\w{3}, [ \d]?\d \w{3} \d{4} [\d:]{8} [+-]\d{4}(?: \(\w+\))?$", re.MULTILINE),
        r"\1Sat, 21 Nov 2026 16:20:25 +0000 (UTC)",
    ),
)


def _same_each_time(text: str) -> str:
    """Queue ids, dates and the recipient's number are those of this run, and say nothing."""
    for pattern, replacement in _NOT_THE_SAME:
        text = pattern.sub(replacement, text)
    return text


def _plain_reply(reply: str) -> str:
    return " ".join(reply.split())


_HEAD = """\
# What Debian's verifiers write into {kind} mail: written by `python -m tests.evidence.echoes.capture`, see README.md; don't edit.
# Octets above 127 stand as the Latin-1 characters of the same number.
# Captured alive, behind Postfix, with
{versions}
"""


def as_yaml(kind: str, cases: Sequence[Case], outcomes: Mapping[str, Mapping[str, Outcome]]) -> str:
    """The rows, in the form that people read: whole fields, folds included."""
    packages = verifiers.versions((*verifiers.PACKAGES, *verifiers_more.PACKAGES))
    versions = "\n".join(f"#   {line}" for line in [*map(" ".join, packages.items()), verifiers_more.exim_version()])
    head = _HEAD.format(kind=kind, versions=versions)
    return head + "\n" + "".join(_row(case, outcomes[case.name]) for case in cases)


def _row(case: Case, outcomes: Mapping[str, Outcome]) -> str:
    lines = [f"- case: {_quoted(case.name)}"]
    if case.hostile:
        lines.append(f"  hostile: {_quoted(case.hostile)}")
    lines += [f"  sender: {_quoted(case.sender)}", f"  client: {case.client}", f"  helo: {_quoted(case.helo)}"]
    seen = [outcome for outcome in outcomes.values() if isinstance(outcome, Seen)]
    if seen:
        first = seen[0]
        lines += [
            f"  return_path: {_quoted(first.return_path)}",
            _block("  received", first.received),
            _block("  header", first.below),
        ]
    lines.append("  outcomes:")
    for outcome, wirings in _together(outcomes).items():
        lines.append(f"  - wirings: {json.dumps(wirings)}")
        match outcome:
            case Refused(reply):
                lines.append(f"    refused: {_quoted(reply)}")
            case Seen():
                lines.append(_block("    fields", outcome.above))
                if outcome.received != seen[0].received:
                    lines.append(_block("    received", outcome.received))
                before, found, behind = outcome.below.partition(seen[0].below)
                changes = {"beneath": before, "behind": behind} if found else {"header_then": outcome.below}
                lines += [_block(f"    {key}", text) for key, text in changes.items() if text]
    return "\n".join(lines) + "\n\n"


def _together(outcomes: Mapping[str, Outcome]) -> dict[Outcome, list[str]]:
    """What the verifiers wrote, and behind which wirings it was the same."""
    together: dict[Outcome, list[str]] = {}
    for wiring, outcome in outcomes.items():
        together.setdefault(outcome, []).append(wiring)
    return together


def _quoted(text: str) -> str:
    return json.dumps(text)


def _block(key: str, text: str) -> str:
    """A literal block scalar; a JSON string where it can't hold the text."""
    if not text or not all(
        line and line.isprintable() for line in text.replace("\t", " ").removesuffix("\n").split("\n")
    ):
        return f"{key}: {_quoted(text)}"
    indent = " " * (len(key) - len(key.lstrip()) + 2)
    return f"{key}: |\n" + "".join(f"{indent}{line}\n" for line in text.removesuffix("\n").split("\n")).removesuffix(
        "\n"
    )


def main() -> None:
    """Write both files into the folder that the command line names."""
    folder = Path(sys.argv[1])
    outcomes = run([*PLAIN, *HOSTILE], verifiers_more.all_wirings)
    for name, cases in (("plain", PLAIN), ("hostile", HOSTILE)):
        (folder / f"{name}.yaml").write_text(as_yaml(name, cases, outcomes), encoding="utf-8")


if __name__ == "__main__":
    main()
