"""What DNS publishes for a key (RFC 6376 section 3.6.1), judged against the key that signs."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from dkimgate.dkim import tag_list
from dkimgate.dkim.keys import SigningKey


class KeyStatus(StrEnum):
    """How the published key stands to ours. All but `agrees` and `unanswered` cost signatures."""

    AGREES = "agrees"  # verifiers will accept our signatures
    MISSING = "missing"  # no TXT record of that name
    SEVERAL = "several records"  # a verifier may take any of them (section 3.6.2.2)
    MALFORMED = "malformed"  # no key record by the grammar
    REVOKED = "revoked"  # an empty p=
    WRONG_TYPE = "wrong k="  # another algorithm than our key's
    WRONG_HASH = "h= without sha256"  # we sign with SHA-256 only
    WRONG_SERVICE = "s= without email"  # the key is published for another service
    DIFFERS = "differs"  # a good key, but not ours
    TESTING = "testing"  # t=y: verifiers must treat our signed mail as unsigned
    UNANSWERED = "unanswered"  # DNS gave no answer: nothing is known


@dataclass(frozen=True, slots=True)
class KeyFinding:
    """The status of one key, and what to do about it in a sentence; empty where there is nothing to do."""

    status: KeyStatus
    detail: str = ""


def judge(key: SigningKey, records: Sequence[bytes]) -> KeyFinding:
    """Compare a key with the TXT records at its name, each with its strings joined."""
    if not records:
        return KeyFinding(KeyStatus.MISSING, "publish the record")
    if len(records) > 1:
        return KeyFinding(
            KeyStatus.SEVERAL, f"{len(records)} TXT records, of which a verifier may take any: leave the right one"
        )
    try:
        tags = parse_tags(records[0].decode("ascii"))
        return _restriction(key, tags) or _compare(key, tags)
    except UnicodeDecodeError:
        return KeyFinding(KeyStatus.MALFORMED, "it holds octets outside ASCII")
    except ValueError as error:
        return KeyFinding(KeyStatus.MALFORMED, str(error))


def parse_tags(text: str) -> dict[str, str]:
    """The tags of a key record (RFC 6376 section 3.6.1). Raises ValueError that says what is wrong."""
    try:
        tags = {name: tag.text for name, tag in tag_list.strict(text.encode()).items()}
    except tag_list.Invalid as error:
        raise ValueError(f"{error} (are quotes or backslashes left over in the zone file?)") from None
    if "v" in tags and (next(iter(tags)) != "v" or tags["v"] != "DKIM1"):
        raise ValueError("v= must come first and be DKIM1")
    if "p" not in tags:
        raise ValueError("p= is missing")
    return tags


def _restriction(key: SigningKey, tags: dict[str, str]) -> KeyFinding | None:
    """What forbids the use of the published key for our signatures, whichever key it is."""
    if not tags["p"]:
        return KeyFinding(KeyStatus.REVOKED, "p= is empty: sign with another selector, or publish the record again")
    kind = tags.get("k", "rsa")
    if f"{kind}-sha256" != key.algorithm:
        return KeyFinding(
            KeyStatus.WRONG_TYPE, f"it says {kind[:20]!r}, the key file holds {key.algorithm.removesuffix('-sha256')}"
        )
    if "h" in tags and "sha256" not in _words(tags["h"]):
        return KeyFinding(KeyStatus.WRONG_HASH, "remove h=, or add sha256")
    if "s" in tags and not {"*", "email"} & _words(tags["s"]):
        return KeyFinding(KeyStatus.WRONG_SERVICE, "remove s=, or add email")
    return None


def _compare(key: SigningKey, tags: dict[str, str]) -> KeyFinding:
    try:
        octets = base64.b64decode(re.sub(r"\s+", "", tags["p"]), validate=True)
    except binascii.Error:
        raise ValueError("p= is not base64: the record may be cut off, or its strings joined wrongly") from None
    ours = key.private.public_key()
    if isinstance(ours, RSAPublicKey):
        published = _rsa(octets)
        if published.public_numbers() != ours.public_numbers():
            size = published.key_size
            return KeyFinding(
                KeyStatus.DIFFERS,
                f"DNS holds another RSA key, of {size} bits: publish the record, or use that key's file",
            )
    elif len(octets) != 32:
        raise ValueError(f"p= of an Ed25519 key has 32 octets (RFC 8463 section 4), this one {len(octets)}")
    elif octets != key.public_octets():
        return KeyFinding(
            KeyStatus.DIFFERS, "DNS holds another Ed25519 key: publish the record, or use that key's file"
        )
    if "y" in _words(tags.get("t", "")):
        return KeyFinding(
            KeyStatus.TESTING,
            "t=y: receivers treat mail with this signature as unsigned; remove it when the tests are over",
        )
    return KeyFinding(KeyStatus.AGREES)


def _rsa(octets: bytes) -> RSAPublicKey:
    try:
        published = load_der_public_key(octets)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("p= is base64, but no RSA key: the record may be cut off") from None
    if not isinstance(published, RSAPublicKey):
        raise ValueError("p= holds a key that is not RSA")
    return published


def _words(value: str) -> set[str]:
    return {word.strip() for word in value.split(":")}
