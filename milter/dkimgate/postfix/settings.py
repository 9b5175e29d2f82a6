"""What the Postfix of this host says of itself, asked of postconf(1)."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dkimgate.postfix import tables
from dkimgate.postfix.tables import run

SECONDS = 5.0
"""How long postconf may take in all; it reads two files and asks nobody, which takes 20 ms."""

_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin", "/opt/postfix/sbin")
_LONGEST_FILE = 1000  # octets of the file that myorigin may name

NAMES = (
    # who we are
    *("myhostname", "mydomain", "myorigin", "smtp_helo_name"),
    # where mail leaves from
    *("inet_interfaces", "inet_protocols", "smtp_bind_address", "smtp_bind_address6"),
    *("relayhost", "smtp_fallback_relay", "default_transport", "transport_maps", "content_filter"),
    *("sender_dependent_relayhost_maps", "sender_dependent_default_transport_maps", "multi_instance_directories"),
    # what becomes of addresses behind a milter (ADDRESS_REWRITING_README)
    *("append_at_myorigin", "append_dot_mydomain", "canonical_maps", "canonical_classes", "sender_canonical_maps"),
    *("sender_canonical_classes", "masquerade_domains", "masquerade_classes", "smtp_generic_maps"),
    *("alias_maps", "owner_request_special", "expand_owner_alias", "recipient_delimiter"),
    # whose addresses it takes for its own
    *("mydestination", "relay_domains", "virtual_alias_domains", "virtual_mailbox_domains"),
    # what it does where the gate does not answer
    "milter_default_action",
    # what becomes of the message behind it
    *(
        "header_checks",
        "smtp_header_checks",
        "smtp_mime_header_checks",
        "smtp_nested_header_checks",
        "smtp_body_checks",
        "smtp_line_length_limit",
    ),
    *("disable_mime_output_conversion", "header_size_limit", "milter_header_checks"),
)
"""What is asked: all that dkimgate wants to know anywhere, so that one question does."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of Postfix, by name, with every `$name` in them expanded.

    `values` are those of main.cf, or Postfix's defaults; a parameter that this Postfix doesn't have is missing.
    `services` are the values that master.cf gives to single services (`-o name=value`), each once. `owners` are the
    tables of alias_maps that hold `owner-` aliases, or (False) may hold some, for they can't be listed. `changed` are
    the addresses that the tables of a parameter change (tables.keys), None where one of them can't be listed.
    """

    values: Mapping[str, str]
    services: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    owners: Mapping[str, bool] = field(default_factory=dict)
    changed: Mapping[str, frozenset[str] | None] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """What main.cf says, without white space around it; empty where it says nothing."""
        return self.values.get(name, "").strip()

    def every(self, name: str) -> tuple[str, ...]:
        """What any service goes by: the text of main.cf first, then what master.cf says instead; empty texts are left
        out."""
        found = (self.text(name), *(text.strip() for text in self.services.get(name, ())))
        return tuple(dict.fromkeys(text for text in found if text))

    def words(self, name: str) -> list[str]:
        """The items of a list, of main.cf and then of master.cf."""
        return [word for text in self.every(name) for word in re.split(r"[,\s]+", text) if word]

    def may_be(self, name: str, value: str) -> bool:
        """Is that what any service goes by? Compared without case: `may_be("append_dot_mydomain", "yes")`."""
        return value.lower() in (text.lower() for text in self.every(name))

    def number(self, name: str) -> int | None:
        """A number, such as a limit in octets; None where there is none."""
        text = self.text(name)
        return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def ask(names: Iterable[str] = NAMES, seconds: float = SECONDS, postconf: str | None = None) -> Settings | None:
    """Ask postconf(1), for so many seconds at most. None where there is no Postfix, or it does not say. Never raises.

    `postconf` is the path of the program, by default the one in PATH, or where Debian and others put it.
    """
    program = postconf or shutil.which("postconf") or shutil.which("postconf", path=os.pathsep.join(_FOLDERS))
    if program is None:
        return None
    end = time.monotonic() + seconds
    said = run([program, "-x", *names], seconds)
    values = {name: value.strip() for name, value in re.findall(r"^([a-z0-9_]+) =(.*)$", said or "", re.MULTILINE)}
    if not values:
        return None
    values = _named(values)
    overridden: dict[str, tuple[str, ...]] = {}
    services = run([program, "-Px"], end - time.monotonic()) or ""
    for name, value in re.findall(r"^[^\s=]+/([a-z0-9_]+) =(.*)$", services, re.MULTILINE):
        value = value.strip()
        if name in values and value not in overridden.get(name, ()):
            overridden[name] = (*overridden.get(name, ()), value)
    found = Settings(values, overridden)
    return replace(
        found,
        owners=_owners(found, str(Path(program).with_name("postalias")), end),
        changed=_changed(found, str(Path(program).with_name("postmap")), end),
    )


# the tables that may change an author: of addresses, and of header checks
_OF_ADDRESSES = ("smtp_generic_maps", "canonical_maps", "sender_canonical_maps")
_OF_FIELDS = ("smtp_header_checks", "header_checks")


def _changed(settings: Settings, postmap: str, end: float) -> dict[str, frozenset[str] | None]:
    """Settings.changed."""
    named = {name: _tables(settings, name) for name in (*_OF_ADDRESSES, *_OF_FIELDS)}
    found = {name: tables.keys(named[name], postmap, end) for name in _OF_ADDRESSES if named[name]}
    return found | {name: tables.of_checks(named[name]) for name in _OF_FIELDS if named[name]}


def _owners(settings: Settings, postalias: str, end: float) -> dict[str, bool]:
    """Settings.owners."""
    if not settings.may_be("owner_request_special", "yes"):
        return {}
    return tables.owners(_tables(settings, "alias_maps"), postalias, end)


def _tables(settings: Settings, name: str) -> list[str]:
    return [table for text in settings.every(name) for table in tables.split(text)]


def _named(values: dict[str, str]) -> dict[str, str]:
    """Debian's `myorigin = /etc/mailname` stands for the first line of that file."""
    named = values.get("myorigin", "")
    if not named.startswith("/"):
        return values
    try:
        with Path(named).open("rb") as file:
            lines = file.read(_LONGEST_FILE).decode("utf-8", "replace").splitlines()
    except (OSError, ValueError):
        lines = []
    return {**values, "myorigin": lines[0].strip() if lines else ""}
