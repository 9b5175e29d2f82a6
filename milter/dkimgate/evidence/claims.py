"""Claims with standing, and what they come to: the arrival.

Law 2 lives here: what hurts is believed from anyone, what helps only where an outsider cannot have written it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dkimgate.authres import authentication_results
from dkimgate.authres.authentication_results import Reading
from dkimgate.config.dkimgate_yaml import Trust
from dkimgate.evidence import below_border, grounds, misled_verifiers, result_words, results_elsewhere, sources, spam
from dkimgate.evidence.route import Route
from dkimgate.facts import Arrival, Claim, Spam, Standing, Upstream
from dkimgate.message import domains
from dkimgate.message.message import HeaderField, Message, kept_by_names, names_of
from dkimgate.spf import received_spf

MAX_CLAIMS = 1000
"""Claims beyond these are dropped from the list; the worst of them still count, for bad ones are kept first."""

MAX_FIELDS = 100
"""Of Authentication-Results fields behind these, and behind MAX_CLAIMS, only what hurts is read: it takes a tenth of
the time."""

MOST_FIELDS = 500
"""Of fields of results behind these nothing is read: each method failed, for all that anybody knows. Fifty hosts on the
way, each with three fields of its own and some copies, come to less."""


def claims_of(message: Message, route: Route, trust: Trust, verdicts: Iterable[spam.SpamVerdict]) -> tuple[Claim, ...]:
    """Every claim of the header, from the top down, each with its standing. `verdicts`: what it says of spam."""
    zone = _zone(message, route, trust)
    stated = {verdict.position: verdict.spam for verdict in verdicts}
    claims: list[Claim] = []
    in_zone: dict[int, Reading] = {}
    fields, unread = 0, False
    for position in _stating(message, stated):
        field = message.header[position]
        fields += sources.tells_results(field.key)
        if fields > MOST_FIELDS:
            if not unread:
                unread = True
                claims += _as_claims(_UNREAD, field, position, Standing.UPSTREAM, _WHY_UNREAD)
        elif sources.RESULTS.holds(field.key):
            whole = fields <= MAX_FIELDS and len(claims) < MAX_CLAIMS
            reading = (
                authentication_results.read(field.text) if whole else authentication_results.read_what_hurts(field.text)
            )
            if position in zone:
                in_zone[position] = reading
            claims += _from_results(reading, field, position, position in zone, trust)
        elif sources.RECEIVED_SPF.holds(field.key):
            claims += _from_received_spf(field, position)
        elif (elsewhere := results_elsewhere.read(field)) is not None:
            why = "another field than Authentication-Results: only what hurts was taken from it"
            claims += _as_claims(elsewhere, field, position, Standing.UPSTREAM, why)
        if (verdict := stated.get(position)) is not None:
            claims.append(_of_spam(verdict, field, position))
    claims = grounds.without_words_of_spf(grounds.of_the_arrival(claims, message, route))
    if any(claim.is_believed() for claim in claims):
        claims = _not_by_the_sender(claims, message, route, zone, in_zone, trust)
    if len(claims) > MAX_CLAIMS:
        claims = sorted(sorted(claims, key=_harmless)[:MAX_CLAIMS], key=lambda claim: claim.position)
    return tuple(claims)


_UNREAD = Reading(None, authentication_results.UNREAD, strict=False)
_WHY_UNREAD = f"the header has more than {MOST_FIELDS} fields of results, and nobody reads the rest"


def _stating(message: Message, stated: Mapping[int, Spam]) -> list[int]:
    """Where fields stand that state results, from the top down. Most names of fields are those of no such field."""
    found = _telling(names_of(message.header))
    return sorted(found | stated.keys()) if found or stated else []


@kept_by_names
def _telling(names: tuple[str, ...]) -> frozenset[int]:
    return frozenset(at for at, name in enumerate(names) if sources.tells_results(name))


def _not_by_the_sender(
    claims: list[Claim],
    message: Message,
    route: Route,
    zone: frozenset[int],
    in_zone: Mapping[int, Reading],
    trust: Trust,
) -> list[Claim]:
    """The claims, those of ours made upstream that a sender may have brought about through our own verifiers."""
    if (odd := misled_verifiers.odd_words(message, route, in_zone, trust)) is not None:
        why = f"our authserv-id, but a sender may have written it through a verifier of ours: {odd}"
        return [claim.as_upstream(why) if claim.is_believed() else claim for claim in claims]
    if misled_verifiers.offers_a_pass(message, zone, route.ours_above, trust):
        return grounds.stated(claims, "our own pass, but it may depend on an SPF result that the sender wrote")
    return claims


def _harmless(claim: Claim) -> bool:
    return claim.result not in result_words.HURTS.get(claim.method, ("yes",))


def _zone(message: Message, route: Route, trust: Trust) -> frozenset[int]:
    """The positions where only hosts of ours can have written an Authentication-Results field of ours."""
    above = route.ours_above
    if not trust.border_strips_forgeries or route.login_in_session:
        return frozenset(range(above))
    if route.border_hop is not None:
        if above < route.border_hop.position:
            return frozenset(range(above))
        first = route.border_hop.position + 1
    elif route.origin == "inbound" and message.role != "border":
        # our own milters ran before us in this session, and removed forged fields; it is the border that removes them
        first = 0
    else:
        return frozenset(range(above))
    last = first
    while last < len(message.header) and below_border.may_stand(message.header[last].key):
        last += 1
    return frozenset((*range(above), *(at for at in range(first, last) if _plainly_ours(message.header[at], trust))))


def _plainly_ours(field: HeaderField, trust: Trust) -> bool:
    """Written as verifiers write it: `Name: authserv-id; ...`. With a comment or quotation marks ahead, more or less
    than a space behind the colon, or white space behind the name, a border that looks for our name (one of header
    checks, say) may have overlooked the field."""
    authserv_id, semicolon, _ = field.value.decode("latin-1").partition(";")
    return (
        sources.RESULTS.holds(field.name.decode("latin-1").lower())
        and bool(semicolon)
        and authserv_id.startswith(" ")
        and trust.is_spelled_authserv_id(authserv_id[1:])
    )


def _from_results(reading: Reading, field: HeaderField, position: int, in_zone: bool, trust: Trust) -> list[Claim]:
    ours = trust.is_authserv_id(reading.authserv_id)
    standing = Standing.TRUSTED if ours and in_zone and reading.strict else Standing.UPSTREAM
    if standing is Standing.TRUSTED:
        why = "our authserv-id, where only our hosts write"
    elif not reading.strict:
        why = "the field does not follow RFC 8601: only what hurts was taken from it"
    elif ours:
        why = "our authserv-id, but a sender can have written it"
    elif trust.is_authserv_id((reading.authserv_id or "").partition("/")[0]):
        why = "our authserv-id with a job id, which trust.authserv_ids does not name (NAME/*)"
    else:
        why = "not our authserv-id"
    return _as_claims(reading, field, position, standing, why)


def _as_claims(reading: Reading, field: HeaderField, position: int, standing: Standing, why: str) -> list[Claim]:
    return [
        Claim(
            result.method, result.result, reading.authserv_id, _name(field), standing, why, position, result.properties
        )
        for result in reading.results
    ]


def _from_received_spf(field: HeaderField, position: int) -> list[Claim]:
    found = received_spf.read(field.text)
    if found is None:
        return []
    why = "anybody can write this field: it counts where it hurts"
    return [
        Claim("spf", found.result, found.receiver, _name(field), Standing.UPSTREAM, why, position, found.properties)
    ]


def _of_spam(verdict: Spam, field: HeaderField, position: int) -> Claim:
    why = "spam counts whoever says it; ham counts nothing"
    scores = (("score", f"{verdict.score:g}"), ("required", f"{verdict.required:g}"))
    said = "yes" if verdict.spam else "no"
    return Claim("spam", said, None, _name(field), Standing.UPSTREAM, why, position, scores)


def _name(field: HeaderField) -> str:
    return field.name.strip(b" \t\0").decode("latin-1")


def arrival_of(
    claims: Iterable[Claim], author: str | None, outside: bool, trust: Trust, verdict: Spam
) -> tuple[Arrival, Upstream]:
    """What the claims and the spam verdict come to. `author` is the author domain, `outside` whether the origin is."""
    claims = tuple(claims)
    dmarc = _dmarc(claims, author, outside, trust)
    upstream = [
        _dmarc_word(c)
        for c in claims
        if c.method == "dmarc" and _elsewhere(c, trust) and _dmarc_word(c) in result_words.HURTS["dmarc"]
    ]
    arrival = Arrival(
        dmarc=dmarc,
        spf=combined(claims, "spf"),
        dkim=combined(claims, "dkim"),
        arc=combined(claims, "arc"),
        aligned=author is not None and any(grounds.aligned_pass(claim, author) for claim in claims),
        spam=verdict,
        pass_of=None if dmarc == "pass" else _pass_of(claims, author),
    )
    return arrival, Upstream(max(upstream, key=result_words.DMARC.index, default=None))


def _dmarc(claims: tuple[Claim, ...], author: str | None, outside: bool, trust: Trust) -> str:
    mine = [c for c in claims if c.method == "dmarc" and not _elsewhere(c, trust)]
    results = [_dmarc_of(c, author) for c in mine if c.is_believed() or _dmarc_word(c) in result_words.HURTS["dmarc"]]
    if not any(c.is_believed() and _dmarc_of(c, author) != "unknown" for c in mine):
        # what was found for another domain, or says nothing, is no answer to another's fail
        results += [
            word for c in claims if c.method == "dmarc" and (word := _dmarc_word(c)) in result_words.HURTS["dmarc"]
        ]
    return max(results, key=result_words.DMARC.index, default="unknown" if outside else "none")


def _elsewhere(claim: Claim, trust: Trust) -> bool:
    """Said by a host that does not even call itself one of ours."""
    return not claim.is_believed() and not trust.is_authserv_id(claim.by)


def _dmarc_word(claim: Claim) -> str:
    return result_words.dmarc_meaning(claim.result)


def _dmarc_of(claim: Claim, author: str | None) -> str:
    """The result, if it was found for the author domain that we see: a pass or none of another domain says nothing
    about this one. Where there is no single author domain, a verifier may have found another than the next receiver
    will: rspamd says `dmarc=none` then."""
    word = _dmarc_word(claim)
    if not result_words.helps(word):
        return word
    if author is None:
        return "unknown"
    said_of = claim.property("header.from")
    if said_of is None:
        return word
    named = domains.of_address(said_of)
    return word if named == author or (word == "pass" and domains.is_or_heads(named, author)) else "unknown"


def _pass_of(claims: Iterable[Claim], author: str | None) -> str | None:
    """Arrival.pass_of. Two domains are one too many: then nobody knows whose message it was."""
    found = {
        named
        for claim in claims
        if claim.is_believed() and (named := grounds.pass_of_another(claim, author)) is not None
    }
    return found.pop() if len(found) == 1 else None


def passes_of_others_told(claims: Iterable[Claim], author: str | None, trust: Trust) -> tuple[Claim, ...]:
    """The claims, where a DMARC pass in our name is of another domain with a `why` that says so: a list or a script has
    put itself into From, say. Also where it isn't believed for another reason as well. What they count stays as it
    is."""
    return tuple(_told_whose(claim, author, trust) for claim in claims)


def _told_whose(claim: Claim, author: str | None, trust: Trust) -> Claim:
    if (
        claim.method != "dmarc"
        or claim.result != "pass"
        or _elsewhere(claim, trust)
        or _dmarc_of(claim, author) != "unknown"
    ):
        return claim
    said_of = claim.property("header.from")
    named = domains.of_address(said_of or "")
    whose = (
        f"of {named}"
        if named is not None
        else "of a domain that it does not name"
        if said_of is None
        else "of another domain"
    )
    now = f"From now names {author}" if author is not None else "there is no single author domain now"
    return replace(claim, why=f"{claim.why}; but it is a pass {whose}, and {now}, for which it says nothing")


def combined(claims: Iterable[Claim], method: str) -> str:
    """The best of the believed results (one good signature is enough, RFC 6376 section 6.1), else the worst that anyone
    says. A sender can add a signature of which we say `neutral`: that is no answer to another's `fail`."""
    stated = [(result_words.meaning(c.result), c.is_believed()) for c in claims if c.method == method]
    counting = [word for word, ours in stated if ours and word in result_words.BADNESS]
    if "pass" in counting:
        return "pass"
    bad = counting + [word for word, _ in stated if word in result_words.HURTS[method]]
    return max(bad, key=result_words.BADNESS.index, default="none")
