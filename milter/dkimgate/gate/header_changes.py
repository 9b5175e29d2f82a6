"""What becomes of the header: the tag in the subject, fields added and removed, lines folded that Postfix would break
behind us. Pure: from the message to instructions.

A signature that may still be valid at the next receiver is never broken for it: it may be the one thing that tells that
the message is genuine. So whoever writes a signature can keep a tag off: a tag warns readers, and stops nobody.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from dkimgate.arc import arc_set
from dkimgate.dkim import tag_list
from dkimgate.dkim.canonical import relaxed_field
from dkimgate.facts import Claim, Decision, Facts, HeaderChanges, Standing
from dkimgate.message import domains, encoded_word
from dkimgate.message.lines import LONGEST_LINE, folded, has_long_line, sent
from dkimgate.message.message import HeaderField, Message
from dkimgate.policy.language import texts

MOST_SOUGHT = 500_500
"""Fields that the MTA reads to take some off: it looks through its header anew for each one. Enough for 1000 at the
top; an honest message has a handful."""

MOST_FOLDED = 100
"""Fields whose lines are folded, for the same reason."""

LONGEST_SUBJECT = 32_768
"""Octets of a subject that is tagged. Postfix cuts a field off at header_size_limit (102,400), and that would break our
own signature."""

MOST_SIGNATURES = 100
"""Signatures of others that are looked at. An honest message has a handful; with more, every field counts as
covered."""

_SUBJECT = "subject"
_DKIM, _ARC = "dkim-signature", "arc-message-signature"
_FIELD_NAME = re.compile(r"[!-9;-~]+")
_LEAST_OF_B = 8  # octets of b= that tell signatures apart (RFC 6008 section 3)


def plan(
    message: Message, facts: Facts, decision: Decision, limit: int = 0, signed: Collection[str] = ()
) -> HeaderChanges:
    """The changes of the header. If the decision only observes, the plan says what would change and asks for nothing.
    `limit`: longer header lines (in octets) are folded if a signature covers them; 0: no folding. `signed`: the fields
    that we will sign, as names in lower case."""
    if not decision.disposition.is_kept:
        return HeaderChanges()
    changes = _as_decided(message, facts, decision)
    if limit and message.problem is None and decision.mode != "observe":
        return _with_folds(message.header, changes, facts.claims, limit, frozenset(signed))
    return changes


def nothing_to_do(header: Sequence[HeaderField], decision: Decision, limit: int) -> bool:
    """A glance tells of nearly every message that its header leaves as it came, and that smtp(8) breaks no line."""
    if decision.tag or decision.add or decision.remove:
        return False
    return not limit or not header or max([len(field.name) + len(field.value) for field in header]) < limit


def _as_decided(message: Message, facts: Facts, decision: Decision) -> HeaderChanges:
    if not (decision.tag or decision.add or decision.remove):
        return HeaderChanges()
    if message.problem is not None:
        return HeaderChanges(not_done=(f"the header is not changed: {message.problem}",))
    planned = _Plan(message.header, facts, decision)
    planned.remove()
    planned.tag()
    planned.add()
    changes = planned.changes()
    return replace(changes, fields=(), changed=(), removed=()) if decision.mode == "observe" else changes


def leaving(header: Sequence[HeaderField], changes: HeaderChanges) -> Sequence[HeaderField]:
    """The header as it leaves, without the signatures that are made over it."""
    if not (changes.fields or changes.changed or changes.removed):
        return header
    values, gone = dict(changes.changed), frozenset(changes.removed)
    added = [HeaderField(name.encode("ascii"), value) for name, value in changes.fields]
    return added + [
        HeaderField(field.name, values[position]) if position in values else field
        for position, field in enumerate(header)
        if position not in gone
    ]


def _with_folds(
    header: Sequence[HeaderField], changes: HeaderChanges, claims: Sequence[Claim], limit: int, signed: frozenset[str]
) -> HeaderChanges:
    """Lines that smtp(8) would break are folded at white space, and so stay what they are to every reader that unfolds
    them.

    What nobody signs is not worth a change. What a signature covers octet for octet (c=simple) is not changed.
    """
    values, gone = dict(changes.changed), frozenset(changes.removed)
    # a glance tells of nearly every message that there is nothing to do
    near = {at for at, field in enumerate(header) if len(field.name) + len(field.value) >= limit} | values.keys()
    long = [at for at in sorted(near - gone) if has_long_line(_as_changed(header, values, at), limit)]
    if not long:
        return changes
    signatures = [signature for signature in _signatures(header) if not signature.broken(claims)]
    names: list[str] = []
    not_done: list[str] = []
    for at in long:
        field = _as_changed(header, values, at)
        covering = [signature for signature in signatures if signature.covers(field.key) or signature.position == at]
        if (
            not covering and field.key not in signed and field.key not in arc_set.KINDS
        ):  # those a seal covers, in relaxed form
            continue
        value = folded(HeaderField(field.name, b" " + field.value.removeprefix(b" ")), limit)
        simple = next((signature for signature in covering if not signature.relaxed), None)
        hindrance = _fold_hindrance(field, simple, len(names))
        if hindrance is None and value is not None:
            values[at] = value
            names.append(field.name.decode("ascii"))
        elif not holds_broken(field, limit):
            why = (
                hindrance
                or f"a line of more than {limit} octets has no white space in its place, and Postfix will break it"
            )
            not_done.append(f"fold {field.name[:76].decode('ascii', 'backslashreplace')}: {why}")
    told = (*changes.not_done, *not_done[:MOST_FOLDED])
    return replace(
        changes, changed=tuple(sorted(values.items())), folded_names=tuple(dict.fromkeys(names)), not_done=told
    )


def holds_broken(field: HeaderField, limit: int) -> bool:
    """Does a relaxed signature over the field hold although smtp(8) breaks its lines? It does where the breaks fall on
    white space."""
    return len(field.name) < limit and relaxed_field(sent(field, limit)) == relaxed_field(field)


def _as_changed(header: Sequence[HeaderField], values: Mapping[int, bytes], at: int) -> HeaderField:
    return HeaderField(header[at].name, values[at]) if at in values else header[at]


def _fold_hindrance(field: HeaderField, simple: _Signature | None, done: int) -> str | None:
    if simple is not None:
        return f"{simple} may still be valid, and covers it octet for octet (c=simple)"
    if done >= MOST_FOLDED:
        return f"at most {MOST_FOLDED} fields are folded"
    if not field.name.isascii() or not _FIELD_NAME.fullmatch(field.name.decode("ascii")):
        return "its name is odd"
    return None if _sendable(field.value) else "it holds octets that can't be handed back to the MTA"


def removable(positions: Sequence[int]) -> int:
    """How many fields at these positions, from the first one on, the MTA can be asked to take off."""
    return bisect.bisect_right(list(itertools.accumulate(at + 1 for at in positions)), MOST_SOUGHT)


class _Plan:
    """The changes as they come together."""

    def __init__(self, header: Sequence[HeaderField], facts: Facts, decision: Decision) -> None:
        self._header = header
        self._positions: dict[str, list[int]] = {}
        for position, field in enumerate(header):
            self._positions.setdefault(field.key, []).append(position)
        self._facts = facts
        self._decision = decision
        self._surviving = [signature for signature in _signatures(header) if not signature.broken(facts.claims)]
        self._fields: list[tuple[str, bytes]] = []
        self._changed: list[tuple[int, bytes]] = []
        self._removed: list[int] = []
        self._tag: str | None = None
        self._removed_names: list[str] = []
        self._not_done: list[str] = []

    def changes(self) -> HeaderChanges:
        names = tuple(name for name, _ in self._fields if name.lower() != _SUBJECT)
        return HeaderChanges(
            fields=tuple(self._fields),
            changed=tuple(self._changed),
            removed=tuple(sorted(self._removed)),
            tag=self._tag,
            added_names=names,
            removed_names=tuple(self._removed_names),
            not_done=tuple(self._not_done),
        )

    def remove(self) -> None:
        """Every field of the names, in whatever case. Many of one name stay, all of them: half of them would be no use
        to anybody."""
        for name in {name.lower(): name for name in self._decision.remove}.values():
            found = self._positions.get(name.lower(), [])
            if not found or self._covered(name, "remove"):
                continue
            wanted = [*self._removed, *found]
            if removable(wanted) < len(wanted):
                self._not_done.append(f"remove {name}: there are {len(found)}, too many for the MTA to find")
                continue
            self._removed += found
            self._removed_names.append(name)

    def tag(self) -> None:
        """Put the tag in front of the subject. A message without a subject gets one, because its readers need the
        warning too."""
        if self._decision.tag is None:
            return
        tag = self._filled(self._decision.tag)
        subjects = self._positions.get(_SUBJECT, [])
        why_not = self._tag_hindrance(tag, subjects)
        if why_not is not None:
            self._not_done.append(f"tag: {why_not}")
        if why_not is not None or self._covered("Subject", "tag"):
            return
        self._tag = tag
        if subjects:
            self._changed.append((subjects[0], _tagged(self._header[subjects[0]], tag)))
        else:
            self._fields.append(("Subject", b" " + tag.encode("ascii")))

    def _tag_hindrance(self, tag: str, subjects: list[int]) -> str | None:
        if not tag:
            return "the text is empty after its facts are filled in"
        if len(subjects) > 1:
            return f"there are {len(subjects)} Subject fields"
        if not subjects:
            return None
        subject = self._header[subjects[0]]
        if _bears(subject, tag):
            return "the subject begins with it already"
        if len(subject.value) > LONGEST_SUBJECT:
            return f"the subject has more than {LONGEST_SUBJECT} octets"
        return None if _sendable(subject.value) else "the subject holds octets that can't be handed back to the MTA"

    def add(self) -> None:
        """One more field at the top for each, also where one of that name stands already: who reads the first reads
        ours."""
        for name, text in self._decision.add:
            value = self._filled(text)
            if not value:
                self._not_done.append(f"add {name}: the text is empty after its facts are filled in")
            elif not self._covered(name, "add"):
                self._fields.append((name, b" " + value.encode("ascii")))

    def _filled(self, text: str) -> str:
        return texts.fill(text, self._facts, self._decision).strip()

    def _covered(self, name: str, doing: str) -> bool:
        """A signature that may still be valid covers fields of that name: also those that are not there, and must not
        come."""
        signature = next((each for each in self._surviving if each.covers(name.lower())), None)
        if signature is None:
            return False
        what = "tag" if doing == "tag" else f"{doing} {name}"
        self._not_done.append(f"{what}: {signature} may still be valid, and covers {name}")
        return True


@dataclass(frozen=True, slots=True)
class _Signature:
    """A field that may hold a signature of others or ours. `names` are those of h=, None where nobody can say what a
    verifier reads there.
    `alone`: no other DKIM-Signature is by the same domain and selector. `distinct`: of no other by that domain does b=
    begin alike.
    `relaxed`: it signs header fields in relaxed form, so that folds may change."""

    position: int
    key: str
    names: frozenset[str] | None = None
    domain: str | None = None
    selector: str | None = None
    signature: str = ""
    alone: bool = True
    distinct: bool = True
    relaxed: bool = False

    def __str__(self) -> str:
        kind = "an ARC-Message-Signature" if self.key == _ARC else "a signature"
        return f"{kind} of {self.domain}" if self.domain else f"{kind} that can't be read"

    def covers(self, name: str) -> bool:
        return self.names is None or name in self.names

    def broken(self, claims: Sequence[Claim]) -> bool:
        """A claim that is believed says that it fails, and none that it passes.

        Other results leave it open: the key may be for tests, the DNS may answer next time, and what one verifier
        refuses by policy another takes.
        """
        if self.key != _DKIM or self.domain is None or self.selector is None:
            return False
        told = [claim for claim in claims if claim.method == "dkim" and claim.is_believed()]
        if any(claim.result == "pass" and self._may_be_meant(claim) for claim in told):
            return False
        return any(claim.result == "fail" and self._is_meant(claim) for claim in told)

    def _may_be_meant(self, claim: Claim) -> bool:
        """Nothing that the claim says of the signature speaks against this one."""
        said, selector, signature = claim.property("header.d"), claim.property("header.s"), claim.property("header.b")
        return (
            (said is None or domains.a_label(said) == self.domain)
            and (selector is None or selector.lower() == self.selector)
            and (signature is None or self.signature.startswith(signature))
        )

    def _is_meant(self, claim: Claim) -> bool:
        """The claim can be about no other signature than this one."""
        if claim.property("header.d") is None or not self._may_be_meant(claim):
            return False
        if claim.standing is Standing.VERIFIED and claim.field.lower() == _DKIM:
            return claim.position == self.position
        if self.distinct and len(claim.property("header.b") or "") >= _LEAST_OF_B:
            return True
        return self.alone and claim.property("header.s") is not None


def _signatures(header: Sequence[HeaderField]) -> list[_Signature]:
    fields = [(position, field) for position, field in enumerate(header) if field.key in (_DKIM, _ARC)]
    if len(fields) > MOST_SIGNATURES:
        return [_Signature(position, field.key) for position, field in fields[:1]]
    found = [_signature(position, field) for position, field in fields]
    signers = Counter((each.domain, each.selector) for each in found if each.key == _DKIM)
    beginnings = Counter((each.domain, each.signature[:_LEAST_OF_B]) for each in found if each.key == _DKIM)
    return [
        replace(
            each,
            alone=signers[each.domain, each.selector] == 1,
            distinct=beginnings[each.domain, each.signature[:_LEAST_OF_B]] == 1,
        )
        for each in found
    ]


def _signature(position: int, field: HeaderField) -> _Signature:
    try:
        tags = {name: tag.text for name, tag in tag_list.strict(field.value).items()}
    except tag_list.Invalid:
        return _Signature(position, field.key)
    names = tag_list.words(tags.get("h", ""))
    return _Signature(
        position,
        field.key,
        names=frozenset(names) if all(_FIELD_NAME.fullmatch(name) for name in names) else None,
        domain=domains.a_label(tags.get("d", "")),
        selector=tags.get("s", "").lower() or None,
        signature=re.sub(r"[ \t\r\n]+", "", tags.get("b", "")),
        relaxed=tags.get("c", "simple").lower().partition("/")[0].strip(" \t\r\n") == "relaxed",
    )


def _bears(subject: HeaderField, tag: str) -> bool:
    """The subject begins with the tag, also where another host has encoded it since."""
    written = subject.text
    try:
        decoded = encoded_word.decode(written)
    except encoded_word.Malformed:
        decoded = written
    return any(" ".join(text.split()).startswith(" ".join(tag.split())) for text in (written, decoded))


def _tagged(subject: HeaderField, tag: str) -> bytes:
    """The value with the tag in front: what stood there stays octet for octet, on a line of its own where one would get
    too long."""
    front = b" " + tag.encode("ascii")
    value = subject.value
    if not value.strip(b" \t\r\n"):
        return front
    behind = value if value[:1] in (b" ", b"\t", b"\n") else b" " + value
    first = (front + behind).partition(b"\n")[0]
    return front + behind if len(b"Subject:" + first) <= LONGEST_LINE else front + b"\n" + behind


def _sendable(value: bytes) -> bool:
    """pymilter takes a value as text, so it is UTF-8; and nothing in it ends the field."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not re.search(r"[\0\r]|\n(?![ \t])", text)
