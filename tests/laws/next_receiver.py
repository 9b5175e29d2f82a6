"""What the next receiver finds of a message that leaves: dkimpy, pyspf, and alignment in a world where every domain has two labels."""

from __future__ import annotations

import re

import dkim
import spf

from tests.laws.generated_gates import DNS, HERE, Passed


def organization(domain: str) -> str:
    return ".".join(domain.lower().rstrip(".").split(".")[-2:])


def signers(passed: Passed) -> list[str]:
    """The domains of the added signatures, by their tags."""
    return [found[1] for value in passed.made if (found := re.search(r"\bd=([^;\s]+)", value))]


def verified(passed: Passed) -> list[str]:
    """The domains of the added signatures that dkimpy verifies on the message as it leaves."""
    dkim_fields = [name.lower() == "dkim-signature" for name, _ in passed.outcome.fields]
    found = []
    for at in range(sum(dkim_fields)):
        try:
            checked = dkim.DKIM(passed.raw)
            if checked.verify(idx=at, dnsfunc=dkim_dns):
                found.append(checked.domain.decode())
        except Exception:  # noqa: BLE001 - what dkimpy can't read, it does not verify
            continue
    return found


def dkim_dns(name: bytes, timeout: int = 5) -> bytes | None:
    texts = DNS.get(name.decode().rstrip("."), {}).get("TXT", [])
    return texts[0].encode() if texts else None


class _Spf(spf.query):  # type: ignore[misc]
    """pyspf with the zone for DNS, and nothing of the gate's."""

    def dns(self, name: str, qtype: str, cnames: object = None, ignore_void: bool = False) -> list[object]:
        values = DNS.get(name.lower().rstrip("."), {}).get(qtype, [])
        return [(value.encode(),) for value in values] if qtype == "TXT" else list(values)


def spf_domain(passed: Passed) -> str | None:
    """The domain for which SPF passes at the next hop, with the sender that leaves; None where it does not pass."""
    sender = passed.outcome.sender if passed.outcome.sender is not None else passed.message.envelope.sender
    domain = sender.rpartition("@")[2] if "@" in sender else "" if sender else "mx.forwarder.example"
    if not domain or not domain.isascii():
        return None
    return _spf(HERE, sender, domain, "mx.forwarder.example")


def spf_passes(ip: str, sender: str, helo: str) -> str | None:
    """The domain for which SPF passes of that session; None where it does not pass."""
    domain = sender.rpartition("@")[2] if sender else helo
    return _spf(ip, sender, domain, helo) if "." in domain and re.fullmatch(r"[A-Za-z0-9.-]+", domain) else None


def _spf(ip: str, sender: str, domain: str, helo: str) -> str | None:
    query = _Spf(i=ip, s=sender or f"postmaster@{domain}", h=helo)
    query.o = query.d = domain
    return domain if query.check()[0] == "pass" else None
