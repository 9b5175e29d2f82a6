"""Our own signature on a message: when it is one, and that it proves nothing of how the message arrived."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import dkim
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkimgate.dkim.canonical import BodyHash
from dkimgate.dkim.keys import SigningKey, signing_key
from dkimgate.dkim.sign import sign
from dkimgate.evidence import our_signatures
from dkimgate.evidence.gather import facts_of, see
from dkimgate.facts import Facts
from dkimgate.message.message import HeaderField, Message
from tests.world.keys import Signer, ed25519_key, pem, rsa_key
from tests.world.mail import BORDER, CONFIG, fields, message
from tests.world.mail import facts as read_alone

NOW = 1_800_000_000
RSA = signing_key("hosted.example", "gate", rsa_key(2048))
ED25519 = signing_key("hosted.example", "ed", ed25519_key())
OTHER_CUSTOMER = signing_key("customer.example", "gate", rsa_key(2048))
BELOW = signing_key("news.hosted.example", "gate", rsa_key(2048))
KEYS = (RSA, ED25519, OTHER_CUSTOMER, BELOW)
STRANGERS = signing_key("hosted.example", "gate", rsa_key(1024))
"""The stranger's own key under our name."""
GOOGLE = signing_key("hosted.example", "google", rsa_key(1024))

LETTER = (
    b"From: Ask <ask@hosted.example>\nTo: you@receiver.example\nSubject: A plan\nDate: Sat, 21 Nov 2026 16:20:25 +0000\n"
    b"Message-ID: <1@hosted.example>\n"
)
BODY = b"Hello, \r\n\r\nworld\t \r\n\r\n"

Header = tuple[HeaderField, ...]
HEADER: Header = fields(LETTER)


def hashed(body: bytes) -> bytes:
    stream = BodyHash()
    stream.update(body)
    return stream.digest()


def signed(
    key: SigningKey = RSA, header: Header = HEADER, body: bytes = BODY, now: int = NOW, days: int | None = None
) -> Header:
    """The header with a signature of that key on top, as it left the gate."""
    return (HeaderField(b"DKIM-Signature", b" " + sign(header, hashed(body), key, now, days)), *header)


def valid(
    header: Header, body: bytes = BODY, author: str | None = "hosted.example", now: float = NOW + 60
) -> frozenset[str]:
    found = our_signatures.look_for(Message(header=tuple(header)), our_signatures.by_name(KEYS))
    return our_signatures.verify(found, header, hashed(body), author, now).valid


def by_dkimpy(header_form: bytes, body_form: bytes, body: bytes = BODY, **options: object) -> Header:
    """OpenDKIM signed with the same key before us."""
    raw = LETTER.replace(b"\n", b"\r\n") + b"\r\n" + body
    field = dkim.sign(raw, b"gate", b"hosted.example", pem(), canonicalize=(header_form, body_form), **options)
    return fields(field + raw)


def by_the_book() -> Header:
    """With our key, and every field signed just as often as it stands there."""
    crlf = LETTER.replace(b"\n", b"\r\n")
    return fields(Signer("gate").sign(crlf, b"Hello,\r\n\r\nworld\r\n") + crlf)


def edited(old: bytes, new: bytes, header: Header | None = None) -> Header:
    found = tuple(replace(field, value=field.value.replace(old, new)) for field in header or signed())
    assert found != header
    return found


def top(*fields: tuple[bytes, bytes]) -> Header:
    return tuple(HeaderField(name, value) for name, value in fields)


LATE = int(time.time()) + 60  # dkimpy looks at the clock
OURS: dict[str, Callable[[], Header]] = {
    "as it left": signed,
    "Ed25519": lambda: signed(ED25519),
    "with both": lambda: signed(ED25519, signed()),
    "below what the next hosts added": lambda: (
        *top((b"Received", b" from a by b"), (b"X-Spam-Status", b" No")),
        *signed(),
    ),
    "folded anew": lambda: edited(b"\n\t", b"\n  "),
    "until it expires": lambda: signed(days=1),
    "nothing signed beyond what stands there": by_the_book,
    "below a broken one": lambda: (*edited(b"b=", b"b=AAAA")[:1], *signed()),
}


@pytest.mark.parametrize("case", OURS)
def test_our_signature_is_found(case: str) -> None:
    assert valid(OURS[case]()) == {"hosted.example"}


@pytest.mark.parametrize("form", [b"relaxed", b"simple"])
def test_what_opendkim_signed_with_our_key_is_ours_if_the_body_is_relaxed(form: bytes) -> None:
    assert valid(by_dkimpy(form, b"relaxed"), now=LATE) == {"hosted.example"}
    assert valid(by_dkimpy(form, b"simple"), now=LATE) == frozenset()
    assert valid(by_dkimpy(form, b"simple", b"Hello\r\n"), b"Hello \r\n", now=LATE) == frozenset(), (
        "the relaxed hash is the same"
    )


NOT_OURS: dict[str, Callable[[], Header]] = {
    "no signature": lambda: HEADER,
    "a changed subject": lambda: edited(b"A plan", b"No plan"),
    "a changed author": lambda: edited(b"Ask <", b"Boss <"),
    "a second subject": lambda: (*top((b"Subject", b" Another")), *signed()),
    "a second From": lambda: (*top((b"From", b" eve@hosted.example")), *signed()),
    "a second From, where only one is signed": lambda: (*top((b"From", b" eve@hosted.example")), *by_the_book()),
    "an added Reply-To": lambda: (*top((b"Reply-To", b" eve@attacker.example")), *signed()),
    "our name, a stranger's key": lambda: signed(STRANGERS),
    "another selector of the domain": lambda: signed(GOOGLE),
    "our selector, another domain": lambda: signed(replace(RSA, domain="attacker.example")),
    "another algorithm": lambda: edited(b"rsa-sha256", b"ed25519-sha256"),
    "rsa-sha1": lambda: edited(b"rsa-sha256", b"rsa-sha1"),
    "signed tomorrow": lambda: signed(now=NOW + 86_400),
    "expired": lambda: signed(now=NOW - 2 * 86_400, days=1),
    "expired a second ago": lambda: signed(now=NOW + 59 - 86_400, days=1),
    "l=": lambda: by_dkimpy(b"relaxed", b"relaxed", length=True),
    "another message's": lambda: (*signed(header=edited(b"A plan", b"B", HEADER))[:1], *HEADER),
    "no From signed": lambda: edited(b"h=from:from:", b"h="),
    "b= empty": lambda: top((b"DKIM-Signature", signed()[0].value.partition(b" b=")[0] + b" b=")) + HEADER,
    "an octet that is no text": lambda: top((b"DKIM-Signature", signed()[0].value + b"\xff")) + HEADER,
}


@pytest.mark.parametrize("case", NOT_OURS)
def test_a_signature_that_is_not_ours_or_not_valid_is_none(case: str) -> None:
    assert valid(NOT_OURS[case]()) == frozenset()


def test_a_changed_body_breaks_it() -> None:
    assert valid(signed(), BODY + b"-- \r\nA footer\r\n") == frozenset()
    assert valid(signed(), BODY + b"\r\n\r\n") == {"hosted.example"}, "empty lines at the end are no change"


def test_the_signature_of_another_customer_is_none_of_the_authors() -> None:
    assert valid(signed(OTHER_CUSTOMER)) == frozenset()
    assert valid(signed(OTHER_CUSTOMER), author="customer.example") == {"customer.example"}
    assert valid(signed(), author=None) == frozenset()


def test_only_a_signature_that_sign_author_would_make_stands_for_it() -> None:
    """A key of a sub-domain aligns, but is not the author's."""
    assert facts(signed()).own_signature
    assert facts(signed(ED25519)).own_signature
    for key in (OTHER_CUSTOMER, BELOW, GOOGLE, STRANGERS):
        assert not facts(signed(key)).own_signature
    assert not facts(HEADER).own_signature


@pytest.mark.parametrize("count", [25, 10_000])
def test_ten_thousand_signatures_under_our_name_cost_little_and_prove_nothing(count: int) -> None:
    """Each with the right body hash, so that only the key tells."""
    broken = top((b"DKIM-Signature", signed(header=edited(b"A plan", b"B", HEADER))[0].value))
    started = time.process_time()
    assert valid(broken * count + HEADER) == frozenset()
    assert valid(broken * count + signed()) == frozenset(), "so many are not all verified"
    assert time.process_time() - started < 0.5
    assert valid(broken * 10 + signed()) == {"hosted.example"}


def facts(header: Header, results: str = "", body: bytes = BODY, above: Header = ()) -> Facts:
    """The facts of a message that came back: our border's Received field over it, and what our verifiers say of it."""
    stated = f"Authentication-Results: mx.forwarder.example; {results}\n" if results else ""
    mail = message((*above, *fields(stated + BORDER), *header))
    seen = see(mail, CONFIG)
    found = our_signatures.look_for(mail, our_signatures.by_name(KEYS), seen.route.entered)
    ours = our_signatures.verify(found, mail.header, hashed(body), seen.domain, NOW + 60)
    domains = {key.domain for key in KEYS}
    return facts_of(seen, CONFIG, domains, (False, "lookup"), now=NOW + 60, ours=ours)


PASS = "dmarc=pass header.from=hosted.example"
D = "dkim=pass header.d=hosted.example"
SPF = "spf=pass smtp.mailfrom=hosted.example"
GOOGLES = signed(GOOGLE)


def b_of(header: Header) -> str:
    """The header.b of RFC 6008 for the topmost signature."""
    signature = header[0].value.rpartition(b" b=")[2].replace(b"\n\t", b"")
    return f'header.b="{signature[:8].decode()}"'


# header, results -> dmarc, dkim, aligned
PROOFS: dict[str, tuple[Header, str, tuple[str, str, bool]]] = {
    "ours alone": (signed(), f"{D} header.s=gate; {PASS}", ("none", "none", False)),
    "ours alone, selector in capitals": (signed(), f"{D} header.s=GATE; {PASS}", ("none", "none", False)),
    "ours alone, by b=": (signed(), f"{D} {b_of(signed())}; {PASS}", ("none", "none", False)),
    "ours alone, nothing told but d=": (signed(), f"{D}; {PASS}", ("none", "none", False)),
    "ours alone, nothing told but i=": (
        signed(),
        f"dkim=pass header.i=@hosted.example; {PASS}",
        ("none", "none", False),
    ),
    "ours alone, i= below": (signed(), f"dkim=pass header.i=@eu.hosted.example; {PASS}", ("none", "none", False)),
    "ours twice": (signed(ED25519, signed()), f"{D} header.s=gate; {D} header.s=ed; {PASS}", ("none", "none", False)),
    "ours of a sub-domain": (
        signed(BELOW),
        f"dkim=pass header.d=news.hosted.example header.s=gate; {PASS}",
        ("none", "none", False),
    ),
    "ours, and a reason that does not align": (
        signed(),
        f"{D} header.s=gate; dkim=pass header.d=list.example header.s=l; spf=pass smtp.mailfrom=list.example; {PASS}",
        ("none", "pass", False),
    ),
    "ours, changed since": (edited(b"A plan", b"[list] A plan"), f"{D} header.s=gate; {PASS}", ("none", "none", False)),
    "ours, taken off since": (HEADER, f"{D} header.s=gate; {PASS}", ("none", "none", False)),
    "ours is there and no reason is told": (signed(), PASS, ("none", "none", False)),
    "ours and a word of SPF": (signed(), f"{D} header.s=gate; {SPF}; {PASS}", ("none", "none", False)),
    "ours and another provider's": (
        signed(GOOGLE, signed()),
        f"{D} header.s=gate; {D} header.s=google; {PASS}",
        ("pass", "pass", True),
    ),
    "another provider's alone": (GOOGLES, f"{D} header.s=google; {PASS}", ("pass", "pass", True)),
    "another provider's, nothing told but d=": (GOOGLES, f"{D}; {PASS}", ("pass", "pass", True)),
    "another provider's, by b=": (signed(GOOGLE, signed()), f"{D} {b_of(GOOGLES)}; {PASS}", ("pass", "pass", True)),
    "broken under our name, and no reason is told": (signed(STRANGERS), PASS, ("pass", "none", False)),
    "broken under our name, and a word of SPF": (
        signed(STRANGERS),
        f"dkim=fail header.d=hosted.example header.s=gate; {SPF}; {PASS}",
        ("pass", "fail", False),
    ),
    "fail stays fail": (signed(), f"{D} header.s=gate; dmarc=fail header.from=hosted.example", ("fail", "none", False)),
    "temperror stays": (signed(), f"{D} header.s=gate; dmarc=temperror", ("temperror", "none", False)),
    "none stays none": (signed(), f"{D} header.s=gate; dmarc=none header.from=hosted.example", ("none", "none", False)),
    "unknown stays unknown": (signed(), f"{D} header.s=gate", ("unknown", "none", False)),
    "a failed signature of others does not come forth": (
        signed(),
        f"{D} header.s=gate; dkim=fail header.d=list.example header.s=l; {PASS}",
        ("none", "none", False),
    ),
}


@pytest.mark.parametrize("case", PROOFS)
def test_what_rests_on_our_own_signature_proves_nothing(case: str) -> None:
    header, results, expected = PROOFS[case]
    arrival = facts(header, results).arrival
    assert (arrival.dmarc, arrival.dkim, arrival.aligned) == expected


def test_the_claims_say_why() -> None:
    told = {claim.method: claim.why for claim in facts(signed(), f"{D} header.s=gate; {PASS}").claims}
    assert told["dkim"].endswith("it is our own signature, which proves nothing")
    assert told["dmarc"].endswith("our own signature, which proves nothing")
    said_by_others = facts(signed(), f"none\nAuthentication-Results: mx.elsewhere.example; {D} header.s=gate; {PASS}")
    assert not [claim for claim in said_by_others.claims if "proves nothing" in claim.why]
    reasoned = facts(signed(GOOGLE, signed()), f"{D} header.s=gate; {D} header.s=google; {PASS}")
    assert [claim.method for claim in reasoned.claims if "proves nothing" in claim.why] == ["dkim"]


def test_what_we_signed_behind_the_border_is_not_what_arrived() -> None:
    """The first passage of a message that is put into the queue again: a verifier that tells d= alone meant the provider's."""
    ours = top((b"DKIM-Signature", signed(header=GOOGLES)[0].value))
    found = facts(GOOGLES, f"{D}; {PASS}", above=ours)
    assert (found.arrival.dmarc, found.own_signature) == ("pass", True)


def test_a_crowd_of_other_signatures_does_not_hide_ours() -> None:
    """Behind a hundred that are read, whose selector is not told may be anybody's: ours too."""
    crowd = top((b"DKIM-Signature", b" v=1; a=rsa-sha256; d=hosted.example; s=x; h=from; bh=AAAA; b=AAAA")) * 100
    assert facts((*crowd, *signed()), f"{D}; {PASS}").arrival.dmarc in ("none", "unknown")


RESULTS = [
    f"{D} header.s=gate",
    D,
    f"{D} header.s=google",
    SPF,
    PASS,
    "dmarc=fail",
    "dmarc=none",
    "dkim=fail header.d=hosted.example",
    "spf=fail",
]


@given(
    st.lists(st.sampled_from(RESULTS), max_size=5),
    st.sampled_from([HEADER, signed(), GOOGLES, signed(STRANGERS), signed(GOOGLE, signed())]),
)
def test_it_never_helps_and_never_makes_worse_what_hurts(stated: list[str], header: Header) -> None:
    results = "; ".join(stated) or "none"
    with_ours = facts(header, results).arrival
    above = fields(f"Authentication-Results: mx.forwarder.example; {results}\n" + BORDER)
    as_ever = read_alone((*above, *header)).arrival
    assert with_ours.dmarc in ({"pass", "none"} if as_ever.dmarc == "pass" else {as_ever.dmarc})
    assert with_ours.dkim in ({"pass", "none"} if as_ever.dkim == "pass" else {as_ever.dkim})
    assert as_ever.aligned or not with_ours.aligned
    if SPF in stated or f"{D} header.s=google" in stated:
        assert with_ours.dmarc == as_ever.dmarc
