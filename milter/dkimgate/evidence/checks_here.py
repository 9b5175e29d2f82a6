"""What nobody has checked, this process checks: SPF, DKIM, DMARC and ARC of the message as it arrived.

Nothing is asked and no body is wanted where the answer could not count: for mail from inside, and with `when: missing`
where a host of ours has stated a DMARC result already. But a word of ours that would earn the message something is
proved first, by what can still be verified.
"""

from __future__ import annotations

from dataclasses import replace

from dkimgate.arc.fields import SEAL
from dkimgate.arc.validate import validate
from dkimgate.config.dkimgate_yaml import Config
from dkimgate.dkim.canonical import BodyForms
from dkimgate.dkim.verify import ask_for_keys, check_signatures
from dkimgate.dmarc.evaluate import BOTH, check_dmarc, prepare
from dkimgate.dns.resolver import Lookup
from dkimgate.evidence import arc_claims, forgotten_host, grounds, misled_verifiers, result_claims, result_words
from dkimgate.evidence.gather import Seen
from dkimgate.evidence.route import Route
from dkimgate.evidence.stated_spf import stated_spf
from dkimgate.facts import Claim, Origin, Standing
from dkimgate.message import domains
from dkimgate.spf.check import Spf, check_spf

_MOST_RECIPIENTS = 5  # of whose domains the mail hosts are asked for


def wanted(claims: tuple[Claim, ...], route: Route, config: Config, author: str | None, earns: bool = False) -> bool:
    """Is anything to be checked here, beside the claims of the header? `earns`: a pass would earn the message
    something."""
    if not route.outside:
        return False
    match config.verify.when:
        case "never":
            return False
        case "always":
            return True
    return not _settled(claims) or (earns and grounds.wants_proof(claims, author))


def _settled(claims: tuple[Claim, ...]) -> bool:
    """A DMARC result that is believed is there."""
    return any(claim.method == "dmarc" and claim.is_believed() for claim in claims)


def claims(seen: Seen, body: BodyForms, config: Config, lookup: Lookup, now: float) -> tuple[Claim, ...]:
    """The claims of the checks. Never raises for the sake of a message; where DNS fails, a result is never `pass` for
    that.

    `now` is the time of arrival in seconds. The results of a trusted ARC sealer stand for our own DMARC where nobody
    else has stated one: what he changed, no check here could pass. So his chain comes first; a stranger's comes last,
    where it can't use up the time and the questions of the other checks.
    """
    _ask_ahead(seen, body, config, lookup)
    if config.verify.when == "missing" and _settled(seen.claims):
        return _proof(seen, body, config, lookup, now)
    chained = bool(seen.message.positions(SEAL))
    trusted = chained and arc_claims.names_a_trusted_sealer(
        seen.message.header[seen.route.entered :], config.trust.arc_sealers
    )
    found: tuple[Claim, ...] = ()
    if trusted:
        found = _arc_claims(seen, body, config, lookup, now)
        if _settled(found) and config.verify.when != "always":
            return found
    found += _dmarc_claims(seen, body, config, lookup, now)
    if chained and not trusted:
        found += _arc_claims(seen, body, config, lookup, now)
    return found


def _ask_ahead(seen: Seen, body: BodyForms, config: Config, lookup: Lookup) -> None:
    """Ask what DMARC hangs on before anything that a stranger chose: his SPF record, the keys of his own signatures and
    of his seals share the message's time and questions, and could use them up. Then nobody would know of a signature in
    our user's name that it is none, and `fail` would become `temperror`."""
    if seen.domain is not None:
        prepare(seen.domain, lookup)
        ask_for_keys(seen.message.header, body, seen.domain, lookup, seen.route.entered, config.verify.signatures)


def too_large(limit: int) -> tuple[Claim, ...]:
    """What stands for the checks of a message whose body is too large for them: nobody knows, and that is no pass."""
    why = f"not checked: the body is larger than verify.body_limit ({limit} bytes)"
    return (Claim("dmarc", "temperror", None, "", Standing.VERIFIED, why),)


def _proof(seen: Seen, body: BodyForms, config: Config, lookup: Lookup, now: float) -> tuple[Claim, ...]:
    """What can still be verified of a message that a host of ours has judged already.

    Where the message comes by again, body and envelope may have been changed by honest hands since: that nothing is
    found then is no proof of a forgery, so a `fail` is left out, and the arrival is unknown.
    """
    found = _dmarc_claims(seen, body, config, lookup, now)
    if seen.route.origin is Origin.INBOUND:
        return found
    return tuple(
        claim for claim in found if claim.result == "pass" or (claim.method == "dmarc" and claim.result != "fail")
    )


def _dmarc_claims(seen: Seen, body: BodyForms, config: Config, lookup: Lookup, now: float) -> tuple[Claim, ...]:
    author = seen.domain
    spf = _spf(seen, config, lookup)
    # of mail that comes by again, what our verifiers say of SPF may still hurt
    stated = stated_spf(seen.claims) if spf is None else None
    claims = [result_claims.of_spf(spf)] if spf is not None else []
    signatures = check_signatures(
        seen.message.header, body, author, lookup, now, seen.route.entered, config.verify.signatures
    )
    claims += [result_claims.of_signature(signature) for signature in signatures]
    readings = BOTH if config.verify.dmarc == "both" else (config.verify.dmarc,)
    dmarc = result_claims.of_dmarc(check_dmarc(author, spf or stated, signatures, lookup, readings))
    return (*claims, dmarc) if dmarc is not None else tuple(claims)


def _spf(seen: Seen, config: Config, lookup: Lookup) -> Spf | None:
    """SPF of the sender that the client of this session says. None where this session is not the border: in a message
    that comes by again, the border's Received field, the results above it and the Return-Path are a text, which any
    program on a host of ours can write."""
    if seen.route.origin is not Origin.INBOUND:
        return None
    message = seen.message
    spf = check_spf(message.connection.ip, message.connection.helo, message.envelope.sender, lookup)
    if spf is not None and spf.result == "pass" and (why := _of_anybody(spf, seen, config, lookup)) is not None:
        return replace(spf, result="neutral", why=why)
    return spf


def _of_anybody(spf: Spf, seen: Seen, config: Config, lookup: Lookup) -> str | None:
    """Why a pass of SPF says nothing of the author: the client passes on what anybody writes."""
    if seen.by_host_of_ours:
        return forgotten_host.WHY
    hosted = domains.covering(seen.domain, config.key_domains) if seen.domain else None
    names = {spf.domain, seen.domain, hosted} if hosted else set()
    names |= {domains.of_address(recipient) for recipient in seen.message.envelope.recipients[:_MOST_RECIPIENTS]}
    takes = forgotten_host.takes_mail(spf.ip, sorted(name for name in names if name), lookup)
    return forgotten_host.TAKES_MAIL if takes else None


def _arc_claims(seen: Seen, body: BodyForms, config: Config, lookup: Lookup, now: float) -> tuple[Claim, ...]:
    """A sealer's verifiers can be misled as ours can: to print what the sender wrote, and to a pass that nothing
    aligned supports."""
    above = seen.route.entered
    chain = validate(seen.message.header[above:], body, lookup, now)
    sealers = config.trust.arc_sealers
    if sealers and misled_verifiers.odd_words(seen.message, seen.route, {}, config.trust) is not None:
        sealers = ()
    why = "a sealer's pass, but no pass of SPF or DKIM in its results is reason for it"
    claims = [
        _asked_here(claim)
        for claim in grounds.stated(arc_claims.claims(chain, sealers, seen.domain, config.key_domains, now), why)
    ]
    made = [replace(claim, position=claim.position + above) for claim in claims]
    heard = {
        (claim.position, claim.method, claim.result) for claim in seen.claims
    }  # what hurts in a chain is heard without it
    return tuple(
        claim for claim in made if claim.is_believed() or (claim.position, claim.method, claim.result) not in heard
    )


def _asked_here(claim: Claim) -> Claim:
    """A sealer's `none` says that there is no record, which DNS tells us too: an OpenDMARC without a list of public
    suffixes overlooks that of the domain above. Believed, it would leave the envelope of a forgery as it is, to pass by
    SPF."""
    if claim.method != "dmarc" or not claim.is_believed() or result_words.dmarc_meaning(claim.result) != "none":
        return claim
    return claim.as_upstream("a sealer's none: whether there is a DMARC record is asked here")
