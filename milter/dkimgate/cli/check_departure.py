"""What `dkimgate check` says about the way that mail leaves this host."""

from __future__ import annotations

from collections.abc import Iterator

from dkimgate.cli.finding import Finding
from dkimgate.gate import config_checks
from dkimgate.gate.gate import Gate
from dkimgate.postfix import tables
from dkimgate.postfix.authors import Authors
from dkimgate.postfix.way_out import Known, WayOut


def findings(gate: Gate) -> Iterator[Finding]:
    """What a postmaster should know about the way that mail leaves. Changes of senders are among the warnings of the
    gate itself."""
    way, settings = gate.way_out, gate.config
    addresses = ", ".join(map(str, way.addresses))
    if way.known is Known.UNKNOWN:
        yield Finding(
            "note",
            "departure.addresses-unknown",
            f"departure.addresses: unknown ({way.why}): the gate assumes that every aligned sender passes SPF at the "
            "next receiver, so it rewrites or holds more mail that arrived badly. Name all addresses that your mail "
            "leaves from",
        )
    elif way.known is Known.FOUND:
        yield Finding(
            "note",
            "departure.addresses-found",
            f"departure.addresses: found {addresses} ({way.why}). If mail also leaves from other addresses, name all "
            "of them there",
        )
    if not way.helos:
        yield Finding(
            "note",
            "departure.helo-unknown",
            "departure.helo: unknown, and Postfix does not tell it. The gate assumes that the null sender passes SPF "
            "at the next receiver",
        )
    if way.origins is None:
        yield Finding(
            "note",
            "departure.origin-unknown",
            "departure.origin: unknown, and Postfix does not tell it. The gate assumes that a sender without a "
            "domain passes SPF",
        )
    for helo in way.helos:
        aligned = config_checks.aligned_with(helo, config_checks.hosted_domains(settings))
        if aligned:
            yield Finding(
                "warning",
                "departure.helo-aligned",
                f"departure.helo {helo} may align with the hosted domain {', '.join(aligned)}: a forgery with the "
                "null sender can pass by SPF, and a rewritten sender does not help. With `envelope: unalign` such "
                "mail is held. A receiver with Mail::DMARC (SpamAssassin 4) counts this name for every sender that "
                "does not pass SPF itself, and the gate does not foretell that. Set another name in Postfix "
                "(smtp_helo_name)",
            )
    if way.own:
        yield Finding(
            "note",
            "departure.own-tables",
            "departure.rewrites_senders is false, and Postfix has a table that changes senders. It changes them for "
            "everybody, so a stranger may write an address from that table as his sender. So the gate assumes that "
            f"every sender in a domain of this host passes SPF: {', '.join(sorted(way.own))}. If the table holds "
            "addresses of other domains, and leads to a domain whose SPF record names this host, remove the setting",
        )
    yield from _authors(way.authors)
    if way.owners and "expand_owner_alias" not in way.rewritten_by:
        hosted = config_checks.hosted_domains(settings)
        origins = " or ".join(sorted(way.origins or ())) or "any domain"
        theirs = way.origins is None or any(config_checks.aligned_with(origin, hosted) for origin in way.origins)
        yield Finding(
            "warning" if theirs else "note",
            "departure.owner-aliases",
            "departure: local(8) may forward with the sender owner-NAME@$myorigin, because "
            f"{', '.join(way.owners)} in alias_maps has owner- aliases, or can't be listed. So the gate assumes that "
            f"every sender passes SPF if the author is of {origins}, and it can't rewrite such a sender. Forward with "
            "virtual_alias_maps instead, or set owner_request_special = no",
        )
    if settings.unalign is not None and way.cut(settings.unalign.domain) != settings.unalign.domain:
        domain, cut = settings.unalign.domain, way.cut(settings.unalign.domain)
        yield Finding(
            "warning",
            "unalign.masqueraded",
            f"unalign.domain {domain}: masquerade_domains of Postfix changes it to {cut} after the gate, so bounces "
            f"to rewritten senders are lost: put !{domain} first in masquerade_domains",
        )


def _authors(authors: Authors) -> Iterator[Finding]:
    if tables.EVERYBODY in authors.keys:
        yield Finding(
            "warning",
            "departure.every-author-changed",
            "Postfix may change From of every message after the gate: a table of smtp_header_checks writes a From or "
            "can't be read (so does header_checks with a content_filter), or smtp_generic_maps is a static table. So "
            "no message from outside has an author: it gets no signature, and it is held where its sender passes SPF. "
            "Use a table of smtp_generic_maps that names the addresses",
        )
    elif authors.keys:
        yield Finding(
            "note",
            "departure.authors-changed",
            f"Postfix changes {len(authors.keys)} addresses or domains in From after the gate. Mail from outside "
            "with such an author gets no signature, and it is held where its sender passes SPF. The gate reads these "
            "tables when it starts: reload it after a change (systemctl reload dkimgate)",
        )
    if authors.unseen:
        whose = "any domain" if authors.own is None else "a domain of this host"
        yield Finding(
            "warning",
            "departure.authors-unseen",
            f"{', '.join(authors.unseen)}: the gate can't see which addresses this changes, so Postfix may change an "
            f"author of {whose} after the gate. So a message from outside with an author of {whose} "
            "needs a DMARC pass; if its domain has no DMARC record, it counts as unknown. A change of an author who "
            "passes DMARC is not foretold. Use a table that `postmap -s` lists, such as hash, lmdb or texthash",
        )


def leaves_from(way: WayOut) -> str:
    """In a few words."""
    addresses = ", ".join(map(str, way.addresses)) or "unknown"
    how = " (found)" if way.known is Known.FOUND else ""
    return addresses + how + (f" as {', '.join(way.helos)}" if way.helos else "")


def as_json(way: WayOut) -> dict[str, object]:
    """The same for a program."""
    return {
        "addresses": [str(address) for address in way.addresses],
        "addresses_known": way.known.value,
        "why": way.why,
        "helo": list(way.helos),
        "origin": sorted(way.origins) if way.origins is not None else None,
        "rewritten_by": list(way.rewritten_by),
        "own": sorted(way.own),
        "owner_aliases": list(way.owners),
    }
