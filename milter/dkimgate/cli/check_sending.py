"""What `check` says about our signatures after they are made: changes by Postfix, and their number in the journal."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dkimgate.cli.finding import Finding
from dkimgate.config.dkimgate_yaml import Config
from dkimgate.facts import Holds, Sending, Sign, is_outside
from dkimgate.gate.sending import Smtp
from dkimgate.message.author import kind_of_problem
from dkimgate.postfix import settings as postfix
from dkimgate.postfix import this_host
from dkimgate.record.journal_reader import Reader, backwards
from dkimgate.record.record import Json, Record, RecordError, read

MOST_RECORDS = 5_000
MOST_OCTETS = 16 << 20
"""So much of the journal is read, from its end."""

_SHOWN = 5

_CHECKS = ("smtp_header_checks", "smtp_mime_header_checks", "smtp_nested_header_checks", "smtp_body_checks")


def findings(settings: Config, smtp: Smtp) -> Iterator[Finding]:
    """`smtp`: the settings of smtp(8) that the gate uses."""
    asked = this_host.this_host().postfix()
    if asked is not None:
        yield from _of_postfix(asked, smtp)
    yield from _of_journal(settings.journal.file)


def breaks(smtp: Smtp) -> str:
    """What Postfix does behind the gate, in a line."""
    lines = f"lines of more than {smtp.line_limit} octets" if smtp.line_limit else "no line"
    return lines + (
        ", and makes quoted-printable of 8-bit content for hosts without 8BITMIME" if smtp.converts_8bit else ""
    )


def _of_postfix(asked: postfix.Settings, smtp: Smtp) -> Iterator[Finding]:
    for value in asked.every("smtp_generic_maps"):
        yield Finding(
            "warning",
            "postfix.generic-maps",
            f"Postfix has smtp_generic_maps = {value}: it changes addresses in From, To, Cc and other fields after "
            "the gate, and then our signature is not valid. Change the addresses before the gate "
            "(sender_canonical_maps), or sign later",
        )
    for name in _CHECKS:
        for value in asked.every(name):
            yield Finding(
                "warning",
                "postfix.header-checks",
                f"Postfix has {name} = {value}: its REPLACE, IGNORE, STRIP or PREPEND changes mail after the gate, "
                "and breaks our signature if it covers that part. Use header_checks and body_checks: they act before "
                "the gate",
            )
    for value in asked.every("milter_header_checks"):
        yield Finding(
            "note",
            "postfix.milter-header-checks",
            f"Postfix has milter_header_checks = {value}: it also acts on the fields that the gate adds and folds. If "
            "it removes a signature, the record does not know that",
        )
    limits = {int(text) for text in asked.every("smtp_line_length_limit") if text.isdecimal()} - {smtp.line_limit}
    if limits:
        yield Finding(
            "warning",
            "postfix.line-length-limit",
            f"Postfix has smtp_line_length_limit = {', '.join(map(str, sorted(limits)))} (in main.cf, or for a "
            f"service in master.cf), but the gate signs for {smtp.line_limit}: signatures of longer lines will not be "
            "valid. Set departure.line_length_limit",
        )
    converts = not asked.may_be("disable_mime_output_conversion", "yes")
    if converts and not smtp.converts_8bit:
        yield Finding(
            "warning",
            "postfix.converts-8bit",
            "departure.converts_8bit is false, and Postfix has disable_mime_output_conversion = no: hosts without "
            "8BITMIME get other content than the signed content, and the record does not tell it",
        )


@dataclass(slots=True)
class _Seen:
    """What the newest records tell of messages that we signed."""

    signed: int = 0
    holds: Counter[Holds] = field(default_factory=Counter)
    why: Counter[str] = field(default_factory=Counter)
    strict: Counter[str] = field(default_factory=Counter)
    below: Counter[str] = field(default_factory=Counter)
    own: int = 0
    no_author: Counter[str] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        """Count one message."""
        self._add_own(record)
        departure = record.departure
        if departure is None or not record.decision.signatures:
            return
        self.signed += 1
        self.holds[departure.signature_holds] += 1
        if departure.signature_holds is Holds.NO:
            self.why.update((record.sending or Sending()).fields_broken or ("its body",))
        if record.decision.sign is Sign.AUTHOR and record.author != record.hosted:
            strict = record.outgoing is not None and record.outgoing.strict_dkim
            (self.strict if strict else self.below)[f"{record.author} (by the key of {record.hosted})"] += 1

    def _add_own(self, record: Record) -> None:
        if record.origin is None or is_outside(record.origin, bool(record.relay)):
            return
        self.own += 1
        if record.author_problem and not record.decision.signatures:
            self.no_author[kind_of_problem(record.author_problem)] += 1


def _of_journal(file: Path) -> Iterator[Finding]:
    seen = _Seen()
    for record in _newest(file):
        with contextlib.suppress(RecordError):  # of a later version, or of nobody
            seen.add(read(record))
    of = f"of the last {seen.signed} messages that were signed here"
    if seen.holds[Holds.NO]:
        yield Finding(
            "warning",
            "signed.line-too-long",
            f"{of}, {seen.holds[Holds.NO]} will have an invalid signature, because a line is too long and can't be "
            f"folded: {_listed(seen.why)}. `dkimgate log tail` names them. The program that writes these lines must "
            "fold them at 998 octets",
        )
    if seen.holds[Holds.MAYBE]:
        yield Finding(
            "note",
            "signed.8bit",
            f"{of}, {seen.holds[Holds.MAYBE]} will have an invalid signature at a host without 8BITMIME: they declare "
            "8-bit content, and Postfix changes it to quoted-printable, unless disable_mime_output_conversion is yes",
        )
    if seen.strict:
        yield Finding(
            "warning",
            "signed.strict-alignment",
            f"{of}, {seen.strict.total()} fail DMARC: the record of their domain says adkim=s, and the key belongs to "
            f"another domain: {_listed(seen.strict)}. Make keys for these domains (`dkimgate keys new`)",
        )
    if seen.below:
        yield Finding(
            "note",
            "signed.sub-domains",
            f"{of}, {seen.below.total()} were of subdomains without a key of their own: {_listed(seen.below)}. They "
            "pass DMARC unless the record says adkim=s; `dkimgate keys check` looks that up",
        )
    if seen.no_author:
        yield Finding(
            "warning",
            "signed.no-author",
            f"of the last {seen.own} messages of your own users and hosts (submitted, local, or relayed by "
            f"trust.relays), {seen.no_author.total()} were not signed, because From has no author domain: "
            f"{_listed(seen.no_author)}. `dkimgate log show` tells more. The program that writes them must put one "
            "address of one domain into From",
        )


def _listed(counted: Counter[str]) -> str:
    names = [f"{name} {number}" for name, number in counted.most_common(_SHOWN)]
    return ", ".join(names) + (f" and {len(counted) - _SHOWN} others" if len(counted) > _SHOWN else "")


def _newest(file: Path) -> Iterator[Json]:
    """The last records of a journal, as many as are worth the time. One that can't be read is told of elsewhere."""
    reader, octets, number = Reader(), 0, 0
    try:
        for line in backwards(file):
            octets += len(line)
            for record in reader.of_line(line):
                number += 1
                yield record
            if octets > MOST_OCTETS or number >= MOST_RECORDS:
                return
    except OSError:
        return
