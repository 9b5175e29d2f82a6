"""What a stranger's name servers do, or do not, and what he writes of SPF, makes nothing of a forgery's `fail`.

Where nobody answers for the author domain itself, a result is `temperror`. But a forger chooses other names as well: his sender, his
signatures, his seals, the reverse name of his address. Their silence must not use up the time in which the author domain could answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from dkimgate.config.dkimgate_yaml import Config, Trust
from dkimgate.dkim.keys import signing_key
from dkimgate.dmarc.evaluate import RESULTS, check_dmarc
from dkimgate.dns.resolver import Answer, Kind, Lookup, Status
from dkimgate.evidence import checks_here
from dkimgate.evidence.claims import arrival_of
from dkimgate.evidence.gather import see
from dkimgate.evidence.stated_spf import stated_spf
from dkimgate.facts import Claim, Spam, Standing
from dkimgate.message.message import Connection
from dkimgate.spf.check import check_spf
from tests.arc.sealing import mail
from tests.world.dns import FakeResolver
from tests.world.keys import BODY, DOMAIN, HEADER, NOW, Signer, zone
from tests.world.mail import fields, forms, message

IP = "198.51.100.66"
REVERSE = "66.100.51.198.in-addr.arpa"
SILENT = ("silent.example", REVERSE)
ZONE = {
    **zone(),
    f"_dmarc.{DOMAIN}": {"TXT": ["v=DMARC1; p=reject"]},
    DOMAIN: {"TXT": ["v=spf1 ip4:192.0.2.10 -all"]},
    "evil.example": {"TXT": ["v=spf1 include:silent.example -all"]},
}


@dataclass
class Slow:
    """A zone in which names of a stranger are silent: each question takes all the time that it is given."""

    zone: dict[str, dict[str, list[str]]]
    now: float = 0.0
    inner: FakeResolver = field(init=False)

    def __post_init__(self) -> None:
        self.inner = FakeResolver(self.zone)

    def lookup(self) -> Lookup:
        return Lookup(self, clock=lambda: self.now)

    def cached(self, name: str, kind: Kind) -> Answer[object] | None:
        return None

    def ask(self, name: str, kind: Kind, seconds: float) -> Answer[object]:
        if name.endswith(SILENT):
            self.now += seconds
            return Answer(Status.FAILED, why="no answer in time")
        return self.inner.ask(name, kind, seconds)


def _unsigned_name(selector: str) -> bytes:
    """A signature in the author's name that nobody has made, of the true body."""
    return Signer(selector).sign().replace(b" b=", b" b=AAAA")


SEALED = mail(HEADER + b"\r\n" + BODY).sealed(signing_key("silent.example", "s", rsa.generate_private_key(65537, 1024)))
LETTERS = {
    "a sender whose SPF is silent": (b"", "eve@evil.example"),
    "a signature whose key is silent": (Signer(domain="silent.example").sign(), f"ann@{DOMAIN}"),
    "a seal whose key is silent": (SEALED.raw.partition(b"From: ")[0], f"ann@{DOMAIN}"),
    "all of them": (SEALED.raw.partition(b"From: ")[0] + Signer(domain="silent.example").sign(), "eve@evil.example"),
}


@pytest.mark.parametrize("sealers", [(), ("lists.example",)], ids=["no sealers", "a trusted sealer"])
@pytest.mark.parametrize(
    "named", [b"", _unsigned_name("nobody"), _unsigned_name("s")], ids=["plain", "no such key", "another key"]
)
@pytest.mark.parametrize("letter", LETTERS)
def test_no_silence_of_a_strangers_names_turns_fail_into_temperror(
    letter: str, named: bytes, sealers: tuple[str, ...]
) -> None:
    above, sender = LETTERS[letter]
    header = fields(above + named + HEADER)
    config = Config(trust=Trust(arc_sealers=sealers))
    seen = see(message(header, Connection(ip=IP, helo="c.example"), sender), config)
    claims = checks_here.claims(seen, forms(BODY), config, Slow(ZONE).lookup(), NOW)
    assert arrival_of(claims, DOMAIN, True, config.trust, Spam())[0].dmarc == "fail", claims


@pytest.mark.parametrize(
    "record", ["v=spf1 ptr mx -all", "v=spf1 exists:%{p}.hosted.example mx -all", "v=spf1 ptr:hosted.example -all"]
)
@pytest.mark.parametrize(
    "reverse", [{}, {"PTR": ["x.silent.example"]}, {"PTR": [f"{n}.silent.example" for n in range(30)]}]
)
def test_a_silent_reverse_name_is_no_match(record: str, reverse: dict[str, list[str]]) -> None:
    """RFC 7208 section 5.5."""
    dns = {
        **ZONE,
        DOMAIN: {"TXT": [record], "MX": ["10 mx.hosted.example"]},
        "mx.hosted.example": {"A": ["192.0.2.10"]},
        REVERSE: reverse,
    }
    spf = check_spf(IP, "c.example", f"ann@{DOMAIN}", Slow(dns).lookup())
    assert spf is not None
    assert spf.result == "fail", spf


def test_a_reverse_name_that_leads_back_matches() -> None:
    dns = {DOMAIN: {"TXT": ["v=spf1 ptr -all"]}, REVERSE: {"PTR": [f"a.{DOMAIN}"]}, f"a.{DOMAIN}": {"A": [IP]}}
    spf = check_spf(IP, "c.example", f"ann@{DOMAIN}", FakeResolver(dns).lookup())
    assert spf is not None
    assert spf.result == "pass"


SENDERS = st.sampled_from([f"ann@{DOMAIN}", "eve@evil.example", "x y"])
WORDS = st.sampled_from(["pass", "fail", "neutral", "temperror"])


def _claim(standing: Standing, result: str, sender: str) -> Claim:
    return Claim("spf", result, None, "Received-SPF", standing, properties=(("smtp.mailfrom", sender),))


STATED = st.lists(st.builds(_claim, st.sampled_from([Standing.TRUSTED, Standing.UPSTREAM]), WORDS, SENDERS), max_size=3)
WRITTEN = st.builds(_claim, st.just(Standing.UPSTREAM), WORDS, SENDERS)


def _rank(claims: Sequence[Claim]) -> int:
    return RESULTS.index(check_dmarc(DOMAIN, stated_spf(claims), (), FakeResolver(ZONE).lookup()).result)


@settings(max_examples=300)
@given(stated=STATED, written=WRITTEN, data=st.data())
def test_nothing_that_anybody_writes_of_spf_makes_dmarc_better(
    stated: list[Claim], written: Claim, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(stated)))
    assert _rank([*stated[:at], written, *stated[at:]]) >= _rank(stated)
