"""The results of our own checks as claims of this process (RFC 8601 section 2.7)."""

from __future__ import annotations

from dkimgate.dkim.verify import CheckedSignature
from dkimgate.dmarc.evaluate import BOTH, OTHERS, Dmarc
from dkimgate.facts import Claim, Standing
from dkimgate.spf.check import Spf


def of_signature(found: CheckedSignature) -> Claim:
    """A DKIM signature that was verified (section 2.7.1)."""
    said = (("header.d", found.domain), ("header.s", found.selector), ("header.a", found.algorithm))
    properties = [(name, value) for name, value in said if value is not None]
    if found.key_bits is not None:
        properties.append(("policy.key-bits", str(found.key_bits)))
    return _claim("dkim", found.result, found.why, properties, "DKIM-Signature", found.position)


def of_spf(found: Spf) -> Claim:
    """SPF of the session in which the message entered (section 2.7.2)."""
    value = found.sender if found.identity == "mailfrom" else found.domain or ""
    return _claim(
        "spf", found.result, found.ip + (f": {found.why}" if found.why else ""), [(f"smtp.{found.identity}", value)]
    )


def of_dmarc(found: Dmarc) -> Claim | None:
    """DMARC (RFC 9989 section 9.2); None where the result is `unknown`."""
    if found.result == "unknown":
        return None
    counts = found.verdicts[0]
    properties = [("header.from", found.author)] if found.author is not None else []
    if counts.policy is not None:
        properties.append(("policy.dmarc", counts.policy))
    by_name = sorted(found.verdicts, key=lambda verdict: (*BOTH, OTHERS).index(verdict.reading))
    properties.append(("policy.reading", " ".join(f"{one.reading}={one.result}" for one in by_name)))
    return _claim("dmarc", found.result, counts.why, properties)


def _claim(
    method: str, result: str, why: str, properties: list[tuple[str, str]], field: str = "", position: int = 0
) -> Claim:
    told = "checked here" + (f": {why}" if why else "")
    return Claim(method, result, None, field, Standing.VERIFIED, told, position, tuple(properties))
