"""What `dkimgate check` says about the way that mail leaves this host."""

from __future__ import annotations

from collections.abc import Iterator

from dkimgate.cli.finding import Finding
from dkimgate.gate import config_checks
from dkimgate.gate.gate import Gate
from dkimgate.postfix.way_out import Known, WayOut


def findings(gate: Gate) -> Iterator[Finding]:
    """What a postmaster should know of it. What changes senders is among the warnings of the gate itself."""
    way, settings = gate.way_out, gate.config
    addresses = ", ".join(map(str, way.addresses))
    if way.known is Known.UNKNOWN:
        yield Finding(
            "note",
            "departure.addresses-unknown",
            f"departure.addresses: unknown ({way.why}): every sender that is aligned with its author is taken to pass "
            f"SPF at the next "
            "receiver, so more of what arrived badly is rewritten, or held. Name all addresses that mail leaves from",
        )
    elif way.known is Known.FOUND:
        yield Finding(
            "note",
            "departure.addresses-found",
            f"departure.addresses: found {addresses} ({way.why}). If mail leaves from others too, name all of them "
            f"there",
        )
    if not way.helos:
        yield Finding(
            "note",
            "departure.helo-unknown",
            "departure.helo: unknown, and Postfix does not tell: the null sender is taken to pass SPF at the next "
            "receiver",
        )
    if way.origins is None:
        yield Finding(
            "note",
            "departure.origin-unknown",
            "departure.origin: unknown, and Postfix does not tell: a sender without a domain is taken to pass SPF",
        )
    for helo in way.helos:
        aligned = config_checks.aligned_with(helo, config_checks.hosted_domains(settings))
        if aligned:
            yield Finding(
                "warning",
                "departure.helo-aligned",
                f"departure.helo {helo} may align with the hosted domain {', '.join(aligned)}: a forgery of it with "
                f"the null sender can "
                "pass by SPF, and no rewriting helps: where the policy closes that door, it is held. Let Postfix say "
                "another name "
                "(smtp_helo_name)",
            )
    if way.owners and "expand_owner_alias" not in way.rewritten_by:
        hosted = config_checks.hosted_domains(settings)
        origins = " or ".join(sorted(way.origins or ())) or "any domain"
        theirs = way.origins is None or any(config_checks.aligned_with(origin, hosted) for origin in way.origins)
        yield Finding(
            "warning" if theirs else "note",
            "departure.owner-aliases",
            f"departure: local(8) may forward with the sender owner-NAME@$myorigin, for "
            f"{', '.join(way.owners)} in alias_maps holds owner- aliases, or can't be listed. So every sender is taken "
            f"to pass SPF where the author is of {origins}, and none can be rewritten. Forward with "
            f"virtual_alias_maps instead, or set owner_request_special = no",
        )
    if settings.unalign is not None and way.cut(settings.unalign.domain) != settings.unalign.domain:
        domain, cut = settings.unalign.domain, way.cut(settings.unalign.domain)
        yield Finding(
            "warning",
            "unalign.masqueraded",
            f"unalign.domain {domain}: Postfix's masquerade_domains makes {cut} of it behind the gate, and no bounce "
            f"of a rewritten sender "
            f"comes home: put !{domain} in front there",
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
        "owner_aliases": list(way.owners),
    }
