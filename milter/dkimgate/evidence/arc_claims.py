"""What the results of ARC sealers are worth (RFC 8617).

What a chain that passes proves: the newest sealer sent this message, as far as its message signature covers it, with
these results in it, on top of these older sets. It does not prove that a result is true, nor that the message is the
one the result was found for: a sealer may change what it took in before it seals. Both are the sealer's word, so
`trust.arc_sealers` should name only hosts whose DMARC results one would take for one's own, and who let no customer
choose what their results say.

Whoever tries to borrow the word of a trusted sealer meets this:
- A stranger who seals on top of a trusted set makes himself the newest sealer, and only the newest counts: he had the
  message in his hands after the trusted one, and the old seal covers nothing of what he then changed.
- A stranger who changes the body or a signed field, without sealing, breaks the newest message signature, and so the
  chain. `l=`, which would let him add to the body, is refused, and so is a message signature that leaves out any From
  field.
- A sealed message that is sent again with another Subject or Reply-To, where the signature leaves these out, or with a
  second one, is not covered: no results are trusted for it. Other fields may differ, as with DKIM; Content-Type is not
  asked for, since large sealers don't sign it. Sent again unchanged it passes for MOST_AGE.
- Our own seal, and an old one, would keep one message alive for ever: it passes by them, and is signed and sealed anew.
- A From that was rewritten behind the result: the result must name the author domain in header.from (a pass: or its
  organizational one), or nothing of it is trusted.
- A sealer can be misled as a verifier of ours can (see `misled_verifiers`), so `checks_here` believes its DMARC pass
  only where an aligned pass of SPF or DKIM in the same results is reason for it. And what its verifiers print may hold
  the sender's words, as ours may: results that are not of the forms that verifiers write for plain words
  (`plain_forms`) are not trusted.
- A second From, or one that readers take for different ones, has no author domain, so nothing is trusted.

Where nothing is trusted, what hurts counts all the same, from every set, of broken chains too (law 2).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dkimgate.arc.fields import Broken, field_sets, message_signature_of, seal_of
from dkimgate.arc.validate import ArcSet, Chain, Results, Validation
from dkimgate.authres import authentication_results
from dkimgate.authres.authentication_results import Reading, Result
from dkimgate.evidence import plain_forms
from dkimgate.facts import Claim, Standing
from dkimgate.message import domains
from dkimgate.message.message import HeaderField

MOST_AGE = 7 * 86_400
"""Seconds: mail waits in queues for five days."""

MOST_RESULTS = 100
"""Of one field's results, so many become claims; behind them only those that hurt."""


def claims(
    chain: Chain,
    trusted_sealers: Collection[str],
    author: str | None,
    own: Collection[str] = (),
    now: float | None = None,
) -> tuple[Claim, ...]:
    """What a chain claims: its own validation, and what its sealers' results say.

    `trusted_sealers` as in `trust.arc_sealers`: domains, or `*.` and a domain for all below it. `author` is the author
    domain, `own` are those of our keys, `now` is in seconds since 1970; without it no seal is old.

    The results of the newest set are trusted under all these conditions: the chain passes; the set was sealed, and the
    message signed with it, by a trusted sealer, not by us, and not longer than MOST_AGE ago; the message signature
    covers SHOWN; the field follows its grammar, and is of the forms that verifiers write for plain words; it has a
    DMARC result, and every one of them names the author domain in header.from. Otherwise they are `upstream`. Of the
    older sets only what hurts is taken, as `upstream`: each bad result once, however often it is said.
    """
    made = [_own_claim(chain)]
    newest = chain.newest
    if newest is not None:
        reading = authentication_results.read(newest.results.text)
        standing, why = _standing(chain, newest, reading, trusted_sealers, author)
        if standing is Standing.TRUSTED and (old := _renews(newest, own, now)) is not None:
            standing, why = Standing.UPSTREAM, old
        made += [
            _claim(result, reading.authserv_id, newest.results, standing, why) for result in _bounded(reading.results)
        ]
    said: set[tuple[str, str]] = set()
    for results in chain.results:
        if newest is not None and results.position == newest.results.position:
            continue
        for result in authentication_results.hurting(results.text):
            if (result.method, result.result) not in said:
                said.add((result.method, result.result))
                made.append(_claim(result, None, results, Standing.UPSTREAM, _why_older(results)))
    return tuple(made)


def _why_older(results: Results) -> str:
    whose = f"instance {results.instance}" if results.instance is not None else "no instance"
    return f"of {whose}, not of the newest set of a whole chain: only what hurts was taken"


def _own_claim(chain: Chain) -> Claim:
    newest = chain.newest
    properties: tuple[tuple[str, str], ...] = ()
    if newest is not None and chain.oldest_pass is not None:
        # a sealer's name proves nothing unless the chain passes, so it isn't told otherwise
        properties = (("header.oldest-pass", str(chain.oldest_pass)), ("policy.sealer", newest.sealer))
    position = newest.position if newest else 0
    return Claim("arc", chain.cv.value, None, "ARC-Seal", Standing.VERIFIED, chain.why, position, properties)


def _claim(result: Result, by: str | None, results: Results, standing: Standing, why: str) -> Claim:
    field = "ARC-Authentication-Results"
    return Claim(result.method, result.result, by, field, standing, why, results.position, result.properties)


def _bounded(results: Sequence[Result]) -> list[Result]:
    kept = list(results[:MOST_RESULTS])
    said = {(result.method, result.result) for result in kept}
    for result in results[MOST_RESULTS:]:
        # the one definition of what hurts serves as the test
        if (result.method, result.result) not in said and authentication_results.hurting(
            f"{result.method}={result.result}"
        ):
            said.add((result.method, result.result))
            kept.append(result)
    return kept


def names_a_trusted_sealer(header: Sequence[HeaderField], trusted_sealers: Collection[str]) -> bool:
    """Does the newest set name trusted sealers (as in `claims`) in its seal and message signature? Anybody can write
    their names; but without them nothing of the chain is trusted, and no DNS needs to be asked to know it. Never
    raises."""
    try:
        fields = field_sets(header)
        named = (
            (seal_of(fields[-1].seal).domain, message_signature_of(fields[-1].message_signature).domain)
            if fields
            else (None,)
        )
    except Broken:
        return False
    return all(_is_trusted(domain, trusted_sealers) for domain in named)


def _standing(
    chain: Chain, newest: ArcSet, reading: Reading, trusted_sealers: Collection[str], author: str | None
) -> tuple[Standing, str]:
    problem: str | None = None
    if chain.cv is not Validation.PASS:
        problem = "the ARC chain does not pass"
    elif not _is_trusted(newest.sealer, trusted_sealers):
        problem = f"sealed by {newest.sealer}, which trust.arc_sealers does not name"
    elif not _is_trusted(newest.signer, trusted_sealers):
        problem = f"sealed by {newest.sealer}, but signed by {newest.signer}, which trust.arc_sealers does not name"
    elif chain.uncovered:
        problem = f"sealed by {newest.sealer}, but {' and '.join(chain.uncovered)} could have been changed since"
    elif not reading.strict:
        problem = "the field does not follow RFC 8601: only what hurts was taken from it"
    elif not plain_forms.is_plain_seal(newest.results.text, reading):
        problem = (
            f"sealed by {newest.sealer}, but not as verifiers write for plain words: a sender may have written "
            f"it through them"
        )
    elif not _is_about(reading, author):
        problem = f"sealed by {newest.sealer}, but its DMARC result does not name the author domain in header.from"
    if problem is not None:
        return Standing.UPSTREAM, problem
    return Standing.TRUSTED, f"sealed by {newest.sealer}, which trust.arc_sealers names"


def _renews(newest: ArcSet, own: Collection[str], now: float | None) -> str | None:
    """Why a set that is trusted otherwise proves nothing any more: whoever has such a message could send it again for
    ever, and get it signed and sealed anew each time."""
    if not {newest.sealer, newest.signer}.isdisjoint(own):
        return f"sealed by {newest.sealer} with a key of ours: that it passed here once proves nothing"
    if now is not None and (newest.made is None or now - newest.made > MOST_AGE):
        return f"sealed by {newest.sealer}, but more than {MOST_AGE // 86_400} days ago, or nobody knows when"
    return None


def _is_trusted(domain: str | None, trusted_sealers: Collection[str]) -> bool:
    if domain is None:
        return False
    names = [name.lower() for name in trusted_sealers]
    return any(domain.endswith(name[1:]) if name.startswith("*.") else domain == name for name in names)


def _is_about(reading: Reading, author: str | None) -> bool:
    """The results were found for a message of this author: every DMARC result, of at least one, says so."""
    found = [result for result in reading.results if result.method == "dmarc"]
    if author is None or not found:
        return False
    return all(_names(result, author) for result in found)


def _names(result: Result, author: str) -> bool:
    named = _named_authors(result)
    return named == {author} or (
        result.result == "pass" and len(named) == 1 and domains.is_or_heads(named.pop(), author)
    )


def _named_authors(result: Result) -> set[str | None]:
    return {domains.of_address(value) for name, value in result.properties if name == "header.from"}
