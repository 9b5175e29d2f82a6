"""Who sends in these cases, from which address, and the DNS that says so."""

from __future__ import annotations

from tests.chain.world import txt
from tests.world.keys import ed25519_record, rsa_record

OURS = "mx.forwarder.example"
"""The host whose verifiers are looked at, and its authserv-id."""
HOSTED = "hosted.example"
"""The domain that a forger wants a pass for."""

GOOD = "203.0.113.30"
ATTACKER = "192.0.2.66"
UNNAMED = "192.0.2.67"
ODD_NAMES = {
    "192.0.2.70": r"x\;dmarc=pass\(y\)header.from=hosted.example.attacker.example",
    "192.0.2.71": r"x\040dkim=pass\040header.d=hosted.example.attacker.example",
    "192.0.2.72": r"_spf=pass.attacker.example",
    "192.0.2.73": r"a\(b.attacker.example",
}
"""Clients whose reverse and forward DNS agree on a name that is no host name."""
ADDRESSES = {OURS: "192.0.2.10", "mail.good.example": GOOD, "client.attacker.example": ATTACKER}

SPF = {
    "good.example": f"v=spf1 ip4:{GOOD} -all",
    "mail.good.example": f"v=spf1 ip4:{GOOD} -all",
    "news.good.example": f"v=spf1 ip4:{GOOD} -all",
    "quarantined.example": f"v=spf1 ip4:{GOOD} -all",
    "watched.example": f"v=spf1 ip4:{GOOD} -all",
    "unlisted.example": f"v=spf1 ip4:{GOOD} -all",
    HOSTED: "v=spf1 ip4:203.0.113.99 -all",
    "fail.example": "v=spf1 -all",
    "soft.example": "v=spf1 ~all",
    "neutral.example": "v=spf1 ?all",
    "perm.example": "v=spf1 nonsense:x -all",
    "attacker.example": f"v=spf1 ip4:{ATTACKER} -all",
    "client.attacker.example": f"v=spf1 ip4:{ATTACKER} -all",
    "perm.attacker.example": "v=spf1 x);dmarc=pass(y)header.from=hosted.example;a=b( -all",
    "permdkim.attacker.example": "v=spf1 x);dkim=pass(y)header.d=hosted.example;a=b( -all",
    "permspf.attacker.example": "v=spf1 x)smtp.mailfrom=friend@hosted.example;spf=pass(y -all",
    "permip.attacker.example": "v=spf1 ip4:1;dmarc=pass(y)header.from=hosted.example -all",
    "perma.attacker.example": "v=spf1 a:x);dmarc=pass;( -all",
    "permcidr.attacker.example": "v=spf1 a/x);dmarc=pass;( -all",
    "permredirect.attacker.example": "v=spf1 redirect=x);dmarc=pass;(",
    "exp.attacker.example": "v=spf1 exp=why.attacker.example -all",
    "explist.attacker.example": "v=spf1 exp=list.attacker.example -all",
    "expperm.attacker.example": "v=spf1 exp=x);dmarc=pass;( -all",
    "include.attacker.example": "v=spf1 include:perm.attacker.example -all",
    "unknownmodifier.attacker.example": f"v=spf1 x=);dmarc=pass(y)header.from=hosted.example ip4:{ATTACKER} -all",
    "exists.attacker.example": "v=spf1 exists:%{l}.x.attacker.example -all",
}
DMARC = {
    "good.example": "v=DMARC1; p=reject",
    HOSTED: "v=DMARC1; p=reject",
    "quarantined.example": "v=DMARC1; p=quarantine",
    "watched.example": "v=DMARC1; p=none",
    "soft.example": "v=DMARC1; p=none",
    "attacker.example": "v=DMARC1; p=none; x=);dmarc=pass header.from=hosted.example; dis=(",
    "oddpolicy.example": "v=DMARC1; p=x)header.from=hosted.example(",
    "oddsp.example": "v=DMARC1; p=none; sp=x) dmarc=pass(",
}
WHY = {
    "why.attacker.example": "x);dmarc=pass(y)header.from=hosted.example;a=b(",
    "list.attacker.example": "hosted.example; dkim=pass header.d=hosted.example; dmarc=pass header.from=hosted.example",
}
ANSWERS_NOTHING = "silent.example"
"""For questions about this zone the name server has only SERVFAIL."""
KEYS_FOR_ALL = "_domainkey.attacker.example"
"""Below it every name is a selector of the attacker's key, however odd it is."""


def records() -> list[str]:
    """Every record, in the form of a master file (RFC 1035 section 5)."""
    found = [txt(name, text) for name, text in (SPF | WHY).items()]
    found += [txt(f"_dmarc.{name}", text) for name, text in DMARC.items()]
    found += [f"{name}. IN A {address}" for name, address in ADDRESSES.items()]
    found += [f"nothing.example. IN A {GOOD}"]
    found += [f"{_reverse(address)}. IN PTR {name}." for name, address in ADDRESSES.items()]
    for address, name in ODD_NAMES.items():
        found += [f"{name}. IN A {address}", f"{_reverse(address)}. IN PTR {name}."]
    for domain in ("good.example", "news.good.example", "unlisted.example", "other.example"):
        for bits in (1024, 2048):
            found.append(txt(f"k{bits}._domainkey.{domain}", rsa_record(bits)))
        found.append(txt(f"ed._domainkey.{domain}", ed25519_record()))
    found.append(txt("testing._domainkey.good.example", rsa_record().replace("k=rsa;", "k=rsa; t=y;")))
    found.append(txt("revoked._domainkey.good.example", "v=DKIM1; k=rsa; p="))
    found.append(txt("broken._domainkey.good.example", "v=DKIM1; k=rsa; p=AAAA"))
    found.append(txt(KEYS_FOR_ALL, rsa_record()))
    return found


def answers() -> dict[str, dict[str, list[str]]]:
    """What a gate hears of SPF and DMARC when it asks itself."""
    texts = SPF | WHY | {f"_dmarc.{name}": text for name, text in DMARC.items()}
    return {name: {"TXT": [text]} for name, text in texts.items()}


def _reverse(address: str) -> str:
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa"


def addresses() -> list[str]:
    """Every address that a host of these cases has."""
    return [*ADDRESSES.values(), UNNAMED, *ODD_NAMES, "127.0.0.2"]
