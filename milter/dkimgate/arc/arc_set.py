"""The ARC set (RFC 8617 sections 4.1 and 5.1): what was found about a message's arrival, sealed and handed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dkimgate.dkim.canonical import relaxed_field
from dkimgate.dkim.keys import SigningKey
from dkimgate.dkim.sign import covering, fold, select, signed_field
from dkimgate.message.message import HeaderField

MOST_SETS = 50
"""The highest instance (RFC 8617 section 4.2.1)."""

RESULTS = b"ARC-Authentication-Results"
MESSAGE_SIGNATURE = b"ARC-Message-Signature"
SEAL = b"ARC-Seal"
KINDS = tuple(name.decode("ascii").lower() for name in (RESULTS, MESSAGE_SIGNATURE, SEAL))

ALSO_SIGNED = ("dkim-signature",)
"""By the message signature, beside what a DKIM signature of ours covers (section 4.1.2). Never Authentication-Results,
which the next host may take off, nor any ARC field."""


@dataclass(frozen=True, slots=True)
class ChainState:
    """The chain that a message bears before it is sealed.

    `cv` is what the new seal has to say of it. `newest` is the highest instance in the header, 0 where there is none;
    where the chain is broken, the highest that can be read. `fields`: of a chain that passes all fields, in the order
    that a seal signs them (section 5.1.1). `oldest_pass` as in section 5.2, None where nobody looked.
    """

    cv: Literal["none", "pass", "fail"]
    newest: int = 0
    fields: tuple[HeaderField, ...] = ()
    oldest_pass: int | None = None


def seal(
    header: Sequence[HeaderField], body_hash: bytes, results: str, chain: ChainState, key: SigningKey, now: int
) -> tuple[tuple[str, bytes], ...] | str:
    """Make a set: (name, value) of ARC-Seal, ARC-Message-Signature and ARC-Authentication-Results, as they go to the
    top of the header, the seal topmost. Values are in the form of signature.sign. Where no set can be made, why not, in
    words.

    `header` is all of the header as it leaves, our own DKIM signatures in it; `body_hash` what BodyHash.digest() gave;
    `results` the payload of an Authentication-Results field (RFC 8601 section 2.2), its authserv-id first, in one line;
    `now` is in seconds since 1970.
    """
    instance = chain.newest + 1
    if instance > MOST_SETS:
        return f"the header has {MOST_SETS} ARC sets, and no more may be added (RFC 8617 section 4.2.1)"
    if (chain.cv == "none" and chain.newest) or (chain.cv == "pass" and not chain.newest):
        return f"a chain of {chain.newest} sets can't be sealed with cv={chain.cv}"
    leaving = {relaxed_field(field) for field in header if field.key in KINDS}  # long lines may have been folded since
    if chain.cv != "fail" and leaving != {relaxed_field(field) for field in chain.fields}:
        return "the ARC fields of the header are not those that were validated"
    if not results.isascii() or not results.isprintable():
        return "the results to be sealed are not plain text"
    try:
        message_signature = _message_signature(header, body_hash, instance, key, now)
    except ValueError as error:
        return str(error)
    told = HeaderField(
        RESULTS, fold(RESULTS, [f"i={instance};".encode(), *(f" {word}".encode() for word in results.split())])
    )
    signed = HeaderField(MESSAGE_SIGNATURE, message_signature)
    sealed = HeaderField(SEAL, _seal(instance, chain, (told, signed), key, now))
    return tuple((field.name.decode("ascii"), field.value) for field in (sealed, signed, told))


def _message_signature(
    header: Sequence[HeaderField], body_hash: bytes, instance: int, key: SigningKey, now: int
) -> bytes:
    names, fields = select(header, ALSO_SIGNED)
    tags = [f"i={instance};", f" a={key.algorithm};", " c=relaxed/relaxed;", *_key_tags(key), f" t={now};"]
    return signed_field(MESSAGE_SIGNATURE, [*tags, *covering(names, body_hash), " b="], fields, key)


def _seal(instance: int, chain: ChainState, own: Sequence[HeaderField], key: SigningKey, now: int) -> bytes:
    """Covers all sets in the order of their instances, or, where the chain failed, its own set alone (sections 5.1.1
    and 5.1.2)."""
    below = chain.fields if chain.cv == "pass" else ()
    tags = [f"i={instance};", f" a={key.algorithm};", f" t={now};", f" cv={chain.cv};", *_key_tags(key), " b="]
    return signed_field(SEAL, tags, (*below, *own), key)


def _key_tags(key: SigningKey) -> list[str]:
    return [f" d={key.domain};", f" s={key.selector};"]
