"""The way out: the decision of the policy, signatures, and an ARC set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dkimgate.dkim.sent_body import SentBody
from dkimgate.dkim.sign import sign
from dkimgate.evidence.gather import Seen
from dkimgate.facts import Assessment
from dkimgate.gate import sealer
from dkimgate.gate.engine import Engine, Questions
from dkimgate.gate.header_changes import leaving, removable
from dkimgate.gate.way import Fields, Opened, Written
from dkimgate.log import describe
from dkimgate.message.message import HeaderField, Message
from dkimgate.passport.field import KEY as PASSPORT

_REMADE = "Postfix changes this address in From behind the gate (smtp_generic_maps, smtp_header_checks)"


class Outward:
    """A message that leaves by this gate."""

    writes = "signing"
    _questions: Questions  # set by `open`

    def __init__(self, engine: Engine, message: Message) -> None:
        self._engine = engine
        self._message = message

    def view(self, seen: Seen) -> Seen:
        """With no author where Postfix makes another of him behind the gate: what was found of this one then says
        nothing of him about whom the next receiver asks, and any sender may be aligned."""
        authors, author = self._engine.way_out.authors, seen.author
        if seen.domain is None or author.address is None or not seen.route.outside:
            return seen
        if authors.changes(author.address):
            return replace(seen, domain=None, remade=_REMADE)
        if authors.may_change(seen.domain):
            tables = ", ".join(authors.unseen)
            return replace(seen, remade=f"Postfix may change From behind the gate ({tables} can't be listed)")
        return seen

    def open(self, seen: Seen, now: float) -> Opened:
        """Decide, unless a check, a passport or a signature of ours needs the body first."""
        engine = self._engine
        self._questions = questions = engine.questions(seen)
        waits = questions.checks or questions.compares
        assessment = None if waits else engine.conclude(seen, questions, None, None, now)
        may_seal = assessment is None or sealer.wanted(assessment)
        hashed = may_seal or (assessment is not None and assessment.signer is not None)
        if not hashed and not (assessment is not None and engine.has_signature(assessment)):
            return Opened(None, assessment)
        compared = questions.checks or (questions.chain and may_seal)
        return Opened(engine.body_of(self._message, hashed, compared), assessment)

    def conclude(self, seen: Seen, body: SentBody, now: float) -> Assessment:
        """Decide, with what the body tells."""
        forms = body.forms() if self._questions.checks else None
        return self._engine.conclude(seen, self._questions, forms, body.digest(), now, body.sent_digest())

    def hindrance(self, seen: Seen | None) -> str | None:
        """What can't be judged leaves unsigned: see `Passage`."""
        return None

    def write(self, seen: Seen, assessment: Assessment, body: SentBody | None, now: float) -> Written:
        """Sign and seal. Raises what signing raises; without an ARC set a message is none the worse."""
        keys = self._engine.ring.of(assessment.signer)
        header = leaving(self._message.header, assessment.changes)
        signatures: Fields = ()
        if body is not None:
            days = self._engine.config.signature.expire_days
            signatures = tuple(
                ("DKIM-Signature", sign(header, body.sent_digest(), key, int(now), days)) for key in keys
            )
        written = Written(signatures, keys if signatures else ())
        return self._sealed(written, assessment, header, body, now) if sealer.wanted(assessment) else written

    def _sealed(
        self, signed: Written, assessment: Assessment, header: Sequence[HeaderField], body: SentBody | None, now: float
    ) -> Written:
        """With an ARC set on top, over the message with our signatures on it."""
        seals = self._engine.sealer
        if body is None or seals is None:
            why = "the body was not read" if body is None else "no key seals"
            return Written(signed.fields, signed.keys, unsealed=why)
        ours = tuple(HeaderField(name.encode("ascii"), value) for name, value in signed.fields)
        try:
            lookup = self._engine.resolver.lookup()
            made = seals.seal(self._message, assessment.facts, (*ours, *header), body, lookup, now)
        except Exception as error:  # noqa: BLE001 - law 4
            failed = f"sealing: {describe(error)}"
            trouble = f"{failed}; the message leaves without an ARC set"
            return Written(signed.fields, signed.keys, unsealed=failed, trouble=trouble)
        if isinstance(made, str):
            return Written(signed.fields, signed.keys, unsealed=made)
        return Written((*made, *signed.fields), signed.keys, sealed=True)

    def removed(self) -> tuple[int, ...]:
        """Passports are for hosts of ours, so no outsider sees one. Ours are at the top; thousands of fields of a
        sender are not worth the time of the MTA."""
        found = tuple(self._message.positions(PASSPORT))
        return found[: removable(found)]
