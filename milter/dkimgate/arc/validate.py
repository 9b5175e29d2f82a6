"""Is the ARC chain of a message whole (RFC 8617 section 5.2)? What its sealers' results are worth is asked in
`evidence.arc_claims`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from dkimgate.arc.fields import (
    RESULTS,
    Broken,
    FieldSet,
    MessageSignature,
    Seal,
    field_sets,
    message_signature_of,
    seal_of,
    split_results,
)
from dkimgate.arc.verify import Unanswered, check_message, check_seals, uncovered
from dkimgate.dkim.canonical import BodyForms
from dkimgate.dkim.content import Content
from dkimgate.dns.resolver import Lookup
from dkimgate.message import domains
from dkimgate.message.message import HeaderField

SHOWN = (b"subject", b"reply-to")
"""Besides From, what a message signature must cover wherever it stands, or its sealer's results are not trusted."""


class Validation(StrEnum):
    """The chain validation status (RFC 8617 section 4.4)."""

    NONE = "none"  # the header has no ARC field
    PASS = "pass"
    FAIL = "fail"
    TEMPERROR = "temperror"  # DNS did not answer. The RFC calls this fail (section 5.2.1); here it only helps as little


@dataclass(frozen=True, slots=True)
class Results:
    """An ARC-Authentication-Results field: the text behind its instance (None: it has none), and its position from the
    top."""

    position: int
    instance: int | None
    text: str


@dataclass(frozen=True, slots=True)
class ArcSet:
    """One set: who sealed it (`d=` of its seal), who signed the message with it (`d=`), and its results. `position` is
    that of the seal, `made` its time in seconds since 1970, None where it tells none."""

    sealer: str
    signer: str | None
    results: Results
    position: int
    made: int | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """What became of a chain, and `why`, in words.

    `sets` in order of instances; empty where the header can't be taken apart into sets. `oldest_pass` (RFC 8617 section
    5.2, step 5): the message has not been changed since that instance; 0: since before the first; None unless the chain
    passes. `uncovered`: those of SHOWN that the newest message signature leaves out. `results`: every field of that
    kind in the header, from the top, sets or not.
    """

    cv: Validation
    why: str
    sets: tuple[ArcSet, ...] = ()
    oldest_pass: int | None = None
    uncovered: tuple[str, ...] = ()
    results: tuple[Results, ...] = ()

    @property
    def newest(self) -> ArcSet | None:
        """The set with the highest instance."""
        return self.sets[-1] if self.sets else None


def validate(header: Sequence[HeaderField], body: BodyForms, lookup: Lookup, now: float | None = None) -> Chain:
    """Validate the chain of a message (RFC 8617 section 5.2). Never raises.

    `now` is in seconds since 1970, by default the clock's. The structure is looked at before anything is
    hashed, the body before DNS is asked, and no more is asked once the result is known.
    """
    results = tuple(Results(at, *split_results(field)) for at, field in enumerate(header) if field.key == RESULTS)
    sets: tuple[ArcSet, ...] = ()
    try:
        fields = field_sets(header)
        if not fields:
            return Chain(Validation.NONE, "the message has no ARC set")
        seals = [_seal(each) for each in fields]
        sets = tuple(_public(each, seal) for each, seal in zip(fields, seals, strict=True))
        _check_statuses(seals)
        newest = _message_signature(fields[-1])
        content = Content(header, body)
        now = time.time() if now is None else now
        with _saying(f"the ARC-Message-Signature of {newest.domain}"):
            check_message(content, newest, now, lookup)
        check_seals(content, fields, seals, lookup)
    except Broken as broken:
        return Chain(Validation.FAIL, str(broken), sets, results=results)
    except Unanswered as unanswered:
        return Chain(Validation.TEMPERROR, str(unanswered), sets, results=results)
    why = f"every seal verifies, the newest of {sets[-1].sealer}"
    oldest = _oldest_pass(content, fields, now, lookup)
    return Chain(Validation.PASS, why, sets, oldest, uncovered(content, newest, SHOWN), results)


def validate_seals(header: Sequence[HeaderField], lookup: Lookup) -> Chain:
    """Is the chain one that its sealers made, whatever has become of the message since? Never raises. It says nothing
    of the message, so it is for those only who know that the newest message signature did verify (section 5.2, steps 1
    to 3 and 6).
    """
    try:
        fields = field_sets(header)
        seals = [_seal(each) for each in fields]
        _check_statuses(seals)
        check_seals(Content(header, None), fields, seals, lookup)
    except Broken as broken:
        return Chain(Validation.FAIL, str(broken))
    except Unanswered as unanswered:
        return Chain(Validation.TEMPERROR, str(unanswered))
    return (
        Chain(Validation.PASS, "every seal verifies")
        if fields
        else Chain(Validation.NONE, "the message has no ARC set")
    )


@contextmanager
def _saying(what: str) -> Iterator[None]:
    """Put in front of a reason what it is about."""
    try:
        yield
    except Broken as broken:
        raise Broken(f"{what}: {broken}") from None


def _seal(fields: FieldSet) -> Seal:
    with _saying(f"the ARC-Seal of instance {fields.instance}"):
        return seal_of(fields.seal)


def _message_signature(fields: FieldSet) -> MessageSignature:
    with _saying(f"the ARC-Message-Signature of instance {fields.instance}"):
        return message_signature_of(fields.message_signature)


def _public(fields: FieldSet, seal: Seal) -> ArcSet:
    signer = domains.a_label(fields.message_signature.get("d") or "")
    results = Results(fields.results.position, fields.instance, fields.results.text)
    return ArcSet(seal.domain, signer, results, fields.seal.position, seal.made)


def _check_statuses(seals: Sequence[Seal]) -> None:
    """What the sealers said about the chain before them (RFC 8617 section 5.2, steps 2 and 3)."""
    for instance, seal in reversed(list(enumerate(seals, 1))):
        if seal.cv == "fail":
            raise Broken(f"the ARC-Seal of instance {instance}, by {seal.domain}, says cv=fail")
        if seal.cv != ("none" if instance == 1 else "pass"):
            raise Broken(f"cv={seal.cv} in the ARC-Seal of instance {instance}")


def _oldest_pass(content: Content, sets: Sequence[FieldSet], now: float, lookup: Lookup) -> int:
    """The lowest instance down to which the message signatures verify, 0 if all do. The newest does."""
    for fields in reversed(sets[:-1]):
        try:
            check_message(content, _message_signature(fields), now, lookup)
        except (Broken, Unanswered):
            return fields.instance + 1
    return 0
