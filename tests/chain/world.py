"""The world of the chain: who has which name, address and key, and the DNS that says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

FORWARDER = "mx.forwarder.example"
RECEIVER = "mx.receiver.example"
FORWARDER_DOMAIN = "forwarder.example"
RECEIVER_DOMAIN = "receiver.example"

HOSTED = "hosted.example"
"""A domain whose mail the forwarder handles and whose key it holds. Its SPF record does not list the forwarder."""
HOSTED_SPF = "hosted-spf.example"
"""The same, with the forwarder in its SPF record: the second door."""
GOOD = "good.example"
"""A stranger who does everything right."""
GOOD_HOST = "mail.good.example"
ATTACKER = "mail.attacker.example"

PARTNER = "partner.example"
"""A stranger who has the forwarder in its SPF record: so a forgery of it goes through the second door."""
UNRECORDED = "unrecorded.example"
"""The same, without a DMARC record."""
HOSTED_HOST = "mail.hosted.example"
"""Another server of the hosted domains."""

UNALIGN = "bounce.forwarder.example"
"""What senders are rewritten to."""

SILENT = "silent.example"
"""For questions about this zone the name server has only SERVFAIL."""

LAPTOP = "laptop.example"
"""Where a user of the hosted domains sits."""

VICTIM = f"victim@{RECEIVER_DOMAIN}"
REFUSED = f"refused@{RECEIVER_DOMAIN}"
"""Whom the receiver refuses in the SMTP session."""
BOUNCED = f"bounced@{RECEIVER_DOMAIN}"
"""For whom it takes mail, and sends it back."""
HOME_USERS = ("writer", "postmaster")
"""Users of the hosted domains who read their mail on the forwarder."""

ADDRESSES = {
    FORWARDER: "192.0.2.10",
    RECEIVER: "198.51.100.20",
    GOOD_HOST: "203.0.113.30",
    ATTACKER: "192.0.2.66",
    LAPTOP: "203.0.113.77",
    HOSTED_HOST: "203.0.113.99",
}

GATE_SELECTOR = "gate"
"""The selector of the keys that the signer on the forwarder holds."""
OWN_SELECTOR = "own"
"""The selector of a key that stays with another server of the domain."""

SPF_OF_FORWARDER = f"v=spf1 ip4:{ADDRESSES[FORWARDER]} -all"
_SPF = {
    HOSTED: f"v=spf1 ip4:{ADDRESSES[HOSTED_HOST]} -all",
    HOSTED_SPF: f"v=spf1 ip4:{ADDRESSES[HOSTED_HOST]} ip4:{ADDRESSES[FORWARDER]} -all",
    PARTNER: f"v=spf1 ip4:{ADDRESSES[GOOD_HOST]} ip4:{ADDRESSES[FORWARDER]} -all",
    UNRECORDED: SPF_OF_FORWARDER,
    UNALIGN: SPF_OF_FORWARDER,
    FORWARDER_DOMAIN: SPF_OF_FORWARDER,
    FORWARDER: SPF_OF_FORWARDER,
    GOOD: f"v=spf1 ip4:{ADDRESSES[GOOD_HOST]} -all",
    ATTACKER: f"v=spf1 ip4:{ADDRESSES[ATTACKER]} -all",
}
_DMARC = {HOSTED: "quarantine", HOSTED_SPF: "quarantine", FORWARDER_DOMAIN: "reject", GOOD: "reject", PARTNER: "reject"}
_MX = {
    **dict.fromkeys((HOSTED, HOSTED_SPF, FORWARDER_DOMAIN, UNALIGN), FORWARDER),
    **dict.fromkeys((RECEIVER_DOMAIN, PARTNER), RECEIVER),
    GOOD: GOOD_HOST,
}
_KEYS = (
    (HOSTED, GATE_SELECTOR),
    (HOSTED, OWN_SELECTOR),
    (HOSTED_SPF, GATE_SELECTOR),
    (FORWARDER_DOMAIN, GATE_SELECTOR),
    (GOOD, OWN_SELECTOR),
)


@dataclass(frozen=True, slots=True)
class Keys:
    """The private keys, as `DOMAIN.SELECTOR.pem` in a folder: one for the forwarder's signer, one for everybody else.

    Making an RSA key takes long, and nobody here compares keys of different domains.
    """

    folder: Path

    def file(self, domain: str, selector: str) -> Path:
        """Where the private key stands."""
        return self.folder / f"{domain}.{selector}.pem"

    def record(self, domain: str, selector: str) -> str:
        """What DNS says of the key (RFC 6376 section 3.6.1)."""
        private = serialization.load_pem_private_key(self.file(domain, selector).read_bytes(), password=None)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public = private.public_key().public_bytes(serialization.Encoding.PEM, form).decode("ascii")
        return f"v=DKIM1; k=rsa; p={''.join(public.splitlines()[1:-1])}"


def make_keys(folder: Path) -> Keys:
    """Make all keys."""
    folder.mkdir()
    keys = Keys(folder)
    pems = {selector: _make_key() for selector in (GATE_SELECTOR, OWN_SELECTOR)}
    for domain, selector in _KEYS:
        file = keys.file(domain, selector)
        file.touch(mode=0o600)
        file.write_bytes(pems[selector])
    return keys


def zone_records(keys: Keys) -> list[str]:
    """Every record of the world, in the form of a master file (RFC 1035 section 5)."""
    records = [txt(f"{selector}._domainkey.{domain}", keys.record(domain, selector)) for domain, selector in _KEYS]
    records += [f"{name}. IN A {address}" for name, address in ADDRESSES.items()]
    records += [f"{domain}. IN MX 10 {host}." for domain, host in _MX.items()]
    records += [txt(domain, text) for domain, text in _SPF.items()]
    records += [txt(f"_dmarc.{domain}", f"v=DMARC1; p={policy}") for domain, policy in _DMARC.items()]
    for name, address in ADDRESSES.items():
        reverse = ".".join(reversed(address.split(".")))
        records.append(f"{reverse}.in-addr.arpa. IN PTR {name}.")
    return records


def _make_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def txt(name: str, text: str) -> str:
    """A TXT record; one string of it holds at most 255 octets."""
    strings = " ".join(f'"{text[at : at + 250]}"' for at in range(0, len(text), 250))
    return f"{name}. IN TXT {strings}"
