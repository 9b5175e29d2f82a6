"""Whom Postfix makes another author behind the gate. smtp(8) does it to everybody's mail, with tables meant for this
host's own.

DMARC at the next receiver is of the author that he finds, so what was found out here says nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dkimgate.message import domains
from dkimgate.postfix import tables
from dkimgate.postfix.settings import Settings

_GENERIC, _CHECKS = "smtp_generic_maps", "smtp_header_checks"
# cleanup(8) is done with the header before the gate sees it; but not what a content filter hands in again
_AGAIN = {"canonical_maps": "canonical_classes", "sender_canonical_maps": "sender_canonical_classes"}


@dataclass(frozen=True, slots=True)
class Authors:
    """`keys` are what Postfix's tables have an answer for (generic(5), canonical(5)). `unseen` names the parameters
    whose tables can't be listed. `own`: these change addresses in such domains only; None: in any. `delimiters` is
    recipient_delimiter."""

    keys: frozenset[str] = frozenset()
    unseen: tuple[str, ...] = ()
    own: frozenset[str] | None = None
    delimiters: str = ""

    def changes(self, address: str) -> bool:
        """Does a table change that address? In doubt it does."""
        if not self.keys:
            return False
        local, _, domain = address.rpartition("@")
        local = re.sub(r'["\\]', "", local).strip().lower()
        names = {domain.strip().rstrip(".").lower(), *_a_label(domain)}
        locals_ = {local, *(local.partition(delimiter)[0] for delimiter in self.delimiters)}
        asked = {f"{each}@{name}" for each in locals_ for name in names} | locals_ | {f"@{name}" for name in names}
        return not self.keys.isdisjoint(asked | {tables.EVERYBODY})

    def may_change(self, domain: str) -> bool:
        """May a table that is not seen change an address of that domain?"""
        if not self.unseen:
            return False
        return self.own is None or any(domains.may_align(domain, name) for name in self.own)


def _a_label(domain: str) -> tuple[str, ...]:
    label = domains.a_label(domain)
    return () if label is None else (label,)


def find(settings: Settings | None, said: bool | None, own: Iterable[str]) -> Authors:
    """`said`: departure.rewrites_senders. `own`: the domains of this host."""
    if settings is None:
        return Authors(unseen=("departure.rewrites_senders",) if said else ())
    names = [_GENERIC, _CHECKS]
    if settings.every("content_filter"):
        names += [name for name, classes in _AGAIN.items() if "header_sender" in settings.words(classes)]
        names.append("header_checks")
    changed = {name: settings.changed.get(name) for name in names if settings.every(name)}
    return Authors(
        frozenset(key for keys in changed.values() for key in keys or ()),
        tuple(name for name, keys in changed.items() if keys is None),
        frozenset(own) if said is False else None,
        "".join(settings.every("recipient_delimiter")),
    )
