"""What real servers take for the author of a message: OpenDMARC, SpamAssassin and rspamd, each asked in one process for all messages."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from dkimgate.message.message import split_message
from dkimgate.postfix.milter_client import Insertion, MilterClient
from tests.chain.namespace import Namespace
from tests.world.mail import OUTSIDE, message

_MARK = "\x1e"
"""Between messages. None of them may hold it."""

_SPAMASSASSIN = r"""
use strict; use warnings; use Mail::SpamAssassin;
my $reader = Mail::SpamAssassin->new({ dont_copy_prefs => 1, local_tests_only => 1, require_rules => 0,
    rules_filename => "/nonexistent", site_rules_filename => "/nonexistent", config_text => "util_rb_tld example\n" });
binmode STDIN; binmode STDOUT; local $/ = undef;
for my $raw (split(/\x1e/, <STDIN>)) {
    my $message = $reader->parse($raw);
    my $status = Mail::SpamAssassin::PerMsgStatus->new($reader, $message);
    print join("\n", map { defined $_ ? $_ : "" } $status->get("From:addr")), "\x1e";
    $status->finish; $message->finish;
}
"""

_RSPAMD = r"""
local rspamd_task = require "rspamd_task"
local file = assert(io.open(os.getenv("MESSAGES"), "rb"))
for raw in file:read("*a"):gmatch("([^\30]+)") do
  local ok, task = rspamd_task.load_from_string(raw, rspamd_config)
  if ok then ok = task:process_message() end
  for _, each in ipairs(ok and task:get_from("mime") or {}) do io.write(each.addr or "", "\n") end
  io.write("\30")
end
"""


def spamassassin(messages: Sequence[bytes], folder: Path) -> list[list[str]]:
    """The domains that `From:addr` shows, as the rules of FROM and the plugins for DKIM and DMARC see it."""
    return _domains(_run(("perl", "-e", _SPAMASSASSIN), messages, folder))


def rspamd(messages: Sequence[bytes], folder: Path) -> list[list[str]]:
    """The domains of `task:get_from("mime")`, by which its DMARC and DKIM modules go."""
    (folder / "from.lua").write_text(_RSPAMD)
    return _domains(_run(("rspamadm", "lua", str(folder / "from.lua")), messages, folder))


def opendmarc(messages: Sequence[bytes], folder: Path) -> list[list[str]]:
    """The domain in `header.from` of the result that it states. It needs no DNS for it: there is none where it runs."""
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    (folder / "ignore").touch()
    socket = folder / "opendmarc.sock"
    (folder / "opendmarc.conf").write_text(
        f"Socket local:{socket}\nUMask 000\nAuthservID reader.example\nTrustedAuthservIDs reader.example\nRejectFailures false\n"
        f"IgnoreHosts {folder}/ignore\nSyslog false\n"
    )
    with Namespace(folder, (), [(folder / "resolv.conf", Path("/etc/resolv.conf").resolve())]) as namespace:
        server = namespace.start("opendmarc", "opendmarc", "-f", "-c", folder / "opendmarc.conf")
        namespace.wait_for_socket(server, socket)
        return [list(_stated(f"unix:{socket}", message)) for message in messages]


def _stated(address: str, raw: bytes) -> Iterator[str]:
    header, body = split_message(raw)
    with MilterClient(address, 30.0) as client:
        client.open(OUTSIDE)
        reply = client.send(message(header, OUTSIDE, "s@sender.example"), body)
    for edit in reply.edits:
        if isinstance(edit, Insertion) and edit.name.lower() == b"authentication-results":
            yield from re.findall(r"header\.from=(\S+)", edit.value.decode("utf-8", "replace"))


def _run(command: Sequence[str], messages: Sequence[bytes], folder: Path) -> list[str]:
    raw = _MARK.encode().join(messages)
    assert raw.count(_MARK.encode()) == len(messages) - 1
    (folder / "messages").write_bytes(raw)
    done = subprocess.run(
        command,
        input=raw,
        capture_output=True,
        timeout=120,
        check=True,
        env={"PATH": "/usr/bin:/bin", "MESSAGES": str(folder / "messages")},
    )
    told = done.stdout.decode("utf-8", "replace").split(_MARK)[:-1]
    assert len(told) == len(messages), done.stderr
    return told


def _domains(told: Sequence[str]) -> list[list[str]]:
    """The domain of each address; what has no @ shows no domain to anyone."""
    return [[address.rpartition("@")[2] for address in each.splitlines() if "@" in address] for each in told]
